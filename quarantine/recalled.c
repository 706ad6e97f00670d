/* A line for each message: "QUEUE_ID ARRIVED_MS HOLD_ID INCIDENT". The
 * file is read and written as a whole, since pulling back is rare. */
#include "quarantine/recalled.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/durable.h"
#include "base/queue_id.h"
#include "base/text.h"

enum { LINE_SIZE = 128 };

enum status recalled_add(struct recalled *recalled,
                         const struct recalled_message *message)
{
    if (recalled->count == RECALLED_MAX)
        return STATUS_LIMIT;
    if (!array_reserve(&recalled->messages, recalled->count, sizeof *recalled->messages))
        return STATUS_NOMEM;
    recalled->messages[recalled->count++] = *message;
    return STATUS_OK;
}

const struct recalled_message *recalled_find(const struct recalled *recalled,
                                             const char *queue_id, int64_t arrived_ms)
{
    for (size_t i = recalled->count; i > 0; i--) { /* the last one counts */
        const struct recalled_message *message = &recalled->messages[i - 1];
        if (message->arrived_ms == arrived_ms && strcmp(message->queue_id, queue_id) == 0)
            return message;
    }
    return NULL;
}

void recalled_clear(struct recalled *recalled)
{
    free(recalled->messages);
    *recalled = (struct recalled){0};
}

static bool parse(const char *line, struct recalled_message *out)
{
    char end = '\0';
    /* NOLINTNEXTLINE(cert-err34-c): saturates */
    return sscanf(line, "%40s %" SCNd64 " %16[0-9a-f] %16[0-9a-f-]%c", out->queue_id,
                  &out->arrived_ms, out->id, out->incident, &end) == 5 &&
           end == '\n' && queue_id_is_valid(out->queue_id) &&
           strlen(out->id) == DIGEST_ID_SIZE - 1;
}

enum status recalled_read(const char *state_file, struct recalled *out,
                          struct error *error)
{
    struct text path = {0};
    struct recalled recalled = {0};
    char line[LINE_SIZE];
    enum status status = STATUS_OK;
    if (state_file[0] == '\0')
        return STATUS_OK;
    text_printf(&path, "%s.recalled", state_file);
    FILE *file = path.failed ? NULL : fopen(path.data, "re");
    if (path.failed)
        status = error_set(error, STATUS_NOMEM, "out of memory");
    else if (file == NULL && errno != ENOENT)
        status = error_set(error, STATUS_IO, "%s: %s", path.data, strerror(errno));
    while (status == STATUS_OK && file != NULL &&
           fgets(line, sizeof line, file) != NULL) {
        struct recalled_message message;
        if (parse(line, &message))
            status = recalled_add(&recalled, &message);
        if (status == STATUS_NOMEM)
            (void)error_set(error, status, "out of memory");
    }
    if (file != NULL)
        (void)fclose(file);
    text_clear(&path);
    if (status != STATUS_OK && status != STATUS_LIMIT) {
        recalled_clear(&recalled);
        return status;
    }
    *out = recalled;
    return STATUS_OK;
}

enum status recalled_write(const char *state_file, const struct recalled *recalled,
                           struct error *error)
{
    struct text path = {0};
    struct text temporary = {0};
    struct text lines = {0};
    if (state_file[0] == '\0')
        return STATUS_OK;
    text_printf(&path, "%s.recalled", state_file);
    text_printf(&temporary, "%s.recalled.tmp", state_file);
    for (size_t i = 0; i < recalled->count; i++) {
        const struct recalled_message *message = &recalled->messages[i];
        text_printf(&lines, "%s %" PRId64 " %s %s\n", message->queue_id,
                    message->arrived_ms, message->id, message->incident);
    }
    enum status status = path.failed || temporary.failed || lines.failed
                             ? error_set(error, STATUS_NOMEM, "out of memory")
                             : durable_replace(path.data, temporary.data,
                                               text_string(&lines), lines.length, error);
    text_clear(&path);
    text_clear(&temporary);
    text_clear(&lines);
    return status;
}
