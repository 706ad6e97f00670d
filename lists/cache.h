/* The entries of one source as a file, so that they outlive a restart. The file's mtime
 * is the time of the last good read: reading the same again only touches it. */
#ifndef LISTS_CACHE_H
#define LISTS_CACHE_H

#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"
#include "base/text.h"
#include "conf/settings.h"
#include "lists/entries.h"

/* A source's entries packed, with a checksum over all that follows it. */
struct cache {
    struct text content;
    char checksum[DIGEST_HEX_SIZE];
};

/* NOMEM is the only failure. */
enum status cache_pack(const struct list_source *source, const struct entries *entries,
                       struct cache *out) MUST_CHECK;
void cache_clear(struct cache *cache);

/* Writes the file beside itself, syncs and renames it; mode 0600. IO with a reason. */
enum status cache_write(const struct cache *cache, const char *path, int64_t read_at_ms,
                        struct error *error) MUST_CHECK;

/* Sets the time of the last good read alone. NOT_FOUND when the file is gone. */
enum status cache_touch(const char *path, int64_t read_at_ms) MUST_CHECK;

/* What a file held. */
struct cache_found {
    struct entries entries; /* the caller's to clear */
    int64_t read_at_ms;
    char checksum[DIGEST_HEX_SIZE];
};

/* NOT_FOUND when there is no file; INVALID when it is torn, of another version or of
 * another source, IO or NOMEM, with a reason in error. */
enum status cache_read(const char *path, const struct list_source *source,
                       struct cache_found *out, struct error *error) MUST_CHECK;

/* The file's name (no folder) of a source. */
enum { CACHE_NAME_SIZE = DIGEST_HEX_SIZE + 8 };
void cache_name(const struct list_source *source, char out[CACHE_NAME_SIZE]);

#define CACHE_SUFFIX ".members"
#define CACHE_TEMPORARY ".new" /* after the name while it is written */

#endif
