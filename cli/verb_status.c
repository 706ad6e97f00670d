/* mailbrake status, lists and whoami. */
#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "base/output.h"
#include "base/text.h"
#include "base/text_table.h"
#include "cli/control_client.h"
#include "cli/page.h"
#include "cli/verbs.h"
#include "engine/json_output.h"

static const char *const verdicts[] = {"accept", "quarantine", "reject", "defer",
                                       "tempfail"};
enum { VERDICT_COUNT = sizeof verdicts / sizeof verdicts[0], UNANSWERED_SHOWN_S = 3600 };

static long long sum(const json_t *counts, size_t first, size_t end)
{
    long long total = 0;
    for (size_t i = first; i < end; i++)
        total += page_number(counts, verdicts[i]);
    return total;
}

/* "12 accepted, 3 held, ..." in the order above. */
static void print_counts(const char *name, const json_t *counts)
{
    static const char *const names[] = {"accepted", "held", "rejected", "deferred",
                                        "deferred, since they could not be judged"};
    (void)printf("%-14s", name);
    for (size_t i = 0; i < VERDICT_COUNT; i++) {
        long long count = page_number(counts, verdicts[i]);
        if (count > 0 || i < 4)
            (void)printf("%s %lld %s", i == 0 ? "" : ",", count, names[i]);
    }
    (void)fputc('\n', stdout);
}

static void print_number(const json_t *status, const char *field, const char *name,
                         const char *const meanings[2])
{
    const json_t *number = json_object_get(status, field);
    long long count = page_number(status, field);
    if (json_is_integer(number))
        (void)printf("%-14s %lld %s\n", name, count,
                     page_plural(count, meanings[0], meanings[1]));
    else
        (void)printf("%-14s not known\n", name);
}

static void print_numbers(const json_t *status)
{
    static const char *const held[] = {"message waits for a decision",
                                       "messages wait for a decision"};
    static const char *const incidents[] = {"open", "open"};
    static const char *const damaged[] = {"record in the store, which is ignored",
                                          "records in the store, which are ignored"};
    static const char *const brakes[] = {"set by hand", "set by hand"};
    static const char *const permits[] = {"set by hand", "set by hand"};
    print_number(status, "holds", "held", held);
    print_number(status, "incidents", "incidents", incidents);
    print_number(status, "brakes", "brakes", brakes);
    print_number(status, "permits", "permits", permits);
    if (page_number(status, "damaged") > 0)
        print_number(status, "damaged", "damaged", damaged);
}

/* In the last hour. */
static void print_unanswered(const json_t *store)
{
    int64_t count = page_number(store, "unanswered");
    int64_t age_s = page_number(store, "unanswered_age_s");
    if (count == 0 || age_s > UNANSWERED_SHOWN_S)
        return;
    output_line(
        "%-14s %lld request%s got no answer, the last one %lld s ago: see Redis's "
        "SLOWLOG, or raise store.timeout_ms",
        "", (long long)count, count == 1 ? "" : "s", (long long)age_s);
}

static void print_store(const json_t *store)
{
    const char *state = page_text(store, "state");
    const char *means = strcmp(state, "local") == 0
                            ? "away: this relay decides alone, with its share"
                        : strcmp(state, "down") == 0 ? "away: store.on_failure decides"
                                                     : "answers";
    const char *problem = page_text(store, "problem");
    const char *reason = page_text(store, "reason");
    const char *server = page_text(store, "server");
    output_line("%-14s %s, %s%s%s%s%s", "store", page_text(store, "type"), means,
                reason[0] == '\0' ? "" : ": ", reason,
                problem[0] == '\0' ? "" : ", but its records are not known: ", problem);
    if (server[0] != '\0')
        output_line("%-14s %s%s", "", reason[0] == '\0' ? "at " : "last at ", server);
    print_unanswered(store);
}

static void print_rules(const json_t *rules)
{
    static const struct text_table_column columns[] = {
        {"DECIDED BY", TEXT_TABLE_TEXT}, {"ACCEPTED", TEXT_TABLE_NUMBER},
        {"HELD", TEXT_TABLE_NUMBER},     {"REJECTED", TEXT_TABLE_NUMBER},
        {"DEFERRED", TEXT_TABLE_NUMBER}, {"WOULD", TEXT_TABLE_NUMBER},
    };
    size_t i;
    const json_t *rule;
    struct text_table *table =
        text_table_new(columns, sizeof columns / sizeof columns[0]);
    json_array_foreach(rules, i, rule)
    {
        const json_t *was = json_object_get(rule, "verdicts");
        const char *name = page_text(rule, "name");
        text_table_add(table, strcmp(name, "-") == 0 ? "(no rule)" : name);
        for (size_t v = 0; v < 3; v++)
            text_table_add_number(table, page_number(was, verdicts[v]));
        text_table_add_number(table, sum(was, 3, VERDICT_COUNT));
        text_table_add_number(table,
                              sum(json_object_get(rule, "would"), 1, VERDICT_COUNT));
    }
    (void)fputc('\n', stdout);
    text_table_print(table, 0);
}

/* Why the last reload failed. */
static void print_failure(const json_t *failure)
{
    size_t i;
    const json_t *item;
    if (!json_is_object(failure))
        return;
    page_instant("reload failed", page_text(failure, "at"));
    page_field("", "the configuration has errors: the old rules are in force");
    json_array_foreach(json_object_get(failure, "errors"), i, item)
    {
        struct text line = {0};
        text_printf(&line, "%s:%lld: %s", page_text(item, "file"),
                    page_number(item, "line"), page_text(item, "text"));
        page_field("", text_string(&line));
        text_clear(&line);
    }
}

static void print_paces(const json_t *paces)
{
    size_t i;
    const json_t *pace;
    json_array_foreach(paces, i, pace)
    {
        const char *why = page_text(pace, "stopped");
        output_line("%-14s %s: %s, %lld of %lld%s%s", i == 0 ? "slow releases" : "",
                    page_text(pace, "incident"), page_text(pace, "pace"),
                    page_number(pace, "released"), page_number(pace, "messages"),
                    why[0] == '\0' ? "" : "; stopped: ", why);
    }
}

/* What one relay says of itself differs from what this one does. */
static bool differs(const json_t *relay, const json_t *own, const char *name)
{
    const char *theirs = json_string_value(json_object_get(relay, name));
    const char *ours = json_string_value(json_object_get(own, name));
    return theirs != NULL && ours != NULL && strcmp(theirs, ours) != 0;
}

static const json_t *find_relay(const json_t *relays, const char *host)
{
    size_t i;
    const json_t *relay;
    json_array_foreach(relays, i, relay)
    {
        if (strcmp(page_text(relay, "host"), host) == 0)
            return relay;
    }
    return NULL;
}

static void print_relay(const json_t *relay, const json_t *us)
{
    char facts[120] = "";
    const char *version = page_text(relay, "version");
    if (version[0] != '\0')
        (void)snprintf(facts, sizeof facts, ", version %.40s, holds %lld", version,
                       page_number(relay, "holds"));
    output_line(
        "%-14s %s%s%s%s%s", "other relay", page_text(relay, "host"), facts,
        json_is_true(json_object_get(relay, "answers")) ? "" : ", which does not answer",
        differs(relay, us, "rules") ? "; WARNING: it has other rules" : "",
        differs(relay, us, "key") ? "; WARNING: it has another key (privacy.key_file)"
                                  : "");
}

/* The others with the same store. */
static void print_relays(const json_t *relays, const char *own)
{
    size_t i;
    const json_t *relay;
    const json_t *us = find_relay(relays, own);
    json_array_foreach(relays, i, relay)
    {
        if (relay != us)
            print_relay(relay, us);
    }
}

static void print_unread(const json_t *sources)
{
    size_t i;
    const json_t *source;
    json_array_foreach(sources, i, source)
    {
        output_line("%-14s WARNING: %s", "", json_string_value(source));
    }
}

static void print_jumps(const json_t *lists)
{
    size_t i;
    const json_t *list;
    if (page_number(lists, "grown") > 0)
        (void)printf(
            "%-14s WARNING: %lld suddenly grown; mail to them waits for mailbrake "
            "lists accept\n",
            "", page_number(lists, "grown"));
    if (page_number(lists, "shrunk") > 0)
        (void)printf("%-14s WARNING: %lld suddenly lost members; the previous ones still "
                     "count (mailbrake lists)\n",
                     "", page_number(lists, "shrunk"));
    json_array_foreach(json_object_get(lists, "jumped"), i, list)
    {
        bool grown = strcmp(page_text(list, "state"), "grown") == 0;
        output_line("%-14s %s %s: %lld%s, was %lld", "", page_text(list, "address"),
                    page_text(list, "state"), page_number(list, "size"),
                    grown ? "" : " count for now", page_number(list, "was"));
    }
}

static void print_status(const json_t *status)
{
    char up[INSTANT_SIZE];
    const json_t *lists = json_object_get(status, "lists");
    bool monitor = strcmp(page_text(status, "mode"), "monitor") == 0;
    instant_duration(page_number(status, "uptime_s"), up);
    (void)printf("%-14s %s, up %s\n", "mailbraked", page_text(status, "version"), up);
    page_field("relay", page_text(status, "host"));
    if (json_is_true(json_object_get(status, "host_shared")))
        page_field("", "WARNING: another relay with the same store has the same host "
                       "name: give each its own");
    print_relays(json_object_get(status, "relays"), page_text(status, "host"));
    page_field("configuration", page_text(status, "configuration"));
    page_field("mode",
               monitor ? "monitor: judges and counts mail, and stops it only by a brake"
                       : "enforce");
    print_failure(json_object_get(status, "reload_failed"));
    page_restart(json_object_get(status, "restart"));
    print_store(json_object_get(status, "store"));
    print_numbers(status);
    print_paces(json_object_get(status, "paces"));
    (void)printf("%-14s %lld read, %lld as last read, %lld not known\n", "lists",
                 page_number(lists, "ok"), page_number(lists, "stale"),
                 page_number(lists, "unknown"));
    print_unread(json_object_get(lists, "unread"));
    print_jumps(lists);
    print_counts("messages", json_object_get(status, "verdicts"));
    if (sum(json_object_get(status, "would"), 0, VERDICT_COUNT) > 0)
        print_counts("would have", json_object_get(status, "would"));
    if (json_array_size(json_object_get(status, "rules")) > 0)
        print_rules(json_object_get(status, "rules"));
}

/* ---- lists ---- */

static void add_age(struct text_table *table, const json_t *value)
{
    char age[INSTANT_SIZE] = "-";
    if (json_is_integer(value))
        instant_duration((long long)json_integer_value(value), age);
    text_table_add(table, age);
}

static const struct page_column list_columns[] = {
    {"LIST", TEXT_TABLE_KEY, "address", NULL},
    {"PERSONS", TEXT_TABLE_NUMBER, "size", NULL},
    {"WAS", TEXT_TABLE_NUMBER, "was", NULL},
    {"STATE", TEXT_TABLE_TEXT, "state", NULL},
    {"AGE", TEXT_TABLE_TEXT, "age_s", add_age},
    {"SOURCE", TEXT_TABLE_TEXT, "source", NULL},
};

static void print_lists(const json_t *answer)
{
    const json_t *lists = json_object_get(answer, "lists");
    long long shown = (long long)json_array_size(lists);
    page_table(lists, "There are no lists.", list_columns,
               sizeof list_columns / sizeof list_columns[0]);
    if (shown == 1) /* it was asked for */
        page_strings("contains", json_object_get(json_array_get(lists, 0), "nested"), 0);
    if (shown > 0 && page_number(answer, "count") > shown)
        (void)printf("and %lld more\n", page_number(answer, "count") - shown);
}

static void print_accepted(const json_t *answer)
{
    size_t i;
    const json_t *list;
    const json_t *accepted = json_object_get(answer, "accepted");
    if (json_array_size(accepted) == 0)
        (void)puts("No list has grown or shrunk.");
    json_array_foreach(accepted, i, list)
    {
        output_line("%s: %s from %lld to %lld, accepted.", page_text(list, "address"),
                    page_text(list, "state"), page_number(list, "was"),
                    page_number(list, "size"));
    }
}

static int accept(struct control_client *client)
{
    const char *address = control_client_word(client, 1);
    json_t *body = address == NULL
                       ? json_pack("{s:b}", "all", 1)
                       : json_pack("{s:o}", "address", json_output_string(address));
    json_t *answer =
        body == NULL ? NULL
                     : control_client_ask(client, "POST", "/v1/lists/accept", NULL, body);
    json_decref(body);
    return control_client_show(client, answer, print_accepted);
}

static const char lists_usage[] = "usage: mailbrake lists [ADDRESS]\n"
                                  "       mailbrake lists accept ADDRESS|--all\n";

/* No list is called accept. */
static int accept_what(struct control_client *client)
{
    (void)client;
    return arguments_usage(lists_usage);
}

static void print_whoami(const json_t *answer)
{
    size_t i;
    const json_t *role;
    struct text roles = {0};
    json_array_foreach(json_object_get(answer, "roles"), i, role)
        text_printf(&roles, "%s%s", i == 0 ? "" : ", ", json_string_value(role));
    page_field("user", page_text(answer, "user"));
    page_field("roles", roles.length > 0 ? text_string(&roles) : "none (control.roles)");
    text_clear(&roles);
}

int verb_status(int argc, char **argv)
{
    static const struct control_action action = {
        .method = "GET", .path = "/v1/status", .show = print_status};
    static const struct control_verb verb = {"usage: mailbrake status\n", &action, 1};
    return control_client_run(&verb, argc, argv);
}

int verb_lists(int argc, char **argv)
{
    static const struct control_action actions[] = {
        {"accept", .needs = CONTROL_CLIENT_ALL, .run = accept},
        {"accept", 1, 1, .run = accept},
        {"accept", .run = accept_what},
        {NULL, .method = "GET", .path = "/v1/lists", .show = print_lists},
        {NULL, 1, 1, .method = "GET", .path = "/v1/lists?address=%s",
         .show = print_lists},
    };
    static const struct control_verb verb = {lists_usage, actions,
                                             sizeof actions / sizeof actions[0]};
    return control_client_run(&verb, argc, argv);
}

int verb_whoami(int argc, char **argv)
{
    static const struct control_action action = {
        .method = "GET", .path = "/v1/whoami", .show = print_whoami};
    static const struct control_verb verb = {"usage: mailbrake whoami\n", &action, 1};
    return control_client_run(&verb, argc, argv);
}
