/* What is usual in old mail logs, and the limits that follow from it. */
#ifndef LOGS_LEARN_H
#define LOGS_LEARN_H

#include <jansson.h>

#include "logs/log_rules.h"
#include "logs/proposal.h"
#include "replay/mail_log.h"

enum { LEARN_NEAREST = 10 };

/* A rule with a limit or a surge. */
struct learned_rule {
    const struct rule *rule;
    const char *why;        /* it can't be judged by a log, static; NULL: it can */
    struct usage_key *keys; /* the largest first */
    size_t count, forgotten;
    struct proposal proposal; /* of no limit: no mail met it */
};

/* Borrows from what it was made from, and points into itself. */
struct learning {
    struct log_rules rules; /* those that can be judged */
    struct usage_table *table;
    struct learned_rule *learned; /* as the configuration has them */
    size_t learned_count;
    struct mail_log_statistics log;
    int64_t first_ms, last_ms; /* of the messages; those of log are of all its lines */
    int64_t stopped; /* messages that teach nothing: they were refused or held, or the
                        rules that only match would not have let them in */
};

/* reading: but for each and context, which progress gets, too. Errors as of
 * mail_log_read; *out is empty then. */
enum status learn_run(const struct mail_log_reading *reading,
                      const struct snapshot *snapshot, struct learning *out,
                      struct error *error) MUST_CHECK;
void learn_clear(struct learning *learning);

/* Says how what was learnt is shown. */
struct learn_view {
    const char *configuration;     /* its path: rules are written as it writes them */
    const char *title;             /* of the logs */
    const struct digest_key *hash; /* of keys; NULL: they are shown as they are */
};

/* Adds a block of rules to paste: each with its limit and mode = "monitor", after
 * comments that say why. INVALID, IO and such as of load_tree, whose reasons are in
 * problems; NOMEM.
 */
enum status learn_write(const struct learning *learning, const struct learn_view *view,
                        struct text *out, struct problems *problems) MUST_CHECK;

/* One document, see mailbrake(1); configuration: what learn_write wrote. NULL without
 * memory. */
json_t *learn_json(const struct learning *learning, const struct learn_view *view,
                   const char *configuration);

#endif
