/* Holds and incidents against a store in memory and a private Redis: what is kept, what
 * is counted, and what is forgotten. */
#include "ledger_fixture.h"
#include "quarantine/ledger_list.h"
#include "quarantine/record.h"
#include "run.h"

START_TEST(record_time_is_read_as_it_is_written)
{
    json_t *text = record_time(1795291814000);
    ck_assert_str_eq(json_string_value(text), "2026-11-21T20:10:14Z");
    ck_assert_int_eq(record_parse_time(json_string_value(text)), 1795291814000);
    json_decref(text);
    ck_assert_int_eq(record_parse_time("2026-11-21"), -1);
    ck_assert_int_eq(record_parse_time("2026-11-21T20:10:14Zx"), -1);
    ck_assert_int_eq(record_parse_time(NULL), -1);
}
END_TEST

START_TEST(ledger_keeps_a_hold_with_all_that_is_known)
{
    struct hold hold = hold_one("list:all@own");
    ck_assert_int_eq(hold.result, HOLD_KEPT);
    json_t *array = holds(false);
    ck_assert_uint_eq(json_array_size(array), 1);
    const json_t *kept = json_array_get(array, 0);
    ck_assert_str_eq(record_text(kept, "id"), hold.id);
    ck_assert_str_eq(record_text(kept, "incident"), hold.incident);
    ck_assert_str_eq(record_text(kept, "rule"), "list-rate");
    ck_assert_str_eq(record_text(kept, "identity"), "login:a@own");
    ck_assert_str_eq(record_text(kept, "host"), "relay1");
    ck_assert_str_eq(record_text(kept, "queue_id"), "4Qabc");
    ck_assert_str_eq(record_text(kept, "state"), "held");
    ck_assert_str_eq(record_text(kept, "sender"), "a@own");
    ck_assert(json_is_true(json_object_get(kept, "tell")));
    ck_assert_int_eq(record_number(kept, "reach"), 100);
    ck_assert_int_eq(record_number(kept, "addressed_count"), 2);
    ck_assert_uint_eq(json_array_size(json_object_get(kept, "addressed")), 2);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(kept, "lists"), 0)),
                     "all@own");
    ck_assert_uint_eq(strlen(record_text(kept, "held_at")),
                      strlen("2026-11-21T19:30:00Z"));
    ck_assert_ptr_null(json_object_get(kept, "party"));
    json_decref(array);
}
END_TEST

START_TEST(ledger_joins_what_is_less_than_the_gap_apart)
{
    struct hold first = hold_at("a", now_ms - 2 * INCIDENT_GAP_MS);
    struct hold second = hold_at("a", now_ms - INCIDENT_GAP_MS - 1);
    struct hold third = hold_at("a", now_ms - 1);
    struct hold other = hold_at("b", now_ms - 1);
    ck_assert_str_eq(first.incident, second.incident);
    ck_assert_str_ne(second.incident, third.incident);
    ck_assert_str_ne(third.incident, other.incident);
    json_t *array = incidents();
    ck_assert_uint_eq(json_array_size(array), 3);
    const json_t *oldest = json_array_get(array, 0);
    ck_assert_str_eq(record_text(oldest, "id"), first.incident);
    ck_assert(json_is_false(json_object_get(oldest, "open")));
    ck_assert_int_eq(record_number(oldest, "held"), 2);
    ck_assert_int_eq(record_number(oldest, "copies"), 240);
    ck_assert_str_eq(record_text(oldest, "key"), "a");
    ck_assert(json_is_true(json_object_get(json_array_get(array, 2), "open")));
    json_decref(array);
}
END_TEST

START_TEST(ledger_shows_a_lapsed_incident_as_over)
{
    struct hold hold = hold_at("a", now_ms - INCIDENT_GAP_MS);
    json_t *found = incident(hold.incident);
    ck_assert(json_is_false(json_object_get(found, "open")));
    json_decref(found);
    prune(now_ms, INT64_C(86400000));
    expect_numbers(hold.incident, 1, 0, 0);
    ck_assert_uint_eq(count_of(incidents()), 1);
    struct ledger_numbers numbers;
    ck_assert_int_eq(ledger_list_count(ledger, either_soon(), &numbers), STATUS_OK);
    ck_assert_uint_eq(numbers.incidents_open, 0);
    ck_assert_int_eq(move(hold.id, "held", "released"), STATUS_OK);
    found = incident(hold.incident);
    ck_assert_int_eq(record_number(found, "released"), 1);
    json_decref(found);
}
END_TEST

START_TEST(ledger_counts_refusals_and_names_the_incident)
{
    ck_assert_str_eq(count_one("a", ACTION_REJECT), "");
    ck_assert_str_eq(count_one("a", ACTION_DEFER), "");
    flush();
    json_t *array = incidents();
    ck_assert_uint_eq(json_array_size(array), 1);
    const char *id = record_text(json_array_get(array, 0), "id");
    ck_assert_str_eq(count_one("a", ACTION_REJECT), id);
    flush();
    expect_numbers(id, 0, 2, 1);
    ck_assert_str_eq(hold_one("a").incident, id);
    expect_numbers(id, 1, 2, 1);
    json_decref(array);
}
END_TEST

START_TEST(ledger_keeps_a_flood_of_senders_together)
{
    char subject[40];
    int64_t refused = 0;
    size_t i;
    json_t *found;
    for (int sender = 0; sender < 2100; sender++) {
        (void)snprintf(subject, sizeof subject, "sender:%d@else", sender);
        (void)count_one(subject, ACTION_REJECT);
    }
    flush();
    json_t *array = incidents();
    ck_assert_uint_eq(json_array_size(array), 2001);
    json_array_foreach(array, i, found)
    {
        refused += record_number(found, "refused");
        if (strcmp(record_text(found, "key"), "(many)") == 0)
            ck_assert_int_eq(record_number(found, "refused"), 100);
    }
    ck_assert_int_eq(refused, 2100);
    json_decref(array);
}
END_TEST

START_TEST(ledger_forgets_what_is_over_for_long)
{
    const int64_t day_ms = 86400000;
    struct hold held = hold_at("held", now_ms - 40 * day_ms);
    struct hold ended = hold_at("ended", now_ms - 40 * day_ms);
    struct hold fresh = hold_at("fresh", now_ms);
    ck_assert_int_eq(move(ended.id, "held", "deleted"), STATUS_OK);
    ck_assert_int_eq(move(fresh.id, "held", "deleted"), STATUS_OK);
    prune(now_ms, 30 * day_ms);
    ck_assert_uint_eq(count_of(holds(true)), 3); /* ended just now */
    ck_assert_uint_eq(count_of(incidents()), 2);
    expect_numbers(held.incident, 1, 0, 0); /* its message is held still */
    prune(now_ms + 31 * day_ms, 30 * day_ms);
    ck_assert_uint_eq(count_of(holds(true)), 1);
    ck_assert_uint_eq(count_of(incidents()), 1);
}
END_TEST

START_TEST(ledger_survives_strangers_words)
{
    static const char evil[] =
        "\xff\xfe<script>alert(1)</script>\x1b[2J\xe2\x80\xae%n\"\\";
    char longest[1024];
    struct hold hold;
    memset(longest, '\x01', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    struct event event = make_event(longest);
    event.identity = event.sender = longest;
    event.list_count = event.addressed_count = 1000;
    for (size_t i = 0; i < EVENT_LISTS_MAX; i++)
        event.lists[i] = event.addressed[i] = longest;
    ledger_hold(ledger, &settings, &event, either_soon(), &hold);
    ck_assert_int_eq(hold.result, HOLD_KEPT);
    event.sender = event.identity = event.queue_id = event.subject = evil;
    for (size_t i = 0; i < EVENT_LISTS_MAX; i++)
        event.lists[i] = event.addressed[i] = evil;
    ledger_hold(ledger, &settings, &event, either_soon(), &hold);
    ck_assert_int_eq(hold.result, HOLD_KEPT);
    json_t *array = holds(false);
    ck_assert_uint_eq(json_array_size(array), 2);
    char *text = json_dumps(array, JSON_ENSURE_ASCII);
    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_nonnull(strstr(text, "\\uFFFD\\uFFFD<script>"));
    free(text);
    json_decref(array);
    ck_assert_uint_eq(count_of(incidents()), 2);
}
END_TEST

START_TEST(ledger_survives_damaged_documents)
{
    static const char *const values[] = {
        "", "{", "[]", "7", "{}", "{\"id\":7}", "{\"id\":\"x\",\"open\":true}"};
    char id[16];
    struct hold hold = hold_one("a");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        static const enum collection all[] = {COLLECTION_HOLDS, COLLECTION_INCIDENTS};
        (void)snprintf(id, sizeof id, "bad%zu", i);
        for (size_t j = 0; j < sizeof all / sizeof *all; j++) {
            struct change change = {.collection = all[j], .id = id, .value = values[i]};
            ck_assert_int_eq(store_change(store, &change, 1, either_soon()), STATUS_OK);
        }
    }
    json_decref(holds(true));
    json_decref(incidents());
    ck_assert_int_eq(move("bad1", "held", "released"), STATUS_NOT_FOUND);
    prune(now_ms, INT64_C(86400000));
    expect_numbers(hold.incident, 1, 0, 0);
}
END_TEST

START_TEST(ledger_holds_while_the_store_is_away)
{
    struct hold kept = hold_one("a");
    server_kill(&server);
    for (int i = 0; i < 3; i++) {
        struct hold hold;
        struct event event = make_event("a");
        int64_t start_us = clock_monotonic_us();
        ledger_hold(ledger, &settings, &event, start_us + 250000, &hold);
        ck_assert_int_lt(clock_monotonic_us() - start_us, 400000);
        ck_assert_int_eq(hold.result, HOLD_UNRECORDED);
        ck_assert_str_eq(hold.incident, kept.incident);
        ck_assert_uint_eq(strlen(hold.id), DIGEST_ID_SIZE - 1);
    }
    (void)count_one("a", ACTION_REJECT);
    ck_assert_int_eq(ledger_flush(ledger, clock_monotonic_us() + 100000),
                     STATUS_UNAVAILABLE);
    settings.quarantine.max_messages = 4;
    ck_assert_int_eq(ledger_measure(ledger, true, clock_monotonic_us() + 100000),
                     STATUS_UNAVAILABLE);
    ck_assert_int_eq(hold_one("a").result, HOLD_QUEUE_FULL);

    server_start(&server);
    for (int i = 0; i < 400 && store_state(store) != STORE_STATE_OK; i++)
        (void)usleep(10000);
    flush();
    json_t *array = incidents();
    ck_assert_uint_eq(json_array_size(array), 1);
    const json_t *counted = json_array_get(array, 0);
    ck_assert_int_eq(record_number(counted, "refused"), 1);
    ck_assert_int_eq(record_number(counted, "deferred"), 1);
    ck_assert_int_eq(record_number(counted, "held"), 3); /* the first, Redis lost */
    ck_assert_str_eq(record_text(counted, "id"), kept.incident);
    json_decref(array);
}
END_TEST

START_TEST(ledger_refuses_a_flood_while_the_store_is_away)
{
    settings.quarantine.max_per_incident = 1;
    struct hold kept = hold_one("a");
    ck_assert_int_eq(hold_one("a").result, HOLD_INCIDENT_FULL);
    server_kill(&server);
    struct hold more = hold_at("a", now_ms + 60000);
    ck_assert_int_eq(more.result, HOLD_INCIDENT_FULL);
    ck_assert_str_eq(more.incident, kept.incident);
    ck_assert_int_eq(hold_at("b", now_ms + 60000).result, HOLD_UNRECORDED);
    server_start(&server);
}
END_TEST

/* ---- more than one would hold in memory ---- */

enum { MANY = 560, MANY_BYTES = 15 * 1024, LISTS = 2 };

/* Large ones, and more than a page holds. */
static void put_many(void)
{
    char *value = malloc(MANY_BYTES + 200);
    ck_assert_ptr_nonnull(value);
    for (int i = 0; i < MANY; i++) {
        char id[DIGEST_ID_SIZE];
        (void)snprintf(id, sizeof id, "%016x", i);
        int used = snprintf(value, 200,
                            "all %016d\tover %016d\n"
                            "{\"id\":\"%s\",\"last_at\":%d,\"open\":false,\"x\":\"",
                            MANY - i, MANY - i, id, MANY - i);
        memset(value + used, 'x', MANY_BYTES);
        (void)snprintf(value + used + MANY_BYTES, 3, "\"}");
        const struct change change = {
            .collection = COLLECTION_INCIDENTS, .id = id, .value = value};
        ck_assert_int_eq(store_change(store, &change, 1, either_soon()), STATUS_OK);
    }
    free(value);
}

START_TEST(ledger_lists_many_one_by_one)
{
    struct ledger_list *lists[LISTS];
    struct ledger_numbers numbers;
    json_t *record;
    put_many();
    const struct change odd = {
        .collection = COLLECTION_INCIDENTS, .id = "odd", .value = "no record"};
    ck_assert_int_eq(store_change(store, &odd, 1, either_soon()), STATUS_OK);
    (void)hold_at("a", now_ms);
    for (size_t i = 0; i < LISTS; i++) /* 8 MB each, but not in memory */
        ck_assert_int_eq(ledger_list_incidents(ledger, 0, either_soon(), &lists[i]),
                         STATUS_OK);
    for (size_t i = 0; i < LISTS; i++) {
        int64_t before = -1;
        size_t count = 0;
        enum status status;
        while ((status = ledger_list_next(lists[i], either_soon(), &record)) ==
               STATUS_OK) {
            int64_t at =
                record_parse_time(json_string_value(json_object_get(record, "last_at")));
            ck_assert_int_le(before, at);
            before = at;
            count++;
            json_decref(record);
        }
        ck_assert_int_eq(status, STATUS_NOT_FOUND);
        ck_assert_uint_eq(count, MANY + 1);
        ledger_list_free(lists[i]);
    }
    size_t since = 0;
    ck_assert_int_eq(ledger_list_incidents(ledger, MANY - 9, either_soon(), &lists[0]),
                     STATUS_OK);
    while (ledger_list_next(lists[0], either_soon(), &record) == STATUS_OK) {
        since++;
        json_decref(record);
    }
    ck_assert_uint_eq(since, 10 + 1);
    ledger_list_free(lists[0]);
    ck_assert_int_eq(ledger_list_count(ledger, either_soon(), &numbers), STATUS_OK);
    ck_assert_uint_eq(numbers.holds, 1);
    ck_assert_uint_eq(numbers.incidents, MANY + 1);
    ck_assert_uint_eq(numbers.incidents_open, 1);
    ck_assert_uint_eq(numbers.damaged, 1);
}
END_TEST

static TCase *make_case(const char *name, SFun setup)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, ledger_keeps_a_hold_with_all_that_is_known);
    tcase_add_test(tcase, record_time_is_read_as_it_is_written);
    tcase_add_test(tcase, ledger_joins_what_is_less_than_the_gap_apart);
    tcase_add_test(tcase, ledger_shows_a_lapsed_incident_as_over);
    tcase_add_test(tcase, ledger_counts_refusals_and_names_the_incident);
    tcase_add_test(tcase, ledger_keeps_a_flood_of_senders_together);
    tcase_add_test(tcase, ledger_forgets_what_is_over_for_long);
    tcase_add_test(tcase, ledger_survives_strangers_words);
    tcase_add_test(tcase, ledger_survives_damaged_documents);
    tcase_add_test(tcase, ledger_lists_many_one_by_one);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("ledger");
    TCase *redis = make_case("redis", setup_redis);
    suite_add_tcase(suite, make_case("memory", setup_memory));
    tcase_add_test(redis, ledger_holds_while_the_store_is_away);
    tcase_add_test(redis, ledger_refuses_a_flood_while_the_store_is_away);
    suite_add_tcase(suite, redis);
    return run_suite(suite);
}
