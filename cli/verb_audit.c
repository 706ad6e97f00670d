/* mailbrake audit: who did what, and what for. */
#include <stdio.h>

#include "base/grid.h"
#include "cli/dialogue.h"
#include "cli/table.h"
#include "cli/verbs.h"

static const struct grid_column columns[] = {
    {"WHEN", GRID_TEXT},  {"WHO", GRID_TEXT},     {"WHAT", GRID_KEY},
    {"TARGET", GRID_KEY}, {"PURPOSE", GRID_TEXT}, {"RESULT", GRID_KEY},
};

/* Of many that were named one by one: the first, and how many more. */
static void add_target(struct grid *grid, const json_t *entry)
{
    char target[100];
    const json_t *done = json_object_get(entry, "ids");
    const json_t *failed = json_object_get(entry, "failed");
    size_t count = json_array_size(done) + json_array_size(failed);
    const char *named = table_text(entry, "target");
    const json_t *first = json_array_get(json_array_size(done) > 0 ? done : failed, 0);
    const char *id = json_is_string(first) ? json_string_value(first) : "";
    (void)snprintf(target, sizeof target, "%.40s and %zu more", id, count - 1);
    if (named[0] == '\0' && count > 0)
        grid_add(grid, count > 1 ? target : id);
    else
        grid_add(grid, named);
}

static void add_entry(struct grid *grid, const json_t *entry)
{
    const char *user = table_text(entry, "user");
    char uid[32];
    (void)snprintf(uid, sizeof uid, "uid %lld", table_number(entry, "uid"));
    grid_add_instant(grid, table_text(entry, "at"));
    grid_add(grid, user[0] == '\0' ? uid : user);
    grid_add(grid, table_text(entry, "action"));
    add_target(grid, entry);
    grid_add(grid, table_text(entry, "purpose"));
    grid_add(grid, table_text(entry, "result"));
}

static void print_audit(const json_t *answer)
{
    size_t i;
    const json_t *entry;
    const json_t *entries = json_object_get(answer, "audit");
    if (json_array_size(entries) == 0) {
        (void)puts("Nothing was done or looked at.");
        return;
    }
    struct grid *grid = grid_new(columns, sizeof columns / sizeof columns[0]);
    json_array_foreach(entries, i, entry) add_entry(grid, entry);
    grid_print(grid, 0);
}

int verb_audit(int argc, char **argv)
{
    struct dialogue dialogue;
    int result = EXIT_FAILED;
    if (dialogue_parse(&dialogue, argc, argv, DIALOGUE_SINCE) != STATUS_OK ||
        dialogue.arguments.word_count > 0)
        return arguments_usage("usage: mailbrake audit [--since 2h]\n");
    const char *path = dialogue.since == NULL ? "/v1/audit" : "/v1/audit?since=%s";
    if (dialogue_open(&dialogue))
        result = dialogue_show(&dialogue,
                               dialogue_ask(&dialogue, "GET", path, dialogue.since, NULL),
                               print_audit);
    dialogue_close(&dialogue);
    return result;
}
