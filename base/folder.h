/* The folders of sockets and of the state: whether they are there, and what makes them.
 */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* False only when there surely is no folder for this file. */
bool folder_exists(const char *file);

/* For a message about a file whose folder is missing: "there is no folder for FILE;
 * COMMAND makes it", cut to size. owners: whose it is to be, as chown(8) takes it. */
void folder_explain(const char *file, const char *owners, char *out, size_t size);

#endif
