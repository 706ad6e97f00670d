/* Does a rule's condition hold for a message? Elements against facts. */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include "policy/brake.h"
#include "policy/message.h"

/* The first condition of a rule that does not hold. */
enum condition {
    CONDITION_NONE, /* all hold: the rule matches */
    CONDITION_FROM,
    CONDITION_FROM_NOT,
    CONDITION_TO,
    CONDITION_TO_NOT,
    CONDITION_HOURS,
    CONDITION_HOURS_NOT,
    CONDITION_ORIGIN,
    CONDITION_REPLY,
    CONDITION_AUTOMATIC,
    CONDITION_OVER,    /* some *_over is not passed */
    CONDITION_KEY,     /* the message has no subject of the rule's key */
    CONDITION_ALLOWED, /* an allowance lets this key pass the rule */
};

/* What the rules ask of one message again and again, answered once. */
struct memo {
    size_t *senders; /* by sender_set: 1 + the index of the first element that matches, or
                        1 + their count when none does; 0: not asked yet */
    char campaign[DIGEST_HEX_SIZE], topic[DIGEST_HEX_SIZE]; /* "": not hashed yet */
};

/* What a message is seen against. All borrowed. */
struct view {
    const struct policy *policy;
    const struct directory *directory;
    const struct facts *facts;
    int minute_of_week;
    const struct brakes *brakes;  /* NULL: none */
    int64_t now_ms;               /* wall time; for brakes */
    bool notice;                  /* Mailbrake's own, by its token */
    bool used_up;                 /* no confirmation has copies left for this message */
    const struct digest_key *key; /* hashes the words of a Subject; NULL: a public one */
    struct memo *memo;            /* NULL: every question is asked anew */
};

enum condition match_rule(const struct view *view, const struct rule *rule);

/* The first element of from that matches the message's sender; NULL: none does. An
 * own-domain address or list: is the login's; the MAIL FROM's only if the client is
 * trusted. <> is neither login nor sender. */
const struct element *match_sender(const struct view *view,
                                   const struct elements *elements);

/* True when a rule with key = "list" charges the list that this recipient is. */
bool match_charged_list(const struct view *view, const struct rule *rule,
                        const struct recipient *recipient);

/* True when a letter may go to the MAIL FROM: it is the login's own address, or an own
 * one from a trusted client, and a person's: a letter to a list would be a mail storm
 * itself.
 */
bool match_may_tell(const struct view *view);

/* True when an element of trusted or relays is the client. */
bool match_client(const struct facts *facts, const struct elements *elements);

#endif
