/* aliases(5): what Postfix's postalias(1) and local(8) make of a file, we do too. */
#include "lists/lookup_table.h"

#include "base/clock.h"
#include "lists/targets.h"
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

static const char *aliases(const char *text)
{
    return parsed(lookup_table_read_aliases, text, &problems);
}

START_TEST(aliases_lists_and_redirections)
{
    ck_assert_str_eq(aliases("root: admin\nstaff: a, b@x.example,c\n"),
                     "root: admin; staff: [a b@x.example c]");
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(aliases_continued_lines)
{
    ck_assert_str_eq(aliases("# head\n\nstaff: a,\n\tb,\n  # inside, x\n\n   c\r\n"
                             "# next\nteam: d\n e\n"),
                     "staff: [a b c]; team: [d e]");
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(aliases_names)
{
    ck_assert_str_eq(aliases("Staff : a\nOwner-Staff: b\n\"foo bar\": c\n\\plain: d\n"
                             "All@X.Example: e, f\n\"a:b\": g\n(x, y: z) h: i\n"),
                     "staff: a; owner-staff: b; \"foo bar\": c; plain: d; "
                     "all@x.example: [e f]; \"a:b\": g; h: i");
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(aliases_programs_and_files)
{
    ck_assert_str_eq(aliases("a: \"|prog arg, with comma\", /var/file, |/bin/prog, b\n"
                             "c: \"|vacation c\"\nd: /dev/null\ne: \"/a b\", ~/mbox\n"),
                     "a: [=|prog arg, with comma =/var/file =|/bin/prog b]; "
                     "c: =|vacation c; d: =/dev/null; e: [=/a b =~/mbox]");
}
END_TEST

/* As tok822_parse(3): missing commas are added, words before <...> are a name. */
START_TEST(aliases_values_as_postfix_divides_them)
{
    ck_assert_str_eq(aliases("a: x y z\nb: Full Name <b@x>\nc: <c@x> <d@x>\n"
                             "d: (comment, a) e (f), \"G, H\" <g@x>\n"),
                     "a: [x y z]; b: b@x; c: [c@x d@x]; d: [e g@x]");
    ck_assert_str_eq(
        aliases("e: group: i, j;, k\nf: l @ m . n, o\nf2: \"p q\"@r \"s\" t\n"),
        "e: [i j k]; f: [l @ m . n o]; f2: [\"p q\"@r \"s\" t]");
    ck_assert_str_eq(aliases("g: u <v@x, w@x, y <z@x>\nh: <a@x, b@x\ni: \\root, \\i\n"),
                     "g: [u <v@x w@x z@x]; h: [<a@x b@x]; i: [\\root \\i]");
}
END_TEST

START_TEST(aliases_bad_lines_are_told)
{
    ck_assert_str_eq(aliases("  stray\nok: a\nno colon here\nempty:\na, b: c\n: d\n"
                             "\"open: e\nfine: f\n"),
                     "ok: a; fine: f");
    ck_assert_uint_eq(problems.errors, 6);
    const int lines[] = {1, 3, 4, 5, 6, 7};
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(problems.items[i].line, lines[i]);
    ck_assert_str_eq(problems.items[0].file, in_folder("table"));
}
END_TEST

START_TEST(aliases_same_name_twice_joins)
{
    ck_assert_str_eq(aliases("a: b\nA: c\nd: e, f\nd: g\nh: i\nh: i\n"),
                     "a: [b c]; d: [e f g]; h: i i");
    ck_assert_uint_eq(problems.warnings, 3);
    ck_assert_uint_eq(problems.errors, 0);
    ck_assert_int_eq(problems.items[1].line, 4);
    ck_assert(problems_hold(&problems, "line 3"));
}
END_TEST

/* The same with the test's folder in place of each '%'. */
static const char *with_include(const char *pattern)
{
    struct text text = {0};
    for (; *pattern != '\0'; pattern++)
        text_add(&text, *pattern == '%' ? folder : pattern,
                 *pattern == '%' ? strlen(folder) : 1);
    const char *shown = aliases(text_string(&text));
    text_clear(&text);
    return shown;
}

START_TEST(aliases_include)
{
    file_put("inc", "# no\na@x, b@x\nc\n\n\"|prog x\", /file\n");
    ck_assert_str_eq(with_include("l: :include:%/inc, z\nm: \":include:%/inc\"\n"),
                     "l: [z a@x b@x c =|prog x =/file]; "
                     "m: [a@x b@x c =|prog x =/file]");
    file_put("one", "only@x\n");
    ck_assert_str_eq(with_include("l: :Include:%/one\n"), "l: [only@x]");
    ck_assert_str_eq(with_include("l: :include: %/one\n"), "l: [only@x]");
    ck_assert_str_eq(aliases("l: :include:one\n"), "l: [only@x]");
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

/* In an include every line counts for itself, and '#' only in first place. */
START_TEST(aliases_include_lines)
{
    file_put("inc", "a\n b\n#c\n # d\n");
    ck_assert_str_eq(with_include("l: :include:%/inc\n"), "l: [a b # d]");
}
END_TEST

/* local(8) reads 2048 bytes at a time: what stands across is cut into two. */
START_TEST(aliases_include_long_line_is_cut)
{
    struct text text = {0};
    struct text shown = {0};
    text_add_string(&shown, "l: [");
    for (int i = 0; i < 300; i++)
        text_printf(&text, "p%03d@x.example,", i); /* 15 bytes: 136 and 8 bytes of one */
    for (int i = 0; i < 300; i++) {
        if (i == 136)
            text_printf(&shown, "p136@x.e xample ");
        else if (i == 273)
            text_printf(&shown, "p %s ", "273@x.example");
        else
            text_printf(&shown, "p%03d@x.example%s", i, i == 299 ? "]" : " ");
    }
    text_add_string(&text, "\n");
    file_put("inc", text_string(&text));
    ck_assert_str_eq(with_include("l: :include:%/inc\n"), text_string(&shown));
    text_clear(&text);
    text_clear(&shown);
}
END_TEST

START_TEST(aliases_include_nested_and_twice)
{
    file_put("one", "a\n:include:two\n:include:three\n");
    file_put("two", "b, :include:three\n");
    file_put("three", "c\n");
    ck_assert_str_eq(with_include("l: :include:%/one\n"), "l: [a b c]");
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(aliases_include_loop_warns)
{
    file_put("one", "a\n:include:two\n");
    file_put("two", "b\n:include:one\n");
    ck_assert_str_eq(with_include("l: :include:%/one\n"), "l: [a b]");
    ck_assert_uint_eq(problems.errors, 0);
    ck_assert_uint_eq(problems.warnings, 1);
    ck_assert(problems_hold(&problems, "/two:2: warning: include loop: "));
    ck_assert(problems_hold(&problems, "/one includes itself"));
}
END_TEST

START_TEST(aliases_include_missing_fails_the_entry_only)
{
    file_put("inc", "c\n");
    ck_assert_str_eq(with_include("a: b, :include:%/none\nd: :include:%/inc\n"),
                     "a!: [b]; d: [c]");
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert(problems_hold(&problems, "/table:1: :include:/tmp/"));
    ck_assert(problems_hold(&problems, "No such file"));
}
END_TEST

START_TEST(aliases_include_must_be_a_regular_file)
{
    file_put("inc", "a\n");
    ck_assert_int_eq(symlink("inc", in_folder("link")), 0);
    ck_assert_str_eq(with_include("l: :include:%/link\n"), "l: [a]");
    ck_assert_int_eq(unlink(in_folder("link")), 0);
    ck_assert_int_eq(mkfifo(in_folder("pipe"), 0600), 0);
    ck_assert_int_eq(symlink("pipe", in_folder("link")), 0);
    ck_assert_str_eq(with_include("l: :include:%/link\n"), "l!: []");
    ck_assert_int_eq(unlink(in_folder("link")), 0);
    ck_assert_int_eq(symlink("/dev/zero", in_folder("link")), 0);
    ck_assert_str_eq(with_include("l: :include:%/link\n"), "l!: []");
    ck_assert_uint_eq(problems.errors, 2);
}
END_TEST

START_TEST(aliases_include_depth_is_capped)
{
    char name[20];
    char text[40];
    for (int i = 1; i <= TARGETS_DEPTH_MAX + 1; i++) {
        (void)snprintf(name, sizeof name, "inc%d", i);
        (void)snprintf(text, sizeof text, "u%d, :include:inc%d\n", i, i + 1);
        file_put(name, i > TARGETS_DEPTH_MAX ? "last\n" : text);
    }
    ck_assert_ptr_nonnull(strstr(aliases("l: :include:inc1\n"), "l!: [u1 u2 "));
    ck_assert(problems_hold(&problems, "within each other"));
    ck_assert_ptr_nonnull(strstr(aliases("l: :include:inc2\n"), " last]"));
}
END_TEST

START_TEST(aliases_lines_of_members)
{
    const char *text = "l: a,\n # no\n b, :include:inc,\n c\nL: e\n";
    struct file file = {.data = strdup(text), .length = strlen(text)};
    struct entries entries = {0};
    file_put("inc", "\nd\n");
    ck_assert_int_eq(
        lookup_table_read_aliases(&file, in_folder("table"), &entries, &problems),
        STATUS_OK);
    struct member_list_reader reader = member_list_read(&entries.items[0].members);
    struct member member;
    const int lines[] = {1, 3, 4, 2};
    for (size_t i = 0; i < 4; i++) {
        ck_assert(member_list_next(&reader, &member));
        ck_assert_int_eq(reader.line, lines[i]);
    }
    ck_assert_str_eq(reader.file, in_folder("inc"));
    ck_assert(
        member_list_next(&reader, &member)); /* the name once more: back in the table */
    ck_assert_str_eq(reader.file, in_folder("table"));
    ck_assert_int_eq(reader.line, 5);
    entries_clear(&entries);
    file_clear(&file);
}
END_TEST

/* Nothing in a file may cost more than its length. */
START_TEST(aliases_odd_text_takes_linear_time)
{
    const char *const pieces[] = {"a ", "<",         "\"", "(",     "a:b ", "<\">",
                                  "[",  ":include:", "\\", "a@x <", ">;"};
    int64_t start = clock_monotonic_us();
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct text text = {0};
        text_add_string(&text, "l: ");
        while (text.length < 200000)
            text_add_string(&text, pieces[i]);
        text_add_string(&text, " >;\n");
        struct file file = {.data = text.data, .length = text.length};
        struct entries entries = {0};
        ck_assert_int_eq(
            lookup_table_read_aliases(&file, in_folder("t"), &entries, &problems),
            STATUS_OK);
        entries_clear(&entries);
        file_clear(&file);
    }
    ck_assert_int_lt(clock_monotonic_us() - start, 5000000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("aliases");
    TCase *tests = tcase_create("aliases");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, aliases_lists_and_redirections);
    tcase_add_test(tests, aliases_continued_lines);
    tcase_add_test(tests, aliases_names);
    tcase_add_test(tests, aliases_programs_and_files);
    tcase_add_test(tests, aliases_values_as_postfix_divides_them);
    tcase_add_test(tests, aliases_bad_lines_are_told);
    tcase_add_test(tests, aliases_same_name_twice_joins);
    tcase_add_test(tests, aliases_include);
    tcase_add_test(tests, aliases_include_lines);
    tcase_add_test(tests, aliases_include_long_line_is_cut);
    tcase_add_test(tests, aliases_include_nested_and_twice);
    tcase_add_test(tests, aliases_include_loop_warns);
    tcase_add_test(tests, aliases_include_missing_fails_the_entry_only);
    tcase_add_test(tests, aliases_include_must_be_a_regular_file);
    tcase_add_test(tests, aliases_include_depth_is_capped);
    tcase_add_test(tests, aliases_lines_of_members);
    tcase_add_test(tests, aliases_odd_text_takes_linear_time);
    suite_add_tcase(suite, tests);

    return run_suite(suite);
}
