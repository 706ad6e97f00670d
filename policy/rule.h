/* A rule as compiled: conditions, an optional limit, an action. */
#ifndef POLICY_RULE_H
#define POLICY_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/text.h"
#include "policy/bucket.h"
#include "policy/element.h"
#include "policy/hours.h"
#include "policy/window.h"

enum action {
    ACTION_ACCEPT,
    ACTION_DEFER,
    ACTION_REJECT,
    ACTION_QUARANTINE,
    ACTION_CONFIRM, /* of a rule alone: a verdict has quarantine instead */
};

enum key {
    KEY_SENDER, /* the identity */
    KEY_LOGIN,
    KEY_CLIENT,
    KEY_SENDER_DOMAIN,
    KEY_LIST,
    KEY_THREAD,
    KEY_CAMPAIGN,
    KEY_TOPIC, /* the subject, whoever sends */
    KEY_FROM,  /* the element of from that the sender is */
    KEY_ALL,
};

enum unit {
    UNIT_MESSAGES,   /* a message costs 1 */
    UNIT_RECIPIENTS, /* a message costs its copies */
    UNIT_CLIENTS,    /* a message costs 1, if its client is not counted yet */
};

enum tristate { ANY, NO, YES };

/* What *_over looks at. */
enum measure {
    MEASURE_REACH,
    MEASURE_COPIES,
    MEASURE_EXTERNAL,
    MEASURE_VISIBLE,
    MEASURE_VISIBLE_EXTERNAL,
    MEASURE_COUNT,
};

enum origin { ORIGIN_ANY, ORIGIN_SMTP, ORIGIN_LOCAL };

struct rule {
    char *name;
    int line; /* of the configuration */
    struct elements from, from_not, to, to_not;
    struct hours hours, hours_not;
    enum origin origin;
    enum tristate reply, automatic;
    int64_t over[MEASURE_COUNT]; /* more than this; -1: no condition */
    bool has_limit;              /* at most one of limit and surge */
    struct rate limit;
    bool has_surge;
    struct surge surge;
    enum unit unit;   /* with a surge: recipients */
    int64_t latch_ms; /* with a limit or a surge: how long it fires once it has fired; 0:
                         no latch */
    enum key key;
    enum action action;
    bool monitor;
    char *reason;                      /* NULL: a default */
    char fingerprint[DIGEST_HEX_SIZE]; /* of name, key, unit and limit, or window */
};

/* Everything zero or unset. */
void rule_init(struct rule *rule);
void rule_clear(struct rule *rule);

/* Sets the fingerprint from the other fields. */
void rule_seal(struct rule *rule);

/* Adds all that the rule decides by, for a hash: two rules that differ have two texts. */
void rule_write(const struct rule *rule, struct text *out);

/* True with a condition on anything but sender and recipients. */
bool rule_has_more_conditions(const struct rule *rule);

/* True with a limit or a surge: it fires by what the store knows of its key. */
bool rule_is_metered(const struct rule *rule);

/* "N messages|recipients|clients per DURATION" into tokens, period and unit; burst
 * becomes tokens. Does not check the bounds (rate_is_valid, client_limit_is_valid). */
enum status limit_parse(const char *string, struct rate *out_rate, enum unit *out_unit,
                        struct error *error) MUST_CHECK;

/* The most that a rule's limit lets pass in one period, in its unit. */
int64_t rule_most(const struct rule *rule);

const char *unit_name(enum unit unit);
const char *measure_name(enum measure measure);
const char *action_name(enum action action);
const char *key_name(enum key key);

#endif
