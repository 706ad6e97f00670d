/* Read from the MTA's configuration, since mailbraked runs none of its programs, and each
 * time anew, since that may change while we run. */
#include "quarantine/room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
#define BLANKS " \t\r\n"

enum { EXPANSIONS_MAX = 100, NAME_SIZE = 100 };

/* A setting as it is found in a file. */
struct value {
    struct text text;
    int line; /* where it begins; 0: not found */
};

/* ---- main.cf ---- */

static void trim_end(struct text *text)
{
    while (text->length > 0 && strchr(BLANKS, text->data[text->length - 1]) != NULL)
        text->data[--text->length] = '\0';
}

/* What a line gives to name: the text behind '=', or NULL. */
static const char *value_of(const char *line, const char *name)
{
    const char *rest = text_after(line, name);
    if (rest == NULL)
        return NULL;
    rest += strspn(rest, BLANKS);
    return *rest == '=' ? rest + 1 + strspn(rest + 1, BLANKS) : NULL;
}

/* The last "name = value", with the lines that go on with it. */
static void find_parameter(FILE *file, const char *name, struct value *out)
{
    char *line = NULL;
    size_t size = 0;
    bool inside = false;
    rewind(file);
    for (int number = 1; getline(&line, &size, file) > 0; number++) {
        const char *word = line + strspn(line, BLANKS);
        if (*word == '\0' || *word == '#')
            continue; /* also between a line and what goes on with it */
        if (word != line) {
            if (inside) {
                trim_end(&out->text);
                text_add_string(&out->text, out->text.length > 0 ? " " : "");
                text_add_string(&out->text, word);
            }
            continue;
        }
        const char *value = value_of(line, name);
        inside = value != NULL;
        if (value == NULL)
            continue;
        text_reset(&out->text);
        text_add_string(&out->text, value);
        out->line = number;
    }
    trim_end(&out->text);
    free(line);
}

/* The name in "$name", "${name}" or "$(name)"; what stands behind it, or NULL when it is
 * something else ("${name?value}"). */
static const char *read_name(const char *dollar, char out[NAME_SIZE])
{
    const char *name = dollar + 1;
    char closing = *name == '{' ? '}' : *name == '(' ? ')' : '\0';
    name += closing != '\0';
    size_t length = strspn(name, NAME_CHARS);
    const char *rest = name + length;
    if (length == 0 || length >= NAME_SIZE || (closing != '\0' && *rest != closing))
        return NULL;
    (void)snprintf(out, NAME_SIZE, "%.*s", (int)length, name);
    return rest + (closing != '\0');
}

/* What main.cf, or else Postfix itself, says of a parameter: only these two defaults are
 * known here. False when nobody does. */
static bool look_up(FILE *file, const struct settings *settings, const char *name,
                    struct value *out)
{
    find_parameter(file, name, out);
    if (out->line > 0)
        return true;
    if (strcmp(name, "config_directory") == 0)
        text_add_string(&out->text, settings->mta.config_directory);
    else if (strcmp(name, "queue_directory") == 0)
        text_add_string(&out->text, "/var/spool/postfix");
    return out->text.length > 0;
}

/* Puts a parameter's value in place of the '$' that rest begins with. */
static bool expand_one(FILE *file, const struct settings *settings, struct text *rest,
                       char name[NAME_SIZE])
{
    struct value value = {0};
    const char *behind = read_name(text_string(rest), name);
    bool known = behind != NULL && look_up(file, settings, name, &value);
    if (known) {
        text_add_string(&value.text, behind);
        text_clear(rest);
        *rest = value.text;
    } else {
        text_clear(&value.text);
    }
    return known && !rest->failed;
}

/* False, with the name of what is not known. */
static bool expand(FILE *file, const struct settings *settings, const char *value,
                   struct text *out, char name[NAME_SIZE])
{
    bool known = true;
    struct text rest = {0};
    text_add_string(&rest, value);
    (void)snprintf(name, NAME_SIZE, "%.*s", NAME_SIZE - 1, value);
    for (int i = 0; known && i < EXPANSIONS_MAX; i++) {
        size_t plain = strcspn(text_string(&rest), "$");
        text_add(out, text_string(&rest), plain);
        struct text tail = {0};
        text_add_string(&tail, text_string(&rest) + plain);
        text_clear(&rest);
        rest = tail;
        if (rest.length == 0)
            break;
        known = expand_one(file, settings, &rest, name);
    }
    known = known && rest.length == 0;
    text_clear(&rest);
    return known;
}

static enum status find_postfix(const struct settings *settings, struct text *out,
                                struct error *error)
{
    char path[4096];
    char name[NAME_SIZE];
    struct value value = {0};
    (void)snprintf(path, sizeof path, "%s/main.cf", settings->mta.config_directory);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set_at(error, STATUS_IO, path, 0, "%s", strerror(errno));
    (void)look_up(file, settings, "queue_directory", &value);
    enum status status =
        expand(file, settings, text_string(&value.text), out, name)
            ? STATUS_OK
            : error_set_at(error, STATUS_INVALID, path, value.line,
                           "queue_directory: can't resolve \"%s\"", name);
    (void)fclose(file);
    text_clear(&value.text);
    return status;
}

/* ---- sendmail.cf ---- */

/* The last "O QueueDirectory=PATH", or "OQPATH" as it was once written. */
static void find_option(FILE *file, struct value *out)
{
    char *line = NULL;
    size_t size = 0;
    for (int number = 1; getline(&line, &size, file) > 0; number++) {
        const char *value = text_after(line, "OQ");
        const char *name = text_after(line, "O ");
        if (name != NULL)
            value = value_of(name + strspn(name, BLANKS), "QueueDirectory");
        if (value == NULL)
            continue;
        text_reset(&out->text);
        text_add_string(&out->text, value);
        out->line = number;
    }
    trim_end(&out->text);
    free(line);
}

/* A queue group's glob ("/var/spool/mqueue/q*") is its folder. */
static void cut_glob(struct text *path)
{
    char *star = path->data == NULL ? NULL : strpbrk(path->data, "*?[");
    if (star == NULL)
        return;
    while (star > path->data && *star != '/')
        star--;
    *star = '\0';
    path->length = (size_t)(star - path->data);
}

static enum status find_sendmail(const struct settings *settings, struct text *out,
                                 struct error *error)
{
    char path[4096];
    struct value value = {0};
    (void)snprintf(path, sizeof path, "%s/sendmail.cf", settings->mta.config_directory);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)snprintf(path, sizeof path, "/etc/mail/sendmail.cf");
        file = fopen(path, "re");
    }
    if (file == NULL)
        return error_set_at(error, STATUS_IO, path, 0, "%s", strerror(errno));
    find_option(file, &value);
    (void)fclose(file);
    cut_glob(&value.text);
    enum status status = STATUS_OK;
    if (value.line == 0)
        status = error_set_at(error, STATUS_INVALID, path, 0, "no QueueDirectory");
    else if (strchr(text_string(&value.text), '$') != NULL)
        status = error_set_at(error, STATUS_INVALID, path, value.line,
                              "QueueDirectory: can't resolve \"%.100s\"",
                              text_string(&value.text));
    else
        text_add_string(out, text_string(&value.text));
    text_clear(&value.text);
    return status;
}

/* ---- both ---- */

static enum status measure(const struct settings *settings, struct text *folder,
                           struct statvfs *disk, struct error *error)
{
    enum status status = settings->mta.type == MTA_SENDMAIL
                             ? find_sendmail(settings, folder, error)
                             : find_postfix(settings, folder, error);
    if (status != STATUS_OK)
        return status;
    if (folder->failed)
        return error_set(error, STATUS_NOMEM, "out of memory");
    const char *path = text_string(folder);
    if (path[0] != '/')
        return error_set_at(error, STATUS_INVALID, settings->mta.config_directory, 0,
                            "the queue's folder \"%.100s\" is not an absolute path",
                            path);
    if (statvfs(path, disk) != 0)
        return error_set_at(error, STATUS_IO, path, 0, "%s", strerror(errno));
    return STATUS_OK;
}

enum status room_find(const struct settings *settings, struct text *out,
                      struct error *error)
{
    struct statvfs disk;
    struct text folder = {0};
    enum status status = measure(settings, &folder, &disk, error);
    if (status == STATUS_OK)
        text_add_string(out, text_string(&folder));
    text_clear(&folder);
    return status;
}

bool room_is_left(const struct settings *settings)
{
    struct statvfs disk = {0};
    struct error error;
    struct text folder = {0};
    enum status status = measure(settings, &folder, &disk, &error);
    text_clear(&folder);
    return status != STATUS_OK || (int64_t)(disk.f_bavail * disk.f_frsize) >=
                                      settings->quarantine.min_free_bytes;
}
