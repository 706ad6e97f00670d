/* Reads test/vectors/bucket.txt, for whatever keeps token buckets. */
#ifndef TEST_SUPPORT_VECTORS_H
#define TEST_SUPPORT_VECTORS_H

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "policy/bucket.h"

struct vector_step {
    int64_t at_ms, cost, left, level, rest, to_full_ms;
};

/* Called for each line in turn; where says which, for a message. */
struct vector_user {
    void (*begin)(void *context, const char *name, const struct rate *rate);
    void (*step)(void *context, const struct vector_step *step, const char *where);
    void *context;
};

static inline void vectors_line(const struct vector_user *user, const char *line,
                                char *name, int number)
{
    char where[100];
    struct rate rate;
    struct vector_step step;
    if (line[0] == '#' || line[0] == '\n')
        return;
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

static inline void vectors_run(const struct vector_user *user)
{
    char line[200];
    char name[64] = "";
    int number = 0;
    FILE *file = fopen(SOURCE_DIR "/test/vectors/bucket.txt", "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL)
        vectors_line(user, line, name, ++number);
    ck_assert_int_gt(number, 100);
    (void)fclose(file);
}

#endif
