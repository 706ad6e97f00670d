/* Reads one source of lists, of whatever kind. */
#ifndef LISTS_SOURCE_H
#define LISTS_SOURCE_H

#include <stdint.h>

#include "base/problems.h"
#include "base/secret.h"
#include "base/status.h"
#include "conf/settings.h"
#include "lists/entries.h"

/* How a read went. Zero-initialise; clear when done. */
struct source_read {
    enum status status;       /* OK: entries are all that the source has */
    struct entries entries;   /* empty unless OK */
    struct problems problems; /* errors and warnings in what was read */
    struct error error;       /* why it is not OK, in words an administrator can act on */
    char summary[300]; /* of a server, for check: which answered, how much, in how long */
    int64_t at_ms;     /* wall time when it ended; 0: never read */
};

/* Reads the source into read, which is zero-initialised. Takes at most the source's
 * timeout. Keeps no state: any thread may call it. */
void source_read(const struct list_source *source, struct source_read *read);
void source_read_clear(struct source_read *read);

/* The password in the source's password_file, "" if it has none; read each time, since
 * passwords change. IO, with the reason in read->error; a file that anybody can read is a
 * warning. */
enum status source_password(const struct list_source *source, struct source_read *read,
                            char out[SECRET_SIZE]) MUST_CHECK;

/* Warns of a file with a password that anybody can read. */
void source_check_secret(const char *path, struct source_read *read);

/* Where the bare names of the source answer: its domains, else the own ones. */
const struct domains *source_domains(const struct settings *settings,
                                     const struct list_source *source);

/* The file of the configuration in which the source is. */
const char *source_file(const struct settings *settings,
                        const struct list_source *source);

#endif
