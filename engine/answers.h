/* Answers to letters that ask a sender to confirm: found on the mail path, and kept for
 * the audit until somebody writes them down. */
#ifndef ENGINE_ANSWERS_H
#define ENGINE_ANSWERS_H

#include "engine/engine.h"
#include "quarantine/ledger.h"

enum { ANSWERS_KEPT = 100, ANSWER_WHO_SIZE = SUBJECT_SIZE };

/* One that does not count. */
struct answer {
    int64_t at_ms;                 /* wall time */
    char who[ANSWER_WHO_SIZE];     /* its identity, as the log shows it */
    char incident[DIGEST_ID_SIZE]; /* whose letter it answers; "": not known */
    const char *why;               /* static */
};

struct answers;

/* host is copied. NULL without memory. Safe from any thread. */
struct answers *answers_new(const char *host);
void answers_free(struct answers *answers);

enum answer_result {
    ANSWER_NONE,   /* it answers no letter, or does not count: judge it as any mail */
    ANSWER_COUNTS, /* what it confirms is written down */
    ANSWER_AWAY,   /* the store does not answer: it must come again */
};

/* Looks at a message that was judged. shown: its identity as the log shows it. Asks the
 * store only if a recipient is confirm.address with a tag; until deadline_us. */
enum answer_result answers_consider(struct answers *answers, struct ledger *ledger,
                                    const struct judgement *judgement, const char *shown,
                                    int64_t now_ms, int64_t deadline_us);

/* The oldest that does not count and was not taken yet, and *out_lost that there was no
 * room for; false when there is none. */
bool answers_take(struct answers *answers, struct answer *out, size_t *out_lost);

/* Those of sendmail(1) that came while the store was away, as if they came now. */
void answers_retry(struct answers *answers, struct ledger *ledger,
                   const struct policy *policy, int64_t deadline_us);

/* True when an answer came since the last call, whether it counts or not. */
bool answers_take_news(struct answers *answers);

#endif
