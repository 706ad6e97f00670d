/* Terminal and JSON output of the verbs. */
#include "admin/output.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"

enum { SHOWN_MAX = 2000 };

bool output_json(json_t *json)
{
    /* A terminal may be what reads it. */
    const size_t flags = JSON_INDENT(2) | JSON_ENSURE_ASCII;
    bool written = json != NULL && json_dumpf(json, stdout, flags) == 0 &&
                   fputc('\n', stdout) != EOF && fflush(stdout) == 0;
    json_decref(json);
    if (!written)
        (void)fputs("mailbrake: can't write the answer\n", stderr);
    return written;
}

json_t *output_string(const char *string)
{
    struct text clean = {0};
    utf8_add(&clean, string, strlen(string));
    json_t *json = clean.failed ? NULL : json_stringn(text_string(&clean), clean.length);
    text_clear(&clean);
    return json;
}

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

/* Prose of ours around what may be a stranger's: its quotes stay as they are. */
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

json_t *output_problem_array(const struct problems *problems, bool warnings)
{
    json_t *array = json_array();
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        if (problem->warning == warnings)
            (void)json_array_append_new(array, json_pack("{s:o, s:i, s:o}", "file",
                                                         output_string(problem->file),
                                                         "line", problem->line, "text",
                                                         output_string(problem->text)));
    }
    return array;
}

json_t *output_restart_array(const struct settings *settings)
{
    json_t *array = json_array();
    for (size_t i = 0; i < settings->restart_count; i++)
        (void)json_array_append_new(array, json_string(settings->restart[i]));
    return array;
}
