/* A skip list: every fourth entry of a level is on the next one, too. */
#include "store/index.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static int draw_levels(void)
{
    int levels = 1;
    for (uint32_t bits = randombytes_random(); levels < INDEX_LEVELS && (bits & 3) == 0;
         bits >>= 2)
        levels++;
    return levels;
}

struct index_entry *index_entry_new(const char *term, size_t length, const char *id,
                                    void *owner)
{
    int levels = draw_levels();
    size_t size = sizeof(struct index_entry) + (size_t)levels * sizeof(void *);
    size_t id_size = strlen(id) + 1;
    struct index_entry *entry = calloc(1, size + length + 1 + id_size);
    if (entry == NULL)
        return NULL;
    entry->owner = owner;
    entry->levels = levels;
    entry->text = (char *)entry + size;
    memcpy(entry->text, term, length);
    entry->text[length] = ' ';
    memcpy(entry->text + length + 1, id, id_size);
    return entry;
}

void index_entry_free(struct index_entry *entry)
{
    free(entry);
}

/* On each level the link to the first entry that is not before text. */
static void find(struct index *index, const char *text,
                 struct index_entry **out[INDEX_LEVELS])
{
    struct index_entry **links = index->first;
    for (int level = INDEX_LEVELS - 1; level >= 0; level--) {
        while (links[level] != NULL && strcmp(links[level]->text, text) < 0)
            links = links[level]->next;
        out[level] = &links[level];
    }
}

void index_add(struct index *index, struct index_entry *entry)
{
    struct index_entry **links[INDEX_LEVELS];
    find(index, entry->text, links);
    for (int level = 0; level < entry->levels; level++) {
        entry->next[level] = *links[level];
        *links[level] = entry;
    }
}

void index_remove(struct index *index, const char *text)
{
    struct index_entry **links[INDEX_LEVELS];
    find(index, text, links);
    struct index_entry *entry = *links[0];
    if (entry == NULL || strcmp(entry->text, text) != 0)
        return;
    for (int level = 0; level < entry->levels; level++)
        *links[level] = entry->next[level];
    free(entry);
}

struct index_entry *index_seek(const struct index *index, const char *text)
{
    struct index_entry *const *links = index->first;
    for (int level = INDEX_LEVELS - 1; level >= 0; level--)
        while (links[level] != NULL && strcmp(links[level]->text, text) < 0)
            links = links[level]->next;
    return links[0];
}

struct index_entry *index_next(const struct index_entry *entry)
{
    return entry->next[0];
}

void index_clear(struct index *index)
{
    for (struct index_entry *entry = index->first[0]; entry != NULL;) {
        struct index_entry *next = entry->next[0];
        free(entry);
        entry = next;
    }
    *index = (struct index){0};
}
