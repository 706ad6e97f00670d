/* Holds while the store is away: they have an incident at once, and their records when
 * the store is back. */
#include "ledger_fixture.h"

#include <signal.h>

#include "quarantine/pending_holds.h"
#include "run.h"

static void freeze(void)
{
    ck_assert_int_eq(kill(server.pid, SIGSTOP), 0);
}

static void wait_for_store(void)
{
    for (int i = 0; i < 1000 && store_state(store) != STORE_STATE_OK; i++)
        (void)usleep(10000);
    ck_assert_int_eq(store_state(store), STORE_STATE_OK);
}

static void thaw(void)
{
    ck_assert_int_eq(kill(server.pid, SIGCONT), 0);
    wait_for_store();
}

/* The store will not answer to this one. */
static struct hold hold_away(const char *subject, int64_t at_ms)
{
    struct hold hold;
    struct event event = make_event(subject);
    event.now_ms = at_ms;
    ledger_hold(ledger, &settings, &event, clock_monotonic_us() + 100000, &hold);
    return hold;
}

START_TEST(late_holds_are_recorded_with_their_incident)
{
    server_kill(&server);
    struct hold first = hold_away("a", now_ms);
    struct hold second = hold_away("a", now_ms + 1);
    struct hold other = hold_away("b", now_ms + 1);
    ck_assert_int_eq(first.result, HOLD_UNRECORDED);
    ck_assert_uint_eq(strlen(first.incident), DIGEST_ID_SIZE - 1);
    ck_assert_str_eq(second.incident, first.incident);
    ck_assert_str_ne(other.incident, first.incident);
    ck_assert_int_eq(ledger_flush(ledger, clock_monotonic_us() + 100000),
                     STATUS_UNAVAILABLE);
    ck_assert(ledger_take_unrecorded(ledger));

    server_start(&server);
    wait_for_store();
    flush();
    json_t *array = incidents();
    ck_assert_uint_eq(json_array_size(array), 2);
    json_decref(array);
    json_t *found = incident(first.incident);
    ck_assert_int_eq(record_number(found, "held"), 2);
    ck_assert_int_eq(record_number(found, "copies"), 240);
    ck_assert_str_eq(record_text(found, "key"), "a");
    ck_assert_str_eq(record_text(found, "sender"), "a@own");
    ck_assert(json_is_true(json_object_get(found, "open")));
    ck_assert(json_is_true(json_object_get(found, "tell")));
    json_decref(found);
    array = holds(false);
    ck_assert_uint_eq(json_array_size(array), 3);
    const json_t *kept = json_array_get(array, 0);
    ck_assert_str_eq(record_text(kept, "incident"), first.incident);
    ck_assert_uint_eq(json_array_size(json_object_get(kept, "addressed")), 2);
    json_decref(array);
    ck_assert_str_eq(hold_one("a").incident, first.incident);
    expect_numbers(first.incident, 3, 0, 0);
}
END_TEST

START_TEST(late_holds_join_the_incident_that_is_known)
{
    struct hold kept = hold_one("a");
    freeze();
    struct hold late = hold_away("a", now_ms + 1);
    ck_assert_int_eq(late.result, HOLD_UNRECORDED);
    ck_assert_str_eq(late.incident, kept.incident);
    struct hold later = hold_away("a", now_ms + 1 + INCIDENT_GAP_MS);
    ck_assert_str_ne(later.incident, kept.incident);
    thaw();
    flush();
    flush();
    expect_numbers(kept.incident, 2, 0, 0);
    expect_numbers(later.incident, 1, 0, 0);
    expect_state(late.id, "held");
    ck_assert_int_eq(move(late.id, "held", "released"), STATUS_OK);
    ck_assert_uint_eq(count_of(incidents()), 2);
}
END_TEST

/* Else a record may say "releasing" for ever, and its message waits. */
START_TEST(late_moves_make_the_queue_be_looked_at)
{
    struct hold hold = hold_one("a");
    ck_assert_int_eq(move(hold.id, "held", "releasing"), STATUS_OK);
    ck_assert(!ledger_take_unrecorded(ledger));
    freeze();
    ck_assert_int_eq(
        ledger_move(ledger, hold.id, "releasing", "held", clock_monotonic_us() + 100000),
        STATUS_UNAVAILABLE);
    thaw();
    ck_assert(ledger_take_unrecorded(ledger));
}
END_TEST

START_TEST(late_holds_stop_at_the_incidents_limit)
{
    settings.quarantine.max_per_incident = 3;
    struct hold kept = hold_one("a");
    struct hold over = hold_one("a");
    ck_assert_int_eq(move(over.id, "held", "deleted"), STATUS_OK);
    freeze();
    ck_assert_int_eq(hold_away("a", now_ms).result, HOLD_UNRECORDED);
    ck_assert_int_eq(hold_away("a", now_ms).result, HOLD_UNRECORDED);
    struct hold refused = hold_away("a", now_ms);
    ck_assert_int_eq(refused.result, HOLD_INCIDENT_FULL);
    ck_assert_str_eq(refused.incident, kept.incident);
    thaw();
    flush();
    expect_numbers(kept.incident, 4, 1, 0);
    ck_assert_uint_eq(count_of(holds(false)), 3);
}
END_TEST

START_TEST(late_holds_leave_the_place_to_another_relays_incident)
{
    freeze();
    struct hold late = hold_away("a", now_ms);
    struct hold more = hold_away("a", now_ms);
    thaw();
    struct ledger *here = ledger;
    ledger = ledger_new(store, &key, "relay2");
    struct hold other = hold_one("a");
    ledger_free(ledger);
    ledger = here;
    ck_assert_str_ne(other.incident, late.incident);
    flush();
    expect_numbers(late.incident, 2, 0, 0);
    expect_numbers(other.incident, 1, 0, 0);
    json_t *found = incident(late.incident);
    ck_assert(json_is_true(json_object_get(found, "open"))); /* for its notice */
    json_decref(found);
    ck_assert_int_eq(move(more.id, "held", "released"), STATUS_OK);
    ck_assert_str_eq(hold_one("a").incident, other.incident);
}
END_TEST

START_TEST(late_holds_do_not_join_what_was_closed)
{
    struct hold kept = hold_one("a");
    ck_assert_int_eq(ledger_close_incident(ledger, kept.incident, either_soon()),
                     STATUS_OK);
    freeze();
    struct hold late = hold_away("a", now_ms);
    ck_assert_str_ne(late.incident, kept.incident);
    thaw();
    flush();
    expect_numbers(late.incident, 1, 0, 0);
    expect_numbers(kept.incident, 1, 0, 0);
    ck_assert_str_eq(hold_one("a").incident, late.incident);
}
END_TEST

START_TEST(late_hold_that_was_restored_is_counted_once)
{
    char header[120];
    server_kill(&server);
    struct hold late = hold_away("a", now_ms);
    server_start(&server);
    wait_for_store();
    (void)snprintf(header, sizeof header, "id=%s rule=list-rate incident=%s reach=100",
                   late.id, late.incident);
    const struct orphan orphan = {
        .header = header, .queue_id = "4Qabc", .sender = "a@own", .arrived_ms = now_ms};
    ck_assert_int_eq(ledger_restore(ledger, &orphan, either_soon()), STATUS_OK);
    flush();
    expect_numbers(late.incident, 1, 0, 0);
    ck_assert_uint_eq(count_of(holds(true)), 1);
}
END_TEST

START_TEST(late_flood_keeps_a_record_of_each_incident)
{
    enum { MANY = PENDING_HOLDS_MAX + 10 };
    settings.quarantine.max_per_incident = 2 * MANY;
    settings.quarantine.max_messages = 2 * MANY * PARTIES_SHARE;
    server_kill(&server);
    struct hold hold;
    struct event event = make_event("a");
    for (int i = 0; i < MANY; i++)
        ledger_hold(ledger, &settings, &event, clock_monotonic_us(), &hold);
    ck_assert_int_eq(hold.result, HOLD_UNRECORDED);
    struct event rare = make_event("b");
    struct hold other;
    ledger_hold(ledger, &settings, &rare, clock_monotonic_us(), &other);
    server_start(&server);
    wait_for_store();
    flush();
    expect_numbers(hold.incident, PENDING_HOLDS_MAX, 0, 0);
    expect_numbers(other.incident, 1, 0, 0);
}
END_TEST

/* ---- the table ---- */

static enum party_fit enter(struct pending_holds *holds, const char *open_key,
                            int64_t at_ms, int64_t max, char incident[DIGEST_ID_SIZE])
{
    const struct pending_holds_request request = {
        .open_key = open_key, .party = "p", .caps = {max, max, true}, .now_ms = at_ms};
    return pending_holds_enter(holds, &request, incident);
}

START_TEST(pending_holds_forgets_the_quietest)
{
    char open_key[40];
    char known[DIGEST_ID_SIZE] = "";
    char again[DIGEST_ID_SIZE] = "";
    struct pending_holds *holds = pending_holds_new();
    ck_assert_int_eq(enter(holds, "r:first", 1000, 2, known), PARTY_FITS);
    for (int i = 0; i < PENDING_HOLDS_INCIDENTS_MAX - 1; i++) {
        char incident[DIGEST_ID_SIZE] = "";
        (void)snprintf(open_key, sizeof open_key, "r:%d", i);
        ck_assert_int_eq(enter(holds, open_key, 2000 + i, 1, incident), PARTY_FITS);
    }
    ck_assert_int_eq(enter(holds, "r:first", 9000, 2, again), PARTY_FITS);
    ck_assert_str_eq(again, known);
    ck_assert_int_eq(enter(holds, "r:0", 9000, 1, again), PARTY_FULL);
    char incident[DIGEST_ID_SIZE] = "";
    ck_assert_int_eq(enter(holds, "r:new", 9000, 1, incident),
                     PARTY_FITS); /* in place of r:1 */
    ck_assert_int_eq(enter(holds, "r:2", 9000, 1, again), PARTY_FULL);
    ck_assert_int_eq(enter(holds, "r:first", 9000, 2, again), PARTY_FULL);
    ck_assert_int_eq(enter(holds, "r:1", 9000, 1, again), PARTY_FITS);
    pending_holds_free(holds);
}
END_TEST

START_TEST(pending_holds_counts_each_party)
{
    char incident[DIGEST_ID_SIZE] = "";
    struct pending_holds *holds = pending_holds_new();
    struct pending_holds_request request = {
        .open_key = "r:list", .party = "stranger", .caps = {2, 4, false}, .now_ms = 1000};
    ck_assert_int_eq(pending_holds_enter(holds, &request, incident), PARTY_FITS);
    ck_assert_int_eq(pending_holds_enter(holds, &request, incident), PARTY_FITS);
    ck_assert_int_eq(pending_holds_enter(holds, &request, incident), PARTY_FULL);
    request.party = "another";
    ck_assert_int_eq(pending_holds_enter(holds, &request, incident), PARTY_FITS);
    ck_assert_int_eq(pending_holds_enter(holds, &request, incident), PARTY_FITS);
    request.party = "third";
    ck_assert_int_eq(pending_holds_enter(holds, &request, incident), PARTY_CROWDED);
    request.caps.proven = true;
    ck_assert_int_eq(pending_holds_enter(holds, &request, incident), PARTY_FITS);
    pending_holds_release(holds, incident, "stranger");
    request.party = "stranger";
    ck_assert_int_eq(pending_holds_enter(holds, &request, incident), PARTY_FITS);
    ck_assert_int_eq(pending_holds_enter(holds, &request, incident), PARTY_FULL);
    pending_holds_free(holds);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger_pending");
    TCase *redis = tcase_create("redis");
    TCase *table = tcase_create("table");
    tcase_set_timeout(redis, 60);
    tcase_add_checked_fixture(redis, setup_redis, teardown);
    tcase_add_test(redis, late_holds_are_recorded_with_their_incident);
    tcase_add_test(redis, late_holds_join_the_incident_that_is_known);
    tcase_add_test(redis, late_holds_stop_at_the_incidents_limit);
    tcase_add_test(redis, late_moves_make_the_queue_be_looked_at);
    tcase_add_test(redis, late_holds_leave_the_place_to_another_relays_incident);
    tcase_add_test(redis, late_holds_do_not_join_what_was_closed);
    tcase_add_test(redis, late_hold_that_was_restored_is_counted_once);
    tcase_add_test(redis, late_flood_keeps_a_record_of_each_incident);
    tcase_add_test(table, pending_holds_forgets_the_quietest);
    tcase_add_test(table, pending_holds_counts_each_party);
    suite_add_tcase(suite, redis);
    suite_add_tcase(suite, table);
    return run_suite(suite);
}
