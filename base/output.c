/* Everything but printable ASCII is shown as \xHH. */
#include "base/output.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { SHOWN_MAX = 4000 }; /* bytes of a line */

void output_line(const char *format, ...)
{
    char *line = NULL;
    struct text shown = {0};
    va_list args;
    va_start(args, format);
    if (vasprintf(&line, format, args) < 0)
        line = NULL;
    va_end(args);
    if (line != NULL)
        text_add_escaped(&shown, line, strlen(line), SHOWN_MAX);
    (void)puts(text_string(&shown));
    text_clear(&shown);
    free(line);
}

void output_add_clean(struct text *out, const char *string)
{
    for (const char *c = string; *c != '\0'; c++) {
        bool plain = *c >= ' ' && *c <= '~' && *c != '\\';
        if (plain)
            text_add(out, c, 1);
        else
            text_printf(out, "\\x%02x", (unsigned char)*c);
    }
}

/* Our own sentences, which may quote a stranger's text: quotes stay as they are. */
static void put_clean(const char *line)
{
    for (; *line != '\0'; line++) {
        unsigned char c = (unsigned char)*line;
        if (c < 0x20 || c > 0x7e)
            (void)fprintf(stderr, "\\x%02x", c);
        else
            (void)fputc(c, stderr);
    }
}

void output_complaint(const char *text)
{
    (void)fputs("mailbrake: ", stderr);
    put_clean(text);
    (void)fputc('\n', stderr);
}

void output_problems(const struct problems *problems)
{
    char line[1000];
    for (size_t i = 0; i < problems->count; i++) {
        problem_format(&problems->items[i], line, sizeof line);
        put_clean(line);
        (void)fputc('\n', stderr);
    }
    size_t kept_back = problems->errors + problems->warnings - problems->count;
    if (kept_back > 0)
        (void)fprintf(stderr, "mailbrake: %zu more problems are not shown\n", kept_back);
}
