/* Who is held and who is not, when something is full: against a store in memory and a
 * private Redis, also when many come at once. */
#include <stdatomic.h>

#include "ledger_fixture.h"
#include "quarantine/ledger_list.h"
#include "quarantine/look.h"
#include "run.h"

enum { THREADS = 16, EACH = 125 };

START_TEST(ledger_refuses_past_the_incidents_limit)
{
    settings.quarantine.max_per_incident = 2;
    struct hold first = hold_one("a");
    ck_assert_int_eq(hold_one("a").result, HOLD_KEPT);
    struct hold third = hold_one("a");
    ck_assert_int_eq(third.result, HOLD_INCIDENT_FULL);
    ck_assert_str_eq(third.incident, first.incident);
    ck_assert_int_eq(hold_one("b").result, HOLD_KEPT);
    flush();
    expect_numbers(first.incident, 2, 1, 0);
    ck_assert_uint_eq(count_of(holds(true)), 3);
}
END_TEST

START_TEST(ledger_asks_again_whether_it_is_full)
{
    settings.quarantine.max_per_incident = 1;
    (void)hold_one("a");
    ck_assert_int_eq(hold_one("a").result, HOLD_INCIDENT_FULL);
    settings.quarantine.max_per_incident = 2;
    ck_assert_int_eq(hold_at("a", now_ms + 999).result, HOLD_INCIDENT_FULL);
    ck_assert_int_eq(hold_at("b", now_ms + 999).result, HOLD_KEPT);
    ck_assert_int_eq(hold_at("a", now_ms + 1000).result, HOLD_KEPT);
}
END_TEST

struct worker {
    pthread_t thread;
    int kept, full;
    char incident[DIGEST_ID_SIZE];
};

static void *work(void *context)
{
    struct worker *worker = context;
    for (int i = 0; i < EACH; i++) {
        struct hold hold = hold_one("a");
        worker->kept += hold.result == HOLD_KEPT;
        worker->full += hold.result == HOLD_INCIDENT_FULL;
        memcpy(worker->incident, hold.incident, sizeof worker->incident);
    }
    return NULL;
}

START_TEST(ledger_keeps_exactly_the_limit_of_a_flood)
{
    static struct worker workers[THREADS];
    int kept = 0;
    int full = 0;
    memset(workers, 0, sizeof workers);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
        kept += workers[i].kept;
        full += workers[i].full;
        ck_assert_str_eq(workers[i].incident, workers[0].incident);
    }
    ck_assert_int_eq(kept, KEPT);
    ck_assert_int_eq(full, THREADS * EACH - KEPT);
    flush();
    expect_numbers(workers[0].incident, KEPT, THREADS * EACH - KEPT, 0);
    ck_assert_uint_eq(count_of(incidents()), 1);
    ck_assert_uint_eq(count_of(holds(false)), KEPT);
}
END_TEST

START_TEST(ledger_defers_when_the_queue_is_full)
{
    settings.quarantine.max_messages = 2;
    ck_assert_int_eq(hold_by("a", "login:a@own", "", true).result, HOLD_KEPT);
    ck_assert_int_eq(ledger_measure(ledger, true, either_soon()), STATUS_OK);
    struct hold kept = hold_by("b", "login:b@own", "", true);
    ck_assert_int_eq(kept.result, HOLD_KEPT);
    struct hold full = hold_by("b", "login:c@own", "", true);
    ck_assert_int_eq(full.result, HOLD_QUEUE_FULL);
    ck_assert_str_eq(full.incident, "-");
    flush();
    expect_numbers(kept.incident, 1, 0, 1);
    ck_assert_str_eq(hold_by("b", "login:c@own", "", true).incident, kept.incident);
    ck_assert_int_eq(move(kept.id, "held", "deleted"), STATUS_OK);
    ck_assert_int_eq(hold_by("b", "login:c@own", "", true).result, HOLD_QUEUE_FULL);
    ck_assert_int_eq(ledger_measure(ledger, true, either_soon()), STATUS_OK);
    ck_assert_int_eq(hold_by("b", "login:c@own", "", true).result, HOLD_KEPT);
}
END_TEST

START_TEST(ledger_gives_a_client_a_fifth)
{
    char sender[40];
    char subject[40];
    struct hold last = {0};
    settings.quarantine.max_messages = 20;
    for (int i = 0; i < 6; i++) { /* one machine, any number of senders and incidents */
        (void)snprintf(sender, sizeof sender, "sender:t%d@own", i);
        (void)snprintf(subject, sizeof subject, "sender:t%d@own", i);
        struct hold hold = hold_by(subject, sender, "10.1.2.3", i % 2 == 0);
        ck_assert_int_eq(hold.result, i < 4 ? HOLD_KEPT : HOLD_SHARE_FULL);
        last = i < 4 ? hold : last;
    }
    ck_assert_int_eq(hold_by("x", "sender:t9@own", "10.1.2.4", true).result, HOLD_KEPT);
    ck_assert_int_eq(ledger_recount(ledger, either_soon()), STATUS_OK);
    ck_assert_int_eq(hold_by("y", "sender:t9@own", "10.1.2.3", true).result,
                     HOLD_SHARE_FULL);
    ck_assert_int_eq(move(last.id, "held", "released"), STATUS_OK);
    ck_assert_int_eq(hold_by("y", "sender:t9@own", "10.1.2.3", true).result, HOLD_KEPT);
    ck_assert_int_eq(ledger_recount(ledger, either_soon()), STATUS_OK);
    ck_assert_int_eq(hold_by("y", "sender:t8@own", "10.1.2.3", true).result,
                     HOLD_SHARE_FULL);
}
END_TEST

START_TEST(ledger_gives_an_identity_a_fifth)
{
    char client[40];
    settings.quarantine.max_messages = 20;
    for (int i = 0; i < 6; i++) { /* a stolen password, from everywhere */
        (void)snprintf(client, sizeof client, "192.0.2.%d", i);
        ck_assert_int_eq(hold_by("a", "login:a@own", client, true).result,
                         i < 4 ? HOLD_KEPT : HOLD_SHARE_FULL);
    }
    /* Who only says so takes nothing from who is. */
    for (int i = 0; i < 6; i++) {
        (void)snprintf(client, sizeof client, "198.51.100.%d", i);
        ck_assert_int_eq(hold_by("b", "sender:b@own", client, false).result,
                         i < 4 ? HOLD_KEPT : HOLD_SHARE_FULL);
    }
    ck_assert_int_eq(hold_by("b", "sender:b@own", "10.1.2.3", true).result, HOLD_KEPT);
}
END_TEST

START_TEST(ledger_lets_nobody_mute_an_incident)
{
    char client[40];
    struct hold full = {0};
    settings.quarantine.max_per_incident = 3;
    settings.quarantine.max_messages = 20;
    for (int i = 0; i < 5; i++) { /* whatever it calls itself */
        (void)snprintf(client, sizeof client, "sender:%d@else", i);
        full = hold_by("list:l@own", client, "192.0.2.1", false);
        ck_assert_int_eq(full.result, i < 3 ? HOLD_KEPT : HOLD_INCIDENT_FULL);
    }
    /* Others are held in the same incident, also in the same second. */
    struct hold teacher = hold_by("list:l@own", "login:a@own", "10.0.0.1", true);
    ck_assert_int_eq(teacher.result, HOLD_KEPT);
    ck_assert_str_eq(teacher.incident, full.incident);
    ck_assert_int_eq(
        hold_by("list:l@own", "sender:parent@else", "192.0.2.2", false).result,
        HOLD_KEPT);
    /* Who proves nothing may add a fifth of all to it, together; nobody is refused. */
    for (int i = 3; i < 9; i++) {
        (void)snprintf(client, sizeof client, "192.0.2.%d", i);
        ck_assert_int_eq(
            hold_by("list:l@own", "sender:parent@else", client, false).result,
            i < 5 ? HOLD_KEPT : HOLD_CROWDED);
    }
    ck_assert_int_eq(hold_by("list:l@own", "login:b@own", "10.0.0.1", true).result,
                     HOLD_KEPT);
    flush();
    expect_numbers(full.incident, 8, 2, 4);
}
END_TEST

START_TEST(ledger_counts_the_parties_of_what_is_over)
{
    settings.quarantine.max_per_incident = 2;
    struct hold first = hold_by("list:l@own", "login:a@own", "10.0.0.1", true);
    ck_assert_int_eq(hold_by("list:l@own", "login:a@own", "10.0.0.2", true).result,
                     HOLD_KEPT);
    ck_assert_int_eq(hold_by("list:l@own", "login:a@own", "10.0.0.1", true).result,
                     HOLD_INCIDENT_FULL);
    ck_assert_int_eq(move(first.id, "held", "released"), STATUS_OK);
    now_ms += 1000;
    ck_assert_int_eq(hold_by("list:l@own", "login:a@own", "10.0.0.1", true).result,
                     HOLD_KEPT);
    ck_assert_int_eq(hold_by("list:l@own", "login:a@own", "10.0.0.1", true).result,
                     HOLD_INCIDENT_FULL);
}
END_TEST

/* ---- something is full, as far as is known ---- */

struct looker {
    pthread_t thread;
    const char *remove; /* what turns out to be gone; NULL: nothing */
    bool ok;
    int looks;
    atomic_int ended;
    atomic_bool over;
};

static void *look(void *context)
{
    struct looker *looker = context;
    while (!atomic_load(&looker->over)) {
        if (!look_await(ledger_look(ledger), 20))
            continue;
        looker->looks++;
        if (looker->remove != NULL) {
            ck_assert_int_eq(move(looker->remove, "held", "gone"), STATUS_OK);
            ck_assert_int_eq(ledger_recount(ledger, either_soon()), STATUS_OK);
        }
        looker->remove = NULL;
        look_finish(ledger_look(ledger), looker->ok);
        atomic_fetch_add(&looker->ended, 1);
    }
    return NULL;
}

static void start_looker(struct looker *looker)
{
    (void)look_await(ledger_look(ledger), 0);
    ck_assert_int_eq(pthread_create(&looker->thread, NULL, look, looker), 0);
}

static void stop_looker(struct looker *looker)
{
    atomic_store(&looker->over, true);
    ck_assert_int_eq(pthread_join(looker->thread, NULL), 0);
}

START_TEST(ledger_looks_before_it_refuses)
{
    settings.quarantine.max_per_incident = 2;
    struct hold first = hold_one("a");
    ck_assert_int_eq(hold_one("a").result, HOLD_KEPT);
    struct looker looker = {.remove = first.id, .ok = true};
    start_looker(&looker);
    ck_assert_int_eq(hold_one("a").result, HOLD_KEPT);
    for (int i = 0; i < 20; i++) /* one look is good for a second */
        ck_assert_int_eq(hold_one("a").result, HOLD_INCIDENT_FULL);
    stop_looker(&looker);
    ck_assert_int_eq(looker.looks, 1);
    flush();
    expect_numbers(first.incident, 3, 20, 0);
}
END_TEST

START_TEST(ledger_looks_before_it_says_that_all_is_full)
{
    settings.quarantine.max_messages = 1;
    struct hold first = hold_one("a");
    ck_assert_int_eq(ledger_recount(ledger, either_soon()), STATUS_OK);
    struct looker looker = {.remove = first.id, .ok = true};
    start_looker(&looker);
    ck_assert_int_eq(hold_by("b", "login:b@own", "", true).result, HOLD_KEPT);
    ck_assert_int_eq(hold_by("c", "login:c@own", "", true).result, HOLD_QUEUE_FULL);
    stop_looker(&looker);
}
END_TEST

START_TEST(ledger_refuses_nobody_who_may_have_room)
{
    settings.quarantine.max_per_incident = 1;
    struct hold first = hold_one("a");
    struct looker looker = {.ok = false};
    start_looker(&looker);
    ck_assert_int_eq(hold_one("a").result, HOLD_FULL_PERHAPS);
    int64_t begun_us = clock_monotonic_us();
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(hold_one("a").result, HOLD_FULL_PERHAPS);
    ck_assert_int_lt(clock_monotonic_us() - begun_us, 1000000); /* nobody waits again */
    struct event event = make_event("a");
    struct hold hold;
    event.local = true; /* to put it off is to leave it in maildrop */
    ledger_hold(ledger, &settings, &event, either_soon(), &hold);
    ck_assert_int_eq(hold.result, HOLD_KEPT);
    stop_looker(&looker);
    flush();
    expect_numbers(first.incident, 2, 0, 11);
}
END_TEST

/* What somebody removed by hand there counts until that relay finds out. */
START_TEST(ledger_refuses_nobody_for_what_others_hold)
{
    settings.quarantine.max_per_incident = 2;
    struct ledger *own = ledger;
    struct ledger *other = ledger_new(store, &key, "relay2");
    ck_assert_ptr_nonnull(other);
    ledger = other;
    struct hold first = hold_one("a");
    ck_assert_int_eq(hold_one("a").result, HOLD_KEPT);
    ledger = own;
    ck_assert_int_eq(ledger_recount(ledger, either_soon()), STATUS_OK);
    struct looker looker = {.ok = true};
    start_looker(&looker);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(hold_one("a").result, HOLD_FULL_PERHAPS);
    /* Whose queue is full here as well, is refused. */
    settings.quarantine.max_per_incident = 4;
    ck_assert_int_eq(hold_one("a").result, HOLD_KEPT);
    ck_assert_int_eq(hold_one("a").result, HOLD_KEPT);
    settings.quarantine.max_per_incident = 2;
    ck_assert_int_eq(hold_one("a").result, HOLD_INCIDENT_FULL);
    stop_looker(&looker);
    flush();
    expect_numbers(first.incident, 4, 1, 3);
    ledger_free(other);
}
END_TEST

START_TEST(ledger_waits_a_part_of_its_time_for_a_look)
{
    settings.quarantine.max_per_incident = 1;
    (void)hold_one("a");
    (void)look_await(ledger_look(ledger), 0); /* and then nobody comes */
    struct event event = make_event("a");
    struct hold hold;
    int64_t begun_us = clock_monotonic_us();
    ledger_hold(ledger, &settings, &event, begun_us + 200000, &hold);
    ck_assert_int_eq(hold.result, HOLD_FULL_PERHAPS);
    ck_assert_int_lt(clock_monotonic_us() - begun_us, 250000);
}
END_TEST

/* A flood makes looks slow, and is to be refused, not to come again. But a look that
 * nobody waited for is not taken for one that somebody asks for now. */
START_TEST(ledger_looks_ahead_of_a_flood)
{
    settings.quarantine.max_per_incident = 21;
    settings.quarantine.max_messages = 1000;
    struct looker looker = {.ok = true};
    start_looker(&looker);
    struct hold first = hold_one("a");
    for (int i = 1; i < 21; i++)
        ck_assert_int_eq(hold_one("a").result, HOLD_KEPT);
    int64_t until_us = clock_monotonic_us() + 2000000;
    while (atomic_load(&looker.ended) == 0 && clock_monotonic_us() < until_us)
        (void)usleep(1000);
    ck_assert_int_eq(atomic_load(&looker.ended), 1);
    looker.remove = first.id;
    ck_assert_int_eq(hold_one("a").result, HOLD_KEPT);
    stop_looker(&looker);
    /* Nobody looks any more: what was seen ahead of it has been overtaken by the look
     * that was waited for, which is good for a second. */
    ck_assert_int_eq(hold_one("a").result, HOLD_INCIDENT_FULL);
}
END_TEST

START_TEST(ledger_ends_a_flood_by_what_was_seen_ahead)
{
    settings.quarantine.max_per_incident = 21;
    settings.quarantine.max_messages = 1000;
    struct looker looker = {.ok = true};
    start_looker(&looker);
    for (int i = 0; i < 21; i++)
        ck_assert_int_eq(hold_one("a").result, HOLD_KEPT);
    int64_t until_us = clock_monotonic_us() + 2000000;
    while (atomic_load(&looker.ended) == 0 && clock_monotonic_us() < until_us)
        (void)usleep(1000);
    stop_looker(&looker);
    struct event event = make_event("a");
    struct hold hold;
    ledger_hold(ledger, &settings, &event, clock_monotonic_us() + 200000, &hold);
    ck_assert_int_eq(hold.result, HOLD_INCIDENT_FULL);
}
END_TEST

START_TEST(ledger_defers_without_room_on_the_disk)
{
    ck_assert_int_eq(ledger_measure(ledger, false, either_soon()), STATUS_OK);
    ck_assert_int_eq(hold_one("a").result, HOLD_QUEUE_FULL);
    ck_assert_int_eq(ledger_measure(ledger, true, either_soon()), STATUS_OK);
    ck_assert_int_eq(hold_one("a").result, HOLD_KEPT);
}
END_TEST

static TCase *make_case(const char *name, SFun setup)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, ledger_refuses_past_the_incidents_limit);
    tcase_add_test(tcase, ledger_asks_again_whether_it_is_full);
    tcase_add_test(tcase, ledger_keeps_exactly_the_limit_of_a_flood);
    tcase_add_test(tcase, ledger_defers_when_the_queue_is_full);
    tcase_add_test(tcase, ledger_gives_a_client_a_fifth);
    tcase_add_test(tcase, ledger_gives_an_identity_a_fifth);
    tcase_add_test(tcase, ledger_lets_nobody_mute_an_incident);
    tcase_add_test(tcase, ledger_counts_the_parties_of_what_is_over);
    tcase_add_test(tcase, ledger_looks_before_it_refuses);
    tcase_add_test(tcase, ledger_looks_before_it_says_that_all_is_full);
    tcase_add_test(tcase, ledger_refuses_nobody_who_may_have_room);
    tcase_add_test(tcase, ledger_refuses_nobody_for_what_others_hold);
    tcase_add_test(tcase, ledger_waits_a_part_of_its_time_for_a_look);
    tcase_add_test(tcase, ledger_looks_ahead_of_a_flood);
    tcase_add_test(tcase, ledger_ends_a_flood_by_what_was_seen_ahead);
    tcase_add_test(tcase, ledger_defers_without_room_on_the_disk);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("ledger_hold");
    suite_add_tcase(suite, make_case("memory", setup_memory));
    suite_add_tcase(suite, make_case("redis", setup_redis));
    return run_suite(suite);
}
