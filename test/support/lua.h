/* charge.lua and amend.lua in a private redis-server, at times that a test chooses: TIME
 * comes from two keys, and what is kept lives LIFE_MS longer, as the server's own clock
 * is another. */
#ifndef TEST_SUPPORT_LUA_H
#define TEST_SUPPORT_LUA_H

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/digest.h"
#include "redis_server.h"
#include "store/charge_call.h"

enum { LIFE_MS = 1000000000, LUA_KEY_SIZE = 64, LUA_VALUE_SIZE = 400 };

struct lua {
    redisContext *context;
    struct connection *connection;
    char *texts[2];
    char sha1s[2][41];
    struct script_text charge, amend;
    struct digest_key key; /* of clients' numbers */
};

static inline char *lua_substitute(char *text, const char *old, const char *new)
{
    char *at = strstr(text, old);
    ck_assert_msg(at != NULL, "no %s in the script", old);
    size_t size = strlen(text) + strlen(new) + 1;
    char *changed = malloc(size);
    (void)snprintf(changed, size, "%.*s%s%s", (int)(at - text), text, new,
                   at + strlen(old));
    free(text);
    return changed;
}

static inline struct script_text lua_load(struct lua *lua, int i,
                                          const struct script_text *script)
{
    char *text = strdup(script->text);
    text = lua_substitute(text, "redis.call('TIME')", "redis.call('MGET', 's', 'us')");
    text = lua_substitute(text, "'PX', max(ttl, 1)", "'PX', ttl + 1000000000");
    redisReply *reply = redisCommand(lua->context, "SCRIPT LOAD %s", text);
    ck_assert_msg(reply->type == REDIS_REPLY_STRING, "%s", reply->str);
    (void)snprintf(lua->sha1s[i], sizeof lua->sha1s[i], "%s", reply->str);
    freeReplyObject(reply);
    lua->texts[i] = text;
    return (struct script_text){text, strlen(text), lua->sha1s[i]};
}

static inline void lua_open(struct lua *lua, const struct server *server)
{
    const struct connection_address address = {
        .path = server->socket, .username = "", .password = ""};
    *lua = (struct lua){.context = server_try_connect(server)};
    ck_assert_ptr_nonnull(lua->context);
    ck_assert_int_eq(connection_open(&address, clock_monotonic_us() + 10000000,
                                     &lua->connection, NULL),
                     STATUS_OK);
    lua->charge = lua_load(lua, 0, &scripts_charge);
    lua->amend = lua_load(lua, 1, &scripts_amend);
}

static inline void lua_close(struct lua *lua)
{
    connection_free(lua->connection);
    redisFree(lua->context);
    free(lua->texts[0]);
    free(lua->texts[1]);
}

/* Subjects are the keys. outcomes is NULL for a mode of amend.lua. */
static inline void lua_run(struct lua *lua, const char *mode,
                           const struct charge *charges, size_t count, int64_t at_ms,
                           struct charge_outcome *outcomes)
{
    struct error error = {0};
    const int64_t deadline_us = clock_monotonic_us() + 10000000;
    const struct charge_order order = {.script =
                                           outcomes != NULL ? &lua->charge : &lua->amend,
                                       .mode = mode,
                                       .charges = charges,
                                       .count = count,
                                       .key = &lua->key};
    freeReplyObject(redisCommand(lua->context, "MSET s %" PRId64 " us %" PRId64,
                                 at_ms / 1000, at_ms % 1000 * 1000 + 999));
    struct charge_call *call = charge_call_new(&order);
    ck_assert_ptr_nonnull(call);
    for (size_t i = 0; i < count; i++)
        charge_call_add_key(call, charges[i].subject);
    enum status status =
        outcomes != NULL
            ? charge_call_run(call, lua->connection, deadline_us, outcomes, &error)
            : charge_call_amend(call, lua->connection, deadline_us, &error);
    ck_assert_msg(status == STATUS_OK, "%s at %" PRId64 ": %s", mode, at_ms, error.text);
    charge_call_free(call);
}

/* Several messages in one request, each take or latch, or a look: an array of outcomes a
 * message. */
static inline void lua_run_batch(struct lua *lua, const struct charge_order *orders,
                                 size_t count, int64_t at_ms,
                                 struct charge_outcome *const *outcomes)
{
    struct error error = {0};
    const int64_t deadline_us = clock_monotonic_us() + 10000000;
    struct charge_call *calls[8];
    struct text request = {0};
    redisReply *reply = NULL;
    size_t at = 0;
    freeReplyObject(redisCommand(lua->context, "MSET s %" PRId64 " us %" PRId64,
                                 at_ms / 1000, at_ms % 1000 * 1000 + 999));
    for (size_t i = 0; i < count; i++) {
        calls[i] = charge_call_new(&orders[i]);
        ck_assert_ptr_nonnull(calls[i]);
        for (size_t n = 0; n < orders[i].count; n++)
            charge_call_add_key(calls[i], orders[i].charges[n].subject);
    }
    charge_call_print(calls, count, false, &request);
    ck_assert_int_eq(connection_send(lua->connection, request.data, request.length,
                                     deadline_us, &error),
                     STATUS_OK);
    ck_assert_int_eq(connection_receive(lua->connection, deadline_us, &reply, &error),
                     STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(charge_call_take(calls[i], reply, &at, outcomes[i], &error) ==
                          STATUS_OK,
                      "message %zu: %s", i, error.text);
        charge_call_free(calls[i]);
    }
    ck_assert_uint_eq(at, reply->elements);
    freeReplyObject(reply);
    text_clear(&request);
}

/* What is kept under a key, "" if there is none, and for how long. */
static inline void lua_get(struct lua *lua, const char *key,
                           char out_value[LUA_VALUE_SIZE], int64_t *out_ttl_ms)
{
    redisReply *reply = redisCommand(lua->context, "PTTL %s", key);
    *out_ttl_ms = reply->integer - LIFE_MS;
    freeReplyObject(reply);
    reply = redisCommand(lua->context, "GET %s", key);
    out_value[0] = '\0';
    if (reply->type == REDIS_REPLY_STRING)
        (void)snprintf(out_value, LUA_VALUE_SIZE, "%s", reply->str);
    freeReplyObject(reply);
}

#endif
