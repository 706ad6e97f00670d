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

#include "base/clock.h"
#include "base/program.h"
#include "base/queue_id.h"
#include "base/smtp_address.h"
#include "helper/mta.h"

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

/* O QueueDirectory of sendmail.cf, which may end with a '*', and O SMTPUTF8. */
static enum status set_up(const struct mta_job *job)
{
    char line[PATH_SIZE];
    char value[8];
    struct mta_setup *setup = job->setup;
    FILE *in = setup->known ? NULL : fopen(job->configuration, "re");
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        if (setup->queue[0] == '\0')
            (void)sscanf(line, "O QueueDirectory = %4095s", setup->queue);
        if (sscanf(line, "O SMTPUTF8 = %7s", value) == 1 ||
            sscanf(line, "O SMTPUTF8=%7s", value) == 1)
            setup->international = strchr("TtYy1", value[0]) != NULL;
    }
    if (in != NULL)
        (void)fclose(in);
    setup->known = setup->queue[0] == '/';
    return setup->known ? STATUS_OK
                        : error_set(job->error, STATUS_IO, "%s: no QueueDirectory",
                                    job->configuration);
}

/* "Cannot mail directly to programs", says sendmail(8), or to files, whatever domain
 * stands behind. */
static bool can_write(const struct mta_job *job, const char *address)
{
    char first = address[address[0] == '"' ? 1 : 0];
    if (first == '\\')
        first = address[2];
    if (first == '|' || first == '/' || first == ':')
        return false;
    return !smtp_address_is_international(address) ||
           (set_up(job) == STATUS_OK && job->setup->international);
}

/* For glob: an unreadable part of a queue is a failure; one that is missing, or not a
 * folder, is not. */
static int stop(const char *path, int number)
{
    (void)path;
    return number != ENOENT && number != ENOTDIR;
}

/* All messages' files; globfree them, whatever the result. */
static enum status find_files(const struct mta_job *job, glob_t *out)
{
    static const char *const names[] = {"[hq]f?*", "qf/[hq]f?*"};
    const char *queue = job->setup->queue;
    char pattern[PATH_SIZE + 16];
    *out = (glob_t){0};
    enum status status = set_up(job);
    if (status != STATUS_OK)
        return status;
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

/* A line of a field, as it stands in the message; NULL for another. H?FLAGS?NAME: VALUE,
 * FLAGS are often empty. */
static const char *header_line(const char *line)
{
    if (line[0] == ' ' || line[0] == '\t')
        return line;
    const char *flags_end =
        line[0] == 'H' && line[1] == '?' ? strchr(line + 2, '?') : NULL;
    return line[0] != 'H' ? NULL : flags_end == NULL ? line + 1 : flags_end + 1;
}

static void take_line(struct mta_message *message, const char *line)
{
    const char *value = line + (line[0] != '\0');
    if (line[0] == 'T') {
        message->arrived_s = strtoll(value, NULL, 10);
    } else if (line[0] == 'R') {
        const char *colon = strchr(value, ':'); /* RFLAGS:<ADDRESS> */
        message->recipients++;
        mta_message_add_address(message, colon == NULL ? value : colon + 1);
    } else if (line[0] == 'S') {
        value += *value == '<';
        (void)snprintf(message->sender, sizeof message->sender, "%.*s",
                       (int)strcspn(value, ">"), value);
    } else if (line[0] == '$' && line[1] == '_') { /* $_NAME [ADDRESS] */
        const char *address = strrchr(line, '[');
        message->local = address == NULL;
        if (address != NULL)
            (void)snprintf(message->client, sizeof message->client, "%.*s",
                           (int)strcspn(address + 1, "]"), address + 1);
    } else {
        const char *field = header_line(line);
        if (field != NULL)
            mta_message_add_header(message, field);
    }
}

/* Users who can write to the queue may put a device or a link there. */
static enum status open_file(const struct mta_job *job, const char *path, FILE **out)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return error_set(job->error, STATUS_NOT_FOUND, "it is not in the queue");
    bool regular = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    *out = regular ? fdopen(fd, "r") : NULL;
    if (*out != NULL)
        return STATUS_OK;
    if (fd >= 0)
        (void)close(fd);
    return error_set(job->error, STATUS_IO, "%s can't be read", path);
}

static enum status read_file(const struct mta_job *job, const char *path,
                             struct mta_message *out)
{
    FILE *in;
    char *line = NULL;
    size_t size = 0;
    enum status status = open_file(job, path, &in);
    if (status != STATUS_OK)
        return status;
    show_queue(path, out);
    while (getline(&line, &size, in) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        take_line(out, line);
    }
    free(line);
    (void)fclose(in);
    return out->hold_headers.failed || out->addresses.failed
               ? error_set(job->error, STATUS_NOMEM, "out of memory")
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
    return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* gone meanwhile */
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

/* Finds one message's file; IO when an order for its id would also match others. */
static enum status pick(const glob_t *files, const char *queue_id, const char **out,
                        struct error *error)
{
    bool contained = false;
    *out = NULL;
    for (size_t i = 0; i < files->gl_pathc; i++) {
        const char *id = id_of(files->gl_pathv[i]);
        if (strcmp(id, queue_id) == 0)
            *out = files->gl_pathv[i];
        else
            contained = contained || strstr(id, queue_id) != NULL;
    }
    if (*out == NULL)
        return error_set(error, STATUS_NOT_FOUND, "it is not in the queue");
    return contained
               ? error_set(error, STATUS_IO, "another message's id contains this one")
               : STATUS_OK;
}

/* Calls visit with each item's file; the result becomes the item's status. Only a passed
 * deadline fails for all. */
static enum status for_each(const struct mta_job *job, struct mta_item *items,
                            size_t count,
                            enum status (*visit)(const struct mta_job *job,
                                                 const char *path, struct mta_item *item))
{
    glob_t files;
    enum status status = find_files(job, &files);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const char *path;
        struct mta_item *item = &items[i];
        const struct mta_job one = {.mta = job->mta,
                                    .configuration = job->configuration,
                                    .deadline_us = job->deadline_us,
                                    .error = &item->error,
                                    .setup = job->setup};
        if (item->status == STATUS_OK)
            item->status = pick(&files, item->order->queue_id, &path, &item->error);
        if (item->status == STATUS_OK)
            item->status = visit(&one, path, item);
        if (item->status == STATUS_UNAVAILABLE)
            status = error_set(job->error, item->status, "%s", item->error.text);
    }
    globfree(&files);
    return status;
}

static enum status look_at(const struct mta_job *job, const char *path,
                           struct mta_item *item)
{
    return read_file(job, path, &item->message);
}

static enum status look(const struct mta_job *job, struct mta_item *items, size_t count)
{
    return for_each(job, items, count, look_at);
}

static enum status show(const struct mta_job *job, const char *path,
                        struct mta_item *item)
{
    (void)job;
    show_queue(path, &item->message);
    return STATUS_OK;
}

static enum status find(const struct mta_job *job, struct mta_item *items, size_t count)
{
    return for_each(job, items, count, show);
}

/* ---- read ---- */

/* A queue file's header, or a whole body. */
static enum status read_lines(const struct mta_job *job, const char *path, bool header,
                              struct mta_excerpt *out)
{
    FILE *in;
    char *line = NULL;
    size_t size = 0;
    enum status status = open_file(job, path, &in);
    if (status != STATUS_OK)
        return status;
    while (status == STATUS_OK && getline(&line, &size, in) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        const char *shown = header ? header_line(line) : line;
        if (shown != NULL)
            mta_excerpt_add(out, shown);
        if (clock_left_ms(job->deadline_us) == 0)
            status = error_set(job->error, STATUS_UNAVAILABLE, "it is too long to read");
    }
    free(line);
    (void)fclose(in);
    return status;
}

static enum status read_message(const struct mta_job *job, const struct mta_item *item,
                                struct mta_excerpt *out)
{
    glob_t files;
    const char *path;
    char body[PATH_SIZE];
    enum status status = find_files(job, &files);
    if (status == STATUS_OK)
        status = pick(&files, item->order->queue_id, &path, job->error);
    if (status == STATUS_OK)
        status = read_lines(job, path, true, out);
    if (status == STATUS_OK && out->whole) {
        find_body(path, body);
        mta_excerpt_add(out, "");
        status = read_lines(job, body, false, out);
    }
    globfree(&files);
    return status;
}

/* ---- act ---- */

/* All of them in one queue run; options: one or two. */
static enum status run_queue(const struct mta_job *job, const struct mta_item *items,
                             size_t count, const char *first, const char *second)
{
    char only[MTA_BATCH_MAX][QUEUE_ID_MAX + 4];
    const char *options[MTA_BATCH_MAX + 3] = {NULL};
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].status != STATUS_OK)
            continue;
        (void)snprintf(only[wanted], sizeof only[wanted], "-qI%s",
                       items[i].order->queue_id);
        options[wanted] = only[wanted];
        wanted++;
    }
    if (wanted == 0)
        return STATUS_OK;
    options[wanted] = first;
    options[wanted + 1] = first == NULL ? NULL : second;
    const struct program command = {
        .words = {"/usr/sbin/sendmail", "-C", job->configuration}, .more = options};
    return program_run(&command, job->deadline_us, job->error);
}

/* Sendmail delivers in the background. */
static enum status release(const struct mta_job *job, struct mta_item *items,
                           size_t count)
{
    enum status status = run_queue(job, items, count, "-qQ", "-Q");
    return status == STATUS_OK ? run_queue(job, items, count, NULL, NULL) : status;
}

static enum status hold(const struct mta_job *job, struct mta_item *items, size_t count)
{
    return run_queue(job, items, count, "-Qmailbrake", NULL);
}

/* While we hold its lock, Sendmail leaves the message alone. The queue file is removed
 * first: an orphaned body does no harm, a queue file without one is an error. */
static enum status remove_one(const struct mta_job *job, const char *path,
                              struct mta_item *item)
{
    char body[PATH_SIZE];
    enum status status = STATUS_OK;
    (void)item;
    find_body(path, body);
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || id_of(path)[-2] != 'h' || flock(fd, LOCK_EX | LOCK_NB) != 0)
        status = error_set(job->error, STATUS_IO, "Sendmail is processing the message");
    else if (unlink(path) != 0 || (unlink(body) != 0 && errno != ENOENT))
        status = error_set(job->error, STATUS_IO, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return status;
}

static enum status remove_held(const struct mta_job *job, struct mta_item *items,
                               size_t count)
{
    return for_each(job, items, count, remove_one);
}

const struct mta mta_sendmail = {
    .set_up = set_up,
    .list = list,
    .find = find,
    .look = look,
    .read = read_message,
    .release = release,
    .remove = remove_held,
    .hold = hold,
    .can_write = can_write,
    .null_sender = "<>",
};
