/* A connection is ended by shutdown(2): the server sees that and closes it. */
#include "console/connections.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

#define SECOND_US INT64_C(1000000)

struct place {
    int fd;
    enum connection_state state;
    int64_t since_us; /* in this state */
};

struct connections {
    pthread_mutex_t mutex; /* guards the rest */
    struct place places[CONNECTIONS_ROOM];
    size_t alive; /* neither free nor ending */
};

struct connections *connections_new(void)
{
    struct connections *connections = calloc(1, sizeof *connections);
    if (connections != NULL)
        (void)pthread_mutex_init(&connections->mutex, NULL);
    return connections;
}

void connections_free(struct connections *connections)
{
    if (connections == NULL)
        return;
    (void)pthread_mutex_destroy(&connections->mutex);
    free(connections);
}

static void end(struct connections *connections, struct place *place)
{
    place->state = CONNECTION_ENDS;
    connections->alive--;
    (void)shutdown(place->fd, SHUT_RDWR);
}

/* NULL when all are at work, or being answered. */
static struct place *find_idlest(struct connections *connections)
{
    struct place *idlest = NULL;
    for (size_t i = 0; i < CONNECTIONS_ROOM; i++) {
        struct place *place = &connections->places[i];
        if (place->state == CONNECTION_RECEIVES &&
            (idlest == NULL || place->since_us < idlest->since_us))
            idlest = place;
    }
    return idlest;
}

static struct place *find(struct connections *connections, int fd)
{
    for (size_t i = 0; i < CONNECTIONS_ROOM; i++) {
        struct place *place = &connections->places[i];
        if (fd < 0 ? place->state == CONNECTION_FREE
                   : place->state != CONNECTION_FREE && place->fd == fd)
            return place;
    }
    return NULL;
}

void connections_open(struct connections *connections, int fd, int64_t now_us)
{
    (void)pthread_mutex_lock(&connections->mutex);
    struct place *place = find(connections, -1);
    struct place *idlest =
        connections->alive >= CONNECTIONS_MAX ? find_idlest(connections) : NULL;
    bool full =
        place == NULL || (connections->alive >= CONNECTIONS_MAX && idlest == NULL);
    if (place != NULL) {
        *place = (struct place){fd, CONNECTION_RECEIVES, now_us};
        connections->alive++;
    }
    if (idlest != NULL)
        end(connections, idlest);
    else if (full && place != NULL)
        end(connections, place);
    else if (full)
        (void)shutdown(fd, SHUT_RDWR);
    (void)pthread_mutex_unlock(&connections->mutex);
}

void connections_set(struct connections *connections, int fd, enum connection_state state,
                     int64_t now_us)
{
    (void)pthread_mutex_lock(&connections->mutex);
    struct place *place = find(connections, fd);
    if (place != NULL && state == CONNECTION_FREE) {
        connections->alive -= place->state != CONNECTION_ENDS;
        place->state = CONNECTION_FREE;
    } else if (place != NULL && place->state != CONNECTION_ENDS) {
        place->state = state;
        place->since_us = now_us;
    }
    (void)pthread_mutex_unlock(&connections->mutex);
}

void connections_sweep(struct connections *connections, int64_t now_us)
{
    (void)pthread_mutex_lock(&connections->mutex);
    for (size_t i = 0; i < CONNECTIONS_ROOM; i++) {
        struct place *place = &connections->places[i];
        int64_t age_us = now_us - place->since_us;
        if ((place->state == CONNECTION_RECEIVES &&
             age_us > CONNECTIONS_RECEIVE_S * SECOND_US) ||
            (place->state == CONNECTION_SENDS && age_us > CONNECTIONS_SEND_S * SECOND_US))
            end(connections, place);
    }
    (void)pthread_mutex_unlock(&connections->mutex);
}
