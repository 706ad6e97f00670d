/* The name ends at the first colon outside quotes, as postalias(1) has it. */
#include "lists/aliases.h"

#include "lists/lookup_table.h"

static const char *split(const struct line *line, struct lookup_table_pair *out)
{
    const char *end = line->text + line->length;
    const char *c = line->text;
    bool quoted = false;
    int comments = 0; /* they nest */
    for (; c < end && (quoted || comments > 0 || *c != ':'); c++) {
        if (*c == '\\' && c + 1 < end)
            c++;
        else if (*c == '"' && comments == 0)
            quoted = !quoted;
        else if (!quoted && *c == '(')
            comments++;
        else if (!quoted && *c == ')' && comments > 0)
            comments--;
        else if (!quoted && *c == ',' && comments == 0)
            return "more than one name before the colon";
    }
    if (c >= end)
        return quoted || comments > 0 ? "a quote or comment without end"
                                      : "expected \"name: value\"";
    const char *key_end = c;
    while (key_end > line->text && lines_is_blank(key_end[-1]))
        key_end--;
    if (key_end == line->text)
        return "no name before the colon";
    *out = (struct lookup_table_pair){
        .key = line->text, .key_length = (size_t)(key_end - line->text), .value = c + 1};
    return NULL;
}

enum status aliases_read(struct file *file, const char *path, struct entries *entries,
                         struct problems *problems)
{
    static const struct lookup_table_format format = {.split = split};
    return lookup_table_read(&format, file, path, entries, problems);
}
