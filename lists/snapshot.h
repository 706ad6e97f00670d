/* Configuration and directory, resolved against each other: immutable and refcounted. The
 * daemon judges each message by one, the command checks and explains by one. */
#ifndef LISTS_SNAPSHOT_H
#define LISTS_SNAPSHOT_H

#include <stdatomic.h>

#include "base/problems.h"
#include "conf/settings.h"
#include "lists/catalog.h"
#include "policy/directory.h"

struct snapshot {
    atomic_uint references;
    atomic_uint
        pins; /* of these, by messages that are judged (lists/current_snapshot.h) */
    const struct settings *settings; /* shared with the snapshots made from this one */
    const struct directory *directory;
    struct snapshot_parts *parts; /* private: what is freed with it */
};

/* Reads the configuration and every source of lists. catalog keeps the last good members
 * of each list between calls; NULL (check, explain) looks at what the daemon keeps.
 * strict: a source that can't be read, and a rule's list that does not exist, are errors
 * (check); otherwise warnings (the daemon: lists may come back). Servers are asked only
 * without a catalog, not strict only where nothing is kept. OK with one reference in
 * *out_snapshot; anything else leaves it alone and the reason in problems. */
enum status snapshot_load(const char *path, struct catalog *catalog, bool strict,
                          struct problems *problems,
                          struct snapshot **out_snapshot) MUST_CHECK;

/* Adds to a directory before it is sealed; see directory.h for what it may return. */
struct snapshot_more {
    enum status (*add)(void *context, struct directory *directory);
    void *context;
};

/* As snapshot_load, not strict and without a catalog, and with the lists that more adds:
 * a replay makes them up. */
enum status snapshot_load_more(const char *path, const struct snapshot_more *more,
                               struct problems *problems,
                               struct snapshot **out_snapshot) MUST_CHECK;

/* The same configuration, with the sources read again that are due (refresh) at now_ms,
 * wall time; aliases: those of aliases(5) also before they are due; the configuration's
 * file is not read. Returns what snapshot_load does. */
enum status snapshot_refresh(const struct snapshot *old, struct catalog *catalog,
                             int64_t now_ms, bool aliases, struct problems *problems,
                             struct snapshot **out_snapshot) MUST_CHECK;

/* Gives fresh the running values of what only a restart changes; call before others see
 * fresh. NOMEM: fresh is of no use. */
enum status snapshot_keep(struct snapshot *fresh,
                          const struct snapshot *running) MUST_CHECK;

/* A line for each source that a server answered for: who, how much, in how long; borrowed
 * from the snapshot. */
const char *snapshot_summaries(const struct snapshot *snapshot);

/* A line for each source that could not be read, with the reason; borrowed, too. */
const char *snapshot_unread(const struct snapshot *snapshot);

/* The settings alone, which outlive the snapshot until their last unref: whoever works on
 * them for long doesn't keep a directory in memory. */
struct snapshot_settings;
struct snapshot_settings *snapshot_settings_ref(const struct snapshot *snapshot);
const struct settings *snapshot_settings_get(const struct snapshot_settings *settings);
void snapshot_settings_unref(struct snapshot_settings *settings); /* NULL is allowed */

struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot); /* the last one frees; NULL is allowed */

#endif
