/* Braces nest in main.cf, and what is in them is one item. */
#include "cli/words.h"

#include <stdio.h>
#include <string.h>

static const char separators[] = ", \t\r\n";

struct words words_of(const char *list)
{
    return (struct words){.at = list};
}

const char *words_next(struct words *words)
{
    const char *from = words->at + strspn(words->at, separators);
    const char *to = from;
    int depth = 0;
    while (*to != '\0' && (depth > 0 || strchr(separators, *to) == NULL)) {
        depth += (*to == '{') - (*to == '}');
        to++;
    }
    words->at = to;
    (void)snprintf(words->item, sizeof words->item, "%.*s", (int)(to - from), from);
    return to > from ? words->item : NULL;
}

void words_first(const char *item, char *out, size_t size)
{
    size_t used = 0;
    int depth = 0; /* of the word's own braces: "${1}@a" is whole */
    while (*item != '\0' && (*item == '{' || strchr(separators, *item) != NULL))
        item++;
    for (; strchr(separators, *item) == NULL && (*item != '}' || depth > 0); item++) {
        depth += (*item == '{') - (*item == '}');
        if (used + 1 < size)
            out[used++] = *item;
    }
    out[used] = '\0';
}
