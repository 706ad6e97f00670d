/* Documents in the store's META collection: "key", "rules:HOST" as "HASH MS", and
 * "relay:HOST" as "INSTANCE MS PID_SCOPE PID", which a live relay rewrites: if it finds a
 * claim that is not its own, another live relay has the same name. */
#include "daemon/peers.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/documents.h"

enum {
    STORE_MS = 1000,
    VALUE_SIZE = 120,
};
static const int64_t FRESH_MS = INT64_C(5) * 60 * 1000;
static const int64_t CLAIM_MS = INT64_C(1000) * PEERS_CLAIM_SECONDS;

static int64_t store_deadline_us(void)
{
    return clock_deadline_us(STORE_MS);
}

static void hash_key(const struct digest_key *key, char out_hash[DIGEST_HEX_SIZE])
{
    static const char what[] = "the key's fingerprint";
    digest_hex(key, what, sizeof what, out_hash);
}

enum status peers_check_key(struct engine *engine, const struct settings *settings,
                            struct error *error)
{
    char ours[DIGEST_HEX_SIZE];
    char *theirs = NULL;
    if (settings->privacy.key_file[0] == '\0')
        return STATUS_OK;
    hash_key(&engine->key, ours);
    struct change change = {.collection = COLLECTION_META,
                            .id = "key",
                            .check = true,
                            .expected = NULL,
                            .value = ours};
    /* CONFLICT: another relay was first. If the store is away, the next start will check.
     */
    if (store_change(engine->store, &change, 1, store_deadline_us()) != STATUS_CONFLICT ||
        store_get(engine->store, COLLECTION_META, "key", store_deadline_us(), &theirs) !=
            STATUS_OK)
        return STATUS_OK;
    bool same = strcmp(ours, theirs) == 0;
    free(theirs);
    if (same)
        return STATUS_OK;
    return error_set_at(error, STATUS_INVALID, settings->privacy.key_file, 0,
                        "relays that share this store use another key: copy theirs, or "
                        "choose another store.prefix");
}

/* Relays with the same rules in the same order have the same hash. */
static void hash_rules(const struct policy *policy, char out_hash[DIGEST_HEX_SIZE])
{
    static const struct digest_key no_secret;
    struct text all = {0};
    for (size_t i = 0; i < policy->rule_count; i++)
        rule_write(&policy->rules[i], &all);
    digest_hex(&no_secret, text_string(&all), all.length, out_hash);
    text_clear(&all);
}

void peers_fingerprints(const struct policy *policy, const struct digest_key *key,
                        char out[PEERS_FINGERPRINTS_SIZE])
{
    char rules[DIGEST_HEX_SIZE], hash[DIGEST_HEX_SIZE];
    hash_rules(policy, rules);
    hash_key(key, hash);
    (void)snprintf(out, PEERS_FINGERPRINTS_SIZE, "%s %s", rules, hash);
}

struct rules_comparison {
    const char *host, *hash;
    int64_t now_ms;
};

static enum status compare(void *context, const char *id, const char *value)
{
    const struct rules_comparison *comparison = context;
    static const char prefix[] = "rules:";
    char hash[DIGEST_HEX_SIZE];
    int64_t at_ms;
    if (strncmp(id, prefix, sizeof prefix - 1) != 0 ||
        strcmp(id + sizeof prefix - 1, comparison->host) == 0 ||
        /* NOLINTNEXTLINE(cert-err34-c): saturates */
        sscanf(value, "%32s %" SCNd64, hash, &at_ms) != 2 ||
        at_ms < comparison->now_ms - FRESH_MS)
        return STATUS_OK;
    if (strcmp(hash, comparison->hash) != 0)
        log_throttled(SEVERITY_WARNING,
                      "relay %s, which shares this store, has different rules",
                      id + sizeof prefix - 1);
    return STATUS_OK;
}

void peers_compare_rules(struct engine *engine, const struct settings *settings,
                         const char *host, int64_t now_ms)
{
    char hash[DIGEST_HEX_SIZE];
    char id[256];
    char value[VALUE_SIZE];
    struct rules_comparison comparison = {host, hash, now_ms};
    hash_rules(&settings->policy, hash);
    (void)snprintf(id, sizeof id, "rules:%.240s", host);
    (void)snprintf(value, sizeof value, "%s %" PRId64, hash, now_ms);
    struct change change = {
        .collection = COLLECTION_META, .id = id, .check = false, .value = value};
    if (store_change(engine->store, &change, 1, store_deadline_us()) != STATUS_OK)
        return; /* the store reports its own absence */
    (void)!store_list(engine->store, COLLECTION_META, store_deadline_us(), compare,
                      &comparison);
}

/* ---- the host name ---- */

/* Hashes this boot and this pid namespace: within both, a process id means one process.
 * "" if they are unknown. */
static void find_pid_scope(char out_pid_scope[DIGEST_HEX_SIZE])
{
    static const struct digest_key no_secret;
    char text[200] = "";
    char space[80] = "";
    out_pid_scope[0] = '\0';
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL)
        return;
    bool known = fgets(text, 80, file) != NULL &&
                 readlink("/proc/self/ns/pid", space, sizeof space - 1) > 0;
    (void)fclose(file);
    if (!known)
        return;
    size_t length = strlen(text);
    (void)snprintf(text + length, sizeof text - length, "%s", space);
    digest_hex(&no_secret, text, strlen(text), out_pid_scope);
}

void peers_init(struct peers *peers, const char *host)
{
    *peers = (struct peers){0};
    (void)snprintf(peers->host, sizeof peers->host, "%s", host);
    digest_random_id(peers->instance);
    find_pid_scope(peers->pid_scope);
}

struct claim {
    char instance[DIGEST_ID_SIZE];
    int64_t at_ms;
    char pid_scope[DIGEST_HEX_SIZE];
    long pid;
};

/* The claiming process is gone; most likely it was ours, before a crash. */
static bool is_dead(const struct peers *peers, const struct claim *claim)
{
    return peers->pid_scope[0] != '\0' &&
           strcmp(claim->pid_scope, peers->pid_scope) == 0 && claim->pid > 1 &&
           kill((pid_t)claim->pid, 0) != 0 && errno == ESRCH;
}

/* Until our first claim has stood for a while, the previous claimant may still be alive.
 */
static void take_claim(struct peers *peers, const char *value, int64_t now_ms)
{
    struct claim claim;
    /* NOLINTNEXTLINE(cert-err34-c): saturates */
    if (sscanf(value, "%16[0-9a-f] %" SCNd64 " %32[0-9a-f] %ld", claim.instance,
               &claim.at_ms, claim.pid_scope, &claim.pid) != 4 ||
        strcmp(claim.instance, peers->instance) == 0 || is_dead(peers, &claim))
        return;
    if (!peers->claimed && claim.at_ms > now_ms - 4 * CLAIM_MS)
        peers->doubted_until_ms = now_ms + 3 * CLAIM_MS;
    if (!peers->claimed)
        return;
    peers->shared_until_ms = now_ms + FRESH_MS;
    log_throttled(
        SEVERITY_WARNING,
        "another relay that shares this store is also called %s: give each relay its own "
        "name (relay). Until then, records of held mail stay even if their message is "
        "gone",
        peers->host);
}

enum actions_names peers_claim(struct peers *peers, struct engine *engine, int64_t now_ms)
{
    char id[256];
    char value[VALUE_SIZE];
    char *theirs = NULL;
    const struct change change = {
        .collection = COLLECTION_META, .id = id, .check = false, .value = value};
    (void)snprintf(id, sizeof id, "relay:%.240s", peers->host);
    (void)snprintf(value, sizeof value, "%s %" PRId64 " %s %ld", peers->instance, now_ms,
                   peers->pid_scope[0] == '\0' ? "0" : peers->pid_scope, (long)getpid());
    enum status status =
        store_get(engine->store, COLLECTION_META, id, store_deadline_us(), &theirs);
    if (status == STATUS_OK)
        take_claim(peers, theirs, now_ms);
    free(theirs);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = store_change(engine->store, &change, 1, store_deadline_us());
    if (status == STATUS_OK)
        peers->claimed = true;
    if (now_ms < peers->shared_until_ms)
        return ACTIONS_NAMES_SHARED;
    return peers->claimed && now_ms >= peers->doubted_until_ms ? ACTIONS_NAMES_OWN
                                                               : ACTIONS_NAMES_DOUBTED;
}
