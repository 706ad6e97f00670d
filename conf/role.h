/* What an administrator may do: the roles of control.roles. */
#ifndef CONF_ROLE_H
#define CONF_ROLE_H

/* ROLE_ADMIN (root and control.group) has all the others; each of those includes look. */
enum role {
    ROLE_ADMIN,
    ROLE_LOOK,
    ROLE_DECIDE,
    ROLE_BRAKE,
    ROLE_PERMIT,
    ROLE_COUNT,
    ROLE_NONE = ROLE_COUNT /* for what anybody may do */
};

#endif
