/* A member file: one address a line, # comments. */
#ifndef LISTS_MEMBERS_H
#define LISTS_MEMBERS_H

#include "base/problems.h"
#include "base/status.h"
#include "lists/entries.h"
#include "lists/file.h"

/* Lower-cases the lines at the front that are plain addresses, ends each with a NUL, and
 * says in file how many they are: no other check needs to look at them. */
void members_skip_plain(struct file *file);

/* Adds the members of a file's text, whose memory it may take over. A '#' first in a
 * line, or after white space, starts a comment. Several addresses in a line all count.
 * Includes, programs and files have no meaning here: an error in problems each, and a
 * member that isn't an address. members->text.failed says that memory ran out. */
void members_add_file(struct member_list *members, struct file *file, const char *path,
                      struct problems *problems);

/* Adds what one text of a line says, likewise; without comments. */
void members_add(struct member_list *members, const char *text, size_t length,
                 const char *path, int line, struct problems *problems);

/* Reads a member file into the one entry "" of entries (zero-initialised). NOMEM, or
 * LIMIT past a cap. */
enum status members_read(struct file *file, const char *path, struct entries *entries,
                         struct problems *problems) MUST_CHECK;

#endif
