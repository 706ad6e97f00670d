/* Documents: what holds in memory and in Redis alike. */
#include "documents_fixture.h"
#include "run.h"

START_TEST(documents_checks)
{
    ck_assert_int_eq(swap("a", "1", "2"), STATUS_CONFLICT);
    ck_assert_int_eq(swap("a", "", "2"), STATUS_CONFLICT);
    ck_assert(is(COLLECTION_HOLDS, "a", NULL));
    ck_assert_int_eq(swap("a", NULL, "1"), STATUS_OK);
    ck_assert(is(COLLECTION_HOLDS, "a", "1"));
    ck_assert_int_eq(swap("a", NULL, "2"), STATUS_CONFLICT);
    ck_assert_int_eq(swap("a", "2", "3"), STATUS_CONFLICT);
    ck_assert_int_eq(swap("a", "", NULL), STATUS_CONFLICT);
    ck_assert(is(COLLECTION_HOLDS, "a", "1"));
    ck_assert_int_eq(swap("a", "1", "2"), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "any"), STATUS_OK);
    ck_assert_int_eq(swap("a", "any", ""), STATUS_OK);
    ck_assert(is(COLLECTION_HOLDS, "a", ""));
    ck_assert_int_eq(swap("a", "", "x"), STATUS_OK);
    ck_assert(is(COLLECTION_ALLOWS, "a", NULL));
    ck_assert_uint_eq(count_of(COLLECTION_HOLDS), 1);
    ck_assert_uint_eq(count_of(COLLECTION_ALLOWS), 0);
}
END_TEST

START_TEST(documents_are_deleted)
{
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", NULL), STATUS_OK); /* nothing there */
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "1"), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "b", "1"), STATUS_OK);
    ck_assert_int_eq(swap("a", "2", NULL), STATUS_CONFLICT);
    ck_assert_int_eq(swap("a", "1", NULL), STATUS_OK);
    ck_assert_int_eq(swap("a", "1", NULL), STATUS_CONFLICT); /* a second is told so */
    ck_assert(is(COLLECTION_HOLDS, "a", NULL));
    ck_assert(is(COLLECTION_HOLDS, "b", "1"));
    ck_assert_uint_eq(count_of(COLLECTION_HOLDS), 1);
    ck_assert_int_eq(swap("a", NULL, NULL), STATUS_OK);
}
END_TEST

START_TEST(documents_stamp_differs_after_what_is_shown)
{
    char before[DIGEST_ID_SIZE], after[DIGEST_ID_SIZE];
    ck_assert_int_eq(store_stamp(store, soon(), before), STATUS_OK);
    ck_assert_str_eq(before, "");
    ck_assert_int_eq(put(COLLECTION_TRAFFIC, "a", "1"), STATUS_OK);
    ck_assert_int_eq(store_stamp(store, soon(), before), STATUS_OK);
    ck_assert_str_eq(before, "");
    ck_assert_int_eq(put(COLLECTION_BRAKES, "a", "1"), STATUS_OK);
    ck_assert_int_eq(store_stamp(store, soon(), before), STATUS_OK);
    ck_assert_str_ne(before, "");
    ck_assert_int_eq(swap("a", NULL, "1"), STATUS_OK);
    ck_assert_int_eq(store_stamp(store, soon(), after), STATUS_OK);
    ck_assert_str_ne(before, after);
    ck_assert_int_eq(swap("a", "other", "1"), STATUS_CONFLICT);
    ck_assert_int_eq(store_stamp(store, soon(), before), STATUS_OK);
    ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(documents_change_all_or_nothing)
{
    struct change changes[DOCUMENTS_CHANGES_MAX] = {{0}};
    char ids[DOCUMENTS_CHANGES_MAX][8];
    for (int i = 0; i < DOCUMENTS_CHANGES_MAX; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "%d", i);
        changes[i] = (struct change){.collection = (enum collection)(i % COLLECTIONS),
                                     .id = ids[i],
                                     .check = true,
                                     .value = "1"};
    }
    ck_assert_int_eq(put(changes[13].collection, "13", "there"), STATUS_OK);
    ck_assert_int_eq(store_change(store, changes, DOCUMENTS_CHANGES_MAX, soon()),
                     STATUS_CONFLICT);
    for (int i = 0; i < COLLECTIONS; i++)
        ck_assert_uint_eq(count_of((enum collection)i), i == 13 % COLLECTIONS ? 1 : 0);
    changes[13].expected = "there";
    changes[13].value = NULL;
    ck_assert_int_eq(store_change(store, changes, DOCUMENTS_CHANGES_MAX, soon()),
                     STATUS_OK);
    for (int i = 0; i < DOCUMENTS_CHANGES_MAX; i++)
        ck_assert(is(changes[i].collection, ids[i], i == 13 ? NULL : "1"));
    ck_assert_int_eq(store_change(store, changes, 0, soon()), STATUS_OK);
}
END_TEST

START_TEST(documents_know_their_limits)
{
    static char big[DOCUMENTS_VALUE_MAX + 2], name[DOCUMENTS_ID_MAX + 2];
    struct change changes[DOCUMENTS_CHANGES_MAX + 1] = {{0}};
    char *value = NULL;
    memset(big, 'x', sizeof big - 1);
    memset(name, 'n', sizeof name - 1);
    ck_assert_int_eq(put(COLLECTION_META, "a", big), STATUS_LIMIT);
    ck_assert_int_eq(put(COLLECTION_META, name, "x"), STATUS_LIMIT);
    ck_assert_int_eq(put(COLLECTION_META, "", "x"), STATUS_INVALID);
    ck_assert_int_eq(swap("a", big, "x"), STATUS_LIMIT);
    ck_assert_int_eq(store_get(store, COLLECTION_META, name, soon(), &value),
                     STATUS_NOT_FOUND);
    ck_assert_int_eq(store_get(store, COLLECTION_META, "", soon(), &value),
                     STATUS_NOT_FOUND);
    ck_assert_ptr_null(value);
    for (size_t i = 0; i < DOCUMENTS_CHANGES_MAX + 1; i++)
        changes[i] = (struct change){.collection = COLLECTION_META, .id = "same"};
    ck_assert_int_eq(store_change(store, changes, DOCUMENTS_CHANGES_MAX + 1, soon()),
                     STATUS_LIMIT);
    ck_assert_int_eq(store_change(store, changes, 2, soon()), STATUS_INVALID);
    changes[1].collection = COLLECTION_ALLOWS;
    ck_assert_int_eq(store_change(store, changes, 2, soon()), STATUS_OK);

    big[DOCUMENTS_VALUE_MAX] = '\0';
    name[DOCUMENTS_ID_MAX] = '\0';
    ck_assert_int_eq(put(COLLECTION_META, name, big), STATUS_OK);
    ck_assert(is(COLLECTION_META, name, big));
    for (size_t i = 0; i < DOCUMENTS_CHANGES_MAX; i++)
        changes[i] = (struct change){COLLECTION_META, name + i, i == 0, big, big};
    ck_assert_int_eq(store_change(store, changes, DOCUMENTS_CHANGES_MAX, soon()),
                     STATUS_OK);
    ck_assert_uint_eq(count_of(COLLECTION_META), DOCUMENTS_CHANGES_MAX);
}
END_TEST

START_TEST(documents_keep_any_bytes)
{
    for (size_t i = 0; i < sizeof odd_texts / sizeof *odd_texts; i++)
        for (size_t n = 0; n < sizeof odd_texts / sizeof *odd_texts; n++) {
            ck_assert_int_eq(put(COLLECTION_BRAKES, odd_texts[i], odd_texts[n]),
                             STATUS_OK);
            ck_assert(is(COLLECTION_BRAKES, odd_texts[i], odd_texts[n]));
        }
    ck_assert_uint_eq(count_of(COLLECTION_BRAKES), sizeof odd_texts / sizeof *odd_texts);
}
END_TEST

/* 16 threads that add to one counter, and move from one account to another. */

struct worker {
    pthread_t thread;
    int number, conflicts;
    enum status status;
};

static enum status add_one(int *conflicts)
{
    enum status status = STATUS_CONFLICT;
    while (status == STATUS_CONFLICT) {
        char *old = NULL;
        char new[16];
        status = store_get(store, COLLECTION_HOLDS, "counter", soon(), &old);
        if (status != STATUS_OK)
            return status;
        (void)snprintf(new, sizeof new, "%d", atoi(old) + 1);
        status = swap("counter", old, new);
        free(old);
        *conflicts += status == STATUS_CONFLICT;
    }
    return status;
}

static void *count_up(void *context)
{
    struct worker *worker = context;
    for (int i = 0; i < 25 && worker->status == STATUS_OK; i++)
        worker->status = add_one(&worker->conflicts);
    return NULL;
}

static void run_workers(void *(*work)(void *context))
{
    struct worker workers[THREADS] = {{0}};
    for (int i = 0; i < THREADS; i++) {
        workers[i].number = i;
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
        ck_assert_int_eq(workers[i].status, STATUS_OK);
    }
}

START_TEST(documents_count_exactly)
{
    ck_assert_int_eq(swap("counter", NULL, "0"), STATUS_OK);
    run_workers(count_up);
    ck_assert(is(COLLECTION_HOLDS, "counter", "400"));
}
END_TEST

static enum status move_one(int from, int to)
{
    char ids[2][8], new[2][16];
    char *old[2] = {NULL, NULL};
    struct change changes[2];
    enum status status = STATUS_OK;
    (void)snprintf(ids[0], sizeof ids[0], "%d", from);
    (void)snprintf(ids[1], sizeof ids[1], "%d", to);
    for (int i = 0; i < 2 && status == STATUS_OK; i++) {
        enum collection collection = i == 0 ? COLLECTION_ALLOWS : COLLECTION_INCIDENTS;
        status = store_get(store, collection, ids[i], soon(), &old[i]);
        if (status != STATUS_OK)
            break;
        (void)snprintf(new[i], sizeof new[i], "%d", atoi(old[i]) + (i == 0 ? -1 : 1));
        changes[i] = (struct change){collection, ids[i], true, old[i], new[i]};
    }
    if (status == STATUS_OK)
        status = store_change(store, changes, 2, soon());
    free(old[0]);
    free(old[1]);
    return status;
}

static void *move_about(void *context)
{
    struct worker *worker = context;
    for (int i = 0; i < 40 && worker->status == STATUS_OK; i++) {
        worker->status = move_one((worker->number + i) % 4, i % 4);
        if (worker->status == STATUS_CONFLICT)
            worker->status = STATUS_OK;
    }
    return NULL;
}

START_TEST(documents_change_together)
{
    int sum = 0;
    for (int i = 0; i < 4; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "%d", i);
        ck_assert_int_eq(put(COLLECTION_ALLOWS, id, "0"), STATUS_OK);
        ck_assert_int_eq(put(COLLECTION_INCIDENTS, id, "0"), STATUS_OK);
    }
    run_workers(move_about);
    int moved = 0;
    for (int i = 0; i < 8; i++) {
        char id[8];
        char *value = NULL;
        enum collection collection = i < 4 ? COLLECTION_ALLOWS : COLLECTION_INCIDENTS;
        (void)snprintf(id, sizeof id, "%d", i % 4);
        ck_assert_int_eq(store_get(store, collection, id, soon(), &value), STATUS_OK);
        sum += atoi(value);
        moved += i >= 4 ? atoi(value) : 0;
        free(value);
    }
    ck_assert_int_eq(sum, 0);
    ck_assert_int_gt(moved, 0);
}
END_TEST

/* Listing. */

enum { MANY = 10000 };

struct listing {
    unsigned char *seen; /* MANY */
    int calls, stop_after;
};

static enum status note(void *context, const char *id, const char *value)
{
    struct listing *listing = context;
    long number = strncmp(id, "hold-", 5) == 0 ? strtol(id + 5, NULL, 10) : -1;
    ck_assert(number >= 0 && number < MANY);
    ck_assert_msg(listing->seen[number]++ == 0, "%s twice", id);
    ck_assert_int_eq(strncmp(value, "{\"id\":", 6), 0);
    return ++listing->calls == listing->stop_after ? STATUS_NOT_FOUND : STATUS_OK;
}

static enum status list(struct listing *listing, int stop_after)
{
    listing->calls = 0;
    listing->stop_after = stop_after;
    memset(listing->seen, 0, MANY);
    return store_list(store, COLLECTION_HOLDS, soon(), note, listing);
}

/* MANY documents of some 300 bytes. */
static void fill(int from, int to)
{
    struct change changes[DOCUMENTS_CHANGES_MAX] = {{0}};
    char ids[DOCUMENTS_CHANGES_MAX][24], values[DOCUMENTS_CHANGES_MAX][400];
    size_t count = 0;
    for (int i = from; i < to; i++) {
        (void)snprintf(ids[count], sizeof ids[0], "hold-%d", i);
        (void)snprintf(values[count], sizeof values[0], "{\"id\":%d,\"text\":\"%0300d\"}",
                       i, i);
        changes[count] = (struct change){
            .collection = COLLECTION_HOLDS, .id = ids[count], .value = values[count]};
        if (++count < DOCUMENTS_CHANGES_MAX && i + 1 < to)
            continue;
        ck_assert_int_eq(store_change(store, changes, count, soon()), STATUS_OK);
        count = 0;
    }
}

START_TEST(documents_are_listed)
{
    struct listing listing = {.seen = malloc(MANY)};
    ck_assert_int_eq(list(&listing, 0), STATUS_OK);
    ck_assert_int_eq(listing.calls, 0);
    fill(0, MANY);
    ck_assert_uint_eq(count_of(COLLECTION_HOLDS), MANY);
    ck_assert_int_eq(list(&listing, 0), STATUS_OK);
    ck_assert_int_eq(listing.calls, MANY);
    ck_assert_int_eq(list(&listing, 3), STATUS_NOT_FOUND);
    ck_assert_int_eq(listing.calls, 3);
    free(listing.seen);
}
END_TEST

static enum status add_length(void *context, const char *id, const char *value)
{
    size_t *sum = context;
    (void)id;
    *sum += strlen(value);
    return STATUS_OK;
}

START_TEST(documents_as_large_as_may_be_are_listed)
{
    enum { COUNT = 400 };
    char *value = repeated(DOCUMENTS_VALUE_MAX);
    size_t sum = 0;
    for (int i = 0; i < COUNT; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        ck_assert_int_eq(put(COLLECTION_INCIDENTS, id, value), STATUS_OK);
    }
    ck_assert_int_eq(store_list(store, COLLECTION_INCIDENTS, soon(), add_length, &sum),
                     STATUS_OK);
    ck_assert_uint_eq(sum, (size_t)COUNT * DOCUMENTS_VALUE_MAX);
    free(value);
}
END_TEST

/* Deletes what it is shown, and puts it elsewhere. */
static enum status move_away(void *context, const char *id, const char *value)
{
    int *calls = context;
    const struct change changes[2] = {{COLLECTION_HOLDS, id, true, value, NULL},
                                      {COLLECTION_META, id, true, NULL, value}};
    ++*calls;
    return store_change(store, changes, 2, soon());
}

START_TEST(documents_change_while_listed)
{
    int calls = 0;
    fill(0, 1500);
    ck_assert_int_eq(store_list(store, COLLECTION_HOLDS, soon(), move_away, &calls),
                     STATUS_OK);
    ck_assert_int_eq(calls, 1500);
    ck_assert_uint_eq(count_of(COLLECTION_HOLDS), 0);
    ck_assert_uint_eq(count_of(COLLECTION_META), 1500);
}
END_TEST

static void *come_and_go(void *context)
{
    atomic_bool *stop = context;
    while (!atomic_load(stop)) {
        char id[16];
        for (int i = 0; i < 400; i++) { /* grows and shrinks the table of Redis */
            (void)snprintf(id, sizeof id, "hold-%d", 500 + i);
            ck_assert_int_eq(put(COLLECTION_HOLDS, id, "{\"id\":0}"), STATUS_OK);
        }
        for (int i = 0; i < 400; i++) {
            (void)snprintf(id, sizeof id, "hold-%d", 500 + i);
            ck_assert_int_eq(put(COLLECTION_HOLDS, id, NULL), STATUS_OK);
        }
    }
    return NULL;
}

/* Those that stay are always seen, and once. */
START_TEST(documents_are_listed_under_traffic)
{
    struct listing listing = {.seen = malloc(MANY)};
    atomic_bool stop = false;
    pthread_t thread;
    fill(0, 100);
    ck_assert_int_eq(pthread_create(&thread, NULL, come_and_go, &stop), 0);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(list(&listing, 0), STATUS_OK);
        for (int n = 0; n < 100; n++)
            ck_assert_int_eq(listing.seen[n], 1);
    }
    atomic_store(&stop, true);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    free(listing.seen);
}
END_TEST

/* Both stores take as many documents, and no more. */
START_TEST(documents_are_capped)
{
    const char *const ids[] = {"more", "hold-1"};
    const struct change exchange[2] = {{.collection = COLLECTION_HOLDS, .id = "hold-0"},
                                       {COLLECTION_HOLDS, "more", true, NULL, "x"}};
    fill(0, (int)collection_max(COLLECTION_HOLDS));
    ck_assert_int_eq(put(COLLECTION_HOLDS, ids[0], "x"), STATUS_LIMIT);
    ck_assert_int_eq(put(COLLECTION_HOLDS, ids[1], "x"), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_ALLOWS, ids[0], "x"), STATUS_OK);
    ck_assert_int_eq(store_change(store, exchange, 2, soon()), STATUS_OK);
    ck_assert_uint_eq(count_of(COLLECTION_HOLDS), collection_max(COLLECTION_HOLDS));
    ck_assert(is(COLLECTION_HOLDS, "hold-0", NULL));
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*setup)(void),
                      void (*teardown)(void))
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, documents_checks);
    tcase_add_test(tests, documents_are_deleted);
    tcase_add_test(tests, documents_stamp_differs_after_what_is_shown);
    tcase_add_test(tests, documents_change_all_or_nothing);
    tcase_add_test(tests, documents_know_their_limits);
    tcase_add_test(tests, documents_keep_any_bytes);
    tcase_add_test(tests, documents_count_exactly);
    tcase_add_test(tests, documents_change_together);
    tcase_add_test(tests, documents_are_listed);
    tcase_add_test(tests, documents_as_large_as_may_be_are_listed);
    tcase_add_test(tests, documents_change_while_listed);
    tcase_add_test(tests, documents_are_listed_under_traffic);
    tcase_add_test(tests, documents_are_capped);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("documents");
    add_tests(suite, "memory", setup_memory, teardown_memory);
    add_tests(suite, "redis", setup_redis, teardown_redis);

    return run_suite(suite);
}
