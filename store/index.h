/* A set of texts in the order of their bytes, each with an owner. Its owner locks. */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include <stddef.h>

enum { INDEX_LEVELS = 16 };

struct index_entry {
    void *owner;
    int levels;
    char *text;
    struct index_entry *next[]; /* one for each of its levels */
};

struct index {
    struct index_entry *first[INDEX_LEVELS];
};

/* An entry with the text "TERM ID", not yet in any index. NULL when out of memory. */
struct index_entry *index_entry_new(const char *term, size_t length, const char *id,
                                    void *owner);
void index_entry_free(struct index_entry *entry); /* NULL is allowed */

/* Takes the entry over. Its text is not there yet. */
void index_add(struct index *index, struct index_entry *entry);

/* Takes the entry with that text out and frees it, if it is there. */
void index_remove(struct index *index, const char *text);

/* The first entry that is not before text, and the one after; NULL at the end. */
struct index_entry *index_seek(const struct index *index, const char *text);
struct index_entry *index_next(const struct index_entry *entry);

void index_clear(struct index *index);

#endif
