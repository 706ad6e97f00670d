/* What becomes of holds, and how they come back when the records were lost. */
#include "ledger_fixture.h"
#include "quarantine/hold_header.h"
#include "quarantine/ledger_incident.h"
#include "run.h"

START_TEST(ledger_lets_one_of_two_release)
{
    struct hold hold = hold_one("a");
    ck_assert_int_eq(move(hold.id, "held", "releasing"), STATUS_OK);
    ck_assert_int_eq(move(hold.id, "held", "releasing"), STATUS_CONFLICT);
    ck_assert_int_eq(move(hold.id, "held", "refusing"), STATUS_CONFLICT);
    ck_assert_uint_eq(count_of(holds(false)), 1);
    ck_assert_int_eq(move(hold.id, "releasing", "released"), STATUS_OK);
    ck_assert_int_eq(move(hold.id, "releasing", "released"), STATUS_CONFLICT);
    ck_assert_int_eq(move("0000000000000000", "held", "releasing"), STATUS_NOT_FOUND);
    expect_state(hold.id, "released");
    ck_assert_uint_eq(count_of(holds(false)), 0);
    ck_assert_uint_eq(count_of(holds(true)), 1);
    json_t *found = incident(hold.incident);
    ck_assert_int_eq(record_number(found, "released"), 1);
    json_decref(found);
}
END_TEST

static void *release(void *context)
{
    static int one = 1;
    return move(context, "held", "releasing") == STATUS_OK ? &one : NULL;
}

START_TEST(ledger_lets_one_of_many_release)
{
    pthread_t threads[8];
    struct hold hold = hold_one("a");
    int won = 0;
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, release, hold.id), 0);
    for (int i = 0; i < 8; i++) {
        void *result = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
        won += result != NULL;
    }
    ck_assert_int_eq(won, 1);
}
END_TEST

START_TEST(ledger_takes_a_hold_back_to_held)
{
    struct hold hold = hold_one("a");
    ck_assert_int_eq(move(hold.id, "held", "gone"), STATUS_OK);
    ck_assert_int_eq(move(hold.id, "gone", "held"), STATUS_OK);
    expect_state(hold.id, "held");
    ck_assert_uint_eq(count_of(holds(false)), 1);
    ck_assert_uint_eq(count_of(holds(true)), 1);
}
END_TEST

static enum status restore(const char *header, const char *queue_id)
{
    const struct orphan orphan = {.header = header,
                                  .queue_id = queue_id,
                                  .sender = "a@own",
                                  .arrived_ms = now_ms - 5000,
                                  .listed_ms = now_ms};
    return ledger_restore(ledger, &orphan, either_soon());
}

START_TEST(ledger_restores_from_the_hold_header)
{
    ck_assert_int_eq(restore("id=00000000000000a1 rule=list-rate "
                             "incident=00000000000000f1 reach=51",
                             "4Q1"),
                     STATUS_OK);
    ck_assert_int_eq(restore("id=00000000000000a2 rule=list-rate "
                             "incident=00000000000000f1 reach=60",
                             "4Q2"),
                     STATUS_OK);
    ck_assert_int_eq(restore("id=00000000000000a2 rule=list-rate "
                             "incident=00000000000000f1 reach=60",
                             "4Q2"),
                     STATUS_OK);
    ck_assert_int_eq(restore("id=00000000000000a3 rule=brake incident=- reach=1", "4Q3"),
                     STATUS_OK);
    json_t *array = holds(false);
    ck_assert_uint_eq(json_array_size(array), 3);
    const json_t *first = json_array_get(array, 0);
    ck_assert_str_eq(record_text(first, "id"), "00000000000000a1");
    ck_assert_str_eq(record_text(first, "incident"), "00000000000000f1");
    ck_assert_str_eq(record_text(first, "rule"), "list-rate");
    ck_assert_str_eq(record_text(first, "queue_id"), "4Q1");
    ck_assert_int_eq(record_number(first, "reach"), 51);
    ck_assert(json_is_false(json_object_get(first, "tell")));
    json_decref(array);
    json_t *found = incident("00000000000000f1");
    ck_assert_int_eq(record_number(found, "held"), 2);
    ck_assert_int_eq(record_number(found, "reach"), 60);
    json_decref(found);
    ck_assert_uint_eq(count_of(incidents()), 1);
    ck_assert_int_eq(move("00000000000000a1", "held", "released"), STATUS_OK);
    found = incident("00000000000000f1");
    ck_assert_int_eq(record_number(found, "released"), 1);
    json_decref(found);
}
END_TEST

START_TEST(ledger_restores_what_was_lost_alone)
{
    char header[120];
    struct hold lost = hold_one("a");
    struct change change = {.collection = COLLECTION_HOLDS, .id = lost.id};
    ck_assert_int_eq(store_change(store, &change, 1, either_soon()), STATUS_OK);
    (void)snprintf(header, sizeof header, "id=%s rule=list-rate incident=%s reach=100",
                   lost.id, lost.incident);
    ck_assert_int_eq(restore(header, "4Qabc"), STATUS_OK);
    ck_assert_uint_eq(count_of(incidents()), 1);
    ck_assert_int_eq(move(lost.id, "held", "released"), STATUS_OK);
    json_t *found = incident(lost.incident);
    ck_assert_int_eq(record_number(found, "released"), 1);
    ck_assert(json_is_true(json_object_get(found, "open")));
    json_decref(found);
}
END_TEST

START_TEST(ledger_restores_what_the_queue_still_has)
{
    char header[120];
    struct hold hold = hold_one("a");
    (void)snprintf(header, sizeof header, "id=%s rule=list-rate incident=%s reach=100",
                   hold.id, hold.incident);
    ck_assert_int_eq(restore(header, "4Qnew"), STATUS_OK);
    json_t *found = NULL;
    ck_assert_int_eq(ledger_find_hold(ledger, hold.id, either_soon(), &found), STATUS_OK);
    ck_assert_str_eq(record_text(found, "queue_id"), "4Qnew");
    ck_assert_str_eq(record_text(found, "identity"), "login:a@own");
    json_decref(found);
    ck_assert_int_eq(move(hold.id, "held", "gone"), STATUS_OK);
    ck_assert_int_eq(restore(header, "4Qnew"), STATUS_OK);
    expect_state(hold.id, "held");
    /* listed before it was released */
    ck_assert_int_eq(move(hold.id, "held", "released"), STATUS_OK);
    ck_assert_int_eq(restore(header, "4Qnew"), STATUS_OK);
    expect_state(hold.id, "released");
    expect_numbers(hold.incident, 1, 0, 0);
}
END_TEST

static void expect_waiting(const char *id, int64_t waiting, int64_t released)
{
    json_t *found = incident(id);
    ck_assert_int_eq(record_number(found, "waiting"), waiting);
    ck_assert_int_eq(record_number(found, "released"), released);
    json_decref(found);
}

START_TEST(ledger_counts_what_is_held_again_as_waiting)
{
    char header[120];
    struct hold hold = hold_one("a");
    expect_waiting(hold.incident, 1, 0);
    ck_assert_int_eq(move(hold.id, "held", "released"), STATUS_OK);
    expect_waiting(hold.incident, 0, 1);
    ck_assert_int_eq(move(hold.id, "released", "held"), STATUS_OK);
    expect_waiting(hold.incident, 1, 0);
    ck_assert_int_eq(move(hold.id, "held", "gone"), STATUS_OK);
    expect_waiting(hold.incident, 0, 0);
    (void)snprintf(header, sizeof header, "id=%s rule=list-rate incident=%s reach=100",
                   hold.id, hold.incident);
    ck_assert_int_eq(restore(header, "4Qabc"), STATUS_OK);
    expect_state(hold.id, "held");
    expect_waiting(hold.incident, 1, 0);
}
END_TEST

START_TEST(ledger_restores_from_no_other_hold_header)
{
    static const char *const hold_headers[] = {
        "",
        "id=",
        "id=00000000000000a1",
        "id=00000000000000a1 rule=r incident=00000000000000f1",
        "id=00000000000000a1 rule=r incident=00000000000000f1 reach=",
        "id=00000000000000a1 rule=r incident=00000000000000f1 reach=5 ",
        " id=00000000000000a1 rule=r incident=00000000000000f1 reach=5",
        "id=00000000000000a1 rule=r incident=00000000000000f1 reach=5 x",
        "id=00000000000000a1 rule=r incident=00000000000000f1 reach=5 X=1",
        "id=00000000000000a1 rule=r incident=00000000000000f1 reach=5 x=<1>",
        "id=00000000000000a1 rule=r incident=00000000000000f1 reach=5 tell=12",
        "id=00000000000000a1 rule=r incident=00000000000000f1 reach=5 x=1 ",
        "id=00000000000000a1  rule=r incident=00000000000000f1 reach=5",
        "id=00000000000000A1 rule=r incident=00000000000000f1 reach=5",
        "id=0000000000000a1 rule=r incident=00000000000000f1 reach=5",
        "id=000000000000000a1 rule=r incident=00000000000000f1 reach=5",
        "id=00000000000000a1 rule= incident=00000000000000f1 reach=5",
        "id=00000000000000a1 rule=a/b incident=00000000000000f1 reach=5",
        "id=00000000000000a1 rule=r incident=0000000-000000f1 reach=5",
        "id=00000000000000a1 rule=r incident=-- reach=5",
        "id=00000000000000a1 rule=r incident= reach=5",
        "id=00000000000000a1 rule=r incident=- reach=-5",
        "id=00000000000000a1 rule=r incident=- reach=1234567890123",
        "id=00000000000000a1\trule=r incident=- reach=5",
        "id=00000000000000a1\nrule=r incident=- reach=5",
    };
    for (size_t i = 0; i < sizeof hold_headers / sizeof *hold_headers; i++)
        ck_assert_msg(restore(hold_headers[i], "4Q1") == STATUS_INVALID, "%s",
                      hold_headers[i]);
    ck_assert_uint_eq(count_of(holds(true)), 0);
    ck_assert_uint_eq(count_of(incidents()), 0);
}
END_TEST

/* What a restored record of this header says of its sender. */
static void expect_told(const char *id, const char *header, bool told,
                        const char *identity)
{
    json_t *found = NULL;
    ck_assert_int_eq(restore(header, "4Qtell"), STATUS_OK);
    ck_assert_int_eq(ledger_find_hold(ledger, id, either_soon(), &found), STATUS_OK);
    ck_assert_int_eq(json_is_true(json_object_get(found, "tell")), told);
    ck_assert_str_eq(record_text(found, "identity"), identity);
    json_decref(found);
}

START_TEST(ledger_restores_whom_to_tell)
{
    static const char *const ids[] = {"00000000000000a1", "00000000000000a2",
                                      "00000000000000a3", "00000000000000a4"};
    static const char *const identities[] = {"login:a@own", "sender:a@own",
                                             "client:local", "login:b@own"};
    char text[HOLD_HEADER_SIZE];
    struct hold_header header = {.rule = "r", .incident = "-", .reach = 5};
    for (size_t i = 0; i < 4; i++) {
        memcpy(header.id, ids[i], sizeof header.id);
        hold_header_sign(&key, ids[i], identities[i], "a@own", header.tell);
        hold_header_print(&header, text);
        expect_told(ids[i], text, i < 3, i < 3 ? identities[i] : "sender:a@own");
    }
    /* another message's */
    memcpy(header.id, "00000000000000a5", sizeof header.id);
    hold_header_sign(&key, ids[0], identities[0], "a@own", header.tell);
    hold_header_print(&header, text);
    expect_told("00000000000000a5", text, false, "sender:a@own");
    /* made up; and what a later version may add */
    expect_told("00000000000000a6",
                "id=00000000000000a6 rule=r incident=- reach=5 tell=0123456789abcdef "
                "more=1 lists=a@b,c@d",
                false, "sender:a@own");
}
END_TEST

START_TEST(ledger_hold_makes_a_hold_header_that_tells)
{
    char text[HOLD_HEADER_SIZE];
    struct hold_header header = {.reach = 999999999999};
    struct hold hold = hold_one("a");
    memset(header.rule, 'r', sizeof header.rule - 1);
    memcpy(header.id, hold.id, sizeof header.id);
    memcpy(header.incident, hold.incident, sizeof header.incident);
    memcpy(header.tell, hold.tell, sizeof header.tell);
    hold_header_print(&header, text);
    struct change change = {.collection = COLLECTION_HOLDS, .id = hold.id};
    ck_assert_int_eq(store_change(store, &change, 1, either_soon()), STATUS_OK);
    expect_told(hold.id, text, true, "login:a@own");
    struct event event = make_event("a");
    event.tell = false;
    ledger_hold(ledger, &settings, &event, either_soon(), &hold);
    ck_assert_str_eq(hold.tell, "");
}
END_TEST

START_TEST(ledger_holds_what_was_recalled_whatever_the_caps)
{
    settings.quarantine.max_per_incident = 1;
    settings.quarantine.max_messages = 1;
    ck_assert_int_eq(ledger_measure(ledger, false, either_soon()), STATUS_OK);
    struct event event = make_event("sender:a@own");
    event.recalled = true;
    event.reach = EVENT_REACH_UNKNOWN;
    struct hold hold;
    for (int i = 0; i < 3; i++) {
        ledger_hold(ledger, &settings, &event, either_soon(), &hold);
        ck_assert_int_eq(hold.result, HOLD_KEPT);
    }
    expect_numbers(hold.incident, 3, 0, 0);
    json_t *found = incident(hold.incident);
    ck_assert(json_is_null(json_object_get(found, "reach")));
    json_decref(found);
    ck_assert_int_eq(ledger_find_hold(ledger, hold.id, either_soon(), &found), STATUS_OK);
    ck_assert(json_is_null(json_object_get(found, "reach")));
    ck_assert(json_is_true(json_object_get(found, "pulled")));
    json_decref(found);
    ck_assert_int_eq(ledger_measure(ledger, true, either_soon()), STATUS_OK);
    ck_assert_int_eq(hold_one("b").result, HOLD_QUEUE_FULL);
}
END_TEST

static bool set_five(void *context, json_t *incident)
{
    return json_object_set_new(incident, context, json_integer(5)) == 0;
}

START_TEST(ledger_changes_and_keeps_what_it_does_not_know)
{
    static char name[] = "notified_ms";
    struct hold hold = hold_one("a");
    ck_assert_int_eq(ledger_change_incident(ledger, hold.incident, set_five, name,
                                            either_soon(), NULL),
                     STATUS_OK);
    ck_assert_int_eq(ledger_change_incident(ledger, "00000000000000f1", set_five, name,
                                            either_soon(), NULL),
                     STATUS_NOT_FOUND);
    (void)hold_one("a");
    json_t *found = incident(hold.incident);
    ck_assert_int_eq(record_number(found, "notified_ms"), 5);
    ck_assert_int_eq(record_number(found, "held"), 2);
    json_decref(found);
}
END_TEST

START_TEST(ledger_closed_incident_is_not_joined)
{
    struct hold hold = hold_one("a");
    ck_assert_int_eq(ledger_close_incident(ledger, hold.incident, either_soon()),
                     STATUS_OK);
    ck_assert_int_eq(ledger_close_incident(ledger, "00000000000000f1", either_soon()),
                     STATUS_NOT_FOUND);
    ck_assert_str_ne(hold_one("a").incident, hold.incident);
    expect_numbers(hold.incident, 1, 0, 0);
    ck_assert_uint_eq(count_of(incidents()), 2);
}
END_TEST

static TCase *make_case(const char *name, SFun setup)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, ledger_lets_one_of_two_release);
    tcase_add_test(tcase, ledger_lets_one_of_many_release);
    tcase_add_test(tcase, ledger_takes_a_hold_back_to_held);
    tcase_add_test(tcase, ledger_restores_from_the_hold_header);
    tcase_add_test(tcase, ledger_restores_what_was_lost_alone);
    tcase_add_test(tcase, ledger_restores_what_the_queue_still_has);
    tcase_add_test(tcase, ledger_counts_what_is_held_again_as_waiting);
    tcase_add_test(tcase, ledger_restores_from_no_other_hold_header);
    tcase_add_test(tcase, ledger_restores_whom_to_tell);
    tcase_add_test(tcase, ledger_hold_makes_a_hold_header_that_tells);
    tcase_add_test(tcase, ledger_holds_what_was_recalled_whatever_the_caps);
    tcase_add_test(tcase, ledger_changes_and_keeps_what_it_does_not_know);
    tcase_add_test(tcase, ledger_closed_incident_is_not_joined);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("ledger_move");
    suite_add_tcase(suite, make_case("memory", setup_memory));
    suite_add_tcase(suite, make_case("redis", setup_redis));
    return run_suite(suite);
}
