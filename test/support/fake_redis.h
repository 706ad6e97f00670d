/* Something on a unix socket that answers the reconnector like Redis, and the mail path
 * as badly as it is told to. */
#ifndef TEST_SUPPORT_FAKE_REDIS_H
#define TEST_SUPPORT_FAKE_REDIS_H

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FAKE_CONNECTIONS_MAX = 64 };

struct fake_redis {
    char path[96];
    int listener;
    pthread_t thread;
    atomic_bool stop;
    const char *answer; /* to a charge; NULL: hang up. Set before the charge */
    bool drip;          /* one byte each 100 ms */
};

static inline void fake_drip(struct fake_redis *fake, int fd, const char *answer)
{
    for (const char *at = answer; *at != '\0' && !atomic_load(&fake->stop); at++) {
        if (send(fd, at, 1, MSG_NOSIGNAL) != 1)
            return;
        (void)usleep(100000);
    }
}

/* False: hang up. */
static inline bool fake_answer(struct fake_redis *fake, int fd)
{
    static const char probed[] = "*3\r\n:1\r\n:1000000\r\n:0\r\n";
    static const char entered[] = "*3\r\n$16\r\n0123456789abcdef\r\n:1\r\n:0\r\n";
    static const char policy[] = "*2\r\n$16\r\nmaxmemory-policy\r\n"
                                 "$10\r\nnoeviction\r\n";
    char request[65536];
    ssize_t length = recv(fd, request, sizeof request - 1, 0);
    if (length <= 0)
        return false;
    request[length] = '\0';
    const char *answer = fake->answer;
    if (strstr(request, ":probe") != NULL)
        answer = probed;
    else if (strstr(request, ":epoch") != NULL)
        answer = entered;
    else if (strstr(request, "CONFIG") != NULL)
        answer = policy;
    else if (fake->drip && answer != NULL) {
        fake_drip(fake, fd, answer);
        return true;
    }
    return answer != NULL &&
           send(fd, answer, strlen(answer), MSG_NOSIGNAL) == (ssize_t)strlen(answer);
}

static inline void *fake_serve(void *context)
{
    struct fake_redis *fake = context;
    struct pollfd fds[FAKE_CONNECTIONS_MAX] = {{.fd = fake->listener, .events = POLLIN}};
    nfds_t count = 1;
    while (!atomic_load(&fake->stop)) {
        if (poll(fds, count, 20) <= 0)
            continue;
        for (nfds_t i = 1; i < count; i++)
            if (fds[i].revents != 0 && !fake_answer(fake, fds[i].fd)) {
                (void)close(fds[i].fd);
                fds[i] = fds[--count];
                break; /* the rest is asked again */
            }
        if ((fds[0].revents & POLLIN) != 0 && count < FAKE_CONNECTIONS_MAX) {
            int fd = accept(fake->listener, NULL, NULL);
            fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
    }
    for (nfds_t i = 1; i < count; i++)
        (void)close(fds[i].fd);
    return NULL;
}

static inline void fake_open(struct fake_redis *fake, const char *answer, bool drip)
{
    static int number;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *fake = (struct fake_redis){.answer = answer, .drip = drip};
    (void)snprintf(fake->path, sizeof fake->path, "/tmp/mailbrake-fake-%d-%d",
                   (int)getpid(), ++number);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", fake->path);
    (void)unlink(fake->path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_ge(fake->listener, 0);
    ck_assert_int_eq(bind(fake->listener, (struct sockaddr *)&address, sizeof address),
                     0);
    ck_assert_int_eq(listen(fake->listener, 64), 0);
    ck_assert_int_eq(pthread_create(&fake->thread, NULL, fake_serve, fake), 0);
}

static inline void fake_close(struct fake_redis *fake)
{
    atomic_store(&fake->stop, true);
    (void)pthread_join(fake->thread, NULL);
    (void)close(fake->listener);
    (void)unlink(fake->path);
}

#endif
