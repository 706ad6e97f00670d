/* Run in a shell that inherits this process's environment and standard error. */
#include "quarantine/notice_command.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/program.h"

enum status notice_command_run(const char *command, const json_t *document,
                               int timeout_ms, struct error *error)
{
    struct error failure = {0};
    char *text = json_dumps(document, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (text == NULL)
        return error_set(error, STATUS_NOMEM, "out of memory for a notice");
    const struct program shell = {
        .words = {"/bin/sh", "-c", command},
        .input = text,
        .input_length = strlen(text),
        .inherits = true,
    };
    enum status status =
        program_run(&shell, clock_monotonic_us() + (int64_t)timeout_ms * 1000, &failure);
    free(text);
    if (status == STATUS_OK)
        return STATUS_OK;
    return error_set(error, STATUS_IO, "notify.command: %s", failure.text);
}
