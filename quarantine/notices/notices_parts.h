/* The inside of notices, for the files that share the work: notices.c (what is due) and
 * notices_deliver.c (handing it over). */
#ifndef QUARANTINE_NOTICES_PARTS_H
#define QUARANTINE_NOTICES_PARTS_H

#include "quarantine/notices/notices.h"
#include "quarantine/record.h"

enum {
    NOTICES_DUE_MAX = 64,    /* of one kind, in one pass; the rest is for the next */
    NOTICES_STORE_MS = 2000, /* one call of the store */
};

/* What of a notice has been handed over. */
enum { NOTICES_MAIL = 1, NOTICES_COMMAND = 2, NOTICES_SENDER = 4 };

struct due {
    char incident[DIGEST_ID_SIZE];
    char to[RECORD_TEXT_MAX + 1]; /* the sender whom it is for; "": administrators */
    int64_t since_ms;             /* what is due for longest goes first */
    bool begun;                   /* somebody has tried: it has its notice already */
    bool asked;                   /* the sender's answer is awaited */
};

struct due_list {
    struct due items[NOTICES_DUE_MAX];
    size_t count;
    size_t reported; /* in this interval */
    size_t beyond;   /* that this interval has no notice of their own for */
};

struct pass {
    struct notices *notices;
    const struct settings *settings;
    int64_t now_ms;   /* when it began, wall time */
    int64_t begun_us; /* the same, monotonic */
    int64_t deadline_us;
    struct error *error;
    enum status status; /* of the last thing that went wrong */
    bool mail_away, command_away;
    json_t *note;
    json_t *sender_notices; /* times of notices to senders, by client */
    struct due_list holds, refusals, senders;
    bool sender_notices_wait; /* some notice is not written yet */
};

/* A time of another relay's clock may lie a little ahead of ours. */
bool notices_is_within(int64_t at_ms, int64_t now_ms, int64_t span_ms);

int64_t notices_count_all(const json_t *incident);

/* Administrators are to be told of an incident; one of its senders is. */
bool notices_is_due(const struct pass *pass, const json_t *incident);
bool notices_is_sender_due(struct pass *pass, const json_t *incident,
                           const json_t *notice);

/* He lets it go by answering. */
bool notices_is_confirmable(const struct pass *pass, const json_t *notice);

/* A notice to a sender was written: it counts for his client. */
void notices_note_time(struct pass *pass, const json_t *notice, int64_t at_ms);

/* A letter was handed over, or given up: tells the store. If that is away, it is noted,
 * told later, and the letter not sent again. */
enum status notices_record_told(struct pass *pass, const struct due *due, bool failed);
void notices_note_handed(struct notices *notices, const struct due *due);
bool notices_was_handed(const struct notices *notices, const struct due *due);

/* Hand over one notice, if nobody else has taken it on. */
void notices_notify(struct pass *pass, const struct due *due);
void notices_tell_sender(struct pass *pass, const struct due *due);

/* The one notice about all incidents that have none of their own. */
void notices_sum_up(struct pass *pass);

#endif
