/* The thread that connects: it finds the store, tries it, and keeps the pool full; while
 * the store is away it probes it four times a second. */
#ifndef STORE_RECONNECTOR_H
#define STORE_RECONNECTOR_H

#include "store/detour.h"
#include "store/epoch/epoch.h"
#include "store/pool.h"

struct reconnector;

/* What it serves. Borrowed. */
struct reconnector_parts {
    struct pool *pool;
    struct detour *detour; /* NULL: no Cluster */
    struct epoch *epoch;
};

/* Reads the password files and starts the thread. settings and parts are borrowed
 * until reconnector_stop. NOMEM; IO when a password file can't be read. */
enum status reconnector_start(const struct store_settings *settings,
                              const struct reconnector_parts *parts,
                              struct store_reporter reporter,
                              struct reconnector **out_reconnector,
                              struct error *error) MUST_CHECK;

/* Ends the thread (which may be waiting for a name server) and frees. NULL is allowed. */
void reconnector_stop(struct reconnector *reconnector);

/* On which server the store is, or was last, for an administrator; false before the first
 * was found. */
bool reconnector_describe(struct reconnector *reconnector, char *out, size_t size);

#endif
