/* Files of Postfix that hold no list are told for what they are. */
#include "lists/foreign.h"
#include "lists_fixture.h"
#include "run.h"

static struct error error;

static enum status check_text(const char *text)
{
    struct file file = {.data = strdup(text), .length = strlen(text)};
    enum status status = foreign_check(&file, "/some/file", &error);
    file_clear(&file);
    return status;
}

START_TEST(foreign_files_are_named)
{
    static const struct {
        const char *text, *what;
        int line;
    } cases[] = {
        {"/^all@x\\.example$/  ann@x.example\n", "pcre_table(5)", 1},
        {"# hello\n\n/^(.*)@old\\.example$/i\t$1@new.example\n", "regexp_table(5)", 3},
        {"ann@x.example bob\n!/x/ y\n", "pcre_table(5)", 2},
        {"# x\n/^all@/i\n  ann@x.example bob@x.example\n", "pcre_table(5)", 2},
        {"if /@x/\n/a/ b\nendif\n", "pcre_table(5)", 1},
        {"if !/@x/\n", "pcre_table(5)", 1},
        {"a@b c@d\nendif\n", "pcre_table(5)", 2},
        {"10.0.0.0/8 x@y\n", "cidr_table(5)", 1},
        {"2001:db8::/32 x@y\n", "cidr_table(5)", 1},
        {"192.0.2.1 OK\n", "cidr_table(5)", 1},
        {"if 10.0.0.0/8\n", "cidr_table(5)", 1},
        {"server_host = ldap.example\nsearch_base = dc=x\n", "ldap_table(5)", 1},
        {"version = 3\nbind = yes\nserver_host = ldaps://x:636\n", "ldap_table(5)", 1},
        {"query_filter=(mail=%s)\n", "ldap_table(5)", 1},
        {"user = mail\npassword = secret\nhosts = localhost\n", "mysql_table(5)", 1},
        {"# x\nquery = SELECT a FROM b WHERE c='%s'\n", "pgsql_table(5)", 2},
        {"query=SELECT a FROM b\n", "mysql_table(5)", 1},
        {"dbpath = /var/lib/x.db\nquery = SELECT 1\n", "sqlite_table(5)", 1},
        {"myhostname = x.example\nmydestination = $myhostname\n", "main.cf", 1},
        {"memcache = inet:localhost:11211\n", "name = value", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(check_text(cases[i].text) == STATUS_INVALID, "%s", cases[i].text);
        ck_assert_msg(strstr(error.text, cases[i].what) != NULL, "%s: %s", cases[i].text,
                      error.text);
        ck_assert_int_eq(error.line, cases[i].line);
        ck_assert_str_eq(error.file, "/some/file");
        ck_assert_ptr_null(strstr(error.text, "secret"));
    }
}
END_TEST

START_TEST(foreign_lists_are_none)
{
    static const char *const texts[] = {
        "",
        "ann@x.example\nbob\n",
        "a=b@x.example c@y.example\n",
        "user=x@y.example z@y.example\n",
        "if: a, b\nendif: c\n",
        "all: /var/mail/all, |/usr/bin/x\n",
        "/var/mail/all\n",
        "/dev/null\n  \nann@x.example\n",
        "/dev/null # who has left\n  # all of them\n",
        "\"/a b/\"@x.example c\n",
        "x /a/ b\n",
        "[10.0.0.1] x\n",
        "ann@[10.0.0.1] x\n",
        "# server_host = x\n",
        "bob ann@x,\n  server_host = x\n",
        "hosts: a, b\n",
        "query@x.example a, b\n",
        "if ann@x.example\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(check_text(texts[i]) == STATUS_OK, "%s", texts[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("foreign");
    TCase *test = tcase_create("foreign");
    tcase_add_test(test, foreign_files_are_named);
    tcase_add_test(test, foreign_lists_are_none);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
