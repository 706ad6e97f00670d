/* The lists of a Mailman 3 core, by its REST API
 * (https://docs.mailman3.org/projects/mailman/en/latest/src/mailman/rest/docs/rest.html).
 */
#ifndef LISTS_MAILMAN_H
#define LISTS_MAILMAN_H

#include <jansson.h>
#include <stddef.h>

#include "base/problems.h"
#include "base/status.h"
#include "lists/entries.h"

enum {
    MAILMAN_PAGE = 1000,      /* entries asked for at once */
    MAILMAN_EXACT_MAX = 1000, /* members of which Mailman is asked who gets mail */
};

/* How Mailman is asked: for the JSON at a path, the caller's to decref. INVALID when it
 * doesn't know what is asked for (400); any other failure ends the read. */
struct mailman_server {
    enum status (*ask)(void *context, const char *path, json_t **out,
                       struct error *error);
    void *context;
};

struct mailman_counts {
    size_t lists;
    size_t members; /* of all lists together */
};

/* Reads all lists into entries (zero-initialised). The posting address has the members,
 * in digests or not; those to whom Mailman delivers nothing are left out of lists of up
 * to MAILMAN_EXACT_MAX, since it takes its time to say who they are. "-owner" has the
 * owners and moderators, or, without any, one person: the site's owner. A list without a
 * valid address is an error in problems. What failed, and after how many lists; NOMEM, or
 * LIMIT past a cap of entries. */
enum status mailman_read(const struct mailman_server *server, struct entries *entries,
                         struct problems *problems, struct mailman_counts *out_counts,
                         struct error *error) MUST_CHECK;

#endif
