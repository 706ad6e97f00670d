/* What a source is read by is a table by its kind: a parser of a file's text, or a reader
 * of its own. Half an answer is none. */
#include "lists/source.h"

#include "base/clock.h"
#include "lists/file.h"
#include "lists/foreign.h"
#include "lists/ldap_source.h"
#include "lists/list_folder.h"
#include "lists/lookup_table.h"
#include "lists/members.h"
#include "lists/postfix_ldap.h"

typedef enum status parse_file(struct file *file, const char *path,
                               struct entries *entries, struct problems *problems);

/* Fills entries, problems, summary and error of read, and returns its status. */
typedef enum status read_source(const struct list_source *source,
                                struct source_read *read);

static enum status read_folder(const struct list_source *source, struct source_read *read)
{
    return list_folder_read(source->path, source->column, &read->entries, &read->problems,
                            &read->error);
}

static const struct {
    parse_file *parse;
    read_source *read;
} readers[] = {
    [LIST_FILE] = {.parse = members_read},
    [LIST_ALIASES] = {.parse = lookup_table_read_aliases},
    [LIST_VIRTUAL] = {.parse = lookup_table_read_virtual},
    [LIST_FOLDER] = {.read = read_folder},
    [LIST_LDAP] = {.read = ldap_source_read},
    [LIST_POSTFIX] = {.read = postfix_ldap_read},
};

static enum status read_file(const struct list_source *source, struct source_read *read)
{
    struct file file = {0};
    struct error *error = &read->error;
    enum status status = file_read(source->path, FILE_BYTES_MAX, &file, error);
    if (status != STATUS_OK)
        return status;
    status = file_check_text(&file, source->path, error);
    if (status == STATUS_OK)
        status = foreign_check(&file, source->path, error);
    if (status == STATUS_OK)
        status = readers[source->kind].parse(&file, source->path, &read->entries,
                                             &read->problems);
    file_clear(&file);
    return status;
}

void source_read(const struct list_source *source, struct source_read *read)
{
    read_source *own = readers[source->kind].read;
    read->status = own != NULL ? own(source, read) : read_file(source, read);
    if (read->status == STATUS_LIMIT || read->status == STATUS_NOMEM)
        (void)error_set(&read->error, read->status, "%s",
                        read->status == STATUS_LIMIT ? "has too many entries or members"
                                                     : "out of memory");
    if (read->status != STATUS_OK)
        entries_clear(&read->entries);
    read->at_ms = clock_wall_ms();
}

void source_read_clear(struct source_read *read)
{
    entries_clear(&read->entries);
    problems_clear(&read->problems);
    *read = (struct source_read){0};
}

const char *source_file(const struct settings *settings, const struct list_source *source)
{
    return source->file != NULL ? source->file : settings->file;
}
