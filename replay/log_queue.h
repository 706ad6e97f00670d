/* The MTAs' queues as a log tells of them: messages are found by host and queue id, and
 * handed over in the order in which they were judged, as soon as nothing more is to come
 * of a message and of those before. When they take too much memory, the oldest one is
 * handed over as far as it is known. */
#ifndef REPLAY_LOG_QUEUE_H
#define REPLAY_LOG_QUEUE_H

#include "replay/log_entry.h"
#include "replay/mail_log.h"

struct log_queue;

/* Where a line comes from. */
struct log_place {
    uint32_t host; /* as log_queue_host numbers it */
    int64_t at_ms; /* ascending, but for a few seconds */
};

/* Calls reading's each, for messages of since_ms to until_ms. NULL without memory. */
struct log_queue *log_queue_new(const struct mail_log_reading *reading);
void log_queue_free(struct log_queue *queue);

/* The number of a host's name; of very many, the last ones share one. NOMEM. */
enum status log_queue_host(struct log_queue *queue, struct log_slice name,
                           uint32_t *out_host) MUST_CHECK;

/* The message under way with that id, or NULL. */
struct log_entry *log_queue_find(struct log_queue *queue, const struct log_place *place,
                                 struct log_slice id);

/* A new message with that id: one of before can't change any more. NULL without memory.
 */
struct log_entry *log_queue_add(struct log_queue *queue, const struct log_place *place,
                                struct log_slice id);

/* It came from outside, or from sendmail(1). */
void log_queue_take(struct log_queue *queue, struct log_entry *entry);

/* A milter judges it at that time, which takes the place of an earlier one. */
void log_queue_judge(struct log_queue *queue, struct log_entry *entry, int64_t at_ms);

/* What child's recipients are counts for that recipient of parent, and child is no
 * message of its own. False, and nothing has changed, when that can't be. */
bool log_queue_adopt(struct log_entry *parent, uint32_t recipient,
                     struct log_entry *child);

/* From now on it is found by that id; its own stays. */
void log_queue_rename(struct log_queue *queue, const struct log_place *place,
                      struct log_entry *entry, struct log_slice id);

/* It has taken more memory; log_queue_settle does it for the line's own message. */
void log_queue_count(struct log_queue *queue, struct log_entry *entry);

/* To be called after each line, with the entry that it is about, or NULL; any entry may
 * be gone then: hands over what is complete, or too much. each's status; NOMEM. */
enum status log_queue_settle(struct log_queue *queue, const struct log_place *place,
                             struct log_entry *entry) MUST_CHECK;

/* Nothing more comes: hands over the rest. */
enum status log_queue_finish(struct log_queue *queue) MUST_CHECK;

uint64_t log_queue_handed_over(const struct log_queue *queue);

/* How many were left out: they were more than a minute older than one before. */
uint64_t log_queue_late(const struct log_queue *queue);

#endif
