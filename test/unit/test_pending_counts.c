/* Counts of refused and deferred mail before they are written down. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "quarantine/ledger.h"
#include "quarantine/pending_counts.h"
#include "run.h"

enum { NOW_MS = 1000000000 };

static struct digest_key key;
static struct pending_counts *counts;

static void setup(void)
{
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    counts = pending_counts_new(&key);
    ck_assert_ptr_nonnull(counts);
}

static void teardown(void)
{
    pending_counts_free(counts);
}

static struct event make_event(const char *subject, int64_t reach, int64_t now_ms)
{
    return (struct event){.action = ACTION_REJECT,
                          .rule = "rule",
                          .fingerprint = "f1",
                          .subject = subject,
                          .identity = subject,
                          .sender = "",
                          .lists = {"all@own", "staff@own"},
                          .list_count = 2,
                          .reach = reach,
                          .copies = reach,
                          .queue_id = "",
                          .now_ms = now_ms};
}

static void add(const char *subject, int64_t reach, int64_t now_ms, bool refused)
{
    char incident[DIGEST_ID_SIZE];
    struct event event = make_event(subject, reach, now_ms);
    pending_counts_add(counts, &event, refused, incident);
}

static const char *known(const char *subject, int64_t now_ms)
{
    static char incident[DIGEST_ID_SIZE];
    struct event event = make_event(subject, 1, now_ms);
    pending_counts_add(counts, &event, true, incident);
    return incident;
}

START_TEST(pending_counts_adds_up_by_key)
{
    struct pending_count count;
    size_t position = 0;
    ck_assert(!pending_counts_is_pending(counts));
    add("a", 10, NOW_MS, true);
    add("a", 30, NOW_MS + 5, false);
    add("a", 20, NOW_MS + 9, true);
    ck_assert(pending_counts_is_pending(counts));
    ck_assert(pending_counts_take(counts, &position, &count));
    ck_assert_str_eq(count.event.rule, "rule");
    ck_assert_str_eq(count.event.subject, "a");
    ck_assert_int_eq(count.refused, 2);
    ck_assert_int_eq(count.deferred, 1);
    ck_assert_int_eq(count.event.reach, 30);
    ck_assert_int_eq(count.event.copies, 60);
    ck_assert_int_eq(count.first_ms, NOW_MS);
    ck_assert_int_eq(count.event.now_ms, NOW_MS + 9);
    ck_assert_ptr_null(count.event.lists[2]);
    ck_assert_str_eq(count.event.lists[1], "staff@own");
    pending_count_clear(&count);
    ck_assert(!pending_counts_take(counts, &position, &count));
    ck_assert(!pending_counts_is_pending(counts));
}
END_TEST

START_TEST(pending_counts_takes_back_what_was_not_written)
{
    struct pending_count count;
    size_t position = 0;
    add("a", 10, NOW_MS, true);
    ck_assert(pending_counts_take(counts, &position, &count));
    add("a", 5, NOW_MS + 7, true);
    pending_counts_return(counts, &count);
    pending_count_clear(&count);
    position = 0;
    ck_assert(pending_counts_take(counts, &position, &count));
    ck_assert_int_eq(count.refused, 2);
    ck_assert_int_eq(count.event.copies, 15);
    ck_assert_int_eq(count.event.reach, 10);
    ck_assert_int_eq(count.first_ms, NOW_MS);
    ck_assert_int_eq(count.event.now_ms, NOW_MS + 7);
    pending_count_clear(&count);
}
END_TEST

START_TEST(pending_counts_knows_an_incident_for_the_gap)
{
    struct pending_count count;
    size_t position = 0;
    ck_assert_str_eq(known("a", NOW_MS), "");
    ck_assert(pending_counts_take(counts, &position, &count));
    pending_counts_learn(counts, count.open_key, false, "0123456789abcdef");
    pending_count_clear(&count);
    ck_assert_str_eq(known("a", NOW_MS + INCIDENT_GAP_MS - 1), "0123456789abcdef");
    ck_assert_str_eq(known("b", NOW_MS), "");
    ck_assert_str_eq(known("a", NOW_MS + 2 * INCIDENT_GAP_MS - 1), "");
    ck_assert_str_eq(known("a", NOW_MS + 2 * INCIDENT_GAP_MS), "");
}
END_TEST

START_TEST(pending_counts_overflows_into_one_key_a_rule)
{
    struct pending_count count;
    char subject[32];
    size_t position = 0;
    int64_t total = 0;
    int64_t many = 0;
    size_t keys = 0;
    for (int i = 0; i < PENDING_COUNTS_MAX + 1000; i++) {
        (void)snprintf(subject, sizeof subject, "sender:%d@else", i);
        add(subject, 1, NOW_MS, true);
    }
    while (pending_counts_take(counts, &position, &count)) {
        keys++;
        total += count.refused;
        if (strcmp(count.event.subject, PENDING_COUNTS_MANY) == 0) {
            many += count.refused;
            ck_assert_str_eq(count.event.identity, PENDING_COUNTS_MANY);
            ck_assert_ptr_null(count.event.lists[0]);
        }
        pending_count_clear(&count);
    }
    ck_assert_int_eq(total, PENDING_COUNTS_MAX + 1000);
    ck_assert_uint_eq(keys, PENDING_COUNTS_MAX + 1);
    ck_assert_int_eq(many, 1000);
}
END_TEST

START_TEST(pending_counts_gives_away_places_that_are_written)
{
    struct pending_count count;
    char subject[32];
    int64_t named = 0;
    for (int round = 0; round < 3; round++) {
        size_t position = 0;
        for (int i = 0; i < PENDING_COUNTS_MAX; i++) {
            (void)snprintf(subject, sizeof subject, "sender:%d-%d@else", round, i);
            add(subject, 1, NOW_MS, true);
        }
        while (pending_counts_take(counts, &position, &count)) {
            named += strcmp(count.event.subject, PENDING_COUNTS_MANY) != 0;
            pending_count_clear(&count);
        }
    }
    ck_assert_int_eq(named, 3 * PENDING_COUNTS_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pending_counts");
    TCase *tcase = tcase_create("pending_counts");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, pending_counts_adds_up_by_key);
    tcase_add_test(tcase, pending_counts_takes_back_what_was_not_written);
    tcase_add_test(tcase, pending_counts_knows_an_incident_for_the_gap);
    tcase_add_test(tcase, pending_counts_overflows_into_one_key_a_rule);
    tcase_add_test(tcase, pending_counts_gives_away_places_that_are_written);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
