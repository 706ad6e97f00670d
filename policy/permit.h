/* A permit: an announced mailing that may pass, set by hand beforehand. */
#ifndef POLICY_PERMIT_H
#define POLICY_PERMIT_H

#include "policy/brake_key.h"
#include "policy/charge.h"

/* Strings are owned. */
struct permit {
    char *id;
    struct brake_key key; /* any but all */
    char **to; /* canonical: ADDRESS or list:ADDRESS; a list means the list itself */
    size_t to_count;           /* 0: whoever is written to */
    struct rate rate;          /* its copies, as a bucket that never refills */
    int64_t from_ms, until_ms; /* wall time, of which the end is outside */
    char *by;                  /* who set it */
    char *reason;              /* printable ASCII, or "" */
};

enum { PERMIT_TO_MAX = 50 };

/* The charges of permits: as if of one rule, with the permit's id as subject. */
#define PERMIT_FINGERPRINT "permit"

/* The charges of what senders may send after confirming, with the allowance's id as
 * subject; they stop what is more. */
#define CONFIRMED_FINGERPRINT "confirmed"

/* Borrows from the permit. */
struct charge permit_charge(const struct permit *permit, int64_t cost);

/* The bucket of a permit with so many copies, 1 to RATE_TOKENS_MAX. The store keeps it
 * for a day after the permit's end, to tell what was left. */
struct rate permit_rate(int64_t copies, int64_t from_ms, int64_t until_ms);

/* Parses ADDRESS or list:ADDRESS, whom a permit may name; *out is the caller's, for
 * free(3). INVALID with a reason. */
enum status permit_parse_to(const char *text, const struct domains *own, char **out,
                            struct error *error) MUST_CHECK;

/* A deep copy; false without memory. */
bool permit_copy(const struct permit *permit, struct permit *out) MUST_CHECK;
void permit_clear(struct permit *permit);

/* True for a message of its key, all of whose recipients it names, at a time when it is
 * valid. Unlike a brake it takes an own-domain MAIL FROM only from its own login or from
 * a trusted client. Does not look at what is left of it. */
bool permit_matches(const struct permit *permit, const struct facts *facts,
                    const struct domains *own, const struct directory *directory,
                    int64_t now_ms);

#endif
