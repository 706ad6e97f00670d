/* The effective ids alone are changed, so that there is a way back; with them go the
 * capabilities, and so does the right to read every file. */
#include "cli/as_user.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

void as_user_end(const struct as_user *before)
{
    if (seteuid(before->uid) != 0 || setegid(before->gid) != 0 ||
        setgroups((size_t)before->group_count, before->groups) != 0)
        abort(); /* root can always return: a failure is a bug */
}

bool as_user_begin(const char *name, struct as_user *out_before)
{
    struct as_user before = {.uid = geteuid(), .gid = getegid()};
    const struct passwd *user = before.uid == 0 ? getpwnam(name) : NULL;
    if (user == NULL || user->pw_uid == 0)
        return false;
    before.group_count = getgroups(AS_USER_GROUPS_MAX, before.groups);
    if (before.group_count < 0)
        return false;
    if (initgroups(name, user->pw_gid) != 0)
        return false;
    if (setegid(user->pw_gid) != 0 || seteuid(user->pw_uid) != 0) {
        as_user_end(&before);
        return false;
    }
    *out_before = before;
    return true;
}
