/* Documents as text: their fields, and lines of "name  text", at most 100 columns wide
 * and safe for a terminal. */
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text_table.h"

/* Texts, numbers and flags of a document; "" and 0 when there is none of that name. */
const char *page_text(const json_t *object, const char *name);
long long page_number(const json_t *object, const char *name);

/* A line "name  text" on a page, wrapped where it is too long. */
void page_field(const char *name, const char *text);

/* The same for a readable text (base/readable.h) of many lines: as it is where the locale
 * is UTF-8, else escaped. */
void page_readable(const char *name, const char *text);

/* The same for an instant of the API, as local time. */
void page_instant(const char *name, const char *instant);

/* Strings of an array, one a line, behind a name. */
void page_strings(const char *name, const json_t *array, long long count);

/* The settings that need a restart, and the command; prints nothing for an empty array.
 */
void page_restart(const json_t *names);

/* "1 message", "2 messages" */
const char *page_plural(long long number, const char *one, const char *many);

/* True for a hold or an incident whose reach is known: what a brake pulled back was never
 * counted. */
bool page_knows_reach(const json_t *record);

/* Adds a cell: value is the column's field of an item, or the item if it names none. */
typedef void page_cell(struct text_table *table, const json_t *value);
page_cell page_cell_instant;  /* an instant of the API, as local time */
page_cell page_cell_reach;    /* "?" when it is not known */
page_cell page_cell_approved; /* of a hold or an incident: who released it before the
                                 second one */
page_cell page_cell_lists;    /* of a hold: its lists, "(rebuilt)" when not known */

struct page_column {
    const char *head;
    enum text_table_kind kind;
    const char *field;
    page_cell *add; /* NULL: the field's text, or its number */
};

/* A table with a row for each item of an array; without items the text none instead. */
void page_table(const json_t *array, const char *none, const struct page_column *columns,
                size_t count);

/* The same for at most limit items, indented by indent blanks. */
void page_rows(const json_t *array, size_t limit, size_t indent,
               const struct page_column *columns, size_t count);

#endif
