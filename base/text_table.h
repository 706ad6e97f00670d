/* A table for the terminal, at most TEXT_TABLE_WIDTH wide where possible. Cells are
 * escaped. Text that does not fit is cut with "..", but never keys, which people type. */
#ifndef BASE_TEXT_TABLE_H
#define BASE_TEXT_TABLE_H

#include <stddef.h>

enum { TEXT_TABLE_WIDTH = 100, TEXT_TABLE_COLUMNS_MAX = 10 };

enum text_table_kind {
    TEXT_TABLE_TEXT,   /* is cut */
    TEXT_TABLE_WHOLE,  /* a time, or another short text that says nothing when cut */
    TEXT_TABLE_NUMBER, /* to the right, whole */
    TEXT_TABLE_KEY, /* whole; if it doesn't fit, the line is broken after it, or before it
                       when it is last */
};

struct text_table_column {
    const char *head;
    enum text_table_kind kind;
};

struct text_table;

/* columns are borrowed. NULL when out of memory, which the functions below accept. */
struct text_table *text_table_new(const struct text_table_column *columns, size_t count);

/* Adds a cell: from left to right, row by row. */
void text_table_add(struct text_table *table, const char *text);
void text_table_add_number(struct text_table *table, long long number);
void text_table_add_instant(struct text_table *table,
                            const char *instant); /* of the API; local time */

/* Prints head and rows, indented by indent blanks, and frees the table. */
void text_table_print(struct text_table *table, size_t indent);
void text_table_free(struct text_table *table);

#endif
