/* Running a program: its words, what it sees, what it says, and when it overstays. */
#include "admin/mta_run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static struct text got;
static struct error failure;

static void clear(void)
{
    text_clear(&got);
}

/* The lengths of the pieces of each line. */
static void take(void *context, const char *piece, bool first, bool last)
{
    (void)context;
    text_printf(&got, "%s%zu%s", first ? "" : "+", strlen(piece), last ? "\n" : "");
}

static void take_whole(void *context, const char *piece, bool first, bool last)
{
    (void)context;
    (void)first;
    (void)last;
    text_printf(&got, "%s|", piece);
}

static enum status shell(const char *script, const struct text *input,
                         void (*lines)(void *, const char *, bool, bool), int ms)
{
    const char *argv[] = {"/bin/sh", "-c", script, "sh", "", "a b;c", NULL};
    const struct mta_run_lines to = {lines, NULL};
    failure = (struct error){0};
    return mta_run(argv, input, lines == NULL ? NULL : &to,
                   clock_monotonic_us() + ms * INT64_C(1000), &failure);
}

START_TEST(run_passes_words_input_and_nothing_else)
{
    struct text input = {0};
    text_add_string(&input, "line 1\nline 2");
    ck_assert_int_eq(setenv("MAILBRAKE_SECRET", "x", 1), 0);
    ck_assert_int_eq(shell("echo \"$#,$1,$2\"; cat; echo; env | grep -v PWD | sort; ls "
                           "/proc/self/fd | wc -l",
                           &input, take_whole, 10000),
                     STATUS_OK);
    text_clear(&input);
    ck_assert_str_eq(text_string(&got), "2,,a b;c|line 1|line 2|LC_ALL=C|"
                                        "PATH=/usr/sbin:/usr/bin:/sbin:/bin|4|");
}
END_TEST

START_TEST(run_cuts_long_lines_into_pieces)
{
    ck_assert_int_eq(shell("head -c 40000 /dev/zero | tr '\\0' x; echo; echo; printf end",
                           NULL, take, 10000),
                     STATUS_OK);
    ck_assert_str_eq(text_string(&got), "16384+16384+7232\n0\n3\n");
}
END_TEST

START_TEST(run_tells_the_last_complaint)
{
    ck_assert_int_eq(shell("echo first >&2; echo second >&2; exit 3", NULL, NULL, 10000),
                     STATUS_IO);
    ck_assert_str_eq(failure.text, "second");
    ck_assert_int_eq(shell("exit 3", NULL, NULL, 10000), STATUS_IO);
    ck_assert_str_eq(failure.text, "/bin/sh ended with 3");
}
END_TEST

START_TEST(run_reports_what_is_not_there)
{
    const char *argv[] = {"/nonexistent/postcat", NULL};
    ck_assert_int_eq(mta_run(argv, NULL, NULL, clock_monotonic_us() + 1000000, &failure),
                     STATUS_IO);
    ck_assert_ptr_nonnull(strstr(failure.text, "cannot run /nonexistent/postcat"));
}
END_TEST

START_TEST(run_kills_at_the_deadline)
{
    int64_t start_us = clock_monotonic_us();
    ck_assert_int_eq(shell("sleep 20", NULL, NULL, 100), STATUS_UNAVAILABLE);
    ck_assert_int_eq(shell("sleep 20", NULL, take, 100), STATUS_UNAVAILABLE);
    ck_assert_int_eq(shell("exec yes", NULL, take_whole, 100), STATUS_UNAVAILABLE);
    ck_assert_int_lt(clock_monotonic_us() - start_us, 5000000);
}
END_TEST

START_TEST(run_does_not_wait_for_children_left_behind)
{
    int64_t start_us = clock_monotonic_us();
    ck_assert_int_eq(shell("sleep 3 &", NULL, NULL, 10000), STATUS_OK);
    ck_assert_int_lt(clock_monotonic_us() - start_us, 2000000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mta_run");
    TCase *cases = tcase_create("mta_run");
    tcase_add_checked_fixture(cases, NULL, clear);
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, run_passes_words_input_and_nothing_else);
    tcase_add_test(cases, run_cuts_long_lines_into_pieces);
    tcase_add_test(cases, run_tells_the_last_complaint);
    tcase_add_test(cases, run_reports_what_is_not_there);
    tcase_add_test(cases, run_kills_at_the_deadline);
    tcase_add_test(cases, run_does_not_wait_for_children_left_behind);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
