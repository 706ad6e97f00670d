/* What each key did under each rule with a limit or a surge, in bounded memory. */
#ifndef LOGS_USAGE_TABLE_H
#define LOGS_USAGE_TABLE_H

#include "logs/usage.h"
#include "policy/charge.h"
#include "policy/policy.h"

enum {
    USAGE_TABLE_MAX = 500000, /* keys of all rules together, in about 80 MB */
    USAGE_TABLE_CLIENTS = 4,  /* times as many clients of all keys, in 32 MB */
};

struct usage_table;

/* policy is borrowed. max: as USAGE_TABLE_MAX. NULL without memory. */
struct usage_table *usage_table_new(const struct policy *policy, size_t max);
void usage_table_free(struct usage_table *table); /* NULL is allowed */

/* Counts what a message is charged under a rule of the policy. When there are too many
 * keys, those that did least and are idle are forgotten, but counted, and of too many
 * clients those that count no more; if that does not help, new ones are not taken.
 * NOMEM. */
enum status usage_table_add(struct usage_table *table, const struct rule *rule,
                            const struct charge *charge, int64_t at_ms) MUST_CHECK;

struct usage_key {
    const char *key;           /* borrowed from the table */
    const struct usage *usage; /* likewise */
    int64_t largest, at_ms;    /* of that */
};

/* The keys of one rule, the largest first, for free(3), and how many there were, with
 * those that were forgotten. NOMEM. */
enum status usage_table_keys(const struct usage_table *table, const struct rule *rule,
                             struct usage_key **out, size_t *out_count,
                             size_t *out_forgotten) MUST_CHECK;

/* How many messages were not counted, as keys or clients were too many. */
int64_t usage_table_missed(const struct usage_table *table);

#endif
