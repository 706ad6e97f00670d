/* charge.lua in a private redis-server, at times that a test chooses: TIME comes from two
 * more arguments, and keys live LIFE_MS longer, as the server's own clock is another. */
#ifndef TEST_SUPPORT_LUA_H
#define TEST_SUPPORT_LUA_H

#include <inttypes.h>
#include <stdlib.h>

#include "redis_server.h"
#include "store/scripts.h"
#include "vectors.h"

enum { LIFE_MS = 1000000000 };

struct lua {
    char *text;
    redisContext *context;
    char key[32];
    int number;
    struct rate rate;
    int64_t stamp_ms; /* of the key; -1: there is none */
};

static inline void lua_substitute(char **text, const char *old, const char *new)
{
    char *at = strstr(*text, old);
    ck_assert_msg(at != NULL, "charge.lua has no %s", old);
    size_t size = strlen(*text) + strlen(new) + 1;
    char *changed = malloc(size);
    (void)snprintf(changed, size, "%.*s%s%s", (int)(at - *text), *text, new,
                   at + strlen(old));
    free(*text);
    *text = changed;
}

static inline void lua_open(struct lua *lua, const struct server *server)
{
    *lua = (struct lua){.text = strdup(scripts_charge.text)};
    lua_substitute(&lua->text, "redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}");
    lua_substitute(&lua->text, "string.format('%.0f', ttl)",
                   "string.format('%.0f', ttl + 1000000000)");
    lua->context = server_try_connect(server);
    ck_assert_ptr_nonnull(lua->context);
}

static inline void lua_close(struct lua *lua)
{
    redisFree(lua->context);
    free(lua->text);
}

static inline void lua_begin(void *context, const char *name, const struct rate *rate)
{
    struct lua *lua = context;
    (void)name;
    lua->rate = *rate;
    lua->stamp_ms = -1;
    (void)snprintf(lua->key, sizeof lua->key, "vector%d", ++lua->number);
}

static inline int64_t lua_charge(struct lua *lua, int64_t cost, int64_t at_ms)
{
    redisReply *reply =
        redisCommand(lua->context,
                     "EVAL %s 1 %s 1 %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
                     " 0 %" PRId64 " %" PRId64,
                     lua->text, lua->key, cost, lua->rate.tokens, lua->rate.period_ms,
                     lua->rate.burst, at_ms / 1000, at_ms % 1000 * 1000 + 999);
    ck_assert_ptr_nonnull(reply);
    ck_assert_msg(reply->type == REDIS_REPLY_ARRAY, "%s", reply->str);
    ck_assert_uint_eq(reply->elements, 1);
    int64_t left = reply->element[0]->integer;
    freeReplyObject(reply);
    return left;
}

static inline void lua_check_key(struct lua *lua, const struct vector_step *step,
                                 const char *where)
{
    char wanted[80];
    redisReply *reply = redisCommand(lua->context, "GET %s", lua->key);
    lua->stamp_ms = step->to_full_ms == 0 ? -1 : step->at_ms;
    if (step->to_full_ms == 0) {
        ck_assert_msg(reply->type == REDIS_REPLY_NIL, "%s: a full bucket stays", where);
        freeReplyObject(reply);
        return;
    }
    (void)snprintf(wanted, sizeof wanted, "%" PRId64 " %" PRId64 " %" PRId64, step->level,
                   step->rest, step->at_ms);
    ck_assert_msg(reply->type == REDIS_REPLY_STRING, "%s: no bucket", where);
    ck_assert_msg(strcmp(reply->str, wanted) == 0, "%s: %s", where, reply->str);
    freeReplyObject(reply);
    reply = redisCommand(lua->context, "PTTL %s", lua->key);
    int64_t ttl_ms = reply->integer - LIFE_MS;
    ck_assert_msg(ttl_ms <= step->to_full_ms && ttl_ms > step->to_full_ms - 5000,
                  "%s: TTL %" PRId64, where, ttl_ms);
    freeReplyObject(reply);
}

static inline void lua_step(void *context, const struct vector_step *step,
                            const char *where)
{
    struct lua *lua = context;
    int64_t left = lua_charge(lua, step->cost, step->at_ms);
    ck_assert_msg(left == step->left, "%s: left %" PRId64, where, left);
    bool taken = step->cost > 0 && step->cost <= step->left;
    if (taken || lua->stamp_ms > step->at_ms)
        lua_check_key(lua, step, where);
}

#endif
