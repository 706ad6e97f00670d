/* What a session keeps of a message, and that nothing leaks into the next. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "milter/session.h"
#include "run.h"

static void mail(struct session *session, const char *first, const char *address,
                 const char *login)
{
    char *copy = strdup(first);
    char *arguments[] = {copy, NULL};
    session_mail(session, arguments, address, login);
    free(copy);
}

static void rcpt(struct session *session, const char *first, const char *address)
{
    char *copy = strdup(first);
    char *arguments[] = {copy, NULL};
    session_rcpt(session, arguments, address);
    free(copy);
}

START_TEST(session_prefers_the_macro)
{
    struct session *session = session_new();
    mail(session, "<A@B>", "a@b", "login");
    rcpt(session, "<C@D>", NULL);
    rcpt(session, "<E@F>", "e@f");
    struct envelope envelope = session_envelope(session);
    ck_assert_str_eq(envelope.sender, "a@b");
    ck_assert_str_eq(envelope.login, "login");
    ck_assert_uint_eq(envelope.recipient_count, 2);
    ck_assert_str_eq(envelope.recipients[0].address, "<C@D>");
    ck_assert_str_eq(envelope.recipients[1].address, "e@f");
    ck_assert_str_eq(envelope.recipients[1].typed, "<E@F>");
    ck_assert_ptr_null(envelope.client);
    session_free(session);
}
END_TEST

START_TEST(session_empty_macro_is_the_null_sender)
{
    struct session *session = session_new();
    mail(session, "<>", "", NULL);
    ck_assert_str_eq(session_envelope(session).sender, "<>");
    session_free(session);
}
END_TEST

START_TEST(session_keeps_the_command_beside_a_bare_macro)
{
    struct session *session = session_new();
    mail(session, "<Ann@Too>", "ann", NULL);
    rcpt(session, "<Bob@Too>", "bob");
    rcpt(session, "<Eve@Too>", "eve@too");
    rcpt(session, "<Kim>", NULL);
    struct envelope envelope = session_envelope(session);
    ck_assert_str_eq(envelope.sender, "ann");
    ck_assert_str_eq(envelope.sender_argument, "<Ann@Too>");
    ck_assert_str_eq(envelope.recipients[0].address, "bob");
    ck_assert_str_eq(envelope.recipients[0].argument, "<Bob@Too>");
    ck_assert_ptr_null(envelope.recipients[1].argument);
    ck_assert_ptr_null(envelope.recipients[2].argument);
    session_reset(session);
    mail(session, "<x@y>", "x@y", NULL);
    ck_assert_ptr_null(session_envelope(session).sender_argument);
    session_free(session);
}
END_TEST

START_TEST(session_keeps_all_rcpt_arguments)
{
    struct session *session = session_new();
    char first[] = "<a@b>";
    char second[] = "NOTIFY=NEVER";
    char *arguments[] = {first, second, NULL};
    session_rcpt(session, arguments, "a@b");
    ck_assert_str_eq(session_envelope(session).recipients[0].typed,
                     "<a@b> NOTIFY=NEVER ");
    session_free(session);
}
END_TEST

START_TEST(session_keeps_only_wanted_headers)
{
    struct session *session = session_new();
    session_header(session, "Received", "by x");
    session_header(session, "to", "a@b");
    session_header(session, "X-MAILBRAKE", "id=forged");
    session_header(session, "Message-Id", "<1@x>");
    session_header(session, "Message-Id", "<2@x>");
    struct envelope envelope = session_envelope(session);
    ck_assert_uint_eq(envelope.header_count, 3);
    ck_assert_str_eq(envelope.headers[0].value, "a@b");
    ck_assert_str_eq(envelope.headers[1].value, "<1@x>");
    ck_assert_str_eq(envelope.headers[2].value, "<2@x>");
    ck_assert_int_eq(session->envelope.hold_headers, 1);
    ck_assert_str_eq(session->message_id, "<1@x>");
    session_free(session);
}
END_TEST

START_TEST(session_reset_forgets_the_message_only)
{
    struct session *session = session_new();
    (void)snprintf(session->client, sizeof session->client, "10.1.2.3");
    session->quiet_rcpt = true;
    session->envelope.local = true;
    mail(session, "<a@b>", NULL, "login");
    rcpt(session, "<c@d>", NULL);
    session_header(session, "To", "a@b");
    session_header(session, "X-Mailbrake", "x");
    session->envelope.failure = "too large";
    session_reset(session);
    session_reset(session);
    struct envelope envelope = session_envelope(session);
    ck_assert_ptr_null(envelope.sender);
    ck_assert_ptr_null(envelope.login);
    ck_assert_uint_eq(envelope.recipient_count, 0);
    ck_assert_uint_eq(envelope.header_count, 0);
    ck_assert(!envelope.local);
    ck_assert_int_eq(session->envelope.hold_headers, 0);
    ck_assert_ptr_null(session->envelope.failure);
    ck_assert_ptr_null(session->message_id);
    ck_assert_str_eq(envelope.client, "10.1.2.3");
    ck_assert(session->quiet_rcpt);
    session_free(session);
}
END_TEST

START_TEST(session_too_much_is_a_failure)
{
    struct session *session = session_new();
    char *large = malloc(1024 * 1024 + 1);
    memset(large, 'a', 1024 * 1024);
    large[1024 * 1024] = '\0';
    for (int i = 0; i < 17; i++)
        session_header(session, "To", large);
    ck_assert_ptr_nonnull(session->envelope.failure);
    session_reset(session);
    for (int i = 0; i <= RECIPIENTS_MAX; i++) {
        ck_assert_ptr_null(session->envelope.failure);
        rcpt(session, "a", NULL);
    }
    ck_assert_ptr_nonnull(session->envelope.failure);
    session_reset(session);
    for (int i = 0; i <= SESSION_HEADERS_MAX; i++)
        session_header(session, "Cc", "a");
    ck_assert_ptr_nonnull(session->envelope.failure);
    session_free(session);
    free(large);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *cases = tcase_create("session");
    tcase_add_test(cases, session_prefers_the_macro);
    tcase_add_test(cases, session_empty_macro_is_the_null_sender);
    tcase_add_test(cases, session_keeps_the_command_beside_a_bare_macro);
    tcase_add_test(cases, session_keeps_all_rcpt_arguments);
    tcase_add_test(cases, session_keeps_only_wanted_headers);
    tcase_add_test(cases, session_reset_forgets_the_message_only);
    tcase_add_test(cases, session_too_much_is_a_failure);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
