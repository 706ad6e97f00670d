/* One command or script call an errand; a list is many. A reply is believed only when it
 * is exactly of the shape that the command returns and holds what may be a document. */
#include "store/documents_redis.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/text.h"
#include "store/redis.h"
#include "store/script.h"

enum {
    ARGUMENTS = 5, /* of one document: change.lua */
    CURSOR_SIZE = 21,
    LISTED_MAX = 2 * DOCUMENTS_MAX, /* ids that come and go during one list */
};

/* Documents a step, more or less: at most some 2 MB. */
static const char step_text[] = "100";

/* One command, and its reply if take was content with it. */
struct question {
    struct wire_command command;
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

/* What an error of Redis means. A value of another type, or a command that an ACL
 * forbids, stands in the way of documents alone: charges go on. */
static enum status take_refusal(const redisReply *reply, struct error *error)
{
    bool ours = wire_refuses(reply, "WRONGTYPE") || wire_refuses(reply, "NOPERM") ||
                wire_refuses(reply, "REFUSED");
    return error_set(error, ours ? STATUS_INVALID : STATUS_UNAVAILABLE, "%s", reply->str);
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
    if (reply->type != REDIS_REPLY_STRING)
        return take_oddity(error);
    if (!is_string(reply, DOCUMENTS_VALUE_MAX))
        return error_set(error, STATUS_INVALID, "no text, or too long");
    return STATUS_OK;
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
    for (size_t i = 0; i < list->elements; i++)
        if (list->element[i]->type != REDIS_REPLY_STRING)
            return take_oddity(error);
    for (size_t i = 0; i < list->elements; i += 2)
        if (list->element[i]->len == 0 ||
            !is_string(list->element[i], DOCUMENTS_ID_MAX) ||
            !is_string(list->element[i + 1], DOCUMENTS_VALUE_MAX))
            return error_set(error, STATUS_INVALID,
                             "an id or a value is no text, or "
                             "too long");
    return STATUS_OK;
}

/* Where to look; the script does so itself. */
static void add_key(struct error *error, const char *key)
{
    size_t length = strlen(error->text);
    (void)snprintf(error->text + length, sizeof error->text - length, " %s", key);
}

static enum status ask(void *context, struct wire *wire, int64_t deadline_us,
                       struct error *error)
{
    struct question *question = context;
    redisReply *reply = NULL;
    enum status status = wire_ask(wire, &question->command, deadline_us, &reply, error);
    if (status != STATUS_OK)
        return status;
    status = reply->type == REDIS_REPLY_ERROR ? take_refusal(reply, error)
                                              : question->take(reply, error);
    if (status == STATUS_INVALID)
        add_key(error, question->command.words[1]);
    if (status == STATUS_OK)
        question->reply = reply;
    else
        freeReplyObject(reply);
    return status;
}

static enum status run(struct redis *redis, struct question *question,
                       int64_t deadline_us)
{
    const struct redis_errand errand = {ask, question, "document"};
    return redis_run(redis, &errand, deadline_us);
}

static enum status run_change(void *context, struct wire *wire, int64_t deadline_us,
                              struct error *error)
{
    const struct script_call *call = context;
    redisReply *reply = NULL;
    enum status status = script_run(call, wire, deadline_us, &reply, error);
    if (status != STATUS_OK)
        return status;
    status = reply->type == REDIS_REPLY_ERROR ? take_refusal(reply, error)
                                              : take_outcome(reply, error);
    freeReplyObject(reply);
    return status;
}

static void set_change(struct script_call *call, size_t i, const char *key,
                       const struct change *change)
{
    size_t at = 1 + i * ARGUMENTS;
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
    char max_text[16];
    char *keys[DOCUMENTS_CHANGES_MAX] = {NULL};
    struct script_call call = {0};
    const struct redis_errand errand = {run_change, &call, "document"};
    enum status status =
        script_init(&call, &scripts_change, count, 1 + count * ARGUMENTS);
    (void)snprintf(max_text, sizeof max_text, "%d", (int)DOCUMENTS_MAX);
    if (status == STATUS_OK)
        script_set_argument(&call, 0, max_text);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        keys[i] = make_key(redis, changes[i].collection);
        if (keys[i] == NULL)
            status = STATUS_NOMEM;
        else
            set_change(&call, i, keys[i], &changes[i]);
    }
    if (status == STATUS_OK)
        status = redis_run(redis, &errand, deadline_us);
    for (size_t i = 0; i < count; i++)
        free(keys[i]);
    script_clear(&call);
    return status;
}

enum status documents_redis_get(struct redis *redis, enum collection collection,
                                const char *id, int64_t deadline_us, char **out_value)
{
    char *key = make_key(redis, collection);
    if (key == NULL)
        return STATUS_NOMEM;
    const char *words[] = {"HGET", key, id};
    const size_t lengths[] = {4, strlen(key), strlen(id)};
    struct question question = {
        .command = {.count = 3, .words = words, .lengths = lengths}, .take = take_value};
    enum status status = run(redis, &question, deadline_us);
    free(key);
    if (status != STATUS_OK)
        return status;
    char *value = strdup(question.reply->str);
    freeReplyObject(question.reply);
    if (value == NULL)
        return STATUS_NOMEM;
    *out_value = value;
    return STATUS_OK;
}

enum status documents_redis_count(struct redis *redis, enum collection collection,
                                  int64_t deadline_us, size_t *out_count)
{
    char *key = make_key(redis, collection);
    if (key == NULL)
        return STATUS_NOMEM;
    const char *words[] = {"HLEN", key};
    const size_t lengths[] = {4, strlen(key)};
    struct question question = {
        .command = {.count = 2, .words = words, .lengths = lengths}, .take = take_count};
    enum status status = run(redis, &question, deadline_us);
    free(key);
    if (status != STATUS_OK)
        return status;
    *out_count = (size_t)question.reply->integer;
    freeReplyObject(question.reply);
    return STATUS_OK;
}

/* The next documents from cursor on. */
static enum status scan(struct redis *redis, const char *key, const char *cursor,
                        int64_t deadline_us, redisReply **out_reply)
{
    const char *words[] = {"HSCAN", key, cursor, "COUNT", step_text};
    const size_t lengths[] = {5, strlen(key), strlen(cursor), 5, sizeof step_text - 1};
    struct question question = {
        .command = {.count = 5, .words = words, .lengths = lengths, .nested = true},
        .take = take_step};
    enum status status = run(redis, &question, deadline_us);
    if (status == STATUS_OK)
        *out_reply = question.reply;
    return status;
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
        status = before < LISTED_MAX ? each(context, id->str, list->element[i + 1]->str)
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
        redisReply *reply = NULL;
        status = scan(redis, key, cursor, deadline_us, &reply);
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
