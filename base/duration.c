/* Spans of time as the configuration, the command and Postfix write them. */
#include "base/duration.h"

#include <stdio.h>

#include "base/text.h"

static int64_t unit_ms(char unit)
{
    switch (unit) {
    case 's':
        return 1000;
    case 'm':
        return INT64_C(60) * 1000;
    case 'h':
        return INT64_C(3600) * 1000;
    case 'd':
        return INT64_C(86400) * 1000;
    case 'w':
        return INT64_C(7) * 86400 * 1000;
    default:
        return 0;
    }
}

enum status duration_parse(const char *string, int64_t *out_ms, struct error *error)
{
    const char *p = string;
    int64_t number;
    bool right = text_take_number(&p, &number) && unit_ms(p[0]) > 0 && p[1] == '\0';
    if (!right)
        return error_set(error, STATUS_INVALID,
                         "\"%.100s\" is not a duration: a whole number and s, m, h, d or "
                         "w, like \"15m\"",
                         string);
    if (number > INT64_MAX / unit_ms(p[0]))
        return error_set(error, STATUS_INVALID, "\"%.100s\" is too long a duration",
                         string);
    *out_ms = number * unit_ms(p[0]);
    return STATUS_OK;
}

void duration_format(int64_t ms, char out[DURATION_SIZE])
{
    static const char units[] = "wdhm";
    for (const char *unit = units; *unit != '\0'; unit++) {
        if (ms % unit_ms(*unit) == 0) {
            (void)snprintf(out, DURATION_SIZE, "%lld%c", (long long)(ms / unit_ms(*unit)),
                           *unit);
            return;
        }
    }
    (void)snprintf(out, DURATION_SIZE, "%llds", (long long)(ms / 1000));
}
