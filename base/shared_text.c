/* The count stands apart from the text, so that a text which grew by realloc(3) can
 * become one. References are dropped on any thread. */
#include "base/shared_text.h"

#include <stdatomic.h>
#include <stdlib.h>

struct shared_text {
    atomic_uint references;
    char *data;
};

struct shared_text *shared_text_new(char *data)
{
    struct shared_text *shared = malloc(sizeof *shared);
    if (shared == NULL)
        return NULL;
    atomic_init(&shared->references, 1);
    shared->data = data;
    return shared;
}

struct shared_text *shared_text_ref(struct shared_text *shared)
{
    atomic_fetch_add(&shared->references, 1);
    return shared;
}

void shared_text_unref(struct shared_text *shared)
{
    if (shared == NULL || atomic_fetch_sub(&shared->references, 1) != 1)
        return;
    free(shared->data);
    free(shared);
}
