/* JSON for output: its strings may come from strangers, and need not be valid UTF-8. */
#include "engine/json_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/text.h"
#include "base/utf8.h"

bool json_output_print(json_t *json)
{
    /* it may be printed on a terminal */
    const size_t flags = JSON_INDENT(2) | JSON_ENSURE_ASCII;
    bool written = json != NULL && json_dumpf(json, stdout, flags) == 0 &&
                   fputc('\n', stdout) != EOF && fflush(stdout) == 0;
    json_decref(json);
    if (!written)
        (void)fputs("mailbrake: can't write the answer\n", stderr);
    return written;
}

json_t *json_output_string(const char *string)
{
    struct text clean = {0};
    utf8_add(&clean, string, strlen(string));
    json_t *json = clean.failed ? NULL : json_stringn(text_string(&clean), clean.length);
    text_clear(&clean);
    return json;
}

json_t *json_output_instant(int64_t wall_ms)
{
    char instant[INSTANT_SIZE];
    if (wall_ms == 0)
        return json_null();
    instant_format(wall_ms, instant);
    return json_string(instant);
}

json_t *json_output_lines(const char *text)
{
    json_t *array = json_array();
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        char *line = strndup(text, length);
        if (line != NULL)
            (void)json_array_append_new(array, json_output_string(line));
        free(line);
        text += length + (text[length] != '\0');
    }
    return array;
}

json_t *json_output_problems(const struct problems *problems, bool warnings)
{
    json_t *array = json_array();
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        if (problem->warning == warnings)
            (void)json_array_append_new(
                array, json_pack("{s:o, s:i, s:o}", "file",
                                 json_output_string(problem->file), "line", problem->line,
                                 "text", json_output_string(problem->text)));
    }
    return array;
}

json_t *json_output_restart(const struct settings *settings)
{
    json_t *array = json_array();
    for (size_t i = 0; i < settings->restart_count; i++)
        (void)json_array_append_new(array, json_string(settings->restart[i]));
    return array;
}
