/* Whom each rule would have stopped: the keys of its incidents, summed up. */
#ifndef LOGS_STOPPED_KEYS_H
#define LOGS_STOPPED_KEYS_H

#include "base/intern.h"
#include "engine/engine.h"
#include "replay/report.h"

enum { STOPPED_KEYS_MAX = 100000 };

struct stopped_key {
    size_t decider;  /* of the report */
    bool monitor;    /* its rule only monitors */
    const char *key; /* as in incidents; borrowed */
    struct report_sum sum;
    int64_t first_ms;
};

struct stopped_keys {
    struct intern *names;
    struct stopped_key *items;
    size_t count;
    struct report_sum others; /* of keys past STOPPED_KEYS_MAX */
};

/* Empty; NOMEM. */
enum status stopped_keys_init(struct stopped_keys *keys) MUST_CHECK;
void stopped_keys_clear(struct stopped_keys *keys);

/* Adds what a judgement stopped, and what monitor rules would have. NOMEM. */
enum status stopped_keys_add(struct stopped_keys *keys, const struct report *report,
                             const struct judgement *judgement) MUST_CHECK;

/* Once all were added: in the order of the rules, the most copies first. */
void stopped_keys_sort(struct stopped_keys *keys);

#endif
