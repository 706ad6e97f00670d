/* Documents in the store's META collection: "key", and "rules:HOST" as "HASH MS". */
#include "milter/kin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/documents.h"

enum { STORE_MS = 1000, VALUE_SIZE = 80, FRESH_MS = 5 * 60 * 1000 };

static int64_t soon(void)
{
    return clock_monotonic_us() + STORE_MS * INT64_C(1000);
}

enum status kin_check_key(struct engine *engine, const struct settings *settings,
                          struct error *error)
{
    static const char what[] = "the key's fingerprint";
    char ours[DIGEST_HEX_SIZE];
    char *theirs = NULL;
    if (settings->privacy.key_file[0] == '\0')
        return STATUS_OK;
    digest_hex(&engine->key, what, sizeof what, ours);
    struct change change = {.collection = COLLECTION_META,
                            .id = "key",
                            .check = true,
                            .expected = NULL,
                            .value = ours};
    /* CONFLICT: somebody was here before. The store away: the next start will tell. */
    if (store_change(engine->store, &change, 1, soon()) != STATUS_CONFLICT ||
        store_get(engine->store, COLLECTION_META, "key", soon(), &theirs) != STATUS_OK)
        return STATUS_OK;
    bool same = strcmp(ours, theirs) == 0;
    free(theirs);
    if (same)
        return STATUS_OK;
    return error_set_at(error, STATUS_INVALID, settings->privacy.key_file, 0,
                        "relays that share this store use another key: copy theirs, or "
                        "choose another store.prefix");
}

/* All that makes two relays decide alike: the rules in their order. */
static void hash_rules(const struct policy *policy, char out_hash[DIGEST_HEX_SIZE])
{
    static const struct digest_key no_secret;
    struct text all = {0};
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        text_printf(&all, "%s %s %s %d\n", rule->name, rule->fingerprint,
                    action_name(rule->action), rule->monitor);
        for (size_t m = 0; m < MEASURE_COUNT; m++)
            text_printf(&all, "%" PRId64 "\n", rule->over[m]);
    }
    digest_hex(&no_secret, text_string(&all), all.length, out_hash);
    text_clear(&all);
}

struct comparing {
    const char *host, *hash;
    int64_t now_ms;
};

static enum status compare(void *context, const char *id, const char *value)
{
    const struct comparing *comparing = context;
    static const char prefix[] = "rules:";
    char hash[DIGEST_HEX_SIZE];
    int64_t at_ms;
    if (strncmp(id, prefix, sizeof prefix - 1) != 0 ||
        strcmp(id + sizeof prefix - 1, comparing->host) == 0 ||
        sscanf(value, "%32s %" SCNd64, hash, &at_ms) != 2 ||
        comparing->now_ms - at_ms > FRESH_MS)
        return STATUS_OK;
    if (strcmp(hash, comparing->hash) != 0)
        log_throttled(SEVERITY_WARNING,
                      "relay %s, which shares our store, has other rules than we have",
                      id + sizeof prefix - 1);
    return STATUS_OK;
}

void kin_compare_rules(struct engine *engine, const struct settings *settings,
                       const char *host, int64_t now_ms)
{
    char hash[DIGEST_HEX_SIZE];
    char id[256];
    char value[VALUE_SIZE];
    struct comparing comparing = {host, hash, now_ms};
    hash_rules(&settings->policy, hash);
    (void)snprintf(id, sizeof id, "rules:%.240s", host);
    (void)snprintf(value, sizeof value, "%s %" PRId64, hash, now_ms);
    struct change change = {
        .collection = COLLECTION_META, .id = id, .check = false, .value = value};
    if (store_change(engine->store, &change, 1, soon()) != STATUS_OK)
        return; /* the store says itself that it is away */
    if (store_list(engine->store, COLLECTION_META, soon(), compare, &comparing) !=
        STATUS_OK)
        return;
}
