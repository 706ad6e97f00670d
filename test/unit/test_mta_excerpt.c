/* How much of a message the root helper hands out. */
#include "helper/mta_excerpt.h"
#include "run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct text out;
static struct mta_excerpt excerpt;

static void begin(bool whole)
{
    text_reset(&out);
    excerpt = (struct mta_excerpt){.out = &out, .whole = whole};
}

static void add_all(const char *const *lines)
{
    for (; *lines != NULL; lines++)
        mta_excerpt_add(&excerpt, *lines);
    mta_excerpt_end(&excerpt);
}

static const char *const letter[] = {"Received: from x",
                                     "\tSubject: folded",
                                     "SUBJECT: one",
                                     " more",
                                     "Subject-Not: x",
                                     "subject:two",
                                     "X: y",
                                     "",
                                     "Subject: body",
                                     " and",
                                     NULL};

START_TEST(excerpt_is_the_subject_alone)
{
    begin(false);
    add_all(letter);
    ck_assert_str_eq(text_string(&out), " SUBJECT: one\n  more\n subject:two\n");
}
END_TEST

START_TEST(excerpt_is_the_whole_message)
{
    begin(true);
    add_all(letter);
    ck_assert_uint_eq(out.length,
                      strlen(" Received: from x\n \tSubject: folded\n SUBJECT: one\n"
                             "  more\n Subject-Not: x\n subject:two\n X: y\n \n"
                             " Subject: body\n  and\n"));
}
END_TEST

/* So many lines of a hundred bytes, of which one is a '='. */
static void add_lines(size_t count)
{
    char line[101];
    memset(line, 'a', 100);
    line[50] = '=';
    line[100] = '\0';
    for (size_t i = 0; i < count; i++)
        mta_excerpt_add(&excerpt, line);
}

static size_t count_lines(char first)
{
    size_t count = 0;
    for (const char *at = text_string(&out); *at != '\0'; at = strchr(at, '\n') + 1)
        count += *at == first;
    return count;
}

START_TEST(excerpt_has_the_beginning_of_each_part)
{
    begin(true);
    mta_excerpt_add(&excerpt, "");
    add_lines(10000);
    mta_excerpt_add(&excerpt, "--b");
    add_lines(10000);
    mta_excerpt_add(&excerpt, "--b--");
    mta_excerpt_end(&excerpt);
    ck_assert_uint_eq(count_lines('+'), 2);
    ck_assert_uint_eq(count_lines('-'), 0);
    size_t shown = (MTA_EXCERPT_RUN_BYTES + 99) / 100;
    char skipped[60];
    (void)snprintf(skipped, sizeof skipped, "+%zu %zu %zu\n --b\n",
                   10000 * 100 - (size_t)MTA_EXCERPT_RUN_BYTES, 10000 - shown,
                   10000 - shown + (MTA_EXCERPT_RUN_BYTES % 100 <= 50));
    ck_assert_ptr_nonnull(strstr(out.data, skipped));
    ck_assert_str_eq(out.data + out.length - 7, " --b--\n");
}
END_TEST

START_TEST(excerpt_ends_whatever_comes)
{
    begin(true);
    mta_excerpt_add(&excerpt, "");
    for (int i = 0; i < 1000000; i++)
        mta_excerpt_add(&excerpt, i % 2 == 0 ? "--" : "");
    mta_excerpt_end(&excerpt);
    ck_assert_uint_le(out.length, MTA_EXCERPT_BYTES + 10);
    ck_assert_str_eq(out.data + out.length - 3, "\n-\n");
    ck_assert_uint_eq(count_lines('-'), 1);
}
END_TEST

START_TEST(excerpt_cuts_a_line_without_end)
{
    size_t length = 10 * 1000 * 1000;
    char *line = malloc(length + 1);
    memset(line, '=', length);
    line[length] = '\0';
    begin(true);
    mta_excerpt_add(&excerpt, "");
    mta_excerpt_add(&excerpt, line);
    mta_excerpt_end(&excerpt);
    char skipped[60];
    (void)snprintf(skipped, sizeof skipped, "\n+%zu 0 %zu\n",
                   length - MTA_EXCERPT_RUN_BYTES, length - MTA_EXCERPT_RUN_BYTES);
    ck_assert_uint_eq(out.length, 2 + 1 + MTA_EXCERPT_RUN_BYTES + strlen(skipped));
    ck_assert_str_eq(out.data + out.length - strlen(skipped), skipped);
    memcpy(line, "Subject:", 8);
    begin(false);
    mta_excerpt_add(&excerpt, line);
    mta_excerpt_add(&excerpt, line);
    mta_excerpt_end(&excerpt);
    ck_assert_uint_lt(out.length, MTA_EXCERPT_RUN_BYTES + 100);
    free(line);
}
END_TEST

static void clear(void)
{
    text_clear(&out);
}

int main(void)
{
    Suite *suite = suite_create("mta_excerpt");
    TCase *tests = tcase_create("mta_excerpt");
    tcase_add_checked_fixture(tests, NULL, clear);
    tcase_add_test(tests, excerpt_is_the_subject_alone);
    tcase_add_test(tests, excerpt_is_the_whole_message);
    tcase_add_test(tests, excerpt_has_the_beginning_of_each_part);
    tcase_add_test(tests, excerpt_ends_whatever_comes);
    tcase_add_test(tests, excerpt_cuts_a_line_without_end);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
