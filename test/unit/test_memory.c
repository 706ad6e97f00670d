/* Buckets and windows in memory: the vectors, all or nothing, and what a flood does. */
#include <pthread.h>

#include "../support/scenes.h"
#include "memory_fixture.h"
#include "run.h"

struct user {
    struct rate rate;
    uint32_t number;
};

static void begin(void *context, const char *name, const struct rate *rate)
{
    struct user *user = context;
    (void)name;
    user->rate = *rate;
    user->number++;
}

static void step(void *context, const struct vector_step *step, const char *where)
{
    const struct user *user = context;
    struct limiter_request request = {
        .id = make_id(7, user->number), .rate = user->rate, .cost = step->cost};
    struct charge_outcome outcome;
    ck_assert_int_eq(
        memory_charge(memory, &request, 1, CHARGE_TAKE, step->at_ms, &outcome),
        STATUS_OK);
    ck_assert_msg(outcome.left == step->left, "%s: left %" PRId64, where, outcome.left);
    ck_assert_msg(outcome.fits == (step->cost <= step->left), "%s: fits", where);
}

START_TEST(memory_agrees_with_vectors)
{
    struct user user = {.number = 0};
    vectors_run(&(struct vector_user){begin, step, &user});
}
END_TEST

struct window_case {
    struct limiter_request request;
    uint32_t number;
};

static void begin_window(void *context, const char *name, const struct surge *surge)
{
    struct window_case *user = context;
    (void)name;
    user->request = window_request(7, ++user->number, 0, 1);
    user->request.surge = *surge;
}

static void step_window(void *context, const struct window_step *step, const char *where)
{
    struct window_case *user = context;
    struct window window;
    struct charge_outcome outcome;
    user->request.cost = step->cost;
    user->request.monitor = step->forced;
    bool counts = step->forced || step->cost <= step->left; /* else it would brake */
    enum charge_mode mode = counts ? CHARGE_TAKE : CHARGE_PEEK;
    ck_assert_int_eq(
        memory_charge(memory, &user->request, 1, mode, step->at_ms, &outcome), STATUS_OK);
    ck_assert_msg(outcome.left == step->left, "%s: left %" PRId64, where, outcome.left);
    ck_assert_msg(outcome.burst == step->size, "%s: size %" PRId64, where, outcome.burst);
    memory_window(memory, &user->request, step->at_ms, &window);
    vectors_same_window(&window, &step->window, where);
}

START_TEST(memory_windows_agree_with_vectors)
{
    struct window_case user = {.number = 0};
    vectors_run_windows(&(struct window_user){begin_window, step_window, &user});
}
END_TEST

static void begin_clients(void *context, const char *name, const struct rate *limit)
{
    struct window_case *user = context;
    (void)name;
    user->request = (struct limiter_request){
        .id = make_id(1, (uint32_t)++user->number), .has_clients = true, .rate = *limit};
}

/* The set of clients with this id, as it is exported. */
static const struct memory_record *find_clients(const struct memory_id *id, int64_t at_ms)
{
    static struct memory_record records[MEMORY_WAYS];
    uint32_t hash;
    memcpy(&hash, id->bytes, sizeof hash);
    size_t set = MEMORY_BUCKET_SETS + MEMORY_WINDOW_SETS + hash % MEMORY_CLIENT_SETS;
    size_t count = memory_export(memory, at_ms, &set, records, MEMORY_WAYS);
    for (size_t i = 0; i < count; i++)
        if (memcmp(&records[i].request.id, id, sizeof *id) == 0)
            return &records[i];
    return NULL;
}

/* What a set still has at this time: a row is rolled when it is written. */
static void same_clients(const struct memory_record *found, int64_t at_ms,
                         const struct client_entry *wanted, size_t count,
                         const char *where)
{
    struct memory_record record = {0};
    if (found != NULL)
        record = *found;
    struct client_set set = {record.clients, record.client_count};
    if (found != NULL)
        client_set_roll(&set, record.request.rate.period_ms, at_ms);
    vectors_same_clients(&set, wanted, count, where);
}

static void step_clients(void *context, const struct clients_step *step,
                         const char *where)
{
    struct window_case *user = context;
    struct charge_outcome outcome;
    user->request.client = step->client;
    user->request.cost = step->client > 0;
    ck_assert_int_eq(
        memory_charge(memory, &user->request, 1, CHARGE_TAKE, step->at_ms, &outcome),
        STATUS_OK);
    ck_assert_msg(outcome.left == step->left, "%s: left %" PRId64, where, outcome.left);
    ck_assert_int_eq(outcome.burst, user->request.rate.burst);
    same_clients(find_clients(&user->request.id, step->at_ms), step->at_ms, step->entries,
                 step->count, where);
}

START_TEST(memory_clients_agree_with_vectors)
{
    struct window_case user = {.number = 0};
    vectors_run_clients(&(struct clients_user){begin_clients, step_clients, &user});
}
END_TEST

enum { SCENE_SET = 5 };

/* A new memory for each scene. In the sets behind that of the scenes lies what stops the
 * search for something that is not there. */
static void begin_scene(void *context)
{
    (void)context;
    teardown();
    setup();
    ck_assert(take(SCENE_SET + 1, 1, 10, 10));
    struct limiter_request request = window_request(SCENE_SET + 1, 1, 10, 10);
    struct charge_outcome outcome;
    request.surge.window_ms = RATE_PERIOD_MAX_MS;
    ck_assert_int_eq(memory_charge(memory, &request, 1, CHARGE_TAKE, now_ms, &outcome),
                     STATUS_OK);
}

static struct limiter_request draw_of(const struct charge *charge)
{
    uint32_t number = 0;
    struct limiter_request request = {.cost = charge->cost,
                                      .latch_ms = charge->latch_ms,
                                      .monitor = charge->monitor,
                                      .trains = charge->trains,
                                      .along = charge->along,
                                      .permit = charge->permit};
    for (const char *at = charge->subject; *at != '\0'; at++)
        number = number * UINT32_C(31) + (uint32_t)(unsigned char)*at;
    request.id = make_id(SCENE_SET, number);
    request.has_clients = charge->clients;
    request.client = charge->client == NULL ? 0 : atoi(charge->client);
    request.is_window = charge->surge != NULL;
    if (request.is_window)
        request.surge = *charge->surge;
    else
        request.rate = *charge->rate;
    return request;
}

static void step_scene(void *context, const struct scene_step *step, const char *where)
{
    static const char *const modes[] = {
        [CHARGE_PEEK] = "peek", [CHARGE_LATCH] = "latch", [CHARGE_TAKE] = "take"};
    static const char *const amends[] = {
        [AMEND_RESET] = "reset", [AMEND_UNLATCH] = "unlatch", [AMEND_TRAIN] = "train"};
    const char *const *words = step->amends ? amends : modes;
    struct limiter_request requests[SCENE_CHARGES_MAX];
    struct charge_outcome outcomes[SCENE_CHARGES_MAX];
    unsigned mode = 0;
    (void)context;
    while (strcmp(words[mode], step->mode) != 0)
        mode++;
    for (size_t i = 0; i < step->count; i++)
        requests[i] = draw_of(&step->charges[i]);
    if (step->amends) {
        ck_assert_int_eq(
            memory_amend(memory, requests, step->count, (enum amend)mode, step->at_ms),
            STATUS_OK);
        return;
    }
    ck_assert_int_eq(memory_charge(memory, requests, step->count, (enum charge_mode)mode,
                                   step->at_ms, outcomes),
                     STATUS_OK);
    scenes_same(step, outcomes, where);
}

static void kept_clients(const struct scene_step *step, const struct charge *charge,
                         int64_t ttl_ms, const char *value, const char *where)
{
    struct client_entry wanted[VECTOR_CLIENTS_MAX];
    struct limiter_request request = draw_of(charge);
    const struct memory_record *found = find_clients(&request.id, step->at_ms);
    struct client_set set = {wanted, 0};
    int64_t latch_ms = 0;
    ck_assert_msg((found != NULL) == (ttl_ms > 0), "%s: %s", where, charge->subject);
    if (found == NULL)
        return;
    value += strlen("c");
    latch_ms = vectors_number(&value);
    set.count = vectors_clients(value, wanted);
    client_set_roll(&set, charge->rate->period_ms, step->at_ms);
    ck_assert_msg(found->state.latch_end_ms == (latch_ms > step->at_ms ? latch_ms : 0),
                  "%s: latch %" PRId64, where, found->state.latch_end_ms);
    same_clients(found, step->at_ms, wanted, set.count, where);
}

/* What Redis has stored, brought to the present. */
static struct limiter_state state_of(const char *value,
                                     const struct limiter_request *request, int64_t at_ms)
{
    struct limiter_state state = {0};
    if (request->is_window) {
        struct window *window = &state.window;
        window->braked = value[0] == 'W';
        value += strlen("w");
        window->start_ms = vectors_number(&value);
        window->copies = vectors_number(&value);
        window->trained = vectors_number(&value);
        state.latch_end_ms = vectors_number(&value);
        while (*value == ' ') {
            struct window_past *past = &window->past[window->past_count++];
            past->end_ms = vectors_number(&value);
            ck_assert_int_eq(*value++, ':');
            past->copies = vectors_number(&value);
        }
        window_roll(window, &request->surge, at_ms);
        window->start_ms = window_is_open(window) ? window->start_ms : 0;
    } else {
        state.bucket.level = vectors_number(&value);
        state.bucket.rest = vectors_number(&value);
        state.bucket.stamp_ms = vectors_number(&value);
        if (*value == ' ')
            state.latch_end_ms = vectors_number(&value);
        bucket_refill(&state.bucket, &request->rate, at_ms);
    }
    state.latch_end_ms = state.latch_end_ms > at_ms ? state.latch_end_ms : 0;
    return state;
}

static void kept_scene(void *context, const struct scene_step *step,
                       const struct charge *charge, int64_t ttl_ms, const char *value,
                       const char *where)
{
    struct memory_record records[MEMORY_WAYS];
    const struct memory_record *found = NULL;
    struct limiter_request request = draw_of(charge);
    if (charge->clients) {
        kept_clients(step, charge, ttl_ms, value, where);
        return;
    }
    size_t set = SCENE_SET + (request.is_window ? MEMORY_BUCKET_SETS : 0);
    size_t count = memory_export(memory, step->at_ms, &set, records, MEMORY_WAYS);
    (void)context;
    for (size_t i = 0; i < count; i++)
        if (memcmp(&records[i].request.id, &request.id, sizeof request.id) == 0)
            found = &records[i];
    ck_assert_msg((found != NULL) == (ttl_ms > 0), "%s: %s", where, charge->subject);
    if (found == NULL)
        return;
    struct limiter_state wanted = state_of(value, &request, step->at_ms);
    int64_t latch_ms = found->state.latch_end_ms;
    ck_assert_msg((latch_ms > step->at_ms ? latch_ms : 0) == wanted.latch_end_ms,
                  "%s: latch %" PRId64, where, latch_ms);
    if (request.is_window)
        vectors_same_window(&found->state.window, &wanted.window, where);
    else
        ck_assert_msg(found->state.bucket.level == wanted.bucket.level &&
                          found->state.bucket.rest == wanted.bucket.rest,
                      "%s: %s", where, charge->subject);
}

START_TEST(memory_agrees_with_scenes)
{
    scenes_run(&(struct scene_user){begin_scene, step_scene, kept_scene, NULL});
}
END_TEST

START_TEST(memory_charges_all_or_nothing)
{
    struct charge_outcome outcomes[2];
    ck_assert(take(1, 1, 5, 5));
    for (size_t empty = 0; empty < 2; empty++) {
        struct limiter_request requests[2];
        requests[empty] = make_request(1, 1, 1, 5);
        requests[1 - empty] = make_request(2, 2, 3, 5);
        ck_assert_int_eq(
            memory_charge(memory, requests, 2, CHARGE_TAKE, now_ms, outcomes), STATUS_OK);
        ck_assert(!outcomes[empty].fits);
        ck_assert(outcomes[1 - empty].fits);
        ck_assert_int_eq(outcomes[1 - empty].left, 5);
    }
    ck_assert_int_eq(left_in(2, 2, 5), 5);
}
END_TEST

START_TEST(memory_monitor_never_stops)
{
    struct charge_outcome outcomes[3];
    struct limiter_request requests[3] = {
        make_request(1, 1, 4, 5), make_request(2, 2, 9, 5), make_request(3, 3, 2, 5)};
    requests[1].monitor = requests[2].monitor = true;
    ck_assert_int_eq(memory_charge(memory, requests, 3, CHARGE_TAKE, now_ms, outcomes),
                     STATUS_OK);
    ck_assert(outcomes[0].fits && !outcomes[1].fits && outcomes[2].fits);
    ck_assert_int_eq(left_in(1, 1, 5), 1);
    ck_assert_int_eq(left_in(2, 2, 5), 5);
    ck_assert_int_eq(left_in(3, 3, 5), 3);
    ck_assert_int_eq(memory_charge(memory, requests, 3, CHARGE_TAKE, now_ms, outcomes),
                     STATUS_OK);
    ck_assert_int_eq(left_in(3, 3, 5), 3); /* the first was short: monitors neither */
}
END_TEST

START_TEST(memory_look_takes_nothing)
{
    struct limiter_request request = make_request(1, 1, 5, 5);
    struct charge_outcome outcome;
    ck_assert_int_eq(memory_charge(memory, &request, 1, CHARGE_PEEK, now_ms, &outcome),
                     STATUS_OK);
    ck_assert(outcome.fits);
    ck_assert_int_eq(left_in(1, 1, 5), 5);
    ck_assert_uint_eq(memory_changes(memory), 0);
}
END_TEST

/* After a refused charge an hour earlier, the hour need not pass before it refills. */
START_TEST(memory_refusal_keeps_new_time)
{
    const int64_t hour_ms = 3600000;
    struct limiter_request request = {
        .id = make_id(1, 1), .rate = {60, hour_ms, 60}, .cost = 60};
    struct charge_outcome outcome;
    ck_assert_int_eq(memory_charge(memory, &request, 1, CHARGE_TAKE, now_ms, &outcome),
                     STATUS_OK);
    request.cost = 1;
    ck_assert_int_eq(
        memory_charge(memory, &request, 1, CHARGE_TAKE, now_ms - hour_ms, &outcome),
        STATUS_OK);
    ck_assert(!outcome.fits);
    ck_assert_int_eq(memory_charge(memory, &request, 1, CHARGE_TAKE,
                                   now_ms - hour_ms + 60000, &outcome),
                     STATUS_OK);
    ck_assert(outcome.fits);
}
END_TEST

/* Eight new buckets in one set push out all others, but never each other; nine can't be
 * had, and then nothing at all is taken. */
START_TEST(memory_call_never_forgets_its_own)
{
    struct limiter_request requests[MEMORY_WAYS + 2];
    struct charge_outcome outcomes[MEMORY_WAYS + 2];
    for (uint32_t i = 0; i < MEMORY_WAYS; i++)
        ck_assert(take(9, 100 + i, 90, 100));
    for (uint32_t i = 0; i < MEMORY_WAYS + 1; i++)
        requests[i] = make_request(9, i, 1, 100);
    requests[MEMORY_WAYS + 1] = make_request(10, 0, 1, 100);
    ck_assert_int_eq(
        memory_charge(memory, requests, MEMORY_WAYS + 2, CHARGE_TAKE, now_ms, outcomes),
        STATUS_UNAVAILABLE);
    ck_assert_int_eq(left_in(10, 0, 100), 100);
    for (uint32_t i = 0; i < MEMORY_WAYS; i++) {
        ck_assert_int_eq(left_in(9, 100 + i, 100), 10);
        ck_assert_int_eq(left_in(9, i, 100), 100);
    }
    ck_assert_int_eq(
        memory_charge(memory, requests, MEMORY_WAYS, CHARGE_TAKE, now_ms, outcomes),
        STATUS_OK);
    for (uint32_t i = 0; i < MEMORY_WAYS; i++)
        ck_assert_int_eq(left_in(9, i, 100), 99);
}
END_TEST

/* More than one set takes, of keys that differ in the hash: each has a place once there
 * are more sets. Keys that don't differ would want the growth to go on for ever. */
START_TEST(memory_that_grows_forgets_nothing)
{
    enum { KEYS = 20 };
    memory_let_grow(memory);
    for (uint32_t i = 0; i < KEYS; i++)
        ck_assert(take(9 + i * MEMORY_BUCKET_SETS, 1, 10 + i, 100));
    for (uint32_t i = 0; i < KEYS; i++)
        ck_assert_int_eq(left_in(9 + i * MEMORY_BUCKET_SETS, 1, 100), 90 - i);
    for (uint32_t i = 0; i < MEMORY_WAYS + 1; i++)
        ck_assert(take(7, i, 10, 100));
    ck_assert_int_eq(left_in(7, MEMORY_WAYS, 100), 90);
}
END_TEST

static void *take_from_one(void *context)
{
    int *taken = context;
    struct limiter_request request = make_request(3, 3, 1, 1000);
    struct charge_outcome outcome;
    for (int i = 0; i < 200; i++)
        if (memory_charge(memory, &request, 1, CHARGE_TAKE, now_ms, &outcome) ==
                STATUS_OK &&
            outcome.fits)
            ++*taken;
    return NULL;
}

/* How many of 16 threads' charges fit, in all. */
static int sum_of_all(void *(*take_many)(void *taken))
{
    enum { THREADS = 16 };
    pthread_t threads[THREADS];
    int taken[THREADS] = {0};
    int sum = 0;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_many, &taken[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        sum += taken[i];
    }
    return sum;
}

START_TEST(memory_burst_is_exact_at_any_concurrency)
{
    ck_assert_int_eq(sum_of_all(take_from_one), 1000);
}
END_TEST

/* While others look, mirror and set a latch of another key in the same set. */
static void *take_from_window(void *context)
{
    int *taken = context;
    struct limiter_request requests[2] = {window_request(3, 3, 1, 1000),
                                          window_request(3, 4, 0, 1000)};
    const struct observation observation = {.latch_ms = 1000, .copies = 10};
    struct charge_outcome outcomes[2];
    struct window window;
    int64_t own_ms;
    for (int i = 0; i < 200; i++) {
        if (memory_charge(memory, requests, 1, CHARGE_TAKE, now_ms, outcomes) ==
                STATUS_OK &&
            outcomes[0].fits)
            ++*taken;
        memory_mirror(memory, &requests[1], &observation, 1, now_ms);
        memory_recall(memory, &requests[1], 1, now_ms, &own_ms);
        memory_window(memory, &requests[0], now_ms, &window);
        ck_assert_int_le(window.copies, 1000);
    }
    return NULL;
}

START_TEST(memory_window_is_exact_at_any_concurrency)
{
    ck_assert_int_eq(sum_of_all(take_from_window), 1000);
}
END_TEST

START_TEST(memory_exports_what_it_imports)
{
    enum { COUNT = 100 };
    struct memory_record records[COUNT];
    size_t set = 0;
    size_t count = 0;
    for (uint32_t i = 0; i < 50; i++)
        ck_assert(take(i * 600, i, 1 + i, 60));
    while (set < MEMORY_SETS)
        count += memory_export(memory, now_ms, &set, records + count, MEMORY_WAYS * 2);
    ck_assert_uint_eq(count, 50);
    memory_free(memory);
    setup();
    for (size_t i = 0; i < count; i++)
        memory_import(memory, &records[i], now_ms);
    for (uint32_t i = 0; i < 50; i++)
        ck_assert_int_eq(left_in(i * 600, i, 60), 59 - i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tcase = tcase_create("memory");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, memory_agrees_with_vectors);
    tcase_add_test(tcase, memory_windows_agree_with_vectors);
    tcase_add_test(tcase, memory_clients_agree_with_vectors);
    tcase_add_test(tcase, memory_agrees_with_scenes);
    tcase_add_test(tcase, memory_charges_all_or_nothing);
    tcase_add_test(tcase, memory_monitor_never_stops);
    tcase_add_test(tcase, memory_look_takes_nothing);
    tcase_add_test(tcase, memory_refusal_keeps_new_time);
    tcase_add_test(tcase, memory_call_never_forgets_its_own);
    tcase_add_test(tcase, memory_that_grows_forgets_nothing);
    tcase_add_test(tcase, memory_burst_is_exact_at_any_concurrency);
    tcase_add_test(tcase, memory_window_is_exact_at_any_concurrency);
    tcase_add_test(tcase, memory_exports_what_it_imports);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
