/* The address of `mailbrake console`, and the cookie that it becomes. */
#include "console/web_session.h"
#include "run.h"

#include <string.h>

START_TEST(web_session_token_is_good_once)
{
    char cookie[WEB_SESSION_SECRET_SIZE], other[WEB_SESSION_SECRET_SIZE];
    ck_assert_int_eq(digest_init(), STATUS_OK);
    struct web_session *session = web_session_new();
    ck_assert_ptr_nonnull(session);
    ck_assert_uint_eq(strlen(web_session_token(session)), 32);
    ck_assert(!web_session_exchange(session, NULL, cookie));
    ck_assert(!web_session_exchange(session, "", cookie));
    ck_assert(!web_session_exchange(session, "0123456789abcdef0123456789abcdef", cookie));
    ck_assert(web_session_exchange(session, web_session_token(session), cookie));
    ck_assert_str_ne(cookie, web_session_token(session));
    ck_assert(!web_session_exchange(session, web_session_token(session), other));
    ck_assert(web_session_has(session, cookie));
    ck_assert(!web_session_has(session, web_session_token(session)));
    ck_assert(!web_session_has(session, NULL));
    ck_assert(!web_session_has(session, ""));
    web_session_free(session);
}
END_TEST

START_TEST(web_session_needs_its_token_first)
{
    char cookie[WEB_SESSION_SECRET_SIZE];
    ck_assert_int_eq(digest_init(), STATUS_OK);
    struct web_session *one = web_session_new();
    struct web_session *two = web_session_new();
    ck_assert_str_ne(web_session_token(one), web_session_token(two));
    ck_assert(web_session_exchange(one, web_session_token(one), cookie));
    ck_assert(!web_session_has(two, cookie));
    int64_t before_us = web_session_touched_us(one);
    web_session_touch(one, before_us + 5);
    ck_assert_int_eq(web_session_touched_us(one), before_us + 5);
    web_session_free(one);
    web_session_free(two);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web_session");
    TCase *tcase = tcase_create("web_session");
    tcase_add_test(tcase, web_session_token_is_good_once);
    tcase_add_test(tcase, web_session_needs_its_token_first);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
