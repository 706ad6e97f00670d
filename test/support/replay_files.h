/* Scenarios for tests: from a text, or the files of test/replay. */
#ifndef TEST_SUPPORT_REPLAY_FILES_H
#define TEST_SUPPORT_REPLAY_FILES_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/replay.h"

/* Errors of problems, one a line, for a message; good until the next call. */
static inline const char *problems_text(const struct problems *problems)
{
    static char text[4000];
    text[0] = '\0';
    for (size_t i = 0; i < problems->count; i++) {
        size_t used = strlen(text);
        char line[900];
        if (problems->items[i].warning)
            continue;
        problem_format(&problems->items[i], line, sizeof line);
        (void)snprintf(text + used, sizeof text - used, "%s\n", line);
    }
    return text;
}

static inline void scenario_of(const char *text, struct scenario *out)
{
    struct problems problems = {0};
    const struct scenario_options options = {0};
    enum status status = scenario_read(text, strlen(text), "s", &options, out, &problems);
    ck_assert_msg(status == STATUS_OK, "%s", problems_text(&problems));
    problems_clear(&problems);
}

/* A configuration in a file of its own, and a scenario's lists. */
static inline struct snapshot *snapshot_of(const char *config,
                                           const struct scenario *scenario)
{
    char path[] = "/tmp/mailbrake-replay-XXXXXX";
    struct problems problems = {0};
    struct snapshot *snapshot = NULL;
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    size_t length = strlen(config);
    ck_assert_int_eq(write(fd, config, length), (ssize_t)length);
    (void)close(fd);
    enum status status = replay_load(path, scenario, &problems, &snapshot);
    (void)unlink(path);
    ck_assert_msg(status == STATUS_OK, "%s", problems_text(&problems));
    problems_clear(&problems);
    return snapshot;
}

#endif
