/* What of a folder is served, and as what. */
#include "console/app_files.h"
#include "run.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"

static char folder[] = "/tmp/test_app_files.XXXXXX";
static struct app_files *files;
static struct error error;

static void write_file(const char *name, const char *text)
{
    char path[100];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "w");
    ck_assert_ptr_nonnull(stream);
    (void)fputs(text, stream);
    ck_assert_int_eq(fclose(stream), 0);
}

static void set_up(void)
{
    (void)strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(digest_init(), STATUS_OK);
    files = NULL;
}

static void tear_down(void)
{
    static const char *const names[] = {"index.html", "a.js",  "a.css", "a.svg",
                                        "README",     ".x.js", "dir.js"};
    char path[100];
    app_files_free(files);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)remove(path);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

static void check_type(const char *path, const char *type)
{
    const struct app_file *file = app_files_find(files, path);
    ck_assert_ptr_nonnull(file);
    ck_assert_str_eq(file->type, type);
}

START_TEST(app_files_have_their_type)
{
    write_file("index.html", "<p>");
    write_file("a.js", "1");
    write_file("a.css", "");
    write_file("a.svg", "<svg/>");
    write_file("README", "x");
    write_file(".x.js", "x");
    ck_assert_int_eq(app_files_load(folder, &files, &error), STATUS_OK);
    check_type("/", "text/html; charset=utf-8");
    check_type("/index.html", "text/html; charset=utf-8");
    check_type("/a.js", "text/javascript; charset=utf-8");
    check_type("/a.css", "text/css; charset=utf-8");
    check_type("/a.svg", "image/svg+xml");
    ck_assert_uint_eq(app_files_find(files, "/a.css")->length, 0);
    static const char *const none[] = {"",        "a.js",   "//a.js",
                                       "/README", "/.x.js", "/../a.js",
                                       "/a.js/",  "/A.JS",  "/a%2ejs"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        ck_assert_ptr_null(app_files_find(files, none[i]));
}
END_TEST

START_TEST(app_files_etag_follows_content)
{
    char first[APP_FILES_ETAG_SIZE];
    write_file("index.html", "one");
    ck_assert_int_eq(app_files_load(folder, &files, &error), STATUS_OK);
    (void)strcpy(first, app_files_find(files, "/")->etag);
    app_files_free(files);
    write_file("index.html", "two");
    ck_assert_int_eq(app_files_load(folder, &files, &error), STATUS_OK);
    ck_assert_str_ne(app_files_find(files, "/")->etag, first);
}
END_TEST

START_TEST(app_files_that_are_missing_are_errors)
{
    char path[100];
    ck_assert_int_eq(app_files_load("/nonexistent", &files, &error), STATUS_IO);
    write_file("a.js", "1");
    ck_assert_int_eq(app_files_load(folder, &files, &error), STATUS_NOT_FOUND);
    write_file("index.html", "<p>");
    (void)snprintf(path, sizeof path, "%s/dir.js", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(app_files_load(folder, &files, &error), STATUS_IO);
    ck_assert_ptr_null(files);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("app_files");
    TCase *tcase = tcase_create("app_files");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, app_files_have_their_type);
    tcase_add_test(tcase, app_files_etag_follows_content);
    tcase_add_test(tcase, app_files_that_are_missing_are_errors);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
