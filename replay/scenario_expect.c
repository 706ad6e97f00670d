/* The statements around the mail: when it begins, which lists there are, and what may
 * pass. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "replay/scenario_parts.h"

enum { EXPECTATIONS_MAX = 1000 };

/* ---- start ---- */

/* A weekday means that of the first week of 2024. */
static const char *parse_day(const char *text, struct tm *out)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    const char *rest = strptime(text, "%Y-%m-%d", out);
    if (rest != NULL)
        return rest;
    for (int i = 0; i < 7; i++) {
        rest = text_after(text, days[i]);
        if (rest == NULL)
            continue;
        *out = (struct tm){.tm_year = 124, .tm_mon = 0, .tm_mday = 1 + i};
        return rest;
    }
    return NULL;
}

enum status expect_start(struct scenario_reader *reader, const char *rest)
{
    struct text text = {0};
    struct tm local = {0};
    enum status status = scenario_expand(reader, rest, &text);
    if (status != STATUS_OK) {
        text_clear(&text);
        return status;
    }
    const char *at = parse_day(text_string(&text), &local);
    if (at != NULL) {
        const char *seconds = strptime(at, " %H:%M:%S", &local);
        at = seconds != NULL ? seconds : strptime(at, " %H:%M", &local);
    }
    bool whole = at != NULL && *at == '\0';
    text_clear(&text);
    int day = local.tm_mday;
    local.tm_isdst = -1;
    time_t wall = whole ? mktime(&local) : -1;
    if (wall < 0 || local.tm_mday != day)
        return scenario_refuse(reader,
                               "start wants 2024-12-13 18:55 or Fri 18:55, local time");
    reader->scenario->start_ms = (int64_t)wall * 1000;
    return STATUS_OK;
}

/* ---- lists ---- */

static enum status parse_list(struct scenario_reader *reader, const char *rest,
                              struct scenario_list *list)
{
    struct variables *variables = &reader->scenario->variables;
    char number[SCENARIO_WORD];
    struct text text = {0};
    size_t length = 0;
    for (bool inside = false; rest[length] != '\0'; length++) {
        if (rest[length] == '{' || rest[length] == '}')
            inside = rest[length] == '{';
        else if (!inside && (rest[length] == ' ' || rest[length] == '\t'))
            break;
    }
    enum status status =
        template_parse(rest, length, variables, &list->address, reader->error);
    if (status != STATUS_OK)
        return status;
    const char *of = strstr(rest + length, " of ");
    size_t number_length =
        of == NULL ? strlen(rest + length) : (size_t)(of - rest) - length;
    (void)snprintf(number, sizeof number, "%.*s", (int)number_length, rest + length);
    status = scenario_expand(reader, number, &text);
    const char *at = text_string(&text);
    scenario_word(&at, number);
    if (status == STATUS_OK && (*at != '\0' || !variables_number(number, &list->size) ||
                                list->size > SCENARIO_MEMBERS_MAX))
        status = scenario_refuse(reader, "that is list ADDRESS NUMBER [of PATTERN]");
    text_clear(&text);
    if (status != STATUS_OK || of == NULL)
        return status;
    of += 4 + strspn(of + 4, " \t");
    return template_parse(of, strlen(of), variables, &list->member, reader->error);
}

enum status expect_list(struct scenario_reader *reader, const char *rest)
{
    struct scenario *scenario = reader->scenario;
    struct scenario_list list = {.line = reader->line};
    enum status status = STATUS_OK;
    if (scenario->list_count == SCENARIO_LISTS_MAX)
        return scenario_refuse(reader, "more than %d lists", SCENARIO_LISTS_MAX);
    if (!array_reserve(&scenario->lists, scenario->list_count, sizeof *scenario->lists))
        return STATUS_NOMEM;
    status = parse_list(reader, rest, &list);
    if (status == STATUS_OK && list.member != NULL && template_has_range(list.member))
        status = scenario_refuse(reader, "{a..b} can't stand in a member");
    if (status != STATUS_OK) {
        template_free(list.address);
        template_free(list.member);
        return status;
    }
    scenario->lists[scenario->list_count++] = list;
    return STATUS_OK;
}

/* ---- expectations ---- */

static const struct {
    const char *word;
    enum relation relation;
} relations[] = {{"<=", RELATION_LE},
                 {">=", RELATION_GE},
                 {"<", RELATION_LT},
                 {">", RELATION_GT},
                 {"=", RELATION_EQ}};

static enum status parse_measure(struct scenario_reader *reader, const char *text,
                                 struct expectation *out)
{
    static const char *const words[] = {"sent",     "accepted", "held",
                                        "deferred", "refused",  "stopped"};
    char word[SCENARIO_WORD];
    bool known = false;
    scenario_word(&text, word);
    out->what = COUNT_ACCEPTED;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], word) != 0)
            continue;
        out->what = (enum measure_of)i;
        known = true;
    }
    if (known)
        scenario_word(&text, word);
    if (strcmp(word, "copies") == 0) {
        out->copies = known = true;
        scenario_word(&text, word);
    }
    if (!known)
        return scenario_refuse(reader,
                               "'%.60s': copies, accepted, held, deferred, "
                               "refused, stopped or sent stands here",
                               word);
    if (strcmp(word, "by") == 0) {
        scenario_word(&text, word);
        out->rule = strdup(word);
        if (out->rule == NULL)
            return STATUS_NOMEM;
        scenario_word(&text, word);
    }
    return word[0] == '\0' ? STATUS_OK
                           : scenario_refuse(reader, "'%.60s' is too much here", word);
}

/* [from DURATION] [until DURATION] at the end; *length is what stands before. */
static enum status parse_window(struct scenario_reader *reader, const char *text,
                                size_t *length, struct expectation *out)
{
    static const char *const words[] = {" until ", " from "};
    int64_t *const fields[] = {&out->until_ms, &out->from_ms};
    for (size_t i = 0; i < 2; i++) {
        const char *found = memmem(text, *length, words[i], strlen(words[i]));
        if (found == NULL)
            continue;
        const char *at = found + strlen(words[i]);
        enum status status = scenario_duration(reader, &at, fields[i]);
        if (status != STATUS_OK)
            return status;
        if (at != text + *length)
            return scenario_refuse(reader, "that is from DURATION until DURATION");
        *length = (size_t)(found - text) + 1; /* with the blank */
    }
    return STATUS_OK;
}

static enum status parse_expectation(struct scenario_reader *reader, const char *text,
                                     struct expectation *out)
{
    char word[SCENARIO_WORD];
    char measure[SCENARIO_WORD];
    const char *sign = text + strcspn(text, "<>=");
    size_t relation = 0;
    const size_t count = sizeof relations / sizeof *relations;
    while (relation < count && text_after(sign, relations[relation].word) == NULL)
        relation++;
    if (relation == count)
        return scenario_refuse(reader, "that is expect TAG WHAT <= NUMBER");
    scenario_word(&text, word);
    if (text > sign)
        return scenario_refuse(reader, "that is expect TAG WHAT <= NUMBER");
    (void)snprintf(measure, sizeof measure, "%.*s", (int)(sign - text), text);
    out->relation = relations[relation].relation;
    enum status status = scenario_tag(reader, word, &out->tag);
    if (status == STATUS_OK)
        status = parse_measure(reader, measure, out);
    const char *bound = sign + strlen(relations[relation].word);
    size_t length = strlen(bound);
    if (status == STATUS_OK)
        status = parse_window(reader, bound, &length, out);
    if (status == STATUS_OK)
        status = formula_parse(bound, length, &reader->scenario->variables, &out->bound,
                               reader->error);
    return status;
}

enum status expect_expect(struct scenario_reader *reader, const char *rest)
{
    struct scenario *scenario = reader->scenario;
    struct expectation expectation = {.until_ms = INT64_MAX, .line = reader->line};
    struct text text = {0};
    if (scenario->expectation_count == EXPECTATIONS_MAX)
        return scenario_refuse(reader, "more than %d expectations", EXPECTATIONS_MAX);
    if (!array_reserve(&scenario->expectations, scenario->expectation_count,
                       sizeof *scenario->expectations))
        return STATUS_NOMEM;
    enum status status = scenario_expand(reader, rest, &text);
    if (status == STATUS_OK)
        status = parse_expectation(reader, text_string(&text), &expectation);
    if (status == STATUS_OK) {
        expectation.text = strdup(text_string(&text));
        status = expectation.text == NULL ? STATUS_NOMEM : STATUS_OK;
    }
    text_clear(&text);
    if (status != STATUS_OK) {
        formula_free(expectation.bound);
        free(expectation.rule);
        return status;
    }
    scenario->expectations[scenario->expectation_count++] = expectation;
    return STATUS_OK;
}
