/* Reads test/vectors/bucket.txt, window.txt and clients.txt, for whatever keeps buckets,
 * windows or sets of clients. */
#ifndef TEST_SUPPORT_VECTORS_H
#define TEST_SUPPORT_VECTORS_H

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/bucket.h"
#include "policy/client_set.h"
#include "policy/window.h"

enum { VECTOR_LINE_SIZE = 600 };

struct vector_step {
    int64_t at_ms, cost, left, level, rest, to_full_ms;
};

/* Called for each line in turn; where says which, for a message. */
struct vector_user {
    void (*begin)(void *context, const char *name, const struct rate *rate);
    void (*step)(void *context, const struct vector_step *step, const char *where);
    void *context;
};

struct window_step {
    int64_t at_ms, cost;
    bool forced; /* counted whatever the room */
    int64_t left, size, keep_ms;
    struct window window; /* afterwards; start_ms is 0 when none is open */
};

struct window_user {
    void (*begin)(void *context, const char *name, const struct surge *surge);
    void (*step)(void *context, const struct window_step *step, const char *where);
    void *context;
};

enum { VECTOR_CLIENTS_MAX = 8 };

struct clients_step {
    int64_t at_ms, client, left, keep_ms;
    size_t count; /* afterwards; those that are over are left out */
    struct client_entry entries[VECTOR_CLIENTS_MAX];
};

struct clients_user {
    void (*begin)(void *context, const char *name, const struct rate *limit);
    void (*step)(void *context, const struct clients_step *step, const char *where);
    void *context;
};

static inline void vectors_line(void *context, const char *line, char *name, int number)
{
    const struct vector_user *user = context;
    char where[100];
    struct rate rate;
    struct vector_step step;
    if (sscanf(line, "bucket %63s %" SCNd64 " %" SCNd64 " %" SCNd64, name, &rate.tokens,
               &rate.period_ms, &rate.burst) == 4) {
        ck_assert_msg(rate_is_valid(&rate), "line %d: rate", number);
        user->begin(user->context, name, &rate);
        return;
    }
    ck_assert_msg(sscanf(line,
                         "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64
                         " %" SCNd64,
                         &step.at_ms, &step.cost, &step.left, &step.level, &step.rest,
                         &step.to_full_ms) == 6,
                  "line %d: not a step", number);
    (void)snprintf(where, sizeof where, "line %d (%s)", number, name);
    user->step(user->context, &step, where);
}

/* The next of several numbers. */
static inline int64_t vectors_number(const char **at)
{
    char *end = NULL;
    int64_t number = strtoll(*at, &end, 10);
    ck_assert_msg(end != *at, "no number at: %s", *at);
    *at = end;
    return number;
}

static inline void vectors_window_line(void *context, const char *line, char *name,
                                       int number)
{
    const struct window_user *user = context;
    char where[100];
    struct surge surge;
    struct window_step step = {0};
    struct window *window = &step.window;
    if (sscanf(line, "window %63s %" SCNd64 " %" SCNd64 " %" SCNd64, name, &surge.factor,
               &surge.floor, &surge.window_ms) == 4) {
        ck_assert_msg(surge_is_valid(&surge), "line %d: surge", number);
        user->begin(user->context, name, &surge);
        return;
    }
    step.at_ms = vectors_number(&line);
    step.cost = vectors_number(&line);
    step.forced = *line == '!';
    line += step.forced;
    step.left = vectors_number(&line);
    step.size = vectors_number(&line);
    window->start_ms = vectors_number(&line);
    window->copies = vectors_number(&line);
    step.keep_ms = vectors_number(&line);
    while (*line == ' ') {
        struct window_past *past = &window->past[window->past_count++];
        past->end_ms = vectors_number(&line);
        ck_assert_int_eq(*line++, ':');
        past->copies = vectors_number(&line);
    }
    (void)snprintf(where, sizeof where, "line %d (%s)", number, name);
    user->step(user->context, &step, where);
}

/* " CLIENT:STAMP ..." to the end of a line. */
static inline size_t vectors_clients(const char *line, struct client_entry *out)
{
    size_t count = 0;
    while (*line == ' ') {
        ck_assert_uint_lt(count, VECTOR_CLIENTS_MAX);
        out[count].client = vectors_number(&line);
        ck_assert_int_eq(*line++, ':');
        out[count++].stamp_ms = vectors_number(&line);
    }
    return count;
}

static inline void vectors_clients_line(void *context, const char *line, char *name,
                                        int number)
{
    const struct clients_user *user = context;
    char where[100];
    struct rate limit;
    struct clients_step step = {0};
    if (sscanf(line, "clients %63s %" SCNd64 " %" SCNd64, name, &limit.burst,
               &limit.period_ms) == 3) {
        limit.tokens = limit.burst;
        ck_assert_msg(client_limit_is_valid(&limit), "line %d: limit", number);
        user->begin(user->context, name, &limit);
        return;
    }
    step.at_ms = vectors_number(&line);
    step.client = vectors_number(&line);
    step.left = vectors_number(&line);
    step.keep_ms = vectors_number(&line);
    step.count = vectors_clients(line, step.entries);
    (void)snprintf(where, sizeof where, "line %d (%s)", number, name);
    user->step(user->context, &step, where);
}

static inline void vectors_same_clients(const struct client_set *set,
                                        const struct client_entry *wanted, size_t count,
                                        const char *where)
{
    ck_assert_msg(set->count == count, "%s: %zu clients", where, set->count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(set->entries[i].client == wanted[i].client &&
                          set->entries[i].stamp_ms == wanted[i].stamp_ms,
                      "%s: client %zu: %" PRId64 ":%" PRId64, where, i,
                      set->entries[i].client, set->entries[i].stamp_ms);
}

static inline void vectors_read(const char *path, void *context,
                                void (*take)(void *context, const char *line, char *name,
                                             int number))
{
    char line[VECTOR_LINE_SIZE];
    char name[64] = "";
    int number = 0;
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        number++;
        if (line[0] != '#' && line[0] != '\n')
            take(context, line, name, number);
    }
    ck_assert_int_gt(number, 100);
    (void)fclose(file);
}

static inline void vectors_run(const struct vector_user *user)
{
    struct vector_user copy = *user;
    vectors_read(SOURCE_DIR "/test/vectors/bucket.txt", &copy, vectors_line);
}

static inline void vectors_run_windows(const struct window_user *user)
{
    struct window_user copy = *user;
    vectors_read(SOURCE_DIR "/test/vectors/window.txt", &copy, vectors_window_line);
}

static inline void vectors_run_clients(const struct clients_user *user)
{
    struct clients_user copy = *user;
    vectors_read(SOURCE_DIR "/test/vectors/clients.txt", &copy, vectors_clients_line);
}

/* That two windows are the same, as vectors write them. */
static inline void vectors_same_window(const struct window *window,
                                       const struct window *wanted, const char *where)
{
    int64_t start_ms = window_is_open(window) ? window->start_ms : 0;
    ck_assert_msg(start_ms == wanted->start_ms, "%s: start %" PRId64, where, start_ms);
    ck_assert_msg(window->copies == wanted->copies, "%s: copies %" PRId64, where,
                  window->copies);
    ck_assert_msg(window->trained == wanted->trained, "%s: trained %" PRId64, where,
                  window->trained);
    ck_assert_msg(window->braked == wanted->braked, "%s: braked %d", where,
                  window->braked);
    ck_assert_msg(window->past_count == wanted->past_count, "%s: %zu past ones", where,
                  window->past_count);
    for (size_t i = 0; i < window->past_count; i++)
        ck_assert_msg(window->past[i].end_ms == wanted->past[i].end_ms &&
                          window->past[i].copies == wanted->past[i].copies,
                      "%s: past %zu: %" PRId64 ":%" PRId64, where, i,
                      window->past[i].end_ms, window->past[i].copies);
}

#endif
