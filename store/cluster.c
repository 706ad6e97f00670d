/* A read of one of our keys tells: the node that has the slot answers, also while the
 * slot moves to another (ASK); all others redirect. */
#include "store/cluster.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { HOPS_MAX = 5 };

bool cluster_target(const char *text, const struct place *from, struct place *out)
{
    int64_t slot;
    const char *host = text_after(text, "MOVED ");
    if (host == NULL)
        host = text_after(text, "ASK ");
    if (host == NULL || !text_take_number(&host, &slot) || *host++ != ' ')
        return false;
    const char *colon = strrchr(host, ':'); /* IPv6 has no brackets here */
    if (colon == NULL)
        return false;
    if (colon == host)
        return place_set(from, from->host, strlen(from->host), colon + 1, out);
    return place_set(from, host, (size_t)(colon - host), colon + 1, out);
}

static int64_t after_ms(int ms)
{
    return clock_monotonic_us() + ms * INT64_C(1000);
}

/* Servers that are no Cluster would each have counts of their own. Only such a server
 * refuses ASKING, and one that does not know the user's right to it. */
static enum status check_cluster(struct connection *connection, int step_ms,
                                 struct error *error)
{
    redisReply *reply = NULL;
    enum status status = connection_ask_words(connection, 1, (const char *[]){"ASKING"},
                                              0, after_ms(step_ms), &reply, error);
    if (status != STATUS_OK)
        return status;
    if (connection_refuses(reply, "NOPERM"))
        status = error_set(error, STATUS_UNAVAILABLE,
                           "%.150s: see store.username in mailbrake.conf(5)", reply->str);
    else if (reply->type != REDIS_REPLY_STATUS)
        status = error_set(error, STATUS_UNAVAILABLE,
                           "is no node of a Cluster: write store.server as one string");
    freeReplyObject(reply);
    return status;
}

/* OK: it has our keys. CONFLICT: *place is where they are. */
static enum status find_keys(struct connection *connection, const char *key, int step_ms,
                             struct place *place, struct error *error)
{
    struct place target;
    redisReply *reply = NULL;
    enum status status = connection_ask_words(connection, 2, (const char *[]){"GET", key},
                                              0, after_ms(step_ms), &reply, error);
    if (status != STATUS_OK)
        return status;
    if (connection_refuses(reply, "MOVED")) {
        status = cluster_target(reply->str, place, &target)
                     ? STATUS_CONFLICT
                     : error_set(error, STATUS_UNAVAILABLE, "an unexpected reply");
        if (status == STATUS_CONFLICT)
            *place = target;
    } else if (connection_refuses(reply, "CLUSTERDOWN")) {
        status = error_set(error, STATUS_UNAVAILABLE,
                           "%.100s: nobody serves our keys: see redis-cli CLUSTER INFO",
                           reply->str);
    } else if (reply->type == REDIS_REPLY_ERROR && !connection_refuses(reply, "ASK")) {
        status = connection_refusal(reply, error);
    }
    freeReplyObject(reply);
    return status;
}

static void blame(const struct place *place, struct error *error)
{
    char text[PLACE_TEXT_SIZE];
    struct error said = *error;
    (void)error_set(error, STATUS_OK, "node %s: %.200s", place_print(place, text),
                    said.text);
}

enum status cluster_open(const struct locator *locator, int step_ms, struct place *place,
                         struct connection **out_connection, struct error *error)
{
    char key[100];
    struct connection *connection = NULL;
    enum status status = STATUS_CONFLICT;
    (void)snprintf(key, sizeof key, "{%.64s}:b:probe", locator_prefix(locator));
    for (int hop = 0; hop < HOPS_MAX && status == STATUS_CONFLICT; hop++) {
        struct place here = *place;
        connection_free(connection);
        connection = NULL;
        status = locator_open_at(locator, &here, step_ms, &connection, error);
        if (status == STATUS_OK)
            status = find_keys(connection, key, step_ms, place, error);
        if (status == STATUS_OK)
            status = check_cluster(connection, step_ms, error);
        if (status != STATUS_OK && status != STATUS_CONFLICT && status != STATUS_NOMEM)
            blame(&here, error);
    }
    if (status == STATUS_CONFLICT)
        status = error_set(error, STATUS_UNAVAILABLE,
                           "the nodes of the Cluster send us in a circle");
    if (status != STATUS_OK) {
        connection_free(connection);
        return status;
    }
    *out_connection = connection;
    return STATUS_OK;
}
