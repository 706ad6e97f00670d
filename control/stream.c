/* One record's text at a time. */
#include "control/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

struct stream {
    struct ledger_list *list;
    struct stream_view view;
    struct text pending; /* what is to be sent next, from sent on */
    size_t sent;
    size_t count; /* records so far */
    bool ended;
};

struct stream *stream_new(struct ledger_list *list, const struct stream_view *view)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        ledger_list_free(list);
        return NULL;
    }
    stream->list = list;
    stream->view = *view;
    text_printf(&stream->pending, "{\"%s\":[", view->name);
    return stream;
}

void stream_free(struct stream *stream)
{
    if (stream == NULL)
        return;
    ledger_list_free(stream->list);
    text_clear(&stream->pending);
    free(stream);
}

/* False without memory. A terminal may be what reads it: ASCII. */
static bool write_record(struct stream *stream, const json_t *record)
{
    json_t *shown = stream->view.view(record);
    char *text =
        shown == NULL ? NULL : json_dumps(shown, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (text != NULL)
        text_printf(&stream->pending, "%s%s", stream->count > 0 ? "," : "", text);
    stream->count++;
    free(text);
    json_decref(shown);
    return text != NULL && !stream->pending.failed;
}

/* False when it can't go on. */
static bool write_next(struct stream *stream)
{
    json_t *record = NULL;
    if (stream->sent == stream->pending.length) {
        text_clear(&stream->pending);
        stream->sent = 0;
    }
    enum status status =
        ledger_list_next(stream->list, clock_deadline_us(STREAM_STEP_MS), &record);
    if (status == STATUS_NOT_FOUND) {
        stream->ended = true;
        text_add_string(&stream->pending, "]}\n");
        return !stream->pending.failed;
    }
    if (status == STATUS_UNAVAILABLE)
        log_throttled(SEVERITY_WARNING,
                      "the list of %s ended after %zu: the store did not answer in time",
                      stream->view.name, stream->count);
    bool done = status == STATUS_OK && write_record(stream, record);
    json_decref(record);
    return done;
}

char *stream_whole(struct stream *stream, size_t max, size_t *out_length)
{
    while (!stream->ended && stream->pending.length <= max)
        if (!write_next(stream))
            return NULL;
    if (stream->pending.failed || stream->pending.length > max)
        return NULL;
    *out_length = stream->pending.length;
    return strdup(text_string(&stream->pending));
}

ssize_t stream_read(struct stream *stream, char *out, size_t max)
{
    size_t used = 0;
    while (used < max) {
        size_t left = stream->pending.length - stream->sent;
        size_t taken = left < max - used ? left : max - used;
        if (stream->pending.failed)
            return -1;
        if (taken > 0)
            memcpy(out + used, stream->pending.data + stream->sent, taken);
        used += taken;
        stream->sent += taken;
        if (stream->sent < stream->pending.length)
            break;
        if (stream->ended)
            break;
        if (!write_next(stream))
            return -1;
    }
    return (ssize_t)used;
}
