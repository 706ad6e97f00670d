/* Standard input and standard error are files in memory, so only one pipe needs reading
 * and nothing can block on the other. A program that overstays is killed with its
 * children. */
#include "admin/mta_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

struct files {
    int input, errors;        /* in memory */
    int output, output_write; /* a pipe, -1 when nobody reads */
};

static void close_one(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void close_files(struct files *files)
{
    close_one(&files->input);
    close_one(&files->errors);
    close_one(&files->output);
    close_one(&files->output_write);
}

static bool fill(int fd, const struct text *input)
{
    size_t written = 0;
    while (input != NULL && written < input->length) {
        ssize_t n = write(fd, input->data + written, input->length - written);
        if (n < 0)
            return false;
        written += (size_t)n;
    }
    return lseek(fd, 0, SEEK_SET) == 0;
}

static bool open_files(struct files *out, const struct text *input, bool reads)
{
    int ends[2] = {-1, -1};
    struct files files = {-1, -1, -1, -1};
    files.input = memfd_create("input", MFD_CLOEXEC);
    files.errors = memfd_create("errors", MFD_CLOEXEC);
    if (files.input < 0 || files.errors < 0 || !fill(files.input, input) ||
        (reads && pipe2(ends, O_CLOEXEC) != 0)) {
        close_files(&files);
        return false;
    }
    files.output = ends[0];
    files.output_write = ends[1];
    *out = files;
    return true;
}

/* Its own process group, default signals, our three files and nothing else of ours.
 * Returns an errno, 0 when it runs. */
static int start(const char *const *argv, const struct files *files, pid_t *out_pid)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static char language[] = "LC_ALL=C";
    char *environment[] = {path, language, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int output = files->output_write < 0 ? files->errors : files->output_write;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
                                                        POSIX_SPAWN_SETSIGMASK |
                                                        POSIX_SPAWN_SETSIGDEF);
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setsigdefault(&attributes, &all);
        if (posix_spawn_file_actions_adddup2(&actions, files->input, 0) != 0 ||
            posix_spawn_file_actions_adddup2(&actions, output, 1) != 0 ||
            posix_spawn_file_actions_adddup2(&actions, files->errors, 2) != 0 ||
            posix_spawn_file_actions_addclosefrom_np(&actions, 3) != 0)
            error = ENOMEM;
        else
            error = posix_spawn(out_pid, argv[0], &actions, &attributes,
                                (char **)(uintptr_t)argv, environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Waits for a descriptor; false at the deadline, also when it is ready then. */
static bool wait_for(int fd, int64_t deadline_us)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    int left_ms, ready = -1;
    while ((left_ms = clock_left_ms(deadline_us)) > 0 && ready < 0)
        ready = poll(&waiting, 1, left_ms);
    return left_ms > 0 && ready > 0;
}

/* Gives on what is whole: lines, and pieces of lines too long for one. */
struct splitter {
    const struct mta_run_lines *lines;
    char piece[MTA_PIECE_MAX + 1];
    size_t length;
    bool inside; /* of a line whose first piece is out */
};

static void flush(struct splitter *splitter, bool last)
{
    splitter->piece[splitter->length] = '\0';
    splitter->lines->take(splitter->lines->context, splitter->piece, !splitter->inside,
                          last);
    splitter->length = 0;
    splitter->inside = !last;
}

static void split(struct splitter *splitter, const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (data[i] == '\n') {
            flush(splitter, true);
            continue;
        }
        if (splitter->length == MTA_PIECE_MAX)
            flush(splitter, false);
        splitter->piece[splitter->length++] = data[i] == '\0' ? ' ' : data[i];
    }
}

/* Reads to the end; false at the deadline. */
static bool read_output(int fd, const struct mta_run_lines *lines, int64_t deadline_us)
{
    char data[16384];
    struct splitter splitter = {.lines = lines};
    while (wait_for(fd, deadline_us)) {
        ssize_t n = read(fd, data, sizeof data);
        if (n > 0)
            split(&splitter, data, (size_t)n);
        else if (n == 0 || errno != EINTR) {
            if (splitter.length > 0 || splitter.inside)
                flush(&splitter, true);
            return true;
        }
    }
    return false;
}

/* Its exit status, or -1 when it had to be killed at the deadline or by somebody else. */
static int finish(pid_t pid, int64_t deadline_us)
{
    int status = 0;
    int fd = pidfd_open(pid, 0);
    if (fd < 0 || !wait_for(fd, deadline_us))
        (void)kill(-pid, SIGKILL);
    close_one(&fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The last line that it wrote to standard error. */
static enum status complain(const char *program, int fd, int exit_status,
                            struct error *error)
{
    char said[300];
    off_t end = lseek(fd, 0, SEEK_END);
    off_t start = end > (off_t)sizeof said - 1 ? end - ((off_t)sizeof said - 1) : 0;
    ssize_t n = pread(fd, said, sizeof said - 1, start);
    size_t length = n < 0 ? 0 : (size_t)n;
    while (length > 0 && (said[length - 1] == '\n' || said[length - 1] == '\r'))
        length--;
    said[length] = '\0';
    const char *line = memrchr(said, '\n', length);
    line = line == NULL ? said : line + 1;
    if (*line == '\0')
        return error_set(error, STATUS_IO, "%s ended with %d", program, exit_status);
    return error_set(error, STATUS_IO, "%s", line);
}

enum status mta_run(const char *const *argv, const struct text *input,
                    const struct mta_run_lines *lines, int64_t deadline_us,
                    struct error *error)
{
    struct files files;
    pid_t pid;
    if (!open_files(&files, input, lines != NULL))
        return error_set(error, STATUS_IO, "%s: no room for its input and output",
                         argv[0]);
    int failure = start(argv, &files, &pid);
    if (failure != 0) {
        close_files(&files);
        return error_set(error, STATUS_IO, "cannot run %s: %s", argv[0],
                         strerror(failure));
    }
    close_one(&files.output_write);
    if (lines != NULL && !read_output(files.output, lines, deadline_us))
        (void)kill(-pid, SIGKILL);
    int exit_status = finish(pid, deadline_us);
    enum status status = STATUS_OK;
    if (exit_status < 0 && clock_left_ms(deadline_us) == 0)
        status = error_set(error, STATUS_UNAVAILABLE, "%s took too long", argv[0]);
    else if (exit_status != 0)
        status = complain(argv[0], files.errors, exit_status, error);
    close_files(&files);
    return status;
}
