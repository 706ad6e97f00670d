/* Line by line: one that is wrong is reported, and the next one is read. */
#include "replay/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "lists/file.h"
#include "replay/scenario_confirm.h"
#include "replay/scenario_expect.h"
#include "replay/scenario_permit.h"
#include "replay/scenario_series.h"
#include "replay/template.h"

enum { LINE_MAX_BYTES = 20000 };

#define MEMBERS_MAX INT64_C(5000000)

/* ---- statements of one line ---- */

static enum status read_title(struct scenario_reader *reader, const char *rest)
{
    struct text title = {0};
    char *copy = NULL;
    enum status status = text_take(&title, scenario_expand(reader, rest, &title), &copy);
    if (status != STATUS_OK)
        return status;
    free(reader->scenario->title);
    reader->scenario->title = copy;
    return STATUS_OK;
}

/* NAME = VALUE */
static enum status read_set(struct scenario_reader *reader, const char *rest)
{
    char name[SCENARIO_WORD];
    struct text value = {0};
    const char *equals = strchr(rest, '=');
    if (equals == NULL)
        return scenario_fail(reader, "use set NAME = VALUE");
    (void)snprintf(name, sizeof name, "%.*s",
                   (int)(equals - rest < SCENARIO_WORD ? equals - rest : SCENARIO_WORD),
                   rest);
    name[strcspn(name, " \t")] = '\0';
    equals += 1 + strspn(equals + 1, " \t");
    enum status status = scenario_expand(reader, equals, &value);
    if (status == STATUS_OK)
        status = variables_set(&reader->scenario->variables, name, text_string(&value),
                               false, reader->error);
    text_clear(&value);
    return status;
}

/* A weekday means that of the first week of 2024. */
static const char *parse_day(const char *text, struct tm *out)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    const char *rest = strptime(text, "%Y-%m-%d", out);
    for (int i = 0; i < 7 && rest == NULL; i++) {
        rest = text_after(text, days[i]);
        *out = (struct tm){.tm_year = 124, .tm_mon = 0, .tm_mday = 1 + i};
    }
    return rest;
}

static enum status read_start(struct scenario_reader *reader, const char *rest)
{
    struct text text = {0};
    struct tm local = {0};
    enum status status = scenario_expand(reader, rest, &text);
    const char *at = status == STATUS_OK ? parse_day(text_string(&text), &local) : NULL;
    if (at != NULL) {
        const char *seconds = strptime(at, " %H:%M:%S", &local);
        at = seconds != NULL ? seconds : strptime(at, " %H:%M", &local);
    }
    bool whole = at != NULL && *at == '\0';
    text_clear(&text);
    if (status != STATUS_OK)
        return status;
    int day = local.tm_mday;
    local.tm_isdst = -1;
    time_t wall = whole ? mktime(&local) : -1;
    if (wall < 0 || local.tm_mday != day)
        return scenario_fail(reader,
                             "start needs 2024-12-13 18:55 or Fri 18:55, local time");
    reader->scenario->start_ms = (int64_t)wall * 1000;
    return STATUS_OK;
}

/* ADDRESS NUMBER [of PATTERN] */
static enum status read_list(struct scenario_reader *reader, const char *rest)
{
    static const char wanted[] = "use list ADDRESS NUMBER [of PATTERN]";
    struct scenario *scenario = reader->scenario;
    size_t length;
    const char *address = template_word(&rest, &length);
    if (scenario->list_count == SCENARIO_LISTS_MAX)
        return scenario_fail(reader, "more than %d lists", SCENARIO_LISTS_MAX);
    if (!array_reserve(&scenario->lists, scenario->list_count, sizeof *scenario->lists))
        return STATUS_NOMEM;
    struct scenario_list *list = &scenario->lists[scenario->list_count++];
    *list = (struct scenario_list){.line = reader->line};
    if (address == NULL)
        return scenario_fail(reader, "%s", wanted);
    enum status status = scenario_template(reader, address, length, &list->address);
    if (status == STATUS_OK)
        status = scenario_number_of(reader, rest, wanted, &list->size, &list->member);
    if (status == STATUS_OK && list->size > MEMBERS_MAX)
        status = scenario_fail(reader, "%s", wanted);
    if (status == STATUS_OK && list->member != NULL &&
        template_has_range(list->member, strlen(list->member)))
        status = scenario_fail(reader, "{a..b} is not allowed in a member");
    return status;
}

static const struct {
    const char *word;
    enum status (*read)(struct scenario_reader *reader, const char *rest);
} statements[] = {
    {"title", read_title},
    {"set", read_set},
    {"start", read_start},
    {"list", read_list},
    {"permit", scenario_permit},
    {"confirm", scenario_confirm},
    {"send", scenario_series_send},
    {"ordinary", scenario_series_ordinary},
    {"repeat", scenario_series_repeat},
    {"end", scenario_series_end},
    {"expect", scenario_expect},
};

static enum status read_statement(struct scenario_reader *reader, const char *word,
                                  const char *rest)
{
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (strcmp(statements[i].word, word) != 0)
            continue;
        enum status status = scenario_series_finish(reader);
        if (status != STATUS_OK && status != STATUS_INVALID)
            return status;
        return statements[i].read(reader, rest);
    }
    enum status status = scenario_series_property(reader, word, rest);
    if (status == STATUS_NOT_FOUND)
        return scenario_fail(reader, "'%.60s' is not known here", word);
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

enum status scenario_find(const char *name, const char *folder, struct text *out_path,
                          struct error *error)
{
    static const char *const endings[] = {"", ".scenario"};
    text_add_string(out_path, name);
    bool there = strchr(name, '/') != NULL || access(name, F_OK) == 0;
    for (size_t i = 0; i < 2 && !there && name[0] != '\0'; i++) {
        text_reset(out_path);
        text_printf(out_path, "%s/%s%s", folder, name, endings[i]);
        there = !out_path->failed && access(text_string(out_path), F_OK) == 0;
    }
    if (out_path->failed)
        return error_set(error, STATUS_NOMEM, "out of memory");
    if (there)
        return STATUS_OK;
    return error_set(error, STATUS_NOT_FOUND,
                     "there is no file \"%.100s\", and no scenario of that name in %s",
                     name, folder);
}

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
            return scenario_fail(reader, "--set needs NAME=VALUE");
        memcpy(name, options->given[i], length);
        name[length] = '\0';
        status =
            variables_set(&scenario->variables, name, equals + 1, true, reader->error);
    }
    if (status == STATUS_OK)
        status = read_start(reader, "Mon 08:00");
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
    struct scenario_reader reader = {
        .scenario = out, .problems = problems, .path = path, .error = &error};
    size_t errors = problems->errors;
    *out = (struct scenario){0};
    enum status status = prepare(&reader, options);
    if (status == STATUS_INVALID)
        problems_error(problems, path, 0, "%s", error.text);
    if (status == STATUS_OK)
        status = read_lines(&reader, text, length);
    if (status == STATUS_OK)
        status = scenario_series_finish(&reader);
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

void scenario_clear(struct scenario *scenario)
{
    for (size_t i = 0; i < scenario->series_count; i++)
        series_clear(&scenario->series[i]);
    for (size_t i = 0; i < scenario->list_count; i++) {
        free(scenario->lists[i].address);
        free(scenario->lists[i].member);
    }
    for (size_t i = 0; i < scenario->permit_count; i++) {
        free(scenario->permits[i].key);
        free(scenario->permits[i].to);
    }
    for (size_t i = 0; i < scenario->expectation_count; i++) {
        free(scenario->expectations[i].bound);
        free(scenario->expectations[i].rule);
        free(scenario->expectations[i].text);
    }
    for (size_t i = 0; i < scenario->tag_count; i++)
        free(scenario->tags[i]);
    free(scenario->series);
    free(scenario->lists);
    free(scenario->permits);
    free(scenario->confirms);
    free(scenario->expectations);
    free(scenario->tags);
    free(scenario->file);
    free(scenario->title);
    variables_clear(&scenario->variables);
    *scenario = (struct scenario){0};
}
