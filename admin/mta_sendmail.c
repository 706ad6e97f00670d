/* Sendmail: its queue is read as its files (qf of a message, hf when quarantined, df for
 * the body), since mailq(1) cuts what it prints. sendmail(8) quarantines, releases and
 * sends. It can't delete: we take its lock and remove the files, as its own qtool.pl(8)
 * does. */
#include <dirent.h>
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
#include "admin/mta_run.h"
#include "base/utf8.h"

enum { LIST_BYTES_MAX = 64 * 1024 * 1024, PATH_SIZE = 4096 };

/* ---- the queue's files ---- */

struct file {
    char path[PATH_SIZE]; /* of qfID or hfID */
    char body[PATH_SIZE]; /* of dfID */
    const char *id;
    bool held;
};

struct walk {
    void (*visit)(void *context, const struct file *file);
    void *context;
};

/* O QueueDirectory of sendmail.cf; it may end with a '*'. */
static enum status find_queue(const struct mta_job *job, char out[PATH_SIZE])
{
    char path[PATH_SIZE];
    char line[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/sendmail.cf", job->config_directory);
    FILE *in = fopen(path, "re");
    if (in == NULL)
        return error_set(job->error, STATUS_IO, "%s: %s", path, strerror(errno));
    out[0] = '\0';
    while (out[0] == '\0' && fgets(line, sizeof line, in) != NULL) {
        if (sscanf(line, "O QueueDirectory = %4095s", out) != 1)
            out[0] = '\0';
    }
    (void)fclose(in);
    return out[0] == '/'
               ? STATUS_OK
               : error_set(job->error, STATUS_IO, "%s: no QueueDirectory", path);
}

/* A queue folder may have one more for each kind of file. */
static void find_part(const char *folder, const char *kind, char out[PATH_SIZE])
{
    struct stat info;
    (void)snprintf(out, PATH_SIZE, "%s/%s", folder, kind);
    if (stat(out, &info) != 0 || !S_ISDIR(info.st_mode))
        (void)snprintf(out, PATH_SIZE, "%s", folder);
}

static void walk_folder(const char *folder, const struct walk *walk)
{
    char files[PATH_SIZE];
    char bodies[PATH_SIZE];
    find_part(folder, "qf", files);
    find_part(folder, "df", bodies);
    DIR *dir = opendir(files);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        struct file file = {.id = name + 2, .held = name[0] == 'h'};
        if ((name[0] != 'q' && name[0] != 'h') || name[1] != 'f' ||
            snprintf(file.path, PATH_SIZE, "%s/%s", files, name) >= PATH_SIZE ||
            snprintf(file.body, PATH_SIZE, "%s/df%s", bodies, file.id) >= PATH_SIZE)
            continue;
        walk->visit(walk->context, &file);
    }
    if (dir != NULL)
        (void)closedir(dir);
}

static enum status walk_queue(const struct mta_job *job, const struct walk *walk)
{
    char pattern[PATH_SIZE];
    glob_t folders = {0};
    enum status status = find_queue(job, pattern);
    if (status != STATUS_OK)
        return status;
    if (glob(pattern, GLOB_ONLYDIR, NULL, &folders) != 0)
        status = error_set(job->error, STATUS_IO, "%s: no such queue", pattern);
    for (size_t i = 0; status == STATUS_OK && i < folders.gl_pathc; i++)
        walk_folder(folders.gl_pathv[i], walk);
    globfree(&folders);
    return status;
}

/* ---- one file ---- */

static void show_queue(const struct file *file, struct mta_message *out)
{
    out->held = file->held;
    (void)snprintf(out->queue, sizeof out->queue, "%s", file->held ? "hold" : "deferred");
}

static void take_line(struct mta_message *message, char *line, size_t *recipients)
{
    char *value = line + (line[0] != '\0');
    switch (line[0]) {
    case 'T':
        message->arrived_s = strtoll(value, NULL, 10);
        break;
    case 'S':
        value += *value == '<';
        (void)snprintf(message->sender, sizeof message->sender, "%.*s",
                       (int)strcspn(value, ">"), value);
        break;
    case 'R':
        ++*recipients;
        break;
    case 'H': /* H?FLAGS?NAME: VALUE, FLAGS are often empty */
        if (*value == '?' && strchr(value + 1, '?') != NULL)
            value = strchr(value + 1, '?') + 1;
        mta_message_add_header(message, value);
        break;
    case ' ':
    case '\t':
        mta_message_add_header(message, line);
        break;
    default:
        break;
    }
}

static enum status read_file(const struct file *file, struct mta_message *out,
                             size_t *out_recipients)
{
    char *line = NULL;
    size_t size = 0;
    FILE *in = fopen(file->path, "re");
    if (in == NULL)
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
    show_queue(file, out);
    while (getline(&line, &size, in) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        take_line(out, line, out_recipients);
    }
    free(line);
    (void)fclose(in);
    return out->marks.failed ? STATUS_NOMEM : STATUS_OK;
}

/* ---- list ---- */

struct listing {
    struct text *out;
    size_t count;
};

static void list_file(void *context, const struct file *file)
{
    struct listing *listing = context;
    struct mta_message message = {0};
    struct stat body = {0};
    size_t recipients = 0;
    if (listing->out->length < LIST_BYTES_MAX &&
        read_file(file, &message, &recipients) == STATUS_OK) {
        (void)stat(file->body, &body);
        for (char *c = message.sender; *c != '\0'; c++) {
            if ((*c > '\0' && *c < ' ') || *c == 0x7f || *c == '"' || *c == '\\')
                *c = '?';
        }
        text_printf(listing->out,
                    "{\"queue_name\":\"%s\",\"queue_id\":\"%s\",\"arrival_time\":%lld,"
                    "\"size\":%lld,\"sender\":\"",
                    message.queue, file->id, (long long)message.arrived_s,
                    (long long)body.st_size);
        utf8_add(listing->out, message.sender, strlen(message.sender));
        text_printf(listing->out, "\",\"recipients\":%zu}\n", recipients);
        listing->count++;
    }
    mta_message_clear(&message);
}

static enum status list(const struct mta_job *job, struct text *out, size_t *out_count)
{
    struct listing listing = {.out = out};
    const struct walk walk = {list_file, &listing};
    enum status status = walk_queue(job, &walk);
    if (status != STATUS_OK)
        return status;
    if (out->length >= LIST_BYTES_MAX)
        return error_set(job->error, STATUS_LIMIT, "the queue is too long to list");
    *out_count = listing.count;
    return STATUS_OK;
}

/* ---- look ---- */

struct search {
    const char *id;
    struct file found;
    bool is_found, ambiguous;
};

static void search_file(void *context, const struct file *file)
{
    struct search *search = context;
    if (strcmp(file->id, search->id) == 0) {
        search->found = *file;
        search->is_found = true;
    } else if (strstr(file->id, search->id) != NULL) {
        search->ambiguous = true; /* sendmail -qI would take both */
    }
}

static enum status find_file(const struct mta_job *job, const char *queue_id,
                             struct file *out)
{
    struct search search = {.id = queue_id};
    const struct walk walk = {search_file, &search};
    enum status status = walk_queue(job, &walk);
    if (status != STATUS_OK)
        return status;
    if (search.is_found && search.ambiguous)
        return error_set(job->error, STATUS_IO, "another message's id contains this one");
    *out = search.found;
    return search.is_found ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status find(const struct mta_job *job, const char *queue_id,
                        struct mta_message *out)
{
    struct file file = {0};
    enum status status = find_file(job, queue_id, &file);
    if (status == STATUS_OK)
        show_queue(&file, out);
    return status;
}

static enum status look(const struct mta_job *job, const char *queue_id,
                        struct mta_message *out)
{
    struct file file;
    size_t recipients = 0;
    enum status status = find_file(job, queue_id, &file);
    if (status != STATUS_OK)
        return status;
    status = read_file(&file, out, &recipients);
    return status == STATUS_OK
               ? status
               : error_set(job->error, status, "%s is unreadable", file.path);
}

/* ---- act ---- */

static enum status sendmail(const struct mta_job *job, const char *const *words,
                            const struct text *input)
{
    char configuration[PATH_SIZE];
    const char *argv[32] = {"/usr/sbin/sendmail", "-C", configuration};
    (void)snprintf(configuration, sizeof configuration, "%s/sendmail.cf",
                   job->config_directory);
    for (size_t i = 0, next = 3; words[i] != NULL && next < 31; i++)
        argv[next++] = words[i];
    return mta_run(argv, input, NULL, job->deadline_us, job->error);
}

static enum status release(const struct mta_job *job, const char *queue_id,
                           const struct mta_message *message)
{
    char only[64];
    const char *free_it[] = {"-qQ", "-Q", only, NULL};
    const char *deliver[] = {only, NULL};
    (void)message;
    (void)snprintf(only, sizeof only, "-qI%s", queue_id);
    enum status status = sendmail(job, free_it, NULL);
    return status == STATUS_OK ? sendmail(job, deliver, NULL) : status;
}

static enum status hold(const struct mta_job *job, const char *queue_id)
{
    char only[64];
    const char *words[] = {"-Qmailbrake", only, NULL};
    (void)snprintf(only, sizeof only, "-qI%s", queue_id);
    return sendmail(job, words, NULL);
}

/* While we have its lock, Sendmail leaves the message alone. The queue file goes first:
 * a body without one is litter, one without a body would be a fault. */
static enum status remove_held(const struct mta_job *job, const char *queue_id)
{
    struct file file;
    enum status status = find_file(job, queue_id, &file);
    if (status != STATUS_OK)
        return status;
    int fd = open(file.path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !file.held || flock(fd, LOCK_EX | LOCK_NB) != 0)
        status = error_set(job->error, STATUS_IO, "Sendmail is at work on the message");
    else if (unlink(file.path) != 0 || (unlink(file.body) != 0 && errno != ENOENT))
        status = error_set(job->error, STATUS_IO, "%s: %s", file.path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return status;
}

static enum status send_message(const struct mta_job *job, const char *const *to,
                                const struct text *message)
{
    const char *words[28] = {"-f", "<>", "-i", "--"};
    for (size_t i = 0, next = 4; to[i] != NULL && next < 27; i++)
        words[next++] = to[i];
    return sendmail(job, words, message);
}

const struct mta mta_sendmail = {
    .list = list,
    .find = find,
    .look = look,
    .release = release,
    .remove = remove_held,
    .hold = hold,
    .send = send_message,
};
