/* The kernel knows the user, and the user database the user's groups. */
#include "control/peer.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/account.h"

_Static_assert((int)PEER_NAME_SIZE == (int)ACCOUNT_NAME_SIZE, "one name fits the other");

bool peer_get(int fd, struct peer *out)
{
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    gid_t primary;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return false;
    *out = (struct peer){.uid = credentials.uid, .gid = credentials.gid};
    if (account_find_user(out->uid, out->name, &primary) != STATUS_OK)
        out->name[0] = '\0';
    return true;
}

bool peer_may(const struct peer *peer, const char *group)
{
    char name[PEER_NAME_SIZE];
    gid_t wanted;
    gid_t primary;
    if (peer->uid == 0 || peer->uid == geteuid())
        return true;
    if (group == NULL || group[0] == '\0' ||
        account_find_group(group, &wanted) != STATUS_OK)
        return false;
    if (peer->gid == wanted)
        return true;
    return account_find_user(peer->uid, name, &primary) == STATUS_OK &&
           account_is_member(name, primary, wanted);
}
