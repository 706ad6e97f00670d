/* An MTA's queue id. Ids are passed to programs that treat some words specially (ALL, -,
 * options, file names), so only what is exactly an id is valid. */
#ifndef BASE_QUEUE_ID_H
#define BASE_QUEUE_ID_H

#include <stdbool.h>

enum { QUEUE_ID_MAX = 40 }; /* bytes: Postfix has 24 at most, Sendmail 18 */

/* Postfix, mail_queue.h. Short: 5 or more hex digits of the time in microseconds, then
 * the inode, in upper-case hex. Long: seconds (6 or more) and microseconds (4) in base
 * 52, 'z', inode in base 51. The last of base 52's digits is 'z' too, so the last 'z' is
 * the one that separates. */
bool queue_id_is_postfix(const char *text);

/* Sendmail, assign_queueid: eight letters or digits of time and sequence, then the
 * process id in at least six digits. */
bool queue_id_is_sendmail(const char *text);

/* Either of the two. */
bool queue_id_is_valid(const char *text);

#endif
