/* Which messages belong together, by the fields that say so. */
#ifndef POLICY_THREAD_H
#define POLICY_THREAD_H

#include <stdbool.h>

#include "base/status.h"

enum { THREAD_SIZE = 256 };

/* What a message says of its thread; "" where it says nothing. */
struct thread_links {
    char first[THREAD_SIZE];  /* the first id of References */
    char index[THREAD_SIZE];  /* of Thread-Index: what all messages of a thread share */
    char parent[THREAD_SIZE]; /* the id of In-Reply-To */
    char own[THREAD_SIZE];    /* the id of Message-ID */
};

/* The thread's name by the message alone: the first link in the order above. Borrowed. */
const char *thread_name(const struct thread_links *links);

/* Each of these takes a field as the MTA hands it over, with its encoded words.
 * NOT_FOUND: the field names none. NOMEM. Linear time.
 *
 * The first message-id (RFC 5322 3.6.4) of References or Message-ID: without its
 * brackets, and without the blanks, folds and comments in them, the case kept. Without
 * any brackets it is the first word, if that has an '@'. What does not fit, or is not
 * printable ASCII, is '#' and 32 hex digits of its digest. */
enum status thread_find(const char *value, char out_id[THREAD_SIZE]) MUST_CHECK;

/* The same of In-Reply-To. Where there are words beside the ids, as in 'Ann <ann@x>'s
 * message of "Monday" <id>', it is the last one. */
enum status thread_find_parent(const char *value, char out_id[THREAD_SIZE]) MUST_CHECK;

/* Of Outlook's Thread-Index (MS-OXOMSG 2.2.1.3): '#' and 44 hex digits, the 22 bytes that
 * each answer keeps; so it is no message-id's spelling. Each answer adds five. */
enum status thread_find_index(const char *value, char out_index[THREAD_SIZE],
                              bool *out_is_reply) MUST_CHECK;

#endif
