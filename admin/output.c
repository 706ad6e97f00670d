/* Terminal and JSON output of the verbs. */
#include "admin/output.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { SHOWN_MAX = 2000 };

bool output_json(json_t *json)
{
    bool written = json != NULL && json_dumpf(json, stdout, JSON_INDENT(2)) == 0 &&
                   fputc('\n', stdout) != EOF;
    json_decref(json);
    if (!written)
        (void)fputs("mailbrake: can't write the answer\n", stderr);
    return written;
}

/* The length of the UTF-8 sequence that starts here; 0 when it is none (RFC 3629). */
static size_t sequence_length(const unsigned char *bytes, size_t left)
{
    size_t length = bytes[0] < 0x80                        ? 1
                    : bytes[0] >= 0xc2 && bytes[0] <= 0xdf ? 2
                    : bytes[0] >= 0xe0 && bytes[0] <= 0xef ? 3
                    : bytes[0] >= 0xf0 && bytes[0] <= 0xf4 ? 4
                                                           : 0;
    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong =
        (bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xf0 && bytes[1] < 0x90);
    bool beyond =
        (bytes[0] == 0xed && bytes[1] > 0x9f) || (bytes[0] == 0xf4 && bytes[1] > 0x8f);
    return overlong || beyond ? 0 : length;
}

json_t *output_string(const char *string)
{
    static const char replacement[] = "\xef\xbf\xbd";
    struct text clean = {0};
    size_t left = strlen(string);
    while (left > 0) {
        size_t length = sequence_length((const unsigned char *)string, left);
        if (length == 0) {
            text_add_string(&clean, replacement);
            length = 1;
        } else {
            text_add(&clean, string, length);
        }
        string += length;
        left -= length;
    }
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

void output_problems(const struct problems *problems)
{
    char line[1000];
    for (size_t i = 0; i < problems->count; i++) {
        problem_format(&problems->items[i], line, sizeof line);
        for (const char *c = line; *c != '\0'; c++)
            (void)fputc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, stderr);
        (void)fputc('\n', stderr);
    }
    size_t kept_back = problems->errors + problems->warnings - problems->count;
    if (kept_back > 0)
        (void)fprintf(stderr, "mailbrake: %zu more problems are not shown\n", kept_back);
}
