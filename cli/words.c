/* Braces nest in main.cf, and what is in them is one item. */
#include "cli/words.h"

#include <string.h>

static const char separators[] = ", \t\r\n";

struct words words_of(const char *list)
{
    return (struct words){list};
}

bool words_next(struct words *words, const char **out, size_t *out_length)
{
    const char *from = words->at + strspn(words->at, separators);
    const char *to = from;
    int depth = 0;
    while (*to != '\0' && (depth > 0 || strchr(separators, *to) == NULL)) {
        depth += (*to == '{') - (*to == '}');
        to++;
    }
    words->at = to;
    *out = from;
    *out_length = (size_t)(to - from);
    return to > from;
}

void words_first(const char *item, size_t length, char *out, size_t size)
{
    const char *end = item + length;
    size_t used = 0;
    int depth = 0; /* of the word's own braces: "${1}@a" is whole */
    while (item < end && (*item == '{' || strchr(separators, *item) != NULL))
        item++;
    for (; item < end && strchr(separators, *item) == NULL; item++) {
        if (*item == '}' && depth == 0)
            break;
        depth += (*item == '{') - (*item == '}');
        if (used + 1 < size)
            out[used++] = *item;
    }
    out[used] = '\0';
}
