/* One connection to Redis. Every wait ends at a deadline, even against a server that
 * sends a byte now and then; a connection is useless after any failure, and never mended.
 */
#ifndef STORE_CONNECTION_H
#define STORE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Where, and as whom. Borrowed. */
struct connection_address {
    const char *host; /* NULL: path is a unix socket */
    int port;
    const char *path;
    const struct tls *tls;           /* NULL: in clear text (store/tls.h) */
    const char *username, *password; /* "": none */
    const char *login_settings;      /* where these two come from, for errors */
    int database;
    bool movable; /* the store may move to another server */
};

struct redisReply; /* of hiredis */
struct connection;

/* A command, as hiredis takes it, or (count is 0) a request as Redis reads it. Borrowed.
 */
struct connection_command {
    int count;
    const char **words;
    const size_t *lengths;
    const char *request;
    size_t request_length;
    int depth; /* of arrays in the array that is its reply */
};

/* Of each array, and of a whole reply. */
enum {
    CONNECTION_ELEMENTS_MAX = 4 * 4096 + 1,
    CONNECTION_REPLY_BYTES_MAX = 4 * 1024 * 1024
};

/* Connects, by TLS if address has it, authenticates and selects the database. Only
 * looking up the host's name may pass deadline_us (monotonic; getaddrinfo(3) has none):
 * not for the mail path. NOT_FOUND when there is no server, IO when it does not answer in
 * time, UNAVAILABLE when it refuses us, all with a reason; NOMEM. */
enum status connection_open(const struct connection_address *address, int64_t deadline_us,
                            struct connection **out_connection,
                            struct error *error) MUST_CHECK;

/* Sends a command and gives its reply (freeReplyObject), which may be an error of Redis;
 * one longer than the limits above is refused. IO when no answer comes in time or the
 * connection ends, UNAVAILABLE for what is no answer, both with a reason; NOMEM. Then the
 * connection is dead, and whether the command was carried out is unknown. */
enum status connection_ask(struct connection *connection,
                           const struct connection_command *command, int64_t deadline_us,
                           struct redisReply **out_reply, struct error *error) MUST_CHECK;

/* The same for a command of a few words, each of which is text. */
enum { CONNECTION_WORDS_MAX = 4 };
enum status connection_ask_words(struct connection *connection, int count,
                                 const char *const *words, int depth, int64_t deadline_us,
                                 struct redisReply **out_reply,
                                 struct error *error) MUST_CHECK;

/* The two halves of connection_ask, for a request that is written as Redis reads it
 * (RESP) and whose reply holds no array in an array. IO at the deadline of
 * connection_receive says that no whole reply is there yet: it may be called again. */
enum status connection_send(struct connection *connection, const char *request,
                            size_t length, int64_t deadline_us,
                            struct error *error) MUST_CHECK;
enum status connection_receive(struct connection *connection, int64_t deadline_us,
                               struct redisReply **out_reply,
                               struct error *error) MUST_CHECK;

/* Whether a reply is an error of Redis with this code, its first word. */
bool connection_refuses(const struct redisReply *reply, const char *code);

/* What an administrator can do about an error of Redis: "; " and words, or "" when that
 * is not known. */
const char *connection_advice(const char *refusal);

/* UNAVAILABLE with what an error of Redis says, and that advice. */
enum status connection_refusal(const struct redisReply *reply, struct error *error);

/* The server has said that the store is elsewhere (MOVED, READONLY), and the store is
 * movable. What it answered so was not carried out. */
bool connection_has_moved(const struct connection *connection);

/* As if it had: the store is not the one that it was. */
void connection_leave(struct connection *connection);

/* Where an ASK is followed to (store/detour.h); NULL: nowhere. Borrowed. */
struct detour;
void connection_set_detour(struct connection *connection, struct detour *detour);
struct detour *connection_detour(const struct connection *connection);

/* Whether an idle connection is still connected and owes nobody a reply. Does not wait.
 */
bool connection_is_quiet(const struct connection *connection);

void connection_free(struct connection *connection); /* NULL is allowed */

#endif
