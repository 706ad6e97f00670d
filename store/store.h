/* The shared state: opens what the settings name and answers policy's store_charge. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/digest.h"
#include "base/log.h"
#include "base/status.h"
#include "conf/settings.h"
#include "policy/charge.h"
#include "store/amend.h"

/* Gets reports that an administrator should see (the store went away, came back, refuses,
 * may evict). Called from any thread; must not block. */
struct store_reporter {
    void (*report)(void *context, enum severity severity, const char *text);
    void *context;
};

enum store_state {
    STORE_STATE_OK,    /* the configured store answers */
    STORE_STATE_LOCAL, /* away; the local share decides */
    STORE_STATE_DOWN,  /* away; on_failure is tempfail or accept */
};

/* Charges of one message; store_charge answers LIMIT to more. */
enum { STORE_CHARGES_MAX = 4096 };

/* Opens the store. Redis need not be there: it is away until it answers. key hashes the
 * subjects; settings are copied. Waits at most timeout_ms for the first answer of Redis,
 * so that a start does not begin with local decisions. NOMEM, UNAVAILABLE when no thread
 * can be started, or IO when the password file can't be read, or the state file is not
 * ours. A state file that is damaged, or of another version or key, is reported and
 * renamed to <state_file>.bad. */
enum status store_open(const struct store_settings *settings,
                       const struct digest_key *key, struct store_reporter reporter,
                       struct store **out_store, struct error *error) MUST_CHECK;

enum store_state store_state(struct store *store);

/* The last command that its user was not allowed to run, if the store refused one lately
 * though it answers. False when there is none. */
enum { STORE_COMPLAINT_SIZE = 300 };
bool store_complaint(struct store *store, char out[STORE_COMPLAINT_SIZE]);

/* On which server the shared store is, or was last. False when none was found yet, or the
 * store is this process's memory. */
enum { STORE_PLACE_SIZE = 700 };
bool store_describe(struct store *store, char out[STORE_PLACE_SIZE]);

/* Why the shared store is away; false when it is not. */
bool store_why(struct store *store, char out[STORE_COMPLAINT_SIZE]);

/* Requests that the shared store did not answer though it was not away: slow replies, and
 * connections that ended. */
struct store_silences {
    uint64_t count;
    int64_t last_us; /* monotonic; 0: there was none */
};
struct store_silences store_silences(struct store *store);

/* "none", "redis", "memory" or "local". */
const char *store_source_name(enum charge_source source);

/* Changes the buckets and windows of these charges by hand, whatever their latches say;
 * only AMEND_TRAIN looks at the cost. UNAVAILABLE while the shared store is away: then
 * only this process's own were changed. */
enum status store_amend(struct store *store, const struct charge *charges, size_t count,
                        enum amend what, int64_t deadline_us) MUST_CHECK;

/* The window of a charge with a surge as it stands, for showing it: of the shared store,
 * or of the local share while that is away. UNAVAILABLE. */
enum status store_window(struct store *store, const struct charge *charge,
                         int64_t deadline_us, struct window *out) MUST_CHECK;

/* Four times a second, with mail or without: whether the shared store is the one that it
 * was. One that has lost data is given back what this relay saw there last, before mail
 * is charged there. As store_change; OK without a shared store. */
enum status store_poll(struct store *store, int64_t deadline_us) MUST_CHECK;

/* Writes the state file, if there is one. A thread does so each minute, too. */
enum status store_save(struct store *store, struct error *error) MUST_CHECK;

/* Saves, stops its threads and frees. Nobody may be charging. NULL is allowed. */
void store_close(struct store *store);

#endif
