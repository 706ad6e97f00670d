/* A Postfix lookup table as main.cf names it: its entries, where they can be read. */
#ifndef CLI_POSTMAP_H
#define CLI_POSTMAP_H

#include <stdbool.h>
#include <stddef.h>

struct postmap_entry {
    const char *key;   /* as written; NULL: matches everything */
    const char *value; /* on one line */
    bool pattern;      /* key is a regular expression, and value may name its parts */
};

/* Hands every entry of a table to take, those of tables in unionmap: and proxy: as well.
 * hash:, btree: and their like are read from the text beside them. False when some can't
 * be read: another type, or an unreadable file; *out_unknown is then that table, cut to
 * size. */
bool postmap_read(const char *table,
                  void (*take)(void *context, const struct postmap_entry *entry),
                  void *context, char *out_unknown, size_t size);

/* The text of a table that is looked up by key ("hash:/etc/aliases", also behind proxy:);
 * NULL when it is of another type. Borrowed. */
const char *postmap_text(const char *table);

/* Whether the compiled file, whose path goes to out, cut to size, is newer than its text.
 * POSTMAP_NONE: there is no such file, and Postfix itself complains. */
enum postmap_age { POSTMAP_NONE, POSTMAP_FRESH, POSTMAP_STALE, POSTMAP_WITHOUT_TEXT };

enum postmap_age postmap_age(const char *table, char *out, size_t size);

/* True when it names a table, as opposed to a domain, an address or a file. */
bool postmap_is_table(const char *word);

#endif
