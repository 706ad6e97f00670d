/* Everything but printable ASCII is shown as \xHH. */
#include "base/output.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { SHOWN_MAX = 2000 };

void output_escaped(const char *string)
{
    struct text line = {0};
    text_add_escaped(&line, string, strlen(string), SHOWN_MAX);
    (void)fputs(text_string(&line), stdout);
    text_clear(&line);
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
