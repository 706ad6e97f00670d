/* The rules as far as old logs can be judged by them: a log has no header fields. */
#ifndef LOGS_LOG_RULES_H
#define LOGS_LOG_RULES_H

#include "lists/snapshot.h"

struct log_unjudged {
    const char *rule; /* its name, borrowed */
    const char *why;  /* static */
};

struct log_rules {
    struct snapshot snapshot;      /* of the rules that can be judged; never unref'd */
    struct settings settings;      /* borrows all but the array of rules */
    struct log_unjudged *unjudged; /* in the rules' order; also those that are judged as
                                      if no message had what they ask for */
    size_t unjudged_count;
};

/* snapshot is borrowed; *out stays where it is. NOMEM. */
enum status log_rules_init(struct log_rules *rules,
                           const struct snapshot *snapshot) MUST_CHECK;
void log_rules_clear(struct log_rules *rules);

/* Why the rule can't be judged at all, static; NULL: it can. */
const char *log_rules_unjudged(const struct rule *rule);

/* Why a rule that can be judged is so only as far as a log goes, static; NULL: fully. */
const char *log_rules_doubt(const struct rule *rule);

#endif
