/* A table of fixed size under one lock, with no I/O below it. Entries are found by the
 * keyed hash in the open incident's id, so nobody can aim for one chain; a key that has
 * nothing to write down any more gives its entry to the next key. */
#include "quarantine/pending_counts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRIES = PENDING_COUNTS_MAX + PENDING_COUNTS_MANY_MAX,
    CHAINS = 8192,
    TRIES = 16,
    NOWHERE = -1
};

struct count_entry {
    struct pending_count count; /* without an open_key: the entry is free */
    char incident[DIGEST_ID_SIZE];
    int64_t full_ms;                 /* when the incident was found full; 0: never */
    char full_party[DIGEST_ID_SIZE]; /* of whom */
    int next;                        /* in its chain */
};

struct pending_counts {
    pthread_mutex_t mutex;
    struct digest_key key;
    int chains[CHAINS];
    struct count_entry entries[ENTRIES];
    size_t hand;    /* where to look for a free entry next */
    size_t pending; /* entries with something to write down */
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
    const char *const own[] = {event->rule,     event->fingerprint, event->subject,
                               event->identity, event->limit,       event->permit.id};
    free_strings(own, sizeof own / sizeof *own);
    free_strings(event->lists, EVENT_LISTS_MAX);
    free_strings(event->addressed, EVENT_ADDRESSED_MAX);
    *count = (struct pending_count){0};
}

void pending_counts_free(struct pending_counts *counts)
{
    if (counts == NULL)
        return;
    for (size_t i = 0; i < ENTRIES; i++)
        pending_count_clear(&counts->entries[i].count);
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

/* Here the two kinds of incidents have one table. */
static bool is_of(const struct count_entry *entry, const char *open_key, bool would)
{
    return entry->count.event.would == would &&
           strcmp(entry->count.open_key, open_key) == 0;
}

static struct count_entry *find(struct pending_counts *counts, const char *open_key,
                                bool would)
{
    for (int i = *chain_of(counts, open_key); i != NOWHERE; i = counts->entries[i].next) {
        if (is_of(&counts->entries[i], open_key, would))
            return &counts->entries[i];
    }
    return NULL;
}

static bool is_pending(const struct count_entry *entry)
{
    const struct pending_count *count = &entry->count;
    return count->refused > 0 || count->deferred > 0 || count->would > 0;
}

static void vacate(struct pending_counts *counts, struct count_entry *entry)
{
    int number = (int)(entry - counts->entries);
    int *link = chain_of(counts, entry->count.open_key);
    while (*link != number)
        link = &counts->entries[*link].next;
    *link = entry->next;
    pending_count_clear(&entry->count);
}

/* A free entry among the first or the reserved ones; NULL when TRIES of them in a row
 * have something to write down. */
static struct count_entry *find_room(struct pending_counts *counts, bool many)
{
    size_t first = many ? PENDING_COUNTS_MAX : 0;
    size_t size = many ? PENDING_COUNTS_MANY_MAX : PENDING_COUNTS_MAX;
    for (size_t i = 0; i < TRIES; i++) {
        struct count_entry *entry = &counts->entries[first + counts->hand++ % size];
        if (entry->count.open_key[0] == '\0')
            return entry;
        if (!is_pending(entry)) {
            vacate(counts, entry);
            return entry;
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
    *to = (struct event){
        .action = from->action,
        .would = from->would,
        .rule = strdup(from->rule),
        .fingerprint = strdup(from->fingerprint),
        .subject = strdup(from->subject),
        .identity = strdup(from->identity),
        .limit = strdup(from->limit == NULL ? "" : from->limit),
        .sender = "",
        .before = from->before,
        .permit = {.copies = from->permit.copies, .left = from->permit.left},
        .list_count = from->list_count,
        .addressed_count = from->addressed_count,
        .reach = from->reach,
        .copies = from->copies,
        .now_ms = from->now_ms};
    if (from->permit.id != NULL)
        to->permit.id = strdup(from->permit.id);
    bool copied =
        to->rule != NULL && to->fingerprint != NULL && to->subject != NULL &&
        to->identity != NULL && to->limit != NULL &&
        (to->permit.id == NULL) == (from->permit.id == NULL) &&
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

/* The entry of a key, a new one if need be; NULL when there is none to be had. */
static struct count_entry *obtain(struct pending_counts *counts,
                                  const struct event *event)
{
    char open_key[PENDING_COUNTS_ID_SIZE];
    pending_counts_format_id(&counts->key, event->fingerprint, event->subject, open_key);
    struct count_entry *entry = find(counts, open_key, event->would);
    if (entry != NULL)
        return entry;
    entry = find_room(counts, strcmp(event->subject, PENDING_COUNTS_MANY) == 0);
    if (entry == NULL)
        return NULL;
    *entry = (struct count_entry){0};
    if (!copy_event(event, &entry->count))
        return NULL;
    memcpy(entry->count.open_key, open_key, sizeof open_key);
    int *chain = chain_of(counts, open_key);
    entry->next = *chain;
    *chain = (int)(entry - counts->entries);
    return entry;
}

/* The same, else the entry of its rule's PENDING_COUNTS_MANY. */
static struct count_entry *obtain_any(struct pending_counts *counts,
                                      const struct event *event)
{
    struct event many = pending_counts_many(event);
    struct count_entry *entry = obtain(counts, event);
    many.before = -1;
    return entry == NULL ? obtain(counts, &many) : entry;
}

/* Begins or goes on with what is to be written; under the lock. */
static void merge(struct pending_counts *counts, struct count_entry *entry,
                  const struct event *event, int64_t first_ms)
{
    struct pending_count *count = &entry->count;
    struct event *all = &count->event;
    if (!is_pending(entry)) {
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
static void add(struct pending_counts *counts, struct count_entry *entry,
                const struct event *event, bool refused)
{
    struct pending_count *count = &entry->count;
    struct event *all = &count->event;
    if (event->now_ms - all->now_ms >= INCIDENT_GAP_MS) {
        entry->incident[0] = '\0';
        entry->full_ms = 0;
    }
    merge(counts, entry, event, event->now_ms);
    count->would += event->would;
    count->refused += !event->would && refused;
    count->deferred += !event->would && !refused;
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
    struct count_entry *entry = obtain_any(counts, event);
    if (entry != NULL) {
        add(counts, entry, event, refused);
        memcpy(out_incident, entry->incident, DIGEST_ID_SIZE);
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
    while (!taken && *position < ENTRIES) {
        struct count_entry *entry = &counts->entries[(*position)++];
        if (entry->count.open_key[0] == '\0' || !is_pending(entry))
            continue;
        *out = entry->count;
        taken = copy_event(&entry->count.event, out);
        if (taken) {
            entry->count.refused = entry->count.deferred = entry->count.would = 0;
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
    struct count_entry *entry = obtain_any(counts, &count->event);
    if (entry != NULL) {
        merge(counts, entry, &count->event, count->first_ms);
        entry->count.refused += count->refused;
        entry->count.deferred += count->deferred;
        entry->count.would += count->would;
    }
    (void)pthread_mutex_unlock(&counts->mutex);
}

void pending_counts_learn(struct pending_counts *counts, const char *open_key, bool would,
                          const char *incident)
{
    (void)pthread_mutex_lock(&counts->mutex);
    struct count_entry *entry = find(counts, open_key, would);
    if (entry != NULL)
        (void)snprintf(entry->incident, sizeof entry->incident, "%s", incident);
    (void)pthread_mutex_unlock(&counts->mutex);
}

void pending_counts_note_full(struct pending_counts *counts, const char *open_key,
                              const char *party, int64_t now_ms)
{
    (void)pthread_mutex_lock(&counts->mutex);
    struct count_entry *entry = find(counts, open_key, false);
    if (entry != NULL) {
        entry->full_ms = now_ms;
        (void)snprintf(entry->full_party, sizeof entry->full_party, "%s", party);
    }
    (void)pthread_mutex_unlock(&counts->mutex);
}

bool pending_counts_is_full(struct pending_counts *counts, const char *open_key,
                            const char *party, int64_t now_ms, int64_t age_ms,
                            char out_incident[DIGEST_ID_SIZE])
{
    bool full = false;
    (void)pthread_mutex_lock(&counts->mutex);
    const struct count_entry *entry = find(counts, open_key, false);
    if (entry != NULL && entry->full_ms > 0 && entry->incident[0] != '\0' &&
        strcmp(entry->full_party, party) == 0)
        full = now_ms >= entry->full_ms && now_ms - entry->full_ms < age_ms;
    if (full)
        memcpy(out_incident, entry->incident, DIGEST_ID_SIZE);
    (void)pthread_mutex_unlock(&counts->mutex);
    return full;
}
