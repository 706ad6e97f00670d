/* The text of a line's hour is mostly that of the line before: then only minutes and
 * seconds are read. */
#include "replay/log_stamp.h"

#include <time.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };
enum { DAY_MS = 24 * HOUR_MS, LEAP_YEARS_APART = 8 };
static const int64_t HALF_YEAR_MS = (int64_t)183 * DAY_MS;

/* What a stamp says of its hour. */
struct hour {
    int year, month, day, hour; /* month from 0 */
};

/* Two digits at data, the first of which may be a blank; -1 when they are none. */
static int two_digits(const char *data)
{
    int tens = data[0] == ' ' ? 0 : data[0] - '0', ones = data[1] - '0';
    return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? -1 : tens * 10 + ones;
}

static bool is_digits(const char *data, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (data[i] < '0' || data[i] > '9')
            return false;
    }
    return true;
}

static int days_of(int month, int year)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return DAYS[month] + (month == 1 && leap);
}

static bool is_hour(const struct hour *hour)
{
    return hour->month >= 0 && hour->month < 12 && hour->hour >= 0 && hour->hour < 24 &&
           hour->day >= 1 && hour->day <= days_of(hour->month, hour->year);
}

static struct tm broken_down(const struct hour *hour, int summer)
{
    return (struct tm){.tm_year = hour->year - 1900,
                       .tm_mon = hour->month,
                       .tm_mday = hour->day,
                       .tm_hour = hour->hour,
                       .tm_isdst = summer};
}

static int64_t utc_ms(const struct hour *hour)
{
    struct tm tm = broken_down(hour, 0);
    return (int64_t)timegm(&tm) * 1000;
}

/* When this hour of local time began. Of two, as the clocks go back, the first one that
 * is not over before after_ms. */
static int64_t local_ms(const struct hour *hour, int64_t after_ms)
{
    struct tm tm = broken_down(hour, 1);
    int64_t summer = (int64_t)mktime(&tm) * 1000;
    bool is_summer = tm.tm_isdst > 0 && tm.tm_hour == hour->hour;
    if (is_summer && summer + HOUR_MS > after_ms)
        return summer;
    tm = broken_down(hour, 0);
    int64_t winter = (int64_t)mktime(&tm) * 1000;
    return is_summer && tm.tm_isdst > 0 ? summer : winter;
}

/* The latest year in which that hour is not after latest_ms, nor more than years back. */
static bool find_latest(struct hour *hour, int64_t latest_ms, int years)
{
    for (int back = 0; back <= years; back++, hour->year--) {
        if (is_hour(hour) && utc_ms(hour) <= latest_ms)
            return true;
    }
    return false;
}

/* The year of a stamp that says none: the one nearest to the stamp before, or the latest
 * that is not in the future. */
static bool find_year(const struct log_stamps *stamps, struct hour *hour)
{
    int64_t latest_ms = stamps->now_ms + DAY_MS;
    time_t now = (time_t)(stamps->now_ms / 1000);
    struct tm tm;
    if (stamps->year != 0) {
        int64_t half_a_year_on = stamps->last_ms + HALF_YEAR_MS;
        hour->year = stamps->year + 1;
        return find_latest(hour, half_a_year_on < latest_ms ? half_a_year_on : latest_ms,
                           2);
    }
    if (localtime_r(&now, &tm) == NULL)
        return false;
    hour->year = tm.tm_year + 1900 + 1;
    return find_latest(hour, latest_ms, LEAP_YEARS_APART + 1);
}

static int month_of(const char *name)
{
    static const char NAMES[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int month = 0; month < 12; month++) {
        if (memcmp(NAMES + (size_t)month * 3, name, 3) == 0)
            return month;
    }
    return -1;
}

/* Reads "+01:00", "+0100" or "Z", and moves past it; false when there is none of them. */
static bool read_offset(struct log_slice *rest, int64_t *out_ms)
{
    size_t length;
    int hours, minutes;
    if (log_slice_skip(rest, LOG_SLICE("Z"))) {
        *out_ms = 0;
        return true;
    }
    if (rest->length < 5 || (rest->data[0] != '+' && rest->data[0] != '-'))
        return false;
    length = rest->data[3] == ':' ? 6 : 5;
    if (rest->length < length || !is_digits(rest->data + 1, 2) ||
        !is_digits(rest->data + length - 2, 2))
        return false;
    hours = two_digits(rest->data + 1);
    minutes = two_digits(rest->data + length - 2);
    *out_ms =
        (rest->data[0] == '-' ? -1 : 1) * (int64_t)(hours * 60 + minutes) * MINUTE_MS;
    rest->data += length;
    rest->length -= length;
    return true;
}

/* Reads ".123456" and moves past it: milliseconds. */
static int64_t read_fraction(struct log_slice *rest)
{
    int64_t ms = 0, unit = 100;
    size_t at = 1;
    if (rest->length < 2 || rest->data[0] != '.' || !is_digits(rest->data + 1, 1))
        return 0;
    for (; at < rest->length && is_digits(rest->data + at, 1); at++, unit /= 10)
        ms += (rest->data[at] - '0') * unit;
    rest->data += at;
    rest->length -= at;
    return ms;
}

/* Reads "mm:ss" and a fraction, and moves past them. */
static bool read_minutes(struct log_slice *rest, int64_t *out_ms)
{
    int minutes, seconds;
    if (rest->length < 5 || rest->data[2] != ':' || !is_digits(rest->data, 2) ||
        !is_digits(rest->data + 3, 2))
        return false;
    minutes = two_digits(rest->data);
    seconds = two_digits(rest->data + 3);
    if (minutes > 59 || seconds > 60)
        return false;
    rest->data += 5;
    rest->length -= 5;
    *out_ms = (minutes * 60 + seconds) * (int64_t)SECOND_MS + read_fraction(rest);
    return true;
}

/* What the stamp says of its hour, and how much of line that is; 0: nothing. */
static size_t read_hour(struct log_slice line, struct hour *out)
{
    const char *text = line.data;
    if (line.length > 9 && text[3] == ' ' && text[6] == ' ') {
        *out = (struct hour){.month = month_of(text),
                             .day = two_digits(text + 4),
                             .hour = two_digits(text + 7)};
        return 9;
    }
    if (line.length <= 13 || !is_digits(text, 4) || text[4] != '-' || text[7] != '-' ||
        (text[10] != 'T' && text[10] != ' '))
        return 0;
    *out = (struct hour){.year = two_digits(text) * 100 + two_digits(text + 2),
                         .month = two_digits(text + 5) - 1,
                         .day = two_digits(text + 8),
                         .hour = two_digits(text + 11)};
    return 13;
}

/* Makes hour_ms that of the line's hour. */
static bool find_hour(struct log_stamps *stamps, struct log_slice line, bool zoned)
{
    struct hour hour;
    size_t length = read_hour(line, &hour);
    if (length == 0 || (hour.year == 0 && !find_year(stamps, &hour)) || !is_hour(&hour))
        return false;
    /* Lines may be a little out of order, but not by half an hour. */
    stamps->hour_ms =
        zoned ? utc_ms(&hour) : local_ms(&hour, stamps->last_ms + HOUR_MS / 2);
    stamps->year = hour.year;
    stamps->zoned = zoned;
    memcpy(stamps->hour, line.data, length);
    stamps->hour_length = length;
    return true;
}

bool log_stamp_read(struct log_stamps *stamps, struct log_slice *line, int64_t *out_ms)
{
    struct hour hour;
    struct log_slice rest = *line;
    int64_t minutes_ms, offset_ms = 0;
    bool known = stamps->hour_length > 0 && line->length > stamps->hour_length &&
                 memcmp(stamps->hour, line->data, stamps->hour_length) == 0;
    size_t length = known ? stamps->hour_length : read_hour(*line, &hour);
    if (length == 0 || rest.data[length] != ':')
        return false;
    rest.data += length + 1;
    rest.length -= length + 1;
    if (!read_minutes(&rest, &minutes_ms))
        return false;
    bool zoned = length > 9 && read_offset(&rest, &offset_ms);
    known = known && zoned == stamps->zoned &&
            (zoned || stamps->hour_ms + minutes_ms > stamps->last_ms - HOUR_MS / 2);
    if (!known && !find_hour(stamps, *line, zoned))
        return false;
    *line = rest;
    *out_ms = stamps->last_ms = stamps->hour_ms + minutes_ms - offset_ms;
    return true;
}
