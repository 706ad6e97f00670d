/* Brakes and allowances in a store, active on two relays that share it. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../support/either_store.h"
#include "quarantine/active_brakes.h"
#include "quarantine/permits.h"
#include "quarantine/record.h"
#include "run.h"

enum { NOW_MS = 2000000000 };

static struct active_brakes *here, *there;
static struct domains own;

static void open_boards(bool redis)
{
    either_open(redis);
    ck_assert_int_eq(domains_add(&own, "own", NULL), STATUS_OK);
    ck_assert_int_eq(domains_set_delimiters(&own, "+"), STATUS_OK);
    here = active_brakes_new(store);
    there = active_brakes_new(store);
    ck_assert_ptr_nonnull(here);
    ck_assert_ptr_nonnull(there);
}

static void setup_memory(void)
{
    open_boards(false);
}

static void setup_redis(void)
{
    open_boards(true);
}

static void teardown(void)
{
    active_brakes_free(here);
    active_brakes_free(there);
    domains_clear(&own);
    either_close();
}

static enum status set(const char *key_text, int64_t until_ms)
{
    char by[] = "root";
    char reason[] = "storm";
    struct brake brake = {0};
    ck_assert_int_eq(brake_key_parse(key_text, &own, NULL, &brake.key, NULL), STATUS_OK);
    brake.action = ACTION_REJECT;
    brake.until_ms = until_ms;
    brake.by = by;
    brake.reason = reason;
    enum status status = active_brakes_set(here, &brake, either_soon());
    brake.by = brake.reason = NULL;
    brake_clear(&brake);
    return status;
}

static enum status refresh(struct active_brakes *active, int64_t now_ms)
{
    return active_brakes_refresh(active, &own, now_ms, either_soon());
}

static size_t count_on(struct active_brakes *active)
{
    const struct brakes *brakes = active_brakes_take(active);
    size_t count = brakes->count;
    active_brakes_release(active, brakes);
    return count;
}

static size_t count_in(enum collection collection)
{
    size_t count;
    ck_assert_int_eq(store_count(store, collection, either_soon(), &count), STATUS_OK);
    return count;
}

START_TEST(active_brakes_starts_empty)
{
    ck_assert_uint_eq(count_on(here), 0);
    ck_assert_int_eq(refresh(here, NOW_MS), STATUS_OK);
    ck_assert_uint_eq(count_on(here), 0);
    json_t *json = active_brakes_json(here, NOW_MS);
    ck_assert_uint_eq(json_array_size(json), 0);
    json_decref(json);
}
END_TEST

START_TEST(active_brakes_set_is_in_force_here_at_once_and_there_after_a_look)
{
    ck_assert_int_eq(set("client:10.0.0.0/8", INT64_MAX), STATUS_OK);
    ck_assert_int_eq(set("sender:a@own", NOW_MS + 1000), STATUS_OK);
    ck_assert_uint_eq(count_on(here), 2);
    ck_assert_uint_eq(count_on(there), 0);
    ck_assert_int_eq(refresh(there, NOW_MS), STATUS_OK);
    const struct brakes *brakes = active_brakes_take(there);
    ck_assert_uint_eq(brakes->count, 2);
    ck_assert_str_eq(brakes->items[0].key.text, "client:10.0.0.0/8");
    ck_assert_int_eq(brakes->items[0].key.kind, BRAKE_CLIENT);
    ck_assert_int_eq(brakes->items[0].key.network.prefix, 104);
    ck_assert_int_eq(brakes->items[0].until_ms, INT64_MAX);
    ck_assert_str_eq(brakes->items[1].key.text, "sender:a@own");
    ck_assert_int_eq(brakes->items[1].action, ACTION_REJECT);
    ck_assert_int_eq(brakes->items[1].until_ms, NOW_MS + 1000);
    ck_assert_str_eq(brakes->items[1].by, "root");
    ck_assert_str_eq(brakes->items[1].reason, "storm");
    active_brakes_release(there, brakes);
}
END_TEST

/* A page asks whether something has changed, and only then for the brakes. */
START_TEST(active_brakes_version_grows_when_what_is_shown_changes)
{
    ck_assert_int_eq(refresh(there, NOW_MS), STATUS_OK);
    uint64_t before = active_brakes_version(there);
    ck_assert_int_eq(refresh(there, NOW_MS), STATUS_OK);
    ck_assert_uint_eq(active_brakes_version(there), before);

    uint64_t set_here = active_brakes_version(here);
    ck_assert_int_eq(set("all", NOW_MS + 1000), STATUS_OK);
    ck_assert_uint_gt(active_brakes_version(here), set_here);
    ck_assert_uint_eq(active_brakes_version(there), before); /* it shows the old ones */
    ck_assert_int_eq(refresh(there, NOW_MS), STATUS_OK);
    ck_assert_uint_gt(active_brakes_version(there), before);

    before = active_brakes_version(there);
    ck_assert_int_eq(set("all", NOW_MS + 2000), STATUS_OK);
    ck_assert_int_eq(refresh(there, NOW_MS), STATUS_OK);
    ck_assert_uint_gt(active_brakes_version(there), before);

    before = active_brakes_version(there);
    ck_assert_int_eq(refresh(there, NOW_MS + 1999), STATUS_OK);
    ck_assert_uint_eq(active_brakes_version(there), before);
    ck_assert_int_eq(refresh(there, NOW_MS + 2000), STATUS_OK); /* it has lapsed */
    ck_assert_uint_gt(active_brakes_version(there), before);
}
END_TEST

START_TEST(active_brakes_set_again_replaces)
{
    ck_assert_int_eq(set("all", NOW_MS + 1000), STATUS_OK);
    ck_assert_int_eq(set("all", NOW_MS + 5000), STATUS_OK);
    ck_assert_uint_eq(count_on(here), 1);
    ck_assert_uint_eq(count_in(COLLECTION_BRAKES), 1);
    ck_assert_int_eq(refresh(here, NOW_MS + 2000), STATUS_OK);
    ck_assert_uint_eq(count_on(here), 1);
}
END_TEST

START_TEST(active_brakes_clear_clears_and_says_if_there_was_one)
{
    ck_assert_int_eq(active_brakes_clear(here, "all", either_soon()), STATUS_NOT_FOUND);
    ck_assert_int_eq(set("all", INT64_MAX), STATUS_OK);
    ck_assert_int_eq(refresh(there, NOW_MS), STATUS_OK);
    ck_assert_int_eq(active_brakes_clear(here, "all", either_soon()), STATUS_OK);
    ck_assert_uint_eq(count_on(here), 0);
    ck_assert_int_eq(active_brakes_clear(here, "all", either_soon()), STATUS_NOT_FOUND);
    ck_assert_int_eq(refresh(there, NOW_MS), STATUS_OK);
    ck_assert_uint_eq(count_on(there), 0);
}
END_TEST

static enum status allow(const char *fingerprint, const char *subject, int64_t until_ms)
{
    const struct allowance allowance =
        brakes_borrow_allowance(fingerprint, subject, until_ms);
    return active_brakes_allow(here, &allowance, either_soon());
}

START_TEST(active_brakes_drops_what_lapsed)
{
    ck_assert_int_eq(set("all", NOW_MS + 1000), STATUS_OK);
    ck_assert_int_eq(allow("f1", "a", NOW_MS + 1000), STATUS_OK);
    ck_assert_int_eq(refresh(here, NOW_MS + 1000), STATUS_OK);
    ck_assert_uint_eq(count_on(here), 0);
    ck_assert_uint_eq(count_in(COLLECTION_BRAKES), 1); /* other clocks may be behind */
    ck_assert_int_eq(refresh(here, NOW_MS + 61000), STATUS_OK);
    ck_assert_uint_eq(count_in(COLLECTION_BRAKES), 0);
    ck_assert_uint_eq(count_in(COLLECTION_ALLOWS), 0);
}
END_TEST

START_TEST(active_brakes_allows_for_a_while)
{
    ck_assert_int_eq(allow("f1", "sender:a@own", NOW_MS + 9), STATUS_OK);
    ck_assert_int_eq(allow("f1", "sender:a@own", NOW_MS + 1000), STATUS_OK);
    ck_assert_int_eq(refresh(there, NOW_MS), STATUS_OK);
    struct active_brakes *actives[] = {here, there};
    for (size_t i = 0; i < 2; i++) {
        const struct brakes *brakes = active_brakes_take(actives[i]);
        ck_assert_uint_eq(brakes->allowance_count, 1);
        ck_assert(brake_allows(brakes, "f1", "sender:a@own", NOW_MS + 999));
        ck_assert(!brake_allows(brakes, "f1", "sender:b@own", NOW_MS));
        active_brakes_release(actives[i], brakes);
    }
}
END_TEST

START_TEST(active_brakes_takes_long_keys)
{
    char text[800] = "sender:";
    char subject[700];
    memset(text + 7, 'a', sizeof text - 16);
    (void)strcpy(text + sizeof text - 9, "@own");
    memset(subject, 's', sizeof subject - 1);
    subject[sizeof subject - 1] = '\0';
    ck_assert_int_eq(set(text, INT64_MAX), STATUS_OK);
    ck_assert_int_eq(allow("f1", subject, NOW_MS + 9), STATUS_OK);
    ck_assert_int_eq(refresh(there, NOW_MS), STATUS_OK);
    const struct brakes *brakes = active_brakes_take(there);
    ck_assert_uint_eq(brakes->count, 1);
    ck_assert_str_eq(brakes->items[0].key.text, text);
    ck_assert(brake_allows(brakes, "f1", subject, NOW_MS));
    active_brakes_release(there, brakes);
    ck_assert_int_eq(active_brakes_clear(there, text, either_soon()), STATUS_OK);
}
END_TEST

START_TEST(active_brakes_shows_brakes_as_json)
{
    ck_assert_int_eq(set("all", NOW_MS + 1000), STATUS_OK);
    ck_assert_int_eq(set("domain:else", INT64_MAX), STATUS_OK);
    json_t *json = active_brakes_json(here, NOW_MS);
    char *text = json_dumps(json, JSON_COMPACT);
    ck_assert_str_eq(text,
                     "[{\"key\":\"all\",\"action\":\"reject\",\"until\":\"1970-01-"
                     "24T03:33:21Z\",\"by\":\"root\",\"reason\":\"storm\"},"
                     "{\"key\":\"domain:else\",\"action\":\"reject\",\"until\":null,"
                     "\"by\":\"root\",\"reason\":\"storm\"}]");
    free(text);
    json_decref(json);
    json = active_brakes_json(here, NOW_MS + 1000);
    ck_assert_uint_eq(json_array_size(json), 1);
    json_decref(json);
}
END_TEST

START_TEST(active_brakes_passes_over_what_it_cannot_read)
{
    static const char *const values[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"key\":\"all\"}",
        "{\"key\":\"all\",\"action\":\"accept\",\"until\":null}",
        "{\"key\":\"moon:x\",\"action\":\"defer\",\"until\":null}",
        "{\"key\":\"all\",\"action\":\"defer\",\"until\":\"soon\"}"};
    char id[16];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        (void)snprintf(id, sizeof id, "bad%zu", i);
        struct change brake = {
            .collection = COLLECTION_BRAKES, .id = id, .value = values[i]};
        ck_assert_int_eq(store_change(store, &brake, 1, either_soon()), STATUS_OK);
    }
    ck_assert_int_eq(set("domain:else", INT64_MAX), STATUS_OK);
    ck_assert_int_eq(refresh(here, NOW_MS), STATUS_OK);
    ck_assert_uint_eq(count_on(here), 1);
    ck_assert_uint_eq(count_in(COLLECTION_BRAKES), 1 + sizeof values / sizeof *values);
}
END_TEST

static enum status permit(const char *id, int64_t until_ms)
{
    char *to[] = {(char *)(uintptr_t) "list@own"};
    struct permit one = {.id = (char *)(uintptr_t)id,
                         .to = to,
                         .to_count = 1,
                         .from_ms = NOW_MS,
                         .until_ms = until_ms,
                         .rate = permit_rate(70, NOW_MS, until_ms)};
    ck_assert_int_eq(brake_key_parse("login:ann", &own, NULL, &one.key, NULL), STATUS_OK);
    enum status status = active_brakes_permit(here, &one, either_soon());
    brake_key_clear(&one.key);
    return status;
}

static size_t count_permits(struct active_brakes *active)
{
    const struct brakes *brakes = active_brakes_take(active);
    size_t count = brakes->permit_count;
    active_brakes_release(active, brakes);
    return count;
}

static json_t *list_permits(bool ended, int64_t now_ms)
{
    json_t *json = NULL;
    const struct permits_query query = {.active = here,
                                        .store = store,
                                        .ended = ended,
                                        .now_ms = now_ms,
                                        .deadline_us = either_soon()};
    ck_assert_int_eq(permits_list(&query, &json), STATUS_OK);
    return json;
}

static const char *state_at(const json_t *permits, size_t i)
{
    return record_text(json_array_get(permits, i), "state");
}

START_TEST(active_brakes_permits_travel_lapse_and_end)
{
    ck_assert_int_eq(permit("one", NOW_MS + 60000), STATUS_OK);
    ck_assert_int_eq(permit("two", NOW_MS + 1000), STATUS_OK);
    ck_assert_uint_eq(count_permits(here), 2);
    ck_assert_uint_eq(count_permits(there), 0);
    ck_assert_int_eq(refresh(there, NOW_MS), STATUS_OK);
    ck_assert_uint_eq(count_permits(there), 2);
    const struct brakes *brakes = active_brakes_take(there);
    ck_assert_str_eq(brakes->permits[0].id, "two");
    ck_assert_str_eq(brakes->permits[1].to[0], "list@own");
    ck_assert_int_eq(brakes->permits[1].rate.burst, 70);
    active_brakes_release(there, brakes);
    json_t *json = list_permits(false, NOW_MS + 1000);
    ck_assert_uint_eq(json_array_size(json), 1);
    ck_assert_int_eq(record_number(json_array_get(json, 0), "left"), 70);
    json_decref(json);

    ck_assert_int_eq(refresh(here, NOW_MS + 61000), STATUS_OK);
    ck_assert_uint_eq(count_permits(here), 1);
    ck_assert_int_eq(
        active_brakes_end_permit(here, &own, "one", "ann", NOW_MS + 2000, either_soon()),
        STATUS_OK);
    ck_assert_int_eq(
        active_brakes_end_permit(here, &own, "one", "ann", NOW_MS + 2000, either_soon()),
        STATUS_NOT_FOUND);
    ck_assert_uint_eq(count_permits(here), 0);
    json = list_permits(true, NOW_MS + 3000);
    ck_assert_uint_eq(json_array_size(json), 2);
    ck_assert_str_eq(state_at(json, 0), "ended");
    ck_assert_str_eq(state_at(json, 1), "lapsed");
    json_decref(json);
    ck_assert_int_eq(permits_prune(store, NOW_MS + 5000, 3500, either_soon()), STATUS_OK);
    json = list_permits(true, NOW_MS + 3000);
    ck_assert_uint_eq(json_array_size(json), 1);
    ck_assert_str_eq(state_at(json, 0), "ended");
    json_decref(json);
}
END_TEST

START_TEST(active_brakes_keeps_a_set_for_who_has_it)
{
    ck_assert_int_eq(set("all", INT64_MAX), STATUS_OK);
    const struct brakes *brakes = active_brakes_take(here);
    const struct brakes *again = active_brakes_take(here);
    ck_assert_ptr_eq(brakes, again);
    ck_assert_int_eq(active_brakes_clear(here, "all", either_soon()), STATUS_OK);
    ck_assert_int_eq(refresh(here, NOW_MS), STATUS_OK);
    ck_assert_uint_eq(brakes->count, 1);
    ck_assert_str_eq(brakes->items[0].key.text, "all");
    active_brakes_release(here, brakes);
    ck_assert_str_eq(again->items[0].key.text, "all");
    active_brakes_release(here, again);
    ck_assert_uint_eq(count_on(here), 0);
}
END_TEST

static atomic_bool done;

static void *look(void *context)
{
    static char found;
    bool always = true;
    (void)context;
    while (!atomic_load(&done)) {
        const struct brakes *brakes = active_brakes_take(here);
        bool has = false;
        for (size_t i = 0; i < brakes->count; i++)
            has = has || strcmp(brakes->items[i].key.text, "all") == 0;
        always = always && has;
        active_brakes_release(here, brakes);
    }
    return always ? &found : NULL;
}

static void *read_on(void *context)
{
    (void)context;
    while (!atomic_load(&done))
        if (refresh(here, NOW_MS) != STATUS_OK)
            return NULL;
    return here;
}

/* A brake that stays is never missing while others come and go. */
START_TEST(active_brakes_never_shows_half)
{
    pthread_t threads[3];
    atomic_store(&done, false);
    ck_assert_int_eq(set("all", INT64_MAX), STATUS_OK);
    ck_assert_int_eq(pthread_create(&threads[0], NULL, look, NULL), 0);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, look, NULL), 0);
    ck_assert_int_eq(pthread_create(&threads[2], NULL, read_on, NULL), 0);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(set("domain:else", INT64_MAX), STATUS_OK);
        ck_assert_uint_eq(count_on(here), 2);
        ck_assert_int_eq(active_brakes_clear(here, "domain:else", either_soon()),
                         STATUS_OK);
        ck_assert_uint_eq(count_on(here), 1);
    }
    atomic_store(&done, true);
    for (size_t i = 0; i < 3; i++) {
        void *result = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
        ck_assert_ptr_nonnull(result);
    }
}
END_TEST

START_TEST(active_brakes_stays_while_the_store_is_away)
{
    ck_assert_int_eq(set("all", NOW_MS + 1000), STATUS_OK);
    ck_assert_int_eq(refresh(there, NOW_MS), STATUS_OK);
    server_kill(&server);
    int64_t soon_us = clock_monotonic_us() + 100000;
    ck_assert_int_eq(active_brakes_refresh(there, &own, NOW_MS, soon_us),
                     STATUS_UNAVAILABLE);
    ck_assert_int_eq(active_brakes_clear(there, "all", soon_us), STATUS_UNAVAILABLE);
    ck_assert_uint_eq(count_on(there), 1);
    ck_assert_uint_eq(count_on(here), 1);
    server_start(&server);
}
END_TEST

static bool is_pending(const char *name)
{
    json_t *brakes = active_brakes_json(here, NOW_MS);
    size_t i;
    const json_t *brake;
    bool pending = false;
    json_array_foreach(brakes, i, brake)
    {
        if (strcmp(json_string_value(json_object_get(brake, "key")), name) == 0)
            pending = json_is_true(json_object_get(brake, "pending"));
    }
    json_decref(brakes);
    return pending;
}

/* Set here at once, cleared again, kept over a restart, and written once the store is
 * back, but for what has lapsed by then. */
START_TEST(active_brakes_sets_while_the_store_is_away)
{
    int64_t soon_us = clock_monotonic_us() + 100000;
    server_kill(&server);
    ck_assert_int_eq(set("domain:else", INT64_MAX), STATUS_OK);
    ck_assert_int_eq(set("domain:other", INT64_MAX), STATUS_OK);
    ck_assert_int_eq(set("all", NOW_MS + 1000), STATUS_OK);
    ck_assert_uint_eq(count_on(here), 3);
    ck_assert(is_pending("domain:else"));
    ck_assert_int_eq(active_brakes_clear(here, "domain:other", soon_us), STATUS_OK);
    ck_assert_int_eq(active_brakes_clear(here, "domain:none", soon_us),
                     STATUS_UNAVAILABLE);
    ck_assert_int_eq(active_brakes_refresh(here, &own, NOW_MS, soon_us),
                     STATUS_UNAVAILABLE);
    ck_assert_uint_eq(count_on(here), 2);
    ck_assert_int_eq(active_brakes_refresh(there, &own, NOW_MS, soon_us),
                     STATUS_UNAVAILABLE);
    ck_assert_uint_eq(count_on(there), 2); /* as after a restart, with the same store */
    server_start(&server);
    for (int i = 0; i < 400 && store_state(store) != STORE_STATE_OK; i++)
        (void)usleep(10000);
    ck_assert_int_eq(refresh(here, NOW_MS + 2000), STATUS_OK);
    ck_assert_uint_eq(count_on(here), 1);
    ck_assert(!is_pending("domain:else"));
    ck_assert_int_eq(refresh(there, NOW_MS + 2000), STATUS_OK);
    ck_assert_uint_eq(count_on(there), 1);
}
END_TEST

static TCase *make_case(const char *name, SFun setup)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, active_brakes_starts_empty);
    tcase_add_test(tcase,
                   active_brakes_set_is_in_force_here_at_once_and_there_after_a_look);
    tcase_add_test(tcase, active_brakes_version_grows_when_what_is_shown_changes);
    tcase_add_test(tcase, active_brakes_set_again_replaces);
    tcase_add_test(tcase, active_brakes_clear_clears_and_says_if_there_was_one);
    tcase_add_test(tcase, active_brakes_drops_what_lapsed);
    tcase_add_test(tcase, active_brakes_allows_for_a_while);
    tcase_add_test(tcase, active_brakes_takes_long_keys);
    tcase_add_test(tcase, active_brakes_shows_brakes_as_json);
    tcase_add_test(tcase, active_brakes_passes_over_what_it_cannot_read);
    tcase_add_test(tcase, active_brakes_permits_travel_lapse_and_end);
    tcase_add_test(tcase, active_brakes_keeps_a_set_for_who_has_it);
    tcase_add_test(tcase, active_brakes_never_shows_half);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("active_brakes");
    TCase *redis = make_case("redis", setup_redis);
    suite_add_tcase(suite, make_case("memory", setup_memory));
    tcase_add_test(redis, active_brakes_stays_while_the_store_is_away);
    tcase_add_test(redis, active_brakes_sets_while_the_store_is_away);
    suite_add_tcase(suite, redis);
    return run_suite(suite);
}
