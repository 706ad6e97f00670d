/* The front: who decides a message, the local share, and the state file. */
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../support/redis_server.h"
#include "../support/reports.h"
#include "base/clock.h"
#include "run.h"
#include "store/node_quota.h"
#include "store/store.h"

/* 50 ms are promised; the rest is for a busy machine. */
enum { LATE_MS = 150 };

static char folder[64];
static char state_file[128];
static struct store_settings settings;
static struct digest_key key;
static struct store *store;

static void setup(void)
{
    reports_forget();
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    (void)snprintf(folder, sizeof folder, "/tmp/mailbrake-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(state_file, sizeof state_file, "%s/state", folder);
    settings = reports_settings(NULL);
    settings.type = STORE_TYPE_MEMORY;
    settings.state_file = state_file;
    store = NULL;
}

static void teardown(void)
{
    static const char *const suffixes[] = {"", ".bad", ".tmp"};
    store_close(store);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[160];
        (void)snprintf(path, sizeof path, "%s%s", state_file, suffixes[i]);
        (void)unlink(path);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

static enum status try_open(struct error *error)
{
    return store_open(&settings, &key, reporter, &store, error);
}

static void open_store(void)
{
    struct error error = {0};
    ck_assert_msg(try_open(&error) == STATUS_OK, "%s: %s", error.file, error.text);
}

static void reopen_store(void)
{
    store_close(store);
    store = NULL;
    open_store();
}

static enum status charge_one(const char *subject, int64_t cost,
                              struct charge_outcome *out, enum charge_source *out_source)
{
    static const struct rate rate = {1000, INT64_C(86400000), 1000};
    const struct charge charge = {
        .fingerprint = "rule", .subject = subject, .rate = &rate, .cost = cost};
    return store_charge(store, &charge, 1, CHARGE_TAKE, clock_monotonic_us() + 10000000,
                        out, out_source);
}

/* What is left, when who is meant to answers. */
static int64_t left_in(const char *subject, enum charge_source wanted)
{
    struct charge_outcome outcome = {.left = -1};
    enum charge_source source = CHARGE_SOURCE_NONE;
    ck_assert_int_eq(charge_one(subject, 0, &outcome, &source), STATUS_OK);
    ck_assert_int_eq(source, wanted);
    return outcome.left;
}

static bool take(const char *subject, int64_t cost, enum charge_source wanted)
{
    struct charge_outcome outcome = {.fits = false};
    enum charge_source source = CHARGE_SOURCE_NONE;
    ck_assert_int_eq(charge_one(subject, cost, &outcome, &source), STATUS_OK);
    ck_assert_int_eq(source, wanted);
    return outcome.fits;
}

static bool await_state(enum store_state state, int ms)
{
    for (int i = 0; i < ms / 5 && store_state(store) != state; i++)
        (void)usleep(5000);
    return store_state(store) == state;
}

START_TEST(store_share_is_exact_or_less)
{
    const int64_t year_ms = RATE_PERIOD_MAX_MS;
    const struct {
        struct rate rate;
        int nodes;
        struct rate share;
    } cases[] = {
        {{1000, 3600000, 2000}, 1, {1000, 3600000, 2000}},
        {{1000, 3600000, 2000}, 3, {1000, 10800000, 666}},
        {{10, 1000, 2}, 3, {10, 3000, 1}},
        {{3000, year_ms, 3000}, 3, {1000, year_ms, 1000}}, /* by dividing tokens */
        {{3001, year_ms, 3000}, 3, {1000, year_ms, 1000}}, /* rounded down */
        {{5, year_ms, 5}, 1000, {1, year_ms, 1}},          /* the least there is */
        {{1000000000, 9007199, 10}, 2, {500000000, 9007199, 5}},
        {{999999999, 9007199, 10}, 2, {499999999, 9007199, 5}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rate share = node_quota_rate(&cases[i].rate, cases[i].nodes);
        ck_assert_msg(share.tokens == cases[i].share.tokens &&
                          share.period_ms == cases[i].share.period_ms &&
                          share.burst == cases[i].share.burst,
                      "case %zu: %" PRId64 " per %" PRId64 ", burst %" PRId64, i,
                      share.tokens, share.period_ms, share.burst);
    }
}
END_TEST

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 wide;
#else
typedef long double wide; /* on i386 exact to 2^64 */
#endif

/* Shares of any rate are valid, and together never more than it, but for the slowest. */
START_TEST(store_share_stays_in_bounds)
{
    bool good = true;
    srandom(7);
    for (int i = 0; i < 100000 && good; i++) {
        int64_t period_ms = 1000 + (random() * INT64_C(2147483648) + random()) %
                                       (RATE_PERIOD_MAX_MS - 999);
        int64_t most = (RATE_PRODUCT_MAX - 1) / period_ms;
        most = most < RATE_TOKENS_MAX ? most : RATE_TOKENS_MAX;
        if (i % 2 == 0)
            period_ms = 1000 + period_ms % 100000000;
        struct rate rate = {1 + random() % most, period_ms, 1 + random() % 1000};
        int nodes = 1 + (int)(random() % 1000);
        struct rate share = node_quota_rate(&rate, nodes);
        wide together = (wide)share.tokens * nodes * rate.period_ms;
        wide allowed = (wide)rate.tokens * share.period_ms;
        bool slowest = share.tokens == 1 && share.period_ms == RATE_PERIOD_MAX_MS;
        good = rate_is_valid(&rate) && rate_is_valid(&share) &&
               (together <= allowed || slowest) &&
               (slowest || together * 100 >= allowed * 99 || share.tokens < 1000);
        ck_assert_msg(good,
                      "%" PRId64 " per %" PRId64 ", %d nodes: %" PRId64 " per %" PRId64,
                      rate.tokens, rate.period_ms, nodes, share.tokens, share.period_ms);
    }
}
END_TEST

START_TEST(store_memory_decides_alone)
{
    struct charge_outcome outcome = {.left = -1};
    enum charge_source source = CHARGE_SOURCE_REDIS;
    settings.nodes = 4; /* of no meaning here */
    open_store();
    ck_assert_int_eq(store_state(store), STORE_STATE_OK);
    ck_assert_int_eq(charge_one("a", 1000, &outcome, &source), STATUS_OK);
    ck_assert_int_eq(source, CHARGE_SOURCE_MEMORY);
    ck_assert_int_eq(outcome.burst, 1000);
    ck_assert(outcome.fits);
    ck_assert(!take("a", 1, CHARGE_SOURCE_MEMORY));
    ck_assert(take("b", 1, CHARGE_SOURCE_MEMORY));
}
END_TEST

START_TEST(store_rules_have_their_own_buckets)
{
    static const struct rate rate = {10, INT64_C(86400000), 10};
    const struct charge charges[2] = {
        {.fingerprint = "one", .subject = "a", .rate = &rate, .cost = 10},
        {.fingerprint = "two", .subject = "a", .rate = &rate, .cost = 4}};
    struct charge_outcome outcomes[2];
    enum charge_source source;
    open_store();
    ck_assert_int_eq(store_charge(store, charges, 2, CHARGE_TAKE, 0, outcomes, &source),
                     STATUS_OK);
    ck_assert_int_eq(store_charge(store, charges, 2, CHARGE_TAKE, 0, outcomes, &source),
                     STATUS_OK);
    ck_assert_int_eq(outcomes[0].left, 0);
    ck_assert_int_eq(outcomes[1].left, 6);
}
END_TEST

START_TEST(store_knows_its_limits)
{
    enum charge_source source = CHARGE_SOURCE_REDIS;
    struct charge_outcome outcome;
    open_store();
    ck_assert_int_eq(store_charge(store, NULL, 0, CHARGE_TAKE, 0, &outcome, &source),
                     STATUS_OK);
    ck_assert_int_eq(source, CHARGE_SOURCE_NONE);
    ck_assert_int_eq(store_charge(store, NULL, STORE_CHARGES_MAX + 1, CHARGE_TAKE, 0,
                                  &outcome, &source),
                     STATUS_LIMIT);
}
END_TEST

START_TEST(store_state_survives_restart)
{
    struct stat info;
    struct error error = {0};
    open_store();
    ck_assert(take("a", 1000, CHARGE_SOURCE_MEMORY));
    ck_assert(take("b", 300, CHARGE_SOURCE_MEMORY));
    ck_assert_int_eq(store_save(store, &error), STATUS_OK);
    ck_assert_int_eq(stat(state_file, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    reopen_store();
    ck_assert_int_eq(left_in("a", CHARGE_SOURCE_MEMORY), 0);
    ck_assert_int_eq(left_in("b", CHARGE_SOURCE_MEMORY), 700);
    ck_assert_int_eq(left_in("c", CHARGE_SOURCE_MEMORY), 1000);
    ck_assert_int_eq(reports.count, 0);
}
END_TEST

static void read_state(char *out, size_t size)
{
    FILE *file = fopen(state_file, "re");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(out, 1, size - 1, file);
    out[length] = '\0';
    (void)fclose(file);
}

static void write_state(const char *data, size_t length)
{
    FILE *file = fopen(state_file, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, length, file), length);
    (void)fclose(file);
}

static bool exists(const char *suffix)
{
    char path[160];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s%s", state_file, suffix);
    return stat(path, &info) == 0;
}

/* Cut anywhere, or with any byte changed, it is kept aside, and nothing of it believed.
 */
START_TEST(store_damaged_state_is_set_aside)
{
    char data[4096], changed[4096];
    open_store();
    ck_assert(take("a", 1000, CHARGE_SOURCE_MEMORY));
    store_close(store);
    store = NULL;
    read_state(data, sizeof data);
    size_t length = strlen(data);
    ck_assert_uint_gt(length, 60);
    for (size_t at = 0; at < length; at += 3) {
        reports_forget();
        memcpy(changed, data, length);
        if (at >= 17) /* of the first line only a shorter one is damage */
            changed[at] ^= 1;
        write_state(changed, at >= 17 ? length : at);
        open_store();
        ck_assert_int_eq(reports_with("damaged"), 1);
        ck_assert(exists(".bad"));
        ck_assert(!exists(""));
        ck_assert_int_eq(left_in("a", CHARGE_SOURCE_MEMORY), 1000);
        store_close(store);
        store = NULL;
    }
    write_state(data, length);
    open_store();
    ck_assert_int_eq(left_in("a", CHARGE_SOURCE_MEMORY), 0);
}
END_TEST

START_TEST(store_state_of_another_key_is_set_aside)
{
    open_store();
    ck_assert(take("a", 1000, CHARGE_SOURCE_MEMORY));
    store_close(store);
    store = NULL;
    digest_key_derive("other", 5, &key);
    open_store();
    ck_assert(exists(".bad"));
    ck_assert_int_eq(reports_with("another key"), 1);
}
END_TEST

/* A path that someone mistyped must not cost him the file there. */
START_TEST(store_replaces_only_state_files)
{
    struct error error = {0};
    static const char precious[] = "root:x:0:0:root:/root:/bin/bash\n";
    char data[200];
    write_state(precious, strlen(precious));
    ck_assert_int_eq(try_open(&error), STATUS_IO);
    ck_assert_str_eq(error.file, state_file);
    read_state(data, sizeof data);
    ck_assert_str_eq(data, precious);
    (void)unlink(state_file);
    ck_assert_int_eq(symlink("/dev/null", state_file), 0);
    ck_assert_int_eq(try_open(&error), STATUS_IO);
    (void)unlink(state_file);
    ck_assert_int_eq(mkdir(state_file, 0700), 0);
    ck_assert_int_eq(try_open(&error), STATUS_IO);
    (void)rmdir(state_file);
    ck_assert_ptr_null(store);
}
END_TEST

START_TEST(store_starts_without_its_folder)
{
    struct error error = {0};
    static char nowhere[] = "/nonexistent/mailbrake/state";
    settings.state_file = nowhere;
    open_store();
    ck_assert(take("a", 1, CHARGE_SOURCE_MEMORY));
    ck_assert_int_eq(store_save(store, &error), STATUS_IO);
    store_close(store);
    store = NULL;
    ck_assert_int_eq(reports_with("not saved"), 1);
}
END_TEST

/* With Redis. */

static struct server server;

static void setup_shared(void)
{
    setup();
    server_open(&server, NULL, NULL);
    settings.type = STORE_TYPE_REDIS;
    settings.path = server.socket;
    settings.nodes = 4;
}

static void teardown_shared(void)
{
    (void)kill(server.pid, SIGCONT);
    teardown();
    server_close(&server);
}

/* A burst of 1000 over 4 relays: exactly 250 here while Redis hangs, whoever asks. */
START_TEST(store_local_share_is_exact)
{
    int fitted = 0;
    int64_t slowest_us = 0;
    struct charge_outcome outcome = {.left = 0};
    enum charge_source source;
    open_store();
    ck_assert(take("b", 990, CHARGE_SOURCE_REDIS));
    (void)kill(server.pid, SIGSTOP);
    for (int i = 0; i < 500; i++) {
        int64_t start_us = clock_monotonic_us();
        ck_assert_int_eq(charge_one("a", 1, &outcome, &source), STATUS_OK);
        int64_t took_us = clock_monotonic_us() - start_us;
        slowest_us = took_us > slowest_us ? took_us : slowest_us;
        ck_assert_int_eq(source, CHARGE_SOURCE_LOCAL);
        ck_assert_int_eq(outcome.burst, 250);
        fitted += outcome.fits;
    }
    ck_assert_int_eq(fitted, 250);
    ck_assert_int_lt(slowest_us, (250 + LATE_MS) * 1000);
    ck_assert_int_eq(store_state(store), STORE_STATE_LOCAL);
    ck_assert(take("b", 2, CHARGE_SOURCE_LOCAL)); /* its part of the 10 that were left */
    ck_assert(!take("b", 1, CHARGE_SOURCE_LOCAL));

    (void)kill(server.pid, SIGCONT);
    ck_assert(await_state(STORE_STATE_OK, 2000));
    /* What passed here is taken there, and what Redis was asked before it hung as well.
     */
    int64_t left = left_in("a", CHARGE_SOURCE_REDIS);
    ck_assert(left <= 750 && left > 740);
    ck_assert_int_eq(left_in("b", CHARGE_SOURCE_REDIS), 8);
    (void)kill(server.pid, SIGSTOP); /* the local bucket has not forgotten */
    ck_assert(!take("a", 1, CHARGE_SOURCE_LOCAL));
}
END_TEST

START_TEST(store_local_buckets_survive_restart)
{
    open_store();
    server_kill(&server);
    ck_assert(take("a", 250, CHARGE_SOURCE_LOCAL));
    reopen_store();
    ck_assert_int_eq(store_state(store), STORE_STATE_LOCAL);
    ck_assert(!take("a", 1, CHARGE_SOURCE_LOCAL));
    server_start(&server);
    ck_assert(await_state(STORE_STATE_OK, 2000));
    ck_assert(take("a", 1000, CHARGE_SOURCE_REDIS));
}
END_TEST

/* One bucket of the message is bad in Redis: the local share decides all of it. */
START_TEST(store_decides_a_message_in_one_place)
{
    static const struct rate rate = {1000, INT64_C(86400000), 1000};
    const struct charge charges[2] = {
        {.fingerprint = "rule", .subject = "a", .rate = &rate, .cost = 10},
        {.fingerprint = "rule", .subject = "bad", .rate = &rate, .cost = 10}};
    struct charge_outcome outcomes[2];
    enum charge_source source;
    char hash[DIGEST_HEX_SIZE], command[200];
    open_store();
    digest_hex(&key, "bad", 3, hash);
    (void)snprintf(command, sizeof command, "RPUSH {mb-test}:b:rule:%s x", hash);
    server_do(&server, command);
    ck_assert_int_eq(store_charge(store, charges, 2, CHARGE_TAKE,
                                  clock_monotonic_us() + 1000000, outcomes, &source),
                     STATUS_OK);
    ck_assert_int_eq(source, CHARGE_SOURCE_LOCAL);
    ck_assert_int_eq(outcomes[0].burst, 250);
    ck_assert_int_eq(outcomes[1].left, 250);
    ck_assert_int_eq(store_state(store), STORE_STATE_OK);
    ck_assert_int_eq(left_in("a", CHARGE_SOURCE_REDIS), 1000);
    ck_assert_int_eq(reports_with("bad bucket in Redis: WRONGTYPE"), 1);
}
END_TEST

START_TEST(store_tempfail_and_accept_say_unavailable)
{
    static const enum on_failure ways[] = {ON_FAILURE_TEMPFAIL, ON_FAILURE_ACCEPT};
    for (size_t i = 0; i < 2; i++) {
        struct charge_outcome outcome;
        enum charge_source source = CHARGE_SOURCE_NONE;
        settings.on_failure = ways[i];
        open_store();
        ck_assert(take("a", 1, CHARGE_SOURCE_REDIS));
        server_kill(&server);
        ck_assert_int_eq(charge_one("a", 1, &outcome, &source), STATUS_UNAVAILABLE);
        ck_assert(await_state(STORE_STATE_DOWN, 1000));
        int64_t start_us = clock_monotonic_us();
        for (int n = 0; n < 1000; n++)
            ck_assert_int_eq(charge_one("a", 1, &outcome, &source), STATUS_UNAVAILABLE);
        ck_assert_int_lt(clock_monotonic_us() - start_us, LATE_MS * 1000);
        ck_assert_int_eq(source, CHARGE_SOURCE_NONE);
        server_start(&server);
        ck_assert(await_state(STORE_STATE_OK, 2000));
        ck_assert(take("a", 1, CHARGE_SOURCE_REDIS));
        store_close(store);
        store = NULL;
        ck_assert(!exists(""));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *memory = tcase_create("memory");
    tcase_add_checked_fixture(memory, setup, teardown);
    tcase_set_timeout(memory, 30);
    tcase_add_test(memory, store_share_is_exact_or_less);
    tcase_add_test(memory, store_share_stays_in_bounds);
    tcase_add_test(memory, store_memory_decides_alone);
    tcase_add_test(memory, store_rules_have_their_own_buckets);
    tcase_add_test(memory, store_knows_its_limits);
    tcase_add_test(memory, store_state_survives_restart);
    tcase_add_test(memory, store_damaged_state_is_set_aside);
    tcase_add_test(memory, store_state_of_another_key_is_set_aside);
    tcase_add_test(memory, store_replaces_only_state_files);
    tcase_add_test(memory, store_starts_without_its_folder);
    suite_add_tcase(suite, memory);

    TCase *shared = tcase_create("shared");
    tcase_add_checked_fixture(shared, setup_shared, teardown_shared);
    tcase_set_timeout(shared, 30);
    tcase_add_test(shared, store_local_share_is_exact);
    tcase_add_test(shared, store_local_buckets_survive_restart);
    tcase_add_test(shared, store_decides_a_message_in_one_place);
    tcase_add_test(shared, store_tempfail_and_accept_say_unavailable);
    suite_add_tcase(suite, shared);

    return run_suite(suite);
}
