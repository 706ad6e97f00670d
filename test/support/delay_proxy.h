/* A unix socket in front of another one: what a client sends arrives late, as over a
 * network with that round trip, in however many pieces it comes. A thread for each
 * connection. */
#ifndef TEST_SUPPORT_DELAY_PROXY_H
#define TEST_SUPPORT_DELAY_PROXY_H

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DELAY_PROXY_CONNECTIONS = 64 };

struct delay_proxy {
    char path[100];
    const char *target;
    atomic_uint delay_us; /* may change while it runs */
    int listener;
    atomic_bool stop;
    atomic_int round_trips;
    pthread_t thread, threads[DELAY_PROXY_CONNECTIONS];
    int connections;
};

struct delay_proxy_connection {
    struct delay_proxy *proxy;
    int client;
};

static inline int delay_proxy_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* False at the end of either side. */
static inline bool delay_proxy_pass(int from, int to)
{
    static _Thread_local char buffer[256 * 1024];
    ssize_t got = recv(from, buffer, sizeof buffer, 0);
    for (ssize_t sent = 0; sent < got;) {
        ssize_t count = send(to, buffer + sent, (size_t)(got - sent), MSG_NOSIGNAL);
        if (count <= 0)
            return false;
        sent += count;
    }
    return got > 0;
}

static inline void *delay_proxy_serve(void *context)
{
    struct delay_proxy_connection connection = *(struct delay_proxy_connection *)context;
    struct delay_proxy *proxy = connection.proxy;
    free(context);
    int server = delay_proxy_connect(proxy->target);
    struct pollfd fds[2] = {{.fd = connection.client, .events = POLLIN},
                            {.fd = server, .events = POLLIN}};
    bool alive = server >= 0;
    bool asked = false;
    while (alive && !atomic_load(&proxy->stop)) {
        if (poll(fds, 2, 50) <= 0)
            continue;
        if (fds[1].revents != 0) {
            alive = delay_proxy_pass(server, connection.client);
            asked = false;
        }
        if (alive && fds[0].revents != 0) {
            if (!asked) {
                (void)usleep(atomic_load(&proxy->delay_us));
                atomic_fetch_add(&proxy->round_trips, 1);
            }
            alive = delay_proxy_pass(connection.client, server);
            asked = true;
        }
    }
    (void)close(connection.client);
    if (server >= 0)
        (void)close(server);
    return NULL;
}

static inline void *delay_proxy_run(void *context)
{
    struct delay_proxy *proxy = context;
    struct pollfd ready = {.fd = proxy->listener, .events = POLLIN};
    while (!atomic_load(&proxy->stop)) {
        if (poll(&ready, 1, 20) <= 0)
            continue;
        struct delay_proxy_connection *connection = malloc(sizeof *connection);
        *connection =
            (struct delay_proxy_connection){proxy, accept(proxy->listener, NULL, NULL)};
        ck_assert_int_lt(proxy->connections, DELAY_PROXY_CONNECTIONS);
        ck_assert_int_eq(pthread_create(&proxy->threads[proxy->connections++], NULL,
                                        delay_proxy_serve, connection),
                         0);
    }
    return NULL;
}

/* target is borrowed. */
static inline void delay_proxy_open(struct delay_proxy *proxy, const char *target,
                                    unsigned delay_us)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *proxy = (struct delay_proxy){.target = target, .delay_us = delay_us};
    (void)snprintf(proxy->path, sizeof proxy->path, "%s.late", target);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", proxy->path);
    (void)unlink(proxy->path);
    proxy->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(proxy->listener, (struct sockaddr *)&address, sizeof address),
                     0);
    ck_assert_int_eq(listen(proxy->listener, 32), 0);
    ck_assert_int_eq(pthread_create(&proxy->thread, NULL, delay_proxy_run, proxy), 0);
}

static inline void delay_proxy_close(struct delay_proxy *proxy)
{
    atomic_store(&proxy->stop, true);
    ck_assert_int_eq(pthread_join(proxy->thread, NULL), 0);
    for (int i = 0; i < proxy->connections; i++)
        ck_assert_int_eq(pthread_join(proxy->threads[i], NULL), 0);
    (void)close(proxy->listener);
    (void)unlink(proxy->path);
}

#endif
