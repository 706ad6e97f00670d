/* What reading any statement of a scenario needs: words, numbers, durations, names and
 * errors. */
#ifndef REPLAY_SCENARIO_READER_H
#define REPLAY_SCENARIO_READER_H

#include "base/text.h"
#include "replay/scenario.h"

#define SCENARIO_MESSAGES_MAX INT64_C(100000000)
#define SCENARIO_MS_MAX (INT64_C(3660) * 86400 * 1000) /* ten years */

struct open_block {
    struct loop loop;
    int line;
};

struct scenario_reader {
    struct scenario *scenario;
    struct problems *problems;
    const char *path;
    int line;
    bool in_series; /* lines belong to the last series */
    struct open_block blocks[SERIES_LOOPS_MAX];
    size_t block_count;
    struct error *error; /* of the line being read */
};

/* Sets the line's error; INVALID. */
enum status scenario_fail(struct scenario_reader *reader, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* Adds text with its braces filled in; they may contain only variables and constant
 * formulas. */
enum status scenario_expand(struct scenario_reader *reader, const char *text,
                            struct text *out) MUST_CHECK;

/* A string of text[0..length) for free(3): a template, see template.h. */
enum status scenario_template(struct scenario_reader *reader, const char *text,
                              size_t length, char **out) MUST_CHECK;

/* The number of a tag, which is added if it is new. */
enum status scenario_tag(struct scenario_reader *reader, const char *name,
                         size_t *out) MUST_CHECK;

/* The next word of a text, cut to its size, and past the blanks after it; "" at the
 * end. */
enum { SCENARIO_WORD = 300 };
void scenario_word(const char **at, char out[SCENARIO_WORD]);

/* The same, a number from min to max; INVALID with wanted as the error. */
enum status scenario_number(struct scenario_reader *reader, const char **at, int64_t min,
                            int64_t max, const char *wanted, int64_t *out) MUST_CHECK;

/* NUMBER [of PATTERN]: *out_pattern is a template for free(3), NULL without one. */
enum status scenario_number_of(struct scenario_reader *reader, const char *rest,
                               const char *wanted, int64_t *out_number,
                               char **out_pattern) MUST_CHECK;

/* A duration: one or more of 2w 3d 4h 5m 6s 7ms, with or without blanks between. INVALID
 * when there is none, or it is longer than ten years. */
enum status scenario_duration(struct scenario_reader *reader, const char **at,
                              int64_t *out) MUST_CHECK;

#endif
