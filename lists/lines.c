/* Splitting in place: a logical line is one stretch of the text, comments wiped out. */
#include "lists/lines.h"

#include <string.h>

struct lines lines_of(char *text, size_t length)
{
    return (struct lines){.next = text, .end = text + length};
}

struct lines lines_after_plain(const struct file *file)
{
    return (struct lines){.next = file->data + file->plain_length,
                          .end = file->data + file->length,
                          .number = file->plain_lines};
}

bool lines_next(struct lines *lines, struct line *out)
{
    if (lines->next == lines->end)
        return false;
    char *text = lines->next;
    char *newline = memchr(text, '\n', (size_t)(lines->end - text));
    char *end = newline == NULL ? lines->end : newline;
    lines->next = newline == NULL ? lines->end : newline + 1;
    lines->number++;
    if (end > text && end[-1] == '\r')
        end--;
    *out = (struct line){
        .text = text, .length = (size_t)(end - text), .number = lines->number};
    return true;
}

/* Blank, or a comment. */
static bool is_nothing(const struct line *line)
{
    const char *end = line->text + line->length;
    const char *c = line->text;
    while (c < end && lines_is_blank(*c))
        c++;
    return c == end || *c == '#';
}

bool lines_next_logical(struct lines *lines, struct line *out)
{
    struct line first, more;
    do {
        if (!lines_next(lines, &first))
            return false;
    } while (is_nothing(&first));

    char *end = first.text + first.length;
    struct lines ahead = *lines;
    while (lines_next(&ahead, &more)) {
        if (is_nothing(&more))
            memset(more.text, ' ', more.length);
        else if (lines_is_blank(more.text[0]))
            end = more.text + more.length;
        else
            break;
        *lines = ahead;
    }
    *out = first;
    out->length = (size_t)(end - first.text);
    out->orphan = lines_is_blank(first.text[0]);
    return true;
}
