/* Records as versions before the index wrote them: a collection for each state. */
#include "ledger_fixture.h"
#include "quarantine/pending_counts.h"
#include "run.h"

static void put(enum collection collection, const char *id, const char *value)
{
    const struct change change = {.collection = collection, .id = id, .value = value};
    ck_assert_int_eq(store_change(store, &change, 1, either_soon()), STATUS_OK);
}

static void put_hold(enum collection collection, const char *id, const char *state)
{
    char value[600];
    (void)snprintf(value, sizeof value,
                   "{\"id\":\"%s\",\"incident\":\"00000000000000f1\",\"rule\":\"r\","
                   "\"identity\":\"login:a@own\",\"reach\":5,\"host\":\"relay1\","
                   "\"queue_id\":\"4Q%s\",\"held_at\":%lld,\"state\":\"%s\","
                   "\"sender\":\"a@own\",\"in\":\"key\",\"party\":[\"aa\",\"bb\",\"aa\"]"
                   "%s}",
                   id, id + 14, (long long)now_ms, state,
                   strcmp(state, "held") == 0 ? "" : ",\"ended_at\":1795291814000");
    put(collection, id, value);
}

static void put_incident(enum collection collection, const char *place, const char *id,
                         bool open)
{
    char value[600];
    (void)snprintf(value, sizeof value,
                   "{\"id\":\"%s\",\"rule\":\"list-rate\",\"key\":\"a\",\"held\":2,"
                   "\"ended\":1,\"released\":1,\"refused\":3,\"deferred\":0,\"reach\":5,"
                   "\"copies\":9,\"opened_at\":%lld,\"last_at\":%lld,\"open\":%s,"
                   "\"parties\":{\"aa\":1},\"notified_ms\":7}",
                   id, (long long)now_ms, (long long)now_ms, open ? "true" : "false");
    put(collection, place, value);
}

static void convert(void)
{
    ck_assert_int_eq(ledger_convert(ledger, either_soon()), STATUS_OK);
}

static size_t left(enum collection collection)
{
    size_t count = 99;
    ck_assert_int_eq(store_count(store, collection, either_soon(), &count), STATUS_OK);
    return count;
}

static void open_key_of(const char *subject, char out[PENDING_COUNTS_ID_SIZE])
{
    struct event event = make_event(subject);
    pending_counts_format_id(&key, event.fingerprint, subject, out);
}

START_TEST(convert_moves_all_once)
{
    char open_key[PENDING_COUNTS_ID_SIZE];
    open_key_of("a", open_key);
    put_incident(COLLECTION_OLD_OPEN, open_key, "00000000000000f1", true);
    put_incident(COLLECTION_OLD_INCIDENTS, "00000000000000f2", "00000000000000f2", false);
    put_hold(COLLECTION_OLD_HOLDS, "00000000000000a1", "held");
    put_hold(COLLECTION_OLD_ENDED, "00000000000000a2", "released");
    put(COLLECTION_OLD_HOLDS, "damaged", "no record");
    ck_assert_uint_eq(count_of(holds(true)), 0);
    for (int i = 0; i < 2; i++)
        convert();
    ck_assert_uint_eq(left(COLLECTION_OLD_OPEN) + left(COLLECTION_OLD_INCIDENTS) +
                          left(COLLECTION_OLD_ENDED),
                      0);
    ck_assert_uint_eq(left(COLLECTION_OLD_HOLDS), 1);
    ck_assert_uint_eq(count_of(holds(true)), 2);
    ck_assert_uint_eq(count_of(holds(false)), 1);
    ck_assert_uint_eq(count_of(incidents()), 2);
    expect_numbers("00000000000000f1", 2, 3, 0);
    expect_state("00000000000000a2", "released");
    /* They go on as if they had been here from the beginning. */
    ck_assert_int_eq(ledger_recount(ledger, either_soon()), STATUS_OK);
    ck_assert_str_eq(hold_one("a").incident, "00000000000000f1");
    ck_assert_int_eq(move("00000000000000a1", "held", "refused"), STATUS_OK);
    json_t *found = incident("00000000000000f1");
    ck_assert_int_eq(record_number(found, "held"), 3);
    ck_assert_int_eq(record_number(found, "waiting"), 1);
    ck_assert_int_eq(record_number(found, "notified_ms"), 7);
    json_decref(found);
}
END_TEST

START_TEST(convert_leaves_the_key_to_who_has_it)
{
    char open_key[PENDING_COUNTS_ID_SIZE];
    open_key_of("a", open_key);
    struct hold newer = hold_one("a");
    put_incident(COLLECTION_OLD_OPEN, open_key, "00000000000000f1", true);
    put_incident(COLLECTION_OLD_OPEN, "another", "00000000000000f2", true);
    convert();
    ck_assert_uint_eq(left(COLLECTION_OLD_OPEN), 0);
    ck_assert_uint_eq(count_of(incidents()), 3);
    json_t *found = incident("00000000000000f1");
    ck_assert(json_is_true(json_object_get(found, "open"))); /* for its notice */
    json_decref(found);
    ck_assert_str_eq(hold_one("a").incident, newer.incident);
}
END_TEST

/* As when an older version still runs beside this one. */
START_TEST(convert_believes_what_is_here_already)
{
    put_hold(COLLECTION_OLD_HOLDS, "00000000000000a1", "held");
    convert();
    ck_assert_int_eq(move("00000000000000a1", "held", "refused"), STATUS_OK);
    put_hold(COLLECTION_OLD_HOLDS, "00000000000000a1", "held");
    put_hold(COLLECTION_OLD_HOLDS, "00000000000000a3", "held");
    convert();
    expect_state("00000000000000a1", "refused");
    expect_state("00000000000000a3", "held");
    ck_assert_uint_eq(left(COLLECTION_OLD_HOLDS), 0);
}
END_TEST

START_TEST(convert_goes_on_after_its_deadline)
{
    enum { MANY = 1500 };
    char id[DIGEST_ID_SIZE];
    int calls = 0;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof id, "%016x", i);
        put_hold(COLLECTION_OLD_HOLDS, id, "held");
    }
    enum status status = STATUS_LIMIT;
    for (; status != STATUS_OK && calls < 10000; calls++) {
        status = ledger_convert(ledger, clock_monotonic_us() + 10000);
        ck_assert(status == STATUS_OK || status == STATUS_LIMIT);
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_eq(count_of(holds(false)), MANY);
}
END_TEST

static TCase *make_case(const char *name, SFun setup)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, convert_moves_all_once);
    tcase_add_test(tcase, convert_leaves_the_key_to_who_has_it);
    tcase_add_test(tcase, convert_believes_what_is_here_already);
    tcase_add_test(tcase, convert_goes_on_after_its_deadline);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("ledger_convert");
    suite_add_tcase(suite, make_case("memory", setup_memory));
    suite_add_tcase(suite, make_case("redis", setup_redis));
    return run_suite(suite);
}
