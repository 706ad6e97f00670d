/* What the tests of configurations share: a folder of their own, a text to load from it,
 * and its problems by line. */
#ifndef TEST_SETTINGS_FIXTURE_H
#define TEST_SETTINGS_FIXTURE_H

#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/settings.h"

static char folder[PATH_MAX];
static char file[PATH_MAX + 20];
static struct settings settings;
static struct problems problems;

static inline void write_file(const char *name, const char *text, size_t length)
{
    char path[PATH_MAX + 100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "w");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(text, 1, length, stream), length);
    ck_assert_int_eq(fclose(stream), 0);
}

static inline void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static inline void set_up(void)
{
    char made[] = "/tmp/test_settings.XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(made));
    ck_assert_ptr_nonnull(realpath(made, folder));
    snprintf(file, sizeof file, "%s/m.conf", folder);
    settings = (struct settings){0};
    problems = (struct problems){0};
}

static inline void tear_down(void)
{
    static const char *const names[] = {"m.conf", "more.conf", "again.conf", "dir"};
    char path[PATH_MAX + 100];
    settings_clear(&settings);
    problems_clear(&problems);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)remove(path);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

static inline void show_problems(void)
{
    for (size_t i = 0; i < problems.count; i++) {
        char line[600];
        problem_format(&problems.items[i], line, sizeof line);
        fprintf(stderr, "  %s\n", line);
    }
}

static inline enum status load(const char *text)
{
    settings_clear(&settings);
    problems_clear(&problems);
    write_text("m.conf", text);
    return settings_load(file, &settings, &problems);
}

static inline void load_right(const char *text)
{
    enum status status = load(text);
    if (status != STATUS_OK)
        show_problems();
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(problems.errors, 0);
}

/* The errors' n-th line, without the folder. */
static inline const char *error_line(size_t n)
{
    static char line[600];
    size_t length = strlen(folder) + 1;
    for (size_t i = 0; i < problems.count; i++) {
        if (problems.items[i].warning || n-- > 0)
            continue;
        problem_format(&problems.items[i], line, sizeof line);
        return strncmp(line, folder, length - 1) == 0 ? line + length : line;
    }
    return "";
}

/* One error, whose line begins with that. */
static inline void expect(const char *text, const char *begins)
{
    ck_assert_int_eq(load(text), STATUS_INVALID);
    if (problems.errors != 1)
        show_problems();
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_msg(strncmp(error_line(0), begins, strlen(begins)) == 0,
                  "expected: %s\nfound:    %s", begins, error_line(0));
    ck_assert_ptr_null(settings.file);
}

static inline bool has_warning(const char *text)
{
    for (size_t i = 0; i < problems.count; i++) {
        if (problems.items[i].warning && strstr(problems.items[i].text, text) != NULL)
            return true;
    }
    return false;
}

#endif
