/* HTML as it is mailed, well made and not. */
#include "control/content/html_text.h"
#include "run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *html, *text;
} cases[] = {
    {"", ""},
    {"plain", "plain"},
    {"  a \n b  ", "a b"},
    {"<p>one</p><p>two</p>", "one\n\ntwo"},
    {"one<br>two<br/>three<BR />four", "one\ntwo\nthree\nfour"},
    {"a<br><br><br><br>b", "a\n\nb"},
    {"<div>a</div><div>b</div>", "a\nb"},
    {"<table><tr><td>1</td><td>2</td></tr><tr><td>3</table>", "1 2\n3"},
    {"a<b>b</b>c", "abc"},
    {"<STYLE>p { }</STYLE>a<script>if (a < b) x('</p>')</script >b", "ab"},
    {"<style>never ended", ""},
    {"<styled>a</styled>", "a"},
    {"a<!-- <p> -- > x -->b<!doctype html>c<?xml x?>d", "abcd"},
    {"a<!-- never ended", "a"},
    {"<a title='>' href=\"x>y\">a</a>", "a"},
    {"<a title='never ended>a", ""},
    {"<a b=c'd>e", "e"}, /* that quote opens nothing */
    {"3 < 4, 5<6, <3 & <", "3 < 4, 5<6, <3 & <"},
    {"&amp;&lt;b&gt;&quot;&nbsp;x&auml;&#228;&#xE4;&euro;",
     "&<b>\" x\xc3\xa4\xc3\xa4\xc3\xa4\xe2\x82\xac"},
    {"&bogus; &amp &; &#; &#x; &#xZ; &#-1;", "&bogus; &amp &; &#; &#x; &#xZ; &#-1;"},
    {"&#0;x&#xd800;&#1114112;&#99999999999;", NULL}, /* no characters */
    {"<", "<"},
    {"</", "</"},
    {"<a", ""},
    {"</>a", "a"},
};

START_TEST(html_text_reads)
{
    struct text out = {0};
    char *html = strdup(cases[_i].html); /* so that ASan sees its end */
    html_text_add(&out, html, strlen(html), 1000);
    if (cases[_i].text != NULL)
        ck_assert_str_eq(text_string(&out), cases[_i].text);
    else
        ck_assert_mem_eq(out.data, "\0x\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 11);
    free(html);
    text_clear(&out);
}
END_TEST

/* Quadratic, each of these would take minutes. */
START_TEST(html_text_is_linear)
{
    static const char *const pieces[] = {"<", "<p ",    "<!--",      "<script>", "</",
                                         "&", "<a b='", "<style></", "&#1",      "-->"};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct text html = {0};
        struct text out = {0};
        while (html.length < 500000)
            text_add_string(&html, pieces[i]);
        html_text_add(&out, html.data, html.length, 1 << 30);
        text_clear(&html);
        text_clear(&out);
    }
}
END_TEST

START_TEST(html_text_ends_at_its_maximum)
{
    struct text html = {0};
    struct text out = {0};
    text_add_string(&out, "before");
    for (int i = 0; i < 1000; i++)
        text_add_string(&html, "word ");
    html_text_add(&out, html.data, html.length, 100);
    ck_assert_uint_ge(out.length, 106);
    ck_assert_uint_lt(out.length, 120);
    text_clear(&html);
    text_clear(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("html_text");
    TCase *tests = tcase_create("html_text");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, html_text_reads, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tests, html_text_is_linear);
    tcase_add_test(tests, html_text_ends_at_its_maximum);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
