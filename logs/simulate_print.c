/* Replay's tables, then whom each rule would have stopped, then what the log left open.
 */
#include <stdio.h>

#include "base/instant.h"
#include "base/output.h"
#include "base/text_table.h"
#include "logs/log_key.h"
#include "logs/log_views.h"
#include "logs/simulate.h"
#include "replay/report_views.h"
#include "replay/timeline.h"

enum { KEYS_SHOWN = 10 }; /* of one rule */

static void add_sum(struct text_table *table, const struct report_sum *sum)
{
    char text[TEXT_GROUPED_SIZE];
    text_table_add(table, text_grouped(sum->messages, text));
    text_table_add(table, text_grouped(sum->copies, text));
}

static void add_key(struct text_table *table, const struct simulation *simulation,
                    const struct stopped_key *item, const struct digest_key *hash)
{
    char key[SUBJECT_SIZE];
    char first[TIMELINE_LABEL];
    log_key_show(hash, item->key, key);
    timeline_format(timeline_local_ms(item->first_ms), "%d %b %Y %H:%M:%S", first);
    text_table_add(table, simulation->report.deciders[item->decider].name);
    text_table_add(table, key);
    add_sum(table, &item->sum);
    text_table_add(table, first);
}

static void add_others(struct text_table *table, size_t count,
                       const struct report_sum *sum)
{
    char label[64];
    (void)snprintf(label, sizeof label, "and %zu more", count);
    text_table_add(table, "");
    text_table_add(table, label);
    add_sum(table, sum);
    text_table_add(table, "");
}

/* One rule's keys, from *at on. */
static void add_rule(struct text_table *table, const struct simulation *simulation,
                     const struct digest_key *hash, size_t *at)
{
    const struct stopped_keys *stopped = &simulation->stopped;
    size_t decider = stopped->items[*at].decider;
    size_t shown = 0;
    size_t hidden = 0;
    struct report_sum others = {0};
    for (; *at < stopped->count && stopped->items[*at].decider == decider; ++*at) {
        const struct stopped_key *item = &stopped->items[*at];
        if (shown++ < KEYS_SHOWN) {
            add_key(table, simulation, item, hash);
            continue;
        }
        hidden++;
        others.messages += item->sum.messages;
        others.copies += item->sum.copies;
    }
    if (hidden > 0)
        add_others(table, hidden, &others);
}

static void print_stopped(const struct simulation *simulation,
                          const struct digest_key *hash)
{
    static const struct text_table_column columns[] = {
        {"would have stopped", TEXT_TABLE_KEY},
        {"", TEXT_TABLE_KEY},
        {"messages", TEXT_TABLE_NUMBER},
        {"copies", TEXT_TABLE_NUMBER},
        {"first", TEXT_TABLE_TEXT}};
    const struct stopped_keys *stopped = &simulation->stopped;
    if (stopped->count == 0)
        return;
    struct text_table *table = text_table_new(columns, 5);
    size_t at = 0;
    while (at < stopped->count)
        add_rule(table, simulation, hash, &at);
    (void)fputc('\n', stdout);
    text_table_print(table, 0);
    if (stopped->others.messages > 0)
        output_line("More keys than %d were stopped; of the others %lld messages were.",
                    STOPPED_KEYS_MAX, (long long)stopped->others.messages);
}

bool simulate_print(const struct simulation *simulation, const char *configuration,
                    const struct digest_key *hash)
{
    char partial[TEXT_GROUPED_SIZE];
    bool ok = report_print(&simulation->report, configuration);
    print_stopped(simulation, hash);
    (void)fputc('\n', stdout);
    log_print(&simulation->log, hash != NULL);
    if (simulation->partial > 0)
        output_line("Messages of which the log doesn't name all recipients: %s.",
                    text_grouped(simulation->partial, partial));
    log_print_unjudged(&simulation->rules);
    return ok;
}
