/* The shared store: charges in Redis, or the answer at once that it is away. */
#ifndef STORE_REDIS_H
#define STORE_REDIS_H

#include "store/store.h"

struct redis;

/* Reads the password file and starts the keeper, which connects and, while Redis is away,
 * probes it four times a second. settings are borrowed until redis_close. Waits for the
 * first answer, at most timeout_ms; none is no failure. NOMEM; IO when the password file
 * can't be read. */
enum status redis_open(const struct store_settings *settings,
                       const struct digest_key *key, struct store_reporter reporter,
                       struct redis **out_redis, struct error *error) MUST_CHECK;

/* Stops the keeper (which may be waiting for a name server) and frees; nobody may be
 * charging. NULL is allowed. */
void redis_close(struct redis *redis);

/* As store_charge, for 1 to WIRE_ELEMENTS_MAX charges. */
enum status redis_charge(struct redis *redis, const struct charge *charges, size_t count,
                         bool commit, int64_t deadline_us,
                         struct outcome *out_outcomes) MUST_CHECK;

/* The breaker is open. */
bool redis_is_away(struct redis *redis);

#endif
