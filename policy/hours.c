/* Hours of the week: "Mon-Fri 07:00-17:00; Sat". A small reader from left to right;
 * blanks may stand between any two parts. */
#include "policy/hours.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { SPANS_MAX = 64, DAYS_PER_WEEK = 7, EVERY_DAY = 0x7f };

static void skip_blanks(const char **text)
{
    *text += strspn(*text, " \t");
}

static bool take(const char **text, char c)
{
    skip_blanks(text);
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

/* Mon is 0; any case. */
static bool take_day(const char **text, unsigned *out)
{
    static const char names[DAYS_PER_WEEK][4] = {"mon", "tue", "wed", "thu",
                                                 "fri", "sat", "sun"};
    skip_blanks(text);
    for (unsigned day = 0; day < DAYS_PER_WEEK; day++) {
        size_t same = 0;
        while (same < 3 && text_lower((*text)[same]) == names[day][same])
            same++;
        if (same == 3) {
            *text += 3;
            *out = day;
            return true;
        }
    }
    return false;
}

/* Day, or Day-Day, which may run over the end of the week. */
static bool take_days(const char **text, unsigned *days)
{
    unsigned first;
    if (!take_day(text, &first))
        return false;
    unsigned last = first;
    if (take(text, '-') && !take_day(text, &last))
        return false;
    for (unsigned day = first; day != last; day = (day + 1) % DAYS_PER_WEEK)
        *days |= 1U << day;
    *days |= 1U << last;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* HH:MM, up to 24:00. */
static bool take_minute(const char **text, uint16_t *out)
{
    skip_blanks(text);
    const char *p = *text;
    for (size_t i = 0; i < 5; i++) {
        if (i == 2 ? p[i] != ':' : !is_digit(p[i]))
            return false;
    }
    int hour = (p[0] - '0') * 10 + p[1] - '0';
    int minute = (p[3] - '0') * 10 + p[4] - '0';
    if (minute > 59 || hour * 60 + minute > MINUTES_PER_DAY)
        return false;
    *text += 5;
    *out = (uint16_t)(hour * 60 + minute);
    return true;
}

static bool take_times(const char **text, struct span *span)
{
    return take_minute(text, &span->from) && take(text, '-') &&
           take_minute(text, &span->to) && span->from != span->to &&
           span->from != MINUTES_PER_DAY;
}

/* Days, times or both. */
static bool take_span(const char **text, struct span *out)
{
    struct span span = {.days = EVERY_DAY, .from = 0, .to = MINUTES_PER_DAY};
    skip_blanks(text);
    if (!is_digit(**text)) {
        unsigned days = 0;
        do {
            if (!take_days(text, &days))
                return false;
        } while (take(text, ','));
        span.days = (uint8_t)days;
        skip_blanks(text);
    }
    if (is_digit(**text) && !take_times(text, &span))
        return false;
    *out = span;
    return true;
}

enum status hours_parse(const char *string, struct hours *out, struct error *error)
{
    struct span spans[SPANS_MAX];
    size_t count = 0;
    const char *p = string;
    do {
        if (count == SPANS_MAX)
            return error_set(error, STATUS_INVALID, "more than %d spans of hours",
                             SPANS_MAX);
        if (!take_span(&p, &spans[count++])) {
            p = NULL;
            break;
        }
    } while (take(&p, ';'));
    if (p == NULL || *p != '\0')
        return error_set(error, STATUS_INVALID,
                         "\"%.100s\" is not a span of hours: write it like \"Mon-Fri "
                         "07:00-17:00\", several with ';' between them",
                         string);
    struct span *kept = malloc(count * sizeof *kept);
    if (kept == NULL)
        return STATUS_NOMEM;
    memcpy(kept, spans, count * sizeof *kept);
    *out = (struct hours){.spans = kept, .count = count};
    return STATUS_OK;
}

static bool span_has(const struct span *span, int day, int minute)
{
    bool today = (span->days >> day & 1) != 0;
    bool yesterday = (span->days >> (day + DAYS_PER_WEEK - 1) % DAYS_PER_WEEK & 1) != 0;
    if (span->from < span->to)
        return today && minute >= span->from && minute < span->to;
    return (today && minute >= span->from) || (yesterday && minute < span->to);
}

bool hours_have(const struct hours *hours, int minute_of_week)
{
    int day = minute_of_week / MINUTES_PER_DAY;
    int minute = minute_of_week % MINUTES_PER_DAY;
    for (size_t i = 0; i < hours->count; i++) {
        if (span_has(&hours->spans[i], day, minute))
            return true;
    }
    return false;
}

void hours_clear(struct hours *hours)
{
    free(hours->spans);
    *hours = (struct hours){0};
}
