/* Strings to small integers: each distinct string once, numbered from 0 in order. */
#ifndef BASE_INTERN_H
#define BASE_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct intern;

/* NULL when out of memory. The hash has a random key, of this process, so nobody can
 * provoke collisions. */
struct intern *intern_new(void);
void intern_free(struct intern *intern);

/* Finds or adds; data need not be terminated and holds no NUL. NOMEM, or LIMIT past 2^31
 * strings or 2^32 bytes. */
enum status intern_add(struct intern *intern, const char *data, size_t length,
                       uint32_t *out_id) MUST_CHECK;

/* Makes room for so many more strings. NOMEM. */
enum status intern_reserve(struct intern *intern, uint32_t more) MUST_CHECK;

/* To add many: prepare some, so that their places are in the cache when they are added.
 */
struct intern_text {
    const char *data;
    size_t length;
    uint32_t hash; /* set by intern_prepare */
};
void intern_prepare(const struct intern *intern, struct intern_text *text);

/* As intern_add. lasting: data is NUL-terminated, outlives the intern and is not copied.
 */
enum status intern_add_prepared(struct intern *intern, const struct intern_text *text,
                                bool lasting, uint32_t *out_id) MUST_CHECK;

/* True and the id when the string is there. Safe from many threads while nobody adds. */
bool intern_find(const struct intern *intern, const char *data, size_t length,
                 uint32_t *out_id);

/* The string of an id, NUL-terminated, borrowed. */
const char *intern_string(const struct intern *intern, uint32_t id);
uint32_t intern_count(const struct intern *intern);

#endif
