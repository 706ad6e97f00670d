/* Configurations as files: includes, their paths, and text that is damaged or torn. */
#include "run.h"
#include "settings_fixture.h"

START_TEST(settings_includes_from_its_folder)
{
    write_text("more.conf", "store = {\n  nodes = 0;\n};\n");
    ck_assert_int_eq(load("domains = [ \"a.example\" ];\n  @include \"more.conf\"\n"),
                     STATUS_INVALID);
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_str_eq(error_line(0),
                     "more.conf:2: store.nodes: 0 is not between 1 and 1000");

    write_text("more.conf", "groups = { g = [\n\"list:x@y.example\" ]; };");
    load_right("@include \"more.conf\"\nrules = ( { name = \"a\"; from = [ \"g\" ]; "
               "action = \"defer\"; } );");
    ck_assert_uint_eq(settings.file_count, 2);
    ck_assert_str_eq(settings.policy.rules[0].from.items[0].file, settings.files[1]);
    ck_assert_int_eq(settings.policy.rules[0].from.items[0].line, 2);
}
END_TEST

START_TEST(settings_include_problems)
{
    char path[PATH_MAX + 100];
    expect("\n@include \"more.conf\"", "m.conf:2: can't include ");
    ck_assert_ptr_nonnull(strstr(error_line(0), "No such file"));
    snprintf(path, sizeof path, "%s/dir", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect("\n@include \"dir\"", "m.conf:2: can't include ");
    ck_assert_ptr_nonnull(strstr(error_line(0), "not a regular file"));
    write_text("more.conf", "a = ;");
    expect("\n@include \"more.conf\"", "more.conf:1: syntax error");
    write_text("more.conf", "\n\nnodes = 5000000000;");
    ck_assert_int_eq(load("@include \"more.conf\""), STATUS_INVALID);
    ck_assert_str_eq(error_line(0), "more.conf:3: a number is larger than the maximum "
                                    "here (2147483647)");
    write_text("more.conf", "@include \"more.conf\"");
    ck_assert_int_eq(load("@include \"more.conf\""), STATUS_INVALID);
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_ptr_nonnull(strstr(error_line(0), "nesting too deep"));
}
END_TEST

/* A comma is missing; the line of the second string. */
static const struct {
    const char *text;
    const char *begins;
} joints[] = {
    {"domains = [ \"a.example\" \"b.example\" ];", "m.conf:1: no comma between this"},
    {"domains = [ \"a.example\",\n \"b.\"\n \"example\" ];",
     "m.conf:3: no comma between"},
    {"trusted = [ \"client:local\" # our own\n \"\" ];",
     "m.conf:2: no comma between this"},
    {"relays = [ \"client:10.0.0.1\" /* one */ \"client:10.0.0.2\" ];",
     "m.conf:1: relays: \"client:10.0.0.1client:10.0.0.2\": has two prefixes"},
    {"relays = [ \"client:10.0.0.1\"\n\"2\" ];", "m.conf:2: no comma between this"},
    {"notify = { to = [ \"a@b.example\" // one\n\"c.example\" ]; };",
     "m.conf:2: no comma"},
    {"groups = { g = [ \"login:a\" \"b\" ]; };", "m.conf:1: no comma between this"},
    {"groups = { g = ( \"login:a\" \"b\" ); };", "m.conf:1: no comma between this"},
    {"groups = { g = [ \"login:a\" \"login:b\" ]; };",
     "m.conf:1: groups.g: \"login:alogin:b\": has two prefixes"},
    {"rules = ( { name = \"r\"; action = \"reject\";\n from = [ \"login:a\" "
     "\"@b.example\" ];"
     " } );",
     "m.conf:2: no comma between this"},
    {"rules = ( { name = \"r\"; action = \"reject\";\n to_not = [ \"a@b.example\" \"c\" "
     "]; } );",
     "m.conf:2: no comma between this"},
    {"domains = [ \"a.example\" ];\nlists = ( { virtual = \"v\"; domains = [ "
     "\"a.example\"\n"
     "\"b\" ]; } );",
     "m.conf:3: no comma between this"},
    {"control = { roles = [ \"a\" \"b\" ]; };", ""},
};

START_TEST(settings_a_missing_comma)
{
    if (joints[_i].begins[0] == '\0')
        ck_assert_int_eq(load(joints[_i].text), STATUS_INVALID);
    else
        expect(joints[_i].text, joints[_i].begins);
}
END_TEST

START_TEST(settings_a_missing_comma_across_files)
{
    static const char *const arounds[][2] = {
        {"domains = [ \"a.example\"\n@include \"more.conf\"\n];", "\"b.example\""},
        {"domains = [\n@include \"more.conf\"\n\"a.example\" ];",
         "\"b.example\" # end\n"},
        {"domains = [\n@include \"more.conf\"\n];", "\"a.example\"\n\"b.example\"\n"},
        {"domains = [\n@include \"more.conf\"\n@include \"more.conf\"\n];",
         "\"b.example\""},
    };
    static const char *const places[] = {"more.conf:1", "m.conf:3", "more.conf:2",
                                         "more.conf:1"};
    for (size_t i = 0; i < sizeof arounds / sizeof *arounds; i++) {
        write_text("more.conf", arounds[i][1]);
        expect(arounds[i][0], places[i]);
    }
    write_text("more.conf", "# nothing\n");
    load_right("domains = [ \"a.example\"\n@include \"more.conf\"\n];");
    write_text("more.conf", ", \"b.example\"\n");
    load_right("domains = [ \"a.example\"\n@include \"more.conf\"\n];");
    ck_assert_uint_eq(settings.policy.domains.count, 2);
}
END_TEST

START_TEST(settings_a_long_text_may_be_joined)
{
    load_right("rules = ( { name = \"r\"; reach_over = 1; action = \"reject\";\n"
               "reason = \"Please ask \" # the office\n\"the office.\"; } );\n"
               "notify : { command = \"cat \"\n/* all */ \">/dev/null\" };");
    ck_assert_str_eq(settings.policy.rules[0].reason, "Please ask the office.");
    ck_assert_str_eq(settings.notify.command, "cat >/dev/null");
}
END_TEST

START_TEST(settings_a_byte_order_mark)
{
    load_right("\xef\xbb\xbf"
               "domains = [ \"a.example\" ];");
    ck_assert_uint_eq(settings.policy.domains.count, 1);
    write_text("more.conf", "\xef\xbb\xbf"
                            "mode = \"monitor\";");
    expect("\n@include \"more.conf\"", "more.conf:1: begins with a byte order mark");
}
END_TEST

/* So that status and brakes go on while somebody mends the configuration. */
START_TEST(settings_unreadable)
{
    char path[PATH_MAX + 100];
    snprintf(path, sizeof path, "%s/none.conf", folder);
    ck_assert_int_eq(settings_load(path, &settings, &problems), STATUS_IO);
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_str_eq(error_line(0),
                     "none.conf: can't be read: No such file or directory");
    problems_clear(&problems);
    ck_assert_int_eq(settings_load(folder, &settings, &problems), STATUS_IO);
    ck_assert_uint_eq(problems.errors, 1);
}
END_TEST

START_TEST(settings_nul_is_no_end)
{
    static const char text[] = "mode = \"monitor\";\n\0 mode = 1;";
    write_file("m.conf", text, sizeof text - 1);
    ck_assert_int_eq(settings_load(file, &settings, &problems), STATUS_INVALID);
    ck_assert_str_eq(error_line(0), "m.conf:2: contains a NUL byte");
}
END_TEST

/* Deep nesting is an error, not a crash. */
START_TEST(settings_deep)
{
    enum { DEPTH = 5000 };
    static char text[2 * DEPTH + 20];
    strcpy(text, "rules = ");
    memset(text + 8, '(', DEPTH);
    memset(text + 8 + DEPTH, ')', DEPTH);
    strcpy(text + 8 + 2 * DEPTH, ";");
    ck_assert_int_eq(load(text), STATUS_INVALID);
    ck_assert_uint_eq(problems.errors, 1);
}
END_TEST

START_TEST(settings_relative_path)
{
    char *before = getcwd(NULL, 0);
    char path[PATH_MAX + 40];
    write_file("m.conf", "privacy = { key_file = \"key\"; };\nstore = { nodes = 2; };",
               56);
    ck_assert_int_eq(chdir(folder), 0);
    enum status status = settings_load("m.conf", &settings, &problems);
    ck_assert_int_eq(chdir(before), 0);
    free(before);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_str_eq(settings.file, "m.conf");
    snprintf(path, sizeof path, "%s/key", folder);
    ck_assert_str_eq(settings.privacy.key_file, path);
}
END_TEST

/* The same lists by other servers keep their members; another directory has its own. */
int main(void)
{
    Suite *suite = suite_create("settings_files");
    TCase *tests = tcase_create("settings_files");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, settings_includes_from_its_folder);
    tcase_add_test(tests, settings_include_problems);
    tcase_add_loop_test(tests, settings_a_missing_comma, 0,
                        sizeof joints / sizeof *joints);
    tcase_add_test(tests, settings_a_missing_comma_across_files);
    tcase_add_test(tests, settings_a_long_text_may_be_joined);
    tcase_add_test(tests, settings_a_byte_order_mark);
    tcase_add_test(tests, settings_unreadable);
    tcase_add_test(tests, settings_nul_is_no_end);
    tcase_add_test(tests, settings_deep);
    tcase_add_test(tests, settings_relative_path);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
