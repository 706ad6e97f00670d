/* Folders of lists: tables as programs export them, and files that come and go. */
#include "lists/list_folder.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "lists/csv.h"
#include "lists/snapshot.h"
#include "lists_fixture.h"
#include "run.h"

static struct problems problems;
static struct catalog *catalog;
static struct snapshot *snapshot;

static void setup(void)
{
    folder_make();
    ck_assert_int_eq(mkdir(in_folder("r"), 0700), 0);
    file_put("mailbrake.conf",
             "domains = [ \"a.example\" ];\n"
             "lists = ( { folder = \"r\"; domain = \"l.example\"; } );\n");
    catalog = catalog_new(NULL);
    ck_assert_ptr_nonnull(catalog);
}

static void teardown(void)
{
    snapshot_unref(snapshot);
    snapshot = NULL;
    catalog_free(catalog);
    problems_clear(&problems);
    folder_remove();
}

/* ---- tables ---- */

/* The members of a table, or why it isn't one. */
static const char *table(const char *text, const char *column)
{
    static char shown[1000];
    struct entries entries = {0};
    struct error error;
    problems_clear(&problems);
    const char *path = file_put("r/table.csv", text);
    ck_assert_int_eq(
        list_folder_read(in_folder("r"), column, &entries, &problems, &error), STATUS_OK);
    (void)snprintf(shown, sizeof shown, "%s", entries_shown(&entries));
    if (entries.items[0].failed) {
        const char *told = problem_shown(&problems, 0);
        ck_assert_int_eq(strncmp(told, path, strlen(path)), 0);
        (void)snprintf(shown, sizeof shown, "%s", told + strlen(path));
    }
    entries_clear(&entries);
    return shown;
}

START_TEST(csv_as_programs_write_it)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"email\na@x\nb@x\n", "table: [a@x b@x]"},
        {"Name,Email,Role\r\nAnn,a@x,member\r\n\r\nBob,b@x,owner", "table: [a@x b@x]"},
        {"\xef\xbb\xbf\"Name\";\"EMAIL\"\n\"Lee; Ann\";\"a@x\"\n", "table: [a@x]"},
        {"Name\tE-Mail\temail\nAnn\t\ta@x\n", "table: [a@x]"},
        {"email,note\r\"a@x\",\"say \"\"hi\"\",\r\nthen go\"\rb@x,\r",
         "table: [a@x b@x]"},
        {"name,email\n\"Lee, Ann\", \"a@x\" \nBob , b@x ,more\n", "table: [a@x b@x]"},
        {"Members of Class 3,,\nname,email\nAnn,a@x\n", "table: [a@x]"},
        {"name,email\nNobody,\nAnn,\"\"\n,\n", "table: []"},
        {"name,email\nTwo,\"a@x; b@x\"\nQuoted,\"\"\"o d\"\"@x\"\n",
         "table: [a@x b@x \"o d\"@x]"},
        {"email\nann\n", "table: [ann]"},
        {"email\n", "table: []"},
        {"email", "table: []"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_str_eq(table(cases[i].text, "email"), cases[i].shown);
        ck_assert_uint_eq(problems.count, 0);
    }
    ck_assert_str_eq(table("id,Member Email\n1,a@x\n", "member email"), "table: [a@x]");
}
END_TEST

START_TEST(csv_half_a_table_is_none)
{
    static const char none[] = ":1: no column is called \"email\"";
    static const char quotes[] = ": the quotes of the row that begins here are wrong";
    static const struct {
        const char *text, *where, *why;
    } cases[] = {
        {"", "", none},
        {"a@x\nb@x\n", "", none},
        {"Name,Mail\nAnn,a@x\n", "", none},
        {"1\n2\n3\n4\n5\nemail\na@x\n", "", none},
        {"email,name\na@x,\"Ann\nb@x,Bob\n", ":2", quotes},
        {"email,name\na@x,An\n\"b@x\"\"", ":3", quotes},
        {"name,email\n\"Jack,j@x\n\"Bob\",b@x\n", ":2", quotes},
        {"email,name\n\n\"a\n\n@x\",Ann\nb@x,\"B\" ob\n", ":6", quotes},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[200];
        (void)snprintf(expected, sizeof expected, "%s%s", cases[i].where, cases[i].why);
        ck_assert_str_eq(table(cases[i].text, "email"), expected);
    }
}
END_TEST

START_TEST(csv_short_rows_are_one_person_each)
{
    const char *shown = table("name,email\nAnn,a@x\nBob\nEve\n|prog,|x\n", "email");
    ck_assert_ptr_nonnull(strstr(shown, "[a@x ="));
    ck_assert_ptr_nonnull(strstr(shown, "table.csv:3 ="));
    ck_assert_ptr_nonnull(strstr(shown, "table.csv:4 =|x]"));
    ck_assert_uint_eq(problems.errors, 3);
    ck_assert(problems_hold(&problems, "table.csv:5: a member of 2 bytes is not"));
}
END_TEST

/* Wherever a table is cut, it is refused, or each of its whole rows counts, and the last
 * at most once. */
START_TEST(csv_cut_anywhere)
{
    static const char whole[] = "name,email\n\"Lee, Ann\",\"a@x\"\nBob,b@x\nEve,e@x\n";
    char cut[sizeof whole];
    size_t rows = 0, refused = 0;
    for (size_t length = 0; length < sizeof whole; length++) {
        (void)snprintf(cut, length + 1, "%s", whole);
        struct file file = {.data = strdup(cut), .length = length};
        struct member_list members = {0};
        struct error error;
        rows += length > 0 && whole[length - 1] == '\n';
        if (csv_read(&file, "f", "email", &members, &problems, &error) == STATUS_OK) {
            ck_assert_uint_ge(members.count + 1, rows); /* the headings are one */
            ck_assert_uint_le(members.count, rows);
        } else {
            refused++;
        }
        member_list_clear(&members);
        file_clear(&file);
    }
    ck_assert_uint_eq(refused, 10 + 9 + 4); /* in the headings, and in quotes */
}
END_TEST

/* ---- folders ---- */

static void load(void)
{
    struct snapshot *fresh = NULL;
    problems_clear(&problems);
    ck_assert_int_eq(
        snapshot_load(in_folder("mailbrake.conf"), catalog, false, &problems, &fresh),
        STATUS_OK);
    snapshot_unref(snapshot);
    snapshot = fresh;
}

/* Those of the folder; the configuration has its own. */
static size_t problems_found(void)
{
    size_t count = 0;
    for (size_t i = 0; i < problems.count; i++)
        count += strncmp(problems.items[i].file, in_folder("r"), strlen(folder) + 2) == 0;
    return count;
}

static const struct list *find(const char *text)
{
    struct address address;
    struct target target;
    ck_assert_int_eq(address_parse(text, strlen(text), &address), STATUS_OK);
    directory_find(snapshot->directory, &address, &target);
    return target.list == DIRECTORY_NONE
               ? NULL
               : directory_list(snapshot->directory, target.list);
}

static void expect(const char *text, enum list_state state, uint64_t size)
{
    const struct list *list = find(text);
    ck_assert_msg(list != NULL, "%s is no list", text);
    ck_assert_uint_eq(list->size, size);
    ck_assert_int_eq(list->state, state);
}

START_TEST(list_folder_names_are_local_parts)
{
    file_put("r/Grade.9.txt", "a@x\nbob # of a.example\n");
    file_put("r/staff.CSV", "email\nc@x\nbob@a.example\n");
    file_put("r/.staff.csv.new", "half");
    file_put("r/staff.txt~", "x@x\n");
    file_put("r/staff.xlsx", "PK");
    file_put("r/two words.txt", "a@x\n");
    file_put("r/a@b.csv", "email\na@x\n");
    file_put("r/.txt", "a@x\n");
    file_put("r/all.txt", "grade.9@l.example\nstaff@l.example\n");
    load();
    expect("grade.9@l.example", LIST_OK, 2);
    expect("staff@l.example", LIST_OK, 2);
    expect("all@l.example", LIST_OK, 3);
    ck_assert_ptr_null(find("staff@a.example"));
    ck_assert_str_eq(find("staff@l.example")->source, in_folder("r/staff.CSV"));
    ck_assert_uint_eq(problems_found(), 3);
    ck_assert(problems_hold(&problems, "r/two words.txt: warning: the name can't be"));
    ck_assert(
        problems_hold(&problems, "r/a@b.csv: warning: the name can't be the local part"));
    ck_assert(problems_hold(&problems, "r/staff.xlsx: warning: is not read"));
}
END_TEST

START_TEST(list_folder_two_files_of_one_name_both_count)
{
    file_put("r/staff.csv", "email\na@x\nb@x\n");
    file_put("r/Staff.txt", "b@x\nc@x\n");
    load();
    expect("staff@l.example", LIST_OK, 3);
    ck_assert(problems_hold(&problems, "r/staff.csv: warning: another file has a list"));
}
END_TEST

START_TEST(list_folder_a_file_that_vanishes_is_a_shrunk_list)
{
    file_put("r/one.txt", "a@x\nb@x\n");
    file_put("r/two.txt", "c@x\n");
    load();
    ck_assert_int_eq(unlink(in_folder("r/one.txt")), 0);
    load();
    expect("one@l.example", LIST_SHRUNK, 2);
    expect("two@l.example", LIST_OK, 1);
    ck_assert(
        problems_hold(&problems, "one@l.example suddenly has 0 members instead of 2"));
    file_put("r/.one", "a@x\nb@x\nd@x\n"); /* and comes back in one step */
    ck_assert_int_eq(rename(in_folder("r/.one"), in_folder("r/one.txt")), 0);
    load();
    expect("one@l.example", LIST_OK, 3);
    ck_assert_uint_eq(problems_found(), 0);
}
END_TEST

START_TEST(list_folder_a_broken_file_keeps_its_members)
{
    file_put("r/one.csv", "email\na@x\nb@x\n");
    file_put("r/two.txt", "c@x\n");
    load();
    file_put("r/one.csv", "mail\na@x\n");
    file_put("r/new.csv", "email\n\"a@x\n");
    file_put("r/two.txt", "d@x\ne@x\n");
    load();
    expect("one@l.example", LIST_STALE, 2);
    expect("new@l.example", LIST_UNKNOWN, 0);
    expect("two@l.example", LIST_OK, 2);
    ck_assert(problems_hold(&problems, "r/one.csv:1: warning: no column is called"));
    file_put("r/one.csv", "<html><body>502 Bad Gateway</body></html>\n");
    load();
    expect("one@l.example", LIST_STALE, 2);
}
END_TEST

/* ---- files that can't be read, or change meanwhile ---- */

static void make_gone(const char *path)
{
    ck_assert_int_eq(unlink(path), 0);
}

static void make_folder(const char *path)
{
    make_gone(path);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void make_pipe(const char *path)
{
    make_gone(path);
    ck_assert_int_eq(mkfifo(path, 0644), 0);
}

static void make_dangling(const char *path)
{
    make_gone(path);
    ck_assert_int_eq(symlink("nowhere", path), 0);
}

static void make_loop(const char *path)
{
    make_gone(path);
    ck_assert_int_eq(symlink(path, path), 0);
}

static void make_unreadable(const char *path)
{
    ck_assert_int_eq(chmod(path, 0), 0);
}

static void make_empty(const char *path)
{
    ck_assert_int_eq(truncate(path, 0), 0);
}

static void make_binary(const char *path)
{
    int fd = open(path, O_WRONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "\0", 1), 1);
    ck_assert_int_eq(close(fd), 0);
}

static void put_both(void)
{
    remove(in_folder("r/one.txt"));
    remove(in_folder("r/two.csv"));
    file_put("r/one.txt", "a@x\nb@x\n");
    file_put("r/two.csv", "name,email\nAnn,a@x\nBob,b@x\nEve,e@x\n");
}

START_TEST(list_folder_no_fault_of_a_file_makes_its_list_smaller)
{
    static const struct {
        void (*make)(const char *path);
        enum list_state state;
        const char *why;
    } faults[] = {
        {make_gone, LIST_SHRUNK, "suddenly has 0 members"},
        {make_folder, LIST_STALE, "is not a regular file"},
        {make_pipe, LIST_STALE, "is not a regular file"},
        {make_dangling, LIST_STALE, "No such file or directory"},
        {make_loop, LIST_STALE, "Too many levels of symbolic links"},
        {make_unreadable, LIST_STALE, "Permission denied"},
        {make_binary, LIST_STALE, "contains a NUL byte"},
    };
    ck_assert_int_eq(chmod(folder, 0755), 0);
    ck_assert_int_eq(chmod(in_folder("r"), 0755), 0);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        put_both();
        load();
        expect("one@l.example", LIST_OK, 2);
        expect("two@l.example", LIST_OK, 3);
        faults[i].make(in_folder("r/one.txt"));
        faults[i].make(in_folder("r/two.csv"));
        if (geteuid() == 0) /* who may read everything */
            ck_assert_int_eq(seteuid(65534), 0);
        load();
        ck_assert_int_eq(seteuid(getuid()), 0);
        expect("one@l.example", faults[i].state, 2);
        expect("two@l.example", faults[i].state, 3);
        ck_assert_msg(problems_hold(&problems, faults[i].why), "%s", faults[i].why);
    }
    put_both();
    make_empty(in_folder("r/one.txt")); /* and a table without headings */
    make_empty(in_folder("r/two.csv"));
    load();
    expect("one@l.example", LIST_SHRUNK, 2);
    expect("two@l.example", LIST_STALE, 3);
}
END_TEST

static atomic_bool writing;

/* Replaces a file in one step, again and again. */
static void *replace_on(void *path)
{
    char next[250];
    (void)snprintf(next, sizeof next, "%s~", (const char *)path);
    for (int i = 0; writing; i++) {
        FILE *out = fopen(next, "w");
        for (int n = 0; out != NULL && n < 2000; n++)
            (void)fprintf(out, "p%d@x.example\n", n + i);
        if (out == NULL || fclose(out) != 0 || rename(next, path) != 0)
            break;
    }
    return NULL;
}

/* Writes a file anew in its place, again and again, and slowly. */
static void *rewrite_on(void *path)
{
    while (writing) {
        FILE *out = fopen(path, "w");
        for (int n = 0; out != NULL && n < 2000; n++) {
            (void)fprintf(out, "p%d@x.example\n", n);
            if (n % 100 == 0) {
                (void)fflush(out);
                clock_sleep_ms(2);
            }
        }
        if (out == NULL || fclose(out) != 0)
            break;
    }
    return NULL;
}

START_TEST(list_folder_a_file_that_changes_while_it_is_read_keeps_its_size)
{
    static void *(*const writers[])(void *) = {replace_on, rewrite_on};
    char path[200], text[40000] = "";
    size_t length = 0;
    for (int n = 0; n < 2000; n++)
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "p%d@x.example\n", n);
    (void)snprintf(path, sizeof path, "%s", file_put("r/all.txt", text));
    load();
    expect("all@l.example", LIST_OK, 2000);
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        pthread_t thread;
        writing = true;
        ck_assert_int_eq(pthread_create(&thread, NULL, writers[i], path), 0);
        for (int n = 0; n < 4; n++) {
            load();
            ck_assert_ptr_nonnull(find("all@l.example"));
            ck_assert_uint_eq(find("all@l.example")->size, 2000);
        }
        writing = false;
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        load();
        expect("all@l.example", LIST_OK, 2000);
    }
}
END_TEST

START_TEST(list_folder_that_is_gone_keeps_all)
{
    load();
    file_put("r/one.txt", "a@x\nb@x\n");
    load();
    ck_assert_int_eq(rename(in_folder("r"), in_folder("away")), 0);
    load();
    expect("one@l.example", LIST_STALE, 2);
    ck_assert(problems_hold(&problems, "No such file or directory (last read"));
    ck_assert_int_eq(symlink("away", in_folder("r")), 0);
    load();
    expect("one@l.example", LIST_OK, 2);
}
END_TEST

START_TEST(list_folder_never_read_doubts_its_domain)
{
    struct address address;
    struct target target;
    ck_assert_int_eq(rmdir(in_folder("r")), 0);
    load();
    ck_assert_int_eq(address_parse("one@l.example", 13, &address), STATUS_OK);
    directory_find(snapshot->directory, &address, &target);
    ck_assert_int_eq(target.kind, TARGET_UNKNOWN);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        csv_as_programs_write_it,
        csv_half_a_table_is_none,
        csv_short_rows_are_one_person_each,
        csv_cut_anywhere,
        list_folder_names_are_local_parts,
        list_folder_two_files_of_one_name_both_count,
        list_folder_a_file_that_vanishes_is_a_shrunk_list,
        list_folder_a_broken_file_keeps_its_members,
        list_folder_no_fault_of_a_file_makes_its_list_smaller,
        list_folder_a_file_that_changes_while_it_is_read_keeps_its_size,
        list_folder_that_is_gone_keeps_all,
        list_folder_never_read_doubts_its_domain,
    };
    Suite *suite = suite_create("list_folder");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
