/* The items of a list in main.cf. */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include <stddef.h>

enum { WORDS_ITEM_SIZE = 4200 };

struct words {
    const char *at;
    char item[WORDS_ITEM_SIZE];
};

/* Separated by blanks and commas, but not within { }. The list is borrowed. */
struct words words_of(const char *list);

/* The next item, cut to size, until the next call; NULL at the end. */
const char *words_next(struct words *words);

/* The first word of an item, without braces: the socket in "{ unix:a, b=c }". Cut to
 * size. */
void words_first(const char *item, char *out, size_t size);

#endif
