/* Filling a caller's error: one sentence, cut to fit, never allocated. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

static void PRINTF_LIKE(4, 0) fill(struct error *error, const char *file, int line,
                                   const char *format, va_list args)
{
    if (error == NULL)
        return;
    (void)vsnprintf(error->text, sizeof error->text, format, args);
    (void)snprintf(error->file, sizeof error->file, "%s", file);
    error->line = line;
}

enum status error_set(struct error *error, enum status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(error, "", 0, format, args);
    va_end(args);
    return status;
}

enum status error_set_at(struct error *error, enum status status, const char *file,
                         int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(error, file, line, format, args);
    va_end(args);
    return status;
}
