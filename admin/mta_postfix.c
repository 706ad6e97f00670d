/* Postfix: postqueue(1) lists, postcat(1) looks, postsuper(1) acts. Its queue ids are
 * reused and postsuper(1) says nothing of one that is not there, so whoever calls looks
 * before and after. */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin/mta.h"
#include "admin/mta_run.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"

enum { LIST_BYTES_MAX = 64 * 1024 * 1024, PATH_SIZE = 4096 };

/* Postfix's own default, when its setting can't be understood. */
static const int64_t lifetime_default_s = 5 * 86400;

static const struct {
    char unit;
    int64_t seconds;
} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};

static enum status postsuper(const struct mta_job *job, const char *option,
                             const char *queue_id, const char *queue)
{
    const char *argv[] = {"/usr/sbin/postsuper",
                          "-c",
                          job->config_directory,
                          option,
                          queue_id,
                          queue,
                          NULL};
    return mta_run(argv, NULL, NULL, job->deadline_us, job->error);
}

/* ---- list ---- */

struct listing {
    struct text *out;
    size_t count;      /* messages */
    size_t recipients; /* of this message */
    int depth;         /* of { and [ */
    bool in_string, escaped;
    bool failed;
    char head[MTA_PIECE_MAX + 1]; /* of the line: all but the recipients */
};

/* Braces of the line so far; each object inside the outermost one is a recipient. */
static void count_recipients(struct listing *listing, const char *piece)
{
    for (const char *c = piece; *c != '\0'; c++) {
        if (listing->escaped)
            listing->escaped = false;
        else if (*c == '\\')
            listing->escaped = listing->in_string;
        else if (*c == '"')
            listing->in_string = !listing->in_string;
        else if (!listing->in_string && (*c == '{' || *c == '['))
            listing->recipients += ++listing->depth > 1 && *c == '{';
        else if (!listing->in_string && (*c == '}' || *c == ']'))
            listing->depth--;
    }
}

/* The start of a value in the head, and its length; NULL when it is not there. The name
 * can't be found inside a string: there every '"' has a '\' before it. */
static const char *find_value(const char *head, const char *name, int *out_length)
{
    const char *value = strstr(head, name);
    if (value == NULL)
        return NULL;
    value += strlen(name);
    const char *end = value;
    bool string = name[strlen(name) - 1] == '"';
    while (*end != '\0' && *end != (string ? '"' : ','))
        end += *end == '\\' && end[1] != '\0' ? 2 : 1;
    *out_length = (int)(end - value);
    return *end == '\0' ? NULL : value;
}

static void add_message(struct listing *listing)
{
    static const char *const names[] = {
        "\"queue_name\": \"", "\"queue_id\": \"",
        "\"arrival_time\": ", "\"message_size\": ", "\"sender\": \""};
    const char *values[5];
    int lengths[5];
    for (char *c = listing->head; *c != '\0'; c++) {
        if ((*c > '\0' && *c < ' ') || *c == 0x7f)
            *c = '?';
    }
    for (size_t i = 0; i < 5; i++) {
        values[i] = find_value(listing->head, names[i], &lengths[i]);
        listing->failed = listing->failed || (values[i] == NULL && i < 4);
    }
    if (listing->failed)
        return;
    if (values[4] == NULL || strncmp(values[4], "MAILER-DAEMON\"", 14) == 0) {
        lengths[4] = values[4] == NULL; /* too long to show, or <> */
        values[4] = "?";
    }
    text_printf(listing->out,
                "{\"queue_name\":\"%.*s\",\"queue_id\":\"%.*s\",\"arrival_time\":%.*s,"
                "\"size\":%.*s,\"sender\":\"",
                lengths[0], values[0], lengths[1], values[1], lengths[2], values[2],
                lengths[3], values[3]);
    utf8_add(listing->out, values[4], (size_t)lengths[4]);
    text_printf(listing->out, "\",\"recipients\":%zu}\n", listing->recipients);
    listing->count++;
}

static void take_listed(void *context, const char *piece, bool first, bool last)
{
    struct listing *listing = context;
    if (first) {
        memcpy(listing->head, piece, strlen(piece) + 1);
        listing->recipients = 0;
        listing->depth = 0;
        listing->in_string = listing->escaped = false;
    }
    count_recipients(listing, piece);
    if (last && listing->out->length < LIST_BYTES_MAX)
        add_message(listing);
}

static enum status list(const struct mta_job *job, struct text *out, size_t *out_count)
{
    struct listing listing = {.out = out};
    const struct mta_run_lines lines = {take_listed, &listing};
    const char *argv[] = {"/usr/sbin/postqueue", "-c", job->config_directory, "-j", NULL};
    enum status status = mta_run(argv, NULL, &lines, job->deadline_us, job->error);
    if (status != STATUS_OK)
        return status;
    if (out->failed)
        return error_set(job->error, STATUS_NOMEM, "out of memory");
    if (out->length >= LIST_BYTES_MAX)
        return error_set(job->error, STATUS_LIMIT, "the queue is too long to list");
    if (listing.failed)
        return error_set(job->error, STATUS_IO, "postqueue -j printed no queue listing");
    *out_count = listing.count;
    return STATUS_OK;
}

/* ---- look ---- */

struct value {
    char *out;
    size_t size;
};

static void take_value(void *context, const char *piece, bool first, bool last)
{
    struct value *value = context;
    (void)last;
    if (first)
        (void)snprintf(value->out, value->size, "%s", piece);
}

static enum status read_setting(const struct mta_job *job, const char *name, char *out,
                                size_t size)
{
    struct value value = {out, size};
    const struct mta_run_lines lines = {take_value, &value};
    const char *argv[] = {
        "/usr/sbin/postconf", "-c", job->config_directory, "-xh", name, NULL};
    out[0] = '\0';
    return mta_run(argv, NULL, &lines, job->deadline_us, job->error);
}

/* Whether there is a file of that name below a queue's folder; queues may be hashed. */
static bool is_in(char *folder, const char *queue_id)
{
    char *const roots[] = {folder, NULL};
    bool found = false;
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    const FTSENT *entry;
    while (walk != NULL && !found && (entry = fts_read(walk)) != NULL)
        found = entry->fts_info == FTS_F && strcmp(entry->fts_name, queue_id) == 0;
    if (walk != NULL)
        (void)fts_close(walk);
    return found;
}

/* Not by postcat(1): it sleeps a second when a message is not there. Twice, since a
 * message may move between queues while we look. */
static enum status find(const struct mta_job *job, const char *queue_id,
                        struct mta_message *out)
{
    static const char *const queues[] = {"hold", "incoming", "active", "deferred"};
    char directory[PATH_SIZE];
    char folder[PATH_SIZE + 16];
    enum status status =
        read_setting(job, "queue_directory", directory, sizeof directory);
    if (status != STATUS_OK)
        return status;
    (void)snprintf(folder, sizeof folder, "%s/hold", directory);
    if (access(folder, R_OK | X_OK) != 0)
        return error_set(job->error, STATUS_IO, "%s: %s", folder, strerror(errno));
    for (size_t i = 0; i < 8; i++) {
        (void)snprintf(folder, sizeof folder, "%s/%s", directory, queues[i % 4]);
        if (!is_in(folder, queue_id))
            continue;
        out->held = i % 4 == 0;
        (void)snprintf(out->queue, sizeof out->queue, "%s", queues[i % 4]);
        return STATUS_OK;
    }
    return error_set(job->error, STATUS_NOT_FOUND, "it is not in the queue");
}

struct envelope {
    struct mta_message *message;
    bool has_time, has_sender;
    bool over; /* what follows is no envelope record of the start */
};

static bool take_time(const char *text, int64_t *out_s)
{
    struct tm broken = {.tm_isdst = -1};
    if (strptime(text, "%a %b %d %H:%M:%S %Y", &broken) == NULL)
        return false;
    *out_s = mktime(&broken);
    return true;
}

/* The records of postcat -e, up to the message. */
static void take_envelope(void *context, const char *piece, bool first, bool last)
{
    static const char message[] = "*** MESSAGE CONTENTS ";
    static const char arrival[] = "message_arrival_time: ";
    static const char sender[] = "sender: ";
    struct envelope *envelope = context;
    struct mta_message *out = envelope->message;
    (void)last;
    if (!first || envelope->over)
        return;
    envelope->over = strncmp(piece, message, sizeof message - 1) == 0;
    if (strncmp(piece, arrival, sizeof arrival - 1) == 0) {
        envelope->has_time = take_time(piece + sizeof arrival - 1, &out->arrived_s);
    } else if (strncmp(piece, sender, sizeof sender - 1) == 0 && !envelope->has_sender) {
        (void)snprintf(out->sender, sizeof out->sender, "%s", piece + sizeof sender - 1);
        envelope->has_sender = true;
    }
}

static void take_header(void *context, const char *piece, bool first, bool last)
{
    (void)last;
    if (first)
        mta_message_add_header(context, piece);
}

static enum status postcat(const struct mta_job *job, const char *what,
                           const char *queue_id, const struct mta_run_lines *lines)
{
    const char *argv[] = {
        "/usr/sbin/postcat", "-c", job->config_directory, what, queue_id, NULL};
    return mta_run(argv, NULL, lines, job->deadline_us, job->error);
}

static enum status look(const struct mta_job *job, const char *queue_id,
                        struct mta_message *out)
{
    struct envelope envelope = {.message = out};
    const struct mta_run_lines records = {take_envelope, &envelope};
    const struct mta_run_lines header = {take_header, out};
    enum status status = find(job, queue_id, out);
    if (status != STATUS_OK)
        return status;
    status = postcat(job, "-qe", queue_id, &records);
    if (status == STATUS_OK)
        status = postcat(job, "-qh", queue_id, &header);
    if (status == STATUS_IO && find(job, queue_id, out) == STATUS_NOT_FOUND)
        return STATUS_NOT_FOUND; /* it has gone meanwhile */
    if (status == STATUS_OK && out->marks.failed)
        status = error_set(job->error, STATUS_NOMEM, "out of memory");
    if (status == STATUS_OK && (!envelope.has_time || !envelope.has_sender))
        status = error_set(job->error, STATUS_IO, "postcat -e printed no envelope");
    return status;
}

/* ---- act ---- */

/* A Postfix time in seconds; without a unit, days. */
static int64_t parse_time(const char *text)
{
    char *unit;
    long long value = strtoll(text, &unit, 10);
    if (unit == text || value < 0 || value > INT32_MAX)
        return lifetime_default_s;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (*unit == units[i].unit || (*unit == '\0' && units[i].unit == 'd'))
            return value * units[i].seconds;
    }
    return lifetime_default_s;
}

/* Whether, let go as it is, it may bounce after few or no attempts. */
static bool is_old(const struct mta_job *job, const struct mta_message *message)
{
    char lifetime[64];
    if (read_setting(job, "maximal_queue_lifetime", lifetime, sizeof lifetime) !=
        STATUS_OK)
        log_throttled(SEVERITY_WARNING, "maximal_queue_lifetime is unknown: %s",
                      job->error->text);
    return clock_wall_ms() / 1000 - message->arrived_s > parse_time(lifetime) / 2;
}

/* Told to deliver now; if that fails Postfix will do it at its next queue run. */
static enum status release(const struct mta_job *job, const char *queue_id,
                           const struct mta_message *message)
{
    const char *flush[] = {
        "/usr/sbin/postqueue", "-c", job->config_directory, "-i", queue_id, NULL};
    const char *pick_up[] = {
        "/usr/sbin/postkick", "-c", job->config_directory, "public", "pickup", "W", NULL};
    bool old = is_old(job, message);
    enum status status = postsuper(job, old ? "-r" : "-H", queue_id, "hold");
    if (status != STATUS_OK)
        return status;
    if (mta_run(old ? pick_up : flush, NULL, NULL, job->deadline_us, job->error) !=
        STATUS_OK)
        log_throttled(SEVERITY_WARNING, "released %s, but delivery may take a while: %s",
                      queue_id, job->error->text);
    return STATUS_OK;
}

static enum status remove_held(const struct mta_job *job, const char *queue_id)
{
    return postsuper(job, "-d", queue_id, "hold");
}

static enum status hold(const struct mta_job *job, const char *queue_id)
{
    return postsuper(job, "-h", queue_id, NULL);
}

static enum status send_message(const struct mta_job *job, const char *const *to,
                                const struct text *message)
{
    const char *argv[32] = {
        "/usr/sbin/sendmail", "-C", job->config_directory, "-f", "", "-i", "--"};
    for (size_t i = 0, next = 7; to[i] != NULL && next < 31; i++)
        argv[next++] = to[i];
    return mta_run(argv, message, NULL, job->deadline_us, job->error);
}

const struct mta mta_postfix = {
    .list = list,
    .find = find,
    .look = look,
    .release = release,
    .remove = remove_held,
    .hold = hold,
    .send = send_message,
};
