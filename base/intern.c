/* Open addressing over NUL-terminated strings that never move. Slots hold id + 1 and a
 * piece of the hash, so that a probe rarely compares a string that differs. */
#include "base/intern.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"

enum { FIRST_SLOTS = 64 };

struct slot {
    uint32_t id_plus_1; /* 0: free */
    uint32_t hash;
};

struct intern {
    struct slot *slots;
    uint32_t mask;        /* number of slots - 1, a power of two */
    const char **strings; /* by id */
    uint32_t count;
    size_t bytes; /* of all strings */
    struct arena copies;
};

static unsigned char key[crypto_shorthash_KEYBYTES];
static pthread_once_t key_made = PTHREAD_ONCE_INIT;

static void make_key(void)
{
    crypto_shorthash_keygen(key);
}

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
    (void)pthread_once(&key_made, make_key);
    return intern;
}

void intern_free(struct intern *intern)
{
    if (intern == NULL)
        return;
    free(intern->slots);
    free(intern->strings);
    arena_clear(&intern->copies);
    free(intern);
}

static uint32_t hash_of(const char *data, size_t length)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint32_t hash;
    (void)crypto_shorthash(out, (const unsigned char *)data, length, key);
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
        const char *there = intern->strings[slot->id_plus_1 - 1];
        if (strncmp(there, data, length) == 0 && there[length] == '\0')
            return at;
    }
}

static enum status grow_slots(struct intern *intern, uint32_t slots)
{
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
    if (intern->count >= UINT32_MAX / 2 || length >= UINT32_MAX - intern->bytes)
        return STATUS_LIMIT;
    if (!array_reserve(&intern->strings, intern->count, sizeof *intern->strings))
        return STATUS_NOMEM;
    if (intern->count >= (intern->mask + 1) / 4 * 3)
        return grow_slots(intern, (intern->mask + 1) * 2);
    return STATUS_OK;
}

enum status intern_reserve(struct intern *intern, uint32_t more)
{
    uint32_t slots = intern->mask + 1;
    while (slots <= UINT32_MAX / 2 && (uint64_t)intern->count + more > slots / 4 * 3)
        slots *= 2;
    return slots > intern->mask + 1 ? grow_slots(intern, slots) : STATUS_OK;
}

enum status intern_add_prepared(struct intern *intern, const struct intern_text *text,
                                bool lasting, uint32_t *out_id)
{
    uint32_t at = slot_of(intern, text->data, text->length, text->hash);
    if (intern->slots[at].id_plus_1 != 0) {
        *out_id = intern->slots[at].id_plus_1 - 1;
        return STATUS_OK;
    }
    uint32_t mask = intern->mask;
    enum status status = reserve(intern, text->length);
    if (status != STATUS_OK)
        return status;
    const char *string =
        lasting ? text->data : arena_copy(&intern->copies, text->data, text->length);
    if (string == NULL)
        return STATUS_NOMEM;
    if (intern->mask != mask)
        at = slot_of(intern, text->data, text->length, text->hash);
    intern->strings[intern->count] = string;
    intern->bytes += text->length + 1;
    intern->slots[at] = (struct slot){.id_plus_1 = ++intern->count, .hash = text->hash};
    *out_id = intern->count - 1;
    return STATUS_OK;
}

enum status intern_add(struct intern *intern, const char *data, size_t length,
                       uint32_t *out_id)
{
    struct intern_text text = {data, length, hash_of(data, length)};
    return intern_add_prepared(intern, &text, false, out_id);
}

void intern_prepare(const struct intern *intern, struct intern_text *text)
{
    text->hash = hash_of(text->data, text->length);
    __builtin_prefetch(&intern->slots[text->hash & intern->mask]);
}

bool intern_find(const struct intern *intern, const char *data, size_t length,
                 uint32_t *out_id)
{
    uint32_t at = slot_of(intern, data, length, hash_of(data, length));
    if (intern->slots[at].id_plus_1 == 0)
        return false;
    *out_id = intern->slots[at].id_plus_1 - 1;
    return true;
}

const char *intern_string(const struct intern *intern, uint32_t id)
{
    return intern->strings[id];
}

uint32_t intern_count(const struct intern *intern)
{
    return intern->count;
}
