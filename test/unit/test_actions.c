/* What becomes of held messages, one by one. */
#include "actions_fixture.h"

START_TEST(actions_release_once)
{
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_OK);
    expect_state(hold.id, "released");
    char expected[100];
    (void)snprintf(expected, sizeof expected, "release 4QA mark=%s\n", hold.id);
    ck_assert_str_eq(last_order(), expected);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_CONFLICT);
    expect_words("was already released");
    ck_assert_int_eq(decide(ACTIONS_DELETE, hold.id), STATUS_CONFLICT);
    ck_assert_int_eq(orders, 1);
}
END_TEST

static void *release_in_thread(void *id)
{
    struct error own;
    enum status *status = malloc(sizeof *status);
    *status = actions_decide(actions, &settings, ACTIONS_RELEASE, id, &own);
    return status;
}

START_TEST(actions_of_many_at_once_one_wins)
{
    enum { AT_ONCE = 6 };
    pthread_t threads[AT_ONCE];
    int won = 0;
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    for (int i = 0; i < AT_ONCE; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, release_in_thread, hold.id),
                         0);
    for (int i = 0; i < AT_ONCE; i++) {
        void *status;
        ck_assert_int_eq(pthread_join(threads[i], &status), 0);
        won += *(enum status *)status == STATUS_OK;
        ck_assert(*(enum status *)status == STATUS_OK ||
                  *(enum status *)status == STATUS_CONFLICT);
        free(status);
    }
    ck_assert_int_eq(won, 1);
    ck_assert_int_eq(orders, 1);
}
END_TEST

START_TEST(actions_keep_what_the_helper_could_not_do)
{
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    fails = true;
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_INVALID);
    expect_words("the MTA is unwell");
    expect_state(hold.id, "held");
    fails = false;
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_OK);
}
END_TEST

START_TEST(actions_report_what_is_gone)
{
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    move_mail(0, "");
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_NOT_FOUND);
    expect_words("not in the queue any more");
    expect_state(hold.id, "gone");
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_NOT_FOUND);
    ck_assert_int_eq(orders, 1);
}
END_TEST

START_TEST(actions_never_touch_a_reused_queue_id)
{
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    mark_mail(0, "id=ffffffffffffffff rule=r incident=- reach=1");
    ck_assert_int_eq(decide(ACTIONS_DELETE, hold.id), STATUS_INVALID);
    expect_words("another message");
    ck_assert_str_eq(get_mail(0).queue, "hold");
    expect_state(hold.id, "held");
}
END_TEST

START_TEST(actions_are_for_this_relay)
{
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    struct actions *other = actions_new(ledger, &key, "relay2");
    ck_assert_int_eq(actions_decide(other, &settings, ACTIONS_RELEASE, hold.id, &error),
                     STATUS_CONFLICT);
    expect_words("is held on relay1: run it there");
    ck_assert_int_eq(orders, 0);
    actions_free(other);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, "ALL"), STATUS_NOT_FOUND);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, ""), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(actions_foresee_a_release)
{
    json_t *hold;
    bool possible;
    struct text words = {0};
    struct hold held = hold_mail("4QA", "a@own.example", true);
    ck_assert_int_eq(ledger_find_hold(ledger, held.id, soon(), &hold), STATUS_OK);
    ck_assert_int_eq(actions_foresee(actions, &settings, hold, &possible, &words),
                     STATUS_OK);
    ck_assert(possible);
    ck_assert_ptr_nonnull(strstr(text_string(&words), "to 300 mailboxes"));
    text_reset(&words);
    mark_mail(0, "id=ffffffffffffffff rule=r incident=- reach=1");
    ck_assert_int_eq(actions_foresee(actions, &settings, hold, &possible, &words),
                     STATUS_OK);
    ck_assert(!possible);
    ck_assert_ptr_nonnull(strstr(text_string(&words), "another message"));
    text_clear(&words);
    json_decref(hold);
    ck_assert_int_eq(orders, 0);
}
END_TEST

START_TEST(actions_refuse_with_our_own_words)
{
    struct hold hold = hold_mail("4QA", "a@own.example", true);
    char expected[100];
    ck_assert_int_eq(decide(ACTIONS_REFUSE, hold.id), STATUS_OK);
    expect_state(hold.id, "refused");
    (void)snprintf(expected, sizeof expected,
                   "refuse 4QA mark=%s a@own.example\nFrom: ", hold.id);
    ck_assert_int_eq(strncmp(last_order(), expected, strlen(expected)), 0);
    ck_assert_ptr_nonnull(strstr(last_order(), "\nAuto-Submitted: auto-generated\n"));
    ck_assert_ptr_nonnull(strstr(last_order(), "\nX-Mailbrake-Notice: "));
    ck_assert_ptr_nonnull(strstr(last_order(), "\n    all@own.example\n"));
    ck_assert_ptr_nonnull(strstr(last_order(), "\n    \\x1b[2J@own.example\n"));
    ck_assert_ptr_nonnull(strstr(last_order(), "\n    and 5 more\n"));
    ck_assert_ptr_nonnull(strstr(last_order(), "would have reached 300 mailboxes"));
    ck_assert_ptr_nonnull(strstr(last_order(), hold.incident));
    for (const char *c = last_order(); *c != '\0'; c++)
        ck_assert(*c == '\n' || (*c >= ' ' && *c <= '~'));
}
END_TEST

START_TEST(actions_refuse_without_a_word_to_the_forged)
{
    static const char *const senders[] = {"", "no-domain", "-x@own.example",
                                          "a b@own.example", "a@own.example,b@x"};
    struct hold hold = hold_mail("4Q0", "a@own.example", false);
    ck_assert_int_eq(decide(ACTIONS_REFUSE, hold.id), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(last_order(), " -\n"));
    ck_assert_ptr_null(strstr(last_order(), "From:"));
    for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "4Q%zu", i + 1);
        hold = hold_mail(id, senders[i], true);
        ck_assert_int_eq(decide(ACTIONS_REFUSE, hold.id), STATUS_OK);
        ck_assert_ptr_nonnull(strstr(last_order(), " -\n"));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("actions");
    TCase *cases = tcase_create("actions");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, actions_release_once);
    tcase_add_test(cases, actions_of_many_at_once_one_wins);
    tcase_add_test(cases, actions_keep_what_the_helper_could_not_do);
    tcase_add_test(cases, actions_report_what_is_gone);
    tcase_add_test(cases, actions_never_touch_a_reused_queue_id);
    tcase_add_test(cases, actions_are_for_this_relay);
    tcase_add_test(cases, actions_foresee_a_release);
    tcase_add_test(cases, actions_refuse_with_our_own_words);
    tcase_add_test(cases, actions_refuse_without_a_word_to_the_forged);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
