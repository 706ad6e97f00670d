/* charge.lua and amend.lua at times of our choice: the vectors of policy/bucket.c and
 * policy/window.c, the scenes of charges, and whatever comes beside store/memory.c. */
#include "../support/lua.h"
#include "../support/scenes.h"
#include "redis_fixture.h"
#include "run.h"
#include "store/local.h"

static struct lua lua;

/* What the vectors of buckets and windows are run with. */
struct vector_case {
    struct rate rate;
    struct surge surge;
    struct charge charge;
    char key[LUA_KEY_SIZE];
    int number;
    int64_t stamp_ms; /* of the key; -1: there is none */
};

static void begin(void *context, const char *name, const struct rate *rate)
{
    struct vector_case *user = context;
    (void)name;
    user->rate = *rate;
    user->stamp_ms = -1;
    (void)snprintf(user->key, sizeof user->key, "bucket%d", ++user->number);
    user->charge = (struct charge){.subject = user->key, .rate = &user->rate};
}

static int64_t take_at(struct vector_case *user, int64_t cost, int64_t at_ms)
{
    struct charge_outcome outcome;
    user->charge.cost = cost;
    lua_run(&lua, "take", &user->charge, 1, at_ms, &outcome);
    return outcome.left;
}

/* What is stored under a key, and for how long. Redis counts that down by its own clock,
 * and a busy machine takes its time. */
static void check_kept(const char *subject, const char *wanted, int64_t wanted_ttl_ms,
                       const char *where)
{
    char value[LUA_VALUE_SIZE];
    int64_t ttl_ms;
    lua_get(&lua, subject, value, &ttl_ms);
    ck_assert_msg(strcmp(value, wanted_ttl_ms > 0 ? wanted : "") == 0, "%s: %s", where,
                  value);
    if (wanted_ttl_ms > 0)
        ck_assert_msg(ttl_ms <= wanted_ttl_ms && ttl_ms > wanted_ttl_ms - 5000,
                      "%s: TTL %" PRId64, where, ttl_ms);
}

static void step(void *context, const struct vector_step *step, const char *where)
{
    char wanted[80];
    struct vector_case *user = context;
    int64_t left = take_at(user, step->cost, step->at_ms);
    ck_assert_msg(left == step->left, "%s: left %" PRId64, where, left);
    bool taken = step->cost > 0 && step->cost <= step->left;
    if (!taken && user->stamp_ms <= step->at_ms)
        return;
    user->stamp_ms = step->to_full_ms == 0 ? -1 : step->at_ms;
    (void)snprintf(wanted, sizeof wanted, "%" PRId64 " %" PRId64 " %" PRId64, step->level,
                   step->rest, step->at_ms);
    check_kept(user->key, wanted, step->to_full_ms, where);
}

START_TEST(script_agrees_with_vectors)
{
    struct vector_case user = {.number = 0};
    lua_open(&lua, &server);
    vectors_run(&(struct vector_user){begin, step, &user});
    lua_close(&lua);
}
END_TEST

/* A day in irregular steps, each bucket beside the same one of policy/bucket.c. */
START_TEST(script_agrees_over_a_day)
{
    const struct rate rates[] = {{1000, 3600000, 2000},
                                 {997, 86400001, 4999},
                                 {1000000000, 9007199, 1000000000},
                                 {284833, RATE_PERIOD_MAX_MS, 1000000}};
    struct vector_case user = {.number = 0};
    srandom(1);
    lua_open(&lua, &server);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        int64_t at_ms = INT64_C(1787000000123);
        int64_t end_ms = at_ms + 86400000;
        struct bucket bucket = bucket_full(&rates[i], at_ms);
        begin(&user, "", &rates[i]);
        while (at_ms < end_ms) {
            bucket_refill(&bucket, &rates[i], at_ms);
            int64_t cost = bucket.level > 0 ? random() % (2 * bucket.level) : 1;
            ck_assert_int_eq(take_at(&user, cost, at_ms), bucket.level);
            if (!bucket_take(&bucket, cost))
                bucket.stamp_ms = at_ms;
            at_ms += random() % 200000;
        }
    }
    lua_close(&lua);
}
END_TEST

static void begin_window(void *context, const char *name, const struct surge *surge)
{
    struct vector_case *user = context;
    (void)name;
    user->surge = *surge;
    (void)snprintf(user->key, sizeof user->key, "window%d", ++user->number);
    user->charge = (struct charge){.subject = user->key, .surge = &user->surge};
}

static void step_window(void *context, const struct window_step *step, const char *where)
{
    char wanted[LUA_VALUE_SIZE];
    struct vector_case *user = context;
    const struct window *window = &step->window;
    struct charge_outcome outcome;
    user->charge.cost = step->cost;
    user->charge.monitor = step->forced;
    bool counts = step->forced || step->cost <= step->left; /* else it would brake */
    lua_run(&lua, counts ? "take" : "peek", &user->charge, 1, step->at_ms, &outcome);
    ck_assert_msg(outcome.left == step->left, "%s: left %" PRId64, where, outcome.left);
    ck_assert_msg(outcome.burst == step->size, "%s: size %" PRId64, where, outcome.burst);
    if (step->cost == 0 || !counts)
        return;
    int length = snprintf(wanted, sizeof wanted, "w %" PRId64 " %" PRId64 " 0 0",
                          window->start_ms, window->copies);
    for (size_t i = 0; i < window->past_count; i++)
        length += snprintf(wanted + length, sizeof wanted - (size_t)length,
                           " %" PRId64 ":%" PRId64, window->past[i].end_ms,
                           window->past[i].copies);
    check_kept(user->key, wanted, step->keep_ms, where);
}

START_TEST(script_agrees_with_windows)
{
    struct vector_case user = {.number = 0};
    lua_open(&lua, &server);
    vectors_run_windows(&(struct window_user){begin_window, step_window, &user});
    lua_close(&lua);
}
END_TEST

/* " NUMBER:STAMP" for each client, whose number is the hash of its name. */
static void add_clients(const struct charge *charge, const struct client_entry *entries,
                        size_t count, char *out, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        char client[24];
        int64_t number;
        struct charge of = *charge;
        size_t length = strlen(out);
        (void)snprintf(client, sizeof client, "%" PRId64, entries[i].client);
        of.client = client;
        ck_assert_int_eq(limiter_request_client(&lua.key, &of, &number), STATUS_OK);
        (void)snprintf(out + length, size - length, " %" PRId64 ":%" PRId64, number,
                       entries[i].stamp_ms);
    }
}

static void begin_clients(void *context, const char *name, const struct rate *limit)
{
    struct vector_case *user = context;
    (void)name;
    user->rate = *limit;
    (void)snprintf(user->key, sizeof user->key, "clients%d", ++user->number);
    user->charge = (struct charge){.fingerprint = "rule",
                                   .subject = user->key,
                                   .rate = &user->rate,
                                   .clients = true};
}

static void step_clients(void *context, const struct clients_step *step,
                         const char *where)
{
    char client[24];
    char wanted[LUA_VALUE_SIZE] = "c 0";
    struct vector_case *user = context;
    struct charge_outcome outcome;
    (void)snprintf(client, sizeof client, "%" PRId64, step->client);
    user->charge.client = step->client > 0 ? client : NULL;
    user->charge.cost = step->client > 0;
    lua_run(&lua, "take", &user->charge, 1, step->at_ms, &outcome);
    ck_assert_msg(outcome.left == step->left, "%s: left %" PRId64, where, outcome.left);
    ck_assert_int_eq(outcome.burst, user->rate.burst);
    if (step->client == 0 || step->left == 0)
        return;
    add_clients(&user->charge, step->entries, step->count, wanted, sizeof wanted);
    check_kept(user->key, wanted, step->keep_ms, where);
}

START_TEST(script_agrees_with_clients)
{
    struct vector_case user = {.number = 0};
    lua_open(&lua, &server);
    vectors_run_clients(&(struct clients_user){begin_clients, step_clients, &user});
    lua_close(&lua);
}
END_TEST

static void begin_scene(void *context)
{
    (void)context;
}

static void step_scene(void *context, const struct scene_step *step, const char *where)
{
    struct charge_outcome outcomes[SCENE_CHARGES_MAX];
    (void)context;
    lua_run(&lua, step->mode, step->charges, step->count, step->at_ms,
            step->amends ? NULL : outcomes);
    if (!step->amends)
        scenes_same(step, outcomes, where);
}

static void kept_scene(void *context, const struct scene_step *step,
                       const struct charge *charge, int64_t ttl_ms, const char *value,
                       const char *where)
{
    char hashed[LUA_VALUE_SIZE];
    struct client_entry entries[VECTOR_CLIENTS_MAX];
    (void)context;
    (void)step;
    if (ttl_ms > 0 && charge->clients) {
        size_t words = strcspn(value, ":"); /* before it the first client */
        while (value[words] != '\0' && value[words] != ' ')
            words--;
        (void)snprintf(hashed, sizeof hashed, "%.*s", (int)words, value);
        add_clients(charge, entries, vectors_clients(value + words, entries), hashed,
                    sizeof hashed);
        value = hashed;
    }
    if (ttl_ms > 0) /* else it lives longer here than it should */
        check_kept(charge->subject, value, ttl_ms, where);
}

START_TEST(script_agrees_with_scenes)
{
    lua_open(&lua, &server);
    scenes_run(&(struct scene_user){begin_scene, step_scene, kept_scene, NULL});
    lua_close(&lua);
}
END_TEST

/* Somebody's set of clients, in a rule of any sort. */
static struct charge make_clients(void)
{
    static const struct rate limit = {3, 7000, 3};
    static const char *const clients[] = {NULL,       "10.0.0.1", "10.0.0.2",  "10.0.0.3",
                                          "10.0.0.4", "local",    "2001:db8::"};
    const char *client = clients[random() % 7];
    return (struct charge){.fingerprint = "clients",
                           .subject = "random:clients",
                           .rate = &limit,
                           .clients = true,
                           .client = client,
                           .cost = client != NULL,
                           .latch_ms = random() % 2 == 0 ? 0 : 2500,
                           .monitor = random() % 3 == 0,
                           .trains = random() % 4 == 0};
}

/* The kinds of charges that a random message may have: a bucket, windows and a set of
 * clients, each of them as rules of several sorts have it. */
static size_t make_charges(struct charge *charges)
{
    static const struct rate rate = {7, 10000, 20};
    static const struct surge surges[] = {{1500, 9, 5000}, {3000, 4, 60000}};
    static const char *const subjects[] = {"random:a", "random:b", "random:c"};
    static const int64_t costs[] = {0, 1, 1, 2, 4, 9, 21, 70};
    static const int64_t latches_ms[] = {0, 1500, 4000};
    static const struct rate permit = {.tokens = 0, .period_ms = 60000, .burst = 300};
    size_t count = 0;
    size_t first = (size_t)random() % 3;
    if (random() % 5 == 0)
        charges[count++] = (struct charge){.fingerprint = "permit",
                                           .subject = "random:p",
                                           .rate = &permit,
                                           .cost = costs[1 + random() % 7],
                                           .monitor = true,
                                           .permit = true};
    for (size_t i = 0; i < 3; i++) {
        size_t which = (first + i) % 3;
        if (random() % 4 == 0)
            continue;
        charges[count++] =
            (struct charge){.fingerprint = "rule",
                            .subject = subjects[which],
                            .rate = which == 0 ? &rate : NULL,
                            .surge = which == 0 ? NULL : &surges[which - 1],
                            .cost = costs[random() % 8],
                            .latch_ms = latches_ms[random() % 3],
                            .monitor = random() % 3 == 0,
                            .trains = random() % 4 == 0,
                            .along = random() % 3 == 0};
    }
    if (count < 4 && random() % 2 == 0) { /* anywhere but before a permit */
        size_t at = count > 0 && !charges[0].permit ? (size_t)random() % count : count;
        charges[count] = charges[at];
        charges[at] = make_clients();
        count++;
    }
    return count;
}

static const char *const modes[] = {"peek", "latch", "take", "reset", "unlatch", "train"};

static void same_outcomes(const struct charge *charges, size_t count,
                          const struct charge_outcome *here,
                          const struct charge_outcome *there, int step)
{
    for (size_t n = 0; n < count; n++)
        ck_assert_msg(here[n].left == there[n].left && here[n].burst == there[n].burst &&
                          here[n].latch_ms == there[n].latch_ms,
                      "step %d, charge %zu (%s): %" PRId64 " of %" PRId64
                      ", latched %" PRId64 "; Redis %" PRId64 " of %" PRId64
                      ", latched %" PRId64,
                      step, n, charges[n].subject, here[n].left, here[n].burst,
                      here[n].latch_ms, there[n].left, there[n].burst, there[n].latch_ms);
}

/* One to four messages that travel together: as if one came after the other. */
static void charge_some(const struct local *local, int64_t at_ms, int step)
{
    struct charge charges[4][4];
    struct charge_outcome here[4], there[4][4];
    struct charge_outcome *outcomes[4];
    struct charge_order orders[4];
    enum charge_mode order_modes[4];
    size_t count = 0;
    for (size_t i = 1 + (size_t)random() % 4; i > 0; i--) {
        size_t charge_count = make_charges(charges[count]);
        order_modes[count] =
            random() % 4 == 0 ? CHARGE_PEEK : (enum charge_mode)(1 + random() % 2);
        if (charge_count == 0)
            continue;
        outcomes[count] = there[count];
        orders[count] = (struct charge_order){.script = &lua.charge,
                                              .mode = modes[order_modes[count]],
                                              .charges = charges[count],
                                              .count = charge_count,
                                              .key = &lua.key};
        count++;
    }
    if (count > 0)
        lua_run_batch(&lua, orders, count, at_ms, outcomes);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(
            local_charge(local, charges[i], orders[i].count, order_modes[i], at_ms, here),
            STATUS_OK);
        same_outcomes(charges[i], orders[i].count, here, there[i], step);
    }
}

/* Whatever comes, also from a clock that jumps: memory and Redis say the same. */
START_TEST(script_agrees_with_memory)
{
    static const int steps_ms[] = {0, 1, 250, 999, 1001, 2500, 5000, 30000, -700, -40000};
    const struct local local = {.memory = memory_new(), .key = &key};
    int64_t at_ms = INT64_C(1787000000123);
    ck_assert_ptr_nonnull(local.memory);
    srandom(3);
    lua_open(&lua, &server);
    for (int i = 0; i < 4000; i++) {
        struct charge charges[4];
        at_ms += steps_ms[random() % 10];
        if (random() % 8 > 0) {
            charge_some(&local, at_ms, i);
            continue;
        }
        size_t count = make_charges(charges);
        enum amend what = (enum amend)(random() % 3);
        if (count == 0)
            continue;
        lua_run(&lua, modes[3 + what], charges, count, at_ms, NULL);
        ck_assert_int_eq(local_amend(&local, charges, count, what, at_ms), STATUS_OK);
    }
    lua_close(&lua);
    memory_free(local.memory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("script");
    TCase *tcase = tcase_create("script");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, script_agrees_with_vectors);
    tcase_add_test(tcase, script_agrees_over_a_day);
    tcase_add_test(tcase, script_agrees_with_windows);
    tcase_add_test(tcase, script_agrees_with_clients);
    tcase_add_test(tcase, script_agrees_with_scenes);
    tcase_add_test(tcase, script_agrees_with_memory);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
