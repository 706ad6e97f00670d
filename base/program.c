/* Standard input and standard error are files in memory, so only one pipe needs reading
 * and nothing can block on the other. A program past its deadline is killed with its
 * children; children that outlive a program are not waited for. */
#include "base/program.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { INPUT, ERRORS, OUTPUT, OUTPUT_END, PROCESS, FILES };
enum {
    ERRORS_BYTES = 64 * 1024,
    CANNOT_RUN = 127,
    ARGV_SIZE = PROGRAM_WORDS_MAX + PROGRAM_MORE_MAX + 1
};

/* The file for errors can't grow past its size: it is our memory. */
static bool open_files(int files[FILES], const struct program *program)
{
    ssize_t length = (ssize_t)program->input_length;
    files[INPUT] = memfd_create("input", MFD_CLOEXEC);
    files[ERRORS] = memfd_create("errors", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return (length == 0 ||
            pwrite(files[INPUT], program->input, (size_t)length, 0) == length) &&
           ftruncate(files[ERRORS], ERRORS_BYTES) == 0 &&
           fcntl(files[ERRORS], F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0 &&
           pipe2(&files[OUTPUT], O_CLOEXEC) == 0 &&
           fcntl(files[OUTPUT], F_SETFL, O_NONBLOCK) == 0;
}

static void close_file(int *file)
{
    if (*file >= 0)
        (void)close(*file);
    *file = -1;
}

/* In the child, where only async-signal-safe functions may be called: its own process
 * group, default signals, three descriptors and none of our others. */
_Noreturn static void become(const struct program *program, const char *const *argv,
                             const int files[FILES])
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static char language[] = "LC_ALL=C";
    static char zone[] = "TZ=UTC0";
    char *const fixed[] = {path, language, program->utc ? zone : NULL, NULL};
    int output = files[program->take == NULL ? ERRORS : OUTPUT_END];
    bool ours = program->inherits;
    sigset_t none;
    (void)sigemptyset(&none);
    if (setpgid(0, 0) == 0 && signal(SIGPIPE, SIG_DFL) != SIG_ERR &&
        sigprocmask(SIG_SETMASK, &none, NULL) == 0 && dup2(files[INPUT], 0) == 0 &&
        (ours || (dup2(output, 1) == 1 && dup2(files[ERRORS], 2) == 2)) &&
        close_range(3, ~0U, 0) == 0)
        (void)execve(argv[0], (char *const *)(uintptr_t)argv, ours ? environ : fixed);
    _exit(CANNOT_RUN);
}

static pid_t start(const struct program *program, int files[FILES])
{
    const char *argv[ARGV_SIZE] = {NULL};
    size_t count = 0;
    assert(program->words[0] != NULL);
    for (; count < PROGRAM_WORDS_MAX && program->words[count] != NULL; count++)
        argv[count] = program->words[count];
    for (size_t i = 0; program->more != NULL && program->more[i] != NULL; i++) {
        if (i < PROGRAM_MORE_MAX)
            argv[count++] = program->more[i];
    }
    pid_t pid = fork();
    if (pid == 0)
        become(program, argv, files);
    if (pid > 0) {
        (void)setpgid(pid, pid); /* done by both: before either goes on */
        files[PROCESS] = pidfd_open(pid, 0);
    }
    close_file(&files[OUTPUT_END]);
    return pid;
}

/* Passes complete lines on. False when a line is too long, or memory runs out. */
static bool split(const struct program *program, struct text *line, const char *data,
                  size_t length)
{
    const char *stop;
    for (; (stop = memchr(data, '\n', length)) != NULL; data = stop + 1) {
        text_add(line, data, (size_t)(stop - data));
        if (line->failed)
            return false;
        program->take(program->context, text_string(line));
        text_reset(line);
        length -= (size_t)(stop - data) + 1;
    }
    text_add(line, data, length);
    return !line->failed && line->length <= PROGRAM_LINE_MAX;
}

/* Waits until the program has ended and its output is read; a child that it left behind
 * may keep the pipe open for longer. */
static enum status attend(const struct program *program, const int files[FILES],
                          int64_t deadline_us, struct error *error)
{
    char data[16384];
    struct text line = {0};
    bool ended = false;
    ssize_t n = 1;
    enum status status = STATUS_OK;
    struct pollfd waiting[] = {{.fd = files[PROCESS], .events = POLLIN},
                               {.fd = files[OUTPUT], .events = POLLIN}};
    while (status == STATUS_OK && (!ended || n > 0)) {
        ended =
            poll(waiting, 2, clock_left_ms(deadline_us)) > 0 && waiting[0].revents != 0;
        n = read(files[OUTPUT], data, sizeof data);
        if (n == 0)
            waiting[1].fd = -1;
        if (clock_left_ms(deadline_us) == 0)
            status = error_set(error, STATUS_UNAVAILABLE, "%s took too long",
                               program->words[0]);
        else if (n > 0 && !split(program, &line, data, (size_t)n))
            status = error_set(error, STATUS_LIMIT, "%s printed a line that is too long",
                               program->words[0]);
    }
    if (status == STATUS_OK && line.length > 0)
        program->take(program->context, text_string(&line));
    text_clear(&line);
    return status;
}

static enum status complain(const char *path, int errors, int result, struct error *error)
{
    char said[300];
    off_t end = lseek(errors, 0, SEEK_CUR);
    off_t start = end > (off_t)sizeof said - 1 ? end - ((off_t)sizeof said - 1) : 0;
    ssize_t n = pread(errors, said, (size_t)(end - start), start);
    size_t length = n < 0 ? 0 : (size_t)n;
    while (length > 0 && (said[length - 1] == '\n' || said[length - 1] == '\r'))
        length--;
    said[length] = '\0';
    const char *newline = memrchr(said, '\n', length);
    if (length > 0)
        return error_set(error, STATUS_IO, "%s", newline == NULL ? said : newline + 1);
    if (WIFSIGNALED(result))
        return error_set(error, STATUS_IO, "%s was killed by signal %d", path,
                         WTERMSIG(result));
    if (WEXITSTATUS(result) == CANNOT_RUN)
        return error_set(error, STATUS_IO, "cannot run %s", path);
    return error_set(error, STATUS_IO, "%s exited with status %d", path,
                     WEXITSTATUS(result));
}

enum status program_run(const struct program *program, int64_t deadline_us,
                        struct error *error)
{
    int files[FILES] = {-1, -1, -1, -1, -1};
    int result = 0;
    enum status status;
    pid_t pid = open_files(files, program) ? start(program, files) : -1;
    if (files[PROCESS] >= 0)
        status = attend(program, files, deadline_us, error);
    else
        status =
            error_set(error, STATUS_IO, "%s: %s", program->words[0], strerror(errno));
    if (pid > 0 && status != STATUS_OK) {
        (void)kill(pid, SIGKILL); /* it may have left its group */
        (void)kill(-pid, SIGKILL);
    }
    while (pid > 0 && waitpid(pid, &result, 0) < 0 && errno == EINTR)
        ;
    if (status == STATUS_OK && result != 0)
        status = complain(program->words[0], files[ERRORS], result, error);
    for (int i = 0; i < FILES; i++)
        close_file(&files[i]);
    return status;
}
