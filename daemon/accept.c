/* accept(2) for libmilter and libmicrohttpd, which call it again at once when there is no
 * descriptor left for a connection, and again, until there is one: here such a call waits
 * a little before it fails. Both find this one because the program has it. */
#undef _GNU_SOURCE /* its sys/socket.h has unions for these addresses */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAUSE_MS = 50 };

int accept4(int listener, struct sockaddr *restrict address, socklen_t *restrict length,
            int flags);

int accept4(int listener, struct sockaddr *restrict address, socklen_t *restrict length,
            int flags)
{
    long fd = syscall(SYS_accept4, listener, address, length, flags);
    int failure = errno;
    if (fd < 0 && (failure == EMFILE || failure == ENFILE || failure == ENOBUFS ||
                   failure == ENOMEM))
        (void)poll(NULL, 0, PAUSE_MS);
    errno = failure;
    return (int)fd;
}

int accept(int listener, struct sockaddr *restrict address, socklen_t *restrict length)
{
    return accept4(listener, address, length, 0);
}
