/* A series of a scenario: messages of one kind, and when they are sent. Texts are
 * templates (template.h). */
#ifndef REPLAY_SERIES_H
#define REPLAY_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERIES_LOOPS_MAX = 4 }; /* repeat in repeat */

enum field_kind {
    FIELD_LOGIN,
    FIELD_FROM,
    FIELD_CLIENT,
    FIELD_TO,
    FIELD_CC,
    FIELD_BCC,
    FIELD_LISTS, /* of ordinary: lists that people write to */
};

enum { FIELD_KINDS = FIELD_LISTS + 1 };

/* One property of a series' messages. */
struct field {
    char *name;    /* of a header field; else NULL */
    char **values; /* templates, one for each line, taken in turn */
    size_t value_count;
};

/* When a series sends, relative to the run of its block: message i of times at at_ms +
 * i x span_ms / times, or at at_ms + i x every_ms; random: at any times in span_ms. */
struct schedule {
    int64_t at_ms;
    int64_t every_ms; /* 0: spread over span_ms */
    int64_t span_ms;
    int64_t times;
    bool random;
};

struct loop {
    int64_t times, each_ms;
};

struct series {
    size_t tag;
    int line;
    bool ordinary;
    int64_t people; /* of ordinary */
    struct schedule schedule;
    struct loop loops[SERIES_LOOPS_MAX]; /* outermost first */
    size_t loop_count;
    struct field fields[FIELD_KINDS]; /* without a value: not given */
    struct field *headers;
    size_t header_count;
};

/* Its header field of that name, case-insensitively; NULL when it has none. */
struct field *series_header(const struct series *series, const char *name);

/* Frees what it owns. */
void series_clear(struct series *series);

#endif
