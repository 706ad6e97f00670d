/* charge.lua and amend.lua, run over one connection. */
#ifndef STORE_CHARGE_CALL_H
#define STORE_CHARGE_CALL_H

#include "policy/charge.h"
#include "store/script.h"

/* What to do to the buckets and windows of which charges. Borrowed as long as the call.
 */
struct charge_order {
    const struct script_text *script;
    const char *mode;
    const struct charge *charges;
    size_t count;           /* 1 to CHARGE_CALL_MAX */
    const int64_t *carried; /* of each, for how long its latch stands by what only this
                               process has seen; NULL: none does */
};

/* Redis answers with three numbers each. */
enum { CHARGE_CALL_MAX = CONNECTION_ELEMENTS_MAX / 3 };

/* The words of one run. */
struct charge_call;

/* A run whose keys are shorter than key_size; NULL without memory. */
struct charge_call *charge_call_new(const struct charge_order *order, size_t key_size);
void charge_call_free(struct charge_call *call); /* NULL is allowed */

/* The key of the next charge, for each of them before the run. Copied. */
void charge_call_add_key(struct charge_call *call, const char *key);

/* Each of these runs it, and reads the reply that its mode has. INVALID when a key's own
 * data is at fault (another type, no bucket's value): error has Redis's text, and the
 * connection is fine. UNAVAILABLE, or NOMEM, for all else; then the connection is dead.
 */

/* Modes peek, latch and take; writes an outcome a charge. */
enum status charge_call_run(struct charge_call *call, struct connection *connection,
                            int64_t deadline_us, struct charge_outcome *out_outcomes,
                            struct error *error) MUST_CHECK;

/* Modes reset, unlatch and train. */
enum status charge_call_amend(struct charge_call *call, struct connection *connection,
                              int64_t deadline_us, struct error *error) MUST_CHECK;

/* Mode show, of one window. */
enum status charge_call_show(struct charge_call *call, struct connection *connection,
                             int64_t deadline_us, struct window *out,
                             struct error *error) MUST_CHECK;

#endif
