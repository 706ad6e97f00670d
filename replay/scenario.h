/* A storm as a text: who sends what to whom, when, and what of it may pass. The format is
 * described in doc/mailbrake-scenario.5. */
#ifndef REPLAY_SCENARIO_H
#define REPLAY_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problems.h"
#include "replay/formula.h"
#include "replay/template.h"
#include "replay/variables.h"

enum {
    SCENARIO_BYTES_MAX = 4 * 1024 * 1024,
    SCENARIO_SERIES_MAX = 10000,
    SCENARIO_TAGS_MAX = 100,
    SCENARIO_LOOPS_MAX = 4, /* repeat in repeat */
    SCENARIO_LISTS_MAX = 10000,
    SCENARIO_RANDOM_MAX = 5000000, /* messages of one series in one run, at random */
    SCENARIO_ALL = 0,              /* the tag "all" */
};

#define SCENARIO_MESSAGES_MAX INT64_C(100000000)
#define SCENARIO_MEMBERS_MAX INT64_C(5000000)
#define SCENARIO_MS_MAX (INT64_C(3660) * 86400 * 1000) /* ten years */

/* list ADDRESS SIZE [of PATTERN]: it has at least so many members in this scenario. */
struct scenario_list {
    struct template *address; /* with a range: several lists */
    struct template *member;  /* n: its number, from 1; k: the range's */
    int64_t size;
    int line;
};

enum field_kind {
    FIELD_LOGIN,
    FIELD_FROM,
    FIELD_CLIENT,
    FIELD_TO,
    FIELD_CC,
    FIELD_BCC,
    FIELD_HEADER,
    FIELD_OUTSIDE, /* of ordinary: people elsewhere */
    FIELD_LISTS,   /* of ordinary: lists that people write to */
};

/* What stands in one line. */
struct field_value {
    struct template **words;
    size_t word_count;
    int line;
};

/* One property of a series' messages; several lines of it are taken in turn. */
struct field {
    enum field_kind kind;
    char *name; /* FIELD_HEADER; else NULL */
    struct field_value *values;
    size_t value_count;
};

/* When a series sends, relative to its block's run: message i of times at at_ms +
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
    struct loop loops[SCENARIO_LOOPS_MAX]; /* outermost first */
    size_t loop_count;
    struct field *fields;
    size_t field_count;
};

enum measure_of {
    COUNT_SENT,
    COUNT_ACCEPTED,
    COUNT_HELD,
    COUNT_DEFERRED,
    COUNT_REFUSED,
    COUNT_STOPPED, /* held, deferred or refused */
};

enum relation { RELATION_LE, RELATION_LT, RELATION_GE, RELATION_GT, RELATION_EQ };

struct expectation {
    size_t tag;
    enum measure_of what;
    bool copies; /* else messages */
    char *rule;  /* only what this one decided; NULL: all */
    enum relation relation;
    struct formula *bound;
    int64_t from_ms, until_ms; /* since the start */
    char *text;                /* as written, variables filled in */
    int line;
};

struct scenario {
    char *file; /* as given */
    char *title;
    int64_t start_ms; /* wall time */
    uint64_t seed;
    struct variables variables;
    char **tags; /* the first is "all" */
    size_t tag_count;
    struct scenario_list *lists;
    size_t list_count;
    struct series *series;
    size_t series_count;
    struct expectation *expectations;
    size_t expectation_count;
    int64_t messages;  /* in all */
    int64_t length_ms; /* at most, from the start to the last message */
};

/* How to read it. */
struct scenario_options {
    const char *domain;       /* {domain}: the first own domain; NULL: district.example */
    const char *const *given; /* "NAME=VALUE", from the command line */
    size_t given_count;
    bool brief; /* brief sets variables: where real servers take part */
};

/* Reads and checks a scenario: all errors in one go, with file and line. INVALID, IO or
 * NOMEM when there are any; then *out is empty. */
enum status scenario_load(const char *path, const struct scenario_options *options,
                          struct scenario *out, struct problems *problems) MUST_CHECK;

/* The same of a text that is in memory; path only names it. */
enum status scenario_read(const char *text, size_t length, const char *path,
                          const struct scenario_options *options, struct scenario *out,
                          struct problems *problems) MUST_CHECK;
void scenario_clear(struct scenario *scenario);

/* A series' field; NULL when it has none. name: of FIELD_HEADER, else NULL. */
const struct field *series_field(const struct series *series, enum field_kind kind,
                                 const char *name);

#endif
