/* Old mail logs: what Postfix and Sendmail wrote by syslog, read back to messages. */
#ifndef REPLAY_MAIL_LOG_H
#define REPLAY_MAIL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum mail_log_end {
    MAIL_LOG_OPEN,     /* the log doesn't say */
    MAIL_LOG_SENT,     /* to some recipients at least */
    MAIL_LOG_DEFERRED, /* for all, at the first attempt */
    MAIL_LOG_BOUNCED,  /* for all */
    MAIL_LOG_HELD,     /* it was not released as far as the log goes */
    MAIL_LOG_REJECTED, /* or discarded, by a milter or a content check */
};

struct mail_log_recipient {
    const char *address; /* as RCPT or sendmail(1) said it */
    uint64_t mailboxes;  /* that it was delivered to, or tried: 1, or a list's; 0: the log
                            doesn't say */
};

/* One message as the MTA took it; borrowed for the call. */
struct mail_log_message {
    int64_t at_ms; /* wall time at which a milter would have judged it */
    const char *queue_id;
    const char *host;   /* as syslog names it */
    bool local;         /* by sendmail(1) */
    const char *client; /* IP address as text; NULL: none, or unknown to the MTA */
    const char *login;  /* NULL: none */
    const char *sender; /* without brackets; "": <> */
    /* Distinct. Below Sendmail's LogLevel 11, a list's members in its place. */
    const struct mail_log_recipient *recipients;
    size_t recipient_count;
    enum mail_log_end end;
    bool held;  /* by a milter or a content check, whatever came then */
    bool whole; /* all its recipients are known; else at least one may be missing */
};

enum { MAIL_LOG_EXAMPLES = 3, MAIL_LOG_EXAMPLE_SIZE = 200 };

/* A line that was not understood; text is made harmless for a terminal. */
struct mail_log_example {
    char file[256];
    uint64_t line;
    char text[MAIL_LOG_EXAMPLE_SIZE];
};

struct mail_log_statistics {
    uint64_t lines;    /* or entries of a journal */
    uint64_t messages; /* handed over */
    /* Left out, since a younger one was handed over before: the lines of a file are not
     * in the order of time. */
    uint64_t late;
    /* Lines that are no log lines, or that are cut; of these, the first. */
    uint64_t unread;
    struct mail_log_example examples[MAIL_LOG_EXAMPLES];
    int64_t first_ms, last_ms;        /* of the lines read; both 0: there were none */
    uint64_t bytes_read, bytes_total; /* of the files as they are on disk; total 0: nobody
                                       * knows, as standard input is being read */
};

struct mail_log_reading {
    const char *const *paths; /* "-": stdin; merged by the time of their lines */
    size_t path_count;
    int64_t now_ms;             /* no line is younger: the year of stamps without one */
    int64_t since_ms, until_ms; /* messages of before or from then on are left out; 0: no
                                   bound */
    /* Called for each message, in the order of time; another status than OK ends the
     * reading. */
    enum status (*each)(void *context, const struct mail_log_message *message);
    /* Called a few times a second of work; may be NULL. */
    void (*progress)(void *context, const struct mail_log_statistics *sofar);
    void *context;
};

/* Reads them all, in bounded memory, after digest_init. IO or INVALID with the file when
 * one can't be read or unpacked, NOMEM, each's status; out is what was read until then.
 */
enum status mail_log_read(const struct mail_log_reading *reading,
                          struct mail_log_statistics *out,
                          struct error *error) MUST_CHECK;

#endif
