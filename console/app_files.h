/* The page: the files of one folder, read once, at the start. What is served is in
 * memory, so no request can name another file. */
#ifndef CONSOLE_APP_FILES_H
#define CONSOLE_APP_FILES_H

#include <stddef.h>

#include "base/status.h"

enum {
    APP_FILES_MAX = 64,
    APP_FILE_BYTES_MAX = 1024 * 1024, /* of one file */
    APP_FILES_ETAG_SIZE = 35,         /* with its quotes and the NUL */
};

struct app_file {
    char *name; /* owned */
    char *data; /* owned */
    size_t length;
    char *packed; /* the same in gzip, owned */
    size_t packed_length;
    const char *type;               /* Content-Type */
    char etag[APP_FILES_ETAG_SIZE]; /* changes with the content */
};

struct app_files;

/* Reads the files of a folder whose names end in a suffix of the web: .html, .css, .js,
 * .svg. IO when it, or one of them, can't be read; LIMIT past a cap; NOT_FOUND without an
 * index.html. digest_init comes first. */
enum status app_files_load(const char *folder, struct app_files **out,
                           struct error *error) MUST_CHECK;
void app_files_free(struct app_files *files);

/* The file of a request's path ("/": index.html), borrowed; NULL when there is none. */
const struct app_file *app_files_find(const struct app_files *files, const char *path);

#endif
