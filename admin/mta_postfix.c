/* Postfix: postqueue(1) lists, postcat(1) looks, postsuper(1) acts. Its queue ids are
 * reused and postsuper(1) says nothing of one that is not there, so whoever calls looks
 * before and after. */
#include <errno.h>
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin/mta.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/program.h"
#include "base/utf8.h"
#include "policy/rule.h"

enum { PATH_SIZE = 4096 };

static enum status postsuper(const struct mta_job *job, const char *option,
                             const char *queue_id, const char *queue)
{
    const struct program command = {.words = {"/usr/sbin/postsuper", "-c",
                                              job->configuration, option, queue_id,
                                              queue}};
    return program_run(&command, job->deadline_us, job->error);
}

static void take_setting(void *context, const char *line)
{
    (void)snprintf(context, PATH_SIZE, "%s", line);
}

static enum status read_setting(const struct mta_job *job, const char *name,
                                char out[PATH_SIZE])
{
    const struct program command = {
        .words = {"/usr/sbin/postconf", "-c", job->configuration, "-xh", name},
        .take = take_setting,
        .context = out};
    out[0] = '\0';
    return program_run(&command, job->deadline_us, job->error);
}

/* ---- list ---- */

/* A message's recipients, which may be a million, are counted where they stand: neither
 * needle can be found inside a string, where every '"' has a '\' before it. */
static void take_listed(void *context, const char *line)
{
    static const char array[] = ", \"recipients\": [";
    static const char recipient[] = "{\"address\": \"";
    struct text *list = context;
    struct mta_message message = {0};
    struct text head = {0};
    const char *queue, *queue_id, *sender;
    const char *rest = strstr(line, array);
    utf8_add(&head, line, rest == NULL ? 0 : (size_t)(rest - line));
    text_add_string(&head, "}");
    json_t *json = json_loads(text_string(&head), 0, NULL);
    if (rest != NULL &&
        json_unpack(json, "{s:s, s:s, s:I, s:I, s:s}", "queue_name", &queue, "queue_id",
                    &queue_id, "arrival_time", &message.arrived_s, "message_size",
                    &message.size_bytes, "sender", &sender) == 0) {
        bool null = strcmp(sender, "MAILER-DAEMON") == 0;
        (void)snprintf(message.queue, sizeof message.queue, "%s", queue);
        (void)snprintf(message.sender, sizeof message.sender, "%s", null ? "" : sender);
        while ((rest = strstr(rest + 1, recipient)) != NULL)
            message.recipients++;
        mta_message_list(&message, queue_id, list);
    } else {
        list->failed = true;
    }
    json_decref(json);
    text_clear(&head);
}

static enum status list(const struct mta_job *job, struct text *out)
{
    const struct program postqueue = {
        .words = {"/usr/sbin/postqueue", "-c", job->configuration, "-j"},
        .take = take_listed,
        .context = out};
    return program_run(&postqueue, job->deadline_us, job->error);
}

/* ---- look ---- */

/* Not by postcat(1): it sleeps a second when a message is not there. Queues may be
 * hashed. Twice, since a message may move between queues while we look. */
static enum status find(const struct mta_job *job, const char *queue_id,
                        struct mta_message *out)
{
    char directory[PATH_SIZE];
    char path[PATH_SIZE + 128];
    glob_t found;
    enum status status = read_setting(job, "queue_directory", directory);
    if (status != STATUS_OK)
        return status;
    (void)snprintf(path, sizeof path, "%s/hold", directory);
    if (access(path, R_OK | X_OK) != 0)
        return error_set(job->error, STATUS_IO, "%s: %s", path, strerror(errno));
    (void)snprintf(path, sizeof path,
                   "%s/{hold,incoming,active,deferred}{,/?,/?/?,/?/?/?}/%s", directory,
                   queue_id);
    int failure = glob(path, GLOB_BRACE, NULL, &found);
    if (failure == GLOB_NOMATCH)
        failure = glob(path, GLOB_BRACE, NULL, &found);
    if (failure == GLOB_NOMATCH)
        return error_set(job->error, STATUS_NOT_FOUND, "it is not in the queue");
    if (failure != 0)
        return error_set(job->error, STATUS_IO, "%s can't be read", directory);
    const char *queue = found.gl_pathv[0] + strlen(directory) + 1;
    (void)snprintf(out->queue, sizeof out->queue, "%.*s", (int)strcspn(queue, "/"),
                   queue);
    out->held = strcmp(out->queue, "hold") == 0;
    globfree(&found);
    return STATUS_OK;
}

struct look {
    struct mta_message *message;
    bool has_time, has_sender;
    bool in_header;
};

/* The envelope's records, then the header. */
static void take_looked(void *context, const char *line)
{
    struct look *look = context;
    struct mta_message *out = look->message;
    struct tm broken = {.tm_isdst = -1};
    const char *value;
    if (look->in_header) {
        mta_message_add_header(out, line);
    } else if (text_after(line, "*** MESSAGE CONTENTS ") != NULL) {
        look->in_header = true;
    } else if ((value = text_after(line, "message_arrival_time: ")) != NULL) {
        look->has_time = strptime(value, "%a %b %d %H:%M:%S %Y", &broken) != NULL;
        out->arrived_s = mktime(&broken);
    } else if ((value = text_after(line, "sender: ")) != NULL && !look->has_sender) {
        (void)snprintf(out->sender, sizeof out->sender, "%s", value);
        look->has_sender = true;
    }
}

static enum status look(const struct mta_job *job, const char *queue_id,
                        struct mta_message *out)
{
    struct look look = {.message = out};
    const struct program postcat = {
        .words = {"/usr/sbin/postcat", "-c", job->configuration, "-qeh", queue_id},
        .take = take_looked,
        .context = &look};
    enum status status = find(job, queue_id, out);
    if (status != STATUS_OK)
        return status;
    status = program_run(&postcat, job->deadline_us, job->error);
    if (status == STATUS_IO && find(job, queue_id, out) == STATUS_NOT_FOUND)
        return STATUS_NOT_FOUND; /* it has gone meanwhile */
    if (status == STATUS_OK && out->marks.failed)
        status = error_set(job->error, STATUS_NOMEM, "out of memory");
    if (status == STATUS_OK && (!look.has_time || !look.has_sender || !look.in_header))
        status = error_set(job->error, STATUS_IO, "postcat -eh printed no envelope");
    return status;
}

/* ---- act ---- */

/* Whether, let go as it is, it may bounce after few or no attempts. A time without a unit
 * is in days. */
static bool is_old(const struct mta_job *job, int64_t arrived_s)
{
    char setting[PATH_SIZE];
    char lifetime[PATH_SIZE + 2];
    int64_t lifetime_ms = INT64_C(5) * 86400 * 1000; /* Postfix's default */
    enum status status = read_setting(job, "maximal_queue_lifetime", setting);
    bool days = setting[strspn(setting, "0123456789")] == '\0';
    (void)snprintf(lifetime, sizeof lifetime, "%s%s", setting, days ? "d" : "");
    if (status == STATUS_OK)
        status = duration_parse(lifetime, &lifetime_ms, job->error);
    if (status != STATUS_OK)
        log_throttled(SEVERITY_WARNING, "maximal_queue_lifetime is unknown: %s",
                      job->error->text);
    return clock_wall_ms() - arrived_s * 1000 > lifetime_ms / 2;
}

/* Told to deliver now; if that fails Postfix will do it at its next queue run. */
static enum status release(const struct mta_job *job, const char *queue_id,
                           const struct mta_message *message)
{
    const struct program flush = {
        .words = {"/usr/sbin/postqueue", "-c", job->configuration, "-i", queue_id}};
    const struct program pick_up = {.words = {"/usr/sbin/postkick", "-c",
                                              job->configuration, "public", "pickup",
                                              "W"}};
    bool old = is_old(job, message->arrived_s);
    enum status status = postsuper(job, old ? "-r" : "-H", queue_id, "hold");
    if (status == STATUS_OK &&
        program_run(old ? &pick_up : &flush, job->deadline_us, job->error) != STATUS_OK)
        log_throttled(SEVERITY_WARNING, "released %s, but delivery may take a while: %s",
                      queue_id, job->error->text);
    return status;
}

static enum status remove_held(const struct mta_job *job, const char *queue_id)
{
    return postsuper(job, "-d", queue_id, "hold");
}

static enum status hold(const struct mta_job *job, const char *queue_id)
{
    return postsuper(job, "-h", queue_id, NULL);
}

const struct mta mta_postfix = {
    .list = list,
    .find = find,
    .look = look,
    .release = release,
    .remove = remove_held,
    .hold = hold,
    .null_sender = "",
};
