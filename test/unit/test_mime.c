/* Messages in parts, well made and hostile. */
#include "control/content/mime.h"
#include "run.h"

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct mime_message *message;
static struct text excerpt;

static void set_up(void)
{
    message = calloc(1, sizeof *message);
}

static void clear(void)
{
    mime_clear(message);
    free(message);
    text_clear(&excerpt);
}

/* Lines, up to the next call. */
static void add(const char *lines)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        text_printf(&excerpt, " %.*s\n", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

static void read_it(void)
{
    mime_clear(message);
    ck_assert_int_eq(mime_read(text_string(&excerpt), message), STATUS_OK);
    text_reset(&excerpt);
}

static void expect_plain(const char *lines, const char *text)
{
    add(lines);
    read_it();
    ck_assert_str_eq(text_string(&message->plain.text), text);
}

static void expect_attachment(size_t i, const char *name, const char *type,
                              long long size)
{
    ck_assert_msg(message->attachment_count > i, "no attachment %s", name);
    ck_assert_str_eq(message->attachments[i].name, name);
    ck_assert_str_eq(message->attachments[i].type, type);
    ck_assert_int_eq(message->attachments[i].size, size);
}

START_TEST(mime_reads_a_plain_letter)
{
    expect_plain(
        "From: a@b\nSubject: =?utf-8?q?=C3=A4?=\n =?utf-8?q?b?=\n\nHello.\n\nBye.\n",
        "Hello.\n\nBye.\n");
    ck_assert_uint_eq(message->field_count, 2);
    ck_assert_str_eq(message->fields[1].name, "Subject");
    ck_assert_str_eq(message->fields[1].value, "\xc3\xa4"
                                               "b");
    ck_assert(!message->html.found && message->attachment_count == 0 && !message->cut);
    expect_plain("", "");
    expect_plain("Subject: x\n", "");
    expect_plain("\n", "");
}
END_TEST

START_TEST(mime_decodes)
{
    expect_plain("Content-Transfer-Encoding: BASE64\n\nw6Rh\nYQ==\n", "\xc3\xa4"
                                                                      "aa");
    expect_plain(
        "Content-Transfer-Encoding: quoted-printable\n\na=C3=A4=\nb  \nc=\n=3d\n",
        "a\xc3\xa4"
        "b\nc=\n");
    expect_plain("Content-Type: text/plain; charset=iso-8859-1\n\n\xe4\n", "\xc3\xa4\n");
    expect_plain("Content-Type: TEXT/PLAIN; CHARSET=\"utf-8\"\n\n\xe4\n",
                 "\xef\xbf\xbd\n");
    expect_plain("Content-Type: text/plain; charset=*\x1b[2J*\n\na\n", "a\n");
}
END_TEST

START_TEST(mime_finds_text_and_attachments)
{
    add("Content-Type: multipart/mixed; boundary=\"a b\"\n\npreamble\n--a b\n"
        "Content-Type: multipart/alternative; boundary=c\n\n"
        "--c\n\nplain\n--c\nContent-Type: text/html\n\n<p>html\n--c--\nepilogue\n"
        "--a b\nContent-Type: application/pdf; name=x.pdf\n"
        "Content-Transfer-Encoding: base64\n\nQUFB\nQQ==\n"
        "--a b\nContent-Disposition: attachment\n\nfour\n\n"
        "--a b\n\nfooter\n"
        "--a b\nContent-Type: message/rfc822\n\nSubject: inner\n\n--c\ntext\n--a "
        "b--\nend\n");
    read_it();
    ck_assert_str_eq(text_string(&message->plain.text), "plain\n");
    ck_assert_str_eq(text_string(&message->html.text), "<p>html\n");
    ck_assert_uint_eq(message->attachment_count, 3);
    expect_attachment(0, "x.pdf", "application/pdf", 4);
    expect_attachment(1, "", "text/plain", 5);
    ck_assert_str_eq(message->attachments[2].type, "message/rfc822");
    ck_assert_uint_eq(message->field_count, 1);
}
END_TEST

START_TEST(mime_counts_what_was_left_out)
{
    add("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nbegin\n");
    text_add_string(&excerpt, "+1000 10 0\n");
    add("--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\nAAAA\n");
    text_add_string(&excerpt, "+7600 100 2\n");
    add("--b\nContent-Type: text/csv\nContent-Transfer-Encoding: "
        "quoted-printable\n\n=41\n");
    text_add_string(&excerpt, "+300 10 30\n-\n");
    read_it();
    ck_assert(message->plain.cut && message->cut);
    expect_attachment(0, "", "image/png", (7604 - 2) * 3 / 4);
    expect_attachment(1, "", "text/csv", 303 + 11 - 2 * 31 - 1);
}
END_TEST

START_TEST(mime_knows_its_boundaries)
{
    /* one that begins like another, or is written with blanks behind it */
    expect_plain("Content-Type: multipart/mixed; boundary=a\n\n--a \t\n\nx\n--ab\n--a "
                 "x\n--a-\n--a--\ny\n",
                 "x\n--ab\n--a x\n--a-\n");
    /* an outer one ends what is inside */
    add("Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: "
        "multipart/mixed; boundary=i\n\n"
        "--i\n\nx\n--o\nContent-Type: image/gif\n\n--i\n--o--\n");
    read_it();
    ck_assert_str_eq(text_string(&message->plain.text), "x\n");
    expect_attachment(0, "", "image/gif", 3);
    /* one that never comes; none; an empty one */
    expect_plain("Content-Type: multipart/mixed; boundary=a\n\nx\n", "");
    ck_assert_uint_eq(message->attachment_count, 0);
    add("Content-Type: multipart/mixed\n\nx\n");
    read_it();
    expect_attachment(0, "", "multipart/mixed", 1);
    add("Content-Type: multipart/mixed; boundary=\"\"\n\n--\nx\n----\n");
    read_it();
    expect_attachment(0, "", "multipart/mixed", 9);
    /* a part that ends in its header */
    add("Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: "
        "image/gif\n--a--\n");
    read_it();
    expect_attachment(0, "", "image/gif", 0);
}
END_TEST

START_TEST(mime_has_a_depth)
{
    for (int i = 0; i < 10000; i++)
        text_printf(&excerpt, " Content-Type: multipart/mixed; boundary=b%d\n \n --b%d\n",
                    i, i);
    add("\nx\n");
    read_it();
    ck_assert_uint_eq(message->attachment_count, 1);
    ck_assert_str_eq(message->attachments[0].type, "multipart/mixed");
}
END_TEST

START_TEST(mime_has_maxima)
{
    for (int i = 0; i < 300; i++)
        text_printf(&excerpt, " X-%d: %0*d\n", i, 5000, i);
    add("Content-Type: multipart/mixed; boundary=b\n\n");
    for (int i = 0; i < 500; i++)
        add("--b\nContent-Type: image/png\n\n");
    read_it();
    ck_assert_uint_eq(message->field_count, MIME_FIELDS_MAX);
    ck_assert_uint_eq(strlen(message->fields[0].value), MIME_VALUE_BYTES);
    ck_assert(message->cut);
    ck_assert_uint_eq(message->attachment_count, 500);
    for (int i = 0; i < 100000; i++)
        text_add_string(&excerpt, i == 0 ? " X: y\n" : "  folded\n");
    read_it();
    ck_assert_uint_eq(message->field_count, 1);
}
END_TEST

static const struct {
    const char *field, *name;
} names[] = {
    {"filename=a.txt", "a.txt"},
    {"FileName = \"a \\\"b\\\".txt\" ; x", "a \"b\".txt"},
    {"filename=\"a;b=c\"; filename=d", "a;b=c"},
    {"x=\"filename=no\"; filename=yes", "yes"},
    {"filename*=utf-8'de'%c3%A4%zz%", "\xc3\xa4%zz%"},
    {"filename*=iso-8859-1''%e4; filename=a", "\xc3\xa4"},
    {"filename*=%e4", "\xef\xbf\xbd"},
    {"filename*=x-none''a", "a"},
    {"filename*1=b; filename*0=a; filename*2=c; filename*4=e", "abc"},
    {"filename*0*=utf-8''%c3; filename*1*=%a4", "\xc3\xa4"},
    {"filename=\"=?utf-8?q?=c3=a4=0a_b?=\"", "\xc3\xa4 b"},
    {"filename=\"a\x1b[2J\xe2\x80\xae\"", "a\xef\xbf\xbd[2J\xef\xbf\xbd"},
    {"filename=\"never ended\\", "never ended\\"},
    {"filename", ""},
    {"filename=", ""},
    {";;; filename=a", "a"},
    {"=x; filename=a", "a"},
    {"filename*99999999999=a", ""},
};

START_TEST(mime_reads_names)
{
    add("Content-Type: multipart/mixed; boundary=b\n\n--b\n");
    text_printf(&excerpt, " Content-Disposition: attachment; %s\n \n x\n --b--\n",
                names[_i].field);
    read_it();
    ck_assert_uint_eq(message->attachment_count, 1);
    ck_assert_str_eq(message->attachments[0].name, names[_i].name);
}
END_TEST

START_TEST(mime_wants_an_excerpt)
{
    static const char *const others[] = {
        "x\n",  " no end", "+1 2\n", "+1 2 3 4\n", "+x\n", "+99999999999999999999 1 1\n",
        "ok\n", "\n"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert_int_eq(mime_read(others[i], message), STATUS_INVALID);
        mime_clear(message);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mime");
    TCase *tests = tcase_create("mime");
    tcase_add_checked_fixture(tests, set_up, clear);
    tcase_add_test(tests, mime_reads_a_plain_letter);
    tcase_add_test(tests, mime_decodes);
    tcase_add_test(tests, mime_finds_text_and_attachments);
    tcase_add_test(tests, mime_counts_what_was_left_out);
    tcase_add_test(tests, mime_knows_its_boundaries);
    tcase_add_test(tests, mime_has_a_depth);
    tcase_add_test(tests, mime_has_maxima);
    tcase_add_loop_test(tests, mime_reads_names, 0,
                        (int)(sizeof names / sizeof names[0]));
    tcase_add_test(tests, mime_wants_an_excerpt);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
