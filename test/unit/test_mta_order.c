/* What mailbrake-mta takes for an order, and what it does not. */
#include "helper/mta_order.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/smtp_address.h"
#include "run.h"

static char buffer[MTA_LINE_MAX + 1];
static struct mta_order order;
static struct error failure;

static enum status parse_as(const char *line, enum mta_type type)
{
    (void)snprintf(buffer, sizeof buffer, "%s", line);
    order = (struct mta_order){0};
    failure = (struct error){0};
    return mta_order_parse(buffer, strlen(line), type, &order, &failure);
}

static void takes(const char *line)
{
    ck_assert_msg(parse_as(line, MTA_POSTFIX) == STATUS_OK, "%s: %s", line, failure.text);
}

static void refuses(const char *line, const char *why)
{
    ck_assert_msg(parse_as(line, MTA_POSTFIX) == STATUS_INVALID, "took %s", line);
    ck_assert_msg(strcmp(failure.text, why) == 0, "%s: %s", line, failure.text);
}

START_TEST(order_names_its_message)
{
    takes("release 4bXk7G2N1Cz1Xn4 hold_id=0123456789abcdef");
    ck_assert_int_eq(order.verb, MTA_RELEASE);
    ck_assert_str_eq(order.name, "release");
    ck_assert_str_eq(order.queue_id, "4bXk7G2N1Cz1Xn4");
    ck_assert_str_eq(order.hold_id, "0123456789abcdef");
    ck_assert_ptr_null(order.sender);
    ck_assert(!order.has_text);
    takes("delete ABCDEF123 sender=ann@district.example");
    ck_assert_int_eq(order.verb, MTA_DELETE);
    ck_assert_ptr_null(order.hold_id);
    ck_assert_str_eq(order.sender, "ann@district.example");
    takes("hold ABCDEF123 sender=<>");
    ck_assert_int_eq(order.verb, MTA_HOLD);
    ck_assert_str_eq(order.sender, "");
    takes("header ABCDEF123");
    ck_assert_int_eq(order.verb, MTA_HEADER);
    takes("hold ABCDEF123 arrived=1795995518");
    ck_assert_str_eq(order.arrived, "1795995518");
    ck_assert_ptr_null(order.sender);
    takes("delete ABCDEF123 sender=\"o'b |x\\\"\"@district.example");
    ck_assert_str_eq(order.sender, "\"o'b |x\\\"\"@district.example");
    takes("envelope 4jcDDt57Xzz8Zby");
    ck_assert_int_eq(order.verb, MTA_ENVELOPE);
    takes("queue");
    ck_assert(order.verb == MTA_QUEUE && order.queue_id == NULL);
    takes("list");
    ck_assert_int_eq(order.verb, MTA_LIST);
    ck_assert_ptr_null(order.queue_id);
}
END_TEST

START_TEST(order_refuse_notices_one_or_none)
{
    takes("refuse ABCDEF123 hold_id=1 ann@district.example");
    ck_assert_int_eq(order.verb, MTA_REFUSE);
    ck_assert(order.has_text);
    ck_assert_str_eq(order.to[0], "ann@district.example");
    ck_assert_ptr_null(order.to[1]);
    takes("refuse ABCDEF123 hold_id=1 -");
    ck_assert(order.has_text);
    ck_assert_ptr_null(order.to[0]);
    refuses("refuse ABCDEF123 hold_id=1", "wrong number of words for refuse");
    refuses("refuse ABCDEF123 hold_id=1 a@b c@d", "wrong number of words for refuse");
    refuses("refuse ABCDEF123 hold_id=1 --", "not an address");
    takes("refuse ABCDEF123 hold_id=1 \"a b\"@district.example");
    ck_assert_str_eq(order.to[0], "\"a b\"@district.example");
}
END_TEST

START_TEST(order_notice_has_at_most_twenty)
{
    char line[1000] = "notice";
    for (int i = 1; i <= MTA_ADDRESSES_MAX; i++) {
        (void)strcat(line, " a@b");
        takes(line);
        ck_assert_str_eq(order.to[i - 1], "a@b");
        ck_assert_ptr_null(order.to[i]);
    }
    (void)strcat(line, " a@b");
    refuses(line, "wrong number of words for notice");
    refuses("notice", "wrong number of words for notice");
    refuses("notice a@b -", "not an address");
}
END_TEST

START_TEST(order_takes_no_other_queue_id)
{
    static const char *const bad[] = {"ALL",        "-",         "",      "--help",
                                      "-d",         "../x",      "ABCDE", "abcdef123",
                                      "ABCDEF/123", "4bXk7G2N1C"};
    char line[200];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(line, sizeof line, "release %s hold_id=1", bad[i]);
        refuses(line, "not a queue id");
    }
    refuses("release ABCDEF123  hold_id=1", "wrong number of words for release");
    refuses("header ALL", "not a queue id");
}
END_TEST

START_TEST(order_knows_the_queue_ids_of_sendmail)
{
    ck_assert_int_eq(parse_as("header 6ALJlEsM018024", MTA_SENDMAIL), STATUS_OK);
    ck_assert_int_eq(parse_as("header 6ALJlEsM4194303", MTA_SENDMAIL), STATUS_OK);
    ck_assert_int_eq(parse_as("header ALL", MTA_SENDMAIL), STATUS_INVALID);
    ck_assert_int_eq(parse_as("header 4bXk7G2N1Cz1Xn4", MTA_SENDMAIL), STATUS_INVALID);
    ck_assert_int_eq(parse_as("header 6ALJlEsM018024", MTA_POSTFIX), STATUS_INVALID);
}
END_TEST

START_TEST(order_needs_a_check)
{
    const char *why = "not hold_id=ID, arrived=SECONDS or sender=ADDRESS";
    refuses("release ABCDEF123", "wrong number of words for release");
    refuses("release ABCDEF123 ", why);
    refuses("release ABCDEF123 hold_id=", why);
    refuses("release ABCDEF123 hold_id=a/b", why);
    refuses("release ABCDEF123 Mark=a", why);
    refuses("release ABCDEF123 sender=", why);
    refuses("release ABCDEF123 sender=ann", why);
    refuses("release ABCDEF123 sender=<ann@b>", why);
    refuses("release ABCDEF123 id=1", why);
    refuses("release ABCDEF123 arrived=", why);
    refuses("release ABCDEF123 arrived=-1", why);
    refuses("release ABCDEF123 arrived=1234567890123", why);
}
END_TEST

/* test_smtp_address.c has all of them. */
START_TEST(order_takes_no_dangerous_address)
{
    static const char *const bad[] = {"ann",    "-a@b",   "<a@b>", "a;@b",
                                      "a,b@c",  "",       "a@b@c", ":include:/x@b",
                                      "a(b)@c", "\"a b@c"};
    static const char *const good[] = {"|x@b", "a'@b",    "a`@b",
                                       "/x@b", "\"a\"@b", "j\xc3\xbcrgen@b"};
    char line[SMTP_ADDRESS_MAX + 100];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(line, sizeof line, "notice %s", bad[i]);
        refuses(line, "not an address");
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        (void)snprintf(line, sizeof line, "notice %s", good[i]);
        takes(line);
    }
    int fill = SMTP_ADDRESS_MAX - 2;
    (void)snprintf(line, sizeof line, "notice %0*d@b", fill, 0);
    takes(line);
    (void)snprintf(line, sizeof line, "notice %0*d@b", fill + 1, 0);
    refuses(line, "not an address");
}
END_TEST

START_TEST(order_is_printable_and_known)
{
    refuses("", "no such order");
    refuses(" list", "no such order");
    refuses("LIST", "no such order");
    refuses("list ", "wrong number of words for list");
    refuses("ehlo x", "no such order");
    refuses("list\r", "not an order: control characters, or not UTF-8");
    refuses("notice \xc3@b", "not an order: control characters, or not UTF-8");
    refuses("notice \"a\tb\"@c", "not an order: control characters, or not UTF-8");
    (void)memcpy(buffer, "list\0x", 7);
    ck_assert_int_eq(mta_order_parse(buffer, 6, MTA_POSTFIX, &order, NULL),
                     STATUS_INVALID);
}
END_TEST

START_TEST(order_of_any_length_is_safe)
{
    char line[MTA_LINE_MAX + 1];
    (void)memset(line, ' ', sizeof line - 1);
    line[MTA_LINE_MAX] = '\0';
    ck_assert_int_eq(parse_as(line, MTA_POSTFIX), STATUS_INVALID);
    (void)memset(line, 'A', sizeof line - 1);
    (void)memcpy(line, "header ", 7);
    refuses(line, "not a queue id");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mta_order");
    TCase *cases = tcase_create("mta_order");
    tcase_add_test(cases, order_names_its_message);
    tcase_add_test(cases, order_refuse_notices_one_or_none);
    tcase_add_test(cases, order_notice_has_at_most_twenty);
    tcase_add_test(cases, order_takes_no_other_queue_id);
    tcase_add_test(cases, order_knows_the_queue_ids_of_sendmail);
    tcase_add_test(cases, order_needs_a_check);
    tcase_add_test(cases, order_takes_no_dangerous_address);
    tcase_add_test(cases, order_is_printable_and_known);
    tcase_add_test(cases, order_of_any_length_is_safe);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
