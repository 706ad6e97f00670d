/* The key ends at the first white space outside quotes, as postmap(1) has it. */
#include "lists/virtual.h"

#include "lists/lookup_table.h"

static const char *split(const struct line *line, struct lookup_table_pair *out)
{
    const char *end = line->text + line->length;
    const char *c = line->text;
    bool quoted = false;
    for (; c < end && (quoted || !lines_is_blank(*c)); c++) {
        if (*c == '"')
            quoted = !quoted;
        else if (*c == '\\' && c + 1 < end)
            c++;
    }
    if (c >= end)
        return quoted ? "a quote without end" : "expected a key, white space, a value";
    if (c[-1] == ':')
        return "a key with a colon: is this an alias file?";
    *out = (struct lookup_table_pair){
        .key = line->text, .key_length = (size_t)(c - line->text), .value = c};
    return NULL;
}

enum status virtual_read(struct file *file, const char *path, struct entries *entries,
                         struct problems *problems)
{
    static const struct lookup_table_format format = {.split = split, .keeps_user = true};
    return lookup_table_read(&format, file, path, entries, problems);
}
