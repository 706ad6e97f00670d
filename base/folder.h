/* Folders of sockets and state files: whether they exist, and how to create them. */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* False only when the file's folder certainly does not exist. */
bool folder_exists(const char *file);

/* Writes "the folder of FILE does not exist; create it: COMMAND" to out, cut to size.
 * owners: USER or USER:GROUP of the folder. */
void folder_explain(const char *file, const char *owners, char *out, size_t size);

#endif
