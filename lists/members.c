/* Our own format, made by hand or by a script that knows the roll; read leniently, so
 * that nobody on it is missed. */
#include "lists/members.h"

#include "lists/lines.h"
#include "lists/values.h"

/* Length of a line without its comment. */
static size_t without_comment(const struct line *line)
{
    for (size_t i = 0; i < line->length; i++) {
        if (line->text[i] == '#' && (i == 0 || lines_is_blank(line->text[i - 1])))
            return i;
    }
    return line->length;
}

static void add_line(struct roster *members, const struct line *line, const char *path,
                     struct problems *problems)
{
    struct values values = values_of(line->text, without_comment(line));
    struct value value;
    while (values_next(&values, &value)) {
        enum member_kind kind = MEMBER_ADDRESS;
        if (value.kind != VALUE_ADDRESS) {
            problems_error(problems, path, line->number, "is no address");
            kind = MEMBER_OPAQUE;
        }
        roster_add(members, kind, value.text, value.length, line->number);
    }
}

enum status members_read(struct file *file, const char *path, struct entries *entries,
                         struct problems *problems)
{
    struct entry *entry;
    enum status status = entries_open(entries, "", 0, &entry);
    if (status != STATUS_OK)
        return status;
    struct lines lines = lines_of(file->data, file->length);
    struct line line;
    while (lines_next(&lines, &line))
        add_line(&entry->members, &line, path, problems);
    entry->line = 1;
    entry->always_list = true;
    return entries_settle(entries, entry);
}
