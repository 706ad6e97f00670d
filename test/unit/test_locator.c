/* Which server is used, by what Sentinels say and the servers themselves; two Redis, and
 * Sentinels that are fakes. */
#include "../support/fake_redis.h"
#include "redis_fixture.h"
#include "run.h"

static struct server other;
static struct fake_redis first, second; /* Sentinels: of server, of other */
static char first_answer[64], second_answer[64];
static char master[] = "mail";

static void name_master(const struct server *named, char answer[64])
{
    char port[16];
    int length = snprintf(port, sizeof port, "%d", named->port);
    (void)snprintf(answer, 64, "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n", length, port);
}

static void add_server(struct strings *servers, const char *path)
{
    char text[200];
    (void)snprintf(text, sizeof text, "unix:%s", path);
    ck_assert_int_eq(strings_add(servers, text), STATUS_OK);
}

static void setup_locator(void)
{
    setup_server();
    server_open(&other, NULL, NULL);
    name_master(&server, first_answer);
    name_master(&other, second_answer);
    fake_open(&first, first_answer, false);
    fake_open(&second, second_answer, false);
    settings.path = NULL;
    settings.master = master;
}

static void teardown_locator(void)
{
    close_redis();
    strings_clear(&settings.sentinels);
    strings_clear(&settings.seeds);
    fake_close(&second);
    fake_close(&first);
    server_close(&other);
    server_close(&server);
}

static void follow(const struct server *leader, const struct server *follower)
{
    char command[64];
    (void)snprintf(command, sizeof command, "REPLICAOF 127.0.0.1 %d", leader->port);
    server_do(follower, command);
}

static bool is_at(const struct server *expected)
{
    char place[64];
    char said[700];
    (void)snprintf(place, sizeof place, "tcp:127.0.0.1:%d, ", expected->port);
    return redis_describe(redis, said, sizeof said) && strstr(said, place) == said;
}

START_TEST(locator_asks_the_next_sentinel)
{
    struct charge_outcome outcome;
    add_server(&settings.sentinels, "/run/none");
    add_server(&settings.sentinels, second.path);
    open_redis();
    ck_assert(await_away(false, 5000));
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    ck_assert(is_at(&other));
}
END_TEST

/* The message that meets it is charged on the new master, and nobody is sent away. */
START_TEST(locator_readonly_leads_to_the_new_master)
{
    struct charge_outcome outcome;
    add_server(&settings.sentinels, first.path);
    add_server(&settings.sentinels, second.path);
    settings.timeout_ms = 5000;
    open_redis();
    ck_assert_int_eq(charge_one("a", 10, &outcome), STATUS_OK);
    ck_assert(is_at(&server));
    atomic_store(&first.stop, true); /* asked no more */
    (void)pthread_join(first.thread, NULL);
    (void)close(first.listener);
    follow(&other, &server);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
        ck_assert_int_eq(outcome.left, 990 - i); /* given back to an empty one */
    }
    ck_assert(is_at(&other));
    ck_assert_int_eq(reports_with("store away"), 0);
    ck_assert_int_eq(reports_with("store at "), 2);
    fake_open(&first, first_answer, false); /* for the end */
}
END_TEST

/* Both are masters for a while, and the old one does not say that it was replaced. */
START_TEST(locator_follows_a_planned_failover)
{
    struct charge_outcome outcome;
    add_server(&settings.sentinels, first.path);
    add_server(&settings.sentinels, second.path);
    open_redis();
    ck_assert(await_away(false, 5000));
    ck_assert(is_at(&server));
    atomic_store(&first.stop, true);
    (void)pthread_join(first.thread, NULL);
    (void)close(first.listener);
    for (int i = 0; i < 500 && !is_at(&other); i++)
        (void)usleep(10000);
    ck_assert(is_at(&other));
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    ck_assert_int_eq(reports_with("store away"), 0);
    fake_open(&first, first_answer, false);
}
END_TEST

/* A Sentinel may be late, or wrong. */
START_TEST(locator_does_not_believe_in_a_replica)
{
    struct charge_outcome outcome;
    follow(&server, &other);
    add_server(&settings.sentinels, second.path);
    open_redis();
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    ck_assert(reports_await("is no master but a slave", 5000));
    server_do(&other, "REPLICAOF NO ONE");
    ck_assert(await_away(false, 5000));
}
END_TEST

/* The old master is back, but not the one that was elected. */
START_TEST(locator_does_not_go_back_against_a_sentinel)
{
    struct charge_outcome outcome;
    add_server(&settings.sentinels, first.path);
    add_server(&settings.sentinels, second.path);
    open_redis();
    ck_assert(await_away(false, 5000));
    ck_assert(is_at(&server));
    server_kill(&other);
    atomic_store(&first.stop, true);
    (void)pthread_join(first.thread, NULL);
    (void)close(first.listener);
    server_kill(&server);
    ck_assert(charge_one("a", 1, &outcome) != STATUS_OK);
    server_start(&server);
    (void)usleep(1000000);
    ck_assert(redis_is_away(redis));
    server_start(&other);
    ck_assert(await_away(false, 5000));
    ck_assert(is_at(&other));
    fake_open(&first, first_answer, false);
}
END_TEST

/* Each would count by itself. */
START_TEST(locator_refuses_servers_that_are_no_cluster)
{
    add_server(&settings.seeds, server.socket);
    open_redis();
    ck_assert(redis_is_away(redis));
    ck_assert(reports_await("is no node of a Cluster", 5000));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("locator");
    TCase *tcase = tcase_create("locator");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup_locator, teardown_locator);
    tcase_add_test(tcase, locator_asks_the_next_sentinel);
    tcase_add_test(tcase, locator_readonly_leads_to_the_new_master);
    tcase_add_test(tcase, locator_follows_a_planned_failover);
    tcase_add_test(tcase, locator_does_not_believe_in_a_replica);
    tcase_add_test(tcase, locator_does_not_go_back_against_a_sentinel);
    tcase_add_test(tcase, locator_refuses_servers_that_are_no_cluster);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
