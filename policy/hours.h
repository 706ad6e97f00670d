/* Hours of the week in local time: when a rule holds. */
#ifndef POLICY_HOURS_H
#define POLICY_HOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Days and minutes of local time. A span that ends before it starts runs past midnight.
 */
struct span {
    uint8_t days;  /* bit 0: Monday */
    uint16_t from; /* minute of the day */
    uint16_t to;   /* exclusive, up to 1440 */
};

struct hours {
    struct span *spans;
    size_t count; /* 0: no condition */
};

/* "Mon-Fri 07:00-17:00"; days may be joined by commas, spans by semicolons; days alone
 * mean the whole day, times alone every day. Days and times may run
 * over the end of the week and of the day. INVALID with a reason. */
enum status hours_parse(const char *string, struct hours *out,
                        struct error *error) MUST_CHECK;
/* Is the minute (0 = Monday 00:00) in some span? Without spans: no. */
bool hours_have(const struct hours *hours, int minute_of_week);
void hours_clear(struct hours *hours);

#endif
