/* Nobody's word is taken alone: a master that a Sentinel names must say that it is one,
 * as a failover is told late or the old master comes back first; a Cluster's node must
 * answer for our own keys. */
#include "store/locator.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "store/cluster.h"
#include "store/tls.h"

struct locator {
    const struct store_settings *settings;
    char password[SECRET_SIZE], sentinel_password[SECRET_SIZE];
    struct tls *tls;     /* NULL: none of those asked speaks it */
    struct place *asked; /* the sentinels, or the seeds; of the settings' only server */
    size_t count;
    size_t next;        /* of them, who is asked first: who answered last */
    bool known;         /* place is where the last connection led */
    struct place place; /* of the store */
    size_t by;          /* of asked: who says so */
    size_t silent;      /* Sentinels in a row that did not answer */
    bool told;          /* of those asked now, one has said where the store is */
};

static bool has_sentinels(const struct locator *locator)
{
    return locator->settings->sentinels.count > 0;
}

static bool is_cluster(const struct locator *locator)
{
    return locator->settings->seeds.count > 0;
}

static enum status take_servers(struct locator *locator, struct error *error)
{
    const struct store_settings *settings = locator->settings;
    const struct strings *list =
        has_sentinels(locator) ? &settings->sentinels : &settings->seeds;
    locator->count = list->count > 0 ? list->count : 1;
    locator->asked = calloc(locator->count, sizeof *locator->asked);
    if (locator->asked == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    for (size_t i = 0; i < list->count; i++)
        if (!place_parse(list->items[i], &locator->asked[i]))
            return error_set(error, STATUS_INVALID, "\"%.100s\" is no server",
                             list->items[i]);
    if (list->count == 0) {
        locator->asked[0].port = settings->host != NULL ? settings->port : 0;
        locator->asked[0].tls = settings->tls;
        text_join(locator->asked[0].host, sizeof locator->asked[0].host,
                  settings->host != NULL ? settings->host : "", "");
        text_join(locator->asked[0].path, sizeof locator->asked[0].path,
                  settings->host == NULL ? settings->path : "", "");
    }
    return STATUS_OK;
}

static enum status read_passwords(struct locator *locator, struct error *error)
{
    const char *own = locator->settings->password_file;
    const char *sentinels = locator->settings->sentinel_password_file;
    enum status status = STATUS_OK;
    if (own[0] != '\0')
        status = secret_read(own, locator->password, error);
    if (status == STATUS_OK && sentinels != NULL && sentinels[0] != '\0')
        status = secret_read(sentinels, locator->sentinel_password, error);
    return status;
}

/* The files are read again for each connection, so one that was renewed is used; while
 * that fails, those of before are. */
static enum status read_certificates(struct locator *locator, struct error *error)
{
    struct tls *fresh = NULL;
    bool wanted = false;
    for (size_t i = 0; i < locator->count; i++)
        wanted |= locator->asked[i].tls;
    enum status status = wanted ? tls_new(locator->settings, &fresh, error) : STATUS_OK;
    if (status == STATUS_OK) {
        tls_free(locator->tls);
        locator->tls = fresh;
    }
    return status;
}

enum status locator_new(const struct store_settings *settings,
                        struct locator **out_locator, struct error *error)
{
    struct locator *locator = calloc(1, sizeof *locator);
    if (locator == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory");
    locator->settings = settings;
    enum status status = take_servers(locator, error);
    if (status == STATUS_OK)
        status = read_passwords(locator, error);
    if (status == STATUS_OK)
        status = read_certificates(locator, error);
    if (status != STATUS_OK) {
        locator_free(locator);
        return status;
    }
    *out_locator = locator;
    return STATUS_OK;
}

void locator_free(struct locator *locator)
{
    if (locator == NULL)
        return;
    explicit_bzero(locator->password, sizeof locator->password);
    explicit_bzero(locator->sentinel_password, sizeof locator->sentinel_password);
    tls_free(locator->tls);
    free(locator->asked);
    free(locator);
}

static int64_t after_ms(int ms)
{
    return clock_monotonic_us() + ms * INT64_C(1000);
}

static struct connection_address address_of(const struct locator *locator,
                                            const struct place *place)
{
    return (struct connection_address){.host =
                                           place->host[0] != '\0' ? place->host : NULL,
                                       .port = place->port,
                                       .path = place->path,
                                       .tls = place->tls ? locator->tls : NULL,
                                       .username = "",
                                       .password = ""};
}

enum status locator_open_at(const struct locator *locator, const struct place *place,
                            int step_ms, struct connection **out_connection,
                            struct error *error)
{
    struct connection_address address = address_of(locator, place);
    address.username = locator->settings->username;
    address.password = locator->password;
    address.login_settings = "store.username, store.password_file";
    address.database = locator->settings->database;
    address.movable = has_sentinels(locator) || is_cluster(locator);
    return connection_open(&address, after_ms(step_ms), out_connection, error);
}

/* Puts who before what an error says. */
static void blame(const char *who, const struct place *place, struct error *error)
{
    char text[PLACE_TEXT_SIZE];
    struct error said = *error;
    (void)error_set(error, STATUS_OK, "%s %s: %.200s", who, place_print(place, text),
                    said.text);
}

/* ---- Sentinels ---- */

static bool is_string(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING && strlen(reply->str) == (size_t)reply->len;
}

static enum status take_master(const struct locator *locator,
                               const struct place *sentinel, const redisReply *reply,
                               struct place *out, struct error *error)
{
    const char *master = locator->settings->master;
    if (reply->type == REDIS_REPLY_NIL)
        return error_set(error, STATUS_UNAVAILABLE,
                         "knows no master \"%.100s\": see store.master", master);
    if (reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "unknown command"))
        return error_set(error, STATUS_UNAVAILABLE,
                         "is no Sentinel: see store.sentinels");
    if (connection_refuses(reply, "NOAUTH"))
        return error_set(error, STATUS_UNAVAILABLE,
                         "requires a password, set store.sentinel_password_file");
    if (reply->type == REDIS_REPLY_ERROR)
        return error_set(error, STATUS_UNAVAILABLE, "%.150s", reply->str);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !is_string(reply->element[0]) || !is_string(reply->element[1]) ||
        !place_set(sentinel, reply->element[0]->str, (size_t)reply->element[0]->len,
                   reply->element[1]->str, out))
        return error_set(error, STATUS_UNAVAILABLE, "an unexpected reply");
    return STATUS_OK;
}

static enum status ask_sentinel(const struct locator *locator,
                                const struct place *sentinel, int step_ms,
                                struct place *out, struct error *error)
{
    struct connection_address address = address_of(locator, sentinel);
    struct connection *connection = NULL;
    redisReply *reply = NULL;
    const char *const words[] = {"SENTINEL", "get-master-addr-by-name",
                                 locator->settings->master};
    address.password = locator->sentinel_password;
    address.login_settings = "store.sentinel_password_file";
    enum status status = connection_open(&address, after_ms(step_ms), &connection, error);
    if (status == STATUS_OK)
        status = connection_ask_words(connection, 3, words, 0, after_ms(step_ms), &reply,
                                      error);
    if (status == STATUS_OK) {
        status = take_master(locator, sentinel, reply, out, error);
        freeReplyObject(reply);
    }
    connection_free(connection);
    if (status != STATUS_OK && status != STATUS_NOMEM)
        blame("Sentinel", sentinel, error);
    return status;
}

/* A master says: master, offset, replicas. */
static enum status check_role(struct connection *connection, int step_ms,
                              struct error *error)
{
    redisReply *reply = NULL;
    enum status status = connection_ask_words(connection, 1, (const char *[]){"ROLE"}, 2,
                                              after_ms(step_ms), &reply, error);
    if (status != STATUS_OK)
        return status;
    if (reply->type == REDIS_REPLY_ERROR)
        status = error_set(error, STATUS_UNAVAILABLE,
                           "ROLE: %.150s: see store.username in mailbrake.conf(5)",
                           reply->str);
    else if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3 ||
             !is_string(reply->element[0]))
        status = error_set(error, STATUS_UNAVAILABLE, "an unexpected reply to ROLE");
    else if (strcmp(reply->element[0]->str, "master") != 0)
        status = error_set(error, STATUS_UNAVAILABLE,
                           "is no master but a %.20s; a failover may be under way: see "
                           "SENTINEL MASTERS",
                           reply->element[0]->str);
    freeReplyObject(reply);
    return status;
}

static enum status open_master(const struct locator *locator, const struct place *place,
                               int step_ms, struct connection **out_connection,
                               struct error *error)
{
    struct connection *connection = NULL;
    enum status status = locator_open_at(locator, place, step_ms, &connection, error);
    if (status == STATUS_OK)
        status = check_role(connection, step_ms, error);
    if (status != STATUS_OK) {
        connection_free(connection);
        if (status != STATUS_NOMEM)
            blame("master", place, error);
        return status;
    }
    *out_connection = connection;
    return STATUS_OK;
}

/* ---- one of several ---- */

/* By what the i-th of those asked says. Its place in *out_place. */
static enum status open_by(struct locator *locator, size_t i, int step_ms,
                           struct place *out_place, struct connection **out_connection,
                           struct error *error)
{
    *out_place = locator->asked[i];
    if (!has_sentinels(locator) && !is_cluster(locator))
        return locator_open_at(locator, out_place, step_ms, out_connection, error);
    if (is_cluster(locator)) {
        enum status found =
            cluster_open(locator, step_ms, out_place, out_connection, error);
        locator->told |= !place_equal(out_place, &locator->asked[i]);
        return found;
    }
    enum status status =
        ask_sentinel(locator, &locator->asked[i], step_ms, out_place, error);
    if (status != STATUS_OK)
        return status;
    locator->told = true;
    locator->silent = 0;
    return open_master(locator, out_place, step_ms, out_connection, error);
}

/* Where the last one led. */
static enum status open_known(const struct locator *locator, int step_ms,
                              struct place *out_place, struct connection **out_connection,
                              struct error *error)
{
    *out_place = locator->place;
    if (has_sentinels(locator))
        return open_master(locator, out_place, step_ms, out_connection, error);
    if (is_cluster(locator))
        return cluster_open(locator, step_ms, out_place, out_connection, error);
    return locator_open_at(locator, out_place, step_ms, out_connection, error);
}

/* By the first of those asked who can say. */
static enum status open_by_any(struct locator *locator, int step_ms,
                               struct place *out_place,
                               struct connection **out_connection, struct error *error)
{
    enum status status = STATUS_UNAVAILABLE;
    for (size_t i = 0; i < locator->count; i++) {
        struct error failure = {0};
        size_t at = (locator->next + i) % locator->count;
        enum status result =
            open_by(locator, at, step_ms, out_place, out_connection, &failure);
        if (result == STATUS_OK) {
            locator->next = locator->by = at;
            return STATUS_OK;
        }
        /* What a server says is worth more than that another is silent. */
        if (i == 0 || (status != STATUS_UNAVAILABLE && result == STATUS_UNAVAILABLE)) {
            status = result;
            *error = failure;
        }
    }
    return status;
}

enum status locator_open(struct locator *locator, int step_ms, bool again,
                         struct connection **out_connection, struct error *error)
{
    struct place place;
    struct error failure;
    enum status status;
    if (again && locator->known)
        return open_known(locator, step_ms, &place, out_connection, error);
    locator->told = false;
    (void)read_certificates(locator, NULL);
    status = open_by_any(locator, step_ms, &place, out_connection, error);
    /* Nobody has anything to say: what they said last holds as long as it works. Against
     * their word it does not, as an old master may come back empty. */
    bool silent = status == STATUS_IO || status == STATUS_NOT_FOUND;
    bool asks = has_sentinels(locator) || is_cluster(locator);
    if (silent && asks && !locator->told && locator->known) {
        struct error said = *error;
        status = open_known(locator, step_ms, &place, out_connection, &failure);
        if (status != STATUS_OK && status != STATUS_NOMEM)
            (void)error_set(error, status, "%.180s; %.180s", said.text, failure.text);
    }
    if (status == STATUS_OK) {
        locator->known = true;
        locator->place = place;
    }
    return status;
}

bool locator_is_elsewhere(struct locator *locator, int step_ms)
{
    struct place named;
    struct error ignored;
    const struct place *sentinel = &locator->asked[locator->next];
    if (!has_sentinels(locator) || !locator->known)
        return false;
    if (ask_sentinel(locator, sentinel, step_ms, &named, &ignored) == STATUS_OK) {
        locator->silent = 0;
        return !place_equal(&named, &locator->place);
    }
    locator->silent++;
    locator->next = (locator->next + 1) % locator->count; /* another one next time */
    return false;
}

bool locator_is_blind(const struct locator *locator)
{
    return has_sentinels(locator) && locator->silent >= locator->count;
}

const char *locator_prefix(const struct locator *locator)
{
    return locator->settings->prefix;
}

const struct place *locator_place(const struct locator *locator)
{
    return &locator->place;
}

void locator_describe(const struct locator *locator, char out[LOCATOR_TEXT_SIZE])
{
    char place[PLACE_TEXT_SIZE];
    char by[PLACE_TEXT_SIZE];
    (void)place_print(&locator->place, place);
    (void)place_print(&locator->asked[locator->by], by);
    if (has_sentinels(locator))
        (void)snprintf(out, LOCATOR_TEXT_SIZE,
                       "%.250s, which Sentinel %.250s %s as master \"%.100s\"%s", place,
                       by, locator_is_blind(locator) ? "named" : "names",
                       locator->settings->master,
                       locator_is_blind(locator) ? "; no Sentinel answers now" : "");
    else if (is_cluster(locator))
        (void)snprintf(out, LOCATOR_TEXT_SIZE,
                       "%.250s, the Cluster's node with all keys of {%.100s}", place,
                       locator->settings->prefix);
    else
        (void)snprintf(out, LOCATOR_TEXT_SIZE, "%s", place);
}
