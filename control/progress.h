/* How far the long tasks of the moment are, for whoever asks by the token that the work
 * was ordered with. */
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

/* The first call of a token enters it. Past PROGRESS_MAX tasks nobody is told. */
void progress_tell(struct progress *progress, const char *token, size_t done,
                   size_t total);

/* False when nothing is at work under the token, or not yet. */
bool progress_get(struct progress *progress, const char *token, size_t *out_done,
                  size_t *out_total);

void progress_end(struct progress *progress, const char *token);

#endif
