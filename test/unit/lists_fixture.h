/* What the tests of lists/ share: a folder of their own, and entries in one line of text.
 */
#ifndef TEST_LISTS_FIXTURE_H
#define TEST_LISTS_FIXTURE_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problems.h"
#include "base/text.h"
#include "lists/entries.h"
#include "lists/file.h"

static char folder[] = "/tmp/mailbrake-lists-XXXXXX";

static inline void folder_make(void)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline void folder_remove(void)
{
    char command[80];
    ck_assert_int_eq(strncmp(folder, "/tmp/mailbrake-lists-", 21), 0);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* A path in the folder; good for four at a time. */
static inline const char *in_folder(const char *name)
{
    static char paths[4][200];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Makes a file look like one that nobody touched for a while. */
static inline void file_age(const char *path, int64_t seconds)
{
    struct stat now;
    ck_assert_int_eq(stat(path, &now), 0);
    struct timespec times[2] = {now.st_mtim, now.st_mtim};
    times[0].tv_sec = times[1].tv_sec = now.st_mtim.tv_sec - seconds;
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static inline const char *file_put_bytes(const char *name, const char *data,
                                         size_t length)
{
    const char *path = in_folder(name);
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(data, 1, length, out), length);
    ck_assert_int_eq(fclose(out), 0);
    file_age(path, 60);
    return path;
}

static inline const char *file_put(const char *name, const char *text)
{
    return file_put_bytes(name, text, strlen(text));
}

/* "key: member member |program; " a list in brackets, a failed entry with "!". */
static inline const char *entries_shown(const struct entries *entries)
{
    static struct text shown;
    text_reset(&shown);
    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *entry = &entries->items[i];
        bool list = entry->kind == ENTRY_LIST;
        text_printf(&shown, "%s%s%s%s", i > 0 ? "; " : "", entries_key(entries, i),
                    entry->failed ? "!" : "", list ? ": [" : ": ");
        struct member_list_reader reader = member_list_read(&entry->members);
        struct member member;
        for (size_t n = 0; member_list_next(&reader, &member); n++)
            text_printf(&shown, "%s%s%s", n > 0 ? " " : "",
                        member.kind == MEMBER_OPAQUE ? "=" : "", member.text);
        text_add_string(&shown, list ? "]" : "");
    }
    return text_string(&shown);
}

static inline const char *problem_shown(const struct problems *problems, size_t index)
{
    static char shown[700];
    ck_assert_uint_lt(index, problems->count);
    problem_format(&problems->items[index], shown, sizeof shown);
    return shown;
}

/* True when some problem, as formatted, holds the text. */
static inline bool problems_hold(const struct problems *problems, const char *text)
{
    for (size_t i = 0; i < problems->count; i++) {
        if (strstr(problem_shown(problems, i), text) != NULL)
            return true;
    }
    return false;
}

typedef enum status parser(struct file *file, const char *path, struct entries *entries,
                           struct problems *problems);

/* Parses text as if it stood in the file "table" of the folder; shows the entries. */
static inline const char *parsed(parser *parse, const char *text,
                                 struct problems *problems)
{
    struct file file = {.data = strdup(text), .length = strlen(text)};
    struct entries entries = {0};
    ck_assert_int_eq(parse(&file, in_folder("table"), &entries, problems), STATUS_OK);
    const char *shown = entries_shown(&entries);
    entries_clear(&entries);
    file_clear(&file);
    return shown;
}

#endif
