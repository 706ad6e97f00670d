/* How far long tasks are. A client chooses a token when it starts one, and asks by it. */
#ifndef CONTROL_PROGRESS_H
#define CONTROL_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { PROGRESS_MAX = 16, PROGRESS_TOKEN_SIZE = 33 };

struct progress {
    pthread_mutex_t mutex;
    struct progress_task {
        char token[PROGRESS_TOKEN_SIZE]; /* "": free */
        size_t done, total;
    } tasks[PROGRESS_MAX];
};

void progress_init(struct progress *progress);
void progress_destroy(struct progress *progress);

/* 8 to 32 letters and digits. */
bool progress_is_token(const char *token);

/* The first call with a token adds it. Past PROGRESS_MAX tasks, new ones are not shown.
 */
void progress_tell(struct progress *progress, const char *token, size_t done,
                   size_t total);

/* False when no task has this token, or has not reported yet. */
bool progress_get(struct progress *progress, const char *token, size_t *out_done,
                  size_t *out_total);

void progress_end(struct progress *progress, const char *token);

#endif
