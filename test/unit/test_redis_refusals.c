/* A Redis that answers, but not with what was asked for: an ACL, no memory, a script that
 * others run, a reply that comes late. What it refuses is told by name, and a message is
 * charged whole or not at all. */
#include "../support/delay_proxy.h"
#include "redis_fixture.h"
#include "run.h"
#include "store/collection.h"
#include "store/connection.h"
#include "store/pool.h"
#include "store/trial.h"

#define COMMANDS                                                                         \
    "+evalsha +eval +get +set +del +time +hget +hset +hdel +hlen +hscan +zadd +zrem "    \
    "+zrangebylex +zlexcount +config|get "

/* ---- the user's rights ---- */

static struct connection *log_in(void)
{
    const struct connection_address address = {
        .path = server.socket, .username = "brake", .password = "secret"};
    struct connection *connection = NULL;
    ck_assert_int_eq(connection_open(&address, soon(), &connection, NULL), STATUS_OK);
    return connection;
}

/* The user with these commands and keys. */
static struct trial try_as(const char *rights)
{
    char command[2048];
    struct trial trial = {0};
    (void)snprintf(command, sizeof command, "ACL SETUSER brake reset on >secret %s",
                   rights);
    server_do(&server, command);
    struct connection *connection = log_in();
    ck_assert(trial_run(connection, "mb-test", true, soon(), &trial));
    connection_free(connection);
    return trial;
}

/* The keys that there are, but for the one that is left out (-1: none). */
static const char *keys_without(int left_out, char *out, size_t size)
{
    size_t used = 0;
    for (int i = 0; i < COLLECTIONS; i++) {
        const char *name = collection_name((enum collection)i);
        if (i != left_out)
            used += (size_t)snprintf(out + used, size - used, "~{mb-test}:%s ", name);
        if (i != left_out && collection_is_indexed((enum collection)i))
            used +=
                (size_t)snprintf(out + used, size - used, "~{mb-test}:%s:index ", name);
    }
    return out;
}

START_TEST(refusals_each_key_is_named)
{
    char keys[1400], rights[1900], wanted[200];
    (void)snprintf(rights, sizeof rights,
                   COMMANDS "+asking ~{mb-test}:b:* ~{mb-test}:epoch %s",
                   keys_without(-1, keys, sizeof keys));
    struct trial trial = try_as(rights);
    ck_assert_str_eq(trial.keys, "");
    ck_assert_str_eq(trial.commands, "");
    for (int i = 0; i < COLLECTIONS; i++) {
        const char *name = collection_name((enum collection)i);
        (void)snprintf(rights, sizeof rights,
                       COMMANDS "+asking ~{mb-test}:b:* ~{mb-test}:epoch %s",
                       keys_without(i, keys, sizeof keys));
        trial = try_as(rights);
        (void)snprintf(wanted, sizeof wanted, "may not use {mb-test}:%s", name);
        ck_assert_msg(strstr(trial.keys, wanted) != NULL, "%s: %s", name, trial.keys);
        (void)snprintf(wanted, sizeof wanted, ", {mb-test}:%s:index: see", name);
        ck_assert_msg((strstr(trial.keys, wanted) != NULL) ==
                          collection_is_indexed((enum collection)i),
                      "%s: %s", name, trial.keys);
        ck_assert_str_eq(trial.commands, "");
    }
}
END_TEST

/* A right to read is none to write; many keys are not all named. */
START_TEST(refusals_reading_alone_is_not_enough)
{
    struct trial trial = try_as(COMMANDS "+asking ~{mb-test}:b:* %R~{mb-test}:*");
    ck_assert_msg(strstr(trial.keys, "{mb-test}:holds-by-id, ") != NULL, "%s",
                  trial.keys);
    ck_assert_msg(strstr(trial.keys, " more: see") != NULL, "%s", trial.keys);
    ck_assert_str_eq(trial.commands, "");
    trial = try_as(COMMANDS "~{mb-test}:[ahmsptcwio]*");
    ck_assert_msg(strstr(trial.keys, "{mb-test}:b:trial") != NULL, "%s", trial.keys);
    trial = try_as(COMMANDS "~{mb-test}:* -hset");
    ck_assert_str_eq(trial.keys, "");
    ck_assert_msg(strstr(trial.commands, " HSET, ASKING on ") != NULL, "%s",
                  trial.commands);
}
END_TEST

/* ---- whole or not at all ---- */

/* An ACL that changes while charges travel. Of nine buckets the last has a stamp of
 * tomorrow, is full, and is put right by deleting it. */
START_TEST(refusals_delete_is_refused_midway)
{
    enum { BUCKETS = 9 };
    char subject[BUCKETS][8], path[128], bucket[128];
    static char user[] = "brake";
    struct charge charges[BUCKETS];
    struct charge_outcome outcomes[BUCKETS];
    server_do(&server, "ACL SETUSER brake on >secret ~{mb-test}:* " COMMANDS);
    close_redis();
    (void)snprintf(path, sizeof path, "%s/password", server.folder);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    (void)fputs("secret\n", file);
    (void)fclose(file);
    settings.username = user;
    settings.password_file = path;
    open_redis();
    ck_assert(await_away(false, 5000));
    for (int i = 0; i < BUCKETS; i++) {
        (void)snprintf(subject[i], sizeof subject[i], "s%d", i);
        charges[i] = make_charge(subject[i], i + 1 < BUCKETS ? 1 : 0);
    }
    key_of(subject[BUCKETS - 1], bucket, sizeof bucket);
    redisContext *context = server_try_connect(&server);
    freeReplyObject(redisCommand(context, "SET %s %s", bucket, "1000 0 9000000000000"));
    redisFree(context);
    server_do(&server, "ACL SETUSER brake -del");
    enum status status =
        redis_charge(redis, charges, BUCKETS, CHARGE_TAKE, NULL, soon(), outcomes);
    server_do(&server, "ACL SETUSER brake +del");
    ck_assert(await_away(false, 5000));
    for (int i = 0; i + 1 < BUCKETS; i++)
        ck_assert_int_eq(left_in(subject[i]), status == STATUS_OK ? 999 : 1000);
    ck_assert_int_eq(left_in(subject[BUCKETS - 1]), 1000);
    close_redis();
    (void)unlink(path);
}
END_TEST

/* Two buckets, of which the first is the smaller. */
static const struct rate few = {200, INT64_C(86400000), 200};
static const struct rate many = {1000, INT64_C(86400000), 1000};

static enum status charge_both(enum charge_mode mode, struct charge_outcome out[2])
{
    const struct charge charges[2] = {
        {.fingerprint = "few", .subject = "a", .rate = &few, .cost = 1},
        {.fingerprint = "many", .subject = "a", .rate = &many, .cost = 1}};
    return redis_charge(redis, charges, 2, mode, NULL, soon(), out);
}

struct traffic {
    pthread_t thread;
    atomic_bool *stop;
    int accepted, refused, unanswered;
};

static void *send_mail(void *context)
{
    struct traffic *self = context;
    while (!atomic_load(self->stop)) {
        struct charge_outcome found[2];
        if (charge_both(CHARGE_TAKE, found) != STATUS_OK)
            self->unanswered++;
        else if (found[0].fits && found[1].fits)
            self->accepted++;
        else
            self->refused++;
        (void)usleep(10000);
    }
    return NULL;
}

/* Under traffic Redis refuses by turns one thing and another. It says so each time, so
 * what was accepted is what was charged, of both buckets alike. */
START_TEST(refusals_charge_whole_in_a_storm)
{
    static const char *const turns[][2] = {
        {"ACL SETUSER default -set", "ACL SETUSER default +set"},
        {"ACL SETUSER default -get", "ACL SETUSER default +get"},
        {"ACL SETUSER default -del", "ACL SETUSER default +del"},
        {"ACL SETUSER default -time", "ACL SETUSER default +time"},
        {"ACL SETUSER default -evalsha", "ACL SETUSER default +evalsha"},
        {"ACL SETUSER default -eval", "SCRIPT FLUSH"},
        {"ACL SETUSER default +eval", "SCRIPT FLUSH"},
        {"ACL SETUSER default resetkeys", "ACL SETUSER default ~*"},
        {"CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"},
        {"CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"}};
    enum { THREADS = 6 };
    struct traffic all = {0}, threads[THREADS] = {{0}};
    struct charge_outcome found[2];
    atomic_bool stop = false;
    for (int i = 0; i < THREADS; i++) {
        threads[i].stop = &stop;
        ck_assert_int_eq(pthread_create(&threads[i].thread, NULL, send_mail, &threads[i]),
                         0);
    }
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        server_do(&server, turns[i][0]);
        (void)usleep(30000);
        server_do(&server, turns[i][1]);
        (void)await_away(false, 1000);
        (void)usleep(10000);
    }
    for (int i = 0; i < 1000; i++) {
        if (charge_both(CHARGE_PEEK, found) == STATUS_OK && found[0].left == 0)
            break;
        (void)usleep(10000);
    }
    (void)usleep(50000); /* some are refused */
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i].thread, NULL), 0);
        all.accepted += threads[i].accepted;
        all.refused += threads[i].refused;
        all.unanswered += threads[i].unanswered;
    }
    ck_assert(await_away(false, 3000));
    ck_assert_int_eq(charge_both(CHARGE_PEEK, found), STATUS_OK);
    ck_assert_int_eq(found[0].left, few.burst - all.accepted);
    ck_assert_int_eq(found[1].left, many.burst - all.accepted);
    ck_assert_int_eq(all.accepted, few.burst);
    ck_assert_int_gt(all.refused, 0);
    ck_assert_int_gt(all.unanswered, 0);
}
END_TEST

/* Waits until the bucket is not what it was. */
static void await_change(const char *bucket, const char *before)
{
    char command[200], now[200];
    (void)snprintf(command, sizeof command, "GET %s", bucket);
    for (int i = 0; i < 1000; i++) {
        server_say(&server, command, now, sizeof now);
        if (strcmp(now, before) != 0)
            return;
        (void)usleep(5000);
    }
    ck_abort_msg("nothing is charged");
}

/* One request in ten reaches Redis too late, which charges all the same: this relay's
 * share, from which such a message is judged, is none beside what Redis has left. */
START_TEST(refusals_slow_replies_double_no_limit)
{
    enum { BURST = 50, MESSAGES = 100, PATIENCE_MS = 100 };
    static const struct rate rate = {BURST, INT64_C(86400000), BURST};
    const struct charge charge = {
        .fingerprint = "rule", .subject = "a", .rate = &rate, .cost = 1};
    static struct delay_proxy proxy;
    struct error error = {0};
    struct store *store = NULL;
    char bucket[128], command[200], before[200];
    int passed = 0, local = 0, unsent = 0;
    int64_t left = BURST;
    key_of("a", bucket, sizeof bucket);
    (void)snprintf(command, sizeof command, "GET %s", bucket);
    delay_proxy_open(&proxy, server.socket, 0);
    settings.path = proxy.path;
    settings.timeout_ms = PATIENCE_MS;
    ck_assert_int_eq(store_open(&settings, &key, reporter, &store, &error), STATUS_OK);
    for (int i = 0; i < 500 && store_state(store) != STORE_STATE_OK; i++)
        (void)usleep(10000);
    reports_forget();
    for (int i = 1; i <= MESSAGES; i++) {
        struct charge_outcome outcome;
        enum charge_source source;
        bool late = i % 10 == 0;
        if (late)
            server_say(&server, command, before, sizeof before);
        atomic_store(&proxy.delay_us, late ? 3 * PATIENCE_MS / 2 * 1000 : 0);
        ck_assert_int_eq(
            store_charge(store, &charge, 1, CHARGE_TAKE, soon(), &outcome, &source),
            STATUS_OK);
        passed += outcome.fits;
        local += source == CHARGE_SOURCE_LOCAL;
        /* On a busy machine no connection may be there: Redis never hears of it. */
        unsent += source == CHARGE_SOURCE_LOCAL && !late && outcome.fits;
        if (source == CHARGE_SOURCE_REDIS)
            left = outcome.left - outcome.fits;
        else if (late && left > 0)
            await_change(bucket, before);
    }
    ck_assert_int_ge(local, MESSAGES / 10);
    ck_assert_int_le(passed, BURST + unsent);
    ck_assert_int_ge(passed, BURST - MESSAGES / 10);
    ck_assert_int_eq(reports_with("store away"), 0);
    ck_assert_uint_ge(store_silences(store).count, MESSAGES / 10);
    store_close(store);
    delay_proxy_close(&proxy);
}
END_TEST

/* Redis refuses by turns, and this relay's share decides meanwhile: it begins at what
 * Redis had left, so both together let pass what the limit says. */
START_TEST(refusals_by_turns_double_no_limit)
{
    enum { BURST = 300, SENT = 500, A_TURN = 100 };
    static const struct rate rate = {BURST, INT64_C(86400000), BURST};
    const struct charge charge = {
        .fingerprint = "rule", .subject = "a", .rate = &rate, .cost = 1};
    struct error error = {0};
    struct store *store = NULL;
    int passed = 0, local = 0;
    ck_assert_int_eq(store_open(&settings, &key, reporter, &store, &error), STATUS_OK);
    for (int i = 0; i < 500 && store_state(store) != STORE_STATE_OK; i++)
        (void)usleep(10000);
    for (int i = 0; i < SENT; i++) {
        struct charge_outcome outcome;
        enum charge_source source;
        if (i % A_TURN == A_TURN / 2)
            server_do(&server, "ACL SETUSER default -set");
        if (i % A_TURN == 0)
            server_do(&server, "ACL SETUSER default +set");
        for (int n = 0;
             i % A_TURN == 0 && n < 500 && store_state(store) != STORE_STATE_OK; n++)
            (void)usleep(5000);
        ck_assert_int_eq(
            store_charge(store, &charge, 1, CHARGE_TAKE, soon(), &outcome, &source),
            STATUS_OK);
        passed += outcome.fits;
        local += source == CHARGE_SOURCE_LOCAL;
    }
    ck_assert_int_ge(local, BURST / 3);
    ck_assert_int_eq(passed, BURST);
    store_close(store);
}
END_TEST

/* ---- what it says, and what to do ---- */

static void expect_away(const char *wanted)
{
    struct charge_outcome outcome;
    for (int i = 0; i < 100 && !redis_is_away(redis); i++)
        (void)charge_one("words", 1, &outcome);
    ck_assert(redis_is_away(redis));
    ck_assert_msg(reports_await(wanted, 1000), "%s: %s", wanted, reports.texts[0]);
    ck_assert_int_eq(reports_with("@user_script"), 0);
}

START_TEST(refusals_say_what_to_do)
{
    static const struct {
        const char *set, *unset, *says;
    } cases[] = {
        {"CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0",
         "store away: OOM command not allowed when used memory > 'maxmemory'; Redis is "
         "full: raise its maxmemory"},
        {"CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0",
         "; see min-replicas-to-write, and the replicas"},
        {"ACL SETUSER default -set", "ACL SETUSER default +set",
         "; see store.username in mailbrake.conf(5)"},
        {"ACL SETUSER default resetkeys", "ACL SETUSER default ~*",
         "; see store.username in mailbrake.conf(5)"},
        {"REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE",
         "; a replica: name its master, or Sentinels in store.sentinels"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reports_forget();
        server_do(&server, cases[i].set);
        expect_away(cases[i].says);
        server_do(&server, cases[i].unset);
        ck_assert(await_away(false, 3000));
    }
}
END_TEST

START_TEST(refusals_ask_for_the_socket)
{
    static char nowhere[] = "/run/no-such-folder/redis.sock";
    close_redis();
    settings.path = nowhere;
    open_redis();
    ck_assert(reports_await("store away: ", 1000));
    ck_assert_msg(reports_with("; is unixsocket set in redis.conf, and Redis running?") >
                      0,
                  "%s", reports.texts[0]);
}
END_TEST

/* Somebody's script that does not end: silence at first, then BUSY; and it is over when
 * that script is killed. */
START_TEST(refusals_busy_until_the_script_is_killed)
{
    struct charge_outcome outcome;
    server_do(&server, "CONFIG SET busy-reply-threshold 1000");
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    redisContext *other = server_try_connect(&server);
    redisContext *killer = server_try_connect(&server);
    ck_assert_int_eq(redisAppendCommand(other, "EVAL %s 0", "while true do end"),
                     REDIS_OK);
    int done = 0;
    while (!done)
        ck_assert_int_eq(redisBufferWrite(other, &done), REDIS_OK);
    expect_away("store away: ");
    char why[POOL_WHY_SIZE] = "";
    for (int i = 0; i < 600 && strstr(why, "BUSY") == NULL; i++) {
        (void)usleep(5000);
        (void)redis_why(redis, why, sizeof why);
    }
    ck_assert_msg(strstr(why, "SCRIPT KILL ends it") != NULL, "%s", why);
    int64_t start_us = clock_monotonic_us();
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_UNAVAILABLE);
    ck_assert_int_lt(clock_monotonic_us() - start_us, LATE_MS * 1000);
    freeReplyObject(redisCommand(killer, "SCRIPT KILL"));
    redisFree(killer);
    ck_assert(await_away(false, 2000));
    ck_assert_int_eq(charge_one("a", 1, &outcome), STATUS_OK);
    ck_assert_int_ge(outcome.left, 996); /* what was sent before it was silent */
    redisFree(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_refusals");
    TCase *tcase = tcase_create("redis_refusals");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, refusals_each_key_is_named);
    tcase_add_test(tcase, refusals_reading_alone_is_not_enough);
    tcase_add_test(tcase, refusals_delete_is_refused_midway);
    tcase_add_test(tcase, refusals_charge_whole_in_a_storm);
    tcase_add_test(tcase, refusals_slow_replies_double_no_limit);
    tcase_add_test(tcase, refusals_by_turns_double_no_limit);
    tcase_add_test(tcase, refusals_say_what_to_do);
    tcase_add_test(tcase, refusals_ask_for_the_socket);
    tcase_add_test(tcase, refusals_busy_until_the_script_is_killed);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
