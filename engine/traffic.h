/* Who sends most: senders, lists and clients, by the last minutes and by the day; and the
 * topics that a rule charges, by the last minutes. Of more than it has room for it keeps
 * the largest. */
#ifndef ENGINE_TRAFFIC_H
#define ENGINE_TRAFFIC_H

#include <jansson.h>

#include "engine/engine.h"
#include "engine/heavy_hitters.h"
#include "engine/hour.h"
#include "store/documents.h"

struct traffic;

enum { TRAFFIC_MINUTES = HEAVY_HITTERS_MINUTES }; /* how far "now" goes back */

enum traffic_kind {
    TRAFFIC_SENDERS,
    TRAFFIC_LISTS,
    TRAFFIC_CLIENTS,
    TRAFFIC_REPORTED,                  /* those before are written down */
    TRAFFIC_TOPICS = TRAFFIC_REPORTED, /* hashes, which tell nobody anything later */
    TRAFFIC_KINDS,
};

/* host is copied. NULL without memory. Safe from many threads; nobody has the lock for
 * longer than a copy of the tables takes. */
struct traffic *traffic_new(const char *host);
void traffic_free(struct traffic *traffic);

/* Counts a judged message: under its identity, its client, the lists it names, and its
 * topic. */
void traffic_add(struct traffic *traffic, const struct judgement *judgement, bool stopped,
                 int64_t now_ms);

/* The largest of the last minutes, most of them at most: [{"key", "messages", "copies",
 * "stopped"}], by copies. NULL without memory. */
json_t *traffic_now(struct traffic *traffic, enum traffic_kind kind, size_t most,
                    int64_t now_ms);

/* All mail of this relay's last hour. */
void traffic_hour(struct traffic *traffic, struct hour *out);

/* ---- not on the mail path ---- */

/* Goes on with what this relay wrote down today, and of its last hour. At the start. */
enum status traffic_load(struct traffic *traffic, struct store *store, int64_t now_ms,
                         int64_t deadline_us) MUST_CHECK;

/* Writes this relay's largest senders and lists of the day down, once a minute; hides: by
 * the keyed hashes of their addresses. NULL: as they are. */
enum status traffic_flush(struct traffic *traffic, struct store *store,
                          const struct digest_key *hides, int64_t deadline_us) MUST_CHECK;

/* Writes its last hour down if it has changed, every few seconds. */
enum status traffic_flush_hour(struct traffic *traffic, struct store *store,
                               int64_t deadline_us) MUST_CHECK;

/* Forgets the days and hours of all relays that are older. */
enum status traffic_prune(struct store *store, int64_t before_ms,
                          int64_t deadline_us) MUST_CHECK;

/* Adds up all relays' days from since_ms on: the largest, as traffic_now has them. */
enum status traffic_report(struct store *store, int64_t since_ms, size_t most,
                           int64_t deadline_us, json_t *out[TRAFFIC_REPORTED]) MUST_CHECK;

#endif
