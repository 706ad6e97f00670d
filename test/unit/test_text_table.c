/* Tables fit a terminal, and what is to be typed is never cut. */
#include "base/text_table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture.h"
#include "run.h"

#define TEN "0123456789"

static const struct text_table_column columns[] = {{"ID", TEXT_TABLE_KEY},
                                                   {"TEXT", TEXT_TABLE_TEXT},
                                                   {"N", TEXT_TABLE_NUMBER},
                                                   {"KEY", TEXT_TABLE_KEY}};

static void add(struct text_table *table, const char *id, const char *text,
                const char *key)
{
    text_table_add(table, id);
    text_table_add(table, text);
    text_table_add_number(table, 7);
    text_table_add(table, key);
}

static const char *print(struct text_table *table, size_t indent)
{
    static char text[4000];
    struct capture out = capture_begin(stdout);
    text_table_print(table, indent);
    (void)snprintf(text, sizeof text, "%s", capture_end(&out));
    return text;
}

START_TEST(text_table_is_as_wide_as_it_must_be)
{
    struct text_table *table = text_table_new(columns, 4);
    add(table, "a", "some text", "x");
    add(table, "bcd", "", "login:a@b");
    ck_assert_str_eq(print(table, 0), "ID  TEXT      N KEY\n"
                                      "a   some text 7 x\n"
                                      "bcd           7 login:a@b\n");
}
END_TEST

START_TEST(text_table_cuts_texts_for_keys)
{
    struct text_table *table = text_table_new(columns, 4);
    add(table, TEN, TEN TEN TEN TEN TEN, TEN TEN TEN TEN TEN TEN);
    ck_assert_str_eq(print(table, 0),
                     "ID         TEXT                       N KEY\n"
                     "0123456789 012345678901234567890123.. 7 " TEN TEN TEN TEN TEN TEN
                     "\n");
}
END_TEST

START_TEST(text_table_breaks_the_line_for_a_last_key)
{
    struct text_table *table = text_table_new(columns, 4);
    add(table, TEN, TEN TEN, TEN TEN TEN TEN TEN TEN TEN TEN TEN);
    add(table, "b", "c", "d");
    const char *text = print(table, 0);
    ck_assert_ptr_nonnull(
        strstr(text, "\n    " TEN TEN TEN TEN TEN TEN TEN TEN TEN "\nb "));
}
END_TEST

START_TEST(text_table_breaks_the_line_behind_another_key)
{
    static const struct text_table_column two[] = {{"KEY", TEXT_TABLE_KEY},
                                                   {"N", TEXT_TABLE_NUMBER}};
    char key[151];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    struct text_table *table = text_table_new(two, 2);
    text_table_add(table, key);
    text_table_add_number(table, 5);
    const char *text = print(table, 0);
    const char *line = strchr(text, '\n') + 1;
    ck_assert_int_eq(strncmp(line, key, strlen(key)), 0);
    ck_assert_str_eq(strrchr(line, ' '), " 5\n");
}
END_TEST

START_TEST(text_table_shows_nothing_strange)
{
    static const struct text_table_column one[] = {{"KEY", TEXT_TABLE_KEY}};
    struct text_table *table = text_table_new(one, 1);
    text_table_add(table, "\"<script>\x1b[2J\xe2\x80\xae\xff\\\n\"@x");
    ck_assert_str_eq(print(table, 2),
                     "  KEY\n"
                     "  \"<script>\\x1b[2J\\xe2\\x80\\xae\\xff\\x5c\\x0a\"@x\n");
}
END_TEST

START_TEST(text_table_may_be_empty)
{
    ck_assert_str_eq(print(text_table_new(columns, 4), 0), "ID TEXT N KEY\n");
    text_table_free(text_table_new(columns, 4));
    text_table_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text_table");
    TCase *cases = tcase_create("text_table");
    tcase_add_test(cases, text_table_is_as_wide_as_it_must_be);
    tcase_add_test(cases, text_table_cuts_texts_for_keys);
    tcase_add_test(cases, text_table_breaks_the_line_for_a_last_key);
    tcase_add_test(cases, text_table_breaks_the_line_behind_another_key);
    tcase_add_test(cases, text_table_shows_nothing_strange);
    tcase_add_test(cases, text_table_may_be_empty);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
