/* What becomes of held messages, one by one. */
#include "actions_fixture.h"
#include "run.h"

START_TEST(actions_release_once)
{
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
    ck_assert_int_eq(decide(ACTIONS_RELEASE, hold.id), STATUS_OK);
    expect_state(hold.id, "released");
    char expected[100];
    (void)snprintf(expected, sizeof expected, "release ABCDEA hold_id=%s\n", hold.id);
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
    *status = decide_by(actions, ACTIONS_RELEASE, id, &own);
    return status;
}

START_TEST(actions_of_many_at_once_one_wins)
{
    enum { AT_ONCE = 6 };
    pthread_t threads[AT_ONCE];
    int won = 0;
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
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
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
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
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
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
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
    hold_header_mail(0, "id=ffffffffffffffff rule=r incident=- reach=1");
    ck_assert_int_eq(decide(ACTIONS_DELETE, hold.id), STATUS_INVALID);
    expect_words("another message");
    ck_assert_str_eq(get_mail(0).queue, "hold");
    expect_state(hold.id, "held");
}
END_TEST

START_TEST(actions_are_for_this_relay)
{
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
    struct actions *other = actions_new(ledger, &key, "relay2");
    ck_assert_int_eq(decide_by(other, ACTIONS_RELEASE, hold.id, &error), STATUS_CONFLICT);
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
    struct hold held = hold_mail("ABCDEA", "a@own.example", true);
    ck_assert_int_eq(ledger_find_hold(ledger, held.id, soon(), &hold), STATUS_OK);
    ck_assert_int_eq(actions_foresee(actions, &settings, hold, &possible, &words),
                     STATUS_OK);
    ck_assert(possible);
    ck_assert_ptr_nonnull(strstr(text_string(&words), "to 300 mailboxes"));
    text_reset(&words);
    hold_header_mail(0, "id=ffffffffffffffff rule=r incident=- reach=1");
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
    struct hold hold = hold_mail("ABCDEA", "a@own.example", true);
    char expected[100];
    ck_assert_int_eq(decide(ACTIONS_REFUSE, hold.id), STATUS_OK);
    expect_state(hold.id, "refused");
    (void)snprintf(expected, sizeof expected,
                   "refuse ABCDEA hold_id=%s a@own.example\n\nFrom: ", hold.id);
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

/* Nothing of these is a word of a shell or of a program. */
START_TEST(actions_refuse_tells_whoever_can_be_told)
{
    static const char *const senders[] = {
        "o'brien@own.example", "|x@own.example",      "a`b@own.example",
        "/x@own.example",      "\"a-b\"@own.example", "j\xc3\xbcrgen@own.example"};
    for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++) {
        char id[8];
        char expected[200];
        (void)snprintf(id, sizeof id, "ABCDE%zu", i);
        struct hold hold = hold_mail(id, senders[i], true);
        ck_assert_int_eq(decide(ACTIONS_REFUSE, hold.id), STATUS_OK);
        (void)snprintf(expected, sizeof expected, "refuse %s hold_id=%s %s\n\nFrom: ", id,
                       hold.id, senders[i]);
        ck_assert_int_eq(strncmp(last_order(), expected, strlen(expected)), 0);
    }
}
END_TEST

enum { MANY = 7 };

static struct actions_result results[MANY];
static size_t told_done, told_total;

static void tell(void *context, size_t done, size_t total)
{
    (void)context;
    told_done = done;
    told_total = total;
}

static void decide_many(enum actions_verb verb, const struct hold holds[MANY])
{
    const char *ids[MANY];
    const struct actions_progress progress = {.tell = tell};
    for (size_t i = 0; i < MANY; i++)
        ids[i] = holds[i].id;
    actions_decide_many(actions, &settings, verb, ids, MANY, soon(), &progress, results);
}

static void hold_many(struct hold holds[MANY])
{
    for (size_t i = 0; i < MANY; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "ABCDE%zu", i);
        holds[i] = hold_mail(id, i < 5 ? "a@own.example" : "b@own.example", i != 2);
    }
}

START_TEST(actions_do_many_at_once_each_for_itself)
{
    struct hold holds[MANY];
    hold_many(holds);
    move_mail(1, "");
    hold_header_mail(4, "id=ffffffffffffffff rule=r incident=- reach=1");
    decide_many(ACTIONS_RELEASE, holds);
    ck_assert_int_eq(batches, 1);
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(results[i].status, i == 1   ? STATUS_NOT_FOUND
                                            : i == 4 ? STATUS_INVALID
                                                     : STATUS_OK);
        expect_state(holds[i].id, i == 1 ? "gone" : i == 4 ? "held" : "released");
    }
    ck_assert_ptr_nonnull(strstr(results[4].error.text, holds[4].id));
    ck_assert_ptr_nonnull(strstr(results[4].error.text, "ABCDE4: another message"));
    ck_assert_uint_eq(told_done, MANY);
    ck_assert_uint_eq(told_total, MANY);
    decide_many(ACTIONS_DELETE, holds);
    ck_assert_int_eq(orders, MANY + 1);
    ck_assert_int_eq(results[0].status, STATUS_CONFLICT);
}
END_TEST

/* Two senders, and one message whose sender may not be told. */
START_TEST(actions_refuse_an_incident_with_a_letter_for_each_sender)
{
    struct hold holds[MANY];
    hold_many(holds);
    decide_many(ACTIONS_REFUSE, holds);
    for (size_t i = 0; i < MANY; i++)
        ck_assert_int_eq(results[i].status, STATUS_OK);
    ck_assert_int_eq(batches, 3);
    ck_assert_ptr_nonnull(strstr(last_order(), " b@own.example\n\nFrom: "));
    ck_assert_ptr_nonnull(strstr(last_order(), "\n1 more of your messages, stopped"));
}
END_TEST

START_TEST(actions_ask_nobody_twice_who_does_not_answer)
{
    struct hold holds[MANY];
    hold_many(holds);
    hangs = true;
    int64_t started_us = clock_monotonic_us();
    const char *ids[MANY];
    for (size_t i = 0; i < MANY; i++)
        ids[i] = holds[i].id;
    actions_decide_many(actions, &settings, ACTIONS_REFUSE, ids, MANY,
                        started_us + 300000, NULL, results);
    ck_assert_int_lt(clock_monotonic_us() - started_us, 1500000);
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(results[i].status, STATUS_UNAVAILABLE);
        ck_assert_ptr_nonnull(strstr(results[i].error.text, holds[i].id));
        expect_state(holds[i].id, "held");
    }
}
END_TEST

static void never(const char *id)
{
    ck_abort_msg("%s was refused", id);
}

static int expired;

static void count_expired(const char *id)
{
    ck_assert_uint_eq(strlen(id), 16);
    expired++;
}

START_TEST(actions_expire_what_is_old_and_end_at_their_deadline)
{
    struct hold holds[MANY];
    size_t left;
    hold_many(holds);
    settings.quarantine.expire_ms = 3600000;
    ck_assert_int_eq(actions_expire(actions, &settings, soon(), never, &left, &error),
                     STATUS_OK);
    ck_assert_uint_eq(left, 0);
    settings.quarantine.expire_ms = 1000;
    hangs = true;
    int64_t started_us = clock_monotonic_us();
    ck_assert_int_eq(
        actions_expire(actions, &settings, started_us + 300000, never, &left, &error),
        STATUS_LIMIT);
    ck_assert_uint_eq(left, MANY);
    ck_assert_int_lt(clock_monotonic_us() - started_us, 1500000);
    hangs = false;
    (void)usleep(50000);
    ck_assert_int_eq(
        actions_expire(actions, &settings, soon(), count_expired, &left, &error),
        STATUS_OK);
    ck_assert_uint_eq(left, 0);
    ck_assert_int_eq(expired, MANY);
}
END_TEST

START_TEST(actions_refuse_without_a_word_to_the_forged)
{
    static const char *const senders[] = {"", "no-domain", "-x@own.example",
                                          "a b@own.example", "a@own.example,b@x"};
    struct hold hold = hold_mail("ABCDE0", "a@own.example", false);
    ck_assert_int_eq(decide(ACTIONS_REFUSE, hold.id), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(last_order(), " -\n"));
    ck_assert_ptr_null(strstr(last_order(), "From:"));
    for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "ABCDE%zu", i + 1);
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
    tcase_add_test(cases, actions_refuse_tells_whoever_can_be_told);
    tcase_add_test(cases, actions_do_many_at_once_each_for_itself);
    tcase_add_test(cases, actions_refuse_an_incident_with_a_letter_for_each_sender);
    tcase_add_test(cases, actions_ask_nobody_twice_who_does_not_answer);
    tcase_add_test(cases, actions_expire_what_is_old_and_end_at_their_deadline);
    tcase_add_test(cases, actions_refuse_without_a_word_to_the_forged);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
