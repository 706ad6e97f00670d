/* What a store is made of, for those files of store/ that answer for it. */
#ifndef STORE_BACKENDS_H
#define STORE_BACKENDS_H

struct store;

/* Without redis, the store is this process alone. */
struct store_backends {
    struct redis *redis;
    struct memory *memory;              /* NULL: with redis, and not local */
    struct documents_memory *documents; /* with redis: what was put off */
};

/* Borrowed, and the same as long as the store is open. */
const struct store_backends *store_backends(const struct store *store);

#endif
