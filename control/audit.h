/* What administrators did and looked at: a file of JSON lines that is only ever appended
 * to, each line on the disk before the answer goes out. What changes something is
 * announced first, so that nothing is done that could not be written down. */
#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

#include <jansson.h>
#include <sys/types.h>

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
 * 0600, and opened for each, so that logrotate(8) may move it. What was announced and
 * never ended, since the process was killed, is entered now. NULL without memory. */
struct audit *audit_new(const char *path);
void audit_free(struct audit *audit);

/* One entry, fsynced. IO with the system's words; then the file is as before. */
enum status audit_append(struct audit *audit, const struct audit_entry *entry,
                         struct error *error) MUST_CHECK;

/* Before something is done: the entry lies beside the file, as
 * "<path>.begun-<random id>", with the result AUDIT_INTERRUPTED, and the file itself can
 * be written to and has room. IO when not: then don't do it. out_mark names the
 * announcement. */
enum { AUDIT_MARK_SIZE = 17 };
#define AUDIT_INTERRUPTED "interrupted: it is not known how far it went"
enum status audit_announce(struct audit *audit, const struct audit_entry *entry,
                           char out_mark[AUDIT_MARK_SIZE],
                           struct error *error) MUST_CHECK;

/* After it: the one entry, with what came of it, in place of the announcement. IO as in
 * audit_append; then the announcement stays, and is entered by the next audit_new. */
enum status audit_conclude(struct audit *audit, const char *mark,
                           const struct audit_entry *entry,
                           struct error *error) MUST_CHECK;

/* Entries at or after since_ms, in the order in which they were written: [{"at", "at_ms",
 * "uid", "user", "action", "target", "purpose", "ids"?, "failed"?, "result"}]. A line
 * that is damaged is left out. The caller owns the array. */
enum status audit_read(struct audit *audit, int64_t since_ms, json_t **out,
                       struct error *error) MUST_CHECK;

#endif
