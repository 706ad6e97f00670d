/* A store in memory or in a private redis-server, and short words for its documents. */
#ifndef TEST_UNIT_DOCUMENTS_FIXTURE_H
#define TEST_UNIT_DOCUMENTS_FIXTURE_H

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../support/redis_server.h"
#include "../support/reports.h"
#include "base/clock.h"
#include "store/documents.h"

/* 50 ms are promised; the rest is for a busy machine. */
enum { LATE_MS = 150, THREADS = 16 };

static char folder[64];
static char state_file[128];
static struct store_settings settings;
static struct digest_key key;
static struct server server;
static struct store *store;

static inline int64_t soon(void)
{
    return clock_monotonic_us() + 10000000;
}

static inline void open_store(void)
{
    struct error error = {0};
    ck_assert_msg(store_open(&settings, &key, reporter, &store, &error) == STATUS_OK,
                  "%s: %s", error.file, error.text);
}

static inline void close_store(void)
{
    store_close(store);
    store = NULL;
}

static inline void setup_memory(void)
{
    reports_forget();
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    (void)snprintf(folder, sizeof folder, "/tmp/mailbrake-documents-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(state_file, sizeof state_file, "%s/state", folder);
    settings = reports_settings(NULL);
    settings.type = STORE_TYPE_MEMORY;
    settings.state_file = state_file;
    open_store();
}

static inline void teardown_memory(void)
{
    static const char *const suffixes[] = {"", ".bad", ".tmp"};
    close_store();
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[160];
        (void)snprintf(path, sizeof path, "%s%s", state_file, suffixes[i]);
        (void)unlink(path);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

static inline void setup_redis(void)
{
    reports_forget();
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    server_open(&server, NULL, NULL);
    settings = reports_settings(server.socket);
    open_store();
    for (int i = 0; i < 500 && store_state(store) != STORE_STATE_OK; i++)
        (void)usleep(10000); /* a busy machine may pass the first answer's time-out */
    ck_assert_int_eq(store_state(store), STORE_STATE_OK);
}

static inline void teardown_redis(void)
{
    if (server.pid > 0)
        (void)kill(server.pid, SIGCONT);
    close_store();
    server_close(&server);
}

/* Changes of one document. */

static inline enum status put(enum collection collection, const char *id,
                              const char *value)
{
    const struct change change = {.collection = collection, .id = id, .value = value};
    return store_change(store, &change, 1, soon());
}

static inline enum status swap(const char *id, const char *expected, const char *value)
{
    const struct change change = {.collection = COLLECTION_HOLDS,
                                  .id = id,
                                  .check = true,
                                  .expected = expected,
                                  .value = value};
    return store_change(store, &change, 1, soon());
}

/* True when the document is value; NULL: absent. */
static inline bool is(enum collection collection, const char *id, const char *value)
{
    char *found = NULL;
    enum status status = store_get(store, collection, id, soon(), &found);
    ck_assert(status == STATUS_OK || status == STATUS_NOT_FOUND);
    ck_assert((status == STATUS_OK) == (found != NULL));
    bool same = value == NULL || found == NULL ? value == found : !strcmp(found, value);
    free(found);
    return same;
}

static inline size_t count_of(enum collection collection)
{
    size_t count = 999999;
    ck_assert_int_eq(store_count(store, collection, soon(), &count), STATUS_OK);
    return count;
}

/* What may stand in an id or a value: anything but NUL. */
static const char *const odd_texts[] = {
    "{\"to\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\xa7\"}",
    "\xff\xfe\x80\r\n$-1\r\n*0\r\n",
    "seal 0123\n\nholds 1 1\n",
    " ",
    "%s%n",
    "'\"\\\x1b[0m]]",
    "0",
};

static inline char *repeated(size_t length)
{
    char *text = malloc(length + 1);
    memset(text, 'v', length);
    text[length] = '\0';
    return text;
}

static inline struct charge_outcome charge_some(int64_t cost)
{
    static const struct rate rate = {1000, INT64_C(86400000), 1000};
    const struct charge charge = {
        .fingerprint = "rule", .subject = "a", .rate = &rate, .cost = cost};
    struct charge_outcome outcome = {.left = -1};
    enum charge_source source;
    ck_assert_int_eq(
        store_charge(store, &charge, 1, CHARGE_TAKE, soon(), &outcome, &source),
        STATUS_OK);
    return outcome;
}

#endif
