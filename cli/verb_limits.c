/* mailbrake limits: what somebody has left. */
#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "base/output.h"
#include "cli/control_client.h"
#include "cli/page.h"
#include "cli/verbs.h"

/* "1000 recipients per 1 h"; for a surge, "3 x usual in 1 h". */
static void add_rate(struct text_table *table, const json_t *limit)
{
    char period[INSTANT_SIZE];
    char rate[100];
    const json_t *surge = json_object_get(limit, "surge");
    bool surges = json_is_number(surge);
    instant_duration(page_number(limit, surges ? "window_s" : "period_s"), period);
    if (surges)
        (void)snprintf(rate, sizeof rate, "%g x usual in %s", json_number_value(surge),
                       period);
    else
        (void)snprintf(rate, sizeof rate, "%lld %.10s per %s",
                       page_number(limit, "tokens"), page_text(limit, "unit"), period);
    text_table_add(table, rate);
}

static void add_action(struct text_table *table, const json_t *limit)
{
    bool monitor = json_is_true(json_object_get(limit, "monitor"));
    text_table_add(table, monitor ? "monitor" : page_text(limit, "action"));
}

static void add_latch(struct text_table *table, const json_t *value)
{
    if (json_string_length(value) > 0)
        page_cell_instant(table, value);
    else
        text_table_add(table, "-");
}

static const struct page_column columns[] = {
    {"RULE", TEXT_TABLE_TEXT, "rule", NULL},
    {"LEFT", TEXT_TABLE_NUMBER, "left", NULL},
    {"OF", TEXT_TABLE_NUMBER, "burst", NULL},
    {"REFILLED WITH", TEXT_TABLE_TEXT, NULL, add_rate},
    {"ACTION", TEXT_TABLE_TEXT, NULL, add_action},
    {"LATCHED UNTIL", TEXT_TABLE_WHOLE, "latched_until", add_latch},
};

static void print_limits(const json_t *answer)
{
    const json_t *limits = json_object_get(answer, "limits");
    output_line("%s", page_text(answer, "subject"));
    page_table(limits, "No rule limits this.", columns,
               sizeof columns / sizeof columns[0]);
    if (json_array_size(limits) > 0 && strcmp(page_text(answer, "source"), "local") == 0)
        (void)puts("The store is away: this is this relay's own share.");
}

static void print_reset(const json_t *answer)
{
    long long count = page_number(answer, "reset");
    output_line("%s: %lld %s full again.", page_text(answer, "subject"), count,
                page_plural(count, "bucket is", "buckets are"));
}

static void print_top(const json_t *answer)
{
    static const struct page_column top[] = {
        {"RULE", TEXT_TABLE_TEXT, "rule", NULL},
        {"LEFT", TEXT_TABLE_NUMBER, "left", NULL},
        {"OF", TEXT_TABLE_NUMBER, "burst", NULL},
        {"ACTION", TEXT_TABLE_TEXT, NULL, add_action},
        {"LATCHED UNTIL", TEXT_TABLE_WHOLE, "latched_until", add_latch},
        {"SUBJECT", TEXT_TABLE_KEY, "subject", NULL},
    };
    page_table(json_object_get(answer, "limits"), "Nobody seen lately has used a limit.",
               top, sizeof top / sizeof top[0]);
}

/* What --rule names may stand in a path only escaped. */
static int show_top(struct control_client *client)
{
    return control_client_show(client,
                               control_client_ask(client, "GET",
                                                  client->rule == NULL
                                                      ? "/v1/limits/top"
                                                      : "/v1/limits/top?rule=%s",
                                                  client->rule, NULL),
                               print_top);
}

int verb_limits(int argc, char **argv)
{
    static const char path[] = "/v1/limits?subject=%s";
    static const struct control_action actions[] = {
        {"show", 1, 1, .method = "GET", .path = path, .show = print_limits},
        {"top", .takes = CONTROL_CLIENT_RULE, .run = show_top},
        {"reset", 1, 1, .method = "DELETE", .path = path, .show = print_reset},
    };
    static const struct control_verb verb = {
        "usage: mailbrake limits show|reset SUBJECT\n"
        "       mailbrake limits top [--rule R]\n"
        "SUBJECT is login:A, sender:A, client:ADDRESS, list:A, domain:D or all, or\n"
        "thread:ID, campaign:... or topic:... as explain and incidents show it;\n"
        "from:ELEMENT is an element of the from of a rule with key = \"from\"\n",
        actions, sizeof actions / sizeof actions[0]};
    return control_client_run(&verb, argc, argv);
}
