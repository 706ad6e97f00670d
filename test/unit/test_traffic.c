/* Who sends most, whatever number of strangers sends a little. */
#include "../support/either_store.h"

#include "engine/traffic.h"
#include "quarantine/record.h"
#include "run.h"

static const int64_t start_ms = INT64_C(1790000000000);

static void setup(void)
{
    either_open(false);
}

static void pass(struct traffic *traffic, const char *identity, uint64_t copies,
                 bool stopped, int64_t now_ms)
{
    struct judgement judgement = {.facts = {.copies = copies}};
    (void)snprintf(judgement.facts.identity, sizeof judgement.facts.identity, "%s",
                   identity);
    (void)snprintf(judgement.facts.client, sizeof judgement.facts.client, "10.1.2.3");
    traffic_add(traffic, &judgement, stopped, now_ms);
}

static int64_t first_of(json_t *senders, const char *expected, const char *name)
{
    const json_t *first = json_array_get(senders, 0);
    ck_assert_str_eq(record_text(first, "key"), expected);
    int64_t number = record_number(first, name);
    json_decref(senders);
    return number;
}

START_TEST(traffic_forgets_after_some_minutes)
{
    struct traffic *traffic = traffic_new("relay1");
    pass(traffic, "login:a@own", 5, false, start_ms);
    pass(traffic, "login:a@own", 6, true, start_ms + 60000);
    int64_t last_ms = start_ms + 60000;
    ck_assert_int_eq(first_of(traffic_now(traffic, TRAFFIC_SENDERS, 9, last_ms),
                              "login:a@own", "copies"),
                     11);
    ck_assert_int_eq(first_of(traffic_now(traffic, TRAFFIC_SENDERS, 9,
                                          start_ms + TRAFFIC_MINUTES * INT64_C(60000)),
                              "login:a@own", "copies"),
                     6);
    json_t *none = traffic_now(traffic, TRAFFIC_SENDERS, 9, start_ms + 3600000);
    ck_assert_uint_eq(json_array_size(none), 0);
    json_decref(none);
    traffic_free(traffic);
}
END_TEST

static int64_t shown_in(const struct hour *hour, int64_t now_ms, size_t back,
                        const char *name)
{
    json_t *minutes = hour_show(hour, now_ms);
    ck_assert_uint_eq(json_array_size(minutes), HOUR_MINUTES);
    const json_t *minute = json_array_get(minutes, HOUR_MINUTES - 1 - back);
    json_int_t value = json_integer_value(json_object_get(minute, name));
    json_decref(minutes);
    return value;
}

static int64_t of_minute(struct traffic *traffic, int64_t now_ms, size_t back,
                         const char *name)
{
    struct hour hour;
    traffic_hour(traffic, &hour);
    return shown_in(&hour, now_ms, back, name);
}

START_TEST(traffic_of_an_hour_is_shown_by_the_minute)
{
    struct traffic *traffic = traffic_new("relay1");
    pass(traffic, "login:a@own", 5, false, start_ms);
    pass(traffic, "login:b@own", 7, true, start_ms);
    int64_t now_ms = start_ms + 59 * INT64_C(60000);
    ck_assert_int_eq(of_minute(traffic, now_ms, 59, "messages"), 2);
    ck_assert_int_eq(of_minute(traffic, now_ms, 59, "copies"), 12);
    ck_assert_int_eq(of_minute(traffic, now_ms, 59, "stopped"), 1);
    ck_assert_int_eq(of_minute(traffic, now_ms, 59, "stopped_copies"), 7);
    ck_assert_int_eq(of_minute(traffic, now_ms, 58, "messages"), 0);
    now_ms += 60000; /* the place of the first minute is that of the last */
    ck_assert_int_eq(of_minute(traffic, now_ms, 0, "messages"), 0);
    pass(traffic, "login:a@own", 1, false, now_ms);
    ck_assert_int_eq(of_minute(traffic, now_ms, 0, "copies"), 1);
    traffic_free(traffic);
}
END_TEST

START_TEST(traffic_hours_of_relays_are_added_up)
{
    struct hour hour;
    int64_t now_ms = start_ms + 60000;
    struct traffic *one = traffic_new("relay1");
    struct traffic *two = traffic_new("relay2");
    pass(one, "login:a@own", 5, false, start_ms);
    pass(two, "login:a@own", 7, true, start_ms);
    pass(two, "login:a@own", 9, true, now_ms);
    ck_assert_int_eq(traffic_flush_hour(one, store, either_soon()), STATUS_OK);
    ck_assert_int_eq(traffic_flush_hour(two, store, either_soon()), STATUS_OK);
    traffic_hour(one, &hour);
    ck_assert_int_eq(hour_read(&hour, store, "relay2", either_soon()), STATUS_OK);
    ck_assert_int_eq(hour_read(&hour, store, "relay3", either_soon()), STATUS_OK);
    ck_assert_int_eq(shown_in(&hour, now_ms, 1, "messages"), 2);
    ck_assert_int_eq(shown_in(&hour, now_ms, 1, "copies"), 12);
    ck_assert_int_eq(shown_in(&hour, now_ms, 0, "stopped_copies"), 9);
    traffic_free(two);
    two = traffic_new("relay2"); /* restarted */
    ck_assert_int_eq(traffic_load(two, store, now_ms, either_soon()), STATUS_OK);
    ck_assert_int_eq(of_minute(two, now_ms, 1, "copies"), 7);
    traffic_free(two);
    traffic_free(one);
    ck_assert_int_eq(traffic_prune(store, now_ms, either_soon()), STATUS_OK);
    hour = (struct hour){0};
    ck_assert_int_eq(hour_read(&hour, store, "relay1", either_soon()), STATUS_OK);
    ck_assert_int_eq(shown_in(&hour, now_ms, 1, "messages"), 0); /* it is forgotten */
    ck_assert_int_eq(hour_read(&hour, store, "relay2", either_soon()), STATUS_OK);
    ck_assert_int_eq(shown_in(&hour, now_ms, 1, "messages"), 1);
}
END_TEST

START_TEST(traffic_keeps_the_largest_among_many)
{
    char identity[40];
    struct traffic *traffic = traffic_new("relay1");
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(identity, sizeof identity, "sender:%d@else", i);
        pass(traffic, identity, 1, true, start_ms);
        pass(traffic, "login:a@own", 10, false, start_ms);
    }
    ck_assert_int_eq(first_of(traffic_now(traffic, TRAFFIC_SENDERS, 9, start_ms),
                              "login:a@own", "messages"),
                     20000);
    traffic_free(traffic);
}
END_TEST

/* Only where a rule charges it, and never its words. */
START_TEST(traffic_knows_topics)
{
    char campaign[] = "login:a@own snow day";
    struct rule sender = {.key = KEY_SENDER};
    struct rule topic = {.key = KEY_TOPIC};
    struct charge charges[] = {{.subject = "login:a@own"}, {.subject = "topic:ff"}};
    struct plan_step steps[] = {{.rule = &sender, .charge_count = 1},
                                {.rule = &topic, .charge = 1, .charge_count = 1}};
    struct judgement judgement = {
        .facts = {.copies = 7, .identity = "login:a@own", .campaign = campaign},
        .plan = {.steps = steps, .step_count = 1, .charges = charges}};
    struct traffic *traffic = traffic_new("relay1");
    traffic_add(traffic, &judgement, false, start_ms);
    json_t *none = traffic_now(traffic, TRAFFIC_TOPICS, 9, start_ms);
    ck_assert_uint_eq(json_array_size(none), 0);
    json_decref(none);
    judgement.plan.step_count = 2;
    traffic_add(traffic, &judgement, true, start_ms);
    ck_assert_int_eq(
        first_of(traffic_now(traffic, TRAFFIC_TOPICS, 9, start_ms), "topic:ff", "copies"),
        7);
    traffic_free(traffic);
}
END_TEST

/* Also of what was read back, of which only the hash is known. */
START_TEST(traffic_of_hashed_addresses_is_added_up)
{
    static const struct digest_key hides = {{1, 2, 3}};
    json_t *out[TRAFFIC_REPORTED];
    char hash[DIGEST_HEX_SIZE], expected[64];
    digest_hex(&hides, "a@own", 5, hash);
    (void)snprintf(expected, sizeof expected, "login:%s", hash);
    for (int start = 0; start < 3; start++) {
        struct traffic *traffic = traffic_new("relay1");
        ck_assert_int_eq(traffic_load(traffic, store, start_ms, either_soon()),
                         STATUS_OK);
        pass(traffic, "login:a@own", 5, false, start_ms);
        ck_assert_int_eq(traffic_flush(traffic, store, &hides, either_soon()), STATUS_OK);
        traffic_free(traffic);
    }
    ck_assert_int_eq(traffic_report(store, start_ms, 9, either_soon(), out), STATUS_OK);
    ck_assert_uint_eq(json_array_size(out[TRAFFIC_SENDERS]), 1);
    ck_assert_int_eq(first_of(out[TRAFFIC_SENDERS], expected, "copies"), 15);
    json_decref(out[TRAFFIC_LISTS]);
    json_decref(out[TRAFFIC_CLIENTS]);
}
END_TEST

START_TEST(traffic_of_days_and_relays_is_added_up)
{
    json_t *out[TRAFFIC_REPORTED];
    struct traffic *one = traffic_new("relay1");
    struct traffic *two = traffic_new("relay2");
    pass(one, "login:a@own", 5, false, start_ms);
    pass(two, "login:a@own", 7, false, start_ms);
    ck_assert_int_eq(traffic_flush(one, store, NULL, either_soon()), STATUS_OK);
    ck_assert_int_eq(traffic_flush(two, store, NULL, either_soon()), STATUS_OK);
    traffic_free(one);
    one = traffic_new("relay1"); /* restarted */
    ck_assert_int_eq(traffic_load(one, store, start_ms, either_soon()), STATUS_OK);
    pass(one, "login:a@own", 1, false, start_ms);
    ck_assert_int_eq(traffic_flush(one, store, NULL, either_soon()), STATUS_OK);
    pass(one, "login:a@own", 100, false, start_ms + INT64_C(86400000));
    ck_assert_int_eq(traffic_flush(one, store, NULL, either_soon()), STATUS_OK);
    ck_assert_int_eq(traffic_report(store, start_ms, 9, either_soon(), out), STATUS_OK);
    ck_assert_int_eq(first_of(out[TRAFFIC_SENDERS], "login:a@own", "copies"), 113);
    json_decref(out[TRAFFIC_LISTS]);
    json_decref(out[TRAFFIC_CLIENTS]);
    int64_t next_ms = start_ms + INT64_C(86400000);
    ck_assert_int_eq(traffic_prune(store, next_ms, either_soon()), STATUS_OK);
    ck_assert_int_eq(traffic_report(store, 0, 9, either_soon(), out), STATUS_OK);
    ck_assert_int_eq(first_of(out[TRAFFIC_SENDERS], "login:a@own", "copies"), 100);
    json_decref(out[TRAFFIC_LISTS]);
    json_decref(out[TRAFFIC_CLIENTS]);
    traffic_free(one);
    traffic_free(two);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("traffic");
    TCase *tcase = tcase_create("traffic");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, either_close);
    tcase_add_test(tcase, traffic_forgets_after_some_minutes);
    tcase_add_test(tcase, traffic_of_an_hour_is_shown_by_the_minute);
    tcase_add_test(tcase, traffic_hours_of_relays_are_added_up);
    tcase_add_test(tcase, traffic_keeps_the_largest_among_many);
    tcase_add_test(tcase, traffic_knows_topics);
    tcase_add_test(tcase, traffic_of_hashed_addresses_is_added_up);
    tcase_add_test(tcase, traffic_of_days_and_relays_is_added_up);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
