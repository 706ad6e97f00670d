/* charge.lua, run over one wire. */
#ifndef STORE_CHARGE_CALL_H
#define STORE_CHARGE_CALL_H

#include "policy/store.h"
#include "store/wire.h"

/* The words of one run. */
struct charge_call;

/* A run for count buckets, whose keys are shorter than key_size; NULL without memory. */
struct charge_call *charge_call_new(size_t count, size_t key_size, bool commit);
void charge_call_free(struct charge_call *call); /* NULL is allowed */

/* Adds the next bucket, count times in all. The key is copied. */
void charge_call_add(struct charge_call *call, const char *key,
                     const struct charge *charge);

/* Runs it and writes what each bucket had left. INVALID when a bucket's own data is at
 * fault (another type, no bucket's value): error has Redis's text, and the wire is fine.
 * UNAVAILABLE, or NOMEM, for all else; then the wire is dead. */
enum status charge_call_run(struct charge_call *call, struct wire *wire,
                            int64_t deadline_us, int64_t *out_left,
                            struct error *error) MUST_CHECK;

#endif
