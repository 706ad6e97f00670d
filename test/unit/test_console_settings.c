/* What mailbrake-console reads, and what of a configuration it doesn't mind. */
#include "conf/console_settings.h"
#include "run.h"
#include "settings_fixture.h"

static struct console_settings console;

static enum status load_console(const char *text)
{
    console_settings_clear(&console);
    write_text("m.conf", text);
    return console_settings_load(file, &console, &problems);
}

static void end(void)
{
    console_settings_clear(&console);
    tear_down();
}

START_TEST(console_settings_default)
{
    ck_assert_int_eq(load_console(""), STATUS_OK);
    ck_assert_str_eq(console.user, "mailbrake-console");
    ck_assert_str_eq(console.proxy_user, "www-data");
    ck_assert_str_eq(console.user_header, "X-Remote-User");
    ck_assert_uint_eq(console.host_count, 0);
    ck_assert_str_eq(console.socket, CONSOLE_SETTINGS_SOCKET);
}
END_TEST

START_TEST(console_settings_are_all_it_reads)
{
    ck_assert_int_eq(
        load_console("rules = 1; control = { socket = \"/run/x.sock\"; group = 7; };\n"
                     "console = { hosts = [ \"a.example\", \"b\" ]; user = \"u\";\n"
                     "user_header = \"X-Forwarded-User\"; proxy_user = \"p\"; };\n"),
        STATUS_OK);
    ck_assert_uint_eq(console.host_count, 2);
    ck_assert_str_eq(console.hosts[0], "a.example");
    ck_assert_str_eq(console.hosts[1], "b");
    ck_assert_str_eq(console.user, "u");
    ck_assert_str_eq(console.proxy_user, "p");
    ck_assert_str_eq(console.user_header, "X-Forwarded-User");
    ck_assert_str_eq(console.socket, "/run/x.sock");
}
END_TEST

START_TEST(console_settings_refuse)
{
    static const char *const wrong[] = {
        "console = { hosts = \"a\"; };",      "console = { hosts = [ \"a:8\" ]; };",
        "console = { hosts = [ 1 ]; };",      "console = { hosts = [ \"\" ]; };",
        "console = { user_header = \"\"; };", "console = { user_header = \"X Y\"; };",
        "console = { port = 80; };",          "console = 1;",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(load_console(wrong[i]), STATUS_INVALID);
        ck_assert_uint_eq(problems.errors, i + 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("console_settings");
    TCase *tcase = tcase_create("console_settings");
    tcase_add_checked_fixture(tcase, set_up, end);
    tcase_add_test(tcase, console_settings_default);
    tcase_add_test(tcase, console_settings_are_all_it_reads);
    tcase_add_test(tcase, console_settings_refuse);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
