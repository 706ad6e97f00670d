/* A table of the incidents that this process held mail of, searched from end to end: a
 * hold is rare and dear enough. The records wait in a list; each incident may have its
 * first one there whatever the others have, so that none stays untold. */
#include "quarantine/backlog.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quarantine/ledger.h"

struct place {
    char open_id[PENDING_COUNTS_ID_SIZE]; /* "": the place is free */
    char incident[DIGEST_ID_SIZE];
    int64_t waiting; /* holds that nobody has decided about */
    struct part {
        char party[DIGEST_ID_SIZE]; /* "": free */
        int64_t waiting;
    } parts[BACKLOG_PARTIES_MAX]; /* of whom they are */
    int64_t last_ms;
    bool pending; /* one of its holds is in the list, or was */
};

struct backlog {
    pthread_mutex_t mutex;
    struct place places[BACKLOG_INCIDENTS_MAX];
    struct late *first, **end;
    size_t count;
};

void late_free(struct late *late)
{
    if (late == NULL)
        return;
    json_decref(late->hold);
    json_decref(late->alone);
    free(late);
}

struct backlog *backlog_new(void)
{
    struct backlog *backlog = calloc(1, sizeof *backlog);
    if (backlog == NULL)
        return NULL;
    if (pthread_mutex_init(&backlog->mutex, NULL) != 0) {
        free(backlog);
        return NULL;
    }
    backlog->end = &backlog->first;
    return backlog;
}

void backlog_free(struct backlog *backlog)
{
    if (backlog == NULL)
        return;
    while (backlog->first != NULL) {
        struct late *late = backlog->first;
        backlog->first = late->next;
        late_free(late);
    }
    (void)pthread_mutex_destroy(&backlog->mutex);
    free(backlog);
}

/* ---- incidents; under the lock ---- */

static struct place *find(struct backlog *backlog, const char *open_id)
{
    for (size_t i = 0; i < BACKLOG_INCIDENTS_MAX; i++) {
        if (strcmp(backlog->places[i].open_id, open_id) == 0)
            return &backlog->places[i];
    }
    return NULL;
}

static struct place *find_incident(struct backlog *backlog, const char *incident)
{
    for (size_t i = 0; i < BACKLOG_INCIDENTS_MAX; i++) {
        if (strcmp(backlog->places[i].incident, incident) == 0)
            return &backlog->places[i];
    }
    return NULL;
}

/* The key's place, else a free one, else the one that is quiet for longest. */
static struct place *obtain(struct backlog *backlog, const char *open_id)
{
    struct place *place = find(backlog, open_id);
    if (place != NULL)
        return place;
    place = &backlog->places[0];
    for (size_t i = 0; i < BACKLOG_INCIDENTS_MAX && place->open_id[0] != '\0'; i++) {
        struct place *other = &backlog->places[i];
        if (other->open_id[0] == '\0' || other->last_ms < place->last_ms)
            place = other;
    }
    *place = (struct place){0};
    (void)snprintf(place->open_id, sizeof place->open_id, "%s", open_id);
    return place;
}

static void set_incident(struct place *place, const char *incident)
{
    if (strcmp(place->incident, incident) == 0)
        return;
    (void)snprintf(place->incident, sizeof place->incident, "%s", incident);
    memset(place->parts, 0, sizeof place->parts);
    place->waiting = 0;
    place->pending = false;
}

static int64_t part_of(const struct place *place, const char *party)
{
    for (size_t i = 0; i < BACKLOG_PARTIES_MAX; i++) {
        if (party[0] != '\0' && strcmp(place->parts[i].party, party) == 0)
            return place->parts[i].waiting;
    }
    return 0;
}

/* In place of whoever has least, where there is no room. */
static void set_part(struct place *place, const char *party, int64_t waiting)
{
    struct part *least = &place->parts[0];
    if (party[0] == '\0')
        return;
    for (size_t i = 0; i < BACKLOG_PARTIES_MAX; i++) {
        struct part *part = &place->parts[i];
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

void backlog_learn(struct backlog *backlog, const char *open_id,
                   const struct backlog_news *news)
{
    (void)pthread_mutex_lock(&backlog->mutex);
    struct place *place = obtain(backlog, open_id);
    set_incident(place, news->incident);
    place->waiting = news->waiting;
    set_part(place, news->party, news->own);
    place->pending = false;
    if (news->now_ms > place->last_ms)
        place->last_ms = news->now_ms;
    (void)pthread_mutex_unlock(&backlog->mutex);
}

void backlog_release(struct backlog *backlog, const char *incident, const char *party)
{
    (void)pthread_mutex_lock(&backlog->mutex);
    struct place *place = find_incident(backlog, incident);
    int64_t own = place == NULL ? 0 : part_of(place, party);
    if (own > 0)
        set_part(place, party, own - 1);
    if (place != NULL && place->waiting > 0)
        place->waiting--;
    (void)pthread_mutex_unlock(&backlog->mutex);
}

void backlog_close(struct backlog *backlog, const char *incident)
{
    (void)pthread_mutex_lock(&backlog->mutex);
    struct place *place = find_incident(backlog, incident);
    if (place != NULL)
        *place = (struct place){0};
    (void)pthread_mutex_unlock(&backlog->mutex);
}

enum party_fit backlog_enter(struct backlog *backlog,
                             const struct backlog_request *request,
                             char incident[DIGEST_ID_SIZE])
{
    int64_t now_ms = request->now_ms;
    if (incident[0] == '\0')
        digest_random_id(incident);
    (void)pthread_mutex_lock(&backlog->mutex);
    struct place *place = obtain(backlog, request->open_id);
    if (place->incident[0] == '\0' || now_ms - place->last_ms >= INCIDENT_GAP_MS)
        set_incident(place, incident);
    int64_t own = part_of(place, request->party);
    enum party_fit fit = party_fits(&request->caps, own, place->waiting);
    if (fit == PARTY_FITS) {
        place->waiting++;
        set_part(place, request->party, own + 1);
    }
    if (now_ms > place->last_ms)
        place->last_ms = now_ms;
    memcpy(incident, place->incident, DIGEST_ID_SIZE);
    (void)pthread_mutex_unlock(&backlog->mutex);
    return fit;
}

/* ---- records ---- */

/* Under the lock: whether it is the first that waits of its incident. */
static bool is_first(struct backlog *backlog, const struct late *late)
{
    struct place *place = find_incident(backlog, late->incident);
    bool first = place != NULL && !place->pending;
    if (place != NULL)
        place->pending = true;
    return first;
}

static void append(struct backlog *backlog, struct late *late)
{
    late->next = NULL;
    *backlog->end = late;
    backlog->end = &late->next;
    backlog->count++;
}

bool backlog_add(struct backlog *backlog, struct late *late)
{
    const size_t most = BACKLOG_HOLDS_MAX + BACKLOG_INCIDENTS_MAX;
    (void)pthread_mutex_lock(&backlog->mutex);
    bool first = is_first(backlog, late);
    bool added = backlog->count < (first ? most : BACKLOG_HOLDS_MAX);
    if (added)
        append(backlog, late);
    (void)pthread_mutex_unlock(&backlog->mutex);
    if (!added)
        late_free(late);
    return added;
}

bool backlog_is_pending(struct backlog *backlog)
{
    (void)pthread_mutex_lock(&backlog->mutex);
    bool pending = backlog->first != NULL;
    (void)pthread_mutex_unlock(&backlog->mutex);
    return pending;
}

struct late *backlog_take(struct backlog *backlog)
{
    (void)pthread_mutex_lock(&backlog->mutex);
    struct late *late = backlog->first;
    if (late != NULL) {
        backlog->first = late->next;
        backlog->count--;
        if (backlog->first == NULL)
            backlog->end = &backlog->first;
    }
    (void)pthread_mutex_unlock(&backlog->mutex);
    return late;
}

void backlog_return(struct backlog *backlog, struct late *late)
{
    (void)pthread_mutex_lock(&backlog->mutex);
    late->next = backlog->first;
    backlog->first = late;
    if (late->next == NULL)
        backlog->end = &late->next;
    backlog->count++;
    (void)pthread_mutex_unlock(&backlog->mutex);
}
