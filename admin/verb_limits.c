/* mailbrake limits: what somebody has left. */
#include <stdio.h>
#include <string.h>

#include "admin/dialogue.h"
#include "admin/instant.h"
#include "admin/output.h"
#include "admin/table.h"
#include "admin/verbs.h"

static int usage(void)
{
    (void)fputs("usage: mailbrake limits show|reset SUBJECT\n"
                "SUBJECT is login:A, sender:A, client:ADDRESS, list:A, domain:D or all\n",
                stderr);
    return EXIT_USAGE;
}

static void print_limit(const json_t *limit)
{
    char rate[100];
    char period[INSTANT_SIZE];
    instant_duration(table_number(limit, "period_s"), period);
    (void)snprintf(rate, sizeof rate, "%lld %.10s per %s", table_number(limit, "tokens"),
                   table_text(limit, "unit"), period);
    table_cell(table_text(limit, "rule"), 24);
    table_count(table_number(limit, "left"), 10);
    table_count(table_number(limit, "burst"), 10);
    table_cell(rate, 36);
    table_end(json_is_true(json_object_get(limit, "monitor"))
                  ? "monitor"
                  : table_text(limit, "action"),
              10);
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
    (void)printf("%-24s %10s %10s %-36s %s\n", "RULE", "LEFT", "OF", "REFILLED WITH",
                 "ACTION");
    json_array_foreach(limits, i, limit) print_limit(limit);
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
        return EXIT_USAGE;
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
