/* Lists of main.cf: what is one item, and what it begins with. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/words.h"
#include "run.h"

static const struct {
    const char *list;
    const char *items; /* the first words of its items, with ';' behind each */
} cases[] = {
    {"", ""},
    {" , \n ,", ""},
    {"unix:a", "unix:a;"},
    {"unix:a, inet:b:1  c", "unix:a;inet:b:1;c;"},
    {"{ unix:a, default_action=accept }, b", "unix:a;b;"},
    {"{unix:a}", "unix:a;"},
    {"inline:{ { a = b, c }, { d = e } } f", "inline:{;f;"},
    {"{ unterminated, b", "unterminated;"},
    {"} a", ";a;"},
    {"${1}@a, { $b${2}-c@d }", "${1}@a;$b${2}-c@d;"},
};

START_TEST(words_are_cut_where_postfix_cuts_them)
{
    char found[200] = "";
    struct words words = words_of(cases[_i].list);
    const char *item;
    while ((item = words_next(&words)) != NULL) {
        char word[40];
        words_first(item, word, sizeof word);
        strcat(found, word);
        strcat(found, ";");
    }
    ck_assert_str_eq(found, cases[_i].items);
}
END_TEST

START_TEST(words_first_is_cut_to_size)
{
    char word[4];
    words_first("abcdef", word, sizeof word);
    ck_assert_str_eq(word, "abc");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("words");
    TCase *cases_of_words = tcase_create("words");
    tcase_add_loop_test(cases_of_words, words_are_cut_where_postfix_cuts_them, 0,
                        sizeof cases / sizeof cases[0]);
    tcase_add_test(cases_of_words, words_first_is_cut_to_size);
    suite_add_tcase(suite, cases_of_words);
    return run_suite(suite);
}
