/* What the scans of both stores share. */
#include "store/scan.h"

#include <stdio.h>
#include <string.h>

#include "store/backends.h"
#include "store/documents_memory.h"
#include "store/documents_redis.h"

void scan_set(struct scan *scan, enum collection collection, const char *prefix,
              const char *until)
{
    size_t length = strlen(prefix);
    *scan = (struct scan){.collection = collection};
    (void)snprintf(scan->next, sizeof scan->next, "%s", prefix);
    (void)snprintf(scan->until, sizeof scan->until, "%s", until == NULL ? prefix : until);
    if (until == NULL && length > 0 && length < sizeof scan->until)
        scan->until[length - 1]++; /* no entry that begins with prefix comes after it */
}

const char *scan_id(const char *entry)
{
    const char *blank = strrchr(entry, ' ');
    return blank == NULL ? entry : blank + 1;
}

/* Passes entries on, and records the position. */
struct follower {
    struct scan *scan;
    store_each *each;
    void *context;
};

static enum status follow(void *context, const char *entry, const char *value)
{
    const struct follower *follower = context;
    struct scan *scan = follower->scan;
    enum status status = follower->each(follower->context, entry, value);
    if (status == STATUS_OK)
        (void)snprintf(scan->next, sizeof scan->next, "%s\x01", entry);
    return status;
}

enum status scan_page(struct store *store, struct scan *scan, int64_t deadline_us,
                      store_each *each, void *context)
{
    const struct store_backends *backends = store_backends(store);
    struct scan asked = *scan;
    struct follower follower = {scan, each, context};
    if (!collection_is_indexed(scan->collection)) {
        scan->done = true;
        return STATUS_OK;
    }
    enum status status =
        backends->redis == NULL
            ? documents_memory_page(backends->documents, &asked, follow, &follower)
            : documents_redis_page(backends->redis, &asked, deadline_us, follow,
                                   &follower);
    if (status == STATUS_OK)
        *scan = asked;
    return status;
}

enum status scan_count(struct store *store, const struct scan *scan, int64_t deadline_us,
                       size_t *out_count)
{
    const struct store_backends *backends = store_backends(store);
    *out_count = 0;
    if (!collection_is_indexed(scan->collection))
        return STATUS_OK;
    if (backends->redis != NULL)
        return documents_redis_count_entries(backends->redis, scan, deadline_us,
                                             out_count);
    *out_count = documents_memory_count_entries(backends->documents, scan);
    return STATUS_OK;
}
