/* charge.lua, run over one wire. */
#ifndef STORE_SCRIPT_H
#define STORE_SCRIPT_H

#include "policy/store.h"
#include "store/wire.h"

/* The words of one run. */
struct script;

/* A run for count buckets, whose keys are shorter than key_size; NULL without memory. */
struct script *script_new(size_t count, size_t key_size, bool commit);
void script_free(struct script *script); /* NULL is allowed */

/* Adds the next bucket, count times in all. The key is copied. */
void script_add(struct script *script, const char *key, const struct charge *charge);

/* Runs it and writes what each bucket had left. By its SHA-1; when Redis lost the script,
 * by its text, once. INVALID when a bucket's own data is at fault (another type, no
 * bucket's value): error has Redis's text, and the wire is fine. UNAVAILABLE, or NOMEM,
 * for all else; then the wire is dead. */
enum status script_run(struct script *script, struct wire *wire, int64_t deadline_us,
                       int64_t *out_left, struct error *error) MUST_CHECK;

#endif
