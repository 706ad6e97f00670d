/* A table of fixed size under one lock, with no I/O below it. Places are found by the
 * keyed hash in the open incident's id, so nobody can aim for one chain; a key that has
 * nothing to write down any more gives its place to the next that needs one. */
#include "quarantine/tally.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quarantine/ledger.h"

enum { PLACES = TALLY_MAX + TALLY_MANY_MAX, CHAINS = 8192, TRIES = 16, NOWHERE = -1 };

struct place {
    struct tally_count count; /* without an open_id: the place is free */
    char incident[DIGEST_ID_SIZE];
    int64_t full_ms;                 /* when the incident was found full; 0: never */
    char full_party[DIGEST_ID_SIZE]; /* of whom */
    int next;                        /* in its chain */
};

struct tally {
    pthread_mutex_t mutex;
    struct digest_key key;
    int chains[CHAINS];
    struct place places[PLACES];
    size_t hand;    /* where to look for a place next */
    size_t pending; /* places with something to write down */
};

struct tally *tally_new(const struct digest_key *key)
{
    struct tally *tally = calloc(1, sizeof *tally);
    if (tally == NULL)
        return NULL;
    if (pthread_mutex_init(&tally->mutex, NULL) != 0) {
        free(tally);
        return NULL;
    }
    tally->key = *key;
    for (size_t i = 0; i < CHAINS; i++)
        tally->chains[i] = NOWHERE;
    return tally;
}

void tally_count_clear(struct tally_count *count)
{
    free(count->rule);
    free(count->fingerprint);
    free(count->subject);
    free(count->identity);
    free(count->limit);
    for (size_t i = 0; i < count->lists_named; i++)
        free(count->lists[i]);
    for (size_t i = 0; i < count->addressed_named; i++)
        free(count->addressed[i]);
    *count = (struct tally_count){0};
}

void tally_free(struct tally *tally)
{
    if (tally == NULL)
        return;
    for (size_t i = 0; i < PLACES; i++)
        tally_count_clear(&tally->places[i].count);
    (void)pthread_mutex_destroy(&tally->mutex);
    free(tally);
}

void tally_format_id(const struct digest_key *key, const char *fingerprint,
                     const char *subject, char out_id[TALLY_ID_SIZE])
{
    char hash[DIGEST_HEX_SIZE];
    digest_hex(key, subject, strlen(subject), hash);
    (void)snprintf(out_id, TALLY_ID_SIZE, "%.200s:%s", fingerprint, hash);
}

/* The hash stands at the id's end. */
static int *chain_of(struct tally *tally, const char *open_id)
{
    size_t length = strlen(open_id);
    const char *tail = length > 8 ? open_id + length - 8 : open_id;
    return &tally->chains[strtoul(tail, NULL, 16) % CHAINS];
}

static struct place *find(struct tally *tally, const char *open_id)
{
    for (int i = *chain_of(tally, open_id); i != NOWHERE; i = tally->places[i].next) {
        if (strcmp(tally->places[i].count.open_id, open_id) == 0)
            return &tally->places[i];
    }
    return NULL;
}

static bool is_pending(const struct place *place)
{
    return place->count.refused > 0 || place->count.deferred > 0;
}

static void vacate(struct tally *tally, struct place *place)
{
    int number = (int)(place - tally->places);
    int *link = chain_of(tally, place->count.open_id);
    while (*link != number)
        link = &tally->places[*link].next;
    *link = place->next;
    tally_count_clear(&place->count);
}

/* A free place among the first or the reserved ones; NULL when TRIES of them in a row
 * have something to write down. */
static struct place *find_room(struct tally *tally, bool many)
{
    size_t first = many ? TALLY_MAX : 0;
    size_t size = many ? TALLY_MANY_MAX : TALLY_MAX;
    for (size_t i = 0; i < TRIES; i++) {
        struct place *place = &tally->places[first + tally->hand++ % size];
        if (place->count.open_id[0] == '\0')
            return place;
        if (!is_pending(place)) {
            vacate(tally, place);
            return place;
        }
    }
    return NULL;
}

/* As many as there is room for; false without memory. */
static bool copy_names(const char *const *from, size_t count, size_t max, char **to,
                       size_t *named)
{
    for (size_t i = 0; i < count && i < max; i++) {
        to[i] = strdup(from[i]);
        if (to[i] == NULL)
            return false;
        ++*named;
    }
    return true;
}

static bool copy_strings(struct tally_count *count, const struct event *event,
                         const char *subject)
{
    bool many = strcmp(subject, TALLY_MANY) == 0;
    count->rule = strdup(event->rule);
    count->fingerprint = strdup(event->fingerprint);
    count->subject = strdup(subject);
    count->identity = strdup(many ? TALLY_MANY : event->identity);
    count->limit = strdup(event->limit == NULL ? "" : event->limit);
    count->before = many ? -1 : event->before;
    bool copied = count->rule != NULL && count->fingerprint != NULL &&
                  count->subject != NULL && count->identity != NULL &&
                  count->limit != NULL;
    if (!copied || many)
        return copied;
    return copy_names(event->lists, event->list_count, EVENT_LISTS_MAX, count->lists,
                      &count->lists_named) &&
           copy_names(event->addressed, event->addressed_count, TALLY_ADDRESSED_MAX,
                      count->addressed, &count->addressed_named);
}

/* The place of a key, a new one if need be; NULL when there is none to be had. */
static struct place *obtain(struct tally *tally, const struct event *event,
                            const char *subject)
{
    char open_id[TALLY_ID_SIZE];
    tally_format_id(&tally->key, event->fingerprint, subject, open_id);
    struct place *place = find(tally, open_id);
    if (place != NULL)
        return place;
    place = find_room(tally, strcmp(subject, TALLY_MANY) == 0);
    if (place == NULL)
        return NULL;
    *place = (struct place){0};
    if (!copy_strings(&place->count, event, subject)) {
        tally_count_clear(&place->count);
        return NULL;
    }
    memcpy(place->count.open_id, open_id, sizeof open_id);
    int *chain = chain_of(tally, open_id);
    place->next = *chain;
    *chain = (int)(place - tally->places);
    return place;
}

/* Under the lock. */
static void add(struct tally *tally, struct place *place, const struct event *event,
                bool refused)
{
    struct tally_count *count = &place->count;
    if (event->now_ms - count->last_ms >= INCIDENT_GAP_MS) {
        place->incident[0] = '\0';
        place->full_ms = 0;
    }
    if (!is_pending(place)) {
        tally->pending++;
        count->first_ms = event->now_ms;
        count->reach = count->copies = 0;
    }
    if (event->now_ms > count->last_ms)
        count->last_ms = event->now_ms;
    count->refused += refused ? 1 : 0;
    count->deferred += refused ? 0 : 1;
    count->copies += event->copies;
    if (event->reach > count->reach)
        count->reach = event->reach;
    if (event->list_count > count->list_count)
        count->list_count = event->list_count;
    if (event->addressed_count > count->addressed_count)
        count->addressed_count = event->addressed_count;
}

void tally_add(struct tally *tally, const struct event *event, bool refused,
               char out_incident[DIGEST_ID_SIZE])
{
    out_incident[0] = '\0';
    (void)pthread_mutex_lock(&tally->mutex);
    struct place *place = obtain(tally, event, event->subject);
    if (place == NULL)
        place = obtain(tally, event, TALLY_MANY);
    if (place != NULL) {
        add(tally, place, event, refused);
        memcpy(out_incident, place->incident, DIGEST_ID_SIZE);
    }
    (void)pthread_mutex_unlock(&tally->mutex);
}

bool tally_is_pending(struct tally *tally)
{
    (void)pthread_mutex_lock(&tally->mutex);
    bool pending = tally->pending > 0;
    (void)pthread_mutex_unlock(&tally->mutex);
    return pending;
}

static bool copy_count(const struct tally_count *from, struct tally_count *to)
{
    *to = *from;
    to->rule = strdup(from->rule);
    to->fingerprint = strdup(from->fingerprint);
    to->subject = strdup(from->subject);
    to->identity = strdup(from->identity);
    to->limit = strdup(from->limit);
    to->lists_named = to->addressed_named = 0;
    bool copied = to->rule != NULL && to->fingerprint != NULL && to->subject != NULL &&
                  to->identity != NULL && to->limit != NULL &&
                  copy_names((const char *const *)from->lists, from->lists_named,
                             EVENT_LISTS_MAX, to->lists, &to->lists_named) &&
                  copy_names((const char *const *)from->addressed, from->addressed_named,
                             TALLY_ADDRESSED_MAX, to->addressed, &to->addressed_named);
    if (!copied)
        tally_count_clear(to);
    return copied;
}

bool tally_take(struct tally *tally, size_t *position, struct tally_count *out)
{
    bool taken = false;
    (void)pthread_mutex_lock(&tally->mutex);
    while (!taken && *position < PLACES) {
        struct place *place = &tally->places[(*position)++];
        if (place->count.open_id[0] == '\0' || !is_pending(place))
            continue;
        taken = copy_count(&place->count, out);
        if (taken) {
            place->count.refused = place->count.deferred = 0;
            tally->pending--;
        }
    }
    (void)pthread_mutex_unlock(&tally->mutex);
    return taken;
}

/* The numbers of before and of meanwhile together; under the lock. */
static void merge(struct tally *tally, struct place *place,
                  const struct tally_count *count)
{
    struct tally_count *now = &place->count;
    if (!is_pending(place)) {
        tally->pending++;
        now->first_ms = count->first_ms;
        now->reach = now->copies = 0;
    }
    if (count->first_ms < now->first_ms)
        now->first_ms = count->first_ms;
    if (count->last_ms > now->last_ms)
        now->last_ms = count->last_ms;
    if (count->reach > now->reach)
        now->reach = count->reach;
    now->refused += count->refused;
    now->deferred += count->deferred;
    now->copies += count->copies;
}

void tally_return(struct tally *tally, const struct tally_count *count)
{
    const struct event event = {.rule = count->rule,
                                .fingerprint = count->fingerprint,
                                .identity = count->identity,
                                .limit = count->limit,
                                .before = count->before};
    (void)pthread_mutex_lock(&tally->mutex);
    struct place *place = obtain(tally, &event, count->subject);
    if (place == NULL)
        place = obtain(tally, &event, TALLY_MANY);
    if (place != NULL)
        merge(tally, place, count);
    (void)pthread_mutex_unlock(&tally->mutex);
}

void tally_learn(struct tally *tally, const char *open_id, const char *incident)
{
    (void)pthread_mutex_lock(&tally->mutex);
    struct place *place = find(tally, open_id);
    if (place != NULL)
        (void)snprintf(place->incident, sizeof place->incident, "%s", incident);
    (void)pthread_mutex_unlock(&tally->mutex);
}

void tally_note_full(struct tally *tally, const char *open_id, const char *party,
                     int64_t now_ms)
{
    (void)pthread_mutex_lock(&tally->mutex);
    struct place *place = find(tally, open_id);
    if (place != NULL) {
        place->full_ms = now_ms;
        (void)snprintf(place->full_party, sizeof place->full_party, "%s", party);
    }
    (void)pthread_mutex_unlock(&tally->mutex);
}

bool tally_is_full(struct tally *tally, const char *open_id, const char *party,
                   int64_t now_ms, int64_t age_ms, char out_incident[DIGEST_ID_SIZE])
{
    bool full = false;
    (void)pthread_mutex_lock(&tally->mutex);
    const struct place *place = find(tally, open_id);
    if (place != NULL && place->full_ms > 0 && place->incident[0] != '\0' &&
        strcmp(place->full_party, party) == 0)
        full = now_ms >= place->full_ms && now_ms - place->full_ms < age_ms;
    if (full)
        memcpy(out_incident, place->incident, DIGEST_ID_SIZE);
    (void)pthread_mutex_unlock(&tally->mutex);
    return full;
}
