/* What a source is read by is a table by its kind: a parser of a file's text, or a reader
 * of its own. Half an answer is none. */
#include "lists/source.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "lists/file.h"
#include "lists/foreign.h"
#include "lists/ldap_source.h"
#include "lists/list_folder.h"
#include "lists/lookup_table.h"
#include "lists/mailman.h"
#include "lists/members.h"
#include "lists/postfix_ldap.h"
#include "lists/rest_client.h"

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

void source_check_secret(const char *path, struct source_read *read)
{
    struct stat seen;
    if (stat(path, &seen) == 0 && (seen.st_mode & S_IROTH) != 0)
        problems_warning(&read->problems, path, 0,
                         "anybody on this machine can read this password: chmod o-r");
}

enum status source_password(const struct list_source *source, struct source_read *read,
                            char out[SECRET_SIZE])
{
    struct error error;
    const char *path = source->password_file;
    out[0] = '\0';
    if (path == NULL || path[0] == '\0')
        return STATUS_OK;
    enum status status = secret_read(path, out, &error);
    if (status != STATUS_OK)
        return error_set(&read->error, status, "password_file %.150s: %.200s", path,
                         error.text);
    source_check_secret(path, read);
    return STATUS_OK;
}

static enum status ask_mailman(void *context, const char *path, json_t **out,
                               struct error *error)
{
    return rest_client_get(context, path, out, error);
}

static enum status read_mailman(const struct list_source *source,
                                struct source_read *read)
{
    char password[SECRET_SIZE];
    int64_t began_us = clock_monotonic_us();
    struct rest_client_args args = {.url = source->path,
                                    .user = source->user,
                                    .password = password,
                                    .request_timeout_ms = source->request_timeout_ms,
                                    .deadline_us = clock_deadline_us(source->timeout_ms)};
    struct mailman_server server = {.ask = ask_mailman};
    struct mailman_counts counts;
    struct rest_client *client = NULL;
    enum status status = source_password(source, read, password);
    if (status == STATUS_OK)
        status = rest_client_open(&args, &client);
    server.context = client;
    if (status == STATUS_OK)
        status =
            mailman_read(&server, &read->entries, &read->problems, &counts, &read->error);
    if (status == STATUS_OK)
        (void)snprintf(read->summary, sizeof read->summary,
                       "%zu list%s with %zu member%s in %.1f s", counts.lists,
                       counts.lists == 1 ? "" : "s", counts.members,
                       counts.members == 1 ? "" : "s",
                       (double)(clock_monotonic_us() - began_us) / 1e6);
    rest_client_close(client);
    explicit_bzero(password, sizeof password);
    return status;
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
    [LIST_MAILMAN] = {.read = read_mailman},
};

static enum status read_file(const struct list_source *source, struct source_read *read)
{
    struct file file = {0};
    struct error *error = &read->error;
    enum status status = file_read(source->path, FILE_BYTES_MAX, &file, error);
    if (status != STATUS_OK)
        return status;
    status = file_check_text(&file, source->path, error);
    if (status == STATUS_OK && source->kind == LIST_FILE)
        members_skip_plain(&file);
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

const struct domains *source_domains(const struct settings *settings,
                                     const struct list_source *source)
{
    return source->domains.count > 0 ? &source->domains : &settings->policy.domains;
}
