/* getgrnam_r(3) needs room for all members of a group: the buffer grows until they fit.
 */
#include "base/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ENTRY_BYTES = 16 * 1024,
    ENTRY_BYTES_MAX = 64 * 1024 * 1024,
    GROUPS = 256,
    GROUPS_MAX = 65536, /* NGROUPS_MAX of Linux */
};

/* One look-up with a buffer of this size; returns an errno value. */
typedef int look_up_function(void *context, char *buffer, size_t size);

/* Retries with a larger buffer until the entry fits. */
static enum status look_up(look_up_function *once, void *context)
{
    for (size_t size = ENTRY_BYTES; size <= ENTRY_BYTES_MAX; size *= 4) {
        char *buffer = malloc(size);
        if (buffer == NULL)
            return STATUS_NOMEM;
        int failure = once(context, buffer, size);
        free(buffer);
        if (failure == 0)
            return STATUS_OK;
        if (failure == ENOENT || failure == ESRCH)
            return STATUS_NOT_FOUND;
        if (failure != ERANGE && failure != EINTR)
            return STATUS_IO;
    }
    return STATUS_IO;
}

struct group_query {
    const char *name;
    gid_t gid;
};

static int find_group(void *context, char *buffer, size_t size)
{
    struct group_query *query = context;
    struct group entry;
    struct group *found = NULL;
    int failure = getgrnam_r(query->name, &entry, buffer, size, &found);
    if (failure != 0)
        return failure;
    if (found == NULL)
        return ENOENT;
    query->gid = found->gr_gid;
    return 0;
}

enum status account_find_group(const char *name, gid_t *out_gid)
{
    struct group_query query = {.name = name};
    enum status status = look_up(find_group, &query);
    if (status == STATUS_OK)
        *out_gid = query.gid;
    return status;
}

struct user_query {
    uid_t uid;
    char name[ACCOUNT_NAME_SIZE];
    gid_t gid;
};

static int find_user(void *context, char *buffer, size_t size)
{
    struct user_query *query = context;
    struct passwd entry;
    struct passwd *found = NULL;
    int failure = getpwuid_r(query->uid, &entry, buffer, size, &found);
    if (failure != 0)
        return failure;
    if (found == NULL)
        return ENOENT;
    (void)snprintf(query->name, sizeof query->name, "%s", found->pw_name);
    query->gid = found->pw_gid;
    return 0;
}

enum status account_find_user(uid_t uid, char out_name[ACCOUNT_NAME_SIZE], gid_t *out_gid)
{
    struct user_query query = {.uid = uid};
    enum status status = look_up(find_user, &query);
    if (status == STATUS_OK) {
        (void)snprintf(out_name, ACCOUNT_NAME_SIZE, "%s", query.name);
        *out_gid = query.gid;
    }
    return status;
}

struct name_query {
    const char *name;
    uid_t uid;
    gid_t gid;
};

static int find_name(void *context, char *buffer, size_t size)
{
    struct name_query *query = context;
    struct passwd entry;
    struct passwd *found = NULL;
    int failure = getpwnam_r(query->name, &entry, buffer, size, &found);
    if (failure != 0)
        return failure;
    if (found == NULL)
        return ENOENT;
    query->uid = found->pw_uid;
    query->gid = found->pw_gid;
    return 0;
}

enum status account_find_uid(const char *name, uid_t *out_uid, gid_t *out_gid)
{
    struct name_query query = {.name = name};
    enum status status = look_up(find_name, &query);
    if (status == STATUS_OK) {
        *out_uid = query.uid;
        *out_gid = query.gid;
    }
    return status;
}

enum status account_groups(const char *user, gid_t primary, gid_t **out_groups,
                           size_t *out_count)
{
    for (int room = GROUPS; room <= GROUPS_MAX; room *= 4) {
        int count = room;
        gid_t *groups = calloc((size_t)room, sizeof *groups);
        if (groups != NULL && getgrouplist(user, primary, groups, &count) >= 0) {
            *out_groups = groups;
            *out_count = (size_t)count;
            return STATUS_OK;
        }
        free(groups);
    }
    return STATUS_NOMEM;
}

bool account_is_member(const char *user, gid_t primary, gid_t group)
{
    gid_t *groups = NULL;
    size_t count = 0;
    bool member = false;
    if (account_groups(user, primary, &groups, &count) != STATUS_OK)
        return false;
    for (size_t i = 0; i < count && !member; i++)
        member = groups[i] == group;
    free(groups);
    return member;
}
