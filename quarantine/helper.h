/* Orders to mailbrake-mta(8), one connection each. */
#ifndef QUARANTINE_HELPER_H
#define QUARANTINE_HELPER_H

#include "base/status.h"

/* A message in the MTA's queue, strings borrowed. */
struct queued {
    const char *queue; /* "hold", "active", "incoming", "deferred", ... */
    const char *queue_id;
    const char *sender;  /* "" is <> */
    long long arrived_s; /* since 1970 */
    long long size_bytes;
    long long recipients; /* 0: the helper does not say */
};

/* socket: mta.helper. All: OK, NOT_FOUND when the message is not there (any more),
 * UNAVAILABLE when the helper does not answer within timeout_ms, INVALID with the
 * helper's words. check: "mark=HOLDID" or "sender=ADDRESS", see mailbrake-mta(8). */
enum status helper_list(const char *socket, int timeout_ms,
                        void (*each)(void *context, const struct queued *queued),
                        void *context, struct error *error) MUST_CHECK;
/* The message's X-Mailbrake fields, joined by newlines; the caller frees. */
enum status helper_header(const char *socket, int timeout_ms, const char *queue_id,
                          char **out_marks, struct error *error) MUST_CHECK;
/* verb: release, delete or hold. */
enum status helper_order(const char *socket, int timeout_ms, const char *verb,
                         const char *queue_id, const char *check,
                         struct error *error) MUST_CHECK;
/* Refuses with a notice to address ("-": without one); text is a whole message. */
enum status helper_refuse(const char *socket, int timeout_ms, const char *queue_id,
                          const char *check, const char *address, const char *text,
                          struct error *error) MUST_CHECK;
/* Sends a message; addresses separated by blanks. */
enum status helper_notice(const char *socket, int timeout_ms, const char *addresses,
                          const char *text, struct error *error) MUST_CHECK;

#endif
