/* Line by line; a line that is wrong is told, and the next is read. */
#include "base/array.h"
#include "replay/scenario_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lists/file.h"

enum { LINE_MAX_BYTES = 20000 };

enum status scenario_refuse(struct scenario_reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reader->error->text, sizeof reader->error->text, format, arguments);
    va_end(arguments);
    return STATUS_INVALID;
}

void scenario_word(const char **at, char out[SCENARIO_WORD])
{
    const char *word = *at + strspn(*at, " \t");
    size_t length = strcspn(word, " \t");
    (void)snprintf(out, SCENARIO_WORD, "%.*s",
                   (int)(length < SCENARIO_WORD ? length : SCENARIO_WORD - 1), word);
    *at = word + length + strspn(word + length, " \t");
}

/* Milliseconds of a unit, 0 for none; *out_length is how long its name is. */
static int64_t unit_ms(const char *text, size_t *out_length)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                 {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (text_after(text, units[i].name) == NULL)
            continue;
        *out_length = strlen(units[i].name);
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
        return scenario_refuse(reader, "a duration is missing, like 33s or 1h30m");
    while (*next >= '0' && *next <= '9') {
        char digits[16];
        int64_t number;
        size_t unit_length = 0;
        size_t length = strspn(next, "0123456789");
        (void)snprintf(digits, sizeof digits, "%.*s", (int)(length < 15 ? length : 15),
                       next);
        int64_t unit = unit_ms(next + length, &unit_length);
        if (unit == 0 || !variables_number(digits, &number))
            return scenario_refuse(reader, "'%.40s' is no duration, like 33s or 1h30m",
                                   next);
        if (length > 14 || number > SCENARIO_MS_MAX / unit ||
            sum + number * unit > SCENARIO_MS_MAX)
            return scenario_refuse(reader, "that is over ten years");
        sum += number * unit;
        next += length + unit_length;
        next += strspn(next, " \t");
    }
    *at = next;
    *out = sum;
    return STATUS_OK;
}

enum status scenario_expand(struct scenario_reader *reader, const char *text,
                            struct text *out)
{
    struct template *template;
    struct formula_scope scope = {0};
    enum status status = template_parse(text, strlen(text), &reader->scenario->variables,
                                        &template, reader->error);
    if (status != STATUS_OK)
        return status;
    if (template_is_constant(template))
        status = template_fill(template, &scope, out, reader->error);
    else
        status = scenario_refuse(reader, "only variables can stand here in braces");
    template_free(template);
    if (status == STATUS_OK && out->failed)
        status = STATUS_NOMEM;
    return status;
}

enum status scenario_tag(struct scenario_reader *reader, const char *name, size_t *out)
{
    struct scenario *scenario = reader->scenario;
    if (!variables_is_name(name, strlen(name)))
        return scenario_refuse(reader, "'%.60s' is no name: letters, digits and _", name);
    for (size_t i = 0; i < scenario->tag_count; i++) {
        if (strcmp(scenario->tags[i], name) == 0) {
            *out = i;
            return STATUS_OK;
        }
    }
    if (scenario->tag_count == SCENARIO_TAGS_MAX)
        return scenario_refuse(reader, "more than %d names behind as", SCENARIO_TAGS_MAX);
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

/* ---- statements of one line ---- */

static enum status read_title(struct scenario_reader *reader, const char *rest)
{
    struct text title = {0};
    enum status status = scenario_expand(reader, rest, &title);
    char *copy = status == STATUS_OK ? strdup(text_string(&title)) : NULL;
    text_clear(&title);
    if (status != STATUS_OK || copy == NULL)
        return status == STATUS_OK ? STATUS_NOMEM : status;
    free(reader->scenario->title);
    reader->scenario->title = copy;
    return STATUS_OK;
}

/* NAME = VALUE */
static enum status set(struct scenario_reader *reader, const char *rest, bool now)
{
    char name[SCENARIO_WORD];
    struct text value = {0};
    const char *equals = strchr(rest, '=');
    if (equals == NULL)
        return scenario_refuse(reader, "that is NAME = VALUE");
    (void)snprintf(name, sizeof name, "%.*s",
                   (int)(equals - rest < SCENARIO_WORD ? equals - rest : SCENARIO_WORD),
                   rest);
    name[strcspn(name, " \t")] = '\0';
    equals += 1 + strspn(equals + 1, " \t");
    enum status status = scenario_expand(reader, equals, &value);
    if (status == STATUS_OK && now)
        status = variables_set(&reader->scenario->variables, name, text_string(&value),
                               false, reader->error);
    text_clear(&value);
    return status;
}

static enum status read_set(struct scenario_reader *reader, const char *rest)
{
    return set(reader, rest, true);
}

static enum status read_brief(struct scenario_reader *reader, const char *rest)
{
    if (variables_find(&reader->scenario->variables, rest, strcspn(rest, " \t=")) == NULL)
        return scenario_refuse(reader, "brief wants a variable that is set above");
    return set(reader, rest, reader->brief);
}

static enum status read_seed(struct scenario_reader *reader, const char *rest)
{
    int64_t seed;
    struct text text = {0};
    enum status status = scenario_expand(reader, rest, &text);
    if (status == STATUS_OK && !variables_number(text_string(&text), &seed))
        status = scenario_refuse(reader, "seed wants a number");
    if (status == STATUS_OK)
        reader->scenario->seed = (uint64_t)seed;
    text_clear(&text);
    return status;
}

static const struct {
    const char *word;
    read_line *read;
} statements[] = {
    {"title", read_title},         {"set", read_set},         {"brief", read_brief},
    {"seed", read_seed},           {"start", expect_start},   {"list", expect_list},
    {"repeat", series_repeat},     {"end", series_end},       {"send", series_send},
    {"ordinary", series_ordinary}, {"expect", expect_expect},
};

static enum status read_statement(struct scenario_reader *reader, const char *word,
                                  const char *rest)
{
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (strcmp(statements[i].word, word) != 0)
            continue;
        enum status status = series_finish(reader);
        if (status != STATUS_OK && status != STATUS_INVALID)
            return status;
        return statements[i].read(reader, rest);
    }
    enum status status = series_property(reader, word, rest);
    if (status == STATUS_NOT_FOUND)
        return scenario_refuse(reader, "'%.60s' means nothing here", word);
    return status;
}

/* ---- lines ---- */

/* Cuts a comment, and blanks at both ends. */
static char *trim(char *line)
{
    for (char *hash = strchr(line, '#'); hash != NULL; hash = strchr(hash + 1, '#')) {
        if (hash == line || hash[-1] == ' ' || hash[-1] == '\t') {
            *hash = '\0';
            break;
        }
    }
    line += strspn(line, " \t");
    size_t length = strlen(line);
    while (length > 0 && strchr(" \t\r", line[length - 1]) != NULL)
        line[--length] = '\0';
    return line;
}

/* NOMEM is the only failure. */
static enum status read_one(struct scenario_reader *reader, char *line)
{
    char word[SCENARIO_WORD];
    struct error error = {0};
    const char *rest = trim(line);
    if (*rest == '\0')
        return STATUS_OK;
    scenario_word(&rest, word);
    reader->error = &error;
    enum status status = read_statement(reader, word, rest);
    reader->error = NULL;
    if (status == STATUS_OK || status == STATUS_NOMEM)
        return status;
    problems_error(reader->problems, reader->path, reader->line, "%s", error.text);
    return STATUS_OK;
}

static enum status read_lines(struct scenario_reader *reader, const char *text,
                              size_t length)
{
    char line[LINE_MAX_BYTES + 1];
    const char *end = text + length;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t size = (size_t)((newline == NULL ? end : newline) - text);
        reader->line++;
        if (size > LINE_MAX_BYTES) {
            problems_error(reader->problems, reader->path, reader->line,
                           "a line of over %d bytes", LINE_MAX_BYTES);
        } else {
            memcpy(line, text, size);
            line[size] = '\0';
            status = read_one(reader, line);
        }
        text += size + 1;
    }
    return status;
}

/* ---- the whole ---- */

static bool has_series(const struct scenario *scenario, size_t tag)
{
    for (size_t i = 0; i < scenario->series_count; i++) {
        if (tag == SCENARIO_ALL || scenario->series[i].tag == tag)
            return true;
    }
    return false;
}

static void check_whole(struct scenario_reader *reader)
{
    const struct scenario *scenario = reader->scenario;
    struct problems *problems = reader->problems;
    for (size_t i = 0; i < reader->block_count; i++)
        problems_error(problems, reader->path, reader->blocks[i].line,
                       "this repeat has no end");
    for (size_t i = 0; i < scenario->expectation_count; i++) {
        const struct expectation *expectation = &scenario->expectations[i];
        if (!has_series(scenario, expectation->tag))
            problems_error(problems, reader->path, expectation->line,
                           "nothing is sent as %s", scenario->tags[expectation->tag]);
    }
    for (size_t i = 0; i < scenario->variables.count; i++) {
        const struct variable *variable = &scenario->variables.items[i];
        if (variable->fixed && !variable->used)
            problems_error(problems, reader->path, 0, "there is no variable %s to set",
                           variable->name);
    }
    if (scenario->series_count == 0)
        problems_error(problems, reader->path, 0, "nothing is sent");
}

static enum status prepare(struct scenario_reader *reader,
                           const struct scenario_options *options)
{
    struct scenario *scenario = reader->scenario;
    size_t all;
    const char *domain = options->domain == NULL ? "district.example" : options->domain;
    enum status status = scenario_tag(reader, "all", &all);
    if (status == STATUS_OK)
        status =
            variables_set(&scenario->variables, "domain", domain, false, reader->error);
    for (size_t i = 0; i < options->given_count && status == STATUS_OK; i++) {
        char name[SCENARIO_WORD];
        const char *equals = strchr(options->given[i], '=');
        size_t length =
            equals == NULL ? SCENARIO_WORD : (size_t)(equals - options->given[i]);
        if (length >= sizeof name)
            return scenario_refuse(reader, "--set wants NAME=VALUE");
        memcpy(name, options->given[i], length);
        name[length] = '\0';
        status =
            variables_set(&scenario->variables, name, equals + 1, true, reader->error);
    }
    if (status == STATUS_OK)
        status = expect_start(reader, "Mon 08:00");
    scenario->file = strdup(reader->path);
    scenario->title = strdup("");
    if (scenario->file == NULL || scenario->title == NULL)
        return STATUS_NOMEM;
    return status;
}

enum status scenario_read(const char *text, size_t length, const char *path,
                          const struct scenario_options *options, struct scenario *out,
                          struct problems *problems)
{
    struct error error = {0};
    struct scenario_reader reader = {.scenario = out,
                                     .problems = problems,
                                     .path = path,
                                     .brief = options->brief,
                                     .error = &error};
    size_t errors = problems->errors;
    *out = (struct scenario){.seed = 1};
    enum status status = prepare(&reader, options);
    if (status == STATUS_INVALID)
        problems_error(problems, path, 0, "%s", error.text);
    if (status == STATUS_OK)
        status = read_lines(&reader, text, length);
    if (status == STATUS_OK)
        status = series_finish(&reader);
    if (status == STATUS_OK || status == STATUS_INVALID)
        check_whole(&reader);
    if (status == STATUS_NOMEM)
        problems_error(problems, path, 0, "out of memory");
    else if (problems->errors > errors)
        status = STATUS_INVALID;
    if (status != STATUS_OK)
        scenario_clear(out);
    return status;
}

enum status scenario_load(const char *path, const struct scenario_options *options,
                          struct scenario *out, struct problems *problems)
{
    struct error error = {0};
    struct file file = {0};
    *out = (struct scenario){0};
    enum status status = file_read(path, SCENARIO_BYTES_MAX, &file, &error);
    if (status == STATUS_OK)
        status = file_check_text(&file, path, &error);
    if (status == STATUS_OK)
        status = scenario_read(file.data, file.length, path, options, out, problems);
    else
        problems_error(problems, path, error.line, "%s",
                       status == STATUS_NOMEM ? "out of memory" : error.text);
    file_clear(&file);
    return status;
}

static void clear_series(struct series *series)
{
    for (size_t i = 0; i < series->field_count; i++) {
        struct field *field = &series->fields[i];
        for (size_t j = 0; j < field->value_count; j++) {
            for (size_t n = 0; n < field->values[j].word_count; n++)
                template_free(field->values[j].words[n]);
            free(field->values[j].words);
        }
        free(field->values);
        free(field->name);
    }
    free(series->fields);
}

void scenario_clear(struct scenario *scenario)
{
    for (size_t i = 0; i < scenario->series_count; i++)
        clear_series(&scenario->series[i]);
    for (size_t i = 0; i < scenario->list_count; i++) {
        template_free(scenario->lists[i].address);
        template_free(scenario->lists[i].member);
    }
    for (size_t i = 0; i < scenario->expectation_count; i++) {
        formula_free(scenario->expectations[i].bound);
        free(scenario->expectations[i].rule);
        free(scenario->expectations[i].text);
    }
    for (size_t i = 0; i < scenario->tag_count; i++)
        free(scenario->tags[i]);
    free(scenario->series);
    free(scenario->lists);
    free(scenario->expectations);
    free(scenario->tags);
    free(scenario->file);
    free(scenario->title);
    variables_clear(&scenario->variables);
    *scenario = (struct scenario){0};
}
