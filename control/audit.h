/* What administrators did and looked at: a file of JSON lines that is only ever appended
 * to, each line on the disk before the answer goes out. What changes something has a line
 * before it, too, so that nothing is done that could not be written down. */
#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

#include <jansson.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/status.h"

struct audit;

enum {
    AUDIT_READ_MAX = 10000,                 /* entries in one answer, the newest */
    AUDIT_READ_BYTES_MAX = 8 * 1024 * 1024, /* looked at from the end of the file */
    AUDIT_TEXT_MAX = 500,                   /* bytes kept of each text */
};

/* All strings borrowed; bytes that are no UTF-8 become U+FFFD. */
struct audit_entry {
    int64_t at_ms; /* wall time, when it was asked for */
    uid_t uid;
    const char *user;     /* its name, "" when it has none */
    const char *action;   /* "release", "brake set", ... */
    const char *target;   /* a hold's or incident's id, a key; "" */
    const char *purpose;  /* in the administrator's words; "" */
    const json_t *ids;    /* arrays of what was done to many at once: to which it was */
    const json_t *failed; /* done, and to which not; NULL: not shown */
    const char *result;   /* "ok", or what went wrong */
};

/* path is copied; NULL: nothing is kept. The file is made at the first entry, with mode
 * 0600, and opened for each, so that logrotate(8) may move it. NULL without memory. */
struct audit *audit_new(const char *path);
void audit_free(struct audit *audit);

/* One entry, fsynced. IO with the system's words; then the file is as before. */
enum status audit_append(struct audit *audit, const struct audit_entry *entry,
                         struct error *error) MUST_CHECK;

/* Before something is done: a line with all but a result, fsynced; the disk has room for
 * the next. IO when not: then don't do it. out_id is what both lines share. */
enum status audit_begin(struct audit *audit, const struct audit_entry *entry,
                        char out_id[DIGEST_ID_SIZE], struct error *error) MUST_CHECK;

/* After it: a line with what came of it. IO as in audit_append: then it stays unended. */
enum status audit_end(struct audit *audit, const char *id,
                      const struct audit_entry *entry, struct error *error) MUST_CHECK;

/* The result of what has begun and not ended. */
#define AUDIT_NOT_ENDED "not ended: still at work, or mailbraked stopped halfway"

/* Entries at or after since_ms, in the order in which they were written: [{"at", "at_ms",
 * "uid", "user", "action", "target", "purpose", "ids"?, "failed"?, "result"}], one
 * for what has two lines. A damaged line is left out. The caller owns the array. */
enum status audit_read(struct audit *audit, int64_t since_ms, json_t **out,
                       struct error *error) MUST_CHECK;

#endif
