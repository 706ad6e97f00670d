/* The state file: windows and latches survive a restart, older files are read, and what
 * is no file of ours is not believed. Documents have their own tests. */
#include <inttypes.h>

#include "documents_fixture.h"
#include "run.h"

static const struct rate rate = {1000, INT64_C(86400000), 1000};
static const struct surge surge = {2000, 500, INT64_C(86400000)};

enum { HOUR_MS = 3600000, BODY_SIZE = 1000 };

static struct charge bucket(int64_t cost)
{
    return (struct charge){.fingerprint = "bucket",
                           .subject = "a",
                           .rate = &rate,
                           .cost = cost,
                           .latch_ms = HOUR_MS};
}

static struct charge window(int64_t cost)
{
    return (struct charge){.fingerprint = "window",
                           .subject = "a",
                           .surge = &surge,
                           .cost = cost,
                           .latch_ms = HOUR_MS};
}

static struct charge_outcome ask(struct charge charge, enum charge_mode mode)
{
    struct charge_outcome outcome = {.left = -1};
    enum charge_source source;
    ck_assert_int_eq(store_charge(store, &charge, 1, mode, soon(), &outcome, &source),
                     STATUS_OK);
    return outcome;
}

static void reopen(void)
{
    close_store();
    reports_forget();
    open_store();
    ck_assert_msg(reports.count == 0, "%s", reports.texts[0]);
}

/* The id of a charge, as the file has it. */
static void id_of(const char *fingerprint, char out[DIGEST_HEX_SIZE])
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s:a", fingerprint);
    uint8_t hash[DIGEST_BYTES];
    digest_quick(&key, name, strlen(name), hash);
    for (size_t i = 0; i < sizeof hash; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static void write_sealed(int version, const char *body)
{
    char data[BODY_SIZE + 200], hash[DIGEST_HEX_SIZE];
    (void)snprintf(data, sizeof data, "mailbrake-state %d\n%s", version, body);
    digest_hex(&key, data, strlen(data), hash);
    FILE *file = fopen(state_file, "we");
    ck_assert_ptr_nonnull(file);
    (void)fprintf(file, "%sseal %s\n", data, hash);
    (void)fclose(file);
}

static size_t read_state(char *out, size_t size)
{
    FILE *file = fopen(state_file, "re");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(out, 1, size - 1, file);
    out[length] = '\0';
    (void)fclose(file);
    return length;
}

START_TEST(state_keeps_windows)
{
    (void)ask(window(400), CHARGE_TAKE);
    reopen();
    ck_assert_int_eq(ask(window(0), CHARGE_PEEK).left, 100);
    ck_assert(ask(window(100), CHARGE_TAKE).fits);
    reopen();
    ck_assert(!ask(window(1), CHARGE_PEEK).fits);
}
END_TEST

static struct charge clients_of(const char *client)
{
    static const struct rate limit = {3, INT64_C(86400000), 3};
    return (struct charge){.fingerprint = "clients",
                           .subject = "a",
                           .rate = &limit,
                           .clients = true,
                           .client = client,
                           .cost = client != NULL,
                           .latch_ms = HOUR_MS};
}

START_TEST(state_keeps_clients)
{
    char data[BODY_SIZE];
    (void)ask(clients_of("192.0.2.1"), CHARGE_TAKE);
    (void)ask(clients_of("2001:db8::"), CHARGE_TAKE);
    reopen();
    ck_assert_int_eq(ask(clients_of(NULL), CHARGE_PEEK).left, 1);
    ck_assert_int_eq(ask(clients_of("192.0.2.1"), CHARGE_PEEK).left, 2);
    (void)ask(clients_of("local"), CHARGE_TAKE);
    reopen();
    (void)ask(clients_of("192.0.2.4"), CHARGE_TAKE);
    reopen();
    ck_assert_int_gt(ask(clients_of(NULL), CHARGE_PEEK).latch_ms, HOUR_MS - 60000);
    struct charge charge = clients_of(NULL);
    ck_assert_int_eq(store_amend(store, &charge, 1, AMEND_UNLATCH, soon()), STATUS_OK);
    ck_assert(ask(clients_of("2001:db8::"), CHARGE_TAKE).fits);
    close_store();
    (void)read_state(data, sizeof data);
    ck_assert_ptr_nonnull(strstr(data, "\nclients "));
    ck_assert_ptr_null(strstr(data, "192.0.2"));
    ck_assert_ptr_null(strstr(data, "2001:db8"));
    open_store();
    ck_assert_int_eq(store_amend(store, &charge, 1, AMEND_RESET, soon()), STATUS_OK);
    reopen();
    ck_assert_int_eq(ask(clients_of(NULL), CHARGE_PEEK).left, 3);
}
END_TEST

START_TEST(state_keeps_latches)
{
    (void)ask(bucket(1000), CHARGE_TAKE);
    (void)ask(bucket(1), CHARGE_TAKE);
    (void)ask(window(501), CHARGE_TAKE);
    reopen();
    ck_assert_int_gt(ask(bucket(0), CHARGE_PEEK).latch_ms, HOUR_MS - 60000);
    ck_assert_int_gt(ask(window(0), CHARGE_PEEK).latch_ms, HOUR_MS - 60000);
    struct charge charges[] = {bucket(0), window(0)};
    ck_assert_int_eq(store_amend(store, charges, 2, AMEND_UNLATCH, soon()), STATUS_OK);
    reopen();
    ck_assert_int_eq(ask(bucket(0), CHARGE_PEEK).latch_ms, 0);
    ck_assert_int_eq(ask(window(0), CHARGE_PEEK).latch_ms, 0);
}
END_TEST

/* A full bucket behind a latch; and nothing of what is worth nothing. */
START_TEST(state_keeps_what_is_worth_it)
{
    char data[BODY_SIZE];
    struct charge charge = bucket(0);
    (void)ask(bucket(1000), CHARGE_TAKE);
    ck_assert_int_eq(store_amend(store, &charge, 1, AMEND_RESET, soon()), STATUS_OK);
    reopen();
    close_store();
    (void)read_state(data, sizeof data);
    ck_assert_ptr_null(strstr(data, " 1000 "));
    open_store();
    (void)ask(window(501), CHARGE_TAKE);
    reopen();
    close_store();
    (void)read_state(data, sizeof data);
    ck_assert_ptr_nonnull(strstr(data, "window "));
    ck_assert_ptr_nonnull(strstr(data, " 0 2000 500 86400000 0 0 own "));
    open_store();
}
END_TEST

/* A past of eight windows, a latch that Redis knows of and one that it does not. */
START_TEST(state_reads_all_of_a_window)
{
    char body[BODY_SIZE], again[BODY_SIZE + 200], id[DIGEST_HEX_SIZE];
    int64_t now_ms = clock_wall_ms();
    id_of("window", id);
    int length =
        snprintf(body, sizeof body, "window %s %" PRId64 " 7 2000 500 86400000 0 0", id,
                 now_ms - 5000);
    for (int64_t i = 0; i < WINDOW_PAST_MAX; i++)
        length += snprintf(body + length, sizeof body - (size_t)length,
                           " %" PRId64 ":%" PRId64, now_ms - 10000 - i, 4000 + i);
    (void)snprintf(body + length, sizeof body - (size_t)length, " latch %" PRId64 "\n",
                   now_ms + HOUR_MS / 2);
    close_store();
    write_sealed(4, body);
    open_store();
    ck_assert_int_eq(reports.count, 0);
    struct charge_outcome outcome = ask(window(0), CHARGE_PEEK);
    ck_assert_int_eq(outcome.burst, 8014);
    ck_assert_int_eq(outcome.left, 8007);
    ck_assert_int_gt(outcome.latch_ms, HOUR_MS / 2 - 60000);
    close_store();
    (void)read_state(again, sizeof again);
    ck_assert_msg(strstr(again, body) != NULL, "%s", again);
    open_store();
}
END_TEST

START_TEST(state_reads_its_own_version_alone)
{
    char body[BODY_SIZE], id[DIGEST_HEX_SIZE];
    id_of("bucket", id);
    (void)snprintf(body, sizeof body, "%s 300 0 %" PRId64 " 1000 86400000 1000\n", id,
                   clock_wall_ms());
    for (int version = 3; version <= 5; version++) {
        close_store();
        write_sealed(version, body);
        reports_forget();
        open_store();
        ck_assert_int_eq(reports_with("another version of mailbrake"), version != 4);
        ck_assert_int_eq(ask(bucket(0), CHARGE_PEEK).left, version == 4 ? 300 : 1000);
    }
}
END_TEST

#define ID "0123456789abcdef0123456789abcdef"

/* Well sealed, and yet no file of ours. */
START_TEST(state_believes_no_odd_line)
{
    static const char *const lines[] = {
        "window " ID " 5 1 2000 500 86400000 0 0 1:1 2:2 3:3 4:4 5:5 6:6 7:7 8:8 9:9\n",
        "window " ID " 5 1 2000 500 86400000 0 0 1\n",
        "clients " ID " 3 86400000 0:1\n",
        "clients " ID " 3 86400000 9007199254740992:1\n",
        "clients " ID " 3 86400000 1:9007199254740992\n",
        "clients " ID " 3 86400000 1\n",
        "clients " ID " 3 86400000 1:\n",
        "clients " ID " 0 86400000 1:1\n",
        "clients " ID " 257 86400000 1:1\n",
        "clients " ID " 3 999 1:1\n",
        "clients " ID " 3\n",
        "window " ID " 5 1 2000 500 86400000 0 0 1:\n",
        "window " ID " 5 1 2000 500 86400000 0 0 :1\n",
        "window " ID " 5 1 2000 500 86400000 0 0 1:1000000001\n",
        "window " ID " 5 1 2000 500 86400000 0 0 1:1 own\n",
        "window " ID " 5 1 2000 500 86400000 0 0 own 1 1:1\n",
        "window " ID " 5 1 2000 500 86400000 0 0 own 1 latch 1\n",
        "window " ID " 5 1 2000 500 86400000 0 0 latch -1\n",
        "window " ID " 5 1 2000 500 86400000 0 0 \n",
        "window " ID " 5 1 2000 500\n",
        "window " ID " 5 1 2000 500 86400000\n",
        "window " ID " 5 1 2000 500 86400000 0 2\n",
        "window " ID " 5 1 2000 500 86400000 1000000001 0\n",
        "window " ID " 5 1 999 500 86400000 0 0\n",
        "window " ID " 5 1 2000 0 86400000 0 0\n",
        "window " ID " 5 1 2000 500 999 0 0\n",
        "window " ID " 5 1000000001 2000 500 86400000 0 0\n",
        "window " ID " -5 1 2000 500 86400000 0 0\n",
        "window " ID " 99999999999999999999 1 2000 500 86400000 0 0\n",
        "window 0123\n",
        "window \n",
        ID " 1 0 5 1000 86400000 1000 own\n",
        ID " 1 0 5 1000 86400000 1000 own 5 \n",
        ID " 1 0 5 1000 86400000 1000 mine 5\n",
        ID " 1001 0 5 1000 86400000 1000\n",
        ID " 1 86400000 5 1000 86400000 1000\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        close_store();
        write_sealed(4, lines[i]);
        reports_forget();
        open_store();
        ck_assert_msg(reports_with("damaged") == 1, "case %zu: %s", i, lines[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state");
    TCase *tcase = tcase_create("state");
    tcase_add_checked_fixture(tcase, setup_memory, teardown_memory);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, state_keeps_windows);
    tcase_add_test(tcase, state_keeps_clients);
    tcase_add_test(tcase, state_keeps_latches);
    tcase_add_test(tcase, state_keeps_what_is_worth_it);
    tcase_add_test(tcase, state_reads_all_of_a_window);
    tcase_add_test(tcase, state_reads_its_own_version_alone);
    tcase_add_test(tcase, state_believes_no_odd_line);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
