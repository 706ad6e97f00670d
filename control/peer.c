/* The kernel knows the user, and the user database the user's groups. */
#include "control/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

bool peer_is_console(const struct peer *peer, const struct settings *settings)
{
    uid_t uid;
    gid_t gid;
    return peer->uid != 0 && peer->uid != geteuid() &&
           account_find_uid(settings->console.user, &uid, &gid) == STATUS_OK &&
           uid == peer->uid;
}

bool peer_stand_for(struct peer *peer, const char *name)
{
    struct peer person = {.uid = PEER_NOBODY, .gid = (gid_t)-1};
    char own_name[PEER_NAME_SIZE];
    uid_t uid;
    gid_t gid;
    (void)snprintf(person.name, sizeof person.name, "%s", name == NULL ? "" : name);
    bool known = name != NULL && strlen(name) < sizeof person.name &&
                 account_find_uid(name, &uid, &gid) == STATUS_OK && uid != 0 &&
                 uid != geteuid() && uid != peer->uid &&
                 account_find_user(uid, own_name, &gid) == STATUS_OK;
    if (known) {
        person.uid = uid;
        person.gid = gid;
        memcpy(person.name, own_name, sizeof own_name);
    }
    *peer = person;
    return known;
}

/* The peer, and the groups that the database gives it. */
struct membership {
    const struct peer *peer;
    gid_t *groups;
    size_t count;
};

static void find_groups(const struct peer *peer, struct membership *out)
{
    char name[PEER_NAME_SIZE];
    gid_t primary;
    *out = (struct membership){.peer = peer};
    if (account_find_user(peer->uid, name, &primary) != STATUS_OK ||
        account_groups(name, primary, &out->groups, &out->count) != STATUS_OK)
        out->count = 0;
}

static bool is_member(const struct membership *membership, const char *group)
{
    gid_t wanted;
    if (account_find_group(group, &wanted) != STATUS_OK)
        return false;
    bool member = membership->peer->gid == wanted;
    for (size_t i = 0; i < membership->count && !member; i++)
        member = membership->groups[i] == wanted;
    return member;
}

unsigned peer_roles(const struct peer *peer, const struct settings *settings)
{
    static const unsigned all = (1U << ROLE_COUNT) - 1;
    struct membership membership;
    unsigned roles = 0;
    if (peer->uid == PEER_NOBODY)
        return 0;
    if (peer->uid == 0 || peer->uid == geteuid())
        return all;
    find_groups(peer, &membership);
    if (is_member(&membership, settings->control.group))
        roles = all;
    for (unsigned role = 0; role < ROLE_COUNT && roles != all; role++) {
        const struct names *groups = &settings->control.roles[role];
        for (size_t i = 0; i < groups->count && (roles & 1U << role) == 0; i++) {
            if (is_member(&membership, groups->items[i]))
                roles |= 1U << role | 1U << ROLE_LOOK;
        }
    }
    free(membership.groups);
    return roles;
}
