/* The shared store: asks Redis, or answers at once that it is away. */
#ifndef STORE_REDIS_H
#define STORE_REDIS_H

#include "store/connection.h"
#include "store/store.h"

struct redis;
struct last_seen; /* store/epoch/last_seen.h */

/* Reads the password file and starts the reconnector, which connects and, while Redis is
 * away, probes it four times a second. settings are borrowed until redis_close. Waits for
 * the first answer, at most timeout_ms; none is no failure. NOMEM; IO when the password
 * file can't be read. */
enum status redis_open(const struct store_settings *settings,
                       const struct digest_key *key, struct store_reporter reporter,
                       struct redis **out_redis, struct error *error) MUST_CHECK;

/* Stops the reconnector (which may be waiting for a name server) and frees; nobody may be
 * charging. NULL is allowed. */
void redis_close(struct redis *redis);

/* As store_charge, for 1 to CHARGE_CALL_MAX charges; LIMIT when too many wait for Redis.
 * carried: for how long each one's latch stands by what only this process has seen, which
 * Redis learns by it; or NULL. */
enum status redis_charge(struct redis *redis, const struct charge *charges, size_t count,
                         enum charge_mode mode, const int64_t *carried,
                         int64_t deadline_us,
                         struct charge_outcome *out_outcomes) MUST_CHECK;

/* As store_poll. */
enum status redis_poll(struct redis *redis, int64_t deadline_us) MUST_CHECK;

/* Borrowed. */
struct last_seen *redis_last_seen(struct redis *redis);

/* As store_amend and store_window. */
enum status redis_amend(struct redis *redis, const struct charge *charges, size_t count,
                        enum amend what, int64_t deadline_us) MUST_CHECK;
enum status redis_window(struct redis *redis, const struct charge *charge,
                         int64_t deadline_us, struct window *out) MUST_CHECK;

/* What to do over a connection that is ready, until deadline_us. run's result says what
 * becomes of the connection: OK, NOT_FOUND, CONFLICT and LIMIT are answers. INVALID:
 * Redis refuses this one thing, or a value in it is at fault, and the connection is fine;
 * error is reported. NOMEM: the connection is dead. IO: it is, and Redis did not answer,
 * which opens the breaker when nobody else is answered either. UNAVAILABLE opens it at
 * once. error is the reason. */
struct redis_job {
    enum status (*run)(void *context, struct connection *connection, int64_t deadline_us,
                       struct error *error);
    void *context;
};

/* Waits for a connection, runs the job once and passes on its answer; NOMEM; UNAVAILABLE
 * for all else, and while the breaker is open. A deadline so near that it proves nothing
 * about Redis does not open it. */
enum status redis_run(struct redis *redis, const struct redis_job *job,
                      int64_t deadline_us) MUST_CHECK;

/* Of every key: {prefix}:... Borrowed. */
const char *redis_prefix(const struct redis *redis);

/* What Redis would not do lately though it answers; false when there is nothing. */
bool redis_complaint(struct redis *redis, char *out, size_t size);

/* As reconnector_describe. */
bool redis_describe(struct redis *redis, char *out, size_t size);

/* As pool_why. */
bool redis_why(struct redis *redis, char *out, size_t size);

/* As pool_silences. */
struct store_silences redis_silences(struct redis *redis);

/* The breaker is open. */
bool redis_is_away(struct redis *redis);

#endif
