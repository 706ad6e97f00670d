/* A series' schedule stands in its first line, and each line below it adds a value to one
 * of its fields. */
#include "replay/scenario_series.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "replay/template.h"

enum {
    SERIES_MAX = 10000,
    HEADERS_MAX = 40,
    VALUES_MAX = 1000,    /* of one property */
    RANDOM_MAX = 5000000, /* messages of one series in one run, at random */
};

static struct series *last(struct scenario_reader *reader)
{
    return &reader->scenario->series[reader->scenario->series_count - 1];
}

/* ---- when ---- */

static const char times_wanted[] = "times needs a number";

/* One of the words that say when; -1 in a schedule: not given. */
static enum status read_schedule_word(struct scenario_reader *reader, const char *word,
                                      const char **at, struct schedule *schedule)
{
    if (strcmp(word, "random") == 0) {
        schedule->random = true;
        return STATUS_OK;
    }
    if (strcmp(word, "times") == 0)
        return scenario_number(reader, at, 0, SCENARIO_MESSAGES_MAX, times_wanted,
                               &schedule->times);
    if (strcmp(word, "at") == 0)
        return scenario_duration(reader, at, &schedule->at_ms);
    if (strcmp(word, "every") == 0)
        return scenario_duration(reader, at, &schedule->every_ms);
    if (strcmp(word, "for") == 0)
        return scenario_duration(reader, at, &schedule->span_ms);
    return scenario_fail(reader, "'%.60s' is not at, every, times, for or random", word);
}

static enum status check_schedule(struct scenario_reader *reader,
                                  const struct schedule *schedule)
{
    bool every = schedule->every_ms >= 0;
    bool span = schedule->span_ms >= 0;
    if (every && span)
        return scenario_fail(reader, "every and for can't be used together");
    if (schedule->every_ms == 0 || schedule->span_ms == 0)
        return scenario_fail(reader, "every and for must be more than 0");
    if ((every || span) && schedule->times < 0)
        return scenario_fail(reader, "every and for need times");
    if (schedule->times > 1 && !every && !span)
        return scenario_fail(reader, "times needs every or for");
    if (schedule->random && !span)
        return scenario_fail(reader, "random needs times and for");
    if (schedule->random && schedule->times > RANDOM_MAX)
        return scenario_fail(reader, "more than %d messages at random", RANDOM_MAX);
    return STATUS_OK;
}

static enum status read_schedule(struct scenario_reader *reader, const char *text,
                                 struct schedule *out)
{
    struct schedule schedule = {.every_ms = -1, .span_ms = -1, .times = -1};
    enum status status = STATUS_OK;
    while (status == STATUS_OK && *text != '\0') {
        char word[SCENARIO_WORD];
        scenario_word(&text, word);
        status = read_schedule_word(reader, word, &text, &schedule);
    }
    if (status == STATUS_OK)
        status = check_schedule(reader, &schedule);
    if (status != STATUS_OK)
        return status;
    schedule.every_ms = schedule.every_ms < 0 ? 0 : schedule.every_ms;
    schedule.span_ms = schedule.span_ms < 0 ? 0 : schedule.span_ms;
    schedule.times = schedule.times < 0 ? 1 : schedule.times;
    *out = schedule;
    return STATUS_OK;
}

/* How long after its block's start the last message comes, and how many there are. A run
 * must be over before the next one begins: messages come in order. */
static enum status add_up(struct scenario_reader *reader, const struct series *series)
{
    const struct schedule *schedule = &series->schedule;
    struct scenario *scenario = reader->scenario;
    int64_t messages = schedule->times;
    int64_t length = schedule->span_ms;
    if (schedule->times == 0)
        return STATUS_OK;
    if (schedule->every_ms > SCENARIO_MS_MAX / schedule->times)
        return scenario_fail(reader, "that is longer than ten years");
    length += schedule->at_ms + (schedule->times - 1) * schedule->every_ms;
    for (size_t i = series->loop_count; i-- > 0;) {
        const struct loop *loop = &series->loops[i];
        if (loop->times > 1 && length >= loop->each_ms)
            return scenario_fail(reader, "a run is not over when the next begins");
        length += (loop->times - 1) * loop->each_ms;
        messages *= loop->times;
        if (length > SCENARIO_MS_MAX || messages > SCENARIO_MESSAGES_MAX)
            break;
    }
    scenario->messages += messages;
    if (scenario->messages > SCENARIO_MESSAGES_MAX || length > SCENARIO_MS_MAX) {
        scenario->messages -= messages;
        return scenario_fail(reader, "more than ten years, or than %lld messages in all",
                             (long long)SCENARIO_MESSAGES_MAX);
    }
    if (length > scenario->length_ms)
        scenario->length_ms = length;
    return STATUS_OK;
}

/* ---- the series itself ---- */

/* [as TAG] SCHEDULE */
static enum status begin(struct scenario_reader *reader, const char *rest, bool ordinary)
{
    struct scenario *scenario = reader->scenario;
    char word[SCENARIO_WORD];
    struct text text = {0};
    if (scenario->series_count == SERIES_MAX)
        return scenario_fail(reader, "more than %d series", SERIES_MAX);
    if (!array_reserve(&scenario->series, scenario->series_count,
                       sizeof *scenario->series))
        return STATUS_NOMEM;
    struct series *series = &scenario->series[scenario->series_count++];
    *series = (struct series){
        .line = reader->line, .ordinary = ordinary, .loop_count = reader->block_count};
    for (size_t i = 0; i < reader->block_count; i++)
        series->loops[i] = reader->blocks[i].loop;
    reader->in_series = true;
    enum status status = scenario_expand(reader, rest, &text);
    const char *at = text_string(&text);
    const char *after = at;
    scenario_word(&after, word);
    if (status == STATUS_OK && strcmp(word, "as") == 0) {
        at = after;
        scenario_word(&at, word);
        status = scenario_tag(reader, word, &series->tag);
    }
    if (status == STATUS_OK)
        status = read_schedule(reader, at, &series->schedule);
    if (status == STATUS_OK)
        status = add_up(reader, series);
    text_clear(&text);
    return status;
}

enum status scenario_series_send(struct scenario_reader *reader, const char *rest)
{
    return begin(reader, rest, false);
}

enum status scenario_series_ordinary(struct scenario_reader *reader, const char *rest)
{
    return begin(reader, rest, true);
}

/* ---- who, whom, what ---- */

/* Takes value over, also on failure. */
static enum status add_value(struct scenario_reader *reader, struct field *field,
                             char *value)
{
    enum status status = STATUS_OK;
    if (field->value_count == VALUES_MAX)
        status = scenario_fail(reader, "more than %d lines of one property", VALUES_MAX);
    else if (value[0] == '\0')
        status = scenario_fail(reader, "a value is missing");
    else if (!array_reserve(&field->values, field->value_count, sizeof *field->values))
        status = STATUS_NOMEM;
    if (status == STATUS_OK)
        field->values[field->value_count++] = value;
    else
        free(value);
    return status;
}

/* A text of its own for each message. */
static enum status add_text(struct scenario_reader *reader, struct field *field,
                            const char *text)
{
    char *value = NULL;
    enum status status = scenario_template(reader, text, strlen(text), &value);
    if (status != STATUS_OK)
        return status;
    if (template_has_range(value, strlen(value))) {
        free(value);
        return scenario_fail(reader, "{a..b} is allowed only in to, cc, bcc and lists");
    }
    return add_value(reader, field, value);
}

/* Addresses: several words, and ranges. */
static enum status add_addresses(struct scenario_reader *reader, struct field *field,
                                 const char *text)
{
    struct text words = {0};
    size_t length;
    enum status status = STATUS_OK;
    for (const char *word;
         status == STATUS_OK && (word = template_word(&text, &length)) != NULL;) {
        if (words.length > 0)
            text_add(&words, " ", 1);
        status = template_expand(word, length, &reader->scenario->variables, &words,
                                 reader->error);
    }
    char *value = NULL;
    status = text_take(&words, status, &value);
    return status == STATUS_OK ? add_value(reader, field, value) : status;
}

static enum status add_header(struct scenario_reader *reader, const char *name,
                              const char *text)
{
    struct series *series = last(reader);
    struct field *found = series_header(series, name);
    if (found != NULL)
        return add_text(reader, found, text);
    if (series->header_count == HEADERS_MAX)
        return scenario_fail(reader, "more than %d header fields", HEADERS_MAX);
    if (!array_reserve(&series->headers, series->header_count, sizeof *series->headers))
        return STATUS_NOMEM;
    struct field field = {.name = strdup(name)};
    if (field.name == NULL)
        return STATUS_NOMEM;
    series->headers[series->header_count++] = field;
    return add_text(reader, &series->headers[series->header_count - 1], text);
}

static enum status read_header(struct scenario_reader *reader, const char *rest)
{
    char name[SCENARIO_WORD] = "";
    size_t length = strcspn(rest, ":");
    if (rest[length] == '\0' || length == 0 || length >= sizeof name ||
        strcspn(rest, " \t{}") < length)
        return scenario_fail(reader, "use header NAME: VALUE");
    memcpy(name, rest, length);
    rest += length + 1;
    return add_header(reader, name, rest + strspn(rest, " \t"));
}

/* N [of PATTERN] */
static enum status read_people(struct scenario_reader *reader, const char *rest)
{
    static const char wanted[] = "people needs a number";
    struct series *series = last(reader);
    char *pattern = NULL;
    enum status status =
        scenario_number_of(reader, rest, wanted, &series->people, &pattern);
    if (status == STATUS_OK && series->people == 0)
        status = scenario_fail(reader, "%s", wanted);
    if (status == STATUS_OK && pattern != NULL)
        status = add_text(reader, &series->fields[FIELD_FROM], pattern);
    free(pattern);
    return status;
}

static const struct {
    const char *word;
    enum field_kind kind;
    bool send, ordinary, addresses;
} properties[] = {
    {"login", FIELD_LOGIN, true, false, false},  {"from", FIELD_FROM, true, false, false},
    {"client", FIELD_CLIENT, true, true, false}, {"to", FIELD_TO, true, false, true},
    {"cc", FIELD_CC, true, false, true},         {"bcc", FIELD_BCC, true, false, true},
    {"lists", FIELD_LISTS, false, true, true},
};

enum status scenario_series_property(struct scenario_reader *reader, const char *word,
                                     const char *rest)
{
    if (!reader->in_series)
        return STATUS_NOT_FOUND;
    struct series *series = last(reader);
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        if (strcmp(properties[i].word, word) != 0 ||
            !(series->ordinary ? properties[i].ordinary : properties[i].send))
            continue;
        struct field *field = &series->fields[properties[i].kind];
        return properties[i].addresses ? add_addresses(reader, field, rest)
                                       : add_text(reader, field, rest);
    }
    if (series->ordinary)
        return strcmp(word, "people") == 0 ? read_people(reader, rest) : STATUS_NOT_FOUND;
    if (strcmp(word, "subject") == 0)
        return add_header(reader, "Subject", rest);
    return strcmp(word, "header") == 0 ? read_header(reader, rest) : STATUS_NOT_FOUND;
}

/* ---- once it is whole ---- */

static enum status complete_send(struct scenario_reader *reader,
                                 const struct series *series)
{
    const struct field *fields = series->fields;
    if (fields[FIELD_FROM].value_count == 0)
        return scenario_fail(reader, "from is missing");
    if (fields[FIELD_TO].value_count + fields[FIELD_CC].value_count +
            fields[FIELD_BCC].value_count ==
        0)
        return scenario_fail(reader, "to is missing");
    return STATUS_OK;
}

static enum status complete_ordinary(struct scenario_reader *reader,
                                     struct series *series)
{
    static const char client[] = "10.{20 + n / 65536 % 200}.{n / 256 % 256}.{n % 256}";
    struct field *fields = series->fields;
    enum status status = STATUS_OK;
    if (series->people == 0)
        return scenario_fail(reader, "people is missing");
    if (fields[FIELD_FROM].value_count == 0)
        status = add_text(reader, &fields[FIELD_FROM], "person{n}@{domain}");
    if (status == STATUS_OK && fields[FIELD_CLIENT].value_count == 0)
        status = add_text(reader, &fields[FIELD_CLIENT], client);
    return status;
}

enum status scenario_series_finish(struct scenario_reader *reader)
{
    struct error error = {0};
    if (!reader->in_series)
        return STATUS_OK;
    struct series *series = last(reader);
    struct error *of_line = reader->error;
    reader->in_series = false;
    reader->error = &error;
    enum status status = series->ordinary ? complete_ordinary(reader, series)
                                          : complete_send(reader, series);
    reader->error = of_line;
    if (status == STATUS_INVALID)
        problems_error(reader->problems, reader->path, series->line, "%s", error.text);
    return status;
}

/* ---- blocks ---- */

/* N each DURATION */
static enum status read_loop(struct scenario_reader *reader, const char *rest,
                             struct loop *out)
{
    static const char wanted[] = "use repeat N each DURATION";
    struct text text = {0};
    struct loop loop = {0};
    char word[SCENARIO_WORD];
    enum status status = scenario_expand(reader, rest, &text);
    const char *at = text_string(&text);
    if (status == STATUS_OK)
        status =
            scenario_number(reader, &at, 1, SCENARIO_MESSAGES_MAX, wanted, &loop.times);
    scenario_word(&at, word);
    if (status == STATUS_OK && strcmp(word, "each") != 0)
        status = scenario_fail(reader, "%s", wanted);
    if (status == STATUS_OK)
        status = scenario_duration(reader, &at, &loop.each_ms);
    if (status == STATUS_OK && (*at != '\0' || loop.each_ms == 0))
        status = scenario_fail(reader, "%s", wanted);
    text_clear(&text);
    if (status == STATUS_OK && loop.times > SCENARIO_MS_MAX / loop.each_ms)
        status = scenario_fail(reader, "that is longer than ten years");
    if (status == STATUS_OK)
        *out = loop;
    return status;
}

enum status scenario_series_repeat(struct scenario_reader *reader, const char *rest)
{
    struct loop loop = {1, 1}; /* opened also when it is invalid, for its end */
    if (reader->block_count == SERIES_LOOPS_MAX)
        return scenario_fail(reader, "repeats are nested more than %d deep",
                             SERIES_LOOPS_MAX);
    enum status status = read_loop(reader, rest, &loop);
    reader->blocks[reader->block_count++] = (struct open_block){loop, reader->line};
    return status;
}

enum status scenario_series_end(struct scenario_reader *reader, const char *rest)
{
    if (*rest != '\0' || reader->block_count == 0)
        return scenario_fail(reader, "end closes a repeat and takes nothing else");
    reader->block_count--;
    return STATUS_OK;
}
