/* Access to a unix socket is checked twice: here by its mode, and for each connection by
 * its peer's credentials. */
#include "base/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/folder.h"

enum { BACKLOG = 64, FOLDER_TEXT_SIZE = 1000 };

static enum status fail(struct error *error, const char *path, const char *what)
{
    return error_set_at(error, STATUS_IO, path, 0, "%s: %s", what, strerror(errno));
}

/* Removes an old socket at path. Only a socket is removed, and only when connecting to it
 * is refused: one with a full backlog is in use. */
static enum status clear_place(const struct sockaddr_un *address, struct error *error)
{
    struct stat about;
    const char *path = address->sun_path;
    if (lstat(path, &about) != 0)
        return errno == ENOENT ? STATUS_OK : fail(error, path, "can't look");
    if (!S_ISSOCK(about.st_mode))
        return error_set_at(error, STATUS_IO, path, 0, "exists and is not a socket");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(error, path, "socket");
    int refused = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                  errno == ECONNREFUSED;
    (void)close(fd);
    if (!refused)
        return error_set_at(error, STATUS_CONFLICT, path, 0,
                            "another program is listening there");
    if (unlink(path) != 0)
        return fail(error, path, "can't remove the old socket");
    return STATUS_OK;
}

enum status listener_open(const char *path, mode_t mode, int *out_fd, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return error_set_at(error, STATUS_INVALID, path, 0, "is too long for a socket");
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (!folder_exists(path)) {
        char text[FOLDER_TEXT_SIZE];
        folder_explain(path, "mailbrake", text, sizeof text);
        return error_set(error, STATUS_IO, "%s", text);
    }
    enum status status = clear_place(&address, error);
    if (status != STATUS_OK)
        return status;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(error, path, "socket");
    /* Bound with at most this mode, whatever the umask, which is the whole process's. */
    if (fchmod(fd, mode) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        status = fail(error, path, "can't listen there");
        (void)close(fd);
        return status;
    }
    /* Whoever may write to the folder may have replaced it by a link meanwhile. */
    if (fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW) != 0 ||
        listen(fd, BACKLOG) != 0) {
        status = fail(error, path, "can't listen there");
        (void)close(fd);
        (void)unlink(path);
        return status;
    }
    *out_fd = fd;
    return STATUS_OK;
}

enum status listener_open_tcp(const struct tcp_address *address, int *out_fd,
                              struct error *error)
{
    static const int on = 1;
    bool ipv4 = ip_address_is_ipv4(address->bytes);
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    memcpy(&v4.sin_addr, address->bytes + IP_ADDRESS_MAPPED_BITS / 8, sizeof v4.sin_addr);
    memcpy(&v6.sin6_addr, address->bytes, sizeof v6.sin6_addr);
    int fd =
        socket(ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set(error, STATUS_IO, "socket: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!ipv4)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, ipv4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6,
             ipv4 ? sizeof v4 : sizeof v6) != 0 ||
        listen(fd, BACKLOG) != 0) {
        enum status status = error_set(error, STATUS_IO, "%s", strerror(errno));
        (void)close(fd);
        return status;
    }
    *out_fd = fd;
    return STATUS_OK;
}
