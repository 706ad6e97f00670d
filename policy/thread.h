/* The thread that a message belongs to, by a field that names messages. */
#ifndef POLICY_THREAD_H
#define POLICY_THREAD_H

#include "base/status.h"

enum { THREAD_SIZE = 256 };

/* The first message-id (RFC 5322 3.6.4) of a References, In-Reply-To or Message-ID field
 * as the MTA hands it over: without its brackets, and without the blanks, folds and
 * comments in them, the case kept. Without any brackets it is the first word, if that has
 * an '@'. What does not fit, or is not printable ASCII, is '#' and 32 hex digits of its
 * digest. NOT_FOUND: the field names none. NOMEM. Linear time. */
enum status thread_find(const char *value, char out_thread[THREAD_SIZE]) MUST_CHECK;

#endif
