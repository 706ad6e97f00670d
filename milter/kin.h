/* The other relays that share the store: they must hash with the same key, and should
 * have the same rules. */
#ifndef MILTER_KIN_H
#define MILTER_KIN_H

#include "milter/decide.h"

/* With a key_file, the first relay leaves its key's fingerprint in the store: INVALID for
 * one that has another key, since its buckets would be others. OK when the store is away
 * or there is no key_file. */
enum status kin_check_key(struct engine *engine, const struct settings *settings,
                          struct error *error) MUST_CHECK;

/* Leaves the fingerprint of our rules in the store and logs a warning for each relay that
 * has others. Once a minute. */
void kin_compare_rules(struct engine *engine, const struct settings *settings,
                       const char *host, int64_t now_ms);

#endif
