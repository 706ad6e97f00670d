/* Who is at the other end of a unix socket, and whether he may administer. */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include <stdbool.h>
#include <sys/types.h>

enum { PEER_NAME_SIZE = 64 };

struct peer {
    uid_t uid;
    gid_t gid;
    char name[PEER_NAME_SIZE]; /* of the user, "" when it has none */
};

/* By SO_PEERCRED; false when the kernel does not tell. */
bool peer_get(int fd, struct peer *out);

/* root, our own user, and members of group, by their primary group or a supplementary
 * one. */
bool peer_may(const struct peer *peer, const char *group);

#endif
