/* Scans of an index: the same in memory and in Redis. */
#include "store/scan.h"

#include "documents_fixture.h"
#include "run.h"

enum { MANY = 1200, THREADS_IN = 8 };

static char seen[200 * 1024];

static enum status note(void *context, const char *entry, const char *value)
{
    int *left = context;
    size_t used = strlen(seen);
    (void)snprintf(seen + used, sizeof seen - used, "%s%s%s;", entry,
                   value == NULL ? "" : "=",
                   value == NULL ? "" : strchr(value, '\n') + 1);
    return --*left == 0 ? STATUS_LIMIT : STATUS_OK;
}

static const char *scan_over(const char *prefix, const char *until, bool bare)
{
    struct scan scan;
    int left = 1000000;
    seen[0] = '\0';
    scan_set(&scan, COLLECTION_HOLDS, prefix, until);
    scan.bare = bare;
    while (!scan.done)
        ck_assert_int_eq(scan_page(store, &scan, soon(), note, &left), STATUS_OK);
    return seen;
}

static size_t count_over(const char *prefix, const char *until)
{
    struct scan scan;
    size_t count = 999999;
    scan_set(&scan, COLLECTION_HOLDS, prefix, until);
    ck_assert_int_eq(scan_count(store, &scan, soon(), &count), STATUS_OK);
    return count;
}

START_TEST(scan_meets_entries_in_order)
{
    ck_assert_str_eq(scan_over("all ", NULL, true), "");
    ck_assert_int_eq(put(COLLECTION_HOLDS, "c", "all 2\theld 2\n{c}"), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "all 3\n{a}"), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "b", "all 1\theld 1\tallow 1\n{b}"),
                     STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "d", "all 4 but no line"), STATUS_OK);
    ck_assert_str_eq(scan_over("all ", NULL, true), "all 1 b;all 2 c;all 3 a;");
    ck_assert_str_eq(scan_over("all ", NULL, false),
                     "all 1 b={b};all 2 c={c};all 3 a={a};");
    ck_assert_str_eq(scan_over("all ", "all 3", true), "all 1 b;all 2 c;");
    ck_assert_str_eq(scan_over("held ", NULL, true), "held 1 b;held 2 c;");
    ck_assert_str_eq(scan_over("none ", NULL, true), "");
    ck_assert_uint_eq(count_over("all ", NULL), 3);
    ck_assert_uint_eq(count_over("all ", "all 2"), 1);
    ck_assert_str_eq(scan_id("held 1 b"), "b");
}
END_TEST

START_TEST(scan_follows_what_changes)
{
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "all 1\theld 1\n{}"), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "b", "all 2\theld 2\n{}"), STATUS_OK);
    ck_assert_int_eq(swap("a", "all 1\theld 1\n{}", "all 3\tended 9\n{}"), STATUS_OK);
    ck_assert_str_eq(scan_over("all ", NULL, true), "all 2 b;all 3 a;");
    ck_assert_str_eq(scan_over("held ", NULL, true), "held 2 b;");
    ck_assert_str_eq(scan_over("ended ", NULL, true), "ended 9 a;");
    ck_assert_int_eq(swap("a", "something else", "all 7\n{}"), STATUS_CONFLICT);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "b", "no terms"), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", NULL), STATUS_OK);
    ck_assert_str_eq(scan_over("", "\x7f", true), "");
    ck_assert_uint_eq(count_of(COLLECTION_HOLDS), 1);
}
END_TEST

/* In a collection without an index the first line is like any other. */
START_TEST(scan_finds_no_others)
{
    struct scan scan;
    size_t count = 9;
    ck_assert_int_eq(put(COLLECTION_META, "a", "all 1\n{}"), STATUS_OK);
    scan_set(&scan, COLLECTION_META, "all ", NULL);
    ck_assert_int_eq(scan_count(store, &scan, soon(), &count), STATUS_OK);
    ck_assert_uint_eq(count, 0);
    int left = 1;
    ck_assert_int_eq(scan_page(store, &scan, soon(), note, &left), STATUS_OK);
    ck_assert(scan.done);
    ck_assert_int_eq(left, 1);
}
END_TEST

START_TEST(scan_passes_over_terms_without_room)
{
    char value[1200], *longest = repeated(DOCUMENTS_ENTRY_MAX - 2);
    size_t used =
        (size_t)snprintf(value, sizeof value, "%s\t%sv\tx\tx", longest, longest);
    for (int i = 0; i < DOCUMENTS_TERMS_MAX; i++)
        used += (size_t)snprintf(value + used, sizeof value - used, "\tt%d", i);
    (void)snprintf(value + used, sizeof value - used, "\n{}");
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", value), STATUS_OK);
    ck_assert_uint_eq(count_over(longest, "w"), 1); /* of the two that are so long */
    ck_assert_str_eq(scan_over("t", "u", true), "t0 a;t1 a;t2 a;t3 a;t4 a;t5 a;");
    ck_assert_str_eq(scan_over("x", "y", true), "x a;");
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", NULL), STATUS_OK);
    ck_assert_uint_eq(count_over("", "\x7f"), 0);
    free(longest);
}
END_TEST

START_TEST(scan_gives_a_term_to_one)
{
    struct change changes[2] = {
        {.collection = COLLECTION_HOLDS, .id = "a", .value = "all 1\n{}"},
        {.collection = COLLECTION_HOLDS, .id = "b", .value = "=key\tall 2\n{}"}};
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "=key\tall 1\n{}"), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "b", "=key\tall 2\n{}"), STATUS_CONFLICT);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "b", "=key2\tall 2\n{}"), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "=key\tall 3\n{}"), STATUS_OK);
    ck_assert_int_eq(store_change(store, changes, 2, soon()), STATUS_OK); /* handed on */
    ck_assert_str_eq(scan_over("=key ", NULL, true), "=key b;");
    ck_assert_int_eq(put(COLLECTION_HOLDS, "b", NULL), STATUS_OK);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "c", "=key\n{}"), STATUS_OK);
}
END_TEST

static void *take_key(void *context)
{
    static int won = 1;
    return put(COLLECTION_HOLDS, context, "=key\n{}") == STATUS_OK ? &won : NULL;
}

START_TEST(scan_gives_a_term_to_one_of_many)
{
    static char ids[THREADS_IN][2] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    pthread_t threads[THREADS_IN];
    int won = 0;
    for (int i = 0; i < THREADS_IN; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_key, ids[i]), 0);
    for (int i = 0; i < THREADS_IN; i++) {
        void *result = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
        won += result != NULL;
    }
    ck_assert_int_eq(won, 1);
    ck_assert_uint_eq(count_over("=key ", NULL), 1);
}
END_TEST

/* MANY documents, each with so many bytes, put in from the middle on. */
static void fill(size_t bytes)
{
    char *text = repeated(bytes);
    char *value = malloc(bytes + 100);
    for (int i = 0; i < MANY; i++) {
        char id[16];
        int number = (i + MANY / 2) % MANY;
        (void)snprintf(id, sizeof id, "%d", number);
        (void)sprintf(value, "all %05d\n%s", number, text);
        ck_assert_int_eq(put(COLLECTION_HOLDS, id, value), STATUS_OK);
    }
    free(value);
    free(text);
}

static enum status expect_next(void *context, const char *entry, const char *value)
{
    int *number = context;
    char expected[32];
    (void)snprintf(expected, sizeof expected, "all %05d %d", *number, *number);
    ck_assert_str_eq(entry, expected);
    ck_assert(value == NULL || strncmp(value, entry, 9) == 0);
    ++*number;
    return STATUS_OK;
}

START_TEST(scan_goes_page_by_page)
{
    fill(2000);
    for (int bare = 0; bare < 2; bare++) {
        struct scan scan;
        int number = 0;
        int pages = 0;
        scan_set(&scan, COLLECTION_HOLDS, "all ", NULL);
        scan.bare = bare == 1;
        for (; !scan.done; pages++) {
            int before = number;
            ck_assert_int_eq(scan_page(store, &scan, soon(), expect_next, &number),
                             STATUS_OK);
            if (!scan.bare)
                ck_assert_int_le((number - before) * 2000, SCAN_PAGE_BYTES + 3000);
        }
        ck_assert_int_eq(number, MANY);
        ck_assert_int_ge(pages, bare == 1 ? 1 : MANY * 2000 / SCAN_PAGE_BYTES);
    }
}
END_TEST

/* It goes on behind the last entry that was taken. */
START_TEST(scan_can_be_left_and_resumed)
{
    struct scan scan;
    fill(10);
    scan_set(&scan, COLLECTION_HOLDS, "all ", NULL);
    for (int at = 0; at < 900;) {
        int left = 7;
        seen[0] = '\0';
        enum status status = scan_page(store, &scan, soon(), note, &left);
        char first[32];
        (void)snprintf(first, sizeof first, "all %05d %d=", at, at);
        ck_assert_int_eq(strncmp(seen, first, strlen(first)), 0);
        ck_assert_int_eq(status, left == 0 ? STATUS_LIMIT : STATUS_OK);
        at += left == 0 ? 6 : 7 - left; /* what was not taken comes again */
    }
    ck_assert(!scan.done);
}
END_TEST

/* What is deleted or put in behind the scan does not disturb it. */
static enum status delete_it(void *context, const char *entry, const char *value)
{
    int *count = context;
    ++*count;
    (void)value;
    return put(COLLECTION_HOLDS, scan_id(entry), NULL);
}

START_TEST(scan_may_delete_what_it_meets)
{
    struct scan scan;
    int count = 0;
    fill(10);
    scan_set(&scan, COLLECTION_HOLDS, "all ", NULL);
    while (!scan.done)
        ck_assert_int_eq(scan_page(store, &scan, soon(), delete_it, &count), STATUS_OK);
    ck_assert_int_eq(count, MANY);
    ck_assert_uint_eq(count_of(COLLECTION_HOLDS), 0);
    ck_assert_uint_eq(count_over("", "\x7f"), 0);
}
END_TEST

START_TEST(scan_outlives_a_restart)
{
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "all 1\t=key\n{}"), STATUS_OK);
    close_store();
    open_store();
    ck_assert_int_eq(reports.count, 0);
    ck_assert_str_eq(scan_over("all ", NULL, false), "all 1 a={};");
    ck_assert_int_eq(put(COLLECTION_HOLDS, "b", "=key\n{}"), STATUS_CONFLICT);
}
END_TEST

/* ---- Redis alone ---- */

START_TEST(scan_stays_where_it_is_without_an_answer)
{
    struct scan scan;
    int left = 100;
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "all 1\n{a}"), STATUS_OK);
    scan_set(&scan, COLLECTION_HOLDS, "all ", NULL);
    server_do(&server, "RENAME {mb-test}:holds-by-id:index kept");
    server_do(&server, "RPUSH {mb-test}:holds-by-id:index x");
    seen[0] = '\0';
    ck_assert_int_eq(scan_page(store, &scan, soon(), note, &left), STATUS_UNAVAILABLE);
    ck_assert_int_eq(put(COLLECTION_HOLDS, "b", "all 2\n{b}"), STATUS_UNAVAILABLE);
    ck_assert_uint_eq(count_of(COLLECTION_HOLDS), 1); /* nothing of it was done */
    ck_assert_int_eq(reports_with("{mb-test}:holds-by-id:index"), 2);
    server_do(&server, "RENAME kept {mb-test}:holds-by-id:index");
    ck_assert_int_eq(scan_page(store, &scan, soon(), note, &left), STATUS_OK);
    ck_assert_str_eq(seen, "all 1 a={a};");
}
END_TEST

START_TEST(scan_is_not_misled_by_others)
{
    server_do(&server, "HSET {mb-test}:holds-by-id:index x y");
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "all 1\n{a}"), STATUS_UNAVAILABLE);
    server_do(&server, "DEL {mb-test}:holds-by-id:index");
    ck_assert_int_eq(put(COLLECTION_HOLDS, "a", "all 1\n{a}"), STATUS_OK);
    server_do(&server, "ZADD {mb-test}:holds-by-id:index 0 'all 0 nobody'");
    ck_assert_str_eq(scan_over("all ", NULL, false), "all 1 a={a};");
}
END_TEST

static TCase *make_case(const char *name, void (*setup)(void), void (*teardown)(void))
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, scan_meets_entries_in_order);
    tcase_add_test(tests, scan_follows_what_changes);
    tcase_add_test(tests, scan_finds_no_others);
    tcase_add_test(tests, scan_passes_over_terms_without_room);
    tcase_add_test(tests, scan_gives_a_term_to_one);
    tcase_add_test(tests, scan_gives_a_term_to_one_of_many);
    tcase_add_test(tests, scan_goes_page_by_page);
    tcase_add_test(tests, scan_can_be_left_and_resumed);
    tcase_add_test(tests, scan_may_delete_what_it_meets);
    tcase_add_test(tests, scan_outlives_a_restart);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("scan");
    TCase *redis = make_case("redis", setup_redis, teardown_redis);
    tcase_add_test(redis, scan_stays_where_it_is_without_an_answer);
    tcase_add_test(redis, scan_is_not_misled_by_others);
    suite_add_tcase(suite, make_case("memory", setup_memory, teardown_memory));
    suite_add_tcase(suite, redis);
    return run_suite(suite);
}
