/* Includes are a queue: each file once for an entry, however many name it. Which file
 * named which is kept, so that a loop can be told from two ways to the same file. */
#include "lists/targets.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "lists/file.h"
#include "lists/lines.h"
#include "lists/values.h"

struct include {
    char *path;
    size_t parent; /* NO_PARENT: the entry itself */
    int line;      /* where the parent names it */
    int depth;
};

#define NO_PARENT SIZE_MAX

/* One entry being filled. */
struct filling {
    const struct targets_place *place;
    struct entry *entry;
    struct problems *problems;
    struct include *includes;
    size_t include_count;
    size_t current; /* include whose text is read, NO_PARENT: the entry's */
};

static const char *path_of(const struct filling *filling, size_t include)
{
    return include == NO_PARENT ? filling->place->path : filling->includes[include].path;
}

static enum status fail_entry(struct filling *filling, int line, const char *why)
{
    filling->entry->failed = true;
    problems_error(filling->problems, path_of(filling, filling->current), line, "%s",
                   why);
    return STATUS_OK;
}

/* A relative path is one from the source's folder. NULL without memory. */
static char *full_path(const struct filling *filling, const struct value *value)
{
    const char *source = filling->place->path;
    const char *slash = strrchr(source, '/');
    int folder = value->text[0] == '/' || slash == NULL ? 0 : (int)(slash - source + 1);
    char *path;
    if (asprintf(&path, "%.*s%.*s", folder, source, (int)value->length, value->text) < 0)
        return NULL;
    return path;
}

/* True when the path was named before; a warning when it is one that leads here. */
static bool is_known(struct filling *filling, const char *path, int line)
{
    for (size_t up = filling->current; up != NO_PARENT;
         up = filling->includes[up].parent) {
        if (strcmp(filling->includes[up].path, path) != 0)
            continue;
        problems_warning(filling->problems, path_of(filling, filling->current), line,
                         "include loop: %s includes itself", path);
        return true;
    }
    for (size_t i = 0; i < filling->include_count; i++) {
        if (strcmp(filling->includes[i].path, path) == 0)
            return true;
    }
    return false;
}

static enum status keep_include(struct filling *filling, char *path, int line)
{
    if (!array_reserve(&filling->includes, filling->include_count,
                       sizeof *filling->includes))
        return STATUS_NOMEM;
    size_t parent = filling->current;
    int depth = parent == NO_PARENT ? 1 : filling->includes[parent].depth + 1;
    filling->includes[filling->include_count++] =
        (struct include){.path = path, .parent = parent, .line = line, .depth = depth};
    return STATUS_OK;
}

static enum status add_include(struct filling *filling, const struct value *value,
                               int line)
{
    filling->entry->always_list = true;
    if (value->length == 0)
        return fail_entry(filling, line, ":include: without a path");
    if (filling->include_count >= TARGETS_INCLUDES_MAX)
        return fail_entry(filling, line, "too many :include: files in one entry");
    if (filling->current != NO_PARENT &&
        filling->includes[filling->current].depth >= TARGETS_DEPTH_MAX)
        return fail_entry(filling, line, "too many :include: files within each other");
    char *path = full_path(filling, value);
    if (path == NULL)
        return STATUS_NOMEM;
    if (is_known(filling, path, line)) {
        free(path);
        return STATUS_OK;
    }
    enum status status = keep_include(filling, path, line);
    if (status != STATUS_OK)
        free(path);
    return status;
}

/* "@domain" under a key with a local part: that user there (virtual(5), RESULT ADDRESS
 * REWRITING). */
static enum status add_same_user(struct filling *filling, const struct value *value,
                                 int line)
{
    char *text;
    int length =
        asprintf(&text, "%s%.*s", filling->place->user, (int)value->length, value->text);
    if (length < 0)
        return STATUS_NOMEM;
    member_list_add(&filling->entry->members, MEMBER_ADDRESS, text, (size_t)length, line);
    free(text);
    return STATUS_OK;
}

static enum status add_values(struct filling *filling, const char *text, size_t length,
                              int line)
{
    struct member_list *members = &filling->entry->members;
    struct values values = values_of(text, length);
    struct value value;
    const char *counted = text;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && values_next(&values, &value)) {
        for (; counted < value.text; counted++)
            line += *counted == '\n';
        if (value.kind == VALUE_INCLUDE)
            status = add_include(filling, &value, line);
        else if (value.text[0] == '@' && filling->place->user != NULL)
            status = add_same_user(filling, &value, line);
        else
            member_list_add(members,
                            value.kind == VALUE_OPAQUE ? MEMBER_OPAQUE : MEMBER_ADDRESS,
                            value.text, value.length, line);
    }
    if (status == STATUS_OK && members->text.failed)
        status = STATUS_NOMEM;
    if (status == STATUS_OK && members->text.length > ENTRIES_BYTES_MAX)
        status = STATUS_LIMIT;
    return status;
}

/* Lines of an include are each a right-hand side; '#' is a comment in first place only.
 * What is longer than line_length_limit is cut into several, whatever is cut there, as
 * local(8) has it. */
static enum status add_file(struct filling *filling, const struct file *file)
{
    struct lines lines = lines_of(file->data, file->length);
    struct line line;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && lines_next(&lines, &line)) {
        for (size_t at = 0; at < line.length && status == STATUS_OK; at += TARGETS_CUT) {
            size_t rest = line.length - at;
            if (line.text[at] != '#')
                status = add_values(filling, line.text + at,
                                    rest < TARGETS_CUT ? rest : TARGETS_CUT, line.number);
        }
    }
    return status;
}

static enum status read_include(struct filling *filling)
{
    struct file file = {0};
    struct error error;
    const struct include *include = &filling->includes[filling->current];
    const char *path = include->path;
    enum status status = file_read(path, FILE_BYTES_MAX, &file, &error);
    if (status == STATUS_OK)
        status = file_check_text(&file, path, &error);
    if (status == STATUS_OK) {
        member_list_enter_file(&filling->entry->members, path);
        status = add_file(filling, &file);
    } else if (status != STATUS_NOMEM) {
        filling->entry->failed = true;
        problems_error(filling->problems, path_of(filling, include->parent),
                       include->line, ":include:%s: %s", path, error.text);
        status = STATUS_OK;
    }
    file_clear(&file);
    return status;
}

enum status targets_add(const struct targets_place *place, const char *text,
                        size_t length, struct entry *entry, struct problems *problems)
{
    struct filling filling = {
        .place = place, .entry = entry, .problems = problems, .current = NO_PARENT};
    if (entry->members.text.length > 0) /* a key once more: back from its includes */
        member_list_enter_file(&entry->members, place->path);
    enum status status = add_values(&filling, text, length, place->line);
    for (size_t i = 0; status == STATUS_OK && i < filling.include_count; i++) {
        filling.current = i;
        status = read_include(&filling);
    }
    for (size_t i = 0; i < filling.include_count; i++)
        free(filling.includes[i].path);
    free(filling.includes);
    return status;
}
