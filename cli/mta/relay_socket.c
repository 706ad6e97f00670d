/* The path to our socket, folder by folder, with the rights of the user that Postfix runs
 * as. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/account.h"
#include "base/text.h"
#include "cli/mta/relay_parts.h"

/* bit: S_IXOTH or S_IWOTH; the class that applies is the first that fits, as in
 * path_resolution(7). */
static bool may(const struct passwd *user, const struct stat *info, mode_t bit)
{
    if (user->pw_uid == 0)
        return true;
    if (info->st_uid == user->pw_uid)
        return (info->st_mode & (bit << 6)) != 0;
    if (account_is_member(user->pw_name, user->pw_gid, info->st_gid))
        return (info->st_mode & (bit << 3)) != 0;
    return (info->st_mode & bit) != 0;
}

/* The first folder on the path that the user can't pass, in *path cut to it; false when
 * there is none. */
static bool find_barrier(const struct passwd *user, char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        struct stat info;
        *slash = '\0';
        if (stat(path, &info) == 0 && !may(user, &info, S_IXOTH))
            return true;
        *slash = '/';
    }
    return false;
}

/* True for a socket file on which no program listens; false when we may not connect. */
static bool is_left_over(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    bool refused = fd >= 0 &&
                   connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 &&
                   errno == ECONNREFUSED;
    if (fd >= 0)
        (void)close(fd);
    return refused;
}

void relay_check_socket(const struct relay *relay)
{
    struct stat info;
    struct problems *problems = relay->problems;
    const char *file = relay->settings->file;
    const char *path = text_after(relay->settings->milter.socket, "unix:");
    const char *owner = postconf_get(relay->postconf, "mail_owner");
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a single thread */
    const struct passwd *user = getpwnam(owner);
    char *barrier = path == NULL ? NULL : strdup(path);
    if (barrier == NULL)
        return;
    if (stat(path, &info) != 0) {
        problems_error(problems, file, 0, "milter.socket: %s: %s%s", path,
                       strerror(errno),
                       errno == ENOENT ? "; is mailbraked running?" : "");
    } else if (!S_ISSOCK(info.st_mode)) {
        problems_error(problems, file, 0, "milter.socket: %s is not a socket", path);
    } else if (is_left_over(path)) {
        problems_error(problems, file, 0,
                       "milter.socket: nothing listens at %s; is mailbraked running?",
                       path);
    } else if (user == NULL) {
        problems_error(problems, relay->postconf->main,
                       postconf_line(relay->postconf, "mail_owner"),
                       "mail_owner: there is no user %s", owner);
    } else if (find_barrier(user, barrier)) {
        problems_error(problems, file, 0,
                       "milter.socket: user %s cannot pass %s; try: chgrp %s %s; chmod "
                       "g+x %s",
                       owner, barrier, owner, barrier, barrier);
    } else if (!may(user, &info, S_IWOTH)) {
        problems_error(problems, file, 0,
                       "milter.socket: user %s cannot connect to %s; try: chgrp %s %s, "
                       "and socket_mode = \"0660\";",
                       owner, path, owner, path);
    }
    free(barrier);
}
