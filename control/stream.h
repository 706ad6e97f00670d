/* An answer with many records, written while it is sent: {"NAME":[...]}. */
#ifndef CONTROL_STREAM_H
#define CONTROL_STREAM_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "quarantine/ledger_list.h"

struct stream;

enum { STREAM_STEP_MS = 5000 }; /* for the store to give the next page */

/* How records are shown. Borrowed. */
struct stream_view {
    const char *name;                      /* of the one field */
    json_t *(*view)(const json_t *record); /* NULL without memory */
};

/* Takes the list over, also when there is no memory: then NULL. */
struct stream *stream_new(struct ledger_list *list, const struct stream_view *view);
void stream_free(struct stream *stream); /* NULL is allowed */

/* All of it when that is at most max bytes, for free(3); else NULL, and stream_read
 * begins at the beginning. Before any stream_read. */
char *stream_whole(struct stream *stream, size_t max, size_t *out_length);

/* Writes the next bytes, at most max: how many; 0 at the end; -1 when the store does not
 * answer any more, or without memory: what was sent is then no whole document. */
ssize_t stream_read(struct stream *stream, char *out, size_t max);

#endif
