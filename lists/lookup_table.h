/* What aliases(5) and virtual(5) have in common: logical lines of a key and its values.
 */
#ifndef LISTS_LOOKUP_TABLE_H
#define LISTS_LOOKUP_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/problems.h"
#include "base/status.h"
#include "lists/entries.h"
#include "lists/file.h"
#include "lists/lines.h"

/* A logical line divided, borrowed from it. */
struct lookup_table_pair {
    const char *key;
    size_t key_length;
    const char *value;
};

struct lookup_table_format {
    /* Divides a line; returns NULL, or what is wrong with it. */
    const char *(*split)(const struct line *line, struct lookup_table_pair *out);
    bool keeps_user; /* "@domain" as a value means the key's user there */
};

/* Reads the entries of a table. Lines that are none are errors in problems, with path and
 * line, and are passed over, as postmap(1) does. A key that comes twice is a warning, and
 * one entry with the members of both (postmap keeps the first, postmap -r the last).
 * Changes the file's text. NOMEM, or LIMIT past a cap. */
enum status lookup_table_read(const struct lookup_table_format *format, struct file *file,
                              const char *path, struct entries *entries,
                              struct problems *problems) MUST_CHECK;

#endif
