/* What administrators set by hand: brakes, which come before all rules, and allowances,
 * which let one key pass a rule for a while. */
#ifndef POLICY_BRAKE_H
#define POLICY_BRAKE_H

#include "policy/message.h"

enum brake_kind {
    BRAKE_LOGIN,  /* login:a@b: the login, with the first own domain if it has none */
    BRAKE_SENDER, /* sender:a@b: the MAIL FROM, with or without a login */
    BRAKE_CLIENT, /* client:ADDRESS or CIDR, client:local */
    BRAKE_LIST,   /* list:a@b: a recipient is that list, or holds it */
    BRAKE_DOMAIN, /* domain:b: of the MAIL FROM */
    BRAKE_ALL,    /* all: whatever reaches more than 1 */
};

/* Strings are owned. */
struct brake {
    enum brake_kind kind;
    char *key;              /* canonical, as above */
    struct network network; /* BRAKE_CLIENT; prefix 0 and local: client:local */
    bool local;
    enum action action; /* not accept */
    int64_t until_ms;   /* wall time; INT64_MAX: until it is cleared */
    char *by;           /* who set it */
    char *reason;       /* printable ASCII, or "" */
};

struct allowance {
    char *fingerprint; /* of the rule */
    char *subject;     /* plain */
    int64_t until_ms;
};

struct brakes {
    struct brake *items;
    size_t count;
    struct allowance *allowances;
    size_t allowance_count;
};

enum { BRAKE_REASON_MAX = 200 };

/* Parses a key as typed into kind, key and network; the rest of *out is zero. logins: how
 * a login may be typed; NULL: it is canonical. INVALID with a reason. The caller owns
 * out->key. */
enum status brake_parse_key(const char *text, const struct domains *own,
                            const struct login_forms *logins, struct brake *out,
                            struct error *error) MUST_CHECK;
void brake_clear(struct brake *brake);
void brakes_clear(struct brakes *brakes);

/* The first brake in force for a message; NULL when there is none. brakes may be NULL. */
const struct brake *brake_find(const struct brakes *brakes, const struct facts *facts,
                               const struct directory *directory, int64_t now_ms);

/* True when an allowance lets the subject pass the rule. brakes may be NULL. */
bool brake_allows(const struct brakes *brakes, const char *fingerprint,
                  const char *subject, int64_t now_ms);

#endif
