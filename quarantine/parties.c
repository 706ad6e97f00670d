/* JSON objects as tables: small (there are at most DOCUMENTS_MAX holds), rarely
 * touched, and without memory they count too little rather than fail. What is taken and
 * given during a new count is added to its numbers: a hold may be counted twice
 * until the next count, which is the safe side. */
#include "quarantine/parties.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parties {
    pthread_mutex_t mutex;
    json_t *counts; /* by hash */
    json_t *fresh;  /* the new ones in the making; NULL: nobody counts */
    json_t *since;  /* what was taken and given meanwhile, or was on its way then */
    json_t *on_way; /* taken, and not yet recorded or given back */
};

static void hash(const struct digest_key *key, const char *prefix, const char *name,
                 char out[DIGEST_ID_SIZE])
{
    char text[1024];
    char hex[DIGEST_HEX_SIZE];
    int length = snprintf(text, sizeof text, "%s%s", prefix, name);
    size_t used = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    digest_hex(key, text, used, hex);
    (void)snprintf(out, DIGEST_ID_SIZE, "%.*s", DIGEST_ID_SIZE - 1, hex);
}

void party_make(const struct digest_key *key, const char *identity, const char *client,
                bool proven, struct party *out)
{
    *out = (struct party){0};
    if (identity[0] != '\0')
        hash(key, proven ? "proven " : "said ", identity, out->identity);
    if (client[0] != '\0')
        hash(key, "client ", client, out->client);
    bool is_client = !proven && out->client[0] != '\0';
    memcpy(out->own, is_client ? out->client : out->identity, sizeof out->own);
}

enum party_fit party_fits(const struct party_caps *caps, int64_t own, int64_t all)
{
    if (own >= caps->own)
        return PARTY_FULL;
    return caps->proven || all < caps->crowd ? PARTY_FITS : PARTY_CROWDED;
}

struct parties *parties_new(void)
{
    struct parties *parties = calloc(1, sizeof *parties);
    if (parties == NULL)
        return NULL;
    parties->counts = json_object();
    parties->on_way = json_object();
    if (parties->counts == NULL || parties->on_way == NULL ||
        pthread_mutex_init(&parties->mutex, NULL) != 0) {
        json_decref(parties->counts);
        json_decref(parties->on_way);
        free(parties);
        return NULL;
    }
    return parties;
}

void parties_free(struct parties *parties)
{
    if (parties == NULL)
        return;
    json_decref(parties->counts);
    json_decref(parties->fresh);
    json_decref(parties->since);
    json_decref(parties->on_way);
    (void)pthread_mutex_destroy(&parties->mutex);
    free(parties);
}

/* ---- under the lock ---- */

static int64_t count(const json_t *counts, const char *who)
{
    return json_integer_value(json_object_get(counts, who));
}

static void add(json_t *counts, const char *who, int64_t more)
{
    int64_t number = count(counts, who) + more;
    if (counts == NULL || who[0] == '\0' || more == 0)
        return;
    if (number == 0)
        (void)json_object_del(counts, who);
    else
        (void)json_object_set_new(counts, who, json_integer(number));
}

static void add_both(json_t *counts, const struct party *party, int64_t more)
{
    add(counts, party->identity, more);
    add(counts, party->client, more);
}

static bool has_room(const json_t *counts, const char *who, int64_t max)
{
    return who[0] == '\0' || count(counts, who) < max;
}

/* ---- */

bool parties_take(struct parties *parties, const struct party *party, int64_t max)
{
    (void)pthread_mutex_lock(&parties->mutex);
    bool taken = has_room(parties->counts, party->identity, max) &&
                 has_room(parties->counts, party->client, max);
    if (taken) {
        add_both(parties->counts, party, 1);
        add_both(parties->since, party, 1);
        add_both(parties->on_way, party, 1);
    }
    (void)pthread_mutex_unlock(&parties->mutex);
    return taken;
}

/* What is counted, and what of it is on its way. */
static void change(struct parties *parties, const struct party *party, int64_t counted,
                   int64_t on_way)
{
    (void)pthread_mutex_lock(&parties->mutex);
    add_both(parties->counts, party, counted);
    add_both(parties->since, party, counted);
    add_both(parties->on_way, party, on_way);
    (void)pthread_mutex_unlock(&parties->mutex);
}

void parties_give(struct parties *parties, const struct party *party)
{
    change(parties, party, -1, -1);
}

void parties_settle(struct parties *parties, const struct party *party)
{
    change(parties, party, 0, -1);
}

void parties_leave(struct parties *parties, const struct party *party)
{
    change(parties, party, -1, 0);
}

void parties_begin(struct parties *parties)
{
    (void)pthread_mutex_lock(&parties->mutex);
    json_decref(parties->fresh);
    json_decref(parties->since);
    parties->fresh = json_object();
    parties->since = json_deep_copy(parties->on_way);
    (void)pthread_mutex_unlock(&parties->mutex);
}

enum { ELSEWHERE_SIZE = DIGEST_ID_SIZE + 1 };

/* Beside the hashes in the same table: no hash begins so. */
static void name_elsewhere(const struct party *party, char out[ELSEWHERE_SIZE])
{
    (void)snprintf(out, ELSEWHERE_SIZE, "@%s", party->own);
}

void parties_add(struct parties *parties, const struct party *party, bool elsewhere)
{
    char name[ELSEWHERE_SIZE];
    name_elsewhere(party, name);
    (void)pthread_mutex_lock(&parties->mutex);
    add_both(parties->fresh, party, 1);
    if (elsewhere)
        add(parties->fresh, name, 1);
    (void)pthread_mutex_unlock(&parties->mutex);
}

int64_t parties_elsewhere(struct parties *parties, const struct party *party)
{
    char name[ELSEWHERE_SIZE];
    name_elsewhere(party, name);
    (void)pthread_mutex_lock(&parties->mutex);
    int64_t number = count(parties->counts, name);
    (void)pthread_mutex_unlock(&parties->mutex);
    return number;
}

void parties_end(struct parties *parties)
{
    const char *who;
    json_t *more;
    (void)pthread_mutex_lock(&parties->mutex);
    if (parties->fresh != NULL) {
        json_object_foreach(parties->since, who, more)
            add(parties->fresh, who, json_integer_value(more));
        json_decref(parties->counts);
        parties->counts = parties->fresh;
    }
    json_decref(parties->since);
    parties->fresh = parties->since = NULL;
    (void)pthread_mutex_unlock(&parties->mutex);
}
