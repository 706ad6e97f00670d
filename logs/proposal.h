/* A limit, from what the keys of a rule did: above all of them but the outliers. Pure. */
#ifndef LOGS_PROPOSAL_H
#define LOGS_PROPOSAL_H

#include "logs/usage_table.h"

enum {
    PROPOSAL_MANY = 1000
}; /* keys, from which on a percentile says who is an outlier */

struct proposal {
    int64_t limit;   /* of the rule, with a burst as large; a surge's floor; 0: no keys */
    int64_t largest; /* of the keys that it was learnt from; 0: there were none */
    size_t outliers; /* so many keys, the first, were not learnt: they pass the limit */
};

/* keys: the largest first. forgotten: so many more did less than all of them. The limit
 * leaves half as much again (at least five) as the largest of the keys that are no
 * outliers, and is a round number. Outliers are, of many keys, those that did half as
 * much again as the 99.9th percentile, and of fewer one in ten, each of which did over
 * ten times as much as the next, and over 100, or had over 20 clients. What outliers did
 * in other periods counts, as far as it makes no outlier of them. No limit is larger than
 * that of a rule can be: 256 clients. */
struct proposal proposal_make(const struct rule *rule, const struct usage_key *keys,
                              size_t count, size_t forgotten);

#endif
