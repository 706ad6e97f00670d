/* Sendmail: its queue is read as its files (qf of a message, hf when quarantined, df for
 * the body), since mailq(1) cuts what it prints. sendmail(8) quarantines and releases. It
 * can't delete: we take its lock and remove the files, as its own qtool.pl(8) does. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/mta.h"
#include "base/clock.h"
#include "base/program.h"

enum { PATH_SIZE = 4096 };

/* ---- the queue's files ---- */

/* Of a path that glob found: what stands behind qf or hf. */
static const char *id_of(const char *path)
{
    return strrchr(path, '/') + 3;
}

static void show_queue(const char *path, struct mta_message *out)
{
    out->held = id_of(path)[-2] == 'h';
    (void)snprintf(out->queue, sizeof out->queue, "%s", out->held ? "hold" : "deferred");
}

/* A queue folder may have one more for each kind of file. */
static void find_body(const char *path, char out[PATH_SIZE])
{
    int folder = (int)(strrchr(path, '/') - path);
    if (folder > 3 && strncmp(path + folder - 3, "/qf", 3) == 0)
        folder -= 3;
    (void)snprintf(out, PATH_SIZE, "%.*s/df/df%s", folder, path, id_of(path));
    if (access(out, F_OK) != 0)
        (void)snprintf(out, PATH_SIZE, "%.*s/df%s", folder, path, id_of(path));
}

/* O QueueDirectory of sendmail.cf; it may end with a '*'. */
static bool find_queue(const char *configuration, char out[PATH_SIZE])
{
    char line[PATH_SIZE];
    FILE *in = fopen(configuration, "re");
    out[0] = '\0';
    while (in != NULL && out[0] == '\0' && fgets(line, sizeof line, in) != NULL)
        (void)sscanf(line, "O QueueDirectory = %4095s", out);
    if (in != NULL)
        (void)fclose(in);
    return out[0] == '/';
}

/* For glob: a part of a queue that can't be read is a failure, one that is not there or
 * is no folder is not. */
static int stop(const char *path, int number)
{
    (void)path;
    return number != ENOENT && number != ENOTDIR;
}

/* All messages' files; globfree them, whatever the result. */
static enum status find_files(const struct mta_job *job, glob_t *out)
{
    static const char *const names[] = {"[hq]f?*", "qf/[hq]f?*"};
    char queue[PATH_SIZE];
    char pattern[PATH_SIZE + 16];
    *out = (glob_t){0};
    if (!find_queue(job->configuration, queue))
        return error_set(job->error, STATUS_IO, "%s: no QueueDirectory",
                         job->configuration);
    int failure = glob(queue, 0, stop, out);
    globfree(out);
    for (size_t i = 0; i < 2 && failure == 0; i++) {
        (void)snprintf(pattern, sizeof pattern, "%s/%s", queue, names[i]);
        failure =
            glob(pattern, i == 0 ? GLOB_NOSORT : GLOB_NOSORT | GLOB_APPEND, stop, out);
        failure = failure == GLOB_NOMATCH ? 0 : failure;
    }
    return failure == 0 ? STATUS_OK
                        : error_set(job->error, STATUS_IO, "%s can't be read", queue);
}

/* ---- one file ---- */

static void take_line(struct mta_message *message, const char *line)
{
    const char *value = line + (line[0] != '\0');
    if (line[0] == 'T') {
        message->arrived_s = strtoll(value, NULL, 10);
    } else if (line[0] == 'R') {
        message->recipients++;
    } else if (line[0] == 'S') {
        value += *value == '<';
        (void)snprintf(message->sender, sizeof message->sender, "%.*s",
                       (int)strcspn(value, ">"), value);
    } else if (line[0] == 'H') { /* H?FLAGS?NAME: VALUE, FLAGS are often empty */
        const char *flags_end = *value == '?' ? strchr(value + 1, '?') : NULL;
        mta_message_add_header(message, flags_end == NULL ? value : flags_end + 1);
    } else if (line[0] == ' ' || line[0] == '\t') {
        mta_message_add_header(message, line);
    }
}

/* Whoever can write to the queue may put there what is no file, or not his. */
static enum status read_file(const struct mta_job *job, const char *path,
                             struct mta_message *out)
{
    struct stat info;
    char *line = NULL;
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return error_set(job->error, STATUS_NOT_FOUND, "it is not in the queue");
    bool regular = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    FILE *in = regular ? fdopen(fd, "r") : NULL;
    if (in == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return error_set(job->error, STATUS_IO, "%s can't be read", path);
    }
    show_queue(path, out);
    while (getline(&line, &size, in) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        take_line(out, line);
    }
    free(line);
    (void)fclose(in);
    return out->marks.failed ? error_set(job->error, STATUS_NOMEM, "out of memory")
                             : STATUS_OK;
}

/* ---- list and look ---- */

static enum status list_file(const struct mta_job *job, const char *path,
                             struct text *out)
{
    char body[PATH_SIZE];
    struct stat info = {0};
    struct mta_message message = {0};
    if (clock_left_ms(job->deadline_us) == 0)
        return error_set(job->error, STATUS_UNAVAILABLE, "the queue is too long to list");
    enum status status = read_file(job, path, &message);
    find_body(path, body);
    (void)stat(body, &info);
    message.size_bytes = info.st_size;
    if (status == STATUS_OK)
        mta_message_list(&message, id_of(path), out);
    mta_message_clear(&message);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* it has gone meanwhile */
}

static enum status list(const struct mta_job *job, struct text *out)
{
    glob_t files;
    enum status status = find_files(job, &files);
    for (size_t i = 0; status == STATUS_OK && i < files.gl_pathc; i++)
        status = list_file(job, files.gl_pathv[i], out);
    globfree(&files);
    return status;
}

static enum status find_file(const struct mta_job *job, const char *queue_id,
                             char out[PATH_SIZE])
{
    glob_t files;
    bool contained = false;
    out[0] = '\0';
    enum status status = find_files(job, &files);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        const char *id = id_of(files.gl_pathv[i]);
        if (strcmp(id, queue_id) == 0)
            (void)snprintf(out, PATH_SIZE, "%s", files.gl_pathv[i]);
        else
            contained = contained || strstr(id, queue_id) != NULL;
    }
    globfree(&files);
    if (status == STATUS_OK && out[0] == '\0')
        status = error_set(job->error, STATUS_NOT_FOUND, "it is not in the queue");
    else if (status == STATUS_OK && contained) /* sendmail -qI would take both */
        status =
            error_set(job->error, STATUS_IO, "another message's id contains this one");
    return status;
}

static enum status look(const struct mta_job *job, const char *queue_id,
                        struct mta_message *out)
{
    char path[PATH_SIZE];
    enum status status = find_file(job, queue_id, path);
    return status == STATUS_OK ? read_file(job, path, out) : status;
}

/* ---- act ---- */

/* options: one or two. */
static enum status run_queue(const struct mta_job *job, const char *queue_id,
                             const char *first, const char *second)
{
    char only[64];
    (void)snprintf(only, sizeof only, "-qI%s", queue_id);
    const struct program command = {
        .words = {"/usr/sbin/sendmail", "-C", job->configuration, only, first, second}};
    return program_run(&command, job->deadline_us, job->error);
}

/* The delivery goes on behind our back. */
static enum status release(const struct mta_job *job, const char *queue_id,
                           const struct mta_message *message)
{
    (void)message;
    enum status status = run_queue(job, queue_id, "-qQ", "-Q");
    return status == STATUS_OK ? run_queue(job, queue_id, NULL, NULL) : status;
}

static enum status hold(const struct mta_job *job, const char *queue_id)
{
    return run_queue(job, queue_id, "-Qmailbrake", NULL);
}

/* While we have its lock, Sendmail leaves the message alone. The queue file goes first:
 * a body without one is litter, one without a body would be a fault. */
static enum status remove_held(const struct mta_job *job, const char *queue_id)
{
    char path[PATH_SIZE];
    char body[PATH_SIZE];
    enum status status = find_file(job, queue_id, path);
    if (status != STATUS_OK)
        return status;
    find_body(path, body);
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || id_of(path)[-2] != 'h' || flock(fd, LOCK_EX | LOCK_NB) != 0)
        status = error_set(job->error, STATUS_IO, "Sendmail is at work on the message");
    else if (unlink(path) != 0 || (unlink(body) != 0 && errno != ENOENT))
        status = error_set(job->error, STATUS_IO, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return status;
}

const struct mta mta_sendmail = {
    .list = list,
    .find = look,
    .look = look,
    .release = release,
    .remove = remove_held,
    .hold = hold,
    .null_sender = "<>",
};
