/* The other relays that share the store: they must hash with the same key and have a host
 * name of their own, and should have the same rules. */
#ifndef DAEMON_PEERS_H
#define DAEMON_PEERS_H

#include "engine/decide.h"
#include "quarantine/actions.h"

/* With a key_file, the first relay leaves its key's fingerprint in the store: INVALID for
 * one that has another key, since its buckets would be others. OK when the store is away
 * or there is no key_file. */
enum status peers_check_key(struct engine *engine, const struct settings *settings,
                            struct error *error) MUST_CHECK;

/* Leaves the fingerprint of our rules in the store and logs a warning for each relay that
 * has others. Once a minute. */
void peers_compare_rules(struct engine *engine, const struct settings *settings,
                         const char *host, int64_t now_ms);

enum { PEERS_CLAIM_SECONDS = 15 };

/* One process's claim to its host name, by which records are told apart. */
struct peers {
    char host[256];
    char instance[DIGEST_ID_SIZE]; /* nobody else's */
    char place[DIGEST_HEX_SIZE];   /* where its process id means something */
    bool claimed;
    int64_t doubted_until_ms, shared_until_ms;
};

void peers_init(struct peers *peers, const char *host);

/* Writes down in the store that we live, and looks whether somebody else did so under the
 * same name since: that is logged. Every PEERS_CLAIM_SECONDS. */
enum actions_names peers_claim(struct peers *peers, struct engine *engine,
                               int64_t now_ms);

#endif
