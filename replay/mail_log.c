/* Several files are read as one, by the time of their lines: rotated logs in any order,
 * or those of several relays. A file is opened when its first line is due. */
#include "replay/mail_log.h"

#include <stdlib.h>

#include "base/readable.h"
#include "base/text.h"
#include "replay/log_source.h"
#include "replay/postfix_log.h"
#include "replay/sendmail_log.h"

enum { PROGRESS_LINES = 1 << 17, REPEATED_MAX = 1000 };

/* A file, and its next record. */
struct merged {
    const char *path;
    struct log_source *source; /* NULL: it is not open */
    bool ended;
    struct log_record record; /* but its at_ms only while the file is open */
    uint64_t size;            /* in bytes; 0: nobody knows */
};

struct merger {
    const struct mail_log_reading *reading;
    struct mail_log_statistics *statistics;
    struct log_queue *queue;
    struct sendmail_log *sendmail;
    struct merged *files;
    uint64_t closed_bytes; /* read of files of a known size that are closed again */
    char host[256];        /* of the last line, */
    size_t host_length;
    uint32_t host_number; /* as the queue numbers it */
};

static void count_unread(struct merger *merger, const struct merged *file)
{
    struct mail_log_statistics *statistics = merger->statistics;
    struct mail_log_example *example;
    struct log_slice line;
    if (statistics->unread++ >= MAIL_LOG_EXAMPLES)
        return;
    example = &statistics->examples[statistics->unread - 1];
    struct text text = text_on(example->text, sizeof example->text);
    example->line = log_source_line(file->source, &line);
    text_join(example->file, sizeof example->file, file->path, "");
    /* What no longer fits is added, and taken away again. */
    (void)readable_add(&text, line.data, line.length, false, sizeof example->text - 8);
}

static void close_file(struct merger *merger, struct merged *file)
{
    if (file->source != NULL && file->size > 0)
        merger->closed_bytes += log_source_read_bytes(file->source);
    log_source_free(file->source);
    file->source = NULL;
}

/* Goes on to the file's next record; what is none is counted. */
static enum status advance(struct merger *merger, struct merged *file,
                           struct error *error)
{
    for (;;) {
        enum status status = log_source_next(file->source, &file->record, error);
        if (status == STATUS_NOT_FOUND) {
            file->ended = true;
            close_file(merger, file);
            return STATUS_OK;
        }
        if (status != STATUS_OK && status != STATUS_INVALID)
            return status == STATUS_CONFLICT ? STATUS_INVALID : status;
        merger->statistics->lines++;
        if (status == STATUS_OK)
            return STATUS_OK;
        count_unread(merger, file);
    }
}

/* Opens it at its first record. */
static enum status open_file(struct merger *merger, struct merged *file,
                             struct error *error)
{
    enum status status =
        log_source_open(file->path, merger->reading->now_ms, &file->source, error);
    if (status != STATUS_OK)
        return status;
    file->size = log_source_size(file->source);
    return advance(merger, file, error);
}

/* Finds out when its first record was written. What can be opened again is closed. */
static enum status look_into(struct merger *merger, struct merged *file,
                             struct error *error)
{
    struct mail_log_statistics before = *merger->statistics;
    enum status status = open_file(merger, file, error);
    if (status != STATUS_OK || file->ended || file->size == 0)
        return status;
    log_source_free(file->source);
    file->source = NULL;
    *merger->statistics = before;
    return STATUS_OK;
}

/* The file whose record is the oldest, or NULL; and until when that stays so. */
static struct merged *oldest(struct merger *merger, int64_t *out_until_ms)
{
    struct merged *found = NULL;
    *out_until_ms = INT64_MAX;
    for (size_t i = 0; i < merger->reading->path_count; i++) {
        struct merged *file = &merger->files[i];
        if (file->ended)
            continue;
        if (found == NULL || file->record.at_ms < found->record.at_ms) {
            if (found != NULL)
                *out_until_ms = found->record.at_ms;
            found = file;
        } else if (file->record.at_ms < *out_until_ms) {
            *out_until_ms = file->record.at_ms;
        }
    }
    return found;
}

/* What rsyslog writes for lines that are alike: "message repeated 3 times: [ text]". */
static uint32_t take_repeated(struct log_slice *text)
{
    struct log_slice rest = *text;
    uint32_t times;
    if (!log_slice_skip(&rest, LOG_SLICE("message repeated ")) ||
        !log_slice_number(&rest, &times) ||
        !log_slice_skip(&rest, LOG_SLICE(" times: [ ")))
        return 1;
    if (rest.length > 0 && rest.data[rest.length - 1] == ']')
        rest.length--;
    *text = rest;
    return times < REPEATED_MAX ? times : REPEATED_MAX;
}

/* The number of the record's host, which is mostly that of the line before. */
static enum status find_host(struct merger *merger, struct log_slice host)
{
    struct log_slice last = {merger->host, merger->host_length};
    if (host.length >= sizeof merger->host)
        host.length = sizeof merger->host - 1;
    if (merger->host_length > 0 && log_slice_is(host, last))
        return STATUS_OK;
    memcpy(merger->host, host.data, host.length);
    merger->host_length = host.length;
    return log_queue_host(merger->queue, host, &merger->host_number);
}

static enum status read_record(struct merger *merger, const struct merged *file)
{
    const struct log_record *record = &file->record;
    struct mail_log_statistics *statistics = merger->statistics;
    struct log_line line = {
        .program = record->program, .pid = record->pid, .text = record->text};
    bool cut = false;
    if (statistics->first_ms == 0)
        statistics->first_ms = record->at_ms;
    if (record->at_ms > statistics->last_ms)
        statistics->last_ms = record->at_ms;
    enum status status = find_host(merger, record->host);
    uint32_t times = take_repeated(&line.text);
    line.place = (struct log_place){merger->host_number, record->at_ms};
    while (status == STATUS_OK && times-- > 0 && !cut) {
        if (postfix_log_is_by(record->program))
            status = postfix_log_line(merger->queue, &line, &cut);
        else if (sendmail_log_is_by(record->program))
            status = sendmail_log_line(merger->sendmail, &line, &cut);
    }
    if (cut)
        count_unread(merger, file);
    return status;
}

static void report_progress(const struct merger *merger)
{
    const struct mail_log_reading *reading = merger->reading;
    struct mail_log_statistics *statistics = merger->statistics;
    statistics->messages = log_queue_handed_over(merger->queue);
    statistics->late = log_queue_late(merger->queue);
    statistics->bytes_read = merger->closed_bytes;
    statistics->bytes_total = 0;
    bool unknown = false;
    for (size_t i = 0; i < reading->path_count; i++) {
        const struct merged *file = &merger->files[i];
        statistics->bytes_total += file->size;
        if (file->source != NULL && file->size > 0)
            statistics->bytes_read += log_source_read_bytes(file->source);
        unknown |= file->source != NULL && file->size == 0;
    }
    if (unknown)
        statistics->bytes_total = 0;
    if (reading->progress != NULL)
        reading->progress(reading->context, statistics);
}

/* Reads the file as long as its records are the oldest. */
static enum status read_file(struct merger *merger, struct merged *file, int64_t until_ms,
                             struct error *error)
{
    enum status status = STATUS_OK;
    if (file->source == NULL)
        status = open_file(merger, file, error);
    while (status == STATUS_OK && !file->ended && file->record.at_ms <= until_ms) {
        status = read_record(merger, file);
        if (status == STATUS_OK)
            status = advance(merger, file, error);
        if (merger->statistics->lines % PROGRESS_LINES == 0)
            report_progress(merger);
    }
    return status;
}

static enum status read_all(struct merger *merger, struct error *error)
{
    enum status status = STATUS_OK;
    struct merged *file;
    int64_t until_ms;
    for (size_t i = 0; i < merger->reading->path_count && status == STATUS_OK; i++) {
        merger->files[i].path = merger->reading->paths[i];
        status = look_into(merger, &merger->files[i], error);
    }
    while (status == STATUS_OK && (file = oldest(merger, &until_ms)) != NULL)
        status = read_file(merger, file, until_ms, error);
    return status == STATUS_OK ? log_queue_finish(merger->queue) : status;
}

enum status mail_log_read(const struct mail_log_reading *reading,
                          struct mail_log_statistics *out, struct error *error)
{
    struct merger merger = {.reading = reading, .statistics = out};
    enum status status = STATUS_NOMEM;
    *out = (struct mail_log_statistics){0};
    merger.queue = log_queue_new(reading);
    merger.sendmail = sendmail_log_new(merger.queue);
    merger.files = calloc(reading->path_count + 1, sizeof *merger.files);
    if (merger.queue != NULL && merger.sendmail != NULL && merger.files != NULL) {
        status = read_all(&merger, error);
        report_progress(&merger);
        for (size_t i = 0; i < reading->path_count; i++)
            log_source_free(merger.files[i].source);
    }
    sendmail_log_free(merger.sendmail);
    log_queue_free(merger.queue);
    free(merger.files);
    return status;
}
