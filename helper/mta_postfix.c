/* Postfix: postqueue(1) lists, postcat(1) looks, postsuper(1) acts. Queue ids are
 * reused and postsuper(1) doesn't report a missing one, so the caller looks before and
 * after. */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/program.h"
#include "base/smtp_address.h"
#include "base/utf8.h"
#include "helper/mta.h"

enum { PATH_SIZE = 4096 };

/* ---- settings ---- */

static void take_setting(void *context, const char *line)
{
    struct mta_setup *setup = context;
    char lifetime[64];
    const char *value = text_after(line, "queue_directory = ");
    if (value != NULL)
        (void)snprintf(setup->queue, sizeof setup->queue, "%s", value);
    value = text_after(line, "smtputf8_enable = ");
    if (value != NULL)
        setup->international = strcmp(value, "yes") == 0;
    value = text_after(line, "maximal_queue_lifetime = ");
    if (value == NULL)
        return;
    bool days = value[strspn(value, "0123456789")] == '\0'; /* a time without a unit */
    (void)snprintf(lifetime, sizeof lifetime, "%s%s", value, days ? "d" : "");
    struct error error = {0};
    setup->has_lifetime =
        duration_parse(lifetime, &setup->lifetime_ms, &error) == STATUS_OK;
}

/* One postconf(1) for a connection. */
static enum status set_up(const struct mta_job *job)
{
    static const char *const names[] = {"queue_directory", "smtputf8_enable",
                                        "maximal_queue_lifetime", NULL};
    struct mta_setup *setup = job->setup;
    const struct program command = {
        .words = {"/usr/sbin/postconf", "-c", job->configuration, "-x"},
        .more = names,
        .take = take_setting,
        .context = setup};
    if (setup->known)
        return STATUS_OK;
    enum status status = program_run(&command, job->deadline_us, job->error);
    if (status == STATUS_OK && setup->queue[0] != '/')
        status = error_set(job->error, STATUS_IO, "postconf named no queue_directory");
    setup->known = status == STATUS_OK;
    return status;
}

static bool can_write(const struct mta_job *job, const char *address)
{
    return !smtp_address_is_international(address) ||
           (set_up(job) == STATUS_OK && job->setup->international);
}

/* ---- list ---- */

/* The recipients, perhaps a million, are counted in the text itself: neither pattern can
 * occur inside a JSON string, where each '"' follows a '\'. */
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

/* ---- find ---- */

static int compare_ids(const void *left, const void *right)
{
    const struct mta_item *const *a = left;
    const struct mta_item *const *b = right;
    return strcmp((*a)->order->queue_id, (*b)->order->queue_id);
}

static int compare_name(const void *name, const void *item)
{
    const struct mta_item *const *wanted = item;
    return strcmp(name, (*wanted)->order->queue_id);
}

/* Items sorted by queue id, and the queue to search. */
struct queue_search {
    struct mta_item **items;
    size_t count;
    const char *queue; /* folder */
};

/* place: a queue, or a folder in it when it is hashed. */
static enum status search_folder(const struct mta_job *job,
                                 const struct queue_search *search, const char *place)
{
    char path[PATH_SIZE + 32];
    const struct dirent *entry;
    (void)snprintf(path, sizeof path, "%s/%s", search->queue, place);
    DIR *folder = opendir(path);
    if (folder == NULL) /* a hashed queue's folder may be gone */
        return errno == ENOENT && strchr(place, '/') != NULL
                   ? STATUS_OK
                   : error_set(job->error, STATUS_IO, "%s: %s", path, strerror(errno));
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a single thread */
    while ((entry = readdir(folder)) != NULL) {
        struct mta_item **found = bsearch(entry->d_name, search->items, search->count,
                                          sizeof(struct mta_item *), compare_name);
        /* Of one id there may be several orders. */
        while (found != NULL && found > search->items &&
               compare_name(entry->d_name, found - 1) == 0)
            found--;
        for (; found != NULL && found < search->items + search->count &&
               compare_name(entry->d_name, found) == 0;
             found++) {
            struct mta_message *out = &(*found)->message;
            if (out->place[0] != '\0')
                continue;
            (void)snprintf(out->place, sizeof out->place, "%s", place);
            (void)snprintf(out->queue, sizeof out->queue, "%.*s",
                           (int)strcspn(place, "/"), place);
            out->held = strcmp(out->queue, "hold") == 0;
        }
    }
    (void)closedir(folder);
    return STATUS_OK;
}

/* Queues may be hashed: then a folder for each letter, up to three deep. */
static enum status search_queues(const struct mta_job *job,
                                 const struct queue_search *search)
{
    static const char *const queues[] = {"hold", "incoming", "active", "deferred"};
    char pattern[PATH_SIZE + 32];
    enum status status = STATUS_OK;
    for (size_t i = 0; i < 4 && status == STATUS_OK; i++) {
        glob_t found = {0};
        status = search_folder(job, search, queues[i]);
        (void)snprintf(pattern, sizeof pattern, "%s/%s/{?,?/?,?/?/?}/", search->queue,
                       queues[i]);
        if (status == STATUS_OK && glob(pattern, GLOB_BRACE, NULL, &found) != 0)
            found.gl_pathc = 0;
        for (size_t j = 0; j < found.gl_pathc && status == STATUS_OK; j++) {
            char *place = found.gl_pathv[j] + strlen(search->queue) + 1;
            place[strlen(place) - 1] = '\0';
            status = search_folder(job, search, place);
        }
        globfree(&found);
    }
    return status;
}

static bool is_missing(const struct queue_search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        if (search->items[i]->message.place[0] == '\0')
            return true;
    }
    return false;
}

/* Not by postcat(1): it sleeps a second when a message is not there. Twice, since a
 * message may move between queues while we look. */
static enum status find(const struct mta_job *job, struct mta_item *items, size_t count)
{
    struct mta_item *wanted[MTA_BATCH_MAX];
    struct queue_search search = {.items = wanted, .queue = job->setup->queue};
    enum status status = set_up(job);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        if (items[i].status == STATUS_OK)
            wanted[search.count++] = &items[i];
    }
    qsort(wanted, search.count, sizeof wanted[0], compare_ids);
    for (int attempt = 0; attempt < 2 && status == STATUS_OK && is_missing(&search);
         attempt++)
        status = search_queues(job, &search);
    for (size_t i = 0; i < search.count && status == STATUS_OK; i++) {
        if (wanted[i]->message.place[0] == '\0')
            wanted[i]->status =
                error_set(&wanted[i]->error, STATUS_NOT_FOUND, "it is not in the queue");
    }
    return status;
}

/* ---- look ---- */

/* What is known of one message so far. */
struct message_view {
    struct mta_item *item;
    char *path;
    bool has_time, has_sender, in_header;
};

/* The files that a postcat(1) prints, in their order. */
struct postcat_reader {
    struct message_view *views;
    size_t count, next;
    bool ambiguous; /* a message contains a line like another's head */
};

static void take_attribute(struct mta_message *out, const char *attribute)
{
    const char *value = text_after(attribute, "sasl_username=");
    if (value != NULL && out->login[0] == '\0')
        (void)snprintf(out->login, sizeof out->login, "%s", value);
    value = text_after(attribute, "client_address=");
    if (value != NULL && out->client[0] == '\0')
        (void)snprintf(out->client, sizeof out->client, "%s", value);
}

/* A record of the envelope. */
static void take_record(struct message_view *view, const char *line)
{
    struct tm broken = {0};
    struct mta_message *out = &view->item->message;
    const char *value = text_after(line, "message_arrival_time: ");
    if (value != NULL) {
        view->has_time = strptime(value, "%a %b %d %H:%M:%S %Y", &broken) != NULL;
        out->arrived_s = timegm(&broken);
    } else if ((value = text_after(line, "sender: ")) != NULL && !view->has_sender) {
        (void)snprintf(out->sender, sizeof out->sender, "%s", value);
        view->has_sender = true;
    } else if ((value = text_after(line, "recipient: ")) != NULL) {
        mta_message_add_address(out, value);
    } else if ((value = text_after(line, "named_attribute: ")) != NULL) {
        take_attribute(out, value);
    }
}

/* "*** ENVELOPE RECORDS PATH ***" of the file that comes next. */
static bool is_head(const struct postcat_reader *look, const char *path)
{
    const char *expected = look->next < look->count ? look->views[look->next].path : NULL;
    const char *rest = expected == NULL ? NULL : text_after(path, expected);
    return rest != NULL && strcmp(rest, " ***") == 0;
}

/* The envelope's records, then the header. */
static void take_looked(void *context, const char *line)
{
    struct postcat_reader *look = context;
    const char *path = text_after(line, "*** ENVELOPE RECORDS ");
    if (path != NULL) {
        look->ambiguous = look->ambiguous || !is_head(look, path);
        look->next += !look->ambiguous;
        return;
    }
    if (look->next == 0 || look->ambiguous)
        return;
    struct message_view *view = &look->views[look->next - 1];
    if (view->in_header)
        mta_message_add_header(&view->item->message, line);
    else if (text_after(line, "*** MESSAGE CONTENTS ") != NULL)
        view->in_header = true;
    else
        take_record(view, line);
}

/* Reads views' files with one postcat(1). IO: not all, maybe since one has moved on. */
static enum status read_files(const struct mta_job *job, struct message_view *views,
                              size_t count, bool *out_doubted)
{
    const char *paths[MTA_BATCH_MAX + 1] = {NULL};
    struct postcat_reader look = {.views = views, .count = count};
    for (size_t i = 0; i < count; i++)
        paths[i] = views[i].path;
    const struct program postcat = {
        .words = {"/usr/sbin/postcat", "-c", job->configuration, "-eh"},
        .more = paths,
        .take = take_looked,
        .context = &look,
        .utc = true};
    enum status status = program_run(&postcat, job->deadline_us, job->error);
    *out_doubted = look.ambiguous;
    return status;
}

static bool is_read(const struct message_view *view)
{
    return view->has_time && view->has_sender && view->in_header;
}

/* Forgets what was read of it, but for its place. */
static void start_again(struct message_view *view)
{
    struct mta_message *message = &view->item->message;
    struct mta_message place = {.held = message->held,
                                .wants_addresses = message->wants_addresses};
    memcpy(place.queue, message->queue, sizeof place.queue);
    memcpy(place.place, message->place, sizeof place.place);
    mta_message_clear(message);
    *message = place;
    view->has_time = view->has_sender = view->in_header = false;
}

static bool set_path(const struct mta_job *job, struct message_view *view)
{
    free(view->path);
    if (asprintf(&view->path, "%s/%s/%s", job->setup->queue, view->item->message.place,
                 view->item->order->queue_id) < 0)
        view->path = NULL;
    return view->path != NULL;
}

/* Reads a message that was not read with the others: it may be gone, or have moved. */
static enum status look_alone(const struct mta_job *job, struct message_view *view)
{
    bool ambiguous;
    struct mta_item *item = view->item;
    start_again(view);
    item->message.place[0] = '\0';
    enum status status = find(job, item, 1);
    if (status != STATUS_OK || item->status != STATUS_OK)
        return status;
    if (!set_path(job, view))
        return error_set(job->error, STATUS_NOMEM, "out of memory");
    status = read_files(job, view, 1, &ambiguous);
    if (status == STATUS_IO) {
        item->status = error_set(&item->error, status, "%s", job->error->text);
        return STATUS_OK;
    }
    if (status == STATUS_OK && (ambiguous || !is_read(view)))
        item->status =
            error_set(&item->error, STATUS_IO, "postcat -eh printed no envelope");
    return status;
}

/* Mail of sendmail(1) has no client; nor have Postfix's own bounces, from <>. */
static void take_origin(struct mta_message *message)
{
    message->local = message->client[0] == '\0' && message->sender[0] != '\0';
}

static enum status look(const struct mta_job *job, struct mta_item *items, size_t count)
{
    bool ambiguous = false;
    size_t viewed = 0;
    struct message_view views[MTA_BATCH_MAX] = {0};
    enum status status = find(job, items, count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (items[i].status != STATUS_OK)
            continue;
        views[viewed].item = &items[i];
        if (!set_path(job, &views[viewed++]))
            status = error_set(job->error, STATUS_NOMEM, "out of memory");
    }
    if (status == STATUS_OK && viewed > 0)
        status = read_files(job, views, viewed, &ambiguous);
    if (status == STATUS_IO)
        status = STATUS_OK;
    for (size_t i = 0; i < viewed && status == STATUS_OK; i++) {
        if (ambiguous || !is_read(&views[i]))
            status = look_alone(job, &views[i]);
        take_origin(&views[i].item->message);
        if (status == STATUS_OK && (views[i].item->message.hold_headers.failed ||
                                    views[i].item->message.addresses.failed))
            status = error_set(job->error, STATUS_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < viewed; i++)
        free(views[i].path);
    return status;
}

/* ---- read ---- */

static void take_content(void *context, const char *line)
{
    mta_excerpt_add(context, line);
}

static enum status read_message(const struct mta_job *job, const struct mta_item *item,
                                struct mta_excerpt *out)
{
    char path[PATH_SIZE + 128];
    (void)snprintf(path, sizeof path, "%s/%s/%s", job->setup->queue, item->message.place,
                   item->order->queue_id);
    const struct program postcat = {.words = {"/usr/sbin/postcat", "-c",
                                              job->configuration,
                                              out->whole ? "-bh" : "-h", path},
                                    .take = take_content,
                                    .context = out};
    return program_run(&postcat, job->deadline_us, job->error);
}

/* ---- act ---- */

/* Whether, released with its arrival time, it may bounce after few or no attempts. */
static bool is_old(const struct mta_job *job, int64_t arrived_s)
{
    int64_t lifetime_ms = INT64_C(5) * 86400 * 1000; /* Postfix's default */
    if (job->setup->has_lifetime)
        lifetime_ms = job->setup->lifetime_ms;
    else
        log_throttled(SEVERITY_WARNING, "maximal_queue_lifetime is not known");
    return clock_wall_ms() - arrived_s * 1000 > lifetime_ms / 2;
}

/* The ids go to its standard input, which has no limit. */
static enum status postsuper(const struct mta_job *job, const char *option,
                             const struct text *ids, const char *queue)
{
    const struct program command = {
        .words = {"/usr/sbin/postsuper", "-c", job->configuration, option, "-", queue},
        .input = ids->data,
        .input_length = ids->length};
    if (ids->failed)
        return error_set(job->error, STATUS_NOMEM, "out of memory");
    return ids->length == 0 ? STATUS_OK
                            : program_run(&command, job->deadline_us, job->error);
}

static enum status move_all(const struct mta_job *job, const char *option,
                            const char *queue, const struct mta_item *items, size_t count)
{
    struct text ids = {0};
    for (size_t i = 0; i < count; i++) {
        if (items[i].status == STATUS_OK)
            text_printf(&ids, "%s\n", items[i].order->queue_id);
    }
    enum status status = postsuper(job, option, &ids, queue);
    text_clear(&ids);
    return status;
}

/* If that fails Postfix will do it at its next queue run. */
static bool deliver_now(const struct mta_job *job, const struct program *program)
{
    enum status status = program_run(program, job->deadline_us, job->error);
    if (status != STATUS_OK)
        log_throttled(SEVERITY_WARNING, "delivery of released mail may take a while: %s",
                      job->error->text);
    return status != STATUS_UNAVAILABLE;
}

static void flush(const struct mta_job *job, const struct mta_item *items, size_t count)
{
    bool goes_on = true;
    for (size_t i = 0; i < count && goes_on; i++) {
        const char *id = items[i].order->queue_id;
        const struct program one = {
            .words = {"/usr/sbin/postqueue", "-c", job->configuration, "-i", id}};
        if (items[i].status == STATUS_OK && !is_old(job, items[i].message.arrived_s))
            goes_on = deliver_now(job, &one);
    }
}

static enum status release(const struct mta_job *job, struct mta_item *items,
                           size_t count)
{
    const struct program pick_up = {.words = {"/usr/sbin/postkick", "-c",
                                              job->configuration, "public", "pickup",
                                              "W"}};
    struct text old = {0};
    struct text young = {0};
    for (size_t i = 0; i < count; i++) {
        if (items[i].status == STATUS_OK)
            text_printf(is_old(job, items[i].message.arrived_s) ? &old : &young, "%s\n",
                        items[i].order->queue_id);
    }
    enum status status = postsuper(job, "-H", &young, "hold");
    if (status == STATUS_OK)
        status = postsuper(job, "-r", &old, "hold");
    if (status == STATUS_OK && old.length > 0)
        (void)deliver_now(job, &pick_up);
    if (status == STATUS_OK)
        flush(job, items, count);
    text_clear(&old);
    text_clear(&young);
    return status;
}

static enum status remove_held(const struct mta_job *job, struct mta_item *items,
                               size_t count)
{
    return move_all(job, "-d", "hold", items, count);
}

static enum status hold(const struct mta_job *job, struct mta_item *items, size_t count)
{
    return move_all(job, "-h", NULL, items, count);
}

const struct mta mta_postfix = {
    .set_up = set_up,
    .list = list,
    .find = find,
    .look = look,
    .read = read_message,
    .release = release,
    .remove = remove_held,
    .hold = hold,
    .can_write = can_write,
    .is_old = is_old,
    .null_sender = "",
};
