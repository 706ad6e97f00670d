/* What came of a replay: by minute and rule, by name of the scenario, and held against
 * what it expects. */
#ifndef REPLAY_SHEET_H
#define REPLAY_SHEET_H

#include "policy/judge.h"
#include "replay/scenario.h"

enum { SHEET_ACTIONS = ACTION_QUARANTINE + 1, SHEET_MINUTE_MS = 60000 };

/* Copies: what the MTA would deliver, had it been accepted. */
struct sheet_sum {
    int64_t messages, copies;
};

/* What one rule did in one minute of the wall clock. */
struct sheet_cell {
    int64_t minute; /* since 1970 */
    size_t decider;
    enum action action;
    struct sheet_sum sum;
};

struct sheet_tag {
    struct sheet_sum by[SHEET_ACTIONS];
    int64_t first_ms, last_ms; /* of its messages; 0: there was none */
    int64_t stopped_ms;        /* the first that was stopped; 0: none was */
};

/* A rule, or what else decides. */
struct sheet_decider {
    const char *name;
    struct sheet_sum by[SHEET_ACTIONS];
    struct sheet_sum would; /* what it would have stopped, were it not in mode monitor */
};

/* An expectation: what was found, and its bound. */
struct sheet_check {
    int64_t found, bound;
    bool met;
};

struct sheet {
    const struct scenario *scenario; /* borrowed */
    const struct policy *policy;     /* borrowed */
    struct sheet_cell *cells;        /* in order of their minutes */
    size_t cell_count, cell_capacity;
    struct sheet_tag *tags;         /* as the scenario numbers them */
    struct sheet_decider *deciders; /* rules in their order, then the others */
    size_t decider_count;
    struct sheet_check *checks; /* as the scenario's expectations */
    int64_t messages;
    struct {
        int64_t at_ms; /* the first message that was stopped; 0: none was */
        size_t decider;
        size_t tag;
    } closed;
};

/* One message's fate. */
struct sheet_entry {
    int64_t at_ms;
    size_t tag;
    size_t decider;
    enum action action;
    int64_t copies;
};

/* Empty; NOMEM. */
enum status sheet_init(struct sheet *sheet, const struct scenario *scenario,
                       const struct policy *policy) MUST_CHECK;
void sheet_clear(struct sheet *sheet);

/* The number of what decided a verdict. */
size_t sheet_decider(const struct sheet *sheet, const struct verdict *verdict);

/* NOMEM. */
enum status sheet_add(struct sheet *sheet, const struct sheet_entry *entry) MUST_CHECK;

/* Holds it against the expectations, once all was added. INVALID with file and line when
 * a bound can't be reckoned. directory knows the lists' sizes. */
enum status sheet_check(struct sheet *sheet, const struct directory *directory,
                        struct error *error) MUST_CHECK;

/* "accepted", "held", "deferred", "refused". */
const char *sheet_action_name(enum action action);

/* All together; of the tag "all". */
struct sheet_sum sheet_total(const struct sheet *sheet, enum action action);

#endif
