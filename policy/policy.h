/* What decisions are made by: our domains, whom we trust, the rules. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problems.h"
#include "policy/domains.h"
#include "policy/element.h"
#include "policy/login.h"
#include "policy/rule.h"

/* Not "struct group", which is grp.h's. */
struct element_group {
    char *name;
    int line;
    struct elements elements;
};

enum {
    CONFIRM_TOKEN_LENGTH = 16,                         /* letters and digits */
    CONFIRM_LOCAL_MAX = 63 - 1 - CONFIRM_TOKEN_LENGTH, /* of confirm.address */
};

/* How a sender lets go what a rule with action = "confirm" has held of his. */
struct confirm_settings {
    char *address;  /* where he answers to, without the token; "": nobody can confirm */
    int64_t for_ms; /* how long a letter can be answered */
    int max_reach;  /* more people are an administrator's decision */
};

/* Zero-initialise; whoever fills it also clears it. */
struct policy {
    struct domains domains;
    struct login_forms logins;
    struct elements trusted; /* client elements only */
    struct elements relays;  /* client elements only */
    struct element_group *groups;
    size_t group_count;
    struct rule *rules;
    size_t rule_count;
    size_t sender_sets; /* different ones in the rules' from and from_not: 1 up to this */
    bool monitor;       /* mode = "monitor" for everything */
    enum action lists_unknown, lists_grown;
    struct confirm_settings confirm;
};

/* Replaces group names in rules by the groups' elements (groups may name groups), checks
 * that each element can stand where it stands: clients, logins and <> not in to, list:*
 * not in from; and numbers the sets of senders. Unknown groups and misplaced elements are
 * errors in problems, with file and the element's line. NOMEM is the only failure. */
enum status policy_link(struct policy *policy, const char *file,
                        struct problems *problems) MUST_CHECK;
void policy_clear(struct policy *policy);

/* NULL when no rule has the fingerprint, or not any more. */
const struct rule *policy_find_rule(const struct policy *policy, const char *fingerprint);

#endif
