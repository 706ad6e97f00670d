/* mailbrake status and mailbrake lists: how things are. */
#include <stdio.h>
#include <string.h>

#include "admin/dialogue.h"
#include "admin/instant.h"
#include "admin/table.h"
#include "admin/verbs.h"

static const char *const verdicts[] = {"accept", "quarantine", "reject", "defer",
                                       "tempfail"};
enum { VERDICT_COUNT = sizeof verdicts / sizeof verdicts[0] };

static bool has_any(const json_t *counts)
{
    for (size_t i = 0; i < VERDICT_COUNT; i++) {
        if (table_number(counts, verdicts[i]) > 0)
            return true;
    }
    return false;
}

/* "12 accepted, 3 held, ..." in the order above. */
static void print_counts(const char *name, const json_t *counts)
{
    static const char *const names[] = {"accepted", "held", "rejected", "deferred",
                                        "put off since they could not be judged"};
    (void)printf("%-14s", name);
    for (size_t i = 0; i < VERDICT_COUNT; i++) {
        long long count = table_number(counts, verdicts[i]);
        if (count > 0 || i < 4)
            (void)printf("%s %lld %s", i == 0 ? "" : ",", count, names[i]);
    }
    (void)fputc('\n', stdout);
}

static void print_number(const char *name, const json_t *status, const char *field,
                         const char *meaning)
{
    const json_t *number = json_object_get(status, field);
    if (json_is_integer(number))
        (void)printf("%-14s %lld %s\n", name, table_number(status, field), meaning);
    else
        (void)printf("%-14s not known: the store does not answer\n", name);
}

static void print_store(const json_t *store)
{
    const char *state = table_text(store, "state");
    const char *means =
        strcmp(state, "local") == 0  ? "away: this relay decides alone, with its share"
        : strcmp(state, "down") == 0 ? "away: mail gets what store.on_failure says"
                                     : "answers";
    (void)printf("%-14s %s, %s\n", "store", table_text(store, "type"), means);
}

static void print_rules(const json_t *rules)
{
    size_t i;
    const json_t *rule;
    if (json_array_size(rules) == 0)
        return;
    (void)printf("\n%-30s %9s %9s %9s %9s %9s\n", "DECIDED BY", "ACCEPTED", "HELD",
                 "REJECTED", "DEFERRED", "WOULD");
    json_array_foreach(rules, i, rule)
    {
        const json_t *was = json_object_get(rule, "verdicts");
        const json_t *would = json_object_get(rule, "would");
        const char *name = table_text(rule, "name");
        long long stopped = 0;
        table_cell(strcmp(name, "-") == 0 ? "(no rule)" : name, 30);
        for (size_t v = 0; v < 3; v++)
            table_count(table_number(was, verdicts[v]), 9);
        table_count(table_number(was, "defer") + table_number(was, "tempfail"), 9);
        for (size_t v = 1; v < VERDICT_COUNT; v++)
            stopped += table_number(would, verdicts[v]);
        (void)printf("%9lld\n", stopped);
    }
}

static void print_status(const json_t *status)
{
    char up[INSTANT_SIZE];
    const json_t *lists = json_object_get(status, "lists");
    bool monitor = strcmp(table_text(status, "mode"), "monitor") == 0;
    instant_duration(table_number(status, "uptime_s"), up);
    (void)printf("%-14s %s, up %s\n", "mailbraked", table_text(status, "version"), up);
    table_field("relay", table_text(status, "host"));
    table_field("configuration", table_text(status, "configuration"));
    table_field("mode", monitor ? "monitor: judges and counts, stops nothing but what a "
                                  "brake stops"
                                : "enforce");
    print_store(json_object_get(status, "store"));
    print_number("held", status, "holds", "messages wait for a decision");
    print_number("incidents", status, "incidents", "open");
    print_number("brakes", status, "brakes", "set by hand");
    (void)printf("%-14s %lld read, %lld as last read, %lld not known\n", "lists",
                 table_number(lists, "ok"), table_number(lists, "stale"),
                 table_number(lists, "unknown"));
    print_counts("messages", json_object_get(status, "verdicts"));
    if (has_any(json_object_get(status, "would")))
        print_counts("would have", json_object_get(status, "would"));
    print_rules(json_object_get(status, "rules"));
}

/* ---- lists ---- */

static void print_list(const json_t *list)
{
    char age[INSTANT_SIZE] = "-";
    const json_t *age_s = json_object_get(list, "age_s");
    if (json_is_integer(age_s))
        instant_duration(table_number(list, "age_s"), age);
    table_cell(table_text(list, "address"), 40);
    table_count(table_number(list, "size"), 8);
    table_cell(table_text(list, "state"), 7);
    table_cell(age, 7);
    table_end(table_text(list, "source"), 34);
}

static void print_lists(const json_t *answer)
{
    size_t i;
    const json_t *list;
    const json_t *lists = json_object_get(answer, "lists");
    size_t shown = json_array_size(lists);
    if (shown == 0) {
        (void)puts("There are no lists.");
        return;
    }
    (void)printf("%-40s %8s %-7s %-7s %s\n", "LIST", "PERSONS", "STATE", "AGE", "SOURCE");
    json_array_foreach(lists, i, list)
    {
        print_list(list);
        table_strings("  holds", json_object_get(list, "nested"), 0);
    }
    if (table_number(answer, "count") > (long long)shown)
        (void)printf("and %lld more\n", table_number(answer, "count") - (long long)shown);
}

/* False after a message on stderr. */
static bool parse(struct dialogue *dialogue, int argc, char **argv, const char *usage)
{
    if (dialogue_parse(dialogue, argc, argv, 0) != STATUS_OK)
        return false;
    if (dialogue->arguments.word_count <= (strchr(usage, '[') == NULL ? 0 : 1))
        return true;
    (void)fprintf(stderr, "usage: mailbrake %s\n", usage);
    return false;
}

int verb_status(int argc, char **argv)
{
    struct dialogue dialogue;
    int result = EXIT_FAILED;
    if (!parse(&dialogue, argc, argv, "status"))
        return EXIT_USAGE;
    if (dialogue_open(&dialogue))
        result = dialogue_show(&dialogue,
                               dialogue_ask(&dialogue, "GET", "/v1/status", NULL, NULL),
                               print_status);
    dialogue_close(&dialogue);
    return result;
}

int verb_lists(int argc, char **argv)
{
    struct dialogue dialogue;
    int result = EXIT_FAILED;
    if (!parse(&dialogue, argc, argv, "lists [ADDRESS]"))
        return EXIT_USAGE;
    const char *address = dialogue_word(&dialogue, 0);
    const char *path = address == NULL ? "/v1/lists" : "/v1/lists?address=%s";
    if (dialogue_open(&dialogue))
        result = dialogue_show(
            &dialogue, dialogue_ask(&dialogue, "GET", path, address, NULL), print_lists);
    dialogue_close(&dialogue);
    return result;
}
