/* A configuration's text, with the files that it includes, as a tree. */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "base/problems.h"
#include "base/status.h"
#include "conf/tree.h"

enum { LOAD_BYTES_MAX = 8 * 1024 * 1024 }; /* of one file */

/* INVALID when the text can't be understood (one error in problems): then *out is what
 * stands before the error, if anything. IO when it can't be read (one error), LIMIT past
 * a cap (one error), NOMEM (none): then *out is left alone. OK with a tree; numbers that
 * do not fit are errors in problems even so, and NODE_BROKEN in the tree. */
enum status load_tree(const char *path, struct tree *out,
                      struct problems *problems) MUST_CHECK;

#endif
