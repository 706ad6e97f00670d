/* A table of the incidents that this process held mail of, searched from end to end: a
 * hold is rare and dear enough. The records wait in a list; each incident may have its
 * first one there whatever the others have, so that none stays untold. */
#include "quarantine/pending_holds.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct known_incident {
    char open_key[PENDING_COUNTS_ID_SIZE]; /* "": it is free */
    char incident[DIGEST_ID_SIZE];
    int64_t waiting; /* holds that nobody has decided about */
    struct part {
        char party[DIGEST_ID_SIZE]; /* "": free */
        int64_t waiting;
    } parts[PENDING_HOLDS_PARTIES_MAX]; /* of whom they are */
    int64_t last_ms;
    bool pending; /* one of its holds is in the list, or was */
};

struct pending_holds {
    pthread_mutex_t mutex;
    struct known_incident incidents[PENDING_HOLDS_INCIDENTS_MAX];
    struct pending_hold *first, **end;
    size_t count;
};

void pending_hold_free(struct pending_hold *pending)
{
    if (pending == NULL)
        return;
    json_decref(pending->hold);
    json_decref(pending->alone);
    free(pending);
}

struct pending_holds *pending_holds_new(void)
{
    struct pending_holds *holds = calloc(1, sizeof *holds);
    if (holds == NULL)
        return NULL;
    if (pthread_mutex_init(&holds->mutex, NULL) != 0) {
        free(holds);
        return NULL;
    }
    holds->end = &holds->first;
    return holds;
}

void pending_holds_free(struct pending_holds *holds)
{
    if (holds == NULL)
        return;
    while (holds->first != NULL) {
        struct pending_hold *pending = holds->first;
        holds->first = pending->next;
        pending_hold_free(pending);
    }
    (void)pthread_mutex_destroy(&holds->mutex);
    free(holds);
}

/* ---- incidents; under the lock ---- */

static struct known_incident *find_incident(struct pending_holds *holds,
                                            const char *incident)
{
    for (size_t i = 0; i < PENDING_HOLDS_INCIDENTS_MAX; i++) {
        if (strcmp(holds->incidents[i].incident, incident) == 0)
            return &holds->incidents[i];
    }
    return NULL;
}

/* The key's entry, else a free one, else the one that is quiet for longest. */
static struct known_incident *obtain(struct pending_holds *holds, const char *open_key)
{
    struct known_incident *best = &holds->incidents[0];
    for (size_t i = 0; i < PENDING_HOLDS_INCIDENTS_MAX; i++) {
        struct known_incident *known = &holds->incidents[i];
        if (strcmp(known->open_key, open_key) == 0)
            return known;
        if (best->open_key[0] != '\0' &&
            (known->open_key[0] == '\0' || known->last_ms < best->last_ms))
            best = known;
    }
    *best = (struct known_incident){0};
    (void)snprintf(best->open_key, sizeof best->open_key, "%s", open_key);
    return best;
}

static void set_incident(struct known_incident *known, const char *incident)
{
    if (strcmp(known->incident, incident) == 0)
        return;
    (void)snprintf(known->incident, sizeof known->incident, "%s", incident);
    memset(known->parts, 0, sizeof known->parts);
    known->waiting = 0;
    known->pending = false;
}

static int64_t part_of(const struct known_incident *known, const char *party)
{
    for (size_t i = 0; i < PENDING_HOLDS_PARTIES_MAX; i++) {
        if (party[0] != '\0' && strcmp(known->parts[i].party, party) == 0)
            return known->parts[i].waiting;
    }
    return 0;
}

/* In place of whoever has least, where there is no room. */
static void set_part(struct known_incident *known, const char *party, int64_t waiting)
{
    struct part *least = &known->parts[0];
    if (party[0] == '\0')
        return;
    for (size_t i = 0; i < PENDING_HOLDS_PARTIES_MAX; i++) {
        struct part *part = &known->parts[i];
        if (strcmp(part->party, party) == 0) {
            part->waiting = waiting;
            return;
        }
        if (part->waiting < least->waiting)
            least = part;
    }
    (void)snprintf(least->party, sizeof least->party, "%s", party);
    least->waiting = waiting;
}

void pending_holds_learn(struct pending_holds *holds, const char *open_key,
                         const struct pending_holds_news *news)
{
    (void)pthread_mutex_lock(&holds->mutex);
    struct known_incident *known = obtain(holds, open_key);
    set_incident(known, news->incident);
    known->waiting = news->waiting;
    set_part(known, news->party, news->own);
    known->pending = false;
    if (news->now_ms > known->last_ms)
        known->last_ms = news->now_ms;
    (void)pthread_mutex_unlock(&holds->mutex);
}

void pending_holds_release(struct pending_holds *holds, const char *incident,
                           const char *party)
{
    (void)pthread_mutex_lock(&holds->mutex);
    struct known_incident *known = find_incident(holds, incident);
    int64_t own = known == NULL ? 0 : part_of(known, party);
    if (own > 0)
        set_part(known, party, own - 1);
    if (known != NULL && known->waiting > 0)
        known->waiting--;
    (void)pthread_mutex_unlock(&holds->mutex);
}

void pending_holds_close(struct pending_holds *holds, const char *incident)
{
    (void)pthread_mutex_lock(&holds->mutex);
    struct known_incident *known = find_incident(holds, incident);
    if (known != NULL)
        *known = (struct known_incident){0};
    (void)pthread_mutex_unlock(&holds->mutex);
}

enum party_fit pending_holds_enter(struct pending_holds *holds,
                                   const struct pending_holds_request *request,
                                   char incident[DIGEST_ID_SIZE])
{
    int64_t now_ms = request->now_ms;
    if (incident[0] == '\0')
        digest_random_id(incident);
    (void)pthread_mutex_lock(&holds->mutex);
    struct known_incident *known = obtain(holds, request->open_key);
    if (known->incident[0] == '\0' || now_ms - known->last_ms >= INCIDENT_GAP_MS)
        set_incident(known, incident);
    int64_t own = part_of(known, request->party);
    enum party_fit fit = party_fits(&request->caps, own, known->waiting);
    if (fit == PARTY_FITS) {
        known->waiting++;
        set_part(known, request->party, own + 1);
    }
    if (now_ms > known->last_ms)
        known->last_ms = now_ms;
    memcpy(incident, known->incident, DIGEST_ID_SIZE);
    (void)pthread_mutex_unlock(&holds->mutex);
    return fit;
}

/* ---- records ---- */

/* Under the lock: whether it is the first that waits of its incident. */
static bool is_first(struct pending_holds *holds, const struct pending_hold *pending)
{
    struct known_incident *known = find_incident(holds, pending->incident);
    bool first = known != NULL && !known->pending;
    if (known != NULL)
        known->pending = true;
    return first;
}

static void append(struct pending_holds *holds, struct pending_hold *pending)
{
    pending->next = NULL;
    *holds->end = pending;
    holds->end = &pending->next;
    holds->count++;
}

bool pending_holds_add(struct pending_holds *holds, struct pending_hold *pending)
{
    const size_t most = PENDING_HOLDS_MAX + PENDING_HOLDS_INCIDENTS_MAX;
    (void)pthread_mutex_lock(&holds->mutex);
    bool first = is_first(holds, pending);
    bool added = holds->count < (first ? most : PENDING_HOLDS_MAX);
    if (added)
        append(holds, pending);
    (void)pthread_mutex_unlock(&holds->mutex);
    if (!added)
        pending_hold_free(pending);
    return added;
}

struct pending_hold *pending_holds_take(struct pending_holds *holds)
{
    (void)pthread_mutex_lock(&holds->mutex);
    struct pending_hold *pending = holds->first;
    if (pending != NULL) {
        holds->first = pending->next;
        holds->count--;
        if (holds->first == NULL)
            holds->end = &holds->first;
    }
    (void)pthread_mutex_unlock(&holds->mutex);
    return pending;
}

void pending_holds_return(struct pending_holds *holds, struct pending_hold *pending)
{
    (void)pthread_mutex_lock(&holds->mutex);
    pending->next = holds->first;
    holds->first = pending;
    if (pending->next == NULL)
        holds->end = &pending->next;
    holds->count++;
    (void)pthread_mutex_unlock(&holds->mutex);
}
