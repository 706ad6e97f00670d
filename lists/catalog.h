/* The members of every list, as written, from its last successful read. Lives as long as
 * the daemon, on the reload thread, and in a folder across restarts. */
#ifndef LISTS_CATALOG_H
#define LISTS_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/problems.h"
#include "base/status.h"
#include "conf/settings.h"
#include "lists/entries.h"
#include "lists/jumps.h"
#include "lists/source.h"

struct catalog;

/* folder: where the last good members are kept across restarts, NULL for nowhere; made if
 * it is missing. NULL when out of memory. Used by one thread at a time. */
struct catalog *catalog_new(const char *folder);
void catalog_free(struct catalog *catalog);

/* Makes the catalog read-only: it changes nothing in the folder, and skips what it can't
 * read there without a warning. */
void catalog_only_look(struct catalog *catalog);

/* The folder that goes with a state_file: "lists" beside it. For free(3); NULL for none,
 * and without memory. */
char *catalog_folder(const char *state_file);

/* Takes over how a read of the source went, also on failure; domains: where its bare
 * names answer. The entries of one that went well become the last good ones. Among them,
 * a failed entry gets back the members it had when it was last read successfully; where
 * there are none it stays failed with read_at_ms 0. One that lost its members keeps those
 * it had, see shrink.h. A read that passes a cap with those is a failed one. What goes
 * wrong with the folder is a warning. NOMEM: the last good entries are as they were. */
enum status catalog_take(struct catalog *catalog, const struct list_source *source,
                         const struct domains *domains, struct source_read *read,
                         struct problems *problems) MUST_CHECK;

/* True when the last catalog_take of the source, which is known, changed what counts of
 * it, or how its failure reads: false when it only failed once more. */
bool catalog_is_news(struct catalog *catalog, const struct list_source *source);

/* False for a source that was swept, and before its members are first asked for. */
bool catalog_knows(struct catalog *catalog, const struct list_source *source);

/* How the last read in the life of the catalog went (its entries are catalog_last's);
 * borrowed until the next call. NULL when there was none. */
const struct source_read *catalog_last_read(struct catalog *catalog,
                                            const struct list_source *source);

/* Milliseconds until the source is to be read: its refresh after a good read, at most a
 * minute after a failure, 0 when it wasn't read since the catalog began or catalog_want
 * was called. */
int64_t catalog_wait_ms(struct catalog *catalog, const struct list_source *source,
                        int64_t now_ms);

/* A read of the source begins: from now on catalog_want asks for another one. */
void catalog_begin(struct catalog *catalog, const struct list_source *source);
void catalog_want(struct catalog *catalog); /* all sources */

/* The entries of the last good read and its wall time, borrowed until the next
 * call. NOT_FOUND when the source was never read successfully; NOMEM. */
enum status catalog_last(struct catalog *catalog, const struct list_source *source,
                         struct problems *problems, struct entries **out_entries,
                         int64_t *out_read_at_ms) MUST_CHECK;

/* Drops the members that shrunk entries of a source kept, where jumps_is_accepted says so
 * of the list at their address. domains: where its bare names answer. What goes wrong
 * with the folder is a warning; NOMEM. */
enum status catalog_drop_accepted(struct catalog *catalog,
                                  const struct list_source *source,
                                  const struct domains *domains,
                                  struct problems *problems) MUST_CHECK;

/* The accepted sizes of lists, which are the catalog's. */
struct jumps *catalog_jumps(struct catalog *catalog);
bool catalog_only_looks(const struct catalog *catalog);

/* Forgets, also on disk, the sources that are not in the settings: members are kept no
 * longer than their source is configured. */
void catalog_sweep(struct catalog *catalog, const struct settings *settings);

#endif
