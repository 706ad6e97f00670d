/* What reaches stderr: one clean line each, and not too many of them. */
#include "base/log.h"

#include <check.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "run.h"

enum { CAPTURE_SIZE = 1 << 20 };

static int64_t now_us;
static FILE *captured;
static int real_stderr;
static char written[CAPTURE_SIZE];

/* In the place of base/clock.c, which the linker then leaves out. */
int64_t clock_monotonic_us(void)
{
    return now_us;
}

static void begin(void)
{
    captured = tmpfile();
    ck_assert_ptr_nonnull(captured);
    real_stderr = dup(STDERR_FILENO);
    ck_assert_int_ge(real_stderr, 0);
    ck_assert_int_ge(dup2(fileno(captured), STDERR_FILENO), 0);
    ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
    log_open("tested");
}

static void end(void)
{
    (void)dup2(real_stderr, STDERR_FILENO);
    (void)close(real_stderr);
    (void)fclose(captured);
}

/* All that was written so far. */
static const char *output(void)
{
    ssize_t length = pread(fileno(captured), written, sizeof written - 1, 0);
    ck_assert_int_ge(length, 0);
    written[length] = '\0';
    return written;
}

static size_t lines_with(const char *text)
{
    size_t count = 0;
    for (const char *at = output(); (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

START_TEST(log_print_names_program_and_severity)
{
    log_print(SEVERITY_ERROR, "a %d", 1);
    log_print(SEVERITY_WARNING, "b");
    log_print(SEVERITY_INFO, "c");
    ck_assert_str_eq(output(), "tested: error: a 1\ntested: warning: b\ntested: c\n");
}
END_TEST

/* Says that the journal reads the file of this device and inode, see systemd.exec(5). */
static void journal_is(uintmax_t device, uintmax_t inode)
{
    char stream[64];
    (void)snprintf(stream, sizeof stream, "%ju:%ju", device, inode);
    ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
    log_open("tested");
}

START_TEST(log_print_takes_the_journal_s_priorities)
{
    struct stat file;
    ck_assert_int_eq(fstat(STDERR_FILENO, &file), 0);
    journal_is(file.st_dev, file.st_ino);
    log_print(SEVERITY_ERROR, "a");
    log_print(SEVERITY_INFO, "b");
    ck_assert_str_eq(output(), "<3>a\n<6>b\n");
}
END_TEST

START_TEST(log_print_elsewhere_is_for_people)
{
    struct stat file;
    ck_assert_int_eq(fstat(STDERR_FILENO, &file), 0);
    journal_is(file.st_dev, file.st_ino + 1); /* inherited, but stderr was redirected */
    log_print(SEVERITY_INFO, "a");
    ck_assert_int_eq(setenv("JOURNAL_STREAM", "nonsense", 1), 0);
    log_open("tested");
    log_print(SEVERITY_INFO, "b");
    ck_assert_str_eq(output(), "tested: a\ntested: b\n");
}
END_TEST

START_TEST(log_print_is_one_clean_line)
{
    log_print(SEVERITY_INFO, "%s", "a\nb\r\033[2J\x7f\xe2\x80\xae \"q\" \\ %n");
    ck_assert_str_eq(output(),
                     "tested: a\\x0ab\\x0d\\x1b[2J\\x7f\\xe2\\x80\\xae \"q\" \\ %n\n");
}
END_TEST

START_TEST(log_print_cuts_what_is_endless)
{
    char *large = malloc(100000);
    ck_assert_ptr_nonnull(large);
    memset(large, '\n', 99999);
    large[99999] = '\0';
    log_print(SEVERITY_INFO, "%s", large);
    ck_assert_uint_gt(strlen(output()), 1000);
    ck_assert_uint_lt(strlen(output()), 10000);
    ck_assert_uint_eq(lines_with("\n"), 1);
    free(large);
}
END_TEST

START_TEST(log_field_quotes_and_escapes)
{
    struct text line = {0};
    log_field(&line, "plain", "a@b");
    log_field(&line, "empty", "");
    log_field(&line, "blank", "a b");
    log_field(&line, "equals", "rule=x");
    log_field(&line, "quote", "a\" verdict=accept");
    log_field(&line, "bytes", "\n\x01\xff\\");
    log_field_number(&line, "least", INT64_MIN);
    ck_assert_str_eq(text_string(&line),
                     "plain=a@b empty=\"\" blank=\"a b\" equals=\"rule=x\" "
                     "quote=\"a\\x22 verdict=accept\" bytes=\\x0a\\x01\\xff\\x5c "
                     "least=-9223372036854775808");
    log_line(SEVERITY_INFO, &line);
    ck_assert_uint_eq(lines_with("\n"), 1);
    ck_assert_uint_eq(lines_with("tested: plain=a@b"), 1);
    text_clear(&line);
}
END_TEST

START_TEST(log_field_cuts_a_long_value)
{
    struct text line = {0};
    char *large = malloc(65537);
    ck_assert_ptr_nonnull(large);
    memset(large, 'x', 65536);
    large[65536] = '\0';
    log_field(&line, "mid", large);
    ck_assert_uint_lt(line.length, 400);
    ck_assert_str_eq(text_string(&line) + line.length - 3, "...");
    text_clear(&line);
    free(large);
}
END_TEST

static void flood(int count)
{
    for (int i = 0; i < count; i++)
        log_throttled(SEVERITY_WARNING, "flood %d", i);
}

START_TEST(log_throttled_says_what_it_kept_back)
{
    uint64_t before = log_suppressed();
    now_us = INT64_C(100) * 60 * 1000000;
    flood(25);
    ck_assert_uint_eq(lines_with("flood"), LOG_PER_MINUTE);
    ck_assert_uint_eq(log_suppressed() - before, 25 - LOG_PER_MINUTE);
    ck_assert_uint_eq(lines_with("suppressed"), 0);
    log_throttled(SEVERITY_ERROR, "another %s", "kind");
    ck_assert_uint_eq(lines_with("error: another kind"), 1);

    now_us += INT64_C(60) * 1000000;
    flood(1);
    ck_assert_uint_eq(lines_with("warning: 15 lines like the next one were suppressed\n"),
                      1);
    ck_assert_uint_eq(lines_with("flood"), LOG_PER_MINUTE + 1);
    flood(LOG_PER_MINUTE);
    ck_assert_uint_eq(lines_with("flood"), 2 * LOG_PER_MINUTE);

    now_us += INT64_C(600) * 1000000;
    flood(1);
    ck_assert_uint_eq(lines_with("warning: 1 lines like the next one"), 1);
    now_us += INT64_C(60) * 1000000;
    flood(1);
    ck_assert_uint_eq(lines_with("suppressed"), 2);
}
END_TEST

static void *write_lines(void *letter)
{
    struct text line = {0};
    for (int i = 0; i < 300; i++)
        text_add_string(&line, letter);
    for (int i = 0; i < 200; i++)
        log_line(SEVERITY_INFO, &line);
    text_clear(&line);
    return NULL;
}

START_TEST(log_lines_of_threads_do_not_mix)
{
    static char letters[][2] = {"a", "b", "c", "d"};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, letters[i]), 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    (void)output();
    size_t count = 0;
    for (char *line = strtok(written, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char letter[] = {line[8], '\0'};
        ck_assert_uint_eq(strlen(line), 8 + 300);
        ck_assert_uint_eq(strspn(line + 8, letter), 300);
        count++;
    }
    ck_assert_uint_eq(count, 4 * 200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *cases = tcase_create("log");
    tcase_add_checked_fixture(cases, begin, end);
    tcase_add_test(cases, log_print_names_program_and_severity);
    tcase_add_test(cases, log_print_takes_the_journal_s_priorities);
    tcase_add_test(cases, log_print_elsewhere_is_for_people);
    tcase_add_test(cases, log_print_is_one_clean_line);
    tcase_add_test(cases, log_print_cuts_what_is_endless);
    tcase_add_test(cases, log_field_quotes_and_escapes);
    tcase_add_test(cases, log_field_cuts_a_long_value);
    tcase_add_test(cases, log_throttled_says_what_it_kept_back);
    tcase_add_test(cases, log_lines_of_threads_do_not_mix);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
