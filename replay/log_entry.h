/* One message under way, as the log told of it so far. */
#ifndef REPLAY_LOG_ENTRY_H
#define REPLAY_LOG_ENTRY_H

#include "base/queue_id.h"
#include "base/status.h"
#include "replay/log_slice.h"
#include "replay/mail_log.h"

enum { LOG_RECIPIENTS_MAX = 50000 };

struct log_recipient {
    uint32_t address; /* in texts */
    uint32_t hash;    /* of the address */
    uint64_t mailboxes;
};

/* How a delivery went. */
enum log_result { LOG_SENT, LOG_DEFERRED, LOG_BOUNCED };

struct log_entry {
    struct log_entry *next_of_hash;
    uint64_t hash; /* of host and id */
    bool hashed;   /* can be found by them */
    uint32_t seed; /* of its recipients' hashes, which nobody can know */
    uint32_t host;
    char id[QUEUE_ID_MAX + 1];
    size_t counted; /* bytes of memory, as the queue knows */

    struct log_list *list; /* that it is in, or NULL */
    struct log_entry *before, *after;

    /* When local(8), an owner of Sendmail's or a content filter gave what it got a queue
     * id of its own: what that goes to counts for a recipient of the first one. */
    struct log_entry *parent, *children, *sibling;
    uint32_t parent_recipient;
    uint32_t open_children; /* that are not complete */
    bool reported;          /* complete, and its parent knows */

    int64_t at_ms;    /* of its first line, then of judged */
    int64_t noted_ms; /* how far the log was when at_ms was set */
    bool taken;       /* from outside, or of sendmail(1) */
    bool local;       /* of sendmail(1) */
    bool judged;      /* a milter has seen it: at_ms is when */
    bool held, rejected;
    bool active;     /* deliveries began */
    bool finished;   /* it has no more recipients to come, */
    int64_t ends_ms; /* or will have none from then on; 0: nobody knows */
    bool cut;        /* some recipient was not kept */
    bool late;       /* at_ms became more than a minute younger than it was */

    uint32_t expected, seen; /* recipients */
    uint32_t tried;          /* of Sendmail's, that were named: delivered to, or not */
    uint32_t results[LOG_BOUNCED + 1];

    char *texts; /* NUL-terminated strings; at 0 the empty one */
    uint32_t text_length, text_room;
    uint32_t client, login, sender;
    struct log_recipient *recipients;
    uint32_t recipient_count, recipient_room;
    uint32_t *index; /* of recipients by hash, plus 1; 0: free; NULL: they are few */
    uint32_t index_size;

    /* Addresses that stand for a recipient, whose number is their mailboxes: members of
     * Sendmail's lists; what a filter got for a recipient of parent's. NULL: none. */
    struct log_entry *members;
    uint32_t last_list; /* of Sendmail's, that was named: its number as a recipient */
    bool is_passed_on;  /* each recipient has counted as a mailbox of parent's already */
};

/* Bytes of memory that it has. */
size_t log_entry_bytes(const struct log_entry *entry);

/* Without its children. */
void log_entry_free(struct log_entry *entry);

/* Keeps text and sets *out to its place; a NUL in it becomes '?'. False without memory.
 */
bool log_entry_keep(struct log_entry *entry, struct log_slice text,
                    uint32_t *out) MUST_CHECK;

/* The number of the recipient of that address, which is new, or has so many more
 * mailboxes now; past LOG_RECIPIENTS_MAX that of the last one. False without memory. */
bool log_entry_add(struct log_entry *entry, struct log_slice address, uint64_t mailboxes,
                   uint32_t *out_number) MUST_CHECK;

/* True and its number when the address is a recipient. */
bool log_entry_find(const struct log_entry *entry, struct log_slice address,
                    uint32_t *out_number);

/* From now on member stands for that recipient, of entry or its parent, if for none yet.
 * *out is the member's number. False without memory. */
bool log_entry_add_member(struct log_entry *entry, struct log_slice member,
                          uint32_t recipient, uint32_t *out) MUST_CHECK;

/* Adds the mailboxes of the child's recipients to those of the parent. */
void log_entry_count_child(struct log_entry *parent, const struct log_entry *child);

/* Forgets the recipients. */
void log_entry_forget_recipients(struct log_entry *entry);

/* True when nothing more is to come of it and of its children. */
bool log_entry_is_complete(const struct log_entry *entry);

enum mail_log_end log_entry_end(const struct log_entry *entry);

#endif
