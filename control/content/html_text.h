/* The text of HTML, as somebody would read it. */
#ifndef CONTROL_HTML_TEXT_H
#define CONTROL_HTML_TEXT_H

#include "base/text.h"

/* Adds the text of html (valid UTF-8) until out has max bytes: no tags, comments, scripts
 * or styles; character references (numbers and the usual names) decoded; a new line for
 * each block. Linear time. */
void html_text_add(struct text *out, const char *html, size_t length, size_t max);

#endif
