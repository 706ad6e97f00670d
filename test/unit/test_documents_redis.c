/* Documents in a private redis-server, and what becomes of them when it does not answer
 * as it should. */
#include "../support/fake_redis.h"
#include "documents_fixture.h"
#include "run.h"
#include "store/connection.h"
#include "store/scan.h"

#define ALL_COMMANDS "+hget +hset +hdel +hlen +hscan +zadd +zrem +zrangebylex +zlexcount"

static bool await_state(enum store_state state, int ms)
{
    for (int i = 0; i < ms / 5 && store_state(store) != state; i++)
        (void)usleep(5000);
    return store_state(store) == state;
}

START_TEST(documents_lie_in_named_hashes)
{
    static const char *const names[COLLECTIONS] = {
        [COLLECTION_HOLDS] = "holds-by-id",
        [COLLECTION_INCIDENTS] = "incidents-by-id",
        [COLLECTION_BRAKES] = "brakes",
        [COLLECTION_ALLOWS] = "allows",
        [COLLECTION_PERMITS] = "permits",
        [COLLECTION_ENDED_PERMITS] = "ended-permits",
        [COLLECTION_META] = "meta",
        [COLLECTION_PACES] = "paces",
        [COLLECTION_ORDERS] = "orders",
        [COLLECTION_CONFIRM_TOKENS] = "confirm-tokens",
        [COLLECTION_CONFIRMED] = "confirmed",
        [COLLECTION_STAMP] = "stamp",
        [COLLECTION_WOULD] = "would-by-id",
        [COLLECTION_TRAFFIC] = "traffic",
        [COLLECTION_OLD_INCIDENTS] = "incidents",
        [COLLECTION_OLD_OPEN] = "open",
        [COLLECTION_OLD_ENDED] = "ended",
        [COLLECTION_OLD_HOLDS] = "holds"};
    for (int i = 0; i < COLLECTIONS; i++) {
        char command[64], reply[64];
        ck_assert_int_eq(put((enum collection)i, "id", "value"), STATUS_OK);
        (void)snprintf(command, sizeof command, "HGET {mb-test}:%s id", names[i]);
        server_say(&server, command, reply, sizeof reply);
        ck_assert_str_eq(reply, "value");
    }
}
END_TEST

START_TEST(documents_lost_script_is_sent_again)
{
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "1"), STATUS_OK);
    server_do(&server, "SCRIPT FLUSH");
    ck_assert_int_eq(swap("a", "1", "2"), STATUS_OK);
    ck_assert(is(COLLECTION_HOLDS, "a", "2"));
    ck_assert_int_eq(reports.count, 0);
}
END_TEST

START_TEST(documents_are_gone_after_flushall)
{
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "1"), STATUS_OK);
    server_do(&server, "FLUSHALL");
    ck_assert_uint_eq(count_of(COLLECTION_HOLDS), 0);
    ck_assert(is(COLLECTION_HOLDS, "a", NULL));
    ck_assert_int_eq(swap("a", "1", "2"), STATUS_CONFLICT);
    ck_assert_int_eq(swap("a", NULL, "2"), STATUS_OK);
    ck_assert_int_eq(reports.count, 0);
}
END_TEST

static enum status ignore(void *context, const char *id, const char *value)
{
    (void)context;
    (void)id;
    (void)value;
    return STATUS_OK;
}

/* All four calls on the holds. */
static void ask_all(enum status out[4])
{
    char *value = NULL;
    size_t count = 0;
    out[0] = put(COLLECTION_HOLDS, "a", "1");
    out[1] = store_get(store, COLLECTION_HOLDS, "a", soon(), &value);
    out[2] = store_list(store, COLLECTION_HOLDS, soon(), ignore, NULL);
    out[3] = store_count(store, COLLECTION_HOLDS, soon(), &count);
    free(value);
}

static void expect_away(void)
{
    enum status statuses[4];
    ask_all(statuses);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(statuses[i], STATUS_UNAVAILABLE);
}

START_TEST(documents_of_another_type_are_told)
{
    const struct change both[2] = {
        {.collection = COLLECTION_ALLOWS, .id = "a", .value = "1"},
        {.collection = COLLECTION_HOLDS, .id = "a", .value = "1"}};
    server_do(&server, "RPUSH {mb-test}:holds-by-id x");
    expect_away();
    ck_assert_int_eq(store_change(store, both, 2, soon()), STATUS_UNAVAILABLE);
    ck_assert_int_eq(store_state(store), STORE_STATE_OK);
    ck_assert_int_eq(reports.count, 5);
    ck_assert_int_eq(reports_with("bad document in Redis: "), 5);
    ck_assert_int_eq(reports_with("WRONGTYPE"), 5);
    ck_assert_int_eq(reports_with("{mb-test}:holds-by-id"), 5);
    ck_assert_uint_eq(count_of(COLLECTION_ALLOWS), 0);
    ck_assert_int_eq(charge_some(1).left, 1000);
}
END_TEST

static enum status count_damaged(void *context, const char *id, const char *value)
{
    int *count = context;
    (void)id;
    *count += strncmp(value, "damaged ", 8) == 0;
    return STATUS_OK;
}

/* What somebody else wrote there may be no text, or too long: it is seen to be there, it
 * hides nothing else, and can be replaced. */
START_TEST(documents_that_are_none_blind_nobody)
{
    int damaged = 0;
    redisContext *context = server_try_connect(&server);
    char *big = repeated(DOCUMENTS_VALUE_MAX + 1);
    char *value = NULL;
    ck_assert_ptr_nonnull(context);
    const char *const big_words[] = {"HSET", "{mb-test}:allows", "big", big};
    const char *const nul_words[] = {"HSET", "{mb-test}:holds-by-id", "nul", "a\0b"};
    const size_t lengths[] = {4, 21, 3, 3};
    freeReplyObject(
        redisCommandArgv(context, 4, (const char **)(uintptr_t)big_words, NULL));
    freeReplyObject(
        redisCommandArgv(context, 4, (const char **)(uintptr_t)nul_words, lengths));
    ck_assert_int_eq(put(COLLECTION_ALLOWS, "sound", "1"), STATUS_OK);
    ck_assert_int_eq(store_get(store, COLLECTION_ALLOWS, "big", soon(), &value),
                     STATUS_OK);
    ck_assert_int_eq(strncmp(value, "damaged ", 8), 0);
    ck_assert_int_eq(
        store_list(store, COLLECTION_ALLOWS, soon(), count_damaged, &damaged), STATUS_OK);
    ck_assert_int_eq(store_list(store, COLLECTION_HOLDS, soon(), count_damaged, &damaged),
                     STATUS_OK);
    ck_assert_int_eq(damaged, 2);
    ck_assert_int_eq(reports.count, 0);
    const struct change wrong = {.collection = COLLECTION_ALLOWS,
                                 .id = "big",
                                 .check = true,
                                 .expected = "damaged ",
                                 .value = "2"};
    const struct change right = {.collection = COLLECTION_ALLOWS,
                                 .id = "big",
                                 .check = true,
                                 .expected = value,
                                 .value = "2"};
    ck_assert_int_eq(store_change(store, &wrong, 1, soon()), STATUS_CONFLICT);
    ck_assert_int_eq(store_change(store, &right, 1, soon()), STATUS_OK);
    ck_assert(is(COLLECTION_ALLOWS, "big", "2"));
    free(value);
    redisFree(context);
    free(big);
}
END_TEST

/* One after the other: what can't be done whole is not begun, is told by name, and keeps
 * nobody from charging. */
static void forbid_each(void)
{
    static const char *const commands[] = {"hget",        "hset",  "hdel",
                                           "hlen",        "zadd",  "zrem",
                                           "zrangebylex", "hscan", "zlexcount"};
    const struct change changes[3] = {
        {.collection = COLLECTION_HOLDS, .id = "new", .value = "=key\n{}"},
        {.collection = COLLECTION_ALLOWS, .id = "new", .value = "1"},
        {.collection = COLLECTION_HOLDS, .id = "old"}};
    server_do(&server, "ACL SETUSER brake " ALL_COMMANDS);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "old", "all 1\n{}"), STATUS_OK);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char command[96], refused[32], reply[64];
        enum status statuses[4];
        struct scan scan;
        size_t count;
        server_do(&server, "ACL SETUSER brake " ALL_COMMANDS);
        (void)snprintf(command, sizeof command, "ACL SETUSER brake -%s", commands[i]);
        server_do(&server, command);
        reports_forget();
        ask_all(statuses);
        scan_set(&scan, COLLECTION_HOLDS, "all ", NULL);
        statuses[3] = scan_count(store, &scan, soon(), &count);
        if (i < 7)
            ck_assert_int_eq(store_change(store, changes, 3, soon()), STATUS_UNAVAILABLE);
        else
            ck_assert_int_eq(statuses[i == 7 ? 2 : 3], STATUS_UNAVAILABLE);
        (void)snprintf(refused, sizeof refused, "Redis refuses %s ERR", commands[i]);
        for (char *c = refused + strlen("Redis refuses "); *c != ' '; c++)
            *c = (char)(*c - 'a' + 'A');
        ck_assert_msg(reports_with(refused) > 0, "%s", refused);
        ck_assert_int_eq(reports_with("store away"), 0);
        ck_assert_int_eq(store_state(store), STORE_STATE_OK);
        server_say(&server, "HEXISTS {mb-test}:holds-by-id new", reply, sizeof reply);
        ck_assert_str_eq(reply, "0");
        server_say(&server, "HEXISTS {mb-test}:holds-by-id old", reply, sizeof reply);
        ck_assert_str_eq(reply, "1");
        server_say(&server, "ZCARD {mb-test}:holds-by-id:index", reply, sizeof reply);
        ck_assert_str_eq(reply, "1");
    }
}

static char password_file[128];

static void log_in_as_brake(void)
{
    static char user[] = "brake";
    (void)snprintf(password_file, sizeof password_file, "%s/password", server.folder);
    FILE *file = fopen(password_file, "we");
    ck_assert_ptr_nonnull(file);
    (void)fputs("secret\n", file);
    (void)fclose(file);
    settings.username = user;
    settings.password_file = password_file;
}

/* The user without one of the commands: either all charges are Redis's, or none is. */
static void charge_without(const char *name, bool charges_need_it)
{
    enum { BURST = 5, TRIES = 30 };
    enum status statuses[4];
    static const struct rate rate = {BURST, INT64_C(86400000), BURST};
    const struct charge charge = {
        .fingerprint = "rule", .subject = name, .rate = &rate, .cost = 1};
    int passed = 0;
    for (int i = 0; i < TRIES; i++) {
        struct charge_outcome outcome;
        enum charge_source source;
        ck_assert_int_eq(
            store_charge(store, &charge, 1, CHARGE_TAKE, soon(), &outcome, &source),
            STATUS_OK);
        ck_assert_msg(source ==
                          (charges_need_it ? CHARGE_SOURCE_LOCAL : CHARGE_SOURCE_REDIS),
                      "%s", name);
        passed += outcome.fits;
        ask_all(statuses);
        (void)usleep(15000);
    }
    ck_assert_msg(passed == BURST, "%s: %d passed", name, passed);
}

START_TEST(documents_and_charges_without_a_command)
{
    static const char *const commands[] = {
        "evalsha", "eval", "time", "set",  "get",         "hget",      "hset", "hlen",
        "hscan",   "hdel", "zadd", "zrem", "zrangebylex", "zlexcount", "del"};
    log_in_as_brake();
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char command[128], named[64] = " ";
        close_store();
        reports_forget();
        server_do(&server, "SCRIPT FLUSH");
        server_do(&server, "ACL SETUSER brake on >secret ~{mb-test}:* +evalsha +eval "
                           "+get +set +del +time +config|get");
        (void)snprintf(command, sizeof command, "ACL SETUSER brake " ALL_COMMANDS " -%s",
                       commands[i]);
        server_do(&server, command);
        open_store();
        for (size_t c = 0; commands[i][c] != '\0'; c++)
            (void)snprintf(named + c + 1, 3, "%c ", commands[i][c] - 'a' + 'A');
        bool needed = commands[i][0] != 'h' && commands[i][0] != 'z';
        charge_without(commands[i], needed);
        ck_assert_msg(reports_with(named) > 0, "%s", commands[i]);
        ck_assert_msg(reports_with("store away") == needed, "%s", commands[i]);
        ck_assert_int_eq(reports_with("store back"), 0);
    }
    close_store();
    (void)unlink(password_file);
}
END_TEST

/* An ACL of before there were documents: charges go on. */
START_TEST(documents_may_be_forbidden)
{
    close_store();
    server_do(&server, "ACL SETUSER brake on >secret ~{mb-test}:* +evalsha +eval +get "
                       "+set +del +time");
    log_in_as_brake();
    open_store();
    expect_away();
    ck_assert_int_eq(store_state(store), STORE_STATE_OK);
    ck_assert_int_eq(reports_with("Redis refuses HGET ERR "), 2);
    ck_assert_int_eq(reports_with("Redis refuses HSCAN ERR "), 1);
    ck_assert_int_eq(reports_with("Redis refuses HLEN ERR "), 1);
    ck_assert_int_eq(charge_some(1).left, 1000);
    forbid_each();
    server_do(&server, "ACL SETUSER brake " ALL_COMMANDS);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "1"), STATUS_OK);
    ck_assert(is(COLLECTION_HOLDS, "a", "1"));
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", NULL), STATUS_OK);
    ck_assert_uint_eq(count_of(COLLECTION_HOLDS), 1);
    ck_assert_int_eq(store_list(store, COLLECTION_HOLDS, soon(), ignore, NULL),
                     STATUS_OK);
    close_store();
    (void)unlink(password_file);
}
END_TEST

START_TEST(documents_have_no_local_share)
{
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "1"), STATUS_OK);
    server_kill(&server);
    int64_t start_us = clock_monotonic_us();
    expect_away();
    for (int i = 0; i < 100; i++)
        expect_away();
    ck_assert_int_lt(clock_monotonic_us() - start_us, 2 * LATE_MS * 1000);
    ck_assert(await_state(STORE_STATE_LOCAL, 1000));
    server_start(&server);
    ck_assert(await_state(STORE_STATE_OK, 2000));
    ck_assert(is(COLLECTION_HOLDS, "a", NULL)); /* it came back empty */
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "2"), STATUS_OK);
    ck_assert_int_eq(reports_with("store away: "), 1);
}
END_TEST

struct stress {
    pthread_t thread;
    atomic_bool *stop;
    int done, failed, odd;
};

static void *stress(void *context)
{
    struct stress *self = context;
    while (!atomic_load(self->stop)) {
        const struct change changes[2] = {
            {.collection = COLLECTION_HOLDS, .id = "a", .value = "1"},
            {.collection = COLLECTION_ALLOWS, .id = "a", .value = "1"}};
        enum status status = store_change(store, changes, 2, soon());
        if (status == STATUS_OK)
            status = store_list(store, COLLECTION_ALLOWS, soon(), ignore, NULL);
        self->done += status == STATUS_OK;
        self->failed += status == STATUS_UNAVAILABLE;
        self->odd += status != STATUS_OK && status != STATUS_UNAVAILABLE;
        (void)usleep(500);
    }
    return NULL;
}

START_TEST(documents_survive_a_killed_redis)
{
    enum { STRESSED = 8 };
    struct stress threads[STRESSED] = {{0}};
    atomic_bool stop = false;
    for (int i = 0; i < STRESSED; i++) {
        threads[i].stop = &stop;
        ck_assert_int_eq(pthread_create(&threads[i].thread, NULL, stress, &threads[i]),
                         0);
    }
    for (int i = 0; i < 2; i++) {
        (void)usleep(100000);
        server_kill(&server);
        ck_assert(await_state(STORE_STATE_LOCAL, 1000));
        server_start(&server);
        ck_assert(await_state(STORE_STATE_OK, 2000));
    }
    (void)usleep(100000);
    atomic_store(&stop, true);
    for (int i = 0; i < STRESSED; i++) {
        ck_assert_int_eq(pthread_join(threads[i].thread, NULL), 0);
        ck_assert_int_gt(threads[i].done, 0);
        ck_assert_int_gt(threads[i].failed, 0);
        ck_assert_int_eq(threads[i].odd, 0);
    }
    ck_assert(is(COLLECTION_HOLDS, "a", "1"));
    ck_assert(is(COLLECTION_ALLOWS, "a", "1"));
}
END_TEST

/* The deadline is the caller's, below timeout_ms and above. */
START_TEST(documents_keep_the_deadline)
{
    static const int waits_ms[] = {40, 400};
    size_t count;
    settings.timeout_ms = 100;
    close_store();
    open_store();
    ck_assert_int_eq(store_count(store, COLLECTION_HOLDS, clock_monotonic_us(), &count),
                     STATUS_UNAVAILABLE);
    (void)kill(server.pid, SIGSTOP);
    for (size_t i = 0; i < 2; i++) {
        int64_t start_us = clock_monotonic_us();
        int64_t deadline_us = start_us + waits_ms[i] * 1000;
        ck_assert_int_eq(store_count(store, COLLECTION_HOLDS, deadline_us, &count),
                         STATUS_UNAVAILABLE);
        int64_t took_us = clock_monotonic_us() - start_us;
        ck_assert_int_ge(took_us, waits_ms[i] * 1000);
        ck_assert_int_lt(took_us, (waits_ms[i] + LATE_MS) * 1000);
        ck_assert_int_eq(store_state(store), STORE_STATE_OK); /* one proves nothing */
    }
    ck_assert(await_state(STORE_STATE_LOCAL, 1500)); /* the reconnector looked, too */
    (void)kill(server.pid, SIGCONT);
    ck_assert(await_state(STORE_STATE_OK, 2000));
}
END_TEST

/* Answers to a call that are not of its view. */
static const struct {
    const char *answer;
    char call; /* change, get, list, count */
} odd_answers[] = {
    {"+OK\r\n", 'c'},
    {":2\r\n", 'c'},
    {"$1\r\n1\r\n", 'c'},
    {"*0\r\n", 'c'},
    {":1\r\n", 'g'},
    {"+OK\r\n", 'g'},
    {"*1\r\n$1\r\na\r\n", 'g'},
    {":-1\r\n", 'n'},
    {"$-1\r\n", 'n'},
    {"$1\r\n0\r\n", 'n'},
    {"*0\r\n", 'l'},
    {"*2\r\n$1\r\n0\r\n$1\r\n0\r\n", 'l'},
    {"*2\r\n$1\r\n0\r\n*-1\r\n", 'l'},
    {"*2\r\n:0\r\n*0\r\n", 'l'},
    {"*2\r\n$0\r\n\r\n*0\r\n", 'l'},
    {"*2\r\n$22\r\n0000000000000000000000\r\n*0\r\n", 'l'},
    {"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n", 'l'},
    {"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n:1\r\n", 'l'},
    {"*2\r\n$1\r\n0\r\n*1\r\n*1\r\n$1\r\na\r\n", 'l'},
    {"*2\r\n$1\r\n0\r\n*1000000000\r\n", 'l'},
};

static enum status ask_one(char call, int64_t deadline_us)
{
    const struct change change = {.collection = COLLECTION_HOLDS, .id = "a"};
    char *value = NULL;
    size_t count;
    switch (call) {
    case 'c':
        return store_change(store, &change, 1, deadline_us);
    case 'g':
        return store_get(store, COLLECTION_HOLDS, "a", deadline_us, &value);
    case 'l':
        return store_list(store, COLLECTION_HOLDS, deadline_us, ignore, NULL);
    default:
        return store_count(store, COLLECTION_HOLDS, deadline_us, &count);
    }
}

static void open_fake(struct fake_redis *fake, const char *answer)
{
    close_store();
    reports_forget();
    fake_open(fake, answer, false);
    settings.path = fake->path;
    open_store();
    for (int i = 0; i < 500 && store_state(store) != STORE_STATE_OK; i++)
        (void)usleep(10000); /* a busy machine may pass the first answer's time-out */
    ck_assert_msg(store_state(store) == STORE_STATE_OK, "%s", reports.texts[0]);
}

START_TEST(documents_believe_no_odd_answer)
{
    settings.timeout_ms = 100;
    for (size_t i = 0; i < sizeof odd_answers / sizeof *odd_answers; i++) {
        struct fake_redis fake;
        open_fake(&fake, odd_answers[i].answer);
        int64_t deadline_us = clock_monotonic_us() + 100000;
        ck_assert_msg(ask_one(odd_answers[i].call, deadline_us) == STATUS_UNAVAILABLE,
                      "case %zu", i);
        ck_assert_int_lt(clock_monotonic_us() - deadline_us, LATE_MS * 1000);
        ck_assert_msg(reports_with("store away: ") == 1, "case %zu", i);
        close_store();
        fake_close(&fake);
    }
}
END_TEST

/* Refusals, and one silence: what they say is about this call alone. */
START_TEST(documents_refused_open_no_breaker)
{
    static const struct {
        const char *answer;
        char call;
    } refusals[] = {
        {NULL, 'c'},
        {"-OOM command not allowed\r\n", 'c'},
        {"-READONLY you can't\r\n", 'c'},
        {"-NOSCRIPT No matching script\r\n", 'c'},
        {"-ERR what\r\n", 'c'},
        {"-NOPERM no\r\n", 'l'},
        {"-LOADING Redis is loading\r\n", 'g'},
        {"$99999999\r\nx\r\n", 'g'},
    };
    settings.timeout_ms = 100;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct fake_redis fake;
        open_fake(&fake, refusals[i].answer);
        ck_assert_msg(ask_one(refusals[i].call, clock_monotonic_us() + 100000) ==
                          STATUS_UNAVAILABLE,
                      "case %zu", i);
        ck_assert_msg(store_state(store) == STORE_STATE_OK, "case %zu", i);
        close_store();
        fake_close(&fake);
    }
}
END_TEST

/* More than any of us would write. */
START_TEST(documents_are_listed_up_to_a_cap)
{
    static const char script[] = "for i = 1, tonumber(ARGV[1]) do "
                                 "redis.call('HSET', '{mb-test}:allows', i, i) end";
    redisContext *context = server_try_connect(&server);
    ck_assert_ptr_nonnull(context);
    freeReplyObject(redisCommand(context, "EVAL %s 0 %d", script, DOCUMENTS_LISTED_MAX));
    ck_assert_int_eq(store_list(store, COLLECTION_ALLOWS, soon(), ignore, NULL),
                     STATUS_OK);
    freeReplyObject(redisCommand(context, "HSET {mb-test}:allows more x"));
    ck_assert_int_eq(store_list(store, COLLECTION_ALLOWS, soon(), ignore, NULL),
                     STATUS_LIMIT);
    ck_assert_int_eq(reports.count, 0);
    redisFree(context);
}
END_TEST

START_TEST(documents_believe_no_endless_answer)
{
    static const char start[] = "$1073741824\r\n";
    struct fake_redis fake;
    char *answer = repeated(CONNECTION_REPLY_BYTES_MAX + 100000);
    memcpy(answer, start, strlen(start));
    open_fake(&fake, answer);
    ck_assert_int_eq(ask_one('g', soon()), STATUS_UNAVAILABLE);
    ck_assert_int_eq(reports_with("a reply without end"), 1);
    close_store();
    fake_close(&fake);
    free(answer);
}
END_TEST

static enum status tell(void *context, const char *id, const char *value)
{
    char *told = context;
    (void)snprintf(told + strlen(told), 100 - strlen(told), "%s=%s ", id, value);
    return STATUS_OK;
}

/* HSCAN may say the same twice, in one step or in two. */
START_TEST(documents_are_told_once)
{
    static const char once[] = "*2\r\n$1\r\n0\r\n*6\r\n$1\r\na\r\n$1\r\n1\r\n"
                               "$1\r\nb\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\n3\r\n";
    static const char again[] = "*2\r\n$1\r\n7\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n";
    char told[100] = "";
    struct fake_redis fake;
    open_fake(&fake, once);
    ck_assert_int_eq(store_list(store, COLLECTION_HOLDS, soon(), tell, told), STATUS_OK);
    ck_assert_str_eq(told, "a=1 b=2 ");
    fake_close(&fake);

    told[0] = '\0'; /* a server that never ends */
    open_fake(&fake, again);
    ck_assert_int_eq(
        store_list(store, COLLECTION_HOLDS, clock_monotonic_us() + 200000, tell, told),
        STATUS_UNAVAILABLE);
    ck_assert_str_eq(told, "a=1 ");
    close_store();
    fake_close(&fake);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("documents_redis");
    TCase *redis = tcase_create("redis");
    tcase_add_checked_fixture(redis, setup_redis, teardown_redis);
    tcase_set_timeout(redis, 30);
    tcase_add_test(redis, documents_lie_in_named_hashes);
    tcase_add_test(redis, documents_lost_script_is_sent_again);
    tcase_add_test(redis, documents_are_gone_after_flushall);
    tcase_add_test(redis, documents_of_another_type_are_told);
    tcase_add_test(redis, documents_that_are_none_blind_nobody);
    tcase_add_test(redis, documents_may_be_forbidden);
    tcase_add_test(redis, documents_have_no_local_share);
    tcase_add_test(redis, documents_survive_a_killed_redis);
    tcase_add_test(redis, documents_keep_the_deadline);
    tcase_add_test(redis, documents_believe_no_odd_answer);
    tcase_add_test(redis, documents_and_charges_without_a_command);
    tcase_add_test(redis, documents_refused_open_no_breaker);
    tcase_add_test(redis, documents_are_listed_up_to_a_cap);
    tcase_add_test(redis, documents_believe_no_endless_answer);
    tcase_add_test(redis, documents_are_told_once);
    suite_add_tcase(suite, redis);

    return run_suite(suite);
}
