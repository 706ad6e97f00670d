/* Fields are found without changing the text, so that a row can be tried with several
 * separators; only the addresses' quotes are undone, in place. A quote that is out of
 * place may hide rows, so the whole table is refused. */
#include "lists/csv.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "lists/lines.h"
#include "lists/members.h"

enum { HEADER_ROWS = 5 }; /* the column's name is in one of these */

/* An iterator over borrowed text. */
struct csv {
    char *next; /* NULL: the end */
    char *end;
    char separator;
    int line; /* of next */
};

/* Without the quotes around it, but with those inside doubled, if it has any. */
struct csv_field {
    char *text;
    size_t length;
    bool quoted;
    bool ends_row;
    bool broken; /* its quotes don't end, or something follows them */
};

static void trim(struct csv_field *field)
{
    while (field->length > 0 && lines_is_blank(*field->text)) {
        field->text++;
        field->length--;
    }
    while (field->length > 0 && lines_is_blank(field->text[field->length - 1]))
        field->length--;
}

static bool is_line_end(const struct csv *csv, const char *at)
{
    return at == csv->end || *at == '\n' || *at == '\r';
}

/* Past closing quotes; NULL when there are none. */
static char *skip_quoted(struct csv *csv, char *at)
{
    for (at++; at < csv->end; at++) {
        csv->line += *at == '\n' || (*at == '\r' && at[1] != '\n');
        if (*at == '"' && at[1] != '"')
            return at + 1;
        at += *at == '"';
    }
    return NULL;
}

/* Goes on behind the separator or line end at a place. */
static void pass(struct csv *csv, char *at, struct csv_field *field)
{
    field->ends_row = is_line_end(csv, at);
    if (field->ends_row && at < csv->end) {
        at += *at == '\r' && at + 1 < csv->end && at[1] == '\n';
        csv->line++;
    }
    csv->next = at + 1 >= csv->end && field->ends_row ? NULL : at + 1;
}

/* False at the end. The text ends with a NUL, which is no quote. */
static bool next_field(struct csv *csv, struct csv_field *out)
{
    if (csv->next == NULL)
        return false;
    char *begin = csv->next;
    while (begin < csv->end && (*begin == ' ' || *begin == '\t') &&
           *begin != csv->separator)
        begin++;
    struct csv_field field = {.text = begin, .quoted = *begin == '"'};
    char *at = begin;
    if (field.quoted)
        at = skip_quoted(csv, begin);
    field.broken = at == NULL;
    if (at == NULL)
        at = csv->end;
    char *close = at;
    while (!is_line_end(csv, at) && *at != csv->separator)
        at++;
    field.length = (size_t)(at - begin);
    pass(csv, at, &field);
    trim(&field);
    if (field.quoted && !field.broken) {
        field.broken = field.text + field.length != close;
        field.text++;
        field.length = (size_t)(close - field.text) - 1;
        trim(&field);
    }
    *out = field;
    return true;
}

static void undouble(struct csv_field *field)
{
    size_t length = 0;
    for (size_t i = 0; field->quoted && i < field->length; i++) {
        field->text[length++] = field->text[i];
        i += field->text[i] == '"';
    }
    if (field->quoted)
        field->length = length;
}

struct csv_reader {
    struct csv csv;
    size_t column; /* its number */
    const char *path;
    struct member_list *members;
    struct problems *problems;
};

/* ---- the header ---- */

/* Whether the next row, which is read, has the column. */
static bool has_column(struct csv *csv, const char *column, size_t *out_column)
{
    struct csv_field field;
    bool found = false;
    for (size_t i = 0; next_field(csv, &field); i++) {
        if (!found && field.length == strlen(column) &&
            strncasecmp(field.text, column, field.length) == 0) {
            *out_column = i;
            found = true;
        }
        if (field.ends_row)
            break;
    }
    return found;
}

/* Finds the row that names the column, and by which separator. */
static bool find_header(struct csv_reader *reader, const char *column)
{
    static const char separators[] = ",;\t";
    struct csv rest = reader->csv;
    for (int row = 0; row < HEADER_ROWS && rest.next != NULL; row++) {
        struct csv tried = rest;
        for (size_t i = 0; separators[i] != '\0'; i++) {
            tried = rest;
            tried.separator = separators[i];
            if (has_column(&tried, column, &reader->column)) {
                reader->csv = tried;
                return true;
            }
        }
        rest = tried;
    }
    return false;
}

/* ---- the rows ---- */

/* Whoever a short row means is somebody else than the one of any other. */
static void add_unknown(struct csv_reader *reader, int line)
{
    struct text name = {0};
    text_printf(&name, "%s:%d", reader->path, line);
    problems_error(reader->problems, reader->path, line,
                   "the row ends before the column of addresses");
    reader->members->text.failed |= name.failed;
    member_list_add(reader->members, MEMBER_OPAQUE, text_string(&name), name.length,
                    line);
    text_clear(&name);
}

/* Reads a row; false when its quotes are wrong. */
static bool read_row(struct csv_reader *reader)
{
    struct csv *csv = &reader->csv;
    struct csv_field field, wanted = {0};
    bool blank = true;
    int line = csv->line;
    for (size_t i = 0; next_field(csv, &field); i++) {
        if (field.broken) {
            csv->line = line;
            return false;
        }
        blank = blank && field.length == 0;
        if (i == reader->column)
            wanted = field;
        if (field.ends_row)
            break;
    }
    if (wanted.text != NULL) {
        undouble(&wanted);
        members_add(reader->members, wanted.text, wanted.length, reader->path, line,
                    reader->problems);
    } else if (!blank) {
        add_unknown(reader, line);
    }
    return true;
}

enum status csv_read(struct file *file, const char *path, const char *column,
                     struct member_list *members, struct problems *problems,
                     struct error *error)
{
    struct csv_reader reader = {
        .csv = {.next = file->data, .end = file->data + file->length, .line = 1},
        .path = path,
        .members = members,
        .problems = problems};
    if (!find_header(&reader, column))
        return error_set_at(error, STATUS_INVALID, path, 1,
                            "no column is called \"%.100s\"", column);
    while (reader.csv.next != NULL) {
        if (!read_row(&reader))
            return error_set_at(error, STATUS_INVALID, path, reader.csv.line,
                                "the quotes of the row that begins here are wrong");
    }
    return STATUS_OK;
}
