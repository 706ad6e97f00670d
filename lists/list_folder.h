/* A folder of lists: NAME.txt, one address a line, and NAME.csv, a table with a column of
 * addresses, hold the members of NAME. */
#ifndef LISTS_LIST_FOLDER_H
#define LISTS_LIST_FOLDER_H

#include "base/problems.h"
#include "base/status.h"
#include "lists/entries.h"

/* Reads all lists of a folder into entries (zero-initialised), each a local part as its
 * key, its members after a record of its file. A file that can't be read, or has no such
 * column, is an error in problems and a failed entry; a name that can't be a local part,
 * one given twice (then both count) and a file that is no list are reported. IO, with the
 * reason in error, when the folder can't be read or was replaced meanwhile; NOMEM, or
 * LIMIT past a cap. */
enum status list_folder_read(const char *path, const char *column,
                             struct entries *entries, struct problems *problems,
                             struct error *error) MUST_CHECK;

#endif
