/* What Postfix's tables say, whatever their type. */
#include "cli/mta/postmap.h"
#include "run.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test_postmap.XXXXXX";
static char found[4000];

static void take(void *context, const struct postmap_entry *entry)
{
    size_t used = strlen(found);
    (void)context;
    (void)snprintf(found + used, sizeof found - used, "%s%s=%s;",
                   entry->pattern ? "~" : "", entry->key == NULL ? "*" : entry->key,
                   entry->value);
}

static const char *put(const char *name, const char *text)
{
    static char path[200];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    (void)fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

static const struct vector {
    const char *table, *found;
    bool known;
} vectors[] = {
    {"inline:{ a=b }", "a=b;", true},
    {"inline:{ a=b, { c = d, e } }", "a=b;c=d, e;", true},
    {"inline:{{a=b}}", "a=b;", true},
    {"static:x", "*=x;", true},
    {"static:{ x y }", "*=x y;", true},
    {"randmap:{ a, b }", "*=a;*=b;", true},
    {"pcre:{ { /^a b/i x }, { !/c\\/d/ y } }", "~/^a b/i=x;~!/c\\/d/=y;", true},
    {"cidr:{ { 10.0.0.0/8 DISABLE } }", "10.0.0.0/8=DISABLE;", true},
    {"unionmap:{ static:a, proxy:inline:{ b=c } }", "b=c;*=a;", true},
    {"unionmap:{ static:a, ldap:/x }", "*=a;", false},
    {"proxy:unionmap:{ static:a }", "*=a;", true},
    {"fail:x", "", true},
    {"ldap:/etc/x", "", false},
    {"proxy:mysql:/etc/x", "", false},
    {"pipemap:{ static:a, static:b }", "", false},
    {"socketmap:inet:h:1:n", "", false},
    {"hash:/no/such/file", "", false},
    {"inline:", "", true},
    {"inline:{", "", true},
    {"pcre:{ { x } }", "", true},
};

START_TEST(postmap_says_what_is_in_a_table)
{
    char unknown[200];
    found[0] = '\0';
    ck_assert_int_eq(postmap_read(vectors[_i].table, take, NULL, unknown, sizeof unknown),
                     vectors[_i].known);
    ck_assert_str_eq(found, vectors[_i].found);
}
END_TEST

static void expect_text(const char *type, const char *text, const char *says)
{
    char table[300];
    char unknown[300];
    (void)snprintf(table, sizeof table, "%s:%s", type, put("text", text));
    found[0] = '\0';
    ck_assert(postmap_read(table, take, NULL, unknown, sizeof unknown));
    ck_assert_str_eq(found, says);
}

START_TEST(postmap_reads_texts)
{
    expect_text("hash", "# no\na b\n  c\n\n\"x y\"\tz \n", "a=b   c;\"x y\"=z;");
    expect_text("proxy:btree", "key\n", "key=;");
    expect_text("regexp", "if /x/\n/^a/ b $1\nendif\n# c\n!/d/ e\n",
                "~/^a/=b $1;~!/d/=e;");
    expect_text("cidr", "if 10.0.0.0/8\n10.1.0.0/16 A\nendif\n::1 B\n",
                "10.1.0.0/16=A;::1=B;");
    expect_text("lmdb", "a b\r\nc d\r\n", "a=b;c=d;");
}
END_TEST

START_TEST(postmap_knows_its_age)
{
    char table[300];
    char out[300];
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    (void)snprintf(table, sizeof table, "hash:%s", put("map", "a b\n"));
    ck_assert_int_eq(postmap_age(table, out, sizeof out), POSTMAP_NONE);
    const char *compiled = put("map.db", "");
    ck_assert_int_eq(postmap_age(table, out, sizeof out), POSTMAP_FRESH);
    ck_assert_int_eq(utimensat(AT_FDCWD, compiled, old, 0), 0);
    ck_assert_int_eq(postmap_age(table, out, sizeof out), POSTMAP_STALE);
    ck_assert_str_eq(out, compiled);
    ck_assert_int_eq(unlink(postmap_text(table)), 0);
    ck_assert_int_eq(postmap_age(table, out, sizeof out), POSTMAP_WITHOUT_TEXT);
    ck_assert_int_eq(unlink(compiled), 0);
    ck_assert_ptr_null(postmap_text("cidr:/x"));
    ck_assert_ptr_null(postmap_text("pcre:/x"));
    ck_assert_str_eq(postmap_text("proxy:hash:/x"), "/x");
}
END_TEST

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void tear_down(void)
{
    (void)unlink(put("text", ""));
    ck_assert_int_eq(rmdir(folder), 0);
}

int main(void)
{
    Suite *suite = suite_create("postmap");
    TCase *tests = tcase_create("postmap");
    tcase_add_unchecked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, postmap_says_what_is_in_a_table, 0,
                        sizeof vectors / sizeof vectors[0]);
    tcase_add_test(tests, postmap_reads_texts);
    tcase_add_test(tests, postmap_knows_its_age);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
