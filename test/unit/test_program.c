/* Running a program: its words, what it sees, what it says, and when it overstays. */
#include "base/program.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "run.h"

static struct text got;
static struct error failure;

static void clear(void)
{
    text_clear(&got);
}

static void take_length(void *context, const char *line)
{
    (void)context;
    text_printf(&got, "%zu|", strlen(line));
}

static void take(void *context, const char *line)
{
    (void)context;
    text_printf(&got, "%s|", line);
}

static enum status shell(const char *script, const char *input,
                         void (*lines)(void *, const char *), int ms)
{
    static const char *const more[] = {"", "a b;c", NULL};
    const struct program program = {.words = {"/bin/sh", "-c", script, "sh"},
                                    .more = more,
                                    .input = input,
                                    .input_length = input == NULL ? 0 : strlen(input),
                                    .take = lines};
    failure = (struct error){0};
    return program_run(&program, clock_monotonic_us() + ms * INT64_C(1000), &failure);
}

START_TEST(program_passes_words_input_and_nothing_else)
{
    ck_assert_int_eq(setenv("MAILBRAKE_SECRET", "x", 1), 0);
    ck_assert_int_eq(shell("echo \"$#,$1,$2\"; cat; echo; env | grep -v PWD | sort; ls "
                           "/proc/self/fd | wc -l",
                           "line 1\nline 2", take, 10000),
                     STATUS_OK);
    ck_assert_str_eq(text_string(&got), "2,,a b;c|line 1|line 2|LC_ALL=C|"
                                        "PATH=/usr/sbin:/usr/bin:/sbin:/bin|4|");
}
END_TEST

START_TEST(program_gives_whole_lines)
{
    ck_assert_int_eq(
        shell("head -c 400000 /dev/zero | tr '\\0' x; echo; echo; printf end", NULL,
              take_length, 10000),
        STATUS_OK);
    ck_assert_str_eq(text_string(&got), "400000|0|3|");
}
END_TEST

START_TEST(program_may_not_flood_us)
{
    ck_assert_int_eq(shell("tr '\\0' x </dev/zero", NULL, take_length, 20000),
                     STATUS_LIMIT);
    ck_assert_str_eq(failure.text, "/bin/sh printed a line that is too long");
    ck_assert_int_eq(shell("yes >&2; echo last >&2; exit 3", NULL, take, 10000),
                     STATUS_IO);
    ck_assert_str_eq(failure.text, "y");
    ck_assert_int_eq(shell("yes; exit 3", NULL, NULL, 10000), STATUS_IO);
}
END_TEST

START_TEST(program_tells_the_last_complaint)
{
    ck_assert_int_eq(shell("echo first >&2; echo second >&2; exit 3", NULL, NULL, 10000),
                     STATUS_IO);
    ck_assert_str_eq(failure.text, "second");
    ck_assert_int_eq(shell("exit 3", NULL, NULL, 10000), STATUS_IO);
    ck_assert_str_eq(failure.text, "/bin/sh exited with status 3");
}
END_TEST

START_TEST(program_may_have_our_environment)
{
    ck_assert_int_eq(setenv("MAILBRAKE_SECRET", "x", 1), 0);
    const struct program program = {
        .words = {"/bin/sh", "-c", "read word && test $word$MAILBRAKE_SECRET = wx"},
        .input = "w\n",
        .input_length = 2,
        .inherits = true,
    };
    ck_assert_int_eq(program_run(&program, clock_monotonic_us() + 10000000, &failure),
                     STATUS_OK);
}
END_TEST

START_TEST(program_reports_a_signal)
{
    ck_assert_int_eq(shell("kill -9 $$", NULL, NULL, 10000), STATUS_IO);
    ck_assert_str_eq(failure.text, "/bin/sh was killed by signal 9");
}
END_TEST

START_TEST(program_reports_what_is_not_there)
{
    const struct program program = {.words = {"/nonexistent/postcat"}};
    ck_assert_int_eq(program_run(&program, clock_monotonic_us() + 1000000, &failure),
                     STATUS_IO);
    ck_assert_str_eq(failure.text, "cannot run /nonexistent/postcat");
}
END_TEST

START_TEST(program_kills_at_the_deadline)
{
    int64_t start_us = clock_monotonic_us();
    ck_assert_int_eq(shell("sleep 20", NULL, NULL, 100), STATUS_UNAVAILABLE);
    ck_assert_int_eq(shell("sleep 20", NULL, take, 100), STATUS_UNAVAILABLE);
    ck_assert_int_eq(shell("exec yes", NULL, take, 100), STATUS_UNAVAILABLE);
    ck_assert_int_lt(clock_monotonic_us() - start_us, 5000000);
}
END_TEST

START_TEST(program_does_not_wait_for_children_left_behind)
{
    int64_t start_us = clock_monotonic_us();
    ck_assert_int_eq(shell("sleep 3 &", NULL, NULL, 10000), STATUS_OK);
    ck_assert_int_eq(shell("sleep 3 & echo here", NULL, take, 10000), STATUS_OK);
    ck_assert_str_eq(text_string(&got), "here|");
    ck_assert_int_lt(clock_monotonic_us() - start_us, 2000000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("program");
    TCase *cases = tcase_create("program");
    tcase_add_checked_fixture(cases, NULL, clear);
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, program_passes_words_input_and_nothing_else);
    tcase_add_test(cases, program_gives_whole_lines);
    tcase_add_test(cases, program_may_not_flood_us);
    tcase_add_test(cases, program_tells_the_last_complaint);
    tcase_add_test(cases, program_may_have_our_environment);
    tcase_add_test(cases, program_reports_a_signal);
    tcase_add_test(cases, program_reports_what_is_not_there);
    tcase_add_test(cases, program_kills_at_the_deadline);
    tcase_add_test(cases, program_does_not_wait_for_children_left_behind);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
