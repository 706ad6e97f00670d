/* The right-hand side of aliases(5) and virtual(5), and the lines of :include: files. */
#ifndef LISTS_ALIAS_VALUES_H
#define LISTS_ALIAS_VALUES_H

#include <stdbool.h>
#include <stddef.h>

enum alias_value_kind {
    ALIAS_VALUE_ADDRESS, /* as written, for address_parse */
    ALIAS_VALUE_OPAQUE,  /* |program, /file or ~/file, with its first character */
    ALIAS_VALUE_INCLUDE, /* the path of an :include: */
};

struct alias_value {
    enum alias_value_kind kind;
    const char *text; /* borrowed, not terminated */
    size_t length;
};

/* An iterator over borrowed text. */
struct alias_values {
    const char *next;
    const char *end;
    const char *phrase_free; /* up to here no '<' follows before a comma */
    const char *last_angle;  /* last '>' in the text, NULL: none */
    const char *last_group;  /* last ';' in the text, NULL: none */
};

struct alias_values alias_values_of(const char *text, size_t length);

/* The next value. Where Postfix's local(8) sees several recipients, so do we: values are
 * divided by commas, by the ends of groups and <...>, and by mere white space between
 * words. False at the end. Linear time in all. */
bool alias_values_next(struct alias_values *values, struct alias_value *out);

#endif
