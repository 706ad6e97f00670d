/* Our own format, written by hand or exported by a script; parsed leniently, so that no
 * member is missed. */
#include "lists/members.h"

#include <string.h>
#include <strings.h>

#include "lists/alias_values.h"
#include "lists/lines.h"
#include "policy/address.h"

/* Length of a line without its comment. */
static size_t without_comment(const struct line *line)
{
    for (size_t i = 0; i < line->length; i++) {
        if (line->text[i] == '#' && (i == 0 || lines_is_blank(line->text[i - 1])))
            return i;
    }
    return line->length;
}

struct members_reader {
    struct member_list *members;
    const char *path;
    struct problems *problems;
    bool begun;
    bool columns; /* below a heading of several columns only addresses count */
};

static bool has_address(const struct line *line)
{
    return memchr(line->text, '@', without_comment(line)) != NULL;
}

/* True when a word of the line is, or begins with, a usual heading of addresses:
 * "E-Mail". */
static bool names_addresses(const struct line *line)
{
    static const struct {
        const char *word;
        bool begins;
    } words[] = {{"email", true},   {"e-mail", true},   {"e_mail", true},
                 {"mail", false},   {"address", false}, {"addresses", false},
                 {"correo", false}, {"courriel", false}};
    static const char gaps[] = " \t,;\"'|";
    const char *end = line->text + without_comment(line);
    for (const char *c = line->text; c < end;) {
        const char *word = c;
        while (c < end && strchr(gaps, *c) == NULL)
            c++;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            size_t length = strlen(words[i].word);
            size_t found = (size_t)(c - word);
            if ((words[i].begins ? found >= length : found == length) &&
                strncasecmp(words[i].word, word, length) == 0)
                return true;
        }
        c += c < end;
    }
    return false;
}

/* What stands above the addresses in a table that was saved as text: the first line, when
 * it holds no address and the next one does. */
static bool is_heading(const struct line *line, struct lines below)
{
    struct line next;
    if (has_address(line) || !names_addresses(line))
        return false;
    while (lines_next(&below, &next)) {
        if (without_comment(&next) > 0)
            return has_address(&next);
    }
    return false;
}

static void skip_heading(struct members_reader *reader, const struct line *line)
{
    reader->columns = false;
    for (size_t i = 0; i < line->length; i++)
        reader->columns |= strchr(",;\t|", line->text[i]) != NULL;
    problems_warning(reader->problems, reader->path, line->number,
                     "looks like a heading and is skipped%s",
                     reader->columns ? "; below it only fields with an '@' count" : "");
}

/* An address in quotes as a whole, as tables write it. */
static void unquote(struct alias_value *value)
{
    if (value->length < 2 || value->text[0] != '"' ||
        value->text[value->length - 1] != '"' ||
        memchr(value->text, '@', value->length) == NULL)
        return;
    value->text++;
    value->length -= 2;
}

/* Which of several values in one text count. */
static void add_values(struct members_reader *reader, const char *text, size_t length,
                       int line, bool only_addresses)
{
    struct alias_values values = alias_values_of(text, length);
    struct alias_value value;
    while (alias_values_next(&values, &value)) {
        enum member_kind kind = MEMBER_ADDRESS;
        if (only_addresses && memchr(value.text, '@', value.length) == NULL)
            continue;
        if (value.kind != ALIAS_VALUE_ADDRESS) {
            problems_error(reader->problems, reader->path, line,
                           "a member of %zu byte%s is not an address", value.length,
                           value.length == 1 ? "" : "s");
            kind = MEMBER_OPAQUE;
        }
        unquote(&value);
        member_list_add(reader->members, kind, value.text, value.length, line);
    }
}

void members_add(struct member_list *members, const char *text, size_t length,
                 const char *path, int line, struct problems *problems)
{
    struct members_reader reader = {
        .members = members, .path = path, .problems = problems};
    add_values(&reader, text, length, line, false);
}

void members_skip_plain(struct file *file)
{
    struct lines lines = lines_of(file->data, file->length);
    struct line line;
    while (lines_next(&lines, &line) && line.text[line.length] == '\n' &&
           address_make_plain(line.text, line.length)) {
        line.text[line.length] = '\0';
        file->plain_length = (size_t)(lines.next - file->data);
        file->plain_lines = line.number;
    }
}

/* The plain addresses at the front of the file: they are the list, in the file's memory,
 * when that is all it holds. */
static void take_plain(struct file *file, struct member_list *out)
{
    size_t length = file->plain_length;
    if (length == file->length && length > 0 && out->text.length == 0) {
        member_list_adopt(out, file->data, length, (size_t)file->plain_lines);
        *file = (struct file){0};
        return;
    }
    text_add(&out->text, file->data, length);
    out->count += (size_t)file->plain_lines;
    out->line += file->plain_lines;
}

void members_add_file(struct member_list *members, struct file *file, const char *path,
                      struct problems *problems)
{
    if (file->plain_length == 0)
        members_skip_plain(file);
    struct members_reader reader = {.members = members,
                                    .path = path,
                                    .problems = problems,
                                    .begun = file->plain_lines > 0};
    struct lines lines = lines_after_plain(file);
    struct line line;
    take_plain(file, members);
    while (lines_next(&lines, &line)) {
        size_t length = without_comment(&line);
        if (address_make_plain(line.text, line.length))
            member_list_add(members, MEMBER_PLAIN, line.text, line.length, line.number);
        else if (!reader.begun && is_heading(&line, lines))
            skip_heading(&reader, &line);
        else
            add_values(&reader, line.text, length, line.number,
                       reader.columns && has_address(&line));
        reader.begun = reader.begun || length > 0;
    }
}

enum status members_read(struct file *file, const char *path, struct entries *entries,
                         struct problems *problems)
{
    struct entry *entry;
    enum status status = entries_open(entries, "", 0, &entry);
    if (status != STATUS_OK)
        return status;
    members_add_file(&entry->members, file, path, problems);
    entry->line = 1;
    entry->always_list = true;
    return entries_settle(entries, entry);
}
