/* Instants as the API writes them (ISO 8601, UTC) and as people read them. */
#ifndef BASE_INSTANT_H
#define BASE_INSTANT_H

#include <stdbool.h>
#include <stdint.h>

enum { INSTANT_SIZE = 40 };

/* "2026-07-25T19:02:33Z"; "" for a year that does not fit. */
void instant_format(int64_t wall_ms, char out[INSTANT_SIZE]);

/* With milliseconds: "2026-07-25T19:02:33.250Z". */
void instant_format_ms(int64_t wall_ms, char out[INSTANT_SIZE]);

/* Reads what these two write; false for anything else, NULL included. */
bool instant_parse(const char *text, int64_t *out_ms);

/* Reads local time as people type it: "2026-12-01 08:00", seconds optional. False for
 * anything else, and for a day or hour that there is not. */
bool instant_parse_local(const char *text, int64_t *out_ms);

/* Local time: "19:02" today, else "25 Jul 19:02 CEST"; with the year when it is another
 * one. Other text is only cut. */
void instant_local(const char *text, int64_t now_ms, char out[INSTANT_SIZE]);

/* "3 s", "12 min", "5 h", "3 d". */
void instant_duration(int64_t seconds, char out[INSTANT_SIZE]);

#endif
