/* The items of a list in main.cf. */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* The items of a list in main.cf: separated by blanks and commas, but not within { }. */
struct words {
    const char *at;
};

struct words words_of(const char *list);
bool words_next(struct words *words, const char **out, size_t *out_length);

/* The first word of an item, without braces: the socket in "{ unix:a, b=c }". Cut to
 * size. */
void words_first(const char *item, size_t length, char *out, size_t size);

#endif
