/* Tables fit a terminal, and what is to be typed is never cut. */
#include "base/grid.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/instant.h"
#include "capture.h"

#define TEN "0123456789"

static const struct grid_column columns[] = {
    {"ID", GRID_KEY}, {"TEXT", GRID_TEXT}, {"N", GRID_NUMBER}, {"KEY", GRID_KEY}};

static void add(struct grid *grid, const char *id, const char *text, const char *key)
{
    grid_add(grid, id);
    grid_add(grid, text);
    grid_add_number(grid, 7);
    grid_add(grid, key);
}

static const char *print(struct grid *grid, size_t indent)
{
    static char text[4000];
    struct capture out = capture_begin(stdout);
    grid_print(grid, indent);
    (void)snprintf(text, sizeof text, "%s", capture_end(&out));
    return text;
}

START_TEST(grid_is_as_wide_as_it_must_be)
{
    struct grid *grid = grid_new(columns, 4);
    add(grid, "a", "some text", "x");
    add(grid, "bcd", "", "login:a@b");
    ck_assert_str_eq(print(grid, 0), "ID  TEXT      N KEY\n"
                                     "a   some text 7 x\n"
                                     "bcd           7 login:a@b\n");
}
END_TEST

START_TEST(grid_cuts_texts_for_keys)
{
    struct grid *grid = grid_new(columns, 4);
    add(grid, TEN, TEN TEN TEN TEN TEN, TEN TEN TEN TEN TEN TEN);
    ck_assert_str_eq(print(grid, 0),
                     "ID         TEXT                       N KEY\n"
                     "0123456789 012345678901234567890123.. 7 " TEN TEN TEN TEN TEN TEN
                     "\n");
}
END_TEST

START_TEST(grid_breaks_the_line_for_a_last_key)
{
    struct grid *grid = grid_new(columns, 4);
    add(grid, TEN, TEN TEN, TEN TEN TEN TEN TEN TEN TEN TEN TEN);
    add(grid, "b", "c", "d");
    const char *text = print(grid, 0);
    ck_assert_ptr_nonnull(
        strstr(text, "\n    " TEN TEN TEN TEN TEN TEN TEN TEN TEN "\nb "));
}
END_TEST

START_TEST(grid_breaks_the_line_behind_another_key)
{
    static const struct grid_column two[] = {{"KEY", GRID_KEY}, {"N", GRID_NUMBER}};
    char key[151];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    struct grid *grid = grid_new(two, 2);
    grid_add(grid, key);
    grid_add_number(grid, 5);
    const char *text = print(grid, 0);
    const char *line = strchr(text, '\n') + 1;
    ck_assert_int_eq(strncmp(line, key, strlen(key)), 0);
    ck_assert_str_eq(strrchr(line, ' '), " 5\n");
}
END_TEST

START_TEST(grid_shows_nothing_strange)
{
    static const struct grid_column one[] = {{"KEY", GRID_KEY}};
    struct grid *grid = grid_new(one, 1);
    grid_add(grid, "\"<script>\x1b[2J\xe2\x80\xae\xff\\\n\"@x");
    ck_assert_str_eq(print(grid, 2),
                     "  KEY\n"
                     "  \"<script>\\x1b[2J\\xe2\\x80\\xae\\xff\\x5c\\x0a\"@x\n");
}
END_TEST

START_TEST(grid_may_be_empty)
{
    ck_assert_str_eq(print(grid_new(columns, 4), 0), "ID TEXT N KEY\n");
    grid_free(grid_new(columns, 4));
    grid_free(NULL);
}
END_TEST

/* Of another day, date and zone stand with it. */
START_TEST(instant_says_which_day)
{
    static const struct {
        const char *instant;
        const char *local;
    } cases[] = {
        {"2026-07-25T17:02:33Z", "19:02"},
        {"2026-07-24T22:00:00Z", "00:00"},
        {"2026-07-24T21:59:59Z", "24 Jul 23:59 CEST"},
        {"2026-01-25T17:02:33Z", "25 Jan 18:02 CET"},
        {"2025-07-25T17:02:33Z", "25 Jul 2025 19:02 CEST"},
        {"never", "never"},
    };
    char local[INSTANT_SIZE];
    int64_t now_ms = 0;
    ck_assert_int_eq(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
    tzset();
    ck_assert(instant_parse("2026-07-25T12:00:00Z", &now_ms));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        instant_local(cases[i].instant, now_ms, local);
        ck_assert_str_eq(local, cases[i].local);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grid");
    TCase *cases = tcase_create("grid");
    tcase_add_test(cases, grid_is_as_wide_as_it_must_be);
    tcase_add_test(cases, instant_says_which_day);
    tcase_add_test(cases, grid_cuts_texts_for_keys);
    tcase_add_test(cases, grid_breaks_the_line_for_a_last_key);
    tcase_add_test(cases, grid_breaks_the_line_behind_another_key);
    tcase_add_test(cases, grid_shows_nothing_strange);
    tcase_add_test(cases, grid_may_be_empty);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
