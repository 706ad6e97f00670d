/* What the messages of one sender with "the same" subject have in common. */
#ifndef POLICY_CAMPAIGN_H
#define POLICY_CAMPAIGN_H

#include "base/status.h"

/* Of a subject's normal form; what is longer is its beginning, "..." and 32 hex digits
 * of a digest of all of it. */
enum { CAMPAIGN_SUBJECT_MAX = 512 };

/* identity, a blank, and the normal form of a Subject field as the MTA hands it over
 * (NULL or empty: nothing, so that all mail without a subject is one campaign). In the
 * normal form
 *   - encoded words are decoded (policy/encoded.h), invalid UTF-8 is U+FFFD
 *   - letters are lower case, fullwidth ASCII is ASCII
 *   - what has no width, and control characters, are gone; any run of blanks is one
 *   - each run of decimal digits, of any script, is one '#'
 *   - marks of replies and forwards before it are gone, however many, also counted
 *     ("Re[2]:", "RE (3):", "Re^4:") and after one [tag] of a list, which stays.
 * What comes after identity and blank is the topic: the same for whoever sends it.
 * Plain: to be hashed where it is stored, and never logged. Owned by the caller.
 * NOMEM is the only failure. Linear time. */
enum status campaign_make(const char *identity, const char *subject,
                          char **out_campaign) MUST_CHECK;

#endif
