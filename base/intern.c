/* Open addressing over one arena of NUL-terminated strings. Slots hold id + 1 and a piece
 * of the hash, so that a probe rarely compares a string that differs. */
#include "base/intern.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum { FIRST_SLOTS = 64 };

struct slot {
    uint32_t id_plus_1; /* 0: free */
    uint32_t hash;
};

struct intern {
    unsigned char key[crypto_shorthash_KEYBYTES];
    struct slot *slots;
    uint32_t mask;     /* number of slots - 1, a power of two */
    uint32_t *offsets; /* of each id's string in the arena */
    uint32_t count;
    char *arena;
    size_t used;
    size_t size;
};

struct intern *intern_new(void)
{
    struct intern *intern = calloc(1, sizeof *intern);
    if (intern == NULL)
        return NULL;
    intern->slots = calloc(FIRST_SLOTS, sizeof *intern->slots);
    if (intern->slots == NULL) {
        free(intern);
        return NULL;
    }
    intern->mask = FIRST_SLOTS - 1;
    crypto_shorthash_keygen(intern->key);
    return intern;
}

void intern_free(struct intern *intern)
{
    if (intern == NULL)
        return;
    free(intern->slots);
    free(intern->offsets);
    free(intern->arena);
    free(intern);
}

static uint32_t hash_of(const struct intern *intern, const char *data, size_t length)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint32_t hash;
    (void)crypto_shorthash(out, (const unsigned char *)data, length, intern->key);
    memcpy(&hash, out, sizeof hash);
    return hash;
}

/* The slot that holds the string, or the free one where it belongs. */
static uint32_t slot_of(const struct intern *intern, const char *data, size_t length,
                        uint32_t hash)
{
    uint32_t at = hash & intern->mask;
    for (;; at = (at + 1) & intern->mask) {
        const struct slot *slot = &intern->slots[at];
        if (slot->id_plus_1 == 0)
            return at;
        if (slot->hash != hash)
            continue;
        const char *there = intern->arena + intern->offsets[slot->id_plus_1 - 1];
        if (strncmp(there, data, length) == 0 && there[length] == '\0')
            return at;
    }
}

static enum status grow_slots(struct intern *intern)
{
    uint32_t slots = (intern->mask + 1) * 2;
    struct slot *old = intern->slots;
    struct slot *new = calloc(slots, sizeof *new);
    if (new == NULL)
        return STATUS_NOMEM;
    for (uint32_t i = 0; i <= intern->mask; i++) {
        if (old[i].id_plus_1 == 0)
            continue;
        uint32_t at = old[i].hash & (slots - 1);
        while (new[at].id_plus_1 != 0)
            at = (at + 1) & (slots - 1);
        new[at] = old[i];
    }
    free(old);
    intern->slots = new;
    intern->mask = slots - 1;
    return STATUS_OK;
}

static enum status reserve(struct intern *intern, size_t length)
{
    if (intern->count >= UINT32_MAX / 2 || length >= UINT32_MAX - intern->used)
        return STATUS_LIMIT;
    if (!array_reserve(&intern->offsets, intern->count, sizeof *intern->offsets))
        return STATUS_NOMEM;
    if (intern->size - intern->used <= length) {
        size_t size = (intern->size == 0 ? 1024 : intern->size * 2) + length + 1;
        char *arena = realloc(intern->arena, size);
        if (arena == NULL)
            return STATUS_NOMEM;
        intern->arena = arena;
        intern->size = size;
    }
    if (intern->count >= (intern->mask + 1) / 4 * 3)
        return grow_slots(intern);
    return STATUS_OK;
}

enum status intern_add(struct intern *intern, const char *data, size_t length,
                       uint32_t *out_id)
{
    uint32_t hash = hash_of(intern, data, length);
    uint32_t at = slot_of(intern, data, length, hash);
    if (intern->slots[at].id_plus_1 != 0) {
        *out_id = intern->slots[at].id_plus_1 - 1;
        return STATUS_OK;
    }
    enum status status = reserve(intern, length);
    if (status != STATUS_OK)
        return status;
    at = slot_of(intern, data, length, hash);
    memcpy(intern->arena + intern->used, data, length);
    intern->arena[intern->used + length] = '\0';
    intern->offsets[intern->count] = (uint32_t)intern->used;
    intern->used += length + 1;
    intern->slots[at] = (struct slot){.id_plus_1 = ++intern->count, .hash = hash};
    *out_id = intern->count - 1;
    return STATUS_OK;
}

bool intern_find(const struct intern *intern, const char *data, size_t length,
                 uint32_t *out_id)
{
    uint32_t at = slot_of(intern, data, length, hash_of(intern, data, length));
    if (intern->slots[at].id_plus_1 == 0)
        return false;
    *out_id = intern->slots[at].id_plus_1 - 1;
    return true;
}

const char *intern_string(const struct intern *intern, uint32_t id)
{
    return intern->arena + intern->offsets[id];
}

uint32_t intern_count(const struct intern *intern)
{
    return intern->count;
}
