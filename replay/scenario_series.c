/* send and ordinary, the lines below them, and the blocks they stand in. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "replay/scenario_parts.h"

enum { FIELDS_MAX = 40, VALUES_MAX = 1000, WORDS_MAX = 1000 };

#define PERSON_DEFAULT "person{n}@{domain}"
#define OUTSIDE_DEFAULT "friend{n}@example.net"
#define CLIENT_DEFAULT "10.{20 + n / 65536 % 200}.{n / 256 % 256}.{n % 256}"

static struct series *last(struct scenario_reader *reader)
{
    return &reader->scenario->series[reader->scenario->series_count - 1];
}

const struct field *series_field(const struct series *series, enum field_kind kind,
                                 const char *name)
{
    for (size_t i = 0; i < series->field_count; i++) {
        const struct field *field = &series->fields[i];
        if (field->kind == kind && (name == NULL || strcasecmp(field->name, name) == 0))
            return field;
    }
    return NULL;
}

/* ---- when ---- */

static enum status take_times(struct scenario_reader *reader, const char **at)
{
    char word[SCENARIO_WORD];
    int64_t times;
    scenario_word(at, word);
    if (!variables_number(word, &times) || times > SCENARIO_MESSAGES_MAX)
        return scenario_refuse(reader, "times wants a number");
    last(reader)->schedule.times = times;
    reader->seen.times = true;
    return STATUS_OK;
}

/* One of the words that say when; NOT_FOUND for another. */
static enum status read_schedule_word(struct scenario_reader *reader, const char *word,
                                      const char **at)
{
    struct schedule *schedule = &last(reader)->schedule;
    if (strcmp(word, "random") == 0) {
        schedule->random = true;
        return STATUS_OK;
    }
    if (strcmp(word, "times") == 0)
        return take_times(reader, at);
    if (strcmp(word, "at") == 0)
        return scenario_duration(reader, at, &schedule->at_ms);
    if (strcmp(word, "every") == 0) {
        reader->seen.every = true;
        return scenario_duration(reader, at, &schedule->every_ms);
    }
    if (strcmp(word, "for") == 0) {
        reader->seen.span = true;
        return scenario_duration(reader, at, &schedule->span_ms);
    }
    return STATUS_NOT_FOUND;
}

/* The words that say when, up to the end of a line. */
static enum status read_schedule(struct scenario_reader *reader, const char *text)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && *text != '\0') {
        char word[SCENARIO_WORD];
        scenario_word(&text, word);
        status = read_schedule_word(reader, word, &text);
        if (status == STATUS_NOT_FOUND)
            return scenario_refuse(
                reader, "'%.60s': at, every, times, for or random stands here", word);
    }
    return status;
}

/* ---- who, whom, what ---- */

static enum status add_field(struct scenario_reader *reader, enum field_kind kind,
                             const char *name, struct field **out)
{
    struct series *series = last(reader);
    struct field *found = (struct field *)(uintptr_t)series_field(series, kind, name);
    if (found != NULL) {
        *out = found;
        return STATUS_OK;
    }
    if (series->field_count == FIELDS_MAX)
        return scenario_refuse(reader, "more than %d properties", FIELDS_MAX);
    if (!array_reserve(&series->fields, series->field_count, sizeof *series->fields))
        return STATUS_NOMEM;
    struct field field = {.kind = kind, .name = name == NULL ? NULL : strdup(name)};
    if (name != NULL && field.name == NULL)
        return STATUS_NOMEM;
    *out = &series->fields[series->field_count++];
    **out = field;
    return STATUS_OK;
}

static enum status add_word(struct scenario_reader *reader, struct field_value *value,
                            const char *text, size_t length)
{
    if (value->word_count == WORDS_MAX)
        return scenario_refuse(reader, "more than %d words in a line", WORDS_MAX);
    if (!array_reserve(&value->words, value->word_count, sizeof *value->words))
        return STATUS_NOMEM;
    enum status status = template_parse(text, length, &reader->scenario->variables,
                                        &value->words[value->word_count], reader->error);
    value->word_count += status == STATUS_OK;
    return status;
}

/* Blanks and commas divide words, but not between braces. */
static size_t word_length(const char *text)
{
    bool inside = false;
    size_t length = 0;
    for (; text[length] != '\0'; length++) {
        if (text[length] == '{')
            inside = true;
        else if (text[length] == '}')
            inside = false;
        else if (!inside && strchr(" \t,", text[length]) != NULL)
            break;
    }
    return length;
}

/* Addresses: several words, and ranges. */
static bool takes_many(enum field_kind kind)
{
    return kind == FIELD_TO || kind == FIELD_CC || kind == FIELD_BCC ||
           kind == FIELD_LISTS;
}

static enum status add_value(struct scenario_reader *reader, struct field *field,
                             const char *text)
{
    enum status status = STATUS_OK;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): add_field wrote field */
    if (field->value_count == VALUES_MAX)
        return scenario_refuse(reader, "more than %d lines of one property", VALUES_MAX);
    if (!array_reserve(&field->values, field->value_count, sizeof *field->values))
        return STATUS_NOMEM;
    struct field_value *value = &field->values[field->value_count++];
    *value = (struct field_value){.line = reader->line};
    if (!takes_many(field->kind))
        return add_word(reader, value, text, strlen(text));
    for (text += strspn(text, " \t,"); *text != '\0' && status == STATUS_OK;) {
        size_t length = word_length(text);
        status = add_word(reader, value, text, length);
        text += length + strspn(text + length, " \t,");
    }
    return status;
}

static enum status check_value(struct scenario_reader *reader, const struct field *field)
{
    const struct field_value *value = &field->values[field->value_count - 1];
    bool ranges = takes_many(field->kind);
    for (size_t i = 0; i < value->word_count; i++) {
        if (!ranges && template_has_range(value->words[i]))
            return scenario_refuse(reader, "{a..b} stands only in to, cc, bcc and lists");
    }
    return value->word_count > 0 ? STATUS_OK
                                 : scenario_refuse(reader, "nothing stands here");
}

static enum status add_property(struct scenario_reader *reader, enum field_kind kind,
                                const char *name, const char *text)
{
    struct field *field = NULL;
    enum status status = add_field(reader, kind, name, &field);
    if (status == STATUS_OK)
        status = add_value(reader, field, text);
    if (status == STATUS_OK)
        status = check_value(reader, field);
    return status;
}

static enum status take_header(struct scenario_reader *reader, const char *rest)
{
    char name[SCENARIO_WORD] = "";
    size_t length = strcspn(rest, ":");
    if (rest[length] == '\0' || length == 0 || length >= sizeof name ||
        strcspn(rest, " \t{}") < length)
        return scenario_refuse(reader, "that is header NAME: VALUE");
    memcpy(name, rest, length);
    rest += length + 1;
    return add_property(reader, FIELD_HEADER, name, rest + strspn(rest, " \t"));
}

/* N [of PATTERN] */
static enum status take_people(struct scenario_reader *reader, const char *rest)
{
    char number[SCENARIO_WORD];
    struct text text = {0};
    const char *of = strstr(rest, " of ");
    size_t length = of == NULL ? strlen(rest) : (size_t)(of - rest);
    if (length >= sizeof number)
        return scenario_refuse(reader, "people wants a number");
    memcpy(number, rest, length);
    number[length] = '\0';
    enum status status = scenario_expand(reader, number, &text);
    if (status == STATUS_OK &&
        (!variables_number(text_string(&text), &last(reader)->people) ||
         last(reader)->people < 1 || last(reader)->people > SCENARIO_MESSAGES_MAX))
        status = scenario_refuse(reader, "people wants a number");
    text_clear(&text);
    if (status != STATUS_OK || of == NULL)
        return status;
    of += 4;
    return add_property(reader, FIELD_FROM, NULL, of + strspn(of, " \t"));
}

static const struct {
    const char *word;
    enum field_kind kind;
    bool send, ordinary;
} properties[] = {
    {"login", FIELD_LOGIN, true, false},     {"from", FIELD_FROM, true, false},
    {"client", FIELD_CLIENT, true, true},    {"to", FIELD_TO, true, false},
    {"cc", FIELD_CC, true, false},           {"bcc", FIELD_BCC, true, false},
    {"outside", FIELD_OUTSIDE, false, true}, {"lists", FIELD_LISTS, false, true},
};

static enum status take_property(struct scenario_reader *reader, const char *word,
                                 const char *rest)
{
    bool ordinary = last(reader)->ordinary;
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        if (strcmp(properties[i].word, word) == 0 &&
            (ordinary ? properties[i].ordinary : properties[i].send))
            return add_property(reader, properties[i].kind, NULL, rest);
    }
    if (!ordinary && strcmp(word, "subject") == 0)
        return add_property(reader, FIELD_HEADER, "Subject", rest);
    if (!ordinary && strcmp(word, "header") == 0)
        return take_header(reader, rest);
    if (ordinary && strcmp(word, "people") == 0)
        return take_people(reader, rest);
    return STATUS_NOT_FOUND;
}

enum status series_property(struct scenario_reader *reader, const char *word,
                            const char *rest)
{
    static const char *const words[] = {"at", "every", "times", "for", "random"};
    struct text text = {0};
    if (!reader->in_series)
        return STATUS_NOT_FOUND;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], word) != 0)
            continue;
        text_printf(&text, "%s ", word);
        enum status status = scenario_expand(reader, rest, &text);
        if (status == STATUS_OK)
            status = read_schedule(reader, text_string(&text));
        text_clear(&text);
        return status;
    }
    return take_property(reader, word, rest);
}

/* ---- the series itself ---- */

/* [as TAG] and words that say when. */
static enum status begin(struct scenario_reader *reader, const char *rest, bool ordinary)
{
    struct scenario *scenario = reader->scenario;
    char word[SCENARIO_WORD];
    struct text text = {0};
    if (scenario->series_count == SCENARIO_SERIES_MAX)
        return scenario_refuse(reader, "more than %d series", SCENARIO_SERIES_MAX);
    if (!array_reserve(&scenario->series, scenario->series_count,
                       sizeof *scenario->series))
        return STATUS_NOMEM;
    struct series *series = &scenario->series[scenario->series_count++];
    *series = (struct series){.line = reader->line,
                              .ordinary = ordinary,
                              .schedule = {.times = 1},
                              .loop_count = reader->block_count};
    for (size_t i = 0; i < reader->block_count; i++)
        series->loops[i] = reader->blocks[i].loop;
    reader->in_series = true;
    reader->seen = (struct schedule_words){0};
    enum status status = scenario_expand(reader, rest, &text);
    if (status == STATUS_OK) {
        const char *at = text_string(&text);
        const char *after = at;
        scenario_word(&after, word);
        if (strcmp(word, "as") == 0) {
            at = after;
            scenario_word(&at, word);
            status = scenario_tag(reader, word, &series->tag);
        }
        if (status == STATUS_OK)
            status = read_schedule(reader, at);
    }
    text_clear(&text);
    return status;
}

enum status series_send(struct scenario_reader *reader, const char *rest)
{
    return begin(reader, rest, false);
}

enum status series_ordinary(struct scenario_reader *reader, const char *rest)
{
    return begin(reader, rest, true);
}

/* ---- once it is whole ---- */

static enum status settle_schedule(struct scenario_reader *reader,
                                   struct schedule *schedule)
{
    const struct schedule_words *seen = &reader->seen;
    if (seen->every && seen->span && seen->times)
        return scenario_refuse(reader, "two of every, for and times say it all");
    if ((seen->every && schedule->every_ms == 0) ||
        (seen->span && schedule->span_ms == 0))
        return scenario_refuse(reader, "every and for want more than 0");
    if (seen->every && !seen->span && !seen->times)
        return scenario_refuse(reader, "every wants times or for");
    if (seen->span && !seen->every && !seen->times)
        return scenario_refuse(reader, "for wants times or every");
    if (seen->times && schedule->times > 1 && !seen->every && !seen->span)
        return scenario_refuse(reader, "times wants every or for");
    if (schedule->random && !(seen->span && seen->times))
        return scenario_refuse(reader, "random wants times and for");
    if (schedule->random && schedule->times > SCENARIO_RANDOM_MAX)
        return scenario_refuse(reader, "more than %d messages at random",
                               SCENARIO_RANDOM_MAX);
    if (seen->every && seen->span)
        schedule->times =
            (schedule->span_ms + schedule->every_ms - 1) / schedule->every_ms;
    if (schedule->times > SCENARIO_MESSAGES_MAX)
        return scenario_refuse(reader, "more than %lld messages",
                               (long long)SCENARIO_MESSAGES_MAX);
    return STATUS_OK;
}

/* How long after its block's start the last message comes, and how many there are. A run
 * must be over before the next one begins: messages come in order. */
static enum status settle_length(struct scenario_reader *reader,
                                 const struct series *series)
{
    const struct schedule *schedule = &series->schedule;
    struct scenario *scenario = reader->scenario;
    int64_t messages = schedule->times;
    int64_t length = schedule->every_ms > 0 ? (schedule->times - 1) * schedule->every_ms
                                            : schedule->span_ms;
    if (schedule->times == 0)
        return STATUS_OK;
    length += schedule->at_ms;
    for (size_t i = series->loop_count; i-- > 0;) {
        const struct loop *loop = &series->loops[i];
        if (loop->times > 1 && length >= loop->each_ms)
            return scenario_refuse(reader, "a run is not over when the next one begins");
        length += (loop->times - 1) * loop->each_ms;
        messages *= loop->times;
        if (length > SCENARIO_MS_MAX || messages > SCENARIO_MESSAGES_MAX)
            return scenario_refuse(reader, "over ten years, or %lld messages",
                                   (long long)SCENARIO_MESSAGES_MAX);
    }
    scenario->messages += messages;
    if (scenario->messages > SCENARIO_MESSAGES_MAX || length > SCENARIO_MS_MAX)
        return scenario_refuse(reader, "over ten years, or %lld messages in all",
                               (long long)SCENARIO_MESSAGES_MAX);
    if (length > scenario->length_ms)
        scenario->length_ms = length;
    return STATUS_OK;
}

static enum status settle_send(struct scenario_reader *reader,
                               const struct series *series)
{
    if (series_field(series, FIELD_FROM, NULL) == NULL)
        return scenario_refuse(reader, "from is missing");
    if (series_field(series, FIELD_TO, NULL) == NULL &&
        series_field(series, FIELD_CC, NULL) == NULL &&
        series_field(series, FIELD_BCC, NULL) == NULL)
        return scenario_refuse(reader, "to is missing");
    return STATUS_OK;
}

static enum status settle_ordinary(struct scenario_reader *reader,
                                   const struct series *series)
{
    static const struct {
        enum field_kind kind;
        const char *text;
    } defaults[] = {{FIELD_FROM, PERSON_DEFAULT},
                    {FIELD_OUTSIDE, OUTSIDE_DEFAULT},
                    {FIELD_CLIENT, CLIENT_DEFAULT}};
    enum status status = STATUS_OK;
    if (series->people == 0)
        return scenario_refuse(reader, "people is missing");
    for (size_t i = 0; i < 3 && status == STATUS_OK; i++) {
        if (series_field(series, defaults[i].kind, NULL) == NULL)
            status = add_property(reader, defaults[i].kind, NULL, defaults[i].text);
    }
    return status;
}

static enum status settle(struct scenario_reader *reader, struct series *series)
{
    enum status status = settle_schedule(reader, &series->schedule);
    if (status == STATUS_OK)
        status = settle_length(reader, series);
    if (status != STATUS_OK)
        return status;
    return series->ordinary ? settle_ordinary(reader, series)
                            : settle_send(reader, series);
}

enum status series_finish(struct scenario_reader *reader)
{
    struct error error = {0};
    if (!reader->in_series)
        return STATUS_OK;
    struct error *of_line = reader->error;
    reader->in_series = false;
    reader->error = &error;
    enum status status = settle(reader, last(reader));
    reader->error = of_line;
    if (status == STATUS_INVALID)
        problems_error(reader->problems, reader->path, last(reader)->line, "%s",
                       error.text);
    return status;
}

/* ---- blocks ---- */

/* N each DURATION */
enum status series_repeat(struct scenario_reader *reader, const char *rest)
{
    struct text text = {0};
    struct loop loop = {0};
    char word[SCENARIO_WORD];
    enum status status = scenario_expand(reader, rest, &text);
    const char *at = text_string(&text);
    if (status == STATUS_OK) {
        scenario_word(&at, word);
        if (!variables_number(word, &loop.times) || loop.times < 1 ||
            loop.times > SCENARIO_MESSAGES_MAX)
            status = scenario_refuse(reader, "that is repeat N each DURATION");
    }
    if (status == STATUS_OK) {
        scenario_word(&at, word);
        status = strcmp(word, "each") == 0
                     ? scenario_duration(reader, &at, &loop.each_ms)
                     : scenario_refuse(reader, "that is repeat N each DURATION");
    }
    if (status == STATUS_OK && (*at != '\0' || loop.each_ms == 0))
        status = scenario_refuse(reader, "that is repeat N each DURATION");
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): was looked at above */
    if (status == STATUS_OK && loop.times > SCENARIO_MS_MAX / loop.each_ms)
        status = scenario_refuse(reader, "that is over ten years");
    text_clear(&text);
    if (reader->block_count == SCENARIO_LOOPS_MAX)
        return scenario_refuse(reader, "more than %d repeats in each other",
                               SCENARIO_LOOPS_MAX);
    if (status != STATUS_OK)
        loop = (struct loop){1, 1}; /* is opened, too, for its end */
    reader->blocks[reader->block_count++] = (struct open_block){loop, reader->line};
    return status;
}

enum status series_end(struct scenario_reader *reader, const char *rest)
{
    if (*rest != '\0' || reader->block_count == 0)
        return scenario_refuse(reader, "end closes a repeat, and stands alone");
    reader->block_count--;
    return STATUS_OK;
}
