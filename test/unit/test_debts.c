/* What relays let pass while Redis was away is charged afterwards, once, and is known
 * like all that they saw there. */
#include <stdlib.h>

#include "epoch_fixture.h"
#include "run.h"

static void stop_redis(void)
{
    (void)kill(server.pid, SIGSTOP);
    for (int i = 0; i < 3; i++)
        (void)ask(a, bucket("nobody", 0), CHARGE_PEEK, CHARGE_SOURCE_LOCAL);
    for (int i = 0; i < 3; i++)
        (void)ask(b, bucket("nobody", 0), CHARGE_PEEK, CHARGE_SOURCE_LOCAL);
    await_state(a, STORE_STATE_LOCAL);
    await_state(b, STORE_STATE_LOCAL);
}

static int count_local(struct store *store, int messages)
{
    int passed = 0;
    for (int i = 0; i < messages; i++)
        passed += ask(store, bucket("k", 1), CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits;
    return passed;
}

/* What each relay's share let pass while the store was away is taken from it, once; and
 * a share is a part of what was seen to be left. */
START_TEST(debts_are_charged_afterwards)
{
    ck_assert(passes(a, bucket("k", 100)));
    ck_assert(passes(b, bucket("k", 100)));
    ck_assert(passes(a, window("w", 100)));
    stop_redis();
    ck_assert_int_eq(count_local(a, 30), 30);
    ck_assert_int_eq(count_local(b, 80), 50); /* half of the 100 that it saw */
    ck_assert(ask(a, window("w", 100), CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits);
    ck_assert(ask(b, client("c", "192.0.2.1"), CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits);
    (void)kill(server.pid, SIGCONT);
    await_state(a, STORE_STATE_OK);
    await_state(b, STORE_STATE_OK);
    ck_assert_int_eq(left(a, bucket("k", 0)), 20);
    ck_assert_int_eq(left(a, window("w", 0)), 400 - 200);
    ck_assert_int_eq(left(a, client("c", NULL)), 2);
    poll_both();
    ck_assert_int_eq(left(a, bucket("k", 0)), 20);
}
END_TEST

static void await_losses(int count)
{
    for (int i = 0; i < 200 && reports_with("Redis has lost data") < count; i++) {
        poll_both();
        (void)usleep(10000);
    }
    ck_assert_int_eq(reports_with("Redis has lost data"), count);
}

/* What Redis was told of afterwards is known here, too, if it was never seen there. */
START_TEST(debts_paid_are_seen)
{
    stop_redis();
    ck_assert_int_eq(count_local(a, 30), 30);
    ck_assert(ask(a, window("w", 100), CHARGE_TAKE, CHARGE_SOURCE_LOCAL).fits);
    (void)kill(server.pid, SIGCONT);
    await_state(a, STORE_STATE_OK);
    await_state(b, STORE_STATE_OK);
    ck_assert_int_eq(left(a, bucket("k", 0)), SIZE - 30);
    flush();
    await_losses(2);
    ck_assert_int_eq(left(a, bucket("k", 0)), SIZE - 30);
    ck_assert_int_eq(left(a, window("w", 0)), 400 - 100);
}
END_TEST

/* What was owed and is paid is no heavier than the rest, which is written back newest
 * first. */
START_TEST(debts_paid_make_way)
{
    static struct last_seen_record record;
    const struct connection_address address = {
        .path = server.socket, .username = "", .password = ""};
    const struct charge owed = bucket("owed", 1);
    struct connection *connection = NULL;
    struct error error = {0};
    char name[100];
    uint32_t *list = NULL;
    size_t count = 0;
    struct epoch *epoch = epoch_new(settings.prefix, &key, reporter);
    struct last_seen *seen = epoch_last_seen(epoch);
    last_seen_owe(seen, &owed, 0, clock_wall_ms(), clock_monotonic_us());
    ck_assert_int_eq(connection_open(&address, soon(), &connection, &error), STATUS_OK);
    ck_assert_int_eq(epoch_enter(epoch, connection, EPOCH_AWAY, 1000, &error), STATUS_OK);
    ck_assert(!last_seen_owes(seen));
    charge_over(connection, epoch);
    ck_assert_int_eq(last_seen_list(seen, 0, &list, &count), STATUS_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert(last_seen_copy(seen, list[0], &record));
    print_key("new", name);
    ck_assert_str_eq(record.name, name + strlen("{mb-test}:b:"));
    free(list);
    connection_free(connection);
    epoch_free(epoch);
}
END_TEST

/* Shares may have let in more clients than the whole takes: those are told of, no more,
 * or the store would not read them. What costs nothing is not owed. */
START_TEST(debts_are_what_the_store_can_read)
{
    static struct last_seen_record record;
    struct last_seen *seen = last_seen_new(settings.prefix, &key);
    const struct charge nothing = bucket("nothing", 0), one = client("c", "192.0.2.1");
    uint32_t *list = NULL;
    size_t count = 0;
    last_seen_owe(seen, &nothing, 0, clock_wall_ms(), clock_monotonic_us());
    ck_assert(!last_seen_owes(seen));
    for (int i = 1; i <= 4; i++)
        last_seen_owe(seen, &one, i, clock_wall_ms(), clock_monotonic_us());
    ck_assert_int_eq(last_seen_list(seen, INT64_MAX, &list, &count), STATUS_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert(last_seen_copy(seen, list[0], &record));
    ck_assert_uint_eq(record.client_count, 3);
    ck_assert_int_eq(record.clients[2].client, 4);
    free(list);
    last_seen_free(seen);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("debts");
    TCase *tcase = tcase_create("debts");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, debts_are_charged_afterwards);
    tcase_add_test(tcase, debts_paid_are_seen);
    tcase_add_test(tcase, debts_paid_make_way);
    tcase_add_test(tcase, debts_are_what_the_store_can_read);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
