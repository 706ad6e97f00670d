/* What a request's header fields must say, attack by attack. */
#include "console/guard.h"
#include "run.h"

static const char *const loopback[] = {"127.0.0.1", "localhost", "[::1]"};
static const char *const names[] = {"mail.district.example"};
static const struct guard mine = {"http", loopback, 3};
static const struct guard proxied = {"https", names, 1};

#define HERE "127.0.0.1:8025"
#define OURS "http://127.0.0.1:8025"

struct line {
    const struct guard *guard;
    struct guard_fields fields;
    bool is_page, good;
};

static const struct line lines[] = {
    {&mine, {"GET", HERE, NULL, NULL, NULL}, true, true},
    {&mine, {"GET", "LocalHost:9000", NULL, "none", NULL}, true, true}, /* a tunnel */
    {&mine, {"GET", "[::1]:8025", NULL, NULL, NULL}, false, true},
    {&mine, {"GET", "localhost", NULL, NULL, NULL}, false, true},
    {&mine, {"GET", HERE, NULL, "same-origin", NULL}, false, true},
    {&mine, {"POST", HERE, OURS, "same-origin", "1"}, false, true},
    {&mine,
     {"DELETE", "localhost:8025", "http://localhost:8025", NULL, "1"},
     false,
     true},
    /* DNS rebinding, and what only looks like our name */
    {&mine, {"GET", "evil.example:8025", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", NULL, NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", ":8025", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "127.0.0.1.evil.example", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "127.0.0.1:8025.evil.example", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "127.0.0.1:", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "[::1", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "evil@127.0.0.1", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "127.0.0.1.", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "localhost.:8025", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "127.1", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "2130706433:8025", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "[::ffff:127.0.0.1]:8025", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "[::1].evil.example", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "127.0.0.1:80:90", NULL, NULL, NULL}, true, false},
    {&mine, {"GET", "127.0.0.1,evil.example", NULL, NULL, NULL}, true, false},
    /* another site's page */
    {&mine, {"GET", HERE, "http://evil.example", NULL, NULL}, false, false},
    {&mine, {"GET", HERE, NULL, "cross-site", NULL}, false, false},
    {&mine, {"GET", HERE, NULL, "same-site", NULL}, false, false},
    {&mine, {"GET", HERE, NULL, "cross-site", NULL}, true, true}, /* a link to the page */
    {&mine, {"GET", HERE, "http://localhost:8025", NULL, NULL}, false, false},
    {&mine, {"GET", HERE, "http://127.0.0.1:9999", NULL, NULL}, false, false},
    {&mine, {"POST", HERE, "http://127.0.0.1:9999", NULL, "1"}, false, false},
    {&mine, {"POST", HERE, "https://127.0.0.1:8025", NULL, "1"}, false, false},
    {&mine, {"POST", HERE, "null", NULL, "1"}, false, false},
    {&mine, {"POST", HERE, OURS ".evil.example", NULL, "1"}, false, false},
    {&mine, {"POST", HERE, NULL, NULL, "1"}, false, false},  /* a stolen cookie */
    {&mine, {"POST", HERE, OURS, NULL, NULL}, false, false}, /* a form */
    {&mine, {"POST", HERE, OURS, NULL, "2"}, false, false},
    {&mine, {"POST", HERE, OURS, "cross-site", "1"}, false, false},
    {&mine, {"OPTIONS", HERE, NULL, NULL, NULL}, false, false},
    /* behind a proxy */
    {&proxied, {"GET", "mail.district.example", NULL, NULL, NULL}, true, true},
    {&proxied,
     {"PUT", "mail.district.example", "https://mail.district.example", NULL, "1"},
     false,
     true},
    {&proxied,
     {"PUT", "mail.district.example", "http://mail.district.example", NULL, "1"},
     false,
     false},
    {&proxied, {"GET", "MAIL.District.example:443", NULL, NULL, NULL}, true, true},
    {&proxied, {"GET", "mail.district.example.", NULL, NULL, NULL}, true, false},
    {&proxied, {"GET", "127.0.0.1", NULL, NULL, NULL}, true, false},
    {&proxied, {"GET", "district.example", NULL, NULL, NULL}, true, false},
};

START_TEST(guard_lets_in_our_page_alone)
{
    const struct line *line = &lines[_i];
    const char *why = guard_refusal(line->guard, &line->fields, line->is_page);
    if (line->good)
        ck_assert_ptr_null(why);
    else
        ck_assert_ptr_nonnull(why);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guard");
    TCase *tcase = tcase_create("guard");
    tcase_add_loop_test(tcase, guard_lets_in_our_page_alone, 0,
                        sizeof lines / sizeof lines[0]);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
