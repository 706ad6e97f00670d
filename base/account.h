/* Users and groups of this system, however many members a group has. */
#ifndef BASE_ACCOUNT_H
#define BASE_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/status.h"

enum { ACCOUNT_NAME_SIZE = 64 };

/* NOT_FOUND when there is none; NOMEM; IO when the system can't say. */
enum status account_find_group(const char *name, gid_t *out_gid) MUST_CHECK;
/* By name. */
enum status account_find_uid(const char *name, uid_t *out_uid, gid_t *out_gid) MUST_CHECK;
enum status account_find_user(uid_t uid, char out_name[ACCOUNT_NAME_SIZE],
                              gid_t *out_gid) MUST_CHECK;

/* The groups of a user, whose first group is primary, for free(3). NOMEM, also when there
 * are too many of them. */
enum status account_groups(const char *user, gid_t primary, gid_t **out_groups,
                           size_t *out_count) MUST_CHECK;

/* Whether a user, whose first group is primary, is in a group. */
bool account_is_member(const char *user, gid_t primary, gid_t group);

#endif
