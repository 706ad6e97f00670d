/* What the files that read a scenario share, and nobody else sees. */
#ifndef REPLAY_SCENARIO_PARTS_H
#define REPLAY_SCENARIO_PARTS_H

#include "base/text.h"
#include "replay/scenario.h"

/* Which of its schedule words a series had. */
struct schedule_words {
    bool every, span, times;
};

struct open_block {
    struct loop loop;
    int line;
};

struct scenario_reader {
    struct scenario *scenario;
    struct problems *problems;
    const char *path;
    int line;
    bool brief;
    bool in_series; /* lines belong to the last series */
    struct schedule_words seen;
    struct open_block blocks[SCENARIO_LOOPS_MAX];
    size_t block_count;
    struct error *error; /* of the line being read */
};

/* A statement: rest is what stands behind its first word, without blanks at its ends. */
typedef enum status read_line(struct scenario_reader *reader, const char *rest);

read_line series_send, series_ordinary, series_repeat, series_end;
read_line expect_list, expect_expect, expect_start;

/* A line of a series: a property of its messages. NOT_FOUND when word is none. */
enum status series_property(struct scenario_reader *reader, const char *word,
                            const char *rest) MUST_CHECK;

/* Checks the last series, once all its lines were read. */
enum status series_finish(struct scenario_reader *reader) MUST_CHECK;

/* An INVALID with the line's error. */
enum status scenario_refuse(struct scenario_reader *reader, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* Fills in the variables of a text that depends on nothing else. */
enum status scenario_expand(struct scenario_reader *reader, const char *text,
                            struct text *out) MUST_CHECK;

/* The number of a tag, which is new when nobody named it before. */
enum status scenario_tag(struct scenario_reader *reader, const char *name,
                         size_t *out) MUST_CHECK;

/* The next word of a text, cut at max bytes, and past the blanks behind it; "" at the
 * end. */
enum { SCENARIO_WORD = 300 };
void scenario_word(const char **at, char out[SCENARIO_WORD]);

/* A duration: one or more of 2w 3d 4h 5m 6s 7ms, with or without blanks between. INVALID
 * when none stands there, or one over ten years. */
enum status scenario_duration(struct scenario_reader *reader, const char **at,
                              int64_t *out) MUST_CHECK;

#endif
