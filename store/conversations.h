/* Which thread a message belonged to, for answers that name only the message they answer.
 * One relay's memory, bounded, gone with the process. */
#ifndef STORE_CONVERSATIONS_H
#define STORE_CONVERSATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "policy/message.h"

/* Messages of trusted senders, and as many of strangers: a flood of the latter makes us
 * forget none of the former. Full, that is about 20 MB. */
enum { CONVERSATIONS_MAX = 32768 };

struct conversations;

/* Remembers up to max messages of each kind; those that were named last. NULL without
 * memory. Any number of threads may use it. */
struct conversations *conversations_new(size_t max);
void conversations_free(struct conversations *conversations);

/* Makes facts->thread that of an earlier message: of the one that In-Reply-To or
 * Thread-Index names, where there is no References, or of the one that References begins
 * with, if somebody whom we believe sent it. So a stranger leads no References astray: he
 * can start a thread, and join one, as he can by References. NULL: none are known. */
void conversations_join(struct conversations *conversations, struct facts *facts);

/* Remembers a message that was let in or held, after conversations_join. What is known
 * already stays as it is, so nobody moves another's message by its id. */
void conversations_note(struct conversations *conversations, const struct facts *facts);

#endif
