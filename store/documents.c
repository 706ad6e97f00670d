/* Checks what any store must refuse, then calls the one that is configured. */
#include "store/documents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/backends.h"
#include "store/documents_memory.h"
#include "store/documents_redis.h"

static const char stamp_id[] = "changed"; /* change.lua knows it, too */

static bool is_too_long(const char *text, size_t max)
{
    return text != NULL && strnlen(text, max + 1) > max;
}

static bool is_same(const struct change *a, const struct change *b)
{
    return a->collection == b->collection && strcmp(a->id, b->id) == 0;
}

static enum status examine(const struct change *changes, size_t count)
{
    if (count > DOCUMENTS_CHANGES_MAX)
        return STATUS_LIMIT;
    for (size_t i = 0; i < count; i++) {
        const struct change *change = &changes[i];
        if (is_too_long(change->id, DOCUMENTS_ID_MAX) ||
            is_too_long(change->value, DOCUMENTS_VALUE_MAX) ||
            (change->check && is_too_long(change->expected, DOCUMENTS_VALUE_MAX)))
            return STATUS_LIMIT;
        if (change->id[0] == '\0')
            return STATUS_INVALID;
        for (size_t before = 0; before < i; before++)
            if (is_same(&changes[before], change))
                return STATUS_INVALID;
    }
    return STATUS_OK;
}

/* With a new stamp, at the same instant; NULL: without. */
static enum status change_memory(struct documents_memory *documents,
                                 const struct change *changes, size_t count,
                                 const char *stamp)
{
    if (stamp == NULL)
        return documents_memory_change(documents, changes, count);
    struct change *all = calloc(count + 1, sizeof *all);
    if (all == NULL)
        return STATUS_NOMEM;
    memcpy(all, changes, count * sizeof *all);
    all[count] =
        (struct change){.collection = COLLECTION_STAMP, .id = stamp_id, .value = stamp};
    enum status status = documents_memory_change(documents, all, count + 1);
    free(all);
    return status;
}

enum status store_change(struct store *store, const struct change *changes, size_t count,
                         int64_t deadline_us)
{
    const struct store_backends *backends = store_backends(store);
    char fresh[DIGEST_ID_SIZE];
    const char *stamp = NULL;
    enum status status = examine(changes, count);
    if (status != STATUS_OK || count == 0)
        return status;
    for (size_t i = 0; i < count && stamp == NULL; i++) {
        if (collection_is_shown(changes[i].collection)) {
            digest_random_id(fresh);
            stamp = fresh;
        }
    }
    return backends->redis == NULL
               ? change_memory(backends->documents, changes, count, stamp)
               : documents_redis_change(backends->redis, changes, count, stamp,
                                        deadline_us);
}

enum status store_stamp(struct store *store, int64_t deadline_us,
                        char out[DIGEST_ID_SIZE])
{
    char *value = NULL;
    enum status status =
        store_get(store, COLLECTION_STAMP, stamp_id, deadline_us, &value);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        (void)snprintf(out, DIGEST_ID_SIZE, "%s", value == NULL ? "" : value);
        status = STATUS_OK;
    }
    free(value);
    return status;
}

enum status store_get(struct store *store, enum collection collection, const char *id,
                      int64_t deadline_us, char **out_value)
{
    const struct store_backends *backends = store_backends(store);
    if (id[0] == '\0' || is_too_long(id, DOCUMENTS_ID_MAX))
        return STATUS_NOT_FOUND;
    if (backends->redis == NULL)
        return documents_memory_get(backends->documents, collection, id, out_value);
    return documents_redis_get(backends->redis, collection, id, deadline_us, out_value);
}

/* In memory, one after the other. */
static enum status get_each(struct documents_memory *documents,
                            enum collection collection, const char *const *ids,
                            size_t count, store_each *each, void *context)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        char *value = NULL;
        status = documents_memory_get(documents, collection, ids[i], &value);
        if (status == STATUS_OK)
            status = each(context, ids[i], value);
        else if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
        free(value);
    }
    return status;
}

enum status store_get_many(struct store *store, enum collection collection,
                           const char *const *ids, size_t count, int64_t deadline_us,
                           store_each *each, void *context)
{
    const struct store_backends *backends = store_backends(store);
    if (count > DOCUMENTS_GET_MAX)
        return STATUS_LIMIT;
    if (count == 0)
        return STATUS_OK;
    return backends->redis == NULL
               ? get_each(backends->documents, collection, ids, count, each, context)
               : documents_redis_get_many(backends->redis, collection, ids, count,
                                          deadline_us, each, context);
}

enum status store_list(struct store *store, enum collection collection,
                       int64_t deadline_us, store_each *each, void *context)
{
    const struct store_backends *backends = store_backends(store);
    if (backends->redis == NULL)
        return documents_memory_list(backends->documents, collection, each, context);
    return documents_redis_list(backends->redis, collection, deadline_us, each, context);
}

enum status store_count(struct store *store, enum collection collection,
                        int64_t deadline_us, size_t *out_count)
{
    const struct store_backends *backends = store_backends(store);
    if (backends->redis != NULL)
        return documents_redis_count(backends->redis, collection, deadline_us, out_count);
    *out_count = documents_memory_count(backends->documents, collection);
    return STATUS_OK;
}

enum status store_put_off(struct store *store, enum collection collection, const char *id,
                          const char *expected, const char *value)
{
    const struct store_backends *backends = store_backends(store);
    const struct change change = {.collection = collection,
                                  .id = id,
                                  .check = expected != NULL,
                                  .expected = expected,
                                  .value = value};
    if (backends->redis == NULL)
        return STATUS_OK; /* memory is never away */
    enum status status = examine(&change, 1);
    return status == STATUS_OK ? documents_memory_change(backends->documents, &change, 1)
                               : status;
}

bool store_is_put_off(struct store *store, enum collection collection, const char *id)
{
    const struct store_backends *backends = store_backends(store);
    char *value = NULL;
    bool found = backends->redis != NULL &&
                 documents_memory_get(backends->documents, collection, id, &value) !=
                     STATUS_NOT_FOUND;
    free(value);
    return found;
}

enum status store_list_put_off(struct store *store, enum collection collection,
                               store_each *each, void *context)
{
    const struct store_backends *backends = store_backends(store);
    if (backends->redis == NULL ||
        documents_memory_count(backends->documents, collection) == 0)
        return STATUS_OK;
    return documents_memory_list(backends->documents, collection, each, context);
}
