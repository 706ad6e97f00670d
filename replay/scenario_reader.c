/* Words are read from a line whose variables are filled in already. */
#include "replay/scenario_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "replay/template.h"

enum { TAGS_MAX = 100 };

enum status scenario_fail(struct scenario_reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reader->error->text, sizeof reader->error->text, format, arguments);
    va_end(arguments);
    return STATUS_INVALID;
}

enum status scenario_expand(struct scenario_reader *reader, const char *text,
                            struct text *out)
{
    enum status status = template_expand(text, strlen(text), &reader->scenario->variables,
                                         out, reader->error);
    if (status == STATUS_OK && strchr(text_string(out), '{') != NULL)
        status = scenario_fail(reader, "only variables are allowed in braces here");
    return status;
}

enum status scenario_template(struct scenario_reader *reader, const char *text,
                              size_t length, char **out)
{
    struct text expanded = {0};
    enum status status = template_expand(text, length, &reader->scenario->variables,
                                         &expanded, reader->error);
    return text_take(&expanded, status, out);
}

enum status scenario_tag(struct scenario_reader *reader, const char *name, size_t *out)
{
    struct scenario *scenario = reader->scenario;
    if (!variables_is_name(name, strlen(name)))
        return scenario_fail(reader, "'%.60s' is not a name: use letters, digits and _",
                             name);
    for (size_t i = 0; i < scenario->tag_count; i++) {
        if (strcmp(scenario->tags[i], name) == 0) {
            *out = i;
            return STATUS_OK;
        }
    }
    if (scenario->tag_count == TAGS_MAX)
        return scenario_fail(reader, "more than %d names after as", TAGS_MAX);
    char *copy = strdup(name);
    if (copy == NULL ||
        !array_reserve(&scenario->tags, scenario->tag_count, sizeof *scenario->tags)) {
        free(copy);
        return STATUS_NOMEM;
    }
    *out = scenario->tag_count;
    scenario->tags[scenario->tag_count++] = copy;
    return STATUS_OK;
}

void scenario_word(const char **at, char out[SCENARIO_WORD])
{
    const char *word = *at + strspn(*at, " \t");
    size_t length = strcspn(word, " \t");
    (void)snprintf(out, SCENARIO_WORD, "%.*s",
                   (int)(length < SCENARIO_WORD ? length : SCENARIO_WORD - 1), word);
    *at = word + length + strspn(word + length, " \t");
}

enum status scenario_number(struct scenario_reader *reader, const char **at, int64_t min,
                            int64_t max, const char *wanted, int64_t *out)
{
    char word[SCENARIO_WORD];
    int64_t number;
    scenario_word(at, word);
    if (!variables_number(word, &number) || number < min || number > max)
        return scenario_fail(reader, "%s", wanted);
    *out = number;
    return STATUS_OK;
}

enum status scenario_number_of(struct scenario_reader *reader, const char *rest,
                               const char *wanted, int64_t *out_number,
                               char **out_pattern)
{
    struct text text = {0};
    const char *of = strstr(rest, " of ");
    size_t length = of == NULL ? strlen(rest) : (size_t)(of - rest);
    text_add(&text, rest, length);
    struct text expanded = {0};
    enum status status = scenario_expand(reader, text_string(&text), &expanded);
    const char *at = text_string(&expanded);
    if (status == STATUS_OK)
        status =
            scenario_number(reader, &at, 0, SCENARIO_MESSAGES_MAX, wanted, out_number);
    if (status == STATUS_OK && *at != '\0')
        status = scenario_fail(reader, "%s", wanted);
    if (status == STATUS_OK && of != NULL) {
        of += 4 + strspn(of + 4, " \t");
        status = scenario_template(reader, of, strlen(of), out_pattern);
    }
    text_clear(&text);
    text_clear(&expanded);
    return status;
}

/* Milliseconds of the unit at *at, and past it; 0 for none. */
static int64_t take_unit(const char **at)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                 {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const char *rest = text_after(*at, units[i].name);
        if (rest == NULL)
            continue;
        *at = rest;
        return units[i].ms;
    }
    return 0;
}

enum status scenario_duration(struct scenario_reader *reader, const char **at,
                              int64_t *out)
{
    int64_t sum = 0;
    const char *next = *at + strspn(*at, " \t");
    if (*next < '0' || *next > '9')
        return scenario_fail(reader, "a duration is missing, such as 33s or 1h30m");
    while (*next >= '0' && *next <= '9') {
        int64_t number = SCENARIO_MS_MAX;
        const char *word = next;
        if (!text_take_number(&next, &number))
            next += strspn(next, "0123456789");
        int64_t unit = take_unit(&next);
        if (unit == 0)
            return scenario_fail(reader, "'%.40s' is not a duration such as 33s or 1h30m",
                                 word);
        if (number > SCENARIO_MS_MAX / unit || sum + number * unit > SCENARIO_MS_MAX)
            return scenario_fail(reader, "that is longer than ten years");
        sum += number * unit;
        next += strspn(next, " \t");
    }
    *at = next;
    *out = sum;
    return STATUS_OK;
}
