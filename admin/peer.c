/* The kernel says who connected; the user database, which groups that is. */
#include "admin/peer.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOKUP_BYTES = 16384, GROUPS_MAX = 4096 };

/* The name of a user, and its primary group; false when nobody knows it. */
static bool find_user(uid_t uid, char name[PEER_NAME_SIZE], gid_t *out_gid)
{
    struct passwd entry;
    struct passwd *found = NULL;
    bool known = false;
    char *buffer = malloc(LOOKUP_BYTES);
    if (buffer != NULL && getpwuid_r(uid, &entry, buffer, LOOKUP_BYTES, &found) == 0 &&
        found != NULL) {
        (void)snprintf(name, PEER_NAME_SIZE, "%s", found->pw_name);
        *out_gid = found->pw_gid;
        known = true;
    }
    free(buffer);
    return known;
}

bool peer_get(int fd, struct peer *out)
{
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    gid_t primary;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return false;
    *out = (struct peer){.uid = credentials.uid, .gid = credentials.gid};
    (void)find_user(out->uid, out->name, &primary);
    return true;
}

static bool find_group(const char *name, gid_t *out_gid)
{
    struct group entry;
    struct group *found = NULL;
    bool known = false;
    char *buffer = malloc(LOOKUP_BYTES);
    if (buffer != NULL && getgrnam_r(name, &entry, buffer, LOOKUP_BYTES, &found) == 0 &&
        found != NULL) {
        *out_gid = found->gr_gid;
        known = true;
    }
    free(buffer);
    return known;
}

static bool is_member(const char *user, gid_t primary, gid_t wanted)
{
    bool member = false;
    int count = GROUPS_MAX;
    gid_t *groups = calloc(GROUPS_MAX, sizeof *groups);
    if (groups != NULL && getgrouplist(user, primary, groups, &count) >= 0) {
        for (int i = 0; i < count && !member; i++)
            member = groups[i] == wanted;
    }
    free(groups);
    return member;
}

bool peer_may(const struct peer *peer, const char *group)
{
    char name[PEER_NAME_SIZE];
    gid_t wanted;
    gid_t primary;
    if (peer->uid == 0 || peer->uid == geteuid())
        return true;
    if (group == NULL || group[0] == '\0' || !find_group(group, &wanted))
        return false;
    if (peer->gid == wanted)
        return true;
    return find_user(peer->uid, name, &primary) && is_member(name, primary, wanted);
}
