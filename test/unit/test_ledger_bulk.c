/* Many records, in a Redis that is 5 ms away: what is done to all of them stays within
 * its time and a page of memory. MAILBRAKE_BULK=20 has 20,000 holds and 100,000
 * incidents, and says what it measured. */
#define QUEUE_SIZE 20000

#include "../support/delay_proxy.h"
#include "../support/redis_server.h"
#include "actions_fixture.h"
#include "quarantine/helper.h"
#include "quarantine/ledger_list.h"
#include "quarantine/local_holds.h"
#include "quarantine/notices/notices.h"
#include "quarantine/terms.h"
#include "run.h"

enum { HOLDS = 1000, INCIDENTS = 5000, DELAY_US = 5000, EACH_MS = 10000 };

static struct server server;
static struct delay_proxy proxy;
static struct store *near;
static int scale = 1;
static int64_t now_ms;

static struct store *open_at(char *socket_path)
{
    static char prefix[] = "mailbrake", nothing[] = "";
    struct store *opened = NULL;
    struct store_reporter reporter = {.report = ignore_report};
    const struct store_settings redis = {.type = STORE_TYPE_REDIS,
                                         .path = socket_path,
                                         .username = nothing,
                                         .password_file = nothing,
                                         .prefix = prefix,
                                         .timeout_ms = 1000,
                                         .connections = 4,
                                         .state_file = nothing,
                                         .on_failure = ON_FAILURE_LOCAL,
                                         .nodes = 1};
    ck_assert_int_eq(store_open(&redis, &key, reporter, &opened, &error), STATUS_OK);
    return opened;
}

/* ---- records ---- */

static json_t *make_incident(int number)
{
    char id[DIGEST_ID_SIZE], subject[60];
    bool over = number >= HOLDS * scale;
    (void)snprintf(id, sizeof id, "%016x", number);
    (void)snprintf(subject, sizeof subject, "login:someone-%d@own.example", number);
    const struct event event = {.rule = "sender-rate",
                                .fingerprint = "00112233445566778899aabbccddeeff",
                                .subject = subject,
                                .identity = subject,
                                .sender = subject + 6,
                                .client = "10.1.2.3",
                                .limit = "1000 recipients per 1h",
                                .before = 2000,
                                .tell = !over,
                                .lists = {"all@own.example"},
                                .addressed = {"all@own.example"},
                                .list_count = 1,
                                .addressed_count = 1,
                                .reach = 300,
                                .copies = 300,
                                .now_ms = now_ms - number * INT64_C(100)};
    const struct stop stopped = {.event = &event,
                                 .party = id,
                                 .host = "relay1",
                                 .held = over ? 0 : 1,
                                 .refused = 20,
                                 .first_ms = event.now_ms};
    json_t *incident = record_new_incident(id, &stopped);
    (void)json_object_set_new(incident, "notified_ms", json_integer(event.now_ms));
    (void)json_object_set_new(incident, "notified_total", json_integer(21));
    (void)json_object_set_new(incident, "notified_held", json_integer(1));
    ck_assert(!over || record_close(incident));
    json_t *notice = json_array_get(json_object_get(incident, "letters"), 0);
    if (notice != NULL)
        (void)json_object_set_new(notice, "told_ms", json_integer(event.now_ms));
    return incident;
}

static json_t *make_hold(int number)
{
    char id[DIGEST_ID_SIZE], queue_id[20], identity[60];
    const struct party party = {"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb",
                                "aaaaaaaaaaaaaaaa"};
    struct mail mail = {.queue = "hold"};
    (void)snprintf(id, sizeof id, "%016x", number);
    (void)snprintf(queue_id, sizeof queue_id, "A%07X", number);
    (void)snprintf(identity, sizeof identity, "login:someone-%d@own.example", number);
    (void)snprintf(mail.id, sizeof mail.id, "%s", queue_id);
    (void)snprintf(mail.sender, sizeof mail.sender, "%s", identity + 6);
    (void)snprintf(mail.header, sizeof mail.header,
                   "id=%s rule=sender-rate incident=%s reach=300", id, id);
    put_mail((size_t)number, &mail);
    const struct event event = {.rule = "sender-rate",
                                .identity = identity,
                                .sender = identity + 6,
                                .client = "10.1.2.3",
                                .queue_id = queue_id,
                                .lists = {"all@own.example"},
                                .addressed = {"all@own.example"},
                                .list_count = 1,
                                .addressed_count = 1,
                                .reach = 300,
                                .now_ms = now_ms - 3600000 - number};
    return record_new_hold(&event, id, id, "relay1", &party);
}

static void fill(enum collection collection, int count, json_t *(*make)(int number))
{
    struct change changes[DOCUMENTS_CHANGES_MAX];
    char ids[DOCUMENTS_CHANGES_MAX][DIGEST_ID_SIZE];
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        json_t *record = make(i);
        (void)snprintf(ids[used], sizeof ids[used], "%016x", i);
        changes[used] = (struct change){.collection = collection,
                                        .id = ids[used],
                                        .value = terms_document(collection, record)};
        json_decref(record);
        if (++used < DOCUMENTS_CHANGES_MAX && i + 1 < count)
            continue;
        ck_assert_int_eq(store_change(near, changes, used, soon()), STATUS_OK);
        while (used > 0)
            free((char *)(uintptr_t)changes[--used].value);
    }
}

static void setup_bulk(void)
{
    const char *wanted = getenv("MAILBRAKE_BULK");
    scale = wanted == NULL ? 1 : atoi(wanted);
    setup();
    actions_free(actions);
    ledger_free(ledger);
    store_close(store);
    server_open(&server, NULL, NULL);
    delay_proxy_open(&proxy, server.socket, DELAY_US);
    near = open_at(server.socket);
    store = open_at(proxy.path);
    ledger = ledger_new(store, &key, "relay1");
    actions = actions_new(ledger, &key, "relay1");
    now_ms = clock_wall_ms();
    settings.notify.min_interval_ms = 900000;
    settings.notify.tell_sender = true;
    fill(COLLECTION_INCIDENTS, INCIDENTS * scale, make_incident);
    fill(COLLECTION_HOLDS, HOLDS * scale, make_hold);
}

static void teardown_bulk(void)
{
    teardown();
    store_close(near);
    delay_proxy_close(&proxy);
    server_close(&server);
}

/* ---- measuring ---- */

static int64_t used_before_us;
static long before_kb;
static int trips_before;

/* What all takes on a machine that does nothing else: the work of this process and of
 * Redis, and the waiting for a Redis that is far away. */
static int64_t used_us(void)
{
    clockid_t redis;
    struct timespec own, its;
    ck_assert_int_eq(clock_getcpuclockid(server.pid, &redis), 0);
    ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own), 0);
    ck_assert_int_eq(clock_gettime(redis, &its), 0);
    return (own.tv_sec + its.tv_sec) * INT64_C(1000000) +
           (own.tv_nsec + its.tv_nsec) / 1000 +
           atomic_load(&proxy.round_trips) * (int64_t)DELAY_US;
}

static long read_status(const char *name)
{
    char line[200];
    long value = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = atol(line + strlen(name));
    if (file != NULL)
        (void)fclose(file);
    return value;
}

static void begin(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we"); /* the peak is counted anew */
    if (file != NULL) {
        (void)fputs("5", file);
        (void)fclose(file);
    }
    before_kb = read_status("VmRSS:");
    trips_before = atomic_load(&proxy.round_trips);
    used_before_us = used_us();
}

/* At most so many round trips, and EACH_MS, for each HOLDS and INCIDENTS. */
static void end(const char *what, int round_trips)
{
    int trips = atomic_load(&proxy.round_trips) - trips_before;
    int64_t took_ms = (used_us() - used_before_us) / 1000;
    if (getenv("MAILBRAKE_BULK") != NULL)
        (void)printf(
            "%-34s %6lld ms %6d round trips, %6ld kB more at its peak of %ld kB\n", what,
            (long long)took_ms, trips, read_status("VmHWM:") - before_kb,
            read_status("VmHWM:"));
    ck_assert_int_lt(took_ms, EACH_MS * scale);
    ck_assert_msg(trips <= round_trips * scale, "%s: %d round trips", what, trips);
}

/* ---- jobs ---- */

static int64_t long_from_now(void)
{
    return clock_monotonic_us() + INT64_C(600000000);
}

static size_t count_list(struct ledger_list *list)
{
    size_t count = 0;
    json_t *record;
    enum status status;
    while ((status = ledger_list_next(list, long_from_now(), &record)) == STATUS_OK) {
        char *text = json_dumps(record, JSON_COMPACT);
        free(text);
        json_decref(record);
        count++;
    }
    ck_assert_int_eq(status, STATUS_NOT_FOUND);
    ledger_list_free(list);
    return count;
}

static void list_all(void)
{
    struct ledger_list *list;
    begin();
    ck_assert_int_eq(ledger_list_holds(ledger, false, NULL, long_from_now(), &list),
                     STATUS_OK);
    ck_assert_uint_eq(count_list(list), (size_t)(HOLDS * scale));
    end("list of holds", 10);
    begin();
    ck_assert_int_eq(ledger_list_incidents(ledger, 0, long_from_now(), &list), STATUS_OK);
    ck_assert_uint_eq(count_list(list), (size_t)(INCIDENTS * scale));
    end("list of all incidents", 30);
    begin();
    ck_assert_int_eq(ledger_list_current(ledger, long_from_now(), &list), STATUS_OK);
    ck_assert_uint_eq(count_list(list), (size_t)(HOLDS * scale));
    end("list of current incidents", 10);
    begin();
    ck_assert_int_eq(
        ledger_list_holds(ledger, false, "0000000000000005", long_from_now(), &list),
        STATUS_OK);
    ck_assert_uint_eq(count_list(list), 1);
    end("list of an incident's holds", 3);
}

static void count_all(void)
{
    struct ledger_numbers numbers;
    begin();
    ck_assert_int_eq(ledger_list_count(ledger, long_from_now(), &numbers), STATUS_OK);
    ck_assert_uint_eq(numbers.holds, (size_t)(HOLDS * scale));
    ck_assert_uint_eq(numbers.incidents, (size_t)(INCIDENTS * scale));
    end("status: numbers", 6);
    begin();
    ck_assert_int_eq(ledger_recount(ledger, long_from_now()), STATUS_OK);
    end("recount of parties", 4);
}

/* Nothing is due: all of them were told. */
static void notice_all(void)
{
    static char administrator[] = "postmaster@own.example";
    static char *administrators[] = {administrator};
    struct notices notices = {
        .ledger = ledger, .token_key = &key, .host = "relay1", .timeout_ms = 1000};
    settings.notify.to = administrators;
    settings.notify.to_count = 1;
    begin();
    ck_assert_int_eq(notices_send(&notices, &settings, now_ms, &error), STATUS_OK);
    ck_assert_str_eq(last_order(), "");
    end("notices: look back", 40);
    begin();
    ck_assert_int_eq(notices_send(&notices, &settings, now_ms, &error), STATUS_OK);
    end("notices: open incidents", 15);
}

/* All are in the queue; then some are gone. */
static void sync_all(void)
{
    struct actions_sync found = {0};
    int gone = HOLDS * scale / 20;
    begin();
    ck_assert_int_eq(actions_sync(actions, &settings, NULL, &found, &error), STATUS_OK);
    ck_assert_uint_eq(found.known, (size_t)(HOLDS * scale));
    actions_sync_clear(&found);
    end("sync, nothing to do", 15);
    for (int i = 0; i < gone; i++)
        move_mail((size_t)i, "");
    begin();
    ck_assert_int_eq(actions_tidy(actions, &settings, &found, &error), STATUS_OK);
    ck_assert_uint_eq(found.ended, (size_t)gone);
    actions_sync_clear(&found);
    end("tidy, a twentieth is gone", 20);
}

static int refused_count;

static void count_refused(const char *id)
{
    (void)id;
    refused_count++;
}

/* Each pass ends at its deadline, and the next goes on. What became of the batch that the
 * deadline cut off, it does not learn. */
static void expire_all(void)
{
    int wanted = HOLDS * scale - HOLDS * scale / 20;
    int passes = 0;
    size_t left = 0;
    enum status status = STATUS_LIMIT;
    settings.quarantine.expire_ms = 1000;
    begin();
    for (; status == STATUS_LIMIT && passes < 1000; passes++) {
        int before = refused_count;
        int64_t used_so_far_us = used_us();
        int64_t pass_us = (scale == 1 ? 2000 : 30000) * INT64_C(1000);
        status = actions_expire(actions, &settings, clock_monotonic_us() + pass_us,
                                count_refused, &left, &error);
        ck_assert_int_lt(used_us() - used_so_far_us, 2 * pass_us + 3000000);
        ck_assert_msg(status == STATUS_OK || status == STATUS_LIMIT, "%s", error.text);
        ck_assert_int_gt(refused_count, before);
    }
    ck_assert_int_le(refused_count, wanted);
    ck_assert_int_ge(refused_count, wanted - (passes - 1) * HELPER_BATCH_MAX);
    end("expire all", 100 + 10 * passes);
    struct ledger_list *list;
    ck_assert_int_eq(ledger_list_holds(ledger, false, NULL, long_from_now(), &list),
                     STATUS_OK);
    ck_assert_uint_eq(count_list(list), 0);
    for (size_t i = 0; i < (size_t)(HOLDS * scale); i++)
        ck_assert_str_eq(get_mail(i).queue, "");
    if (getenv("MAILBRAKE_BULK") != NULL)
        (void)printf("in %d passes\n", passes);
}

/* As above. */
static void prune_all(void)
{
    size_t done = 0, sum = 0;
    int passes = 0;
    enum status status = STATUS_LIMIT;
    const int64_t day_ms = 86400000;
    begin();
    for (; status == STATUS_LIMIT && passes < 1000; passes++) {
        int64_t pass_us = (scale == 1 ? 200 : 20000) * INT64_C(1000);
        int64_t used_so_far_us = used_us();
        status = ledger_prune(ledger, now_ms + 40 * day_ms, 30 * day_ms,
                              clock_monotonic_us() + pass_us, &done);
        ck_assert_int_lt(used_us() - used_so_far_us, pass_us + 1000000);
        sum += done;
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_ge(sum + (size_t)(passes - 1) * DOCUMENTS_CHANGES_MAX,
                      (size_t)(INCIDENTS * scale));
    end("prune all", 150 + 8 * passes);
    struct ledger_numbers numbers;
    ck_assert_int_eq(ledger_list_count(ledger, long_from_now(), &numbers), STATUS_OK);
    ck_assert_uint_eq(numbers.incidents + numbers.holds + numbers.damaged, 0);
    if (getenv("MAILBRAKE_BULK") != NULL)
        (void)printf("in %d passes\n", passes);
}

START_TEST(bulk_jobs_stay_within_bounds)
{
    list_all();
    count_all();
    notice_all();
    sync_all();
    expire_all();
    prune_all();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger_bulk");
    TCase *redis = tcase_create("redis");
    tcase_set_timeout(redis, 3600);
    tcase_add_checked_fixture(redis, setup_bulk, teardown_bulk);
    tcase_add_test(redis, bulk_jobs_stay_within_bounds);
    suite_add_tcase(suite, redis);
    return run_suite(suite);
}
