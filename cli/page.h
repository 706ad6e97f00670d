/* Documents as text: their fields, and lines of "name  text", at most 100 columns wide
 * and safe for a terminal. */
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include <jansson.h>
#include <stddef.h>

#include "base/text_table.h"

/* Texts, numbers and flags of a document; "" and 0 when there is none of that name. */
const char *page_text(const json_t *object, const char *name);
long long page_number(const json_t *object, const char *name);

/* A line "name  text" on a page, wrapped where it is too long. */
void page_field(const char *name, const char *text);

/* The same for an instant of the API, as local time. */
void page_instant(const char *name, const char *instant);

/* Strings of an array, one a line, behind a name. */
void page_strings(const char *name, const json_t *array, long long count);

/* The settings that need a restart, and the command; prints nothing for an empty array.
 */
void page_restart(const json_t *names);

/* "1 message", "2 messages" */
const char *page_plural(long long number, const char *one, const char *many);

/* A table with a row for each item of an array, filled by add; without items the text
 * none instead. */
void page_table(const json_t *array, const char *none,
                const struct text_table_column *columns, size_t count,
                void (*add)(struct text_table *table, const json_t *item));

#endif
