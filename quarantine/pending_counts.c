/* A table of fixed size under one lock, with no I/O below it. Places are found by the
 * keyed hash in the open incident's id, so nobody can aim for one chain; a key that has
 * nothing to write down any more gives its place to the next that needs one. */
#include "quarantine/pending_counts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLACES = PENDING_COUNTS_MAX + PENDING_COUNTS_MANY_MAX,
    CHAINS = 8192,
    TRIES = 16,
    NOWHERE = -1
};

struct place {
    struct pending_count count; /* without an open_key: the place is free */
    char incident[DIGEST_ID_SIZE];
    int64_t full_ms;                 /* when the incident was found full; 0: never */
    char full_party[DIGEST_ID_SIZE]; /* of whom */
    int next;                        /* in its chain */
};

struct pending_counts {
    pthread_mutex_t mutex;
    struct digest_key key;
    int chains[CHAINS];
    struct place places[PLACES];
    size_t hand;    /* where to look for a place next */
    size_t pending; /* places with something to write down */
};

struct pending_counts *pending_counts_new(const struct digest_key *key)
{
    struct pending_counts *counts = calloc(1, sizeof *counts);
    if (counts == NULL)
        return NULL;
    if (pthread_mutex_init(&counts->mutex, NULL) != 0) {
        free(counts);
        return NULL;
    }
    counts->key = *key;
    for (size_t i = 0; i < CHAINS; i++)
        counts->chains[i] = NOWHERE;
    return counts;
}

static void free_strings(const char *const *strings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)strings[i]);
}

void pending_count_clear(struct pending_count *count)
{
    const struct event *event = &count->event;
    const char *const own[] = {event->rule, event->fingerprint, event->subject,
                               event->identity, event->limit};
    free_strings(own, sizeof own / sizeof *own);
    free_strings(event->lists, EVENT_LISTS_MAX);
    free_strings(event->addressed, EVENT_ADDRESSED_MAX);
    *count = (struct pending_count){0};
}

void pending_counts_free(struct pending_counts *counts)
{
    if (counts == NULL)
        return;
    for (size_t i = 0; i < PLACES; i++)
        pending_count_clear(&counts->places[i].count);
    (void)pthread_mutex_destroy(&counts->mutex);
    free(counts);
}

void pending_counts_format_id(const struct digest_key *key, const char *fingerprint,
                              const char *subject, char out_id[PENDING_COUNTS_ID_SIZE])
{
    char hash[DIGEST_HEX_SIZE];
    digest_hex(key, subject, strlen(subject), hash);
    (void)snprintf(out_id, PENDING_COUNTS_ID_SIZE, "%.200s:%s", fingerprint, hash);
}

/* The hash stands at the id's end. */
static int *chain_of(struct pending_counts *counts, const char *open_key)
{
    size_t length = strlen(open_key);
    const char *tail = length > 8 ? open_key + length - 8 : open_key;
    return &counts->chains[strtoul(tail, NULL, 16) % CHAINS];
}

static struct place *find(struct pending_counts *counts, const char *open_key)
{
    for (int i = *chain_of(counts, open_key); i != NOWHERE; i = counts->places[i].next) {
        if (strcmp(counts->places[i].count.open_key, open_key) == 0)
            return &counts->places[i];
    }
    return NULL;
}

static bool is_pending(const struct place *place)
{
    return place->count.refused > 0 || place->count.deferred > 0;
}

static void vacate(struct pending_counts *counts, struct place *place)
{
    int number = (int)(place - counts->places);
    int *link = chain_of(counts, place->count.open_key);
    while (*link != number)
        link = &counts->places[*link].next;
    *link = place->next;
    pending_count_clear(&place->count);
}

/* A free place among the first or the reserved ones; NULL when TRIES of them in a row
 * have something to write down. */
static struct place *find_room(struct pending_counts *counts, bool many)
{
    size_t first = many ? PENDING_COUNTS_MAX : 0;
    size_t size = many ? PENDING_COUNTS_MANY_MAX : PENDING_COUNTS_MAX;
    for (size_t i = 0; i < TRIES; i++) {
        struct place *place = &counts->places[first + counts->hand++ % size];
        if (place->count.open_key[0] == '\0')
            return place;
        if (!is_pending(place)) {
            vacate(counts, place);
            return place;
        }
    }
    return NULL;
}

static bool copy_strings(const char *const *from, size_t max, const char **to)
{
    for (size_t i = 0; i < max && from[i] != NULL; i++) {
        to[i] = strdup(from[i]);
        if (to[i] == NULL)
            return false;
    }
    return true;
}

/* Without memory it is false, and the count is cleared. */
static bool copy_event(const struct event *from, struct pending_count *count)
{
    struct event *to = &count->event;
    *to = (struct event){.rule = strdup(from->rule),
                         .fingerprint = strdup(from->fingerprint),
                         .subject = strdup(from->subject),
                         .identity = strdup(from->identity),
                         .limit = strdup(from->limit == NULL ? "" : from->limit),
                         .sender = "",
                         .before = from->before,
                         .list_count = from->list_count,
                         .addressed_count = from->addressed_count,
                         .reach = from->reach,
                         .copies = from->copies,
                         .now_ms = from->now_ms};
    bool copied =
        to->rule != NULL && to->fingerprint != NULL && to->subject != NULL &&
        to->identity != NULL && to->limit != NULL &&
        copy_strings(from->lists, EVENT_LISTS_MAX, to->lists) &&
        copy_strings(from->addressed, PENDING_COUNTS_ADDRESSED_MAX, to->addressed);
    if (!copied)
        pending_count_clear(count);
    return copied;
}

struct event pending_counts_many(const struct event *event)
{
    struct event many = *event;
    many.subject = many.identity = PENDING_COUNTS_MANY;
    many.lists[0] = many.addressed[0] = NULL;
    many.list_count = many.addressed_count = 0;
    return many;
}

/* The place of a key, a new one if need be; NULL when there is none to be had. */
static struct place *obtain(struct pending_counts *counts, const struct event *event)
{
    char open_key[PENDING_COUNTS_ID_SIZE];
    pending_counts_format_id(&counts->key, event->fingerprint, event->subject, open_key);
    struct place *place = find(counts, open_key);
    if (place != NULL)
        return place;
    place = find_room(counts, strcmp(event->subject, PENDING_COUNTS_MANY) == 0);
    if (place == NULL)
        return NULL;
    *place = (struct place){0};
    if (!copy_event(event, &place->count))
        return NULL;
    memcpy(place->count.open_key, open_key, sizeof open_key);
    int *chain = chain_of(counts, open_key);
    place->next = *chain;
    *chain = (int)(place - counts->places);
    return place;
}

/* The same, else the place of its rule's PENDING_COUNTS_MANY. */
static struct place *obtain_any(struct pending_counts *counts, const struct event *event)
{
    struct event many = pending_counts_many(event);
    struct place *place = obtain(counts, event);
    many.before = -1;
    return place == NULL ? obtain(counts, &many) : place;
}

/* Begins or goes on with what is to be written; under the lock. */
static void merge(struct pending_counts *counts, struct place *place,
                  const struct event *event, int64_t first_ms)
{
    struct pending_count *count = &place->count;
    struct event *all = &count->event;
    if (!is_pending(place)) {
        counts->pending++;
        count->first_ms = first_ms;
        all->reach = all->copies = 0;
    }
    if (first_ms < count->first_ms)
        count->first_ms = first_ms;
    if (event->now_ms > all->now_ms)
        all->now_ms = event->now_ms;
    if (event->reach > all->reach)
        all->reach = event->reach;
    all->copies += event->copies;
}

/* Under the lock. */
static void add(struct pending_counts *counts, struct place *place,
                const struct event *event, bool refused)
{
    struct pending_count *count = &place->count;
    struct event *all = &count->event;
    if (event->now_ms - all->now_ms >= INCIDENT_GAP_MS) {
        place->incident[0] = '\0';
        place->full_ms = 0;
    }
    merge(counts, place, event, event->now_ms);
    count->refused += refused ? 1 : 0;
    count->deferred += refused ? 0 : 1;
    if (event->list_count > all->list_count)
        all->list_count = event->list_count;
    if (event->addressed_count > all->addressed_count)
        all->addressed_count = event->addressed_count;
}

void pending_counts_add(struct pending_counts *counts, const struct event *event,
                        bool refused, char out_incident[DIGEST_ID_SIZE])
{
    out_incident[0] = '\0';
    (void)pthread_mutex_lock(&counts->mutex);
    struct place *place = obtain_any(counts, event);
    if (place != NULL) {
        add(counts, place, event, refused);
        memcpy(out_incident, place->incident, DIGEST_ID_SIZE);
    }
    (void)pthread_mutex_unlock(&counts->mutex);
}

bool pending_counts_is_pending(struct pending_counts *counts)
{
    (void)pthread_mutex_lock(&counts->mutex);
    bool pending = counts->pending > 0;
    (void)pthread_mutex_unlock(&counts->mutex);
    return pending;
}

bool pending_counts_take(struct pending_counts *counts, size_t *position,
                         struct pending_count *out)
{
    bool taken = false;
    (void)pthread_mutex_lock(&counts->mutex);
    while (!taken && *position < PLACES) {
        struct place *place = &counts->places[(*position)++];
        if (place->count.open_key[0] == '\0' || !is_pending(place))
            continue;
        *out = place->count;
        taken = copy_event(&place->count.event, out);
        if (taken) {
            place->count.refused = place->count.deferred = 0;
            counts->pending--;
        }
    }
    (void)pthread_mutex_unlock(&counts->mutex);
    return taken;
}

void pending_counts_return(struct pending_counts *counts,
                           const struct pending_count *count)
{
    (void)pthread_mutex_lock(&counts->mutex);
    struct place *place = obtain_any(counts, &count->event);
    if (place != NULL) {
        merge(counts, place, &count->event, count->first_ms);
        place->count.refused += count->refused;
        place->count.deferred += count->deferred;
    }
    (void)pthread_mutex_unlock(&counts->mutex);
}

void pending_counts_learn(struct pending_counts *counts, const char *open_key,
                          const char *incident)
{
    (void)pthread_mutex_lock(&counts->mutex);
    struct place *place = find(counts, open_key);
    if (place != NULL)
        (void)snprintf(place->incident, sizeof place->incident, "%s", incident);
    (void)pthread_mutex_unlock(&counts->mutex);
}

void pending_counts_note_full(struct pending_counts *counts, const char *open_key,
                              const char *party, int64_t now_ms)
{
    (void)pthread_mutex_lock(&counts->mutex);
    struct place *place = find(counts, open_key);
    if (place != NULL) {
        place->full_ms = now_ms;
        (void)snprintf(place->full_party, sizeof place->full_party, "%s", party);
    }
    (void)pthread_mutex_unlock(&counts->mutex);
}

bool pending_counts_is_full(struct pending_counts *counts, const char *open_key,
                            const char *party, int64_t now_ms, int64_t age_ms,
                            char out_incident[DIGEST_ID_SIZE])
{
    bool full = false;
    (void)pthread_mutex_lock(&counts->mutex);
    const struct place *place = find(counts, open_key);
    if (place != NULL && place->full_ms > 0 && place->incident[0] != '\0' &&
        strcmp(place->full_party, party) == 0)
        full = now_ms >= place->full_ms && now_ms - place->full_ms < age_ms;
    if (full)
        memcpy(out_incident, place->incident, DIGEST_ID_SIZE);
    (void)pthread_mutex_unlock(&counts->mutex);
    return full;
}
