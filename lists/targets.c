/* Includes are a queue: each file once for an entry, however many name it. Which file
 * named which is kept, so that a loop can be told from two ways to the same file. */
#include "lists/targets.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "lists/alias_values.h"
#include "lists/file.h"
#include "lists/lines.h"

struct include {
    char *path;
    size_t parent; /* NO_PARENT: the entry itself */
    int line;      /* where the parent names it */
    int depth;
};

#define NO_PARENT SIZE_MAX

/* One entry being filled. */
struct target_reader {
    const struct targets_place *place;
    struct entry *entry;
    struct problems *problems;
    struct include *includes;
    size_t include_count;
    size_t current; /* include whose text is read, NO_PARENT: the entry's */
};

static const char *path_of(const struct target_reader *reader, size_t include)
{
    return include == NO_PARENT ? reader->place->path : reader->includes[include].path;
}

static enum status fail_entry(struct target_reader *reader, int line, const char *why)
{
    reader->entry->failed = true;
    problems_error(reader->problems, path_of(reader, reader->current), line, "%s", why);
    return STATUS_OK;
}

/* A relative path is one from the source's folder. NULL when out of memory. */
static char *full_path(const struct target_reader *reader,
                       const struct alias_value *value)
{
    const char *source = reader->place->path;
    const char *slash = strrchr(source, '/');
    int folder = value->text[0] == '/' || slash == NULL ? 0 : (int)(slash - source + 1);
    char *path;
    if (asprintf(&path, "%.*s%.*s", folder, source, (int)value->length, value->text) < 0)
        return NULL;
    return path;
}

/* True when the path was named before; a warning when it is one that leads here. */
static bool is_known(struct target_reader *reader, const char *path, int line)
{
    for (size_t up = reader->current; up != NO_PARENT; up = reader->includes[up].parent) {
        if (strcmp(reader->includes[up].path, path) != 0)
            continue;
        problems_warning(reader->problems, path_of(reader, reader->current), line,
                         "include loop: %s includes itself", path);
        return true;
    }
    for (size_t i = 0; i < reader->include_count; i++) {
        if (strcmp(reader->includes[i].path, path) == 0)
            return true;
    }
    return false;
}

static enum status keep_include(struct target_reader *reader, char *path, int line)
{
    if (!array_reserve(&reader->includes, reader->include_count,
                       sizeof *reader->includes))
        return STATUS_NOMEM;
    size_t parent = reader->current;
    int depth = parent == NO_PARENT ? 1 : reader->includes[parent].depth + 1;
    reader->includes[reader->include_count++] =
        (struct include){.path = path, .parent = parent, .line = line, .depth = depth};
    return STATUS_OK;
}

static enum status add_include(struct target_reader *reader,
                               const struct alias_value *value, int line)
{
    reader->entry->always_list = true;
    if (value->length == 0)
        return fail_entry(reader, line, ":include: without a path");
    if (reader->include_count >= TARGETS_INCLUDES_MAX)
        return fail_entry(reader, line, "too many :include: files in one entry");
    if (reader->current != NO_PARENT &&
        reader->includes[reader->current].depth >= TARGETS_DEPTH_MAX)
        return fail_entry(reader, line, "too many :include: files within each other");
    char *path = full_path(reader, value);
    if (path == NULL)
        return STATUS_NOMEM;
    if (is_known(reader, path, line)) {
        free(path);
        return STATUS_OK;
    }
    enum status status = keep_include(reader, path, line);
    if (status != STATUS_OK)
        free(path);
    return status;
}

/* "@domain" under a key with a local part: that user there (virtual(5), RESULT ADDRESS
 * REWRITING). */
static enum status add_same_user(struct target_reader *reader,
                                 const struct alias_value *value, int line)
{
    char *text;
    int length =
        asprintf(&text, "%s%.*s", reader->place->user, (int)value->length, value->text);
    if (length < 0)
        return STATUS_NOMEM;
    member_list_add(&reader->entry->members, MEMBER_ADDRESS, text, (size_t)length, line);
    free(text);
    return STATUS_OK;
}

static enum status add_values(struct target_reader *reader, const char *text,
                              size_t length, int line)
{
    struct member_list *members = &reader->entry->members;
    struct alias_values values = alias_values_of(text, length);
    struct alias_value value;
    const char *counted = text;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && alias_values_next(&values, &value)) {
        for (; counted < value.text; counted++)
            line += *counted == '\n';
        if (value.kind == ALIAS_VALUE_INCLUDE)
            status = add_include(reader, &value, line);
        else if (value.text[0] == '@' && reader->place->user != NULL)
            status = add_same_user(reader, &value, line);
        else
            member_list_add(members,
                            value.kind == ALIAS_VALUE_OPAQUE ? MEMBER_OPAQUE
                                                             : MEMBER_ADDRESS,
                            value.text, value.length, line);
    }
    if (status == STATUS_OK && members->text.failed)
        status = STATUS_NOMEM;
    if (status == STATUS_OK && members->text.length > ENTRIES_BYTES_MAX)
        status = STATUS_LIMIT;
    return status;
}

/* Each line of an include is a right-hand side; '#' starts a comment only as its first
 * character. A line longer than line_length_limit is cut into several, wherever that
 * falls, as local(8) does. */
static enum status add_file(struct target_reader *reader, const struct file *file)
{
    struct lines lines = lines_of(file->data, file->length);
    struct line line;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && lines_next(&lines, &line)) {
        for (size_t at = 0; at < line.length && status == STATUS_OK; at += TARGETS_CUT) {
            size_t rest = line.length - at;
            if (line.text[at] != '#')
                status = add_values(reader, line.text + at,
                                    rest < TARGETS_CUT ? rest : TARGETS_CUT, line.number);
        }
    }
    return status;
}

static enum status read_include(struct target_reader *reader)
{
    struct file file = {0};
    struct error error;
    const struct include *include = &reader->includes[reader->current];
    const char *path = include->path;
    enum status status = file_read(path, FILE_BYTES_MAX, &file, &error);
    if (status == STATUS_OK)
        status = file_check_text(&file, path, &error);
    if (status == STATUS_OK) {
        member_list_enter_file(&reader->entry->members, path);
        status = add_file(reader, &file);
    } else if (status != STATUS_NOMEM) {
        reader->entry->failed = true;
        problems_error(reader->problems, path_of(reader, include->parent), include->line,
                       ":include:%s: %s", path, error.text);
        status = STATUS_OK;
    }
    file_clear(&file);
    return status;
}

enum status targets_add(const struct targets_place *place, const char *text,
                        size_t length, struct entry *entry, struct problems *problems)
{
    struct target_reader reader = {
        .place = place, .entry = entry, .problems = problems, .current = NO_PARENT};
    if (entry->members.text.length > 0) /* a key once more: back from its includes */
        member_list_enter_file(&entry->members, place->path);
    enum status status = add_values(&reader, text, length, place->line);
    for (size_t i = 0; status == STATUS_OK && i < reader.include_count; i++) {
        reader.current = i;
        status = read_include(&reader);
    }
    for (size_t i = 0; i < reader.include_count; i++)
        free(reader.includes[i].path);
    free(reader.includes);
    return status;
}
