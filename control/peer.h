/* Who is at the other end of a unix socket, and what that user may do. */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf/settings.h"

enum { PEER_NAME_SIZE = 64 };

/* The uid of who is no user of this system. */
#define PEER_NOBODY ((uid_t)-1)

struct peer {
    uid_t uid;
    gid_t gid;
    char name[PEER_NAME_SIZE]; /* of the user, "" when the uid has none */
};

/* Asks the kernel (SO_PEERCRED); false when it fails. */
bool peer_get(int fd, struct peer *out);

/* Whether the peer is the web page's service (console.user), which says for whom it asks.
 */
bool peer_is_console(const struct peer *peer, const struct settings *settings);

/* The peer becomes the person for whom it asks, under the name that belongs to the uid:
 * a directory may know one person by several ("Ann", "ann@example"), who is not two
 * administrators. name: NULL when it doesn't say. False, and the peer is nobody of that
 * name, when there is no such user, or it is root or our own, whom nobody may name. */
bool peer_stand_for(struct peer *peer, const char *name);

/* The peer's roles, bit 1 << enum role for each. By the group database as it is now,
 * primary and supplementary groups: root, our own user and members of control.group have
 * all, members of a role's groups have it and ROLE_LOOK. */
unsigned peer_roles(const struct peer *peer, const struct settings *settings);

#endif
