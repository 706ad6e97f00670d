/* Whose mail an administrator means: the key of a brake, as "login:a@b". */
#ifndef POLICY_BRAKE_KEY_H
#define POLICY_BRAKE_KEY_H

#include "policy/message.h"

enum brake_kind {
    BRAKE_LOGIN,  /* login:a@b: the login, with the first own domain if it has none */
    BRAKE_SENDER, /* sender:a@b: the MAIL FROM, with or without a login */
    BRAKE_CLIENT, /* client:ADDRESS or CIDR, client:local */
    BRAKE_LIST,   /* list:a@b: a recipient is that list, or holds it */
    BRAKE_DOMAIN, /* domain:b: of the MAIL FROM */
    BRAKE_ALL,    /* all: whatever reaches more than 1 */
};

struct brake_key {
    enum brake_kind kind;
    char *text;             /* canonical, as above; owned */
    struct network network; /* BRAKE_CLIENT; prefix 0 and local: client:local */
    bool local;
};

/* Parses a key as typed. logins: how a login may be typed; NULL: it is canonical. INVALID
 * with a reason. The caller owns out->text. */
enum status brake_key_parse(const char *text, const struct domains *own,
                            const struct login_forms *logins, struct brake_key *out,
                            struct error *error) MUST_CHECK;
void brake_key_clear(struct brake_key *key);

/* True for a message that the key means. */
bool brake_key_matches(const struct brake_key *key, const struct facts *facts,
                       const struct directory *directory);

#endif
