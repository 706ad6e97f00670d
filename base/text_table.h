/* A table for people: as wide as it must be, at most TEXT_TABLE_WIDTH where it can be.
 * What comes from mail is escaped. What does not fit is cut with "..", keys never: they
 * are there to be typed. */
#ifndef BASE_TEXT_TABLE_H
#define BASE_TEXT_TABLE_H

#include <stddef.h>

enum { TEXT_TABLE_WIDTH = 100, TEXT_TABLE_COLUMNS_MAX = 10 };

enum text_table_kind {
    TEXT_TABLE_TEXT,   /* is cut */
    TEXT_TABLE_NUMBER, /* to the right, whole */
    TEXT_TABLE_KEY,    /* whole; where there is no room, the line is broken behind it, or
                    before    it when it is the last */
};

struct text_table_column {
    const char *head;
    enum text_table_kind kind;
};

struct text_table;

/* columns are borrowed. NULL without memory, which all others take for an empty one. */
struct text_table *text_table_new(const struct text_table_column *columns, size_t count);

/* Cells, from the left to the right, row by row. */
void text_table_add(struct text_table *table, const char *text);
void text_table_add_number(struct text_table *table, long long number);
void text_table_add_instant(struct text_table *table,
                            const char *instant); /* of the API; local time */

/* Prints head and rows, each line behind indent blanks, and frees it. */
void text_table_print(struct text_table *table, size_t indent);
void text_table_free(struct text_table *table);

#endif
