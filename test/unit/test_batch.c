/* Messages that wait for a Redis that is stopped, and travel together once it goes on. */
#include "../support/delay_proxy.h"
#include "redis_fixture.h"
#include "run.h"

enum { THREADS = 60, BURST = 20 };

/* A message in a thread of its own. */
struct sender {
    pthread_t thread;
    const char *subjects[2];
    int64_t deadline_ms; /* from now */
    enum status status;
    struct charge_outcome outcomes[2];
    int64_t took_us;
};

static void *send_message(void *context)
{
    static const struct rate rate = {1, INT64_C(86400000), BURST};
    struct sender *sender = context;
    struct charge charges[2];
    size_t count = 0;
    int64_t start_us = clock_monotonic_us();
    for (; count < 2 && sender->subjects[count] != NULL; count++)
        charges[count] = (struct charge){.fingerprint = "rule",
                                         .subject = sender->subjects[count],
                                         .rate = &rate,
                                         .cost = 1};
    sender->status =
        redis_charge(redis, charges, count, CHARGE_TAKE, NULL,
                     start_us + sender->deadline_ms * 1000, sender->outcomes);
    sender->took_us = clock_monotonic_us() - start_us;
    return NULL;
}

static void start(struct sender *sender, const char *first, const char *second,
                  int64_t deadline_ms)
{
    *sender = (struct sender){.subjects = {first, second}, .deadline_ms = deadline_ms};
    ck_assert_int_eq(pthread_create(&sender->thread, NULL, send_message, sender), 0);
}

static void join(struct sender *sender)
{
    ck_assert_int_eq(pthread_join(sender->thread, NULL), 0);
}

static void stop_server(void)
{
    ck_assert_int_eq(kill(server.pid, SIGSTOP), 0);
}

/* Goes on when the first has sent and all others wait. */
static void let_go(void)
{
    (void)usleep(300000);
    ck_assert_int_eq(kill(server.pid, SIGCONT), 0);
}

/* How often a script ran. */
static long count_runs(void)
{
    char text[4000];
    server_say(&server, "INFO commandstats", text, sizeof text);
    const char *at = strstr(text, "cmdstat_evalsha:calls=");
    return at == NULL ? 0 : atol(at + strlen("cmdstat_evalsha:calls="));
}

static void setup_one(void)
{
    setup_server();
    settings.connections = 1;
    settings.timeout_ms = 5000;
    open_redis();
    ck_assert(!redis_is_away(redis));
}

/* All but the first go in one batch, and each sees what the one before took. */
START_TEST(batch_burst_is_exact)
{
    struct sender senders[THREADS];
    bool seen[BURST + 1] = {false};
    int fitted = 0;
    long before = count_runs();
    stop_server();
    for (int i = 0; i < THREADS; i++)
        start(&senders[i], "crowd", NULL, 5000);
    let_go();
    for (int i = 0; i < THREADS; i++) {
        join(&senders[i]);
        ck_assert_int_eq(senders[i].status, STATUS_OK);
        int64_t left = senders[i].outcomes[0].left;
        ck_assert(left == 0 || !seen[left]);
        seen[left] = true;
        fitted += senders[i].outcomes[0].fits;
    }
    ck_assert_int_eq(fitted, BURST);
    /* Two; and more for threads that a busy machine starts late. */
    ck_assert_int_le(count_runs() - before, THREADS / 6);
}
END_TEST

/* Each takes one of its own bucket, too, or nothing. */
START_TEST(batch_message_is_all_or_nothing)
{
    struct sender senders[THREADS];
    char subjects[THREADS][16];
    stop_server();
    for (int i = 0; i < THREADS; i++) {
        (void)snprintf(subjects[i], sizeof subjects[i], "own%d", i);
        start(&senders[i], subjects[i], "crowd", 5000);
    }
    let_go();
    for (int i = 0; i < THREADS; i++)
        join(&senders[i]);
    for (int i = 0; i < THREADS; i++) {
        struct sender look;
        ck_assert_int_eq(senders[i].status, STATUS_OK);
        start(&look, subjects[i], NULL, 5000);
        join(&look);
        ck_assert_int_eq(look.outcomes[0].left,
                         BURST - (senders[i].outcomes[1].fits ? 1 : 0));
    }
}
END_TEST

/* A key that can't be read stops its message alone. */
START_TEST(batch_bad_bucket_concerns_one_message)
{
    enum { COUNT = 12 };
    struct sender senders[COUNT];
    char name[200], command[240];
    key_of("bad", name, sizeof name);
    (void)snprintf(command, sizeof command, "SET %s x", name);
    server_do(&server, command);
    stop_server();
    for (int i = 0; i < COUNT; i++)
        start(&senders[i], "good", i % 3 == 1 ? "bad" : NULL, 5000);
    let_go();
    for (int i = 0; i < COUNT; i++) {
        join(&senders[i]);
        ck_assert_int_eq(senders[i].status, i % 3 == 1 ? STATUS_UNAVAILABLE : STATUS_OK);
    }
    struct sender look;
    start(&look, "good", NULL, 5000);
    join(&look);
    ck_assert_int_eq(look.outcomes[0].left, BURST - COUNT * 2 / 3);
    ck_assert(!redis_is_away(redis));
    ck_assert_int_eq(reports_with("bad bucket in Redis: CORRUPT"), COUNT / 3);
}
END_TEST

/* Whose time is over leaves, queued or under way, whether or not it waits at the socket;
 * the others are served when Redis goes on. */
START_TEST(batch_deadlines_are_each_ones_own)
{
    enum { COUNT = 8 };
    struct sender senders[COUNT];
    stop_server();
    for (int i = 0; i < COUNT; i++) {
        start(&senders[i], "crowd", NULL, i % 2 == 0 ? 100 : 5000);
        (void)usleep(5000); /* in this order: the first leads */
    }
    let_go();
    for (int i = 0; i < COUNT; i++) {
        join(&senders[i]);
        ck_assert_int_eq(senders[i].status, i % 2 == 0 ? STATUS_UNAVAILABLE : STATUS_OK);
        if (i % 2 == 0)
            ck_assert_int_lt(senders[i].took_us, (100 + LATE_MS) * 1000);
    }
    ck_assert(!redis_is_away(redis));
}
END_TEST

/* Over several connections none waits for a slow reply before it is sent. */
START_TEST(batch_deadlines_hold_over_several_connections)
{
    enum { COUNT = 16 };
    struct sender senders[COUNT];
    close_redis();
    settings.connections = 4;
    open_redis();
    ck_assert(!redis_is_away(redis));
    stop_server();
    for (int i = 0; i < COUNT; i++) {
        start(&senders[i], "crowd", NULL, i % 2 == 0 ? 100 : 5000);
        (void)usleep(5000);
    }
    let_go();
    for (int i = 0; i < COUNT; i++) {
        join(&senders[i]);
        ck_assert_int_eq(senders[i].status, i % 2 == 0 ? STATUS_UNAVAILABLE : STATUS_OK);
    }
}
END_TEST

/* The second batch is on its way when some of those in it leave: its reply touches
 * nothing of theirs. */
START_TEST(batch_reply_passes_over_who_left)
{
    enum { COUNT = 8, DELAY_MS = 400 };
    struct sender senders[COUNT];
    struct delay_proxy proxy;
    close_redis();
    delay_proxy_open(&proxy, server.socket, 0);
    settings.path = proxy.path;
    open_redis();
    ck_assert(!redis_is_away(redis));
    atomic_store(&proxy.delay_us, DELAY_MS * 1000);
    for (int i = 0; i < COUNT; i++) {
        start(&senders[i], "crowd", NULL, i % 2 == 1 ? DELAY_MS * 5 / 4 : 5000);
        (void)usleep(i == 0 ? 40000 : 1000); /* the first travels alone */
    }
    for (int i = 0; i < COUNT; i++) {
        join(&senders[i]);
        ck_assert_int_eq(senders[i].status, i % 2 == 1 ? STATUS_UNAVAILABLE : STATUS_OK);
        ck_assert_int_eq(senders[i].outcomes[0].fits, i % 2 == 0);
    }
    close_redis();
    delay_proxy_close(&proxy);
}
END_TEST

START_TEST(batch_dies_with_its_connection)
{
    struct sender senders[THREADS];
    stop_server();
    for (int i = 0; i < THREADS; i++)
        start(&senders[i], "crowd", NULL, 5000);
    (void)usleep(300000);
    server_kill(&server);
    for (int i = 0; i < THREADS; i++) {
        join(&senders[i]);
        ck_assert_int_eq(senders[i].status, STATUS_UNAVAILABLE);
        ck_assert_int_lt(senders[i].took_us, 2000000);
    }
    server_start(&server);
    ck_assert(await_away(false, 2000));
    start(&senders[0], "crowd", NULL, 5000);
    join(&senders[0]);
    ck_assert_int_eq(senders[0].status, STATUS_OK);
}
END_TEST

START_TEST(batch_lost_script_is_sent_again)
{
    struct sender senders[THREADS];
    int fitted = 0;
    server_do(&server, "SCRIPT FLUSH");
    stop_server();
    for (int i = 0; i < THREADS; i++)
        start(&senders[i], "crowd", NULL, 5000);
    let_go();
    for (int i = 0; i < THREADS; i++) {
        join(&senders[i]);
        ck_assert_int_eq(senders[i].status, STATUS_OK);
        fitted += senders[i].outcomes[0].fits;
    }
    ck_assert_int_eq(fitted, BURST);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batch");
    TCase *tcase = tcase_create("batch");
    tcase_add_checked_fixture(tcase, setup_one, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, batch_burst_is_exact);
    tcase_add_test(tcase, batch_message_is_all_or_nothing);
    tcase_add_test(tcase, batch_bad_bucket_concerns_one_message);
    tcase_add_test(tcase, batch_deadlines_are_each_ones_own);
    tcase_add_test(tcase, batch_deadlines_hold_over_several_connections);
    tcase_add_test(tcase, batch_reply_passes_over_who_left);
    tcase_add_test(tcase, batch_dies_with_its_connection);
    tcase_add_test(tcase, batch_lost_script_is_sent_again);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
