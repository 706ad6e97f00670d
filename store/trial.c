/* Each command is really run: that sees an ACL as well as a renamed command. The key
 * holds a string, so those for hashes and sets fail on its type where they are allowed,
 * and add nothing. */
#include "store/trial.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { WORDS_MAX = 7 };

struct command {
    const char *name;
    const char *words[WORDS_MAX]; /* KEY stands for the key */
};

static const char KEY[] = "KEY";

/* SET first and DEL last. TIME has no key, and is tried where it is used. */
static const struct command commands[] = {
    {"EVALSHA", {"EVALSHA", "0000000000000000000000000000000000000000", "1", KEY}},
    {"EVAL", {"EVAL", "return 1", "1", KEY}},
    {"TIME", {"EVAL", "return redis.pcall('TIME').err and 0 or 1", "1", KEY}},
    {"SET", {"SET", KEY, "1", "PX", "10000"}},
    {"GET", {"GET", KEY}},
    {"HGET", {"HGET", KEY, "a"}},
    {"HSET", {"HSET", KEY, "a", "1"}},
    {"HLEN", {"HLEN", KEY}},
    {"HSCAN", {"HSCAN", KEY, "0"}},
    {"HDEL", {"HDEL", KEY, "a"}},
    {"ZADD", {"ZADD", KEY, "0", "a"}},
    {"ZREM", {"ZREM", KEY, "a"}},
    {"ZRANGEBYLEX", {"ZRANGEBYLEX", KEY, "-", "+"}},
    {"ZLEXCOUNT", {"ZLEXCOUNT", KEY, "-", "+"}},
    {"DEL", {"DEL", KEY}},
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

bool trial_run(struct connection *connection, const char *prefix, int64_t deadline_us,
               struct trial *out)
{
    struct text key = {0};
    struct text refused = {0};
    text_printf(&key, "{%s}:probe", prefix);
    bool alive = !key.failed;
    for (size_t i = 0; i < sizeof commands / sizeof *commands && alive; i++) {
        bool denied = false;
        alive = try_one(connection, &commands[i], key.data, deadline_us, &denied);
        if (denied)
            text_printf(&refused, "%s%s", refused.length > 0 ? ", " : "",
                        commands[i].name);
    }
    if (refused.length > 0 && !refused.failed)
        (void)snprintf(out->text, sizeof out->text,
                       "the Redis user may not run %s on keys that begin with {%.100s}: "
                       "see store.username in mailbrake.conf(5)",
                       text_string(&refused), prefix);
    text_clear(&refused);
    text_clear(&key);
    return alive;
}
