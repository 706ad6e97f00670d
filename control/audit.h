/* What administrators did and looked at: a file of JSON lines that is only ever appended
 * to, each line on disk before the answer is sent. An action that changes something is
 * also logged before it starts, so that nothing happens that could not be recorded. */
#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

#include <jansson.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/status.h"

struct audit;

enum {
    AUDIT_READ_MAX = 10000,                 /* entries in one answer, the newest */
    AUDIT_READ_BYTES_MAX = 8 * 1024 * 1024, /* read, from the end of the file */
    AUDIT_TEXT_MAX = 500,                   /* bytes kept of each text */
};

/* Of who is no user of the system: a sender. */
#define AUDIT_NO_UID ((uid_t)-1)

/* All strings borrowed; bytes that aren't UTF-8 become U+FFFD. */
struct audit_entry {
    int64_t at_ms; /* wall time, when it was asked for */
    uid_t uid;
    const char *user;  /* its name, "" when it has none */
    const char *via;   /* "console": asked for by the page's service; NULL: by the user */
    const char *relay; /* on which it was asked for; NULL: this one */
    const char *action;   /* "release", "brake set", ... */
    const char *target;   /* a hold's or incident's id, a key; "" */
    const char *purpose;  /* in the administrator's words, or "" */
    const json_t *ids;    /* array: the ids an action on many was done for; NULL: none */
    const json_t *failed; /* array: the ids for which it failed; NULL: none */
    const char *result;   /* "ok", or what went wrong */
};

/* path is copied; NULL: nothing is kept. The first entry creates the file, mode 0600;
 * each entry opens it, so that logrotate(8) may move it. NULL without memory. */
struct audit *audit_new(const char *path);
void audit_free(struct audit *audit);

/* One entry, fsynced. IO with the system's error; the file is then unchanged. */
enum status audit_append(struct audit *audit, const struct audit_entry *entry,
                         struct error *error) MUST_CHECK;

/* Before an action: a line without a result, fsynced, and disk space reserved for the
 * second line. After IO the action must not be done. Both lines share out_id. */
enum status audit_begin(struct audit *audit, const struct audit_entry *entry,
                        char out_id[DIGEST_ID_SIZE], struct error *error) MUST_CHECK;

/* After the action: a line with its result. IO as in audit_append; the action is then
 * shown as not ended. */
enum status audit_end(struct audit *audit, const char *id,
                      const struct audit_entry *entry, struct error *error) MUST_CHECK;

/* The result of an action that has a first line only. */
#define AUDIT_NOT_ENDED "not ended: still at work, or mailbraked stopped halfway"

/* Entries at or after since_ms, in the order in which they were written: [{"at", "at_ms",
 * "uid", "user", "via"?, "relay"?, "action", "target", "purpose", "ids"?, "failed"?,
 * "result"}], one for each action. Damaged lines are left out. The caller owns the array.
 */
enum status audit_read(struct audit *audit, int64_t since_ms, json_t **out,
                       struct error *error) MUST_CHECK;

#endif
