/* The results of a replay: by minute and rule, by tag, and compared with what the
 * scenario expects. */
#ifndef REPLAY_REPORT_H
#define REPLAY_REPORT_H

#include "policy/judge.h"
#include "replay/scenario.h"

enum { REPORT_ACTIONS = ACTION_QUARANTINE + 1, REPORT_MINUTE_MS = 60000 };

/* Copies: what the MTA would deliver if it were accepted. */
struct report_sum {
    int64_t messages, copies;
};

/* What one rule did in one minute of the wall clock. */
struct report_cell {
    int64_t minute; /* since 1970 */
    size_t decider;
    enum action action;
    struct report_sum sum;
};

struct report_tag {
    struct report_sum by[REPORT_ACTIONS];
    int64_t first_ms, last_ms; /* of its messages; 0: there was none */
    int64_t stopped_ms;        /* the first that was stopped; 0: none was */
};

/* A rule, or anything else that decides (judge_other_deciders). */
struct report_decider {
    const char *name;
    struct report_sum by[REPORT_ACTIONS];
    struct report_sum would; /* what it would have stopped outside mode monitor */
};

/* The result of one expectation. */
struct report_check {
    int64_t found, bound;
    bool met;
};

struct report {
    const struct scenario *scenario; /* borrowed */
    const struct policy *policy;     /* borrowed */
    const char *past; /* NULL, or the title of old logs: it says what would have been */
    struct report_cell *cells; /* in order of their minutes */
    size_t cell_count;
    struct report_tag *tags;         /* as the scenario numbers them */
    struct report_decider *deciders; /* rules in their order, then the others */
    size_t decider_count;
    struct report_check *checks; /* as the scenario's expectations */
    int64_t messages;
    struct {
        int64_t at_ms; /* the first message that was stopped; 0: none was */
        size_t decider;
        size_t tag;
    } closed;
};

/* What became of one message. */
struct report_entry {
    int64_t at_ms;
    size_t tag;
    size_t decider;
    enum action action;
    int64_t copies;
};

/* Empty; NOMEM. */
enum status report_init(struct report *report, const struct scenario *scenario,
                        const struct policy *policy) MUST_CHECK;
void report_clear(struct report *report);

/* The number of what decided a verdict. */
size_t report_decider(const struct report *report, const struct verdict *verdict);

/* What monitor rules would have stopped of a message that was judged. */
void report_add_would(struct report *report, const struct plan *plan, int64_t copies);

/* NOMEM. */
enum status report_add(struct report *report,
                       const struct report_entry *entry) MUST_CHECK;

/* Compares it with the expectations, once all messages were added. INVALID with file and
 * line when a bound has no value. directory knows the lists' sizes. */
enum status report_check(struct report *report, const struct directory *directory,
                         struct error *error) MUST_CHECK;

/* "accepted", "held", "deferred", "refused". */
const char *report_action_name(enum action action);

const char *report_title(const struct report *report);

/* All that was not accepted. */
struct report_sum report_stopped(const struct report_sum by[REPORT_ACTIONS]);

#endif
