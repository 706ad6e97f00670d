/* mailbrake limits: what somebody has left. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/output.h"
#include "base/text_table.h"
#include "cli/control_client.h"
#include "cli/page.h"
#include "cli/verbs.h"

static const struct text_table_column columns[] = {
    {"RULE", TEXT_TABLE_TEXT},   {"LEFT", TEXT_TABLE_NUMBER},
    {"OF", TEXT_TABLE_NUMBER},   {"REFILLED WITH", TEXT_TABLE_TEXT},
    {"ACTION", TEXT_TABLE_TEXT}, {"LATCHED UNTIL", TEXT_TABLE_TEXT},
};

/* "1000 recipients per 1 h"; for a surge, "3 x usual in 1 h". */
static void describe(const json_t *limit, char *out, size_t size)
{
    char period[INSTANT_SIZE];
    const json_t *surge = json_object_get(limit, "surge");
    if (json_is_number(surge)) {
        instant_duration(page_number(limit, "window_s"), period);
        (void)snprintf(out, size, "%g x usual in %s", json_number_value(surge), period);
        return;
    }
    instant_duration(page_number(limit, "period_s"), period);
    (void)snprintf(out, size, "%lld %.10s per %s", page_number(limit, "tokens"),
                   page_text(limit, "unit"), period);
}

static void add_limit(struct text_table *table, const json_t *limit)
{
    char rate[100];
    char latched[INSTANT_SIZE] = "-";
    const char *until = page_text(limit, "latched_until");
    describe(limit, rate, sizeof rate);
    if (until[0] != '\0')
        instant_local(until, clock_wall_ms(), latched);
    text_table_add(table, page_text(limit, "rule"));
    text_table_add_number(table, page_number(limit, "left"));
    text_table_add_number(table, page_number(limit, "burst"));
    text_table_add(table, rate);
    text_table_add(table, json_is_true(json_object_get(limit, "monitor"))
                              ? "monitor"
                              : page_text(limit, "action"));
    text_table_add(table, latched);
}

static void print_limits(const json_t *answer)
{
    const json_t *limits = json_object_get(answer, "limits");
    output_escaped(page_text(answer, "subject"));
    (void)fputc('\n', stdout);
    page_table(limits, "No rule limits this.", columns,
               sizeof columns / sizeof columns[0], add_limit);
    if (json_array_size(limits) > 0 && strcmp(page_text(answer, "source"), "local") == 0)
        (void)puts("The store is away: this is this relay's own share.");
}

static void print_reset(const json_t *answer)
{
    long long count = page_number(answer, "reset");
    output_escaped(page_text(answer, "subject"));
    (void)printf(": %lld %s full again.\n", count,
                 page_plural(count, "bucket is", "buckets are"));
}

int verb_limits(int argc, char **argv)
{
    static const char path[] = "/v1/limits?subject=%s";
    static const struct control_action actions[] = {
        {"show", 1, 1, .method = "GET", .path = path, .show = print_limits},
        {"reset", 1, 1, .method = "DELETE", .path = path, .show = print_reset},
    };
    static const struct control_verb verb = {
        "usage: mailbrake limits show|reset SUBJECT\n"
        "SUBJECT is login:A, sender:A, client:ADDRESS, list:A, domain:D or all, or\n"
        "thread:ID or campaign:... as explain and incidents show it; from:ELEMENT is\n"
        "an element of the from of a rule with key = \"from\"\n",
        actions, sizeof actions / sizeof actions[0]};
    return control_client_run(&verb, argc, argv);
}
