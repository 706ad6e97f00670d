/* Acting as another user for a while, with that user's access rights. */
#ifndef CLI_AS_USER_H
#define CLI_AS_USER_H

#include <stdbool.h>
#include <sys/types.h>

enum { AS_USER_GROUPS_MAX = 256 };

/* The ids to return to. */
struct as_user {
    uid_t uid;
    gid_t gid;
    gid_t groups[AS_USER_GROUPS_MAX];
    int group_count;
};

/* For root only: the whole process runs as that user, with all groups, until
 * as_user_end. False, with nothing changed, when we are not root, there is no such
 * user, or the kernel does not let us. */
bool as_user_begin(const char *name, struct as_user *out_before);
void as_user_end(const struct as_user *before);

#endif
