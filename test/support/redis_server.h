/* A private redis-server: in a folder of its own below /tmp, gone with the test. Where
 * MAILBRAKE_REDIS_SERVER names another one, such as valkey-server, it is that. */
#ifndef TEST_SUPPORT_REDIS_SERVER_H
#define TEST_SUPPORT_REDIS_SERVER_H

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct server {
    char folder[64];
    char socket[96];
    int port;
    pid_t pid;
    const char *option, *value; /* one more, or NULL */
};

static inline int server_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static inline redisContext *server_try_connect(const struct server *server)
{
    redisContext *context = redisConnectUnix(server->socket);
    ck_assert_ptr_nonnull(context);
    if (context->err == 0) {
        redisReply *reply = redisCommand(context, "PING");
        bool up = reply != NULL && (reply->type == REDIS_REPLY_STATUS ||
                                    strncmp(reply->str, "NOAUTH", 6) == 0);
        if (reply != NULL)
            freeReplyObject(reply);
        if (up)
            return context;
    }
    redisFree(context);
    return NULL;
}

/* Starts it again where it was, empty. */
static inline void server_start(struct server *server)
{
    char port[16];
    const char *program = getenv("MAILBRAKE_REDIS_SERVER");
    if (program == NULL)
        program = "redis-server";
    (void)snprintf(port, sizeof port, "%d", server->port);
    (void)unlink(server->socket);
    server->pid = fork();
    ck_assert_int_ge(server->pid, 0);
    if (server->pid == 0) {
        int null = open("/dev/null", O_RDWR);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        (void)execlp(program, program, "--port", port, "--bind", "127.0.0.1",
                     "--unixsocket", server->socket, "--dir", server->folder, "--save",
                     "", "--appendonly", "no", server->option, server->value,
                     (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500; i++) {
        redisContext *context = server_try_connect(server);
        if (context != NULL) {
            redisFree(context);
            return;
        }
        (void)usleep(10000);
    }
    ck_abort_msg("redis-server does not start");
}

static inline void server_open(struct server *server, const char *option,
                               const char *value)
{
    *server = (struct server){.option = option, .value = value};
    (void)snprintf(server->folder, sizeof server->folder, "/tmp/mailbrake-redis-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(server->folder));
    (void)snprintf(server->socket, sizeof server->socket, "%s/redis.sock",
                   server->folder);
    server->port = server_free_port();
    server_start(server);
}

static inline void server_kill(struct server *server)
{
    if (server->pid <= 0)
        return;
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static inline void server_close(struct server *server)
{
    server_kill(server);
    (void)unlink(server->socket);
    (void)rmdir(server->folder);
}

/* What Redis says to a command of blank-separated words, as text; "(nil)" for none. */
static inline void server_say(const struct server *server, const char *command, char *out,
                              size_t size)
{
    redisContext *context = server_try_connect(server);
    ck_assert_msg(context != NULL, "no redis-server for %s", command);
    char *copy = strdup(command);
    const char *words[80];
    int count = 0;
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        ck_assert_int_lt(count, (int)(sizeof words / sizeof *words));
        words[count++] = word;
    }
    redisReply *reply = redisCommandArgv(context, count, words, NULL);
    ck_assert_msg(reply != NULL, "%s: %s", command, context->errstr);
    if (reply->type == REDIS_REPLY_INTEGER)
        (void)snprintf(out, size, "%lld", reply->integer);
    else
        (void)snprintf(out, size, "%s", reply->str == NULL ? "(nil)" : reply->str);
    freeReplyObject(reply);
    redisFree(context);
    free(copy);
}

static inline void server_do(const struct server *server, const char *command)
{
    char reply[200];
    server_say(server, command, reply, sizeof reply);
    ck_assert_msg(strncmp(reply, "ERR", 3) != 0, "%s: %s", command, reply);
}

#endif
