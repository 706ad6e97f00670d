/* One script call per job; a list is many. A reply is believed only when it is exactly
 * of the shape that the script returns and holds what may be a document. */
#include "store/documents_redis.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/intern.h"
#include "base/text.h"
#include "store/redis.h"
#include "store/script.h"

enum {
    LIMITS = 2,    /* the first arguments of each script */
    ARGUMENTS = 5, /* of one document: change.lua */
    CURSOR_SIZE = 21,
    NUMBER_SIZE = 12,
    READ_MAX = 3,   /* words of a read, after the limits */
    STEP_MS = 5000, /* a server that hangs is noticed, however long a list may take */
};

/* Documents a step, more or less: at most some 2 MB. */
static const char step_text[] = "100";

/* One call, and its reply if take was content with it. */
struct question {
    struct script_call *call;
    enum status (*take)(const redisReply *reply, struct error *error);
    redisReply *reply;
};

/* {prefix}:holds, for free(3). NULL without memory. */
static char *make_key(const struct redis *redis, enum collection collection)
{
    struct text key = {0};
    text_printf(&key, "{%s}:%s", redis_prefix(redis), collection_name(collection));
    if (key.failed)
        text_clear(&key);
    return key.data;
}

static bool is_forbidden(const char *text)
{
    return strstr(text, "NOPERM") != NULL || strstr(text, "The user executing") != NULL ||
           strstr(text, "Unknown Redis command") != NULL;
}

/* An error of Redis. It stands in the way of documents alone: whether charges go on is
 * for them to see. The scripts say REFUSED, the command, Redis's text and the key. */
static enum status take_refusal(const redisReply *reply, struct error *error)
{
    const char *text = reply->str;
    const char *hint =
        is_forbidden(text) ? ": see store.username in mailbrake.conf(5)" : "";
    if (strstr(text, "WRONGTYPE") != NULL)
        return error_set(error, STATUS_INVALID, "bad document in Redis: %s", text);
    if (connection_refuses(reply, "REFUSED"))
        text += strlen("REFUSED ");
    return error_set(error, STATUS_INVALID, "Redis refuses %s%s", text, hint);
}

static enum status take_oddity(struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE, "an unexpected reply");
}

static bool is_string(const redisReply *reply, size_t max)
{
    return reply->type == REDIS_REPLY_STRING && (size_t)reply->len <= max &&
           memchr(reply->str, '\0', (size_t)reply->len) == NULL;
}

static enum status take_value(const redisReply *reply, struct error *error)
{
    if (reply->type == REDIS_REPLY_NIL)
        return STATUS_NOT_FOUND;
    return is_string(reply, DOCUMENTS_VALUE_MAX) ? STATUS_OK : take_oddity(error);
}

static enum status take_count(const redisReply *reply, struct error *error)
{
    bool good = reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0;
    return good ? STATUS_OK : take_oddity(error);
}

static enum status take_outcome(const redisReply *reply, struct error *error)
{
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1)
        return STATUS_OK;
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 0)
        return STATUS_CONFLICT;
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer == -1)
        return STATUS_LIMIT;
    return take_oddity(error);
}

/* A cursor, and an array of ids and values by turns. */
static enum status take_step(const redisReply *reply, struct error *error)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !is_string(reply->element[0], CURSOR_SIZE - 1) || reply->element[0]->len == 0 ||
        reply->element[1]->type != REDIS_REPLY_ARRAY ||
        reply->element[1]->elements % 2 != 0)
        return take_oddity(error);
    const redisReply *list = reply->element[1];
    for (size_t i = 0; i < list->elements; i += 2)
        if (!is_string(list->element[i], DOCUMENTS_ID_MAX) ||
            list->element[i]->len == 0 ||
            !is_string(list->element[i + 1], DOCUMENTS_VALUE_MAX))
            return take_oddity(error);
    return STATUS_OK;
}

static enum status ask(void *context, struct connection *connection, int64_t deadline_us,
                       struct error *error)
{
    struct question *question = context;
    redisReply *reply = NULL;
    enum status status =
        script_run(question->call, connection, deadline_us, &reply, error);
    if (status != STATUS_OK)
        return status;
    status = reply->type == REDIS_REPLY_ERROR ? take_refusal(reply, error)
                                              : question->take(reply, error);
    if (status == STATUS_OK)
        question->reply = reply;
    else
        freeReplyObject(reply);
    return status;
}

static enum status run(struct redis *redis, struct question *question,
                       int64_t deadline_us)
{
    const struct redis_job job = {ask, question};
    return redis_run(redis, &job, deadline_us);
}

/* What every call begins with. */
static void set_limits(struct script_call *call, size_t first, size_t second,
                       char texts[LIMITS][NUMBER_SIZE])
{
    (void)snprintf(texts[0], NUMBER_SIZE, "%zu", first);
    (void)snprintf(texts[1], NUMBER_SIZE, "%zu", second);
    script_set_argument(call, 0, texts[0]);
    script_set_argument(call, 1, texts[1]);
}

static void set_change(struct script_call *call, size_t i, const char *key,
                       const struct change *change)
{
    size_t at = LIMITS + i * ARGUMENTS;
    const char *check = !change->check             ? "any"
                        : change->expected == NULL ? "absent"
                                                   : "equal";
    bool equal = change->check && change->expected != NULL;
    script_set_key(call, i, key);
    script_set_argument(call, at, change->id);
    script_set_argument(call, at + 1, check);
    script_set_argument(call, at + 2, equal ? change->expected : "");
    script_set_argument(call, at + 3, change->value != NULL ? "set" : "delete");
    script_set_argument(call, at + 4, change->value != NULL ? change->value : "");
}

enum status documents_redis_change(struct redis *redis, const struct change *changes,
                                   size_t count, int64_t deadline_us)
{
    char limits[LIMITS][NUMBER_SIZE];
    char *keys[DOCUMENTS_CHANGES_MAX] = {NULL};
    struct script_call call = {0};
    struct question question = {.call = &call, .take = take_outcome};
    enum status status =
        script_init(&call, &scripts_change, count, LIMITS + count * ARGUMENTS);
    if (status == STATUS_OK)
        set_limits(&call, DOCUMENTS_MAX, DOCUMENTS_VALUE_MAX, limits);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        keys[i] = make_key(redis, changes[i].collection);
        if (keys[i] == NULL)
            status = STATUS_NOMEM;
        else
            set_change(&call, i, keys[i], &changes[i]);
    }
    if (status == STATUS_OK)
        status = run(redis, &question, deadline_us);
    if (status == STATUS_OK)
        freeReplyObject(question.reply);
    for (size_t i = 0; i < count; i++)
        free(keys[i]);
    script_clear(&call);
    return status;
}

/* What read.lua is asked, in words, of which the last is NULL. The reply is the caller's.
 */
static enum status read_with(struct redis *redis, const char *key,
                             const char *const words[READ_MAX + 1],
                             enum status (*take)(const redisReply *, struct error *),
                             int64_t deadline_us, redisReply **out_reply)
{
    char limits[LIMITS][NUMBER_SIZE];
    size_t count = 0;
    struct script_call call = {0};
    struct question question = {.call = &call, .take = take};
    while (words[count] != NULL)
        count++;
    enum status status = script_init(&call, &scripts_read, 1, LIMITS + count);
    if (status == STATUS_OK) {
        call.nested = true;
        set_limits(&call, DOCUMENTS_ID_MAX, DOCUMENTS_VALUE_MAX, limits);
        script_set_key(&call, 0, key);
        for (size_t i = 0; i < count; i++)
            script_set_argument(&call, LIMITS + i, words[i]);
        status = run(redis, &question, deadline_us);
    }
    script_clear(&call);
    if (status == STATUS_OK)
        *out_reply = question.reply;
    return status;
}

enum status documents_redis_get(struct redis *redis, enum collection collection,
                                const char *id, int64_t deadline_us, char **out_value)
{
    const char *const words[READ_MAX + 1] = {"get", id};
    redisReply *reply = NULL;
    char *key = make_key(redis, collection);
    enum status status =
        key == NULL ? STATUS_NOMEM
                    : read_with(redis, key, words, take_value, deadline_us, &reply);
    free(key);
    if (status != STATUS_OK)
        return status;
    char *value = strdup(reply->str);
    freeReplyObject(reply);
    if (value == NULL)
        return STATUS_NOMEM;
    *out_value = value;
    return STATUS_OK;
}

enum status documents_redis_count(struct redis *redis, enum collection collection,
                                  int64_t deadline_us, size_t *out_count)
{
    static const char *const words[READ_MAX + 1] = {"count"};
    redisReply *reply = NULL;
    char *key = make_key(redis, collection);
    enum status status =
        key == NULL ? STATUS_NOMEM
                    : read_with(redis, key, words, take_count, deadline_us, &reply);
    free(key);
    if (status != STATUS_OK)
        return status;
    *out_count = (size_t)reply->integer;
    freeReplyObject(reply);
    return STATUS_OK;
}

/* HSCAN may give a document again when the hash changes its size meanwhile. */
static enum status pass_on(const redisReply *list, struct intern *seen,
                           enum status (*each)(void *context, const char *id,
                                               const char *value),
                           void *context)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < list->elements && status == STATUS_OK; i += 2) {
        const redisReply *id = list->element[i];
        uint32_t number, before = intern_count(seen);
        status = intern_add(seen, id->str, (size_t)id->len, &number);
        if (status != STATUS_OK || number != before)
            continue;
        status = before < DOCUMENTS_LISTED_MAX
                     ? each(context, id->str, list->element[i + 1]->str)
                     : STATUS_LIMIT;
    }
    return status;
}

enum status documents_redis_list(
    struct redis *redis, enum collection collection, int64_t deadline_us,
    enum status (*each)(void *context, const char *id, const char *value), void *context)
{
    char cursor[CURSOR_SIZE] = "0";
    char *key = make_key(redis, collection);
    struct intern *seen = intern_new();
    enum status status = key == NULL || seen == NULL ? STATUS_NOMEM : STATUS_OK;
    while (status == STATUS_OK) {
        const char *const words[READ_MAX + 1] = {"list", cursor, step_text};
        redisReply *reply = NULL;
        int64_t step_us = clock_monotonic_us() + STEP_MS * INT64_C(1000);
        if (step_us > deadline_us)
            step_us = deadline_us;
        status = read_with(redis, key, words, take_step, step_us, &reply);
        if (status != STATUS_OK)
            break;
        (void)snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        status = pass_on(reply->element[1], seen, each, context);
        freeReplyObject(reply);
        if (strcmp(cursor, "0") == 0)
            break;
    }
    intern_free(seen);
    free(key);
    return status;
}
