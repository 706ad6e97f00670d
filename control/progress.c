/* Few tasks are long at once: a small table. */
#include "control/progress.h"

#include <stdio.h>
#include <string.h>

void progress_init(struct progress *progress)
{
    *progress = (struct progress){0};
    (void)pthread_mutex_init(&progress->mutex, NULL);
}

void progress_destroy(struct progress *progress)
{
    (void)pthread_mutex_destroy(&progress->mutex);
}

bool progress_is_token(const char *token)
{
    static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t length = strlen(token);
    return length >= 8 && length < PROGRESS_TOKEN_SIZE &&
           strspn(token, letters) == length;
}

/* "" finds a free place. Under the mutex. */
static struct progress_task *find(struct progress *progress, const char *token)
{
    for (size_t i = 0; i < PROGRESS_MAX; i++) {
        if (strcmp(progress->tasks[i].token, token) == 0)
            return &progress->tasks[i];
    }
    return NULL;
}

void progress_tell(struct progress *progress, const char *token, size_t done,
                   size_t total)
{
    (void)pthread_mutex_lock(&progress->mutex);
    struct progress_task *task = find(progress, token);
    if (task == NULL)
        task = find(progress, "");
    if (task != NULL) {
        *task = (struct progress_task){.done = done, .total = total};
        (void)snprintf(task->token, sizeof task->token, "%s", token);
    }
    (void)pthread_mutex_unlock(&progress->mutex);
}

bool progress_get(struct progress *progress, const char *token, size_t *out_done,
                  size_t *out_total)
{
    (void)pthread_mutex_lock(&progress->mutex);
    const struct progress_task *task = token[0] == '\0' ? NULL : find(progress, token);
    bool found = task != NULL;
    if (found) {
        *out_done = task->done;
        *out_total = task->total;
    }
    (void)pthread_mutex_unlock(&progress->mutex);
    return found;
}

void progress_end(struct progress *progress, const char *token)
{
    (void)pthread_mutex_lock(&progress->mutex);
    struct progress_task *task = token[0] == '\0' ? NULL : find(progress, token);
    if (task != NULL)
        *task = (struct progress_task){0};
    (void)pthread_mutex_unlock(&progress->mutex);
}
