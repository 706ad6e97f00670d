/* A storm described in text: who sends what to whom, when, and what of it may pass. The
 * format is described in doc/mailbrake-scenario.5. Texts with braces are templates
 * (template.h). */
#ifndef REPLAY_SCENARIO_H
#define REPLAY_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problems.h"
#include "base/text.h"
#include "replay/series.h"
#include "replay/variables.h"

enum {
    SCENARIO_BYTES_MAX = 4 * 1024 * 1024,
    SCENARIO_LISTS_MAX = 10000,
    SCENARIO_ALL = 0, /* the tag "all" */
};

/* list ADDRESS SIZE [of MEMBER]: the list has at least SIZE members in this scenario. */
struct scenario_list {
    char *address; /* template; with a range: several lists */
    char *member;  /* template; n: its number, from 1; k: the range's. NULL: any name */
    int64_t size;
    int line;
};

/* permit KEY COPIES [at DURATION] for DURATION [to ADDRESS ...] */
struct scenario_permit {
    char *key;
    char *to; /* addresses with blanks between; "": whoever is written to */
    int64_t copies;
    int64_t at_ms, for_ms; /* since the start */
    int line;
};

/* confirm TAG at DURATION */
struct scenario_confirm {
    size_t tag;
    int64_t at_ms; /* since the start */
};

enum measure_of {
    COUNT_SENT,
    COUNT_ACCEPTED,
    COUNT_HELD,
    COUNT_DEFERRED,
    COUNT_REFUSED,
    COUNT_STOPPED, /* held, deferred or refused */
};

enum relation { RELATION_LE, RELATION_GE, RELATION_LT, RELATION_GT, RELATION_EQ };

struct expectation {
    size_t tag;
    enum measure_of what;
    bool copies; /* else messages */
    char *rule;  /* counts only its decisions; NULL: all */
    enum relation relation;
    char *bound;               /* formula */
    int64_t from_ms, until_ms; /* since the start */
    char *text;                /* as written, variables filled in */
    int line;
};

struct scenario {
    char *file; /* as given */
    char *title;
    int64_t start_ms; /* wall time */
    struct variables variables;
    char **tags; /* the first is "all" */
    size_t tag_count;
    struct scenario_list *lists;
    size_t list_count;
    struct scenario_permit *permits;
    size_t permit_count;
    struct scenario_confirm *confirms; /* by their times */
    size_t confirm_count;
    struct series *series;
    size_t series_count;
    struct expectation *expectations;
    size_t expectation_count;
    int64_t messages;  /* in all */
    int64_t length_ms; /* at most, from the start to the last message */
};

/* The path of a scenario: name is a file, or, without a '/', one in folder, with or
 * without its ".scenario"; a file comes first. Added to out_path. NOT_FOUND, NOMEM. */
enum status scenario_find(const char *name, const char *folder, struct text *out_path,
                          struct error *error) MUST_CHECK;

/* How to read it. */
struct scenario_options {
    const char *domain;       /* {domain}: the first own domain; NULL: district.example */
    const char *const *given; /* "NAME=VALUE", from the command line */
    size_t given_count;
};

/* Reads and checks a scenario: all errors in one go, with file and line. INVALID, IO or
 * NOMEM when there are any; then *out is empty. */
enum status scenario_load(const char *path, const struct scenario_options *options,
                          struct scenario *out, struct problems *problems) MUST_CHECK;

/* The same for a text in memory; path is used in errors only. */
enum status scenario_read(const char *text, size_t length, const char *path,
                          const struct scenario_options *options, struct scenario *out,
                          struct problems *problems) MUST_CHECK;
void scenario_clear(struct scenario *scenario);

#endif
