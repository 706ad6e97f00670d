/* Member files, and how any source is read from disk. */
#include "lists/members.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "lists_fixture.h"
#include "run.h"

static struct problems problems;

static void setup(void)
{
    folder_make();
}

static void teardown(void)
{
    problems_clear(&problems);
    folder_remove();
}

START_TEST(members_one_a_line)
{
    ck_assert_str_eq(
        parsed(members_read, "a@x.example\n\nb@x.example\n  c\t\n", &problems),
        ": [a@x.example b@x.example c]");
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(members_comments)
{
    ck_assert_str_eq(parsed(members_read,
                            "# all\na@x # the first\n  # b@x\nc#1@x\nd@x\t#\n",
                            &problems),
                     ": [a@x c#1@x d@x]");
}
END_TEST

START_TEST(members_windows_file)
{
    struct file file = {.data = strdup("\xef\xbb\xbf"
                                       "a@x\r\n# c\r\n\r\nb@x\r\n"),
                        .length = 18};
    struct error error;
    struct entries entries = {0};
    ck_assert_int_eq(file_check_text(&file, "f", &error), STATUS_OK);
    ck_assert_int_eq(members_read(&file, "f", &entries, &problems), STATUS_OK);
    ck_assert_str_eq(entries_shown(&entries), ": [a@x b@x]");
    entries_clear(&entries);
    file_clear(&file);
}
END_TEST

START_TEST(members_heading_is_skipped)
{
    static const struct {
        const char *text, *shown;
        int line;
    } cases[] = {
        {"Email\na@x\nb@x\n", ": [a@x b@x]", 1},
        {"# export\n\nE-Mail-Adresse\r\na@x\r\n", ": [a@x]", 3},
        {"Name,Email\nAnn Lee,a@x\n\"Bee, B\",b@x\nc\n", ": [a@x b@x c]", 1},
        {"\"First Name\";\"Email Address\"\n\"Ann\";\"a@x\"\n", ": [a@x]", 1},
        {"ADDRESS\n<a@x>\n", ": [a@x]", 1},
        {"email\nann\nbob\n", ": [email ann bob]", 0},
        {"mailroom\na@x\n", ": [mailroom a@x]", 0},
        {"a@x\nemail\nb@x\n", ": [a@x email b@x]", 0},
        {"Email\n", ": [Email]", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char place[32];
        problems_clear(&problems);
        ck_assert_str_eq(parsed(members_read, cases[i].text, &problems), cases[i].shown);
        ck_assert_uint_eq(problems.errors, 0);
        ck_assert_uint_eq(problems.warnings, cases[i].line > 0);
        (void)snprintf(place, sizeof place, "/table:%d: ", cases[i].line);
        if (cases[i].line > 0)
            ck_assert(problems_hold(&problems, place));
    }
}
END_TEST

START_TEST(members_several_in_a_line_all_count)
{
    ck_assert_str_eq(
        parsed(members_read, "a@x, b@x\nc@x d@x\nAnn <e@x>, \"F, G\" <f@x>\n", &problems),
        ": [a@x b@x c@x d@x e@x f@x]");
}
END_TEST

START_TEST(members_foreign_lines_are_told)
{
    ck_assert_str_eq(
        parsed(members_read, "a@x\n|rm -rf /\n:include:/etc/passwd\n", &problems),
        ": [a@x =|rm -rf =/ =/etc/passwd]");
    ck_assert_uint_eq(problems.errors, 3);
    ck_assert_int_eq(problems.items[0].line, 2);
    ck_assert_int_eq(problems.items[2].line, 3);
}
END_TEST

START_TEST(members_empty_file_is_a_list)
{
    ck_assert_str_eq(parsed(members_read, "# nobody yet\n", &problems), ": []");
}
END_TEST

START_TEST(member_list_remembers_lines)
{
    struct file file = {.data = strdup("a\n\n\nb\nc, d\n"), .length = 11};
    struct entries entries = {0};
    ck_assert_int_eq(members_read(&file, "f", &entries, &problems), STATUS_OK);
    struct member_list_reader reader = member_list_read(&entries.items[0].members);
    struct member member;
    const int lines[] = {1, 4, 5, 5};
    for (size_t i = 0; i < 4; i++) {
        ck_assert(member_list_next(&reader, &member));
        ck_assert_int_eq(reader.line, lines[i]);
    }
    ck_assert(!member_list_next(&reader, &member));
    entries_clear(&entries);
    file_clear(&file);
}
END_TEST

START_TEST(members_plain_lines_are_as_others)
{
    static const struct {
        const char *text, *shown;
        int lines[3];
    } cases[] = {
        {"a@x\nb@x\nc@x\n", ": [a@x b@x c@x]", {1, 2, 3}}, /* the file's own memory */
        {"a@x\nb@x\nc@x", ": [a@x b@x c@x]", {1, 2, 3}},
        {"a@x\nB@x\n\nC@X\n", ": [a@x b@x c@x]", {1, 2, 4}},
        {"a@x\nb@x # you\nc@x\n", ": [a@x b@x c@x]", {1, 2, 3}},
        {"a@x\r\nb@x\nc@x\n", ": [a@x b@x c@x]", {1, 2, 3}},
        {"# e\na@x\nb@x\nc@x\n", ": [a@x b@x c@x]", {2, 3, 4}},
        {"A@x\nO\nL\n", ": [a@x O L]", {1, 2, 3}},
        {"a@x\nE-Mail\nc@x\n", ": [a@x E-Mail c@x]", {1, 2, 3}}, /* no heading */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct file file = {.data = strdup(cases[i].text),
                            .length = strlen(cases[i].text)};
        struct entries entries = {0};
        ck_assert_int_eq(members_read(&file, "f", &entries, &problems), STATUS_OK);
        file_clear(&file);
        ck_assert_str_eq(entries_shown(&entries), cases[i].shown);
        struct member_list_reader reader = member_list_read(&entries.items[0].members);
        struct member member;
        for (size_t n = 0; n < 3; n++) {
            ck_assert(member_list_next(&reader, &member));
            ck_assert_int_eq(reader.line, cases[i].lines[n]);
        }
        entries_clear(&entries);
    }
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(member_list_unpack_checks_plain_addresses)
{
    struct member_list list = {0};
    ck_assert_int_eq(member_list_unpack(&list, "a@x\0AB@x\0", 9), STATUS_OK);
    ck_assert_uint_eq(list.count, 2);
    member_list_clear(&list);
    ck_assert_int_eq(member_list_unpack(&list, "a@x\0ab\0", 7), STATUS_INVALID);
    ck_assert_int_eq(member_list_unpack(&list, "a@x\0\0", 5), STATUS_INVALID);
    ck_assert_int_eq(member_list_unpack(&list, "a@x", 3), STATUS_INVALID);
}
END_TEST

START_TEST(members_many)
{
    enum { COUNT = 200000 };
    struct text text = {0};
    for (int i = 0; i < COUNT; i++)
        text_printf(&text, "user%d@district.example\n", i);
    struct file file = {.data = text.data, .length = text.length};
    struct entries entries = {0};
    int64_t start = clock_monotonic_us();
    ck_assert_int_eq(members_read(&file, "f", &entries, &problems), STATUS_OK);
    ck_assert_int_lt(clock_monotonic_us() - start, 3000000);
    ck_assert_uint_eq(entries.items[0].members.count, COUNT);
    ck_assert_uint_lt(entries.items[0].members.text.capacity, text.length + 2 * COUNT);
    entries_clear(&entries);
    file_clear(&file);
}
END_TEST

/* ---- files ---- */

static struct error error;

static enum status try_read(const char *path)
{
    struct file file = {0};
    enum status status = file_read(path, FILE_BYTES_MAX, &file, &error);
    file_clear(&file);
    return status;
}

START_TEST(file_reads_whole)
{
    struct file file = {0};
    const char *path = file_put("f", "a\nb\n");
    ck_assert_int_eq(file_read(path, 4, &file, &error), STATUS_OK);
    ck_assert_uint_eq(file.length, 4);
    ck_assert_str_eq(file.data, "a\nb\n");
    file_clear(&file);
    ck_assert_int_eq(file_read(path, 3, &file, &error), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "larger"));
}
END_TEST

START_TEST(file_missing_and_no_file)
{
    ck_assert_int_eq(try_read(in_folder("none")), STATUS_IO);
    ck_assert_str_eq(error.text, "No such file or directory");
    ck_assert_str_eq(error.file, in_folder("none"));
    ck_assert_int_eq(try_read(folder), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "regular"));
}
END_TEST

START_TEST(file_follows_links_to_files_only)
{
    const char *link = in_folder("link");
    file_put("real", "a@x\n");
    ck_assert_int_eq(symlink("real", link), 0);
    ck_assert_int_eq(try_read(link), STATUS_OK);
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(symlink("/dev/zero", link), 0);
    ck_assert_int_eq(try_read(link), STATUS_IO);
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(mkfifo(in_folder("pipe"), 0600), 0);
    ck_assert_int_eq(symlink("pipe", link), 0);
    ck_assert_int_eq(try_read(link), STATUS_IO); /* and does not wait for a writer */
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(symlink("link", link), 0);
    ck_assert_int_eq(try_read(link), STATUS_IO);
}
END_TEST

START_TEST(file_with_nul_is_no_text)
{
    struct file file = {0};
    file_put_bytes("f", "a@x\nb\0@x\n", 9);
    ck_assert_int_eq(file_read(in_folder("f"), 100, &file, &error), STATUS_OK);
    ck_assert_int_eq(file_check_text(&file, "f", &error), STATUS_INVALID);
    ck_assert_int_eq(error.line, 2);
    file_clear(&file);
}
END_TEST

/* Somebody who writes a list in place: cuts it, then writes half, pauses, writes the
 * rest, over and over. */
struct writer {
    pthread_t thread;
    atomic_bool stop;
    int64_t pause_us;
    bool rename; /* writes beside it and renames instead */
};

static const char whole[] = "a@x\nb@x\nc@x\nd@x\n";

static void write_slowly(const struct writer *writer, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t written = write(fd, whole, 6);
    (void)usleep((useconds_t)writer->pause_us);
    written += write(fd, whole + 6, sizeof whole - 1 - 6);
    ck_assert_int_eq(written, sizeof whole - 1);
    (void)close(fd);
}

static void *write_over_and_over(void *data)
{
    struct writer *writer = data;
    char path[200];
    char beside[210];
    (void)snprintf(path, sizeof path, "%s/list", folder);
    (void)snprintf(beside, sizeof beside, "%s.new", path);
    while (!atomic_load(&writer->stop)) {
        write_slowly(writer, writer->rename ? beside : path);
        if (writer->rename)
            ck_assert_int_eq(rename(beside, path), 0);
        (void)usleep((useconds_t)writer->pause_us);
    }
    return NULL;
}

static void read_while_written(struct writer *writer)
{
    file_put("list", whole);
    ck_assert_int_eq(pthread_create(&writer->thread, NULL, write_over_and_over, writer),
                     0);
    for (int i = 0; i < 4; i++) {
        struct file file = {0};
        if (file_read(in_folder("list"), 100, &file, &error) == STATUS_OK)
            ck_assert_str_eq(file.data, whole);
        else
            ck_assert_ptr_nonnull(strstr(error.text, "changes while"));
        file_clear(&file);
    }
    atomic_store(&writer->stop, true);
    ck_assert_int_eq(pthread_join(writer->thread, NULL), 0);
    ck_assert_int_eq(try_read(in_folder("list")), STATUS_OK);
}

START_TEST(file_rewritten_while_read_is_never_half)
{
    struct writer writer = {.pause_us = 30000};
    read_while_written(&writer);
}
END_TEST

START_TEST(file_replaced_while_read_is_never_half)
{
    struct writer writer = {.pause_us = 3000, .rename = true};
    read_while_written(&writer);
}
END_TEST

/* Writes the first half at once and the rest 300 ms later. */
static void *write_halves(void *data)
{
    struct writer writer = {.pause_us = 300000};
    (void)data;
    char path[200];
    (void)snprintf(path, sizeof path, "%s/list", folder);
    write_slowly(&writer, path);
    return NULL;
}

START_TEST(file_half_written_is_waited_for)
{
    pthread_t thread;
    struct file file = {0};
    file_put("list", whole);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_halves, NULL), 0);
    (void)usleep(50000);
    ck_assert_int_eq(file_read(in_folder("list"), 100, &file, &error), STATUS_OK);
    ck_assert_str_eq(file.data, whole);
    file_clear(&file);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("members");
    TCase *members = tcase_create("members");
    tcase_add_checked_fixture(members, setup, teardown);
    tcase_set_timeout(members, 60);
    tcase_add_test(members, members_one_a_line);
    tcase_add_test(members, members_comments);
    tcase_add_test(members, members_windows_file);
    tcase_add_test(members, members_heading_is_skipped);
    tcase_add_test(members, members_several_in_a_line_all_count);
    tcase_add_test(members, members_foreign_lines_are_told);
    tcase_add_test(members, members_empty_file_is_a_list);
    tcase_add_test(members, member_list_remembers_lines);
    tcase_add_test(members, members_plain_lines_are_as_others);
    tcase_add_test(members, member_list_unpack_checks_plain_addresses);
    tcase_add_test(members, members_many);
    tcase_add_test(members, file_reads_whole);
    tcase_add_test(members, file_missing_and_no_file);
    tcase_add_test(members, file_follows_links_to_files_only);
    tcase_add_test(members, file_with_nul_is_no_text);
    tcase_add_test(members, file_rewritten_while_read_is_never_half);
    tcase_add_test(members, file_replaced_while_read_is_never_half);
    tcase_add_test(members, file_half_written_is_waited_for);
    suite_add_tcase(suite, members);

    return run_suite(suite);
}
