/* The members of one list as written, packed into one stretch of memory: a kind (plain
 * addresses have none), the text, a NUL; where a member does not stand on the line after
 * the one before it, a record of its file or line precedes it. */
#ifndef LISTS_MEMBER_LIST_H
#define LISTS_MEMBER_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/shared_text.h"
#include "base/status.h"
#include "base/text.h"

enum member_kind {
    MEMBER_PLAIN, /* an address that address_is_plain */
    MEMBER_ADDRESS = 'A',
    MEMBER_OPAQUE = 'O', /* a program, a file, a line that isn't an address */
};

/* Zero-initialise; clear when done. text.failed says that memory ran out. */
struct member_list {
    struct text text;
    size_t count;
    int line;
    struct shared_text *shared; /* what owns the text instead, or NULL */
};

/* Members added next are in this file; at first they are in the source itself. */
void member_list_enter_file(struct member_list *list, const char *path);

/* The file that was entered before the first member, borrowed; NULL when none was. */
const char *member_list_file(const struct member_list *list);

/* data holds no NUL. An address that is plain becomes so. */
void member_list_add(struct member_list *list, enum member_kind kind, const char *data,
                     size_t length, int line);

/* Takes over a buffer of malloc(3) as an empty list's: count plain addresses, each with a
 * NUL after it, and one more NUL; length is without that one. */
void member_list_adopt(struct member_list *list, char *plain, size_t length,
                       size_t count);

/* Takes packed data that was kept elsewhere (copied). INVALID when it isn't one. */
enum status member_list_unpack(struct member_list *list, const char *data,
                               size_t length) MUST_CHECK;

/* A reference for the caller to the text, which changes no more: then members read from
 * the list outlive it. NULL when out of memory. */
struct shared_text *member_list_share(struct member_list *list);

/* Makes list, which is empty, one of the members of from, which change no more. NOMEM. */
enum status member_list_lend(struct member_list *from,
                             struct member_list *list) MUST_CHECK;

/* Gives back memory kept for more members. */
void member_list_trim(struct member_list *list);
void member_list_clear(struct member_list *list);

struct member {
    enum member_kind kind;
    const char *text; /* NUL-terminated, borrowed */
    size_t length;
};

/* file is NULL while the members are in the source itself. */
struct member_list_reader {
    const char *next;
    const char *end;
    const char *file;
    int line; /* of the member last returned */
};

struct member_list_reader member_list_read(const struct member_list *list);
bool member_list_next(struct member_list_reader *reader, struct member *out);

#endif
