/* The other relays that share the store: they must use the same key and different host
 * names, and should have the same rules. */
#ifndef DAEMON_PEERS_H
#define DAEMON_PEERS_H

#include "engine/decide.h"
#include "quarantine/actions.h"

/* With a key_file, the first relay stores its key's fingerprint: INVALID for one that has
 * another key, whose buckets would differ. OK when the store is away or there is no
 * key_file. */
enum status peers_check_key(struct engine *engine, const struct settings *settings,
                            struct error *error) MUST_CHECK;

/* Stores the hash of our rules and logs a warning for each relay whose hash differs. To
 * be called once a minute. */
void peers_compare_rules(struct engine *engine, const struct settings *settings,
                         const char *host, int64_t now_ms);

/* "HASH HASH" of the rules and of the key: the same on relays that agree. */
enum { PEERS_FINGERPRINTS_SIZE = 2 * DIGEST_HEX_SIZE };
void peers_fingerprints(const struct policy *policy, const struct digest_key *key,
                        char out[PEERS_FINGERPRINTS_SIZE]);

enum { PEERS_CLAIM_SECONDS = 15 };

/* One process's claim to its host name, by which records are told apart. */
struct peers {
    char host[256];
    char instance[DIGEST_ID_SIZE];   /* random, of this process */
    char pid_scope[DIGEST_HEX_SIZE]; /* hash of the boot id and pid namespace; "": unknown
                                      */
    bool claimed;
    int64_t doubted_until_ms, shared_until_ms;
};

void peers_init(struct peers *peers, const char *host);

/* Claims our name in the store, and logs it if another relay has claimed it since our
 * last call. To be called every PEERS_CLAIM_SECONDS. */
enum actions_names peers_claim(struct peers *peers, struct engine *engine,
                               int64_t now_ms);

#endif
