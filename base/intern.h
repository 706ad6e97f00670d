/* Strings to small integers: each distinct string once, numbered from 0 in order. */
#ifndef BASE_INTERN_H
#define BASE_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct intern;

/* NULL when out of memory. The hash has a random key, so nobody can provoke collisions.
 */
struct intern *intern_new(void);
void intern_free(struct intern *intern);

/* Finds or adds; data need not be terminated and holds no NUL. NOMEM, or LIMIT past 2^31
 * strings or 2^32 bytes. */
enum status intern_add(struct intern *intern, const char *data, size_t length,
                       uint32_t *out_id) MUST_CHECK;

/* True and the id when the string is there. Safe from many threads while nobody adds. */
bool intern_find(const struct intern *intern, const char *data, size_t length,
                 uint32_t *out_id);

/* The string of an id, NUL-terminated, borrowed; adding may move it. */
const char *intern_string(const struct intern *intern, uint32_t id);
uint32_t intern_count(const struct intern *intern);

#endif
