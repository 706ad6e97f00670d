/* Who is at the other end of a unix socket, and whether that user may administer. */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include <stdbool.h>
#include <sys/types.h>

enum { PEER_NAME_SIZE = 64 };

struct peer {
    uid_t uid;
    gid_t gid;
    char name[PEER_NAME_SIZE]; /* of the user, "" when the uid has none */
};

/* Asks the kernel (SO_PEERCRED); false when it fails. */
bool peer_get(int fd, struct peer *out);

/* True for root, our own user, and members of group, primary or supplementary. */
bool peer_may(const struct peer *peer, const char *group);

#endif
