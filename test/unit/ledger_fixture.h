/* What the tests of the ledger share: one ledger over either store, and events in one
 * line. */
#ifndef TEST_LEDGER_FIXTURE_H
#define TEST_LEDGER_FIXTURE_H

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "../support/either_store.h"
#include "hold_array.h"
#include "quarantine/record.h"

enum { KEPT = 500 };

static struct ledger *ledger;
static struct settings settings;
static int64_t now_ms;

static inline void open_ledger(bool redis)
{
    either_open(redis);
    settings = (struct settings){0};
    settings.quarantine.max_per_incident = KEPT;
    settings.quarantine.max_messages = 5000;
    ledger = ledger_new(store, &key, "relay1");
    ck_assert_ptr_nonnull(ledger);
    now_ms = clock_wall_ms();
}

static inline void setup_memory(void)
{
    open_ledger(false);
}

static inline void setup_redis(void)
{
    open_ledger(true);
}

static inline void teardown(void)
{
    ledger_free(ledger);
    either_close();
}

static inline struct event make_event(const char *subject)
{
    return (struct event){.action = ACTION_QUARANTINE,
                          .rule = "list-rate",
                          .fingerprint = "00112233445566778899aabbccddeeff",
                          .subject = subject,
                          .identity = "login:a@own",
                          .sender = "a@own",
                          .tell = true,
                          .lists = {"all@own"},
                          .list_count = 1,
                          .addressed = {"all@own", "x@else"},
                          .addressed_count = 2,
                          .reach = 100,
                          .copies = 120,
                          .queue_id = "4Qabc",
                          .now_ms = now_ms};
}

static inline struct hold hold_at(const char *subject, int64_t at_ms)
{
    struct hold hold;
    struct event event = make_event(subject);
    event.now_ms = at_ms;
    ledger_hold(ledger, &settings, &event, either_soon(), &hold);
    return hold;
}

/* By somebody of whom that is known, through a client of their own. */
static inline struct hold hold_by(const char *subject, const char *identity,
                                  const char *client, bool proven)
{
    struct hold hold;
    struct event event = make_event(subject);
    event.identity = identity;
    event.client = client;
    event.proven = proven;
    ledger_hold(ledger, &settings, &event, either_soon(), &hold);
    return hold;
}

static inline struct hold hold_one(const char *subject)
{
    return hold_at(subject, now_ms);
}

static inline const char *count_one(const char *subject, enum action action)
{
    static char incident[DIGEST_ID_SIZE];
    struct event event = make_event(subject);
    event.action = action;
    ledger_count(ledger, &event, incident);
    return incident;
}

static inline void flush(void)
{
    ck_assert_int_eq(ledger_flush(ledger, either_soon()), STATUS_OK);
}

static inline json_t *holds(bool all)
{
    return hold_array(ledger, all);
}

static inline json_t *incidents(void)
{
    json_t *incident;
    enum status status;
    struct ledger_list *list = NULL;
    json_t *array = json_array();
    ck_assert_int_eq(ledger_list_incidents(ledger, true, either_soon(), &list),
                     STATUS_OK);
    while ((status = ledger_list_next(list, either_soon(), &incident)) == STATUS_OK)
        (void)json_array_append_new(array, incident);
    ck_assert_int_eq(status, STATUS_NOT_FOUND);
    ledger_list_free(list);
    return array;
}

static inline size_t count_of(json_t *array)
{
    size_t count = json_array_size(array);
    json_decref(array);
    return count;
}

static inline json_t *incident(const char *id)
{
    json_t *found = NULL;
    ck_assert_int_eq(ledger_find_incident(ledger, id, either_soon(), &found), STATUS_OK);
    return found;
}

static inline void expect_numbers(const char *id, int64_t held, int64_t refused,
                                  int64_t deferred)
{
    json_t *found = incident(id);
    ck_assert_int_eq(record_number(found, "held"), held);
    ck_assert_int_eq(record_number(found, "refused"), refused);
    ck_assert_int_eq(record_number(found, "deferred"), deferred);
    json_decref(found);
}

static inline void expect_state(const char *id, const char *state)
{
    json_t *found = NULL;
    ck_assert_int_eq(ledger_find_hold(ledger, id, either_soon(), &found), STATUS_OK);
    ck_assert_str_eq(record_text(found, "state"), state);
    json_decref(found);
}

static inline void prune(int64_t at_ms, int64_t retention_ms)
{
    size_t done;
    ck_assert_int_eq(ledger_prune(ledger, at_ms, retention_ms, either_soon(), &done),
                     STATUS_OK);
}

static inline enum status move(const char *id, const char *from, const char *to)
{
    return ledger_move(ledger, id, from, to, either_soon());
}

#endif
