/* In a shell, with the pipe's end that it reads from, and nothing else of ours. */
#include "quarantine/notice_command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

/* Writes all of it, as far as the command reads; a pipe takes 64 KB at once, and no
 * document is longer, so this does not wait for it. */
static void feed(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, data, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        data += written;
        length -= (size_t)written;
    }
}

/* Waits for a child, and ends it, with all that it started, when it takes too long. */
static enum status await(pid_t child, int64_t deadline_us, struct error *error)
{
    int result = 0;
    while (waitpid(child, &result, WNOHANG) == 0) {
        if (clock_left_ms(deadline_us) == 0) {
            (void)kill(-child, SIGKILL);
            (void)waitpid(child, &result, 0);
            return error_set(error, STATUS_IO,
                             "notify.command took too long, and was ended");
        }
        (void)usleep(20000);
    }
    if (WIFEXITED(result) && WEXITSTATUS(result) == 0)
        return STATUS_OK;
    if (WIFEXITED(result))
        return error_set(error, STATUS_IO, "notify.command failed with %d",
                         WEXITSTATUS(result));
    return error_set(error, STATUS_IO, "notify.command was ended by signal %d",
                     WTERMSIG(result));
}

/* Signals as a program expects them: ours are blocked in every thread. In a process group
 * of its own. */
static enum status spawn_command(const char *command, int input, pid_t *out_child)
{
    static char shell[] = "/bin/sh";
    static char flag[] = "-c";
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t defaults;
    char *words[] = {shell, flag, (char *)(uintptr_t)command, NULL};
    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return STATUS_NOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return STATUS_NOMEM;
    }
    (void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETPGROUP);
    int failed = posix_spawn(out_child, shell, &actions, &attributes, words, environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed == 0 ? STATUS_OK : STATUS_IO;
}

enum status notice_command_run(const char *command, const json_t *document,
                               int timeout_ms, struct error *error)
{
    int ends[2];
    pid_t child;
    int64_t deadline_us = clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    char *text = json_dumps(document, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (text == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory for a notice");
    if (pipe2(ends, O_CLOEXEC) != 0) {
        free(text);
        return error_set(error, STATUS_IO, "notify.command: %s", strerror(errno));
    }
    enum status status = spawn_command(command, ends[0], &child);
    (void)close(ends[0]);
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    if (status == STATUS_OK)
        feed(ends[1], text, strlen(text));
    (void)close(ends[1]);
    free(text);
    if (status != STATUS_OK)
        return error_set(error, STATUS_IO, "notify.command could not be started");
    return await(child, deadline_us, error);
}
