/* What a store told its reporter, and settings for a store in a test. */
#ifndef TEST_SUPPORT_REPORTS_H
#define TEST_SUPPORT_REPORTS_H

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"

enum { REPORTS_MAX = 64 };

struct reports {
    pthread_mutex_t mutex;
    int count;
    char texts[REPORTS_MAX][600];
};

static struct reports reports = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static inline void reports_add(void *context, enum severity severity, const char *text)
{
    (void)context;
    (void)severity;
    (void)pthread_mutex_lock(&reports.mutex);
    if (reports.count < REPORTS_MAX)
        (void)snprintf(reports.texts[reports.count++], sizeof reports.texts[0], "%s",
                       text);
    (void)pthread_mutex_unlock(&reports.mutex);
}

static inline void reports_forget(void)
{
    (void)pthread_mutex_lock(&reports.mutex);
    reports.count = 0;
    (void)pthread_mutex_unlock(&reports.mutex);
}

/* How many hold this text. */
static inline int reports_with(const char *text)
{
    int count = 0;
    (void)pthread_mutex_lock(&reports.mutex);
    for (int i = 0; i < reports.count; i++)
        if (strstr(reports.texts[i], text) != NULL)
            count++;
    (void)pthread_mutex_unlock(&reports.mutex);
    return count;
}

/* Waits for one, at most so long. */
static inline bool reports_await(const char *text, int ms)
{
    for (int i = 0; i < ms / 5 && reports_with(text) == 0; i++)
        (void)usleep(5000);
    return reports_with(text) > 0;
}

static const struct store_reporter reporter = {.report = reports_add};

/* Over a unix socket; the strings are not owned. */
static inline struct store_settings reports_settings(char *socket)
{
    static char empty[] = "";
    static char prefix[] = "mb-test";
    return (struct store_settings){.type = STORE_TYPE_REDIS,
                                   .path = socket,
                                   .username = empty,
                                   .password_file = empty,
                                   .prefix = prefix,
                                   .timeout_ms = 250,
                                   .connections = 4,
                                   .state_file = empty,
                                   .on_failure = ON_FAILURE_LOCAL,
                                   .nodes = 1};
}

#endif
