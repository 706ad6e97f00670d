/* The members of one list as written, packed into one stretch of memory: a kind, the
 * text, a NUL; where a member does not stand on the line after the one before it, a
 * record of its file or line precedes it. */
#ifndef LISTS_ROSTER_H
#define LISTS_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

enum member_kind {
    MEMBER_ADDRESS = 'a',
    MEMBER_OPAQUE = 'o', /* a program, a file, a line that is no address */
};

/* Zero-initialise; clear when done. text.failed says that memory ran out. */
struct roster {
    struct text text;
    size_t count;
    int line;
};

/* Members added next stand in this file; at first they stand in the source itself. */
void roster_enter_file(struct roster *roster, const char *path);

/* data holds no NUL. */
void roster_add(struct roster *roster, enum member_kind kind, const char *data,
                size_t length, int line);

/* Takes packed data that was kept elsewhere (copied). INVALID when it is none. */
enum status roster_unpack(struct roster *roster, const char *data,
                          size_t length) MUST_CHECK;

/* Gives back memory kept for more members. */
void roster_trim(struct roster *roster);
void roster_clear(struct roster *roster);

struct member {
    enum member_kind kind;
    const char *text; /* NUL-terminated, borrowed */
    size_t length;
};

/* file is NULL while the members stand in the source itself. */
struct roster_reader {
    const char *next;
    const char *end;
    const char *file;
    int line; /* of the member last returned */
};

struct roster_reader roster_read(const struct roster *roster);
bool roster_next(struct roster_reader *reader, struct member *out);

#endif
