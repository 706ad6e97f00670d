/* Whom a message would reach, as keyed hashes: small enough to be kept with a held
 * message, and to say later how many people came and went. */
#ifndef POLICY_AUDIENCE_H
#define POLICY_AUDIENCE_H

#include "base/digest.h"
#include "base/text.h"
#include "policy/directory.h"

/* Zero-initialise; clear when done. Settled, persons are ascending and distinct. */
struct audience {
    uint64_t *persons;
    size_t count;
    bool failed; /* for want of memory */
};

/* Adds a person by its canonical address; all persons of a list; another audience. */
void audience_add_person(struct audience *audience, const struct digest_key *key,
                         const char *address);
void audience_add_list(struct audience *audience, const struct digest_key *key,
                       const struct directory *directory, uint32_t list);
void audience_add_all(struct audience *audience, const struct audience *other);

/* Once all are added, and before the calls below. NOMEM also when an addition failed. */
enum status audience_settle(struct audience *audience) MUST_CHECK;
void audience_clear(struct audience *audience);

/* Adds its digest to text: how many persons it has, a keyed hash of all, and a sketch. */
void audience_write(const struct audience *audience, const struct digest_key *key,
                    struct text *text);

/* True when that digest is of this audience. */
bool audience_is(const struct audience *audience, const struct digest_key *key,
                 const char *digest);

/* How many persons a digest is of; 0 when it is damaged. */
size_t audience_number(const char *digest);

/* Restores the audience of the digest, with the help of the audience of now; clear it.
 * NOT_FOUND when that is not possible: it was large, and too much has changed. NOMEM. */
enum status audience_recall(const char *digest, const struct digest_key *key,
                            const struct audience *now, struct audience *out) MUST_CHECK;

/* How many persons of audience are not in other. */
size_t audience_without(const struct audience *audience, const struct audience *other);

#endif
