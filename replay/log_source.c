/* A line of syslog is read where it lies. Of a journal's entry, whose fields come in any
 * order and may have line breaks in them, a few are kept. */
#include "replay/log_source.h"

#include <stdlib.h>

#include "replay/log_input.h"
#include "replay/log_stamp.h"

enum { NAME_SIZE = 256 };

/* Of a journal, as systemd's journal-importer.h has them. */
enum { FIELD_NAME_MAX = 64, FIELD_SIZE_MAX = 768 << 20 };

/* An entry of a journal. */
struct journal_entry {
    bool begun, damaged;
    int64_t at_ms; /* 0: none yet */
    uint32_t pid;
    size_t host_length, program_length, text_length;
    char host[NAME_SIZE], program[NAME_SIZE], text[LOG_LINE_MAX];
};

struct log_source {
    struct log_input *input;
    struct log_stamps stamps;
    struct journal_entry *journal; /* NULL: it is syslog's */
    uint64_t line;
    struct log_slice text; /* of the line */
};

enum status log_source_open(const char *path, int64_t now_ms, struct log_source **out,
                            struct error *error)
{
    enum status status;
    struct log_source *source = calloc(1, sizeof *source);
    if (source == NULL)
        return STATUS_NOMEM;
    status = log_input_open(path, &source->input, error);
    if (status != STATUS_OK) {
        log_source_free(source);
        return status;
    }
    int64_t written_ms = log_input_written_ms(source->input);
    source->stamps.now_ms = written_ms < now_ms ? written_ms : now_ms;
    *out = source;
    return STATUS_OK;
}

void log_source_free(struct log_source *source)
{
    if (source == NULL)
        return;
    log_input_free(source->input);
    free(source->journal);
    free(source);
}

/* Syslog. */

/* "Nov 30 13:19:36 relay postfix/smtpd[25158]: text" */
static bool read_syslog(struct log_source *source, struct log_record *out)
{
    struct log_record record = {.program = {"", 0}};
    struct log_slice rest = source->text, head;
    if (!log_stamp_read(&source->stamps, &rest, &record.at_ms) ||
        !log_slice_skip(&rest, LOG_SLICE(" ")))
        return false;
    record.host = log_slice_until(&rest, ' ');
    record.text = rest;
    if (record.host.length == 0)
        return false;
    head = log_slice_until(&rest, ' ');
    if (head.length > 1 && head.data[head.length - 1] == ':') {
        record.text = rest;
        head.length--;
        record.program = log_slice_until(&head, '[');
        (void)log_slice_number(&head, &record.pid);
    }
    *out = record;
    return true;
}

/* The journal. */

static void keep(char *into, size_t size, size_t *length, struct log_slice value)
{
    *length = value.length < size ? value.length : size;
    memcpy(into, value.data, *length);
}

static void keep_field(struct journal_entry *entry, struct log_slice name,
                       struct log_slice value)
{
    entry->begun = true;
    if (log_slice_is(name, LOG_SLICE("MESSAGE"))) {
        keep(entry->text, sizeof entry->text, &entry->text_length, value);
    } else if (log_slice_is(name, LOG_SLICE("_HOSTNAME"))) {
        keep(entry->host, sizeof entry->host, &entry->host_length, value);
    } else if (log_slice_is(name, LOG_SLICE("SYSLOG_IDENTIFIER"))) {
        keep(entry->program, sizeof entry->program, &entry->program_length, value);
    } else if (log_slice_is(name, LOG_SLICE("SYSLOG_PID"))) {
        (void)log_slice_number(&value, &entry->pid);
    } else if (log_slice_is(name, LOG_SLICE("_PID"))) {
        if (entry->pid == 0)
            (void)log_slice_number(&value, &entry->pid);
    } else if (log_slice_is(name, LOG_SLICE("__REALTIME_TIMESTAMP"))) {
        entry->at_ms = 0;
        for (size_t i = 0; i + 3 < value.length; i++) { /* it is in microseconds */
            if (value.data[i] < '0' || value.data[i] > '9' || i > 14)
                return;
            entry->at_ms = entry->at_ms * 10 + (value.data[i] - '0');
        }
    }
}

static bool is_field_name(struct log_slice name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t at = 0;
    while (at < name.length && name.data[at] != '\0' && strchr(allowed, name.data[at]))
        at++;
    return at == name.length && at <= FIELD_NAME_MAX;
}

/* A line that is no field: it is shown, and spoils its entry. */
static void keep_other(struct journal_entry *entry, struct log_slice line)
{
    entry->begun = entry->damaged = true;
    keep(entry->text, sizeof entry->text, &entry->text_length, line);
}

/* One field, as journal-export-formats describes them; NOT_FOUND at the end. */
static enum status read_field(struct log_source *source, struct log_slice line,
                              struct error *error)
{
    char copy[FIELD_NAME_MAX];
    unsigned char size[8];
    uint64_t length = 0;
    struct log_slice value = line, name = log_slice_until(&value, '=');
    enum status status;
    if (name.length != line.length) {
        keep_field(source->journal, name, value);
        return STATUS_OK;
    }
    if (!is_field_name(name)) {
        keep_other(source->journal, line);
        return STATUS_OK;
    }
    keep(copy, sizeof copy, &name.length, name);
    name.data = copy;
    status = log_input_bytes(source->input, sizeof size, &value, error);
    if (status != STATUS_OK)
        return status;
    memcpy(size, value.data, sizeof size);
    for (size_t i = sizeof size; i-- > 0;)
        length = length << 8 | size[i];
    if (length > FIELD_SIZE_MAX) {
        keep_other(source->journal, name);
        return STATUS_OK;
    }
    status = log_input_bytes(source->input, length + 1, &value, error);
    if (status == STATUS_OK) {
        value.length -= length < LOG_LINE_MAX; /* the line's end */
        keep_field(source->journal, name, value);
    }
    return status;
}

/* Reads from line on to the empty line that ends an entry, or to the end. */
static enum status read_entry(struct log_source *source, struct log_slice line,
                              struct error *error)
{
    struct journal_entry *entry = source->journal;
    enum status status = STATUS_OK;
    entry->begun = entry->damaged = false;
    entry->at_ms = 0;
    entry->pid = 0;
    entry->host_length = entry->program_length = entry->text_length = 0;
    while (status == STATUS_OK && (line.length > 0 || !entry->begun)) {
        if (line.length > 0)
            status = read_field(source, line, error);
        if (status == STATUS_OK)
            status = log_input_line(source->input, &line, error);
    }
    return status == STATUS_NOT_FOUND && entry->begun ? STATUS_OK : status;
}

static enum status next_entry(struct log_source *source, struct log_slice line,
                              struct log_record *out, struct error *error)
{
    struct journal_entry *entry = source->journal;
    enum status status = read_entry(source, line, error);
    if (status != STATUS_OK)
        return status;
    source->text = (struct log_slice){entry->text, entry->text_length};
    *out = (struct log_record){.at_ms = entry->at_ms,
                               .host = {entry->host, entry->host_length},
                               .program = {entry->program, entry->program_length},
                               .pid = entry->pid,
                               .text = source->text};
    return entry->at_ms == 0 || entry->damaged ? STATUS_INVALID : STATUS_OK;
}

/* Both. */

enum status log_source_next(struct log_source *source, struct log_record *out,
                            struct error *error)
{
    struct log_slice line;
    enum status status = log_input_line(source->input, &line, error);
    if (status != STATUS_OK)
        return status;
    source->line++;
    source->text = line;
    if (source->line == 1 && log_slice_skip(&line, LOG_SLICE("__CURSOR="))) {
        source->journal = calloc(1, sizeof *source->journal);
        if (source->journal == NULL)
            return STATUS_NOMEM;
    }
    if (source->journal != NULL)
        return next_entry(source, source->text, out, error);
    if (line.length > 0 && line.data[line.length - 1] == '\r')
        source->text.length--;
    return read_syslog(source, out) ? STATUS_OK : STATUS_INVALID;
}

uint64_t log_source_line(const struct log_source *source, struct log_slice *out)
{
    *out = source->text;
    return source->line;
}

uint64_t log_source_size(const struct log_source *source)
{
    return log_input_size(source->input);
}

uint64_t log_source_read_bytes(const struct log_source *source)
{
    return log_input_read_bytes(source->input);
}
