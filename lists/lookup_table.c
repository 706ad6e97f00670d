/* One pass over the logical lines; the formats differ in where the key ends. */
#include "lists/lookup_table.h"

#include "lists/alias_values.h"
#include "lists/lines.h"
#include "lists/targets.h"
#include "policy/address.h"

/* A logical line divided, borrowed from it. */
struct pair {
    const char *key;
    size_t key_length;
    const char *value;
};

struct format {
    /* Divides a line; returns NULL, or what is wrong with it. */
    const char *(*split)(const struct line *line, struct pair *out);
    bool keeps_user; /* "@domain" as a value means the key's user there */
};

struct lookup_table_reader {
    const struct format *format;
    const char *path;
    struct entries *entries;
    struct problems *problems;
};

static bool has_value(const char *text, size_t length)
{
    struct alias_values values = alias_values_of(text, length);
    struct alias_value value;
    return alias_values_next(&values, &value);
}

static int line_of(const struct line *line, const char *at)
{
    int number = line->number;
    for (const char *c = line->text; c < at; c++)
        number += *c == '\n';
    return number;
}

/* The local part of a key, as a string; "" for "@domain". */
static void user_of(const struct pair *pair, struct address *out)
{
    if (address_parse(pair->key, pair->key_length, out) != STATUS_OK)
        *out = (struct address){0};
    out->text[out->at] = '\0';
}

static enum status add_pair(struct lookup_table_reader *reader, const struct line *line,
                            const struct pair *pair)
{
    struct entry *entry;
    struct address user;
    enum status status =
        entries_open(reader->entries, pair->key, pair->key_length, &entry);
    if (status == STATUS_INVALID) {
        problems_error(reader->problems, reader->path, line->number,
                       "a name of %zu byte%s is not an address", pair->key_length,
                       pair->key_length == 1 ? "" : "s");
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    if (entry->line != 0)
        problems_warning(reader->problems, reader->path, line->number,
                         "the same name as on line %d: their members are combined",
                         entry->line);
    else
        entry->line = line->number;

    user_of(pair, &user);
    bool keeps_user = reader->format->keeps_user && user.text[0] != '\0';
    struct targets_place place = {.path = reader->path,
                                  .line = line_of(line, pair->value),
                                  .user = keeps_user ? user.text : NULL};
    size_t length = line->length - (size_t)(pair->value - line->text);
    status = targets_add(&place, pair->value, length, entry, reader->problems);
    if (status == STATUS_OK)
        status = entries_settle(reader->entries, entry);
    return status;
}

static enum status read_line(struct lookup_table_reader *reader, const struct line *line)
{
    struct pair pair = {0};
    const char *wrong = line->orphan ? "white space in front continues no line"
                                     : reader->format->split(line, &pair);
    if (wrong == NULL &&
        !has_value(pair.value, line->length - (size_t)(pair.value - line->text)))
        wrong = "has no value";
    if (wrong != NULL) {
        problems_error(reader->problems, reader->path, line->number, "%s", wrong);
        return STATUS_OK;
    }
    return add_pair(reader, line, &pair);
}

static enum status read_table(const struct format *format, struct file *file,
                              const char *path, struct entries *entries,
                              struct problems *problems)
{
    struct lookup_table_reader reader = {
        .format = format, .path = path, .entries = entries, .problems = problems};
    struct lines lines = lines_of(file->data, file->length);
    struct line line;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && lines_next_logical(&lines, &line))
        status = read_line(&reader, &line);
    return status;
}

/* The name ends at the first colon outside quotes, as postalias(1) has it. */
static const char *split_alias(const struct line *line, struct pair *out)
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
    *out = (struct pair){
        .key = line->text, .key_length = (size_t)(key_end - line->text), .value = c + 1};
    return NULL;
}

enum status lookup_table_read_aliases(struct file *file, const char *path,
                                      struct entries *entries, struct problems *problems)
{
    static const struct format format = {.split = split_alias};
    return read_table(&format, file, path, entries, problems);
}

/* The key ends at the first white space outside quotes, as postmap(1) has it. */
static const char *split_virtual(const struct line *line, struct pair *out)
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
    *out = (struct pair){
        .key = line->text, .key_length = (size_t)(c - line->text), .value = c};
    return NULL;
}

enum status lookup_table_read_virtual(struct file *file, const char *path,
                                      struct entries *entries, struct problems *problems)
{
    static const struct format format = {.split = split_virtual, .keeps_user = true};
    return read_table(&format, file, path, entries, problems);
}
