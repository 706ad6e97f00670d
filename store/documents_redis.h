/* Documents in Redis: each collection is the hash {prefix}:<name>, its index the sorted
 * set {prefix}:<name>:index. As store/documents.h and store/scan.h say; what reaches here
 * was examined. */
#ifndef STORE_DOCUMENTS_REDIS_H
#define STORE_DOCUMENTS_REDIS_H

#include "store/scan.h"

struct redis;

/* stamp: the new one, or NULL. */
enum status documents_redis_change(struct redis *redis, const struct change *changes,
                                   size_t count, const char *stamp,
                                   int64_t deadline_us) MUST_CHECK;

enum status documents_redis_get(struct redis *redis, enum collection collection,
                                const char *id, int64_t deadline_us,
                                char **out_value) MUST_CHECK;

enum status documents_redis_get_many(struct redis *redis, enum collection collection,
                                     const char *const *ids, size_t count,
                                     int64_t deadline_us, store_each *each,
                                     void *context) MUST_CHECK;

/* In bounded steps, each over a connection of its own turn, so that mail goes on between.
 */
enum status documents_redis_list(struct redis *redis, enum collection collection,
                                 int64_t deadline_us, store_each *each,
                                 void *context) MUST_CHECK;

enum status documents_redis_count(struct redis *redis, enum collection collection,
                                  int64_t deadline_us, size_t *out_count) MUST_CHECK;

enum status documents_redis_page(struct redis *redis, struct scan *scan,
                                 int64_t deadline_us, store_each *each,
                                 void *context) MUST_CHECK;

enum status documents_redis_count_entries(struct redis *redis, const struct scan *scan,
                                          int64_t deadline_us,
                                          size_t *out_count) MUST_CHECK;

#endif
