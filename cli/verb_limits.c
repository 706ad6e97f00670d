/* mailbrake limits: what somebody has left. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/grid.h"
#include "base/instant.h"
#include "base/output.h"
#include "cli/dialogue.h"
#include "cli/table.h"
#include "cli/verbs.h"

static int usage(void)
{
    return arguments_usage(
        "usage: mailbrake limits show|reset SUBJECT\n"
        "SUBJECT is login:A, sender:A, client:ADDRESS, list:A, domain:D or all, or\n"
        "thread:ID or campaign:... as explain and incidents show it; from:ELEMENT is\n"
        "an element of the from of a rule with key = \"from\"\n");
}

static const struct grid_column columns[] = {
    {"RULE", GRID_TEXT},          {"LEFT", GRID_NUMBER}, {"OF", GRID_NUMBER},
    {"REFILLED WITH", GRID_TEXT}, {"ACTION", GRID_TEXT}, {"LATCHED UNTIL", GRID_TEXT},
};

/* "1000 recipients per 1 h"; of a surge what it goes by. */
static void describe(const json_t *limit, char *out, size_t size)
{
    char period[INSTANT_SIZE];
    const json_t *surge = json_object_get(limit, "surge");
    if (json_is_number(surge)) {
        instant_duration(table_number(limit, "window_s"), period);
        (void)snprintf(out, size, "%g x usual in %s", json_number_value(surge), period);
        return;
    }
    instant_duration(table_number(limit, "period_s"), period);
    (void)snprintf(out, size, "%lld %.10s per %s", table_number(limit, "tokens"),
                   table_text(limit, "unit"), period);
}

static void add_limit(struct grid *grid, const json_t *limit)
{
    char rate[100];
    char latched[INSTANT_SIZE] = "-";
    const char *until = table_text(limit, "latched_until");
    describe(limit, rate, sizeof rate);
    if (until[0] != '\0')
        instant_local(until, clock_wall_ms(), latched);
    grid_add(grid, table_text(limit, "rule"));
    grid_add_number(grid, table_number(limit, "left"));
    grid_add_number(grid, table_number(limit, "burst"));
    grid_add(grid, rate);
    grid_add(grid, json_is_true(json_object_get(limit, "monitor"))
                       ? "monitor"
                       : table_text(limit, "action"));
    grid_add(grid, latched);
}

static void print_limits(const json_t *answer)
{
    size_t i;
    const json_t *limit;
    const json_t *limits = json_object_get(answer, "limits");
    const char *source = table_text(answer, "source");
    output_escaped(table_text(answer, "subject"));
    (void)fputc('\n', stdout);
    if (json_array_size(limits) == 0) {
        (void)puts("No rule limits this.");
        return;
    }
    struct grid *grid = grid_new(columns, sizeof columns / sizeof columns[0]);
    json_array_foreach(limits, i, limit) add_limit(grid, limit);
    grid_print(grid, 0);
    if (strcmp(source, "local") == 0)
        (void)puts("The store is away: this is this relay's own share.");
}

static void print_reset(const json_t *answer)
{
    long long count = table_number(answer, "reset");
    output_escaped(table_text(answer, "subject"));
    (void)printf(": %lld %s full again.\n", count,
                 table_plural(count, "bucket is", "buckets are"));
}

int verb_limits(int argc, char **argv)
{
    struct dialogue dialogue;
    int result = EXIT_FAILED;
    if (dialogue_parse(&dialogue, argc, argv, 0) != STATUS_OK)
        return usage();
    const char *what = dialogue_word(&dialogue, 0);
    const char *subject = dialogue_word(&dialogue, 1);
    bool reset = what != NULL && strcmp(what, "reset") == 0;
    if (what == NULL || (!reset && strcmp(what, "show") != 0) ||
        dialogue.arguments.word_count != 2)
        return usage();
    if (dialogue_open(&dialogue))
        result = dialogue_show(&dialogue,
                               dialogue_ask(&dialogue, reset ? "DELETE" : "GET",
                                            "/v1/limits?subject=%s", subject, NULL),
                               reset ? print_reset : print_limits);
    dialogue_close(&dialogue);
    return result;
}
