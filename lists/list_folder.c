/* Each file is replaced by itself, so each is a list read or failed by itself. A folder
 * that is replaced as a whole (a symbolic link that points elsewhere) is read again. */
#include "lists/list_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/smtp_address.h"
#include "lists/csv.h"
#include "lists/file.h"
#include "lists/foreign.h"
#include "lists/members.h"

enum { ATTEMPTS = 3 };

struct folder_reader {
    const char *path, *column;
    struct entries *entries;
    struct problems *problems;
};

/* ---- names ---- */

/* A name's ending with the dot, "" for none. */
static const char *ending_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? "" : dot;
}

static bool is_table(const char *name)
{
    return strcasecmp(ending_of(name), ".csv") == 0;
}

static bool is_list(const char *name)
{
    return is_table(name) || strcasecmp(ending_of(name), ".txt") == 0;
}

/* Hidden files, where programs prepare others, and what editors leave are passed over. */
static int is_visible(const struct dirent *file)
{
    size_t length = strlen(file->d_name);
    return file->d_name[0] != '.' && file->d_name[length - 1] != '~';
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The local part that a file's name stands for, for free(3). INVALID when it can't be
 * one. */
static enum status take_local_part(const char *name, char **out)
{
    char *address = NULL;
    int length = (int)(ending_of(name) - name);
    if (asprintf(&address, "%.*s@x.example", length, name) < 0)
        return STATUS_NOMEM;
    if (!smtp_address_is_valid(address)) {
        free(address);
        return STATUS_INVALID;
    }
    address[length] = '\0';
    *out = address;
    return STATUS_OK;
}

/* ---- one file ---- */

static enum status read_members(const struct folder_reader *reader, const char *path,
                                struct member_list *members, struct error *error)
{
    struct file file = {0};
    enum status status = file_read(path, FILE_BYTES_MAX, &file, error);
    if (status == STATUS_OK)
        status = file_check_text(&file, path, error);
    if (status == STATUS_OK && is_table(path))
        status = csv_read(&file, path, reader->column, members, reader->problems, error);
    else if (status == STATUS_OK) {
        status = foreign_check(&file, path, error);
        if (status == STATUS_OK)
            members_add_file(members, &file, path, reader->problems);
    }
    file_clear(&file);
    return status;
}

/* The entry of a list's name; reported when two files have it. */
static enum status open_entry(const struct folder_reader *reader, const char *local,
                              const char *path, struct entry **out)
{
    size_t before = reader->entries->count;
    enum status status = entries_open(reader->entries, local, strlen(local), out);
    if (status == STATUS_INVALID)
        problems_error(reader->problems, path, 0, "the name can't be a local part");
    else if (status == STATUS_OK && reader->entries->count == before)
        problems_error(reader->problems, path, 0,
                       "another file has a list of that name: the members of both count");
    return status;
}

static enum status add_file(const struct folder_reader *reader, const char *local,
                            const char *path)
{
    struct entry *entry;
    struct error error;
    enum status status = open_entry(reader, local, path, &entry);
    if (status != STATUS_OK)
        return status == STATUS_INVALID ? STATUS_OK : status;
    entry->always_list = true;
    member_list_enter_file(&entry->members, path);
    status = read_members(reader, path, &entry->members, &error);
    if (status == STATUS_NOMEM)
        return status;
    if (status != STATUS_OK) {
        problems_take(reader->problems, &error);
        entry->failed = true;
    }
    return entries_settle(reader->entries, entry);
}

static enum status add_list(const struct folder_reader *reader, const char *name,
                            const char *path)
{
    char *local = NULL;
    enum status status = take_local_part(name, &local);
    if (status == STATUS_OK)
        status = add_file(reader, local, path);
    else if (status == STATUS_INVALID) {
        problems_error(reader->problems, path, 0,
                       "the name can't be the local part of an address");
        status = STATUS_OK;
    }
    free(local);
    return status;
}

static enum status add_name(const struct folder_reader *reader, const char *name)
{
    char *path = NULL;
    enum status status = STATUS_OK;
    if (asprintf(&path, "%s/%s", reader->path, name) < 0)
        return STATUS_NOMEM;
    if (is_list(name))
        status = add_list(reader, name, path);
    else
        problems_warning(reader->problems, path, 0,
                         "is not read: only NAME.txt and NAME.csv are lists");
    free(path);
    return status;
}

/* ---- the folder ---- */

static enum status read_once(const struct folder_reader *reader, struct error *error)
{
    struct dirent **names = NULL;
    int count = scandir(reader->path, &names, is_visible, compare_names);
    if (count < 0)
        return errno == ENOMEM ? STATUS_NOMEM
                               : error_set_at(error, STATUS_IO, reader->path, 0, "%s",
                                              strerror(errno));
    enum status status = STATUS_OK;
    for (int i = 0; i < count; i++) {
        if (status == STATUS_OK)
            status = add_name(reader, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return status;
}

/* Whether the path still leads to the folder that it led to before. */
static bool is_same(const char *path, const struct stat *before)
{
    struct stat now;
    return stat(path, &now) == 0 && now.st_dev == before->st_dev &&
           now.st_ino == before->st_ino;
}

enum status list_folder_read(const char *path, const char *column,
                             struct entries *entries, struct problems *problems,
                             struct error *error)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        struct stat before;
        struct problems found = {0};
        struct folder_reader reader = {
            .path = path, .column = column, .entries = entries, .problems = &found};
        if (stat(path, &before) != 0)
            return error_set_at(error, STATUS_IO, path, 0, "%s", strerror(errno));
        enum status status = read_once(&reader, error);
        bool same = is_same(path, &before);
        if (status != STATUS_OK || same)
            problems_add(problems, &found);
        problems_clear(&found);
        if (status != STATUS_OK || same)
            return status;
        entries_clear(entries);
    }
    return error_set_at(error, STATUS_IO, path, 0, "was replaced while it was read");
}
