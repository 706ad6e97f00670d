/* mailbrake incidents: what was stopped, each cause once. */
#include <stdio.h>
#include <string.h>

#include "admin/dialogue.h"
#include "admin/instant.h"
#include "admin/output.h"
#include "admin/table.h"
#include "admin/verbs.h"
#include "base/clock.h"

enum { HOLDS_SHOWN = 20 };

static int usage(void)
{
    (void)fputs("usage: mailbrake incidents [list]\n"
                "       mailbrake incidents show|close I\n"
                "       mailbrake incidents allow I --for 4h\n",
                stderr);
    return EXIT_USAGE;
}

static void print_incident(const json_t *incident)
{
    table_cell(table_text(incident, "id"), 16);
    table_cell(json_is_true(json_object_get(incident, "open")) ? "open" : "", 4);
    table_instant(table_text(incident, "last_at"), 12);
    table_cell(table_text(incident, "rule"), 14);
    table_count(table_number(incident, "waiting"), 5);
    table_count(table_number(incident, "refused"), 7);
    table_count(table_number(incident, "deferred"), 8);
    table_count(table_number(incident, "reach"), 7);
    table_end(table_text(incident, "key"), 19);
}

static void print_incidents(const json_t *answer)
{
    size_t i;
    const json_t *incident;
    long long open = 0;
    const json_t *incidents = json_object_get(answer, "incidents");
    size_t count = json_array_size(incidents);
    if (count == 0) {
        (void)puts("There are no incidents.");
        return;
    }
    (void)printf("%-16s %-4s %-12s %-14s %5s %7s %8s %7s %s\n", "ID", "", "LAST", "RULE",
                 "HELD", "REFUSED", "DEFERRED", "REACH", "KEY");
    json_array_foreach(incidents, i, incident)
    {
        print_incident(incident);
        open += json_is_true(json_object_get(incident, "open"));
    }
    (void)printf(
        "%zu %s, %lld open. Counts are messages, held those that still wait; reach "
        "is the\npersons that the largest would reach.\n",
        count, table_plural((long long)count, "incident", "incidents"), open);
}

static void print_held(const json_t *holds)
{
    size_t i;
    const json_t *hold;
    size_t count = json_array_size(holds);
    (void)printf("%-14s %zu\n", "held now", count);
    json_array_foreach(holds, i, hold)
    {
        if (i == HOLDS_SHOWN)
            break;
        (void)printf("%-14s ", "");
        table_cell(table_text(hold, "id"), 16);
        table_instant(table_text(hold, "held_at"), 12);
        table_count(table_number(hold, "reach"), 7);
        table_end(table_text(hold, "identity"), 46);
    }
    if (count > HOLDS_SHOWN)
        (void)printf("%-14s and %zu more\n", "", count - HOLDS_SHOWN);
}

static void print_count(const json_t *incident, const char *name, const char *meaning)
{
    (void)printf("%-14s %lld %s\n", name, table_number(incident, name), meaning);
}

static void print_whole_incident(const json_t *incident)
{
    bool open = json_is_true(json_object_get(incident, "open"));
    table_field("incident", table_text(incident, "id"));
    table_field("state",
                open ? "open: what its rule stops for its key is added to it" : "closed");
    table_field("rule", table_text(incident, "rule"));
    table_field("key", table_text(incident, "key"));
    table_field("identity", table_text(incident, "identity"));
    table_strings("lists", json_object_get(incident, "lists"),
                  table_number(incident, "list_count"));
    (void)printf("%-14s ", "first");
    table_instant(table_text(incident, "opened_at"), 20);
    (void)printf("\n%-14s ", "last");
    table_instant(table_text(incident, "last_at"), 20);
    (void)fputc('\n', stdout);
    print_count(incident, "held", "messages were held");
    print_count(incident, "released", "of them were released");
    print_count(incident, "refused", "messages were refused at once");
    print_count(incident, "deferred", "times a message was put off");
    print_count(incident, "reach", "persons, the largest message");
    print_count(incident, "copies", "copies in all that were not delivered");
    print_held(json_object_get(incident, "holds"));
}

static void print_closed(const json_t *answer)
{
    (void)printf("%s closed.\n", table_text(answer, "id"));
}

static void print_allowed(const json_t *answer)
{
    char until[INSTANT_SIZE];
    instant_local(table_text(answer, "until"), clock_wall_ms(), until);
    (void)fputs("Until ", stdout);
    output_escaped(until);
    (void)fputs(" rule ", stdout);
    output_escaped(table_text(answer, "rule"));
    (void)fputs(" is passed over for ", stdout);
    output_escaped(table_text(answer, "key"));
    (void)puts(".");
}

static int allow(struct dialogue *dialogue, const char *id)
{
    json_t *body = json_pack("{s:s}", "for", dialogue->duration);
    json_t *answer = dialogue_ask(dialogue, "POST", "/v1/incidents/%s/allow", id, body);
    json_decref(body);
    return dialogue_show(dialogue, answer, print_allowed);
}

static int run(struct dialogue *dialogue, const char *what)
{
    const char *id = dialogue_word(dialogue, 1);
    if (strcmp(what, "list") == 0)
        return dialogue_show(dialogue,
                             dialogue_ask(dialogue, "GET", "/v1/incidents", NULL, NULL),
                             print_incidents);
    if (strcmp(what, "show") == 0)
        return dialogue_show(dialogue,
                             dialogue_ask(dialogue, "GET", "/v1/incidents/%s", id, NULL),
                             print_whole_incident);
    if (strcmp(what, "close") == 0)
        return dialogue_show(
            dialogue, dialogue_ask(dialogue, "POST", "/v1/incidents/%s/close", id, NULL),
            print_closed);
    return allow(dialogue, id);
}

static bool is_complete(const struct dialogue *dialogue, const char *what)
{
    int words = dialogue->arguments.word_count;
    if (strcmp(what, "list") == 0)
        return words <= 1;
    if (strcmp(what, "allow") == 0)
        return words == 2 && dialogue->duration != NULL;
    return words == 2 && (strcmp(what, "show") == 0 || strcmp(what, "close") == 0);
}

int verb_incidents(int argc, char **argv)
{
    struct dialogue dialogue;
    if (dialogue_parse(&dialogue, argc, argv, DIALOGUE_FOR) != STATUS_OK)
        return EXIT_USAGE;
    const char *what = dialogue_word(&dialogue, 0);
    what = what == NULL ? "list" : what;
    if (!is_complete(&dialogue, what))
        return usage();
    int result = dialogue_open(&dialogue) ? run(&dialogue, what) : EXIT_FAILED;
    dialogue_close(&dialogue);
    return result;
}
