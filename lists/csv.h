/* A table in text as RFC 4180 has it, and as spreadsheets save it: with commas,
 * semicolons or tabs, and any line ends. */
#ifndef LISTS_CSV_H
#define LISTS_CSV_H

#include "base/problems.h"
#include "base/status.h"
#include "lists/file.h"
#include "lists/member_list.h"

/* Adds the addresses of a column to members; changes the file's text. The column is named
 * in the first row, or in one of the next few when a title stands above, in upper or
 * lower case. A row without an address there is nobody. A row that ends before the
 * column, and what is not an address, is an error in problems and a member that isn't an
 * address. INVALID, with path and line in error, when no row names the column or quotes
 * are wrong: then members is of no use. members->text.failed says that memory ran out. */
enum status csv_read(struct file *file, const char *path, const char *column,
                     struct member_list *members, struct problems *problems,
                     struct error *error) MUST_CHECK;

#endif
