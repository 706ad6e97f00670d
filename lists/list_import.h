/* Reads every source of lists and enters what it says into a directory. */
#ifndef LISTS_LIST_IMPORT_H
#define LISTS_LIST_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/problems.h"
#include "base/status.h"
#include "base/text.h"
#include "conf/settings.h"
#include "lists/catalog.h"
#include "policy/directory.h"

/* Which servers (LDAP, Mailman) an import asks itself, waiting for their answer. */
enum list_import_servers {
    SERVERS_NONE,    /* they are read elsewhere, into the catalog */
    SERVERS_UNKNOWN, /* those that were never read */
    SERVERS_ALL,
};

/* What an import works on; all pointers are borrowed. */
struct list_import {
    struct catalog *catalog;
    struct directory *directory; /* not sealed yet */
    struct problems *problems;
    int64_t now_ms; /* wall time */
    bool due_only;  /* leave sources alone that were read less than their refresh ago */
    bool aliases;   /* but not those of aliases(5) */
    enum list_import_servers servers;
    struct text *summaries;      /* a line for each server that was read is added */
    struct text *unread_sources; /* and one for each source that wasn't; may be NULL */
    struct list_origin *origins; /* filled; for free(3) */
    uint32_t origin_count;
    bool unread; /* set when a source, or an :include: of one, could not be read */
};

/* A source that can't be read, and bad lines, are errors in problems; the last good
 * members stand in for what could not be read, as LIST_STALE, or LIST_UNKNOWN when they
 * are older than the source's max_age_ms or there are none. Of a table that was never
 * read each domain is doubted. NOMEM, or LIMIT past a cap of the directory. */
enum status list_import_sources(const struct settings *settings,
                                struct list_import *import) MUST_CHECK;

#endif
