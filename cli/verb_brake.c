/* mailbrake brake: pulled by hand, before all rules. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/grid.h"
#include "base/instant.h"
#include "base/output.h"
#include "cli/dialogue.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "engine/json_output.h"

static int usage(void)
{
    return arguments_usage(
        "usage: mailbrake brake list\n"
        "       mailbrake brake set KEY [--for 4h] [--action defer|reject|"
        "quarantine]\n"
        "                           [--reason TEXT] [--pull-back]\n"
        "       mailbrake brake clear KEY\n"
        "KEY is login:A, sender:A, client:ADDRESS, list:A, domain:D or all\n");
}

static const struct grid_column columns[] = {
    {"KEY", GRID_KEY}, {"ACTION", GRID_TEXT}, {"UNTIL", GRID_TEXT},
    {"BY", GRID_TEXT}, {"REASON", GRID_TEXT},
};

static void print_brakes(const json_t *answer)
{
    size_t i;
    const json_t *brake;
    const json_t *brakes = json_object_get(answer, "brakes");
    if (json_array_size(brakes) == 0) {
        (void)puts("No brake is set.");
        return;
    }
    struct grid *grid = grid_new(columns, sizeof columns / sizeof columns[0]);
    json_array_foreach(brakes, i, brake)
    {
        const char *until = table_text(brake, "until");
        grid_add(grid, table_text(brake, "key"));
        grid_add(grid, table_text(brake, "action"));
        if (until[0] == '\0')
            grid_add(grid, "cleared");
        else
            grid_add_instant(grid, until);
        grid_add(grid, table_text(brake, "by"));
        grid_add(grid, table_text(brake, "reason"));
    }
    grid_print(grid, 0);
}

static void print_until(const json_t *brake)
{
    char local[INSTANT_SIZE];
    const char *until = table_text(brake, "until");
    instant_local(until, clock_wall_ms(), local);
    output_escaped(until[0] == '\0' ? "it is cleared" : local);
}

static void print_set(const json_t *answer)
{
    const json_t *brake = json_object_get(answer, "brake");
    const json_t *pulled = json_object_get(answer, "pulled_back");
    (void)fputs("Brake on ", stdout);
    output_escaped(table_text(brake, "key"));
    (void)printf(", %s, until ", table_text(brake, "action"));
    print_until(brake);
    (void)puts(".");
    if (json_is_true(json_object_get(brake, "pending")))
        (void)puts("The store is away: the brake is set on this relay alone, and on the "
                   "others\nonce the store is back.");
    if (pulled == NULL)
        return;
    long long held = table_number(pulled, "held");
    (void)printf("%lld %s still in the queue %s put on hold.\n", held,
                 table_plural(held, "message", "messages"),
                 table_plural(held, "was", "were"));
    long long unrecorded = table_number(pulled, "unrecorded");
    if (unrecorded > 0)
        (void)printf("%lld more %s put on hold, but not recorded yet: `mailbrake "
                     "quarantine sync` does so.\n",
                     unrecorded, table_plural(unrecorded, "was", "were"));
}

static void print_cleared(const json_t *answer)
{
    (void)fputs("Brake on ", stdout);
    output_escaped(table_text(answer, "key"));
    (void)puts(" cleared.");
}

/* NULL without memory. */
static json_t *make_body(const struct dialogue *dialogue, const char *key)
{
    return json_pack("{s:o, s:s*, s:s*, s:o*, s:b}", "key", json_output_string(key),
                     "for", dialogue->duration, "action", dialogue->action, "reason",
                     dialogue->reason == NULL ? NULL
                                              : json_output_string(dialogue->reason),
                     "pull_back", dialogue->pull_back);
}

static int set(struct dialogue *dialogue, const char *key)
{
    json_t *body = make_body(dialogue, key);
    json_t *answer =
        body == NULL ? NULL : dialogue_ask(dialogue, "PUT", "/v1/brakes", NULL, body);
    json_decref(body);
    const json_t *pulled = json_object_get(answer, "pulled_back");
    bool complete = table_text(pulled, "error")[0] == '\0' &&
                    table_number(pulled, "failed") == 0 &&
                    table_number(pulled, "unrecorded") == 0;
    if (!complete)
        output_complaint(table_text(pulled, "error")[0] == '\0'
                             ? "not all that was queued could be pulled back"
                             : table_text(pulled, "error"));
    int result = dialogue_show(dialogue, answer, print_set);
    return complete ? result : EXIT_FAILED;
}

static int run(struct dialogue *dialogue, const char *what)
{
    const char *key = dialogue_word(dialogue, 1);
    if (strcmp(what, "list") == 0)
        return dialogue_show(dialogue,
                             dialogue_ask(dialogue, "GET", "/v1/brakes", NULL, NULL),
                             print_brakes);
    if (strcmp(what, "set") == 0)
        return set(dialogue, key);
    return dialogue_show(dialogue,
                         dialogue_ask(dialogue, "DELETE", "/v1/brakes?key=%s", key, NULL),
                         print_cleared);
}

int verb_brake(int argc, char **argv)
{
    struct dialogue dialogue;
    if (dialogue_parse(&dialogue, argc, argv,
                       DIALOGUE_FOR | DIALOGUE_ACTION | DIALOGUE_REASON |
                           DIALOGUE_PULL_BACK) != STATUS_OK)
        return usage();
    int words = dialogue.arguments.word_count;
    const char *what = dialogue_word(&dialogue, 0);
    bool sets = what != NULL && strcmp(what, "set") == 0;
    bool told = dialogue.duration != NULL || dialogue.action != NULL ||
                dialogue.reason != NULL || dialogue.pull_back;
    bool complete = what != NULL && (sets || !told) &&
                    ((strcmp(what, "list") == 0 && words == 1) ||
                     ((sets || strcmp(what, "clear") == 0) && words == 2));
    if (!complete)
        return usage();
    int result = dialogue_open(&dialogue) ? run(&dialogue, what) : EXIT_FAILED;
    dialogue_close(&dialogue);
    return result;
}
