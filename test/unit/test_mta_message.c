/* The headers of a message, as they stand in its header. */
#include "helper/mta_message.h"
#include "run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct mta_message message;

static void clear(void)
{
    mta_message_clear(&message);
}

START_TEST(message_keeps_only_its_hold_headers)
{
    mta_message_add_header(&message, "Received: by X-Mailbrake: id=no");
    mta_message_add_header(&message, "\tX-Mailbrake: id=folded");
    mta_message_add_header(&message, "X-Mailbrake-Other: id=other");
    mta_message_add_header(&message, "x-MAILBRAKE:id=a1 rule=r");
    mta_message_add_header(&message, "\t incident=-  reach=3");
    mta_message_add_header(&message, "Subject: id=s");
    mta_message_add_header(&message, " id=t");
    ck_assert_int_eq(message.hold_header_count, 1);
    ck_assert_str_eq(text_string(&message.hold_headers),
                     "id=a1 rule=r incident=-  reach=3");
    ck_assert(mta_message_bears(&message, "a1"));
    ck_assert(!mta_message_bears(&message, "a"));
    ck_assert(!mta_message_bears(&message, "a12"));
    ck_assert(!mta_message_bears(&message, "s"));
    ck_assert(!mta_message_bears(&message, "other"));
}
END_TEST

START_TEST(message_counts_all_its_hold_headers)
{
    for (int i = 0; i < MTA_HOLD_HEADERS_MAX + 5; i++)
        mta_message_add_header(&message, "X-Mailbrake: id=a");
    mta_message_add_header(&message, " more");
    ck_assert_int_eq(message.hold_header_count, MTA_HOLD_HEADERS_MAX + 5);
    ck_assert_uint_eq(message.hold_headers.length, MTA_HOLD_HEADERS_MAX * 5 - 1);
}
END_TEST

START_TEST(message_hold_headers_are_printable_and_short)
{
    char line[5000];
    mta_message_add_header(&message, "X-Mailbrake: a\x1b[2J\xe2\x80\xae\r");
    ck_assert_str_eq(text_string(&message.hold_headers), "a?[2J????");
    (void)memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    (void)memcpy(line, "X-Mailbrake:", 12);
    mta_message_add_header(&message, line);
    (void)memcpy(line, "            ", 12);
    mta_message_add_header(&message, line);
    ck_assert_uint_le(message.hold_headers.length, 10 + MTA_HOLD_HEADER_BYTES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mta_message");
    TCase *cases = tcase_create("mta_message");
    tcase_add_checked_fixture(cases, NULL, clear);
    tcase_add_test(cases, message_keeps_only_its_hold_headers);
    tcase_add_test(cases, message_counts_all_its_hold_headers);
    tcase_add_test(cases, message_hold_headers_are_printable_and_short);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
