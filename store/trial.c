/* Each command is really run: that sees an ACL as well as a renamed command. The key
 * holds a string, so those for hashes and sets fail on its type where they are allowed,
 * and add nothing. Keys are named to a script that doesn't exist: Redis first looks
 * whether the user may use them. */
#include "store/trial.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "conf/settings.h"
#include "store/collection.h"

enum {
    WORDS_MAX = 7,
    KEYS_MAX = 2 * COLLECTIONS + 2,
    NAMED_MAX = 8, /* keys, in a text */
};

static const char KEY[] = "KEY"; /* stands for the key */
static const char NO_SCRIPT[] = "0000000000000000000000000000000000000000";

struct command {
    const char *name;
    const char *words[WORDS_MAX];
    bool cluster; /* only of use there */
};

/* SET first and DEL last. TIME has no key, and is tried where it is used. */
static const struct command commands[] = {
    {"EVALSHA", {"EVALSHA", NO_SCRIPT, "1", KEY}, false},
    {"EVAL", {"EVAL", "return 1", "1", KEY}, false},
    {"TIME", {"EVAL", "return redis.pcall('TIME').err and 0 or 1", "1", KEY}, false},
    {"SET", {"SET", KEY, "1", "PX", "10000"}, false},
    {"GET", {"GET", KEY}, false},
    {"HGET", {"HGET", KEY, "a"}, false},
    {"HSET", {"HSET", KEY, "a", "1"}, false},
    {"HLEN", {"HLEN", KEY}, false},
    {"HSCAN", {"HSCAN", KEY, "0"}, false},
    {"HDEL", {"HDEL", KEY, "a"}, false},
    {"ZADD", {"ZADD", KEY, "0", "a"}, false},
    {"ZREM", {"ZREM", KEY, "a"}, false},
    {"ZRANGEBYLEX", {"ZRANGEBYLEX", KEY, "-", "+"}, false},
    {"ZLEXCOUNT", {"ZLEXCOUNT", KEY, "-", "+"}, false},
    {"ASKING", {"ASKING"}, true},
    {"DEL", {"DEL", KEY}, false},
};

static bool is_refused(const redisReply *reply, const struct command *command)
{
    if (strcmp(command->name, "TIME") == 0)
        return reply->type == REDIS_REPLY_INTEGER && reply->integer == 0;
    return connection_refuses(reply, "NOPERM") ||
           (reply->type == REDIS_REPLY_ERROR &&
            strncasecmp(reply->str, "ERR unknown command", 19) == 0);
}

static bool try_one(struct connection *connection, const struct command *command,
                    const char *key, int64_t deadline_us, bool *out_refused)
{
    const char *words[WORDS_MAX];
    size_t lengths[WORDS_MAX];
    redisReply *reply = NULL;
    int count = 0;
    for (; count < WORDS_MAX && command->words[count] != NULL; count++) {
        words[count] = command->words[count] == KEY ? key : command->words[count];
        lengths[count] = strlen(words[count]);
    }
    const struct connection_command asked = {
        .count = count, .words = words, .lengths = lengths, .depth = 1};
    if (connection_ask(connection, &asked, deadline_us, &reply, NULL) != STATUS_OK)
        return false;
    *out_refused = is_refused(reply, command);
    freeReplyObject(reply);
    return true;
}

static void add_to_list(struct text *list, const char *word)
{
    text_printf(list, "%s%s", list->length > 0 ? ", " : "", word);
}

/* False when the connection died; so does try_keys. */
static bool try_commands(struct connection *connection, const char *key, bool cluster,
                         int64_t deadline_us, struct text *out_refused)
{
    bool alive = true;
    for (size_t i = 0; i < sizeof commands / sizeof *commands && alive; i++) {
        bool denied = false;
        if (commands[i].cluster && !cluster)
            continue;
        alive = try_one(connection, &commands[i], key, deadline_us, &denied);
        if (denied)
            add_to_list(out_refused, commands[i].name);
    }
    return alive;
}

/* Whether the user may use all of these keys. */
static bool ask_keys(struct connection *connection, char *const *keys, size_t count,
                     int64_t deadline_us, bool *out_refused)
{
    char number[21];
    const char *words[3 + KEYS_MAX] = {"EVALSHA", NO_SCRIPT, number};
    size_t lengths[3 + KEYS_MAX];
    redisReply *reply = NULL;
    (void)snprintf(number, sizeof number, "%zu", count);
    for (size_t i = 0; i < count; i++)
        words[3 + i] = keys[i];
    for (size_t i = 0; i < 3 + count; i++)
        lengths[i] = strlen(words[i]);
    const struct connection_command asked = {
        .count = (int)(3 + count), .words = words, .lengths = lengths};
    if (connection_ask(connection, &asked, deadline_us, &reply, NULL) != STATUS_OK)
        return false;
    *out_refused =
        connection_refuses(reply, "NOPERM") && strstr(reply->str, "access") != NULL;
    freeReplyObject(reply);
    return true;
}

/* All at once; if that is refused, one after the other. */
static bool try_keys(struct connection *connection, char *const *keys, size_t count,
                     int64_t deadline_us, struct text *out_refused)
{
    bool denied = false;
    size_t more = 0, named = 0;
    bool alive = ask_keys(connection, keys, count, deadline_us, &denied);
    for (size_t i = 0; denied && i < count && alive; i++) {
        bool this_one = false;
        alive = ask_keys(connection, keys + i, 1, deadline_us, &this_one);
        if (this_one && named++ < NAMED_MAX)
            add_to_list(out_refused, keys[i]);
        else
            more += this_one;
    }
    if (more > 0)
        text_printf(out_refused, " and %zu more", more);
    return alive;
}

/* The first is that of the trial, which begins as those of buckets do. */
static enum status make_keys(const char *prefix, struct strings *out)
{
    struct text key = {0};
    text_printf(&key, "{%s}:b:trial", prefix);
    enum status status = strings_add(out, text_string(&key));
    text_reset(&key);
    text_printf(&key, "{%s}:epoch", prefix);
    if (status == STATUS_OK)
        status = strings_add(out, text_string(&key));
    for (int i = 0; i < COLLECTIONS && status == STATUS_OK; i++) {
        const char *name = collection_name((enum collection)i);
        text_reset(&key);
        text_printf(&key, "{%s}:%s", prefix, name);
        status = strings_add(out, text_string(&key));
        text_add_string(&key, ":index");
        if (status == STATUS_OK && collection_is_indexed((enum collection)i))
            status = strings_add(out, text_string(&key));
    }
    bool whole = !key.failed;
    text_clear(&key);
    return whole ? status : STATUS_NOMEM;
}

bool trial_run(struct connection *connection, const char *prefix, bool cluster,
               int64_t deadline_us, struct trial *out)
{
    struct strings keys = {0};
    struct text denied = {0}, refused = {0};
    bool alive = make_keys(prefix, &keys) == STATUS_OK &&
                 try_keys(connection, keys.items, keys.count, deadline_us, &denied);
    /* A key that may not be used says nothing about commands. */
    if (alive && strstr(text_string(&denied), ":b:trial") == NULL)
        alive = try_commands(connection, keys.items[0], cluster, deadline_us, &refused);
    if (refused.length > 0 && !refused.failed)
        (void)snprintf(out->commands, sizeof out->commands,
                       "the Redis user may not run %s on keys that begin with {%.100s}: "
                       "see store.username in mailbrake.conf(5)",
                       text_string(&refused), prefix);
    if (denied.length > 0 && !denied.failed)
        (void)snprintf(out->keys, sizeof out->keys,
                       "the Redis user may not use %s: see store.username in "
                       "mailbrake.conf(5)",
                       text_string(&denied));
    text_clear(&refused);
    text_clear(&denied);
    strings_clear(&keys);
    return alive;
}
