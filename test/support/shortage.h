/* Memory that runs out when a test says so: for a test that is linked with --wrap for
 * each of these functions (see shortage() in test/CMakeLists.txt). What libraries
 * allocate for themselves is left alone. */
#ifndef SUPPORT_SHORTAGE_H
#define SUPPORT_SHORTAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

static atomic_long shortage_left =
    -1; /* allocations until the one that fails; -1: none */
static atomic_bool shortage_struck;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *string);
char *__real_strndup(const char *string, size_t length);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *string);
char *__wrap_strndup(const char *string, size_t length);

static inline bool shortage_strikes(void)
{
    if (atomic_load(&shortage_left) < 0 || atomic_fetch_sub(&shortage_left, 1) != 0)
        return false;
    atomic_store(&shortage_struck, true);
    return true;
}

/* From now on the n-th allocation fails (from 0), and those after it work again. */
static inline void shortage_begin(long n)
{
    atomic_store(&shortage_struck, false);
    atomic_store(&shortage_left, n);
}

/* Whether it came that far. */
static inline bool shortage_end(void)
{
    atomic_store(&shortage_left, -1);
    return atomic_load(&shortage_struck);
}

void *__wrap_malloc(size_t size)
{
    return shortage_strikes() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return shortage_strikes() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return shortage_strikes() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return shortage_strikes() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *string)
{
    return shortage_strikes() ? NULL : __real_strdup(string);
}

char *__wrap_strndup(const char *string, size_t length)
{
    return shortage_strikes() ? NULL : __real_strndup(string, length);
}

#endif
