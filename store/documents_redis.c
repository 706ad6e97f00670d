/* One script call per job; a list is many. A reply is accepted only if it has exactly the
 * shape that the script returns and its texts can be documents. */
#include "store/documents_redis.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/intern.h"
#include "base/text.h"
#include "store/detour.h"
#include "store/redis.h"
#include "store/script.h"

enum {
    LIMITS = 3,    /* the first arguments of each script */
    DOCUMENTS = 4, /* of change.lua: behind these and the stamp */
    ARGUMENTS = 7, /* of one document: change.lua */
    CURSOR_SIZE = 21,
    NUMBER_SIZE = 12,
    READ_MAX = DOCUMENTS_GET_MAX + 1, /* words of a read, after the limits */
    STEP_MS = 5000, /* a server that hangs is noticed, however long a list may take */
};

/* A collection and its index. */
struct keys {
    char *hash, *index;
};

/* Documents a step, more or less: at most some 2 MB. */
static const char step_text[] = "100";

/* One call, and its reply if take accepted it. */
struct question {
    struct script_call *call;
    enum status (*take)(const redisReply *reply, struct error *error);
    redisReply *reply;
};

/* {prefix}:holds-by-id and {prefix}:holds-by-id:index, for clear_keys. What has no index
 * needs no right to one: its place takes the other key. False without memory. */
static bool make_keys(const struct redis *redis, enum collection collection,
                      struct keys *out)
{
    struct text hash = {0}, index = {0};
    const char *name = collection_name(collection);
    text_printf(&hash, "{%s}:%s", redis_prefix(redis), name);
    text_printf(&index, "{%s}:%s%s", redis_prefix(redis), name,
                collection_is_indexed(collection) ? ":index" : "");
    if (hash.failed || index.failed) {
        text_clear(&hash);
        text_clear(&index);
        return false;
    }
    *out = (struct keys){hash.data, index.data};
    return true;
}

static void clear_keys(struct keys *keys)
{
    free(keys->hash);
    free(keys->index);
}

/* An error of Redis affects documents alone; charges find out for themselves. The scripts
 * say REFUSED, the command, Redis's text and the key. */
static enum status take_refusal(const redisReply *reply, struct error *error)
{
    const char *text = reply->str;
    if (connection_refuses(reply, "REFUSED"))
        text += strlen("REFUSED ");
    if (strstr(text, "WRONGTYPE") != NULL)
        return error_set(error, STATUS_INVALID, "bad document in Redis: %s", text);
    if (detour_is_moving(reply))
        return error_set(
            error, STATUS_INVALID,
            "the Cluster moves our keys, and answers once they have moved: %s", text);
    return error_set(error, STATUS_INVALID, "Redis refuses %s%s", text,
                     connection_advice(text));
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

/* A cursor, and an array of texts: by turns no longer than first and second. */
static enum status take_step(const redisReply *reply, size_t cursor, size_t first,
                             size_t second, struct error *error)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !is_string(reply->element[0], cursor) ||
        reply->element[1]->type != REDIS_REPLY_ARRAY)
        return take_oddity(error);
    const redisReply *list = reply->element[1];
    for (size_t i = 0; i < list->elements; i++)
        if (!is_string(list->element[i], i % 2 == 0 ? first : second) ||
            (i % 2 == 0 && list->element[i]->len == 0))
            return take_oddity(error);
    return STATUS_OK;
}

static enum status take_list(const redisReply *reply, struct error *error)
{
    enum status status =
        take_step(reply, CURSOR_SIZE - 1, DOCUMENTS_ID_MAX, DOCUMENTS_VALUE_MAX, error);
    if (status == STATUS_OK &&
        (reply->element[0]->len == 0 || reply->element[1]->elements % 2 != 0))
        status = take_oddity(error);
    return status;
}

static enum status take_page(const redisReply *reply, struct error *error)
{
    enum status status = take_step(reply, SCAN_TEXT_SIZE - 1, DOCUMENTS_ENTRY_MAX,
                                   DOCUMENTS_VALUE_MAX, error);
    if (status == STATUS_OK && reply->element[1]->elements % 2 != 0)
        status = take_oddity(error);
    return status;
}

static enum status take_bare_page(const redisReply *reply, struct error *error)
{
    return take_step(reply, SCAN_TEXT_SIZE - 1, DOCUMENTS_ENTRY_MAX, DOCUMENTS_ENTRY_MAX,
                     error);
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
static void set_limits(struct script_call *call, const size_t limits[LIMITS],
                       char texts[LIMITS][NUMBER_SIZE])
{
    for (size_t i = 0; i < LIMITS; i++) {
        (void)snprintf(texts[i], NUMBER_SIZE, "%zu", limits[i]);
        script_set_argument(call, i, texts[i]);
    }
}

/* One document's part in a call, and what it needs in memory. */
struct part {
    struct keys keys;
    char max[NUMBER_SIZE];
};

static void set_change(struct script_call *call, size_t i, struct part *part,
                       const struct change *change)
{
    bool equal = change->check && change->expected != NULL;
    (void)snprintf(part->max, sizeof part->max, "%zu",
                   collection_max(change->collection));
    const char *const words[ARGUMENTS] = {change->id,
                                          part->max,
                                          collection_is_indexed(change->collection) ? "1"
                                                                                    : "0",
                                          equal           ? "equal"
                                          : change->check ? "absent"
                                                          : "any",
                                          equal ? change->expected : "",
                                          change->value != NULL ? "set" : "delete",
                                          change->value != NULL ? change->value : ""};
    script_set_key(call, 2 * i, part->keys.hash);
    script_set_key(call, 2 * i + 1, part->keys.index);
    for (size_t word = 0; word < ARGUMENTS; word++)
        script_set_argument(call, DOCUMENTS + i * ARGUMENTS + word, words[word]);
}

static enum status set_changes(struct redis *redis, struct script_call *call,
                               const struct change *changes, size_t count,
                               struct part *parts)
{
    for (size_t i = 0; i < count; i++) {
        if (!make_keys(redis, changes[i].collection, &parts[i].keys))
            return STATUS_NOMEM;
        set_change(call, i, &parts[i], &changes[i]);
    }
    return STATUS_OK;
}

enum status documents_redis_change(struct redis *redis, const struct change *changes,
                                   size_t count, const char *stamp, int64_t deadline_us)
{
    static const size_t limits[LIMITS] = {DOCUMENTS_VALUE_MAX, DOCUMENTS_ENTRY_MAX,
                                          DOCUMENTS_TERMS_MAX};
    char texts[LIMITS][NUMBER_SIZE];
    struct keys stamps = {0};
    struct part *parts = calloc(count, sizeof *parts);
    struct script_call call = {0};
    struct question question = {.call = &call, .take = take_outcome};
    enum status status =
        script_init(&call, &scripts_change, 2 * count + 1, DOCUMENTS + count * ARGUMENTS);
    if (status == STATUS_OK &&
        (parts == NULL || !make_keys(redis, COLLECTION_STAMP, &stamps)))
        status = STATUS_NOMEM;
    if (status == STATUS_OK) {
        set_limits(&call, limits, texts);
        script_set_argument(&call, LIMITS, stamp == NULL ? "" : stamp);
        status = set_changes(redis, &call, changes, count, parts);
    }
    if (status == STATUS_OK) {
        script_set_key(&call, 2 * count, stamps.hash);
        status = run(redis, &question, deadline_us);
    }
    if (status == STATUS_OK)
        freeReplyObject(question.reply);
    for (size_t i = 0; i < count && parts != NULL; i++)
        clear_keys(&parts[i].keys);
    clear_keys(&stamps);
    free(parts);
    script_clear(&call);
    return status;
}

/* What read.lua is asked, in words, of which the last is NULL. The reply is the caller's.
 */
static enum status read_with(struct redis *redis, enum collection collection,
                             const char *const words[READ_MAX + 1],
                             enum status (*take)(const redisReply *, struct error *),
                             int64_t deadline_us, redisReply **out_reply)
{
    static const size_t limits[LIMITS] = {DOCUMENTS_ID_MAX, DOCUMENTS_VALUE_MAX,
                                          DOCUMENTS_ENTRY_MAX};
    char texts[LIMITS][NUMBER_SIZE];
    size_t count = 0;
    struct keys keys;
    struct script_call call = {0};
    struct question question = {.call = &call, .take = take};
    if (!make_keys(redis, collection, &keys))
        return STATUS_NOMEM;
    while (words[count] != NULL)
        count++;
    enum status status = script_init(&call, &scripts_read, 2, LIMITS + count);
    if (status == STATUS_OK) {
        call.depth = 1;
        set_limits(&call, limits, texts);
        script_set_key(&call, 0, keys.hash);
        script_set_key(&call, 1, keys.index);
        for (size_t i = 0; i < count; i++)
            script_set_argument(&call, LIMITS + i, words[i]);
        status = run(redis, &question, deadline_us);
    }
    script_clear(&call);
    clear_keys(&keys);
    if (status == STATUS_OK)
        *out_reply = question.reply;
    return status;
}

enum status documents_redis_get(struct redis *redis, enum collection collection,
                                const char *id, int64_t deadline_us, char **out_value)
{
    const char *const words[READ_MAX + 1] = {"get", id};
    redisReply *reply = NULL;
    enum status status =
        read_with(redis, collection, words, take_value, deadline_us, &reply);
    if (status != STATUS_OK)
        return status;
    char *value = strdup(reply->str);
    freeReplyObject(reply);
    if (value == NULL)
        return STATUS_NOMEM;
    *out_value = value;
    return STATUS_OK;
}

static enum status count_with(struct redis *redis, enum collection collection,
                              const char *const words[READ_MAX + 1], int64_t deadline_us,
                              size_t *out_count)
{
    redisReply *reply = NULL;
    enum status status =
        read_with(redis, collection, words, take_count, deadline_us, &reply);
    if (status != STATUS_OK)
        return status;
    *out_count = (size_t)reply->integer;
    freeReplyObject(reply);
    return STATUS_OK;
}

enum status documents_redis_count(struct redis *redis, enum collection collection,
                                  int64_t deadline_us, size_t *out_count)
{
    static const char *const words[READ_MAX + 1] = {"count"};
    return count_with(redis, collection, words, deadline_us, out_count);
}

enum status documents_redis_count_entries(struct redis *redis, const struct scan *scan,
                                          int64_t deadline_us, size_t *out_count)
{
    const char *const words[READ_MAX + 1] = {"entries", scan->next, scan->until};
    return count_with(redis, scan->collection, words, deadline_us, out_count);
}

enum status documents_redis_page(struct redis *redis, struct scan *scan,
                                 int64_t deadline_us, store_each *each, void *context)
{
    char max[NUMBER_SIZE], bytes[NUMBER_SIZE];
    redisReply *reply = NULL;
    const char *const words[READ_MAX + 1] = {
        "page", scan->next, scan->until, max, bytes, scan->bare ? "bare" : "whole"};
    (void)snprintf(max, sizeof max, "%d", scan->bare ? SCAN_BARE_MAX : SCAN_PAGE_MAX);
    (void)snprintf(bytes, sizeof bytes, "%d", SCAN_PAGE_BYTES);
    enum status status =
        read_with(redis, scan->collection, words, scan->bare ? take_bare_page : take_page,
                  deadline_us, &reply);
    if (status != STATUS_OK)
        return status;
    const redisReply *list = reply->element[1];
    size_t step = scan->bare ? 1 : 2;
    for (size_t i = 0; i < list->elements && status == STATUS_OK; i += step)
        status = each(context, list->element[i]->str,
                      scan->bare ? NULL : list->element[i + 1]->str);
    scan->done = reply->element[0]->len == 0;
    (void)snprintf(scan->next, sizeof scan->next, "%s", reply->element[0]->str);
    freeReplyObject(reply);
    return status;
}

enum status documents_redis_get_many(struct redis *redis, enum collection collection,
                                     const char *const *ids, size_t count,
                                     int64_t deadline_us, store_each *each, void *context)
{
    const char *words[READ_MAX + 1] = {"many"};
    redisReply *reply = NULL;
    memcpy(words + 1, ids, count * sizeof *ids);
    enum status status =
        read_with(redis, collection, words, take_list, deadline_us, &reply);
    if (status != STATUS_OK)
        return status;
    const redisReply *list = reply->element[1];
    for (size_t i = 0; i < list->elements && status == STATUS_OK; i += 2)
        status = each(context, list->element[i]->str, list->element[i + 1]->str);
    freeReplyObject(reply);
    return status;
}

/* HSCAN may give a document again when the hash changes its size meanwhile. */
static enum status pass_on(const redisReply *list, struct intern *seen, store_each *each,
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

enum status documents_redis_list(struct redis *redis, enum collection collection,
                                 int64_t deadline_us, store_each *each, void *context)
{
    char cursor[CURSOR_SIZE] = "0";
    struct intern *seen = intern_new();
    enum status status = seen == NULL ? STATUS_NOMEM : STATUS_OK;
    while (status == STATUS_OK) {
        const char *const words[READ_MAX + 1] = {"list", cursor, step_text};
        redisReply *reply = NULL;
        int64_t step_us = clock_deadline_us(STEP_MS);
        if (step_us > deadline_us)
            step_us = deadline_us;
        status = read_with(redis, collection, words, take_list, step_us, &reply);
        if (status != STATUS_OK)
            break;
        (void)snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        status = pass_on(reply->element[1], seen, each, context);
        freeReplyObject(reply);
        if (strcmp(cursor, "0") == 0)
            break;
    }
    intern_free(seen);
    return status;
}
