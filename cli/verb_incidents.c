/* mailbrake incidents: what was stopped, each cause once. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/grid.h"
#include "base/instant.h"
#include "base/output.h"
#include "cli/dialogue.h"
#include "cli/hold.h"
#include "cli/table.h"
#include "cli/verbs.h"

enum { HOLDS_SHOWN = 20 };

static int usage(void)
{
    return arguments_usage("usage: mailbrake incidents [list] [--all]\n"
                           "       mailbrake incidents show|close I\n"
                           "       mailbrake incidents allow I --for 4h\n");
}

static const struct grid_column columns[] = {
    {"ID", GRID_KEY},          {"", GRID_TEXT},        {"LAST", GRID_TEXT},
    {"RULE", GRID_TEXT},       {"HELD", GRID_NUMBER},  {"REFUSED", GRID_NUMBER},
    {"DEFERRED", GRID_NUMBER}, {"REACH", GRID_NUMBER}, {"KEY", GRID_KEY},
};

static void add_incident(struct grid *grid, const json_t *incident)
{
    grid_add(grid, table_text(incident, "id"));
    grid_add(grid, json_is_true(json_object_get(incident, "open")) ? "open" : "");
    grid_add_instant(grid, table_text(incident, "last_at"));
    grid_add(grid, table_text(incident, "rule"));
    grid_add_number(grid, table_number(incident, "waiting"));
    grid_add_number(grid, table_number(incident, "refused"));
    grid_add_number(grid, table_number(incident, "deferred"));
    hold_add_reach(grid, incident);
    grid_add(grid, table_text(incident, "key"));
}

static void print_some(const json_t *incidents)
{
    size_t i;
    const json_t *incident;
    long long open = 0;
    long long waiting = 0;
    size_t count = json_array_size(incidents);
    struct grid *grid = grid_new(columns, sizeof columns / sizeof columns[0]);
    json_array_foreach(incidents, i, incident)
    {
        add_incident(grid, incident);
        open += json_is_true(json_object_get(incident, "open"));
        waiting += table_number(incident, "waiting");
    }
    grid_print(grid, 0);
    (void)printf("%zu %s, %lld open; %lld %s for a decision. REACH: persons, by the "
                 "largest message.\n",
                 count, table_plural((long long)count, "incident", "incidents"), open,
                 waiting, table_plural(waiting, "message waits", "messages wait"));
}

static void print_current(const json_t *answer)
{
    const json_t *incidents = json_object_get(answer, "incidents");
    if (json_array_size(incidents) == 0)
        (void)puts(
            "No incident is open, and no message waits. --all shows what is over.");
    else
        print_some(incidents);
}

static void print_all(const json_t *answer)
{
    const json_t *incidents = json_object_get(answer, "incidents");
    if (json_array_size(incidents) == 0)
        (void)puts("There are no incidents.");
    else
        print_some(incidents);
}

static void print_held(const json_t *holds)
{
    static const struct grid_column held[] = {{"ID", GRID_KEY},
                                              {"HELD", GRID_TEXT},
                                              {"REACH", GRID_NUMBER},
                                              {"FROM", GRID_TEXT},
                                              {"LISTS", GRID_TEXT}};
    size_t i;
    const json_t *hold;
    size_t count = json_array_size(holds);
    (void)printf("%-14s %zu\n", "held now", count);
    if (count == 0)
        return;
    struct grid *grid = grid_new(held, sizeof held / sizeof held[0]);
    json_array_foreach(holds, i, hold)
    {
        char lists[HOLD_LISTS_SIZE];
        if (i == HOLDS_SHOWN)
            break;
        grid_add(grid, table_text(hold, "id"));
        grid_add_instant(grid, table_text(hold, "held_at"));
        hold_add_reach(grid, hold);
        grid_add(grid, table_text(hold, "identity"));
        grid_add(grid, hold_lists(hold, lists));
    }
    grid_print(grid, 15);
    if (count > HOLDS_SHOWN)
        (void)printf("%-14s and %zu more: mailbrake quarantine list --incident\n", "",
                     count - HOLDS_SHOWN);
}

static void print_count(const json_t *incident, const char *name, const char *one,
                        const char *many)
{
    long long count = table_number(incident, name);
    (void)printf("%-14s %lld %s\n", name, count, table_plural(count, one, many));
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
    table_field("limit", table_text(incident, "limit"));
    table_strings("lists", json_object_get(incident, "lists"),
                  table_number(incident, "list_count"));
    table_instant("first", table_text(incident, "opened_at"));
    table_instant("last", table_text(incident, "last_at"));
    print_count(incident, "held", "message was held", "messages were held");
    print_count(incident, "released", "of them was released", "of them were released");
    print_count(incident, "refused", "message was refused at once",
                "messages were refused at once");
    print_count(incident, "deferred", "time a message was put off",
                "times a message was put off");
    if (hold_knows_reach(incident))
        print_count(incident, "reach", "person, by the largest message",
                    "persons, by the largest message");
    else
        table_field("reach", "not known: its mail was accepted before and pulled back");
    print_count(incident, "copies", "copy in all that was not delivered at once",
                "copies in all that were not delivered at once");
    print_count(incident, "notices", "went to administrators", "went to administrators");
    table_field("sender", json_is_true(json_object_get(incident, "sender_told"))
                              ? "was told that mail is held"
                              : "was not told");
    print_held(json_object_get(incident, "holds"));
}

static void print_closed(const json_t *answer)
{
    (void)printf(
        "%s closed, its latch is off.\n"
        "What its rule counted stands: `mailbrake limits reset KEY` clears that.\n",
        table_text(answer, "id"));
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

static int list(struct dialogue *dialogue)
{
    const char *path = dialogue->all ? "/v1/incidents?all=1" : "/v1/incidents";
    return dialogue_show(dialogue, dialogue_ask(dialogue, "GET", path, NULL, NULL),
                         dialogue->all ? print_all : print_current);
}

static int run(struct dialogue *dialogue, const char *what)
{
    const char *id = dialogue_word(dialogue, 1);
    if (strcmp(what, "list") == 0)
        return list(dialogue);
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
    bool allows = strcmp(what, "allow") == 0;
    if (allows != (dialogue->duration != NULL))
        return false;
    if (strcmp(what, "list") == 0)
        return words <= 1;
    if (dialogue->all)
        return false;
    if (allows)
        return words == 2;
    return words == 2 && (strcmp(what, "show") == 0 || strcmp(what, "close") == 0);
}

int verb_incidents(int argc, char **argv)
{
    struct dialogue dialogue;
    if (dialogue_parse(&dialogue, argc, argv, DIALOGUE_FOR | DIALOGUE_ALL) != STATUS_OK)
        return usage();
    const char *what = dialogue_word(&dialogue, 0);
    what = what == NULL ? "list" : what;
    if (!is_complete(&dialogue, what))
        return usage();
    int result = dialogue_open(&dialogue) ? run(&dialogue, what) : EXIT_FAILED;
    dialogue_close(&dialogue);
    return result;
}
