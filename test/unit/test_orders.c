/* Orders of one relay to another: the same in memory and in Redis. */
#include "store/orders.h"

#include "documents_fixture.h"
#include "run.h"
#include "store/orders_parts.h"

static struct orders *here, *there;
static struct error error;

static int64_t now_ms(void)
{
    return clock_wall_ms();
}

static void introduce(void)
{
    here = orders_new(store, &key, "relay1");
    there = orders_new(store, &key, "relay2");
    ck_assert_int_eq(orders_announce(here, now_ms(), soon()), STATUS_OK);
    ck_assert_int_eq(orders_announce(there, now_ms(), soon()), STATUS_OK);
}

static void setup_orders_memory(void)
{
    setup_memory();
    introduce();
}

static void setup_orders_redis(void)
{
    setup_redis();
    introduce();
}

static void part(void)
{
    orders_free(here);
    orders_free(there);
}

static void teardown_orders_memory(void)
{
    part();
    teardown_memory();
}

static void teardown_orders_redis(void)
{
    part();
    teardown_redis();
}

static struct sent_order order_it(const char *text)
{
    struct sent_order sent;
    ck_assert_msg(orders_send(here, "relay2", text, soon(), &sent, &error) == STATUS_OK,
                  "%s", error.text);
    return sent;
}

static enum status take(struct order *order)
{
    error = (struct error){0};
    return orders_take(there, now_ms(), soon(), order, &error);
}

static void expect_refused(const char *why)
{
    struct order order;
    ck_assert_int_eq(take(&order), STATUS_INVALID);
    ck_assert_msg(strstr(error.text, why) != NULL, "%s", error.text);
    ck_assert_int_eq(take(&order), STATUS_NOT_FOUND);
}

static size_t count_documents(void)
{
    size_t count = 0;
    ck_assert_int_eq(store_count(store, COLLECTION_ORDERS, soon(), &count), STATUS_OK);
    return count;
}

static char *read_document(const char *id)
{
    char *value = NULL;
    ck_assert_int_eq(store_get(store, COLLECTION_ORDERS, id, soon(), &value), STATUS_OK);
    return value;
}

static void write_document(const char *id, const char *value)
{
    const struct change change = {
        .collection = COLLECTION_ORDERS, .id = id, .value = value};
    ck_assert_int_eq(store_change(store, &change, 1, soon()), STATUS_OK);
}

/* Of parts, and some bytes more. */
static char *make_text(size_t length)
{
    char *text = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        text[i] = (char)('a' + (char)(i * 7 % 26));
    text[length] = '\0';
    return text;
}

static void exchange(const char *text, const char *answer)
{
    struct order order;
    char *got = NULL;
    struct sent_order sent = order_it(text);
    ck_assert_int_eq(take(&order), STATUS_OK);
    ck_assert_str_eq(order.text, text);
    ck_assert_str_eq(order.id, sent.id);
    ck_assert_int_eq(orders_beat(there, &order, soon()), STATUS_OK);
    ck_assert_int_eq(orders_answer(there, &order, answer, soon()), STATUS_OK);
    order_clear(&order);
    ck_assert_msg(orders_await(here, &sent, &got, &error) == STATUS_OK, "%s", error.text);
    ck_assert_str_eq(got, answer);
    free(got);
    ck_assert_uint_eq(count_documents(), 0);
}

START_TEST(orders_are_taken_and_answered)
{
    struct order order;
    char *longest = make_text(ORDERS_TEXT_MAX);
    char *edge = make_text(ORDERS_PART_BYTES);
    ck_assert_int_eq(take(&order), STATUS_NOT_FOUND);
    exchange("do it", "done");
    exchange(edge, "");
    exchange("", edge);
    exchange("short", longest);
    exchange(longest, "short");
    free(edge);
    free(longest);
}
END_TEST

START_TEST(orders_that_are_too_long_are_not_sent)
{
    struct sent_order sent;
    struct order order;
    char *text = make_text(ORDERS_TEXT_MAX + 1);
    ck_assert_int_eq(orders_send(here, "relay2", text, soon(), &sent, &error),
                     STATUS_LIMIT);
    ck_assert_ptr_nonnull(strstr(error.text, "relay2"));
    (void)order_it("x");
    ck_assert_int_eq(take(&order), STATUS_OK);
    ck_assert_int_eq(orders_answer(there, &order, text, soon()), STATUS_LIMIT);
    order_clear(&order);
    free(text);
}
END_TEST

START_TEST(orders_to_nobody_are_not_sent)
{
    struct sent_order sent;
    ck_assert_int_eq(orders_send(here, "relay3", "x", soon(), &sent, &error),
                     STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.text, "relay3 does not answer"));
    ck_assert_uint_eq(count_documents(), 0);
}
END_TEST

START_TEST(orders_are_of_one_use)
{
    struct order order;
    struct sent_order sent = order_it("release it");
    char part_id[ORDERS_PART_ID_SIZE];
    (void)snprintf(part_id, sizeof part_id, "%s.0", sent.id);
    char *head = read_document(sent.id);
    char *text = read_document(part_id);
    ck_assert_int_eq(take(&order), STATUS_OK);
    order_clear(&order);
    write_document(sent.id, head);
    write_document(part_id, text);
    expect_refused("carried out before");
    free(head);
    free(text);
}
END_TEST

START_TEST(orders_that_are_altered_are_refused)
{
    struct sent_order sent = order_it("release one");
    char part_id[ORDERS_PART_ID_SIZE];
    (void)snprintf(part_id, sizeof part_id, "%s.0", sent.id);
    write_document(part_id, "\nrelease two");
    expect_refused("signature");
    sent = order_it("release one");
    char *head = read_document(sent.id);
    (void)snprintf(part_id, sizeof part_id, "%s.0", sent.id);
    char *text = read_document(part_id);
    write_document("0123456789abcdef", head);
    write_document("0123456789abcdef.0", text);
    write_document(sent.id, "no head any more");
    expect_refused("signature");
    free(head);
    free(text);
}
END_TEST

static enum status count_relay(void *context, const char *host, const char *nothing)
{
    (void)nothing;
    ck_assert(strcmp(host, "relay1") == 0 || strcmp(host, "relay2") == 0);
    ++*(int *)context;
    return STATUS_OK;
}

static void announce_at(int64_t at_ms)
{
    ck_assert_int_eq(orders_announce(there, at_ms, soon()), STATUS_OK);
}

START_TEST(orders_last_as_long_as_they_are_signed_for)
{
    struct order order;
    struct order_head head;
    char longer[ORDERS_HEAD_SIZE];
    announce_at(now_ms() - ORDERS_VALID_MS - 1);
    struct sent_order sent = order_it("x");
    char *value = read_document(sent.id);
    ck_assert(order_head_parse(value, &head));
    free(value);
    expect_refused("expired");
    announce_at(now_ms());
    sent = order_it("x");
    head.until_ms = now_ms() + 3600000;
    order_head_format(&head, "relay2", longer);
    write_document(sent.id, longer);
    expect_refused("signature");
    ck_assert_int_eq(take(&order), STATUS_NOT_FOUND);
}
END_TEST

static enum status take_at(int64_t at_ms, struct order *order)
{
    return orders_take(there, at_ms, soon(), order, &error);
}

/* By the clock of the relay that they are for, whatever that is. */
START_TEST(orders_need_no_clocks_that_agree)
{
    static const int64_t wrong_ms[] = {-3600000, 3600000};
    for (int i = 0; i < 2; i++) {
        struct order order;
        int64_t there_ms = now_ms() + wrong_ms[i];
        announce_at(there_ms);
        (void)order_it("x");
        ck_assert_msg(take_at(there_ms + 6000, &order) == STATUS_OK, "%s", error.text);
        order_clear(&order);
        (void)order_it("x");
        ck_assert_int_eq(take_at(there_ms + ORDERS_VALID_MS + 1, &order), STATUS_INVALID);
        ck_assert_ptr_nonnull(strstr(error.text, "expired"));
    }
}
END_TEST

/* Whoever can write to the store can't have orders signed that are valid later. */
START_TEST(orders_believe_announcements_that_are_signed)
{
    struct sent_order sent;
    char *old = NULL, forged[200];
    int count = 0;
    ck_assert_int_eq(store_get(store, COLLECTION_META, "orders:relay2", soon(), &old),
                     STATUS_OK);
    (void)snprintf(forged, sizeof forged, "%.16s 4000000000000 %s", old,
                   strrchr(old, ' ') + 1);
    const struct change change = {
        .collection = COLLECTION_META, .id = "orders:relay2", .value = forged};
    ck_assert_int_eq(store_change(store, &change, 1, soon()), STATUS_OK);
    ck_assert_int_eq(orders_send(here, "relay2", "x", soon(), &sent, &error),
                     STATUS_CONFLICT);
    ck_assert_int_eq(orders_relays(here, 0, soon(), count_relay, &count), STATUS_OK);
    ck_assert_int_eq(count, 2); /* and then it is named, since it can't be asked */
    free(old);
}
END_TEST

/* Its clock was wrong for a while. */
START_TEST(orders_are_of_one_use_whatever_the_clock)
{
    struct order order;
    int64_t there_ms = now_ms();
    struct sent_order sent = order_it("release it");
    char part_id[ORDERS_PART_ID_SIZE];
    (void)snprintf(part_id, sizeof part_id, "%s.0", sent.id);
    char *head = read_document(sent.id);
    char *text = read_document(part_id);
    ck_assert_int_eq(take(&order), STATUS_OK);
    order_clear(&order);
    announce_at(there_ms + 3600000);
    (void)order_it("another one");
    ck_assert_int_eq(take_at(there_ms + 3600000, &order), STATUS_OK);
    order_clear(&order);
    write_document(sent.id, head);
    write_document(part_id, text);
    expect_refused("carried out before");
    free(head);
    free(text);
}
END_TEST

START_TEST(orders_of_another_key_are_refused)
{
    struct digest_key other;
    struct sent_order sent;
    char *answer = NULL;
    digest_key_derive("other", 5, &other);
    struct orders *stranger = orders_new(store, &other, "relay3");
    struct orders *false_there = orders_new(store, &other, "relay2");
    ck_assert_int_eq(orders_send(stranger, "relay2", "x", soon(), &sent, &error),
                     STATUS_CONFLICT);
    ck_assert_ptr_nonnull(strstr(error.text, "relay2 has another key"));
    ck_assert_int_eq(orders_announce(false_there, now_ms(), soon()), STATUS_OK);
    ck_assert_int_eq(orders_send(stranger, "relay2", "x", soon(), &sent, &error),
                     STATUS_OK);
    expect_refused("another key");
    ck_assert_int_eq(orders_await(stranger, &sent, &answer, &error), STATUS_CONFLICT);
    ck_assert_ptr_nonnull(strstr(error.text, "relay2 did not accept"));
    orders_free(false_there);
    orders_free(stranger);
}
END_TEST

START_TEST(orders_are_for_one_process)
{
    (void)order_it("x");
    orders_free(there);
    there = orders_new(store, &key, "relay2"); /* after a restart */
    ck_assert_int_eq(orders_announce(there, now_ms(), soon()), STATUS_OK);
    expect_refused("process");
    exchange("y", "done");
}
END_TEST

START_TEST(orders_are_taken_by_whom_they_are_for)
{
    struct order order;
    (void)order_it("x");
    ck_assert_int_eq(orders_take(here, now_ms(), soon(), &order, &error),
                     STATUS_NOT_FOUND);
    ck_assert_int_eq(take(&order), STATUS_OK);
    order_clear(&order);
}
END_TEST

START_TEST(orders_are_not_answered_by_others)
{
    struct order order;
    char *answer = NULL;
    char forged[ORDERS_HEAD_SIZE];
    struct sent_order sent = order_it("x");
    ck_assert_int_eq(take(&order), STATUS_OK);
    struct order_head head;
    ck_assert(order_head_parse(order.head, &head));
    (void)snprintf(head.state, sizeof head.state, "done");
    order_head_format(&head, NULL, forged);
    write_document(sent.id, forged);
    ck_assert_int_eq(orders_answer(there, &order, "done", soon()), STATUS_CONFLICT);
    ck_assert_int_eq(orders_await(here, &sent, &answer, &error), STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "relay2: its answer can't be trusted"));
    ck_assert_ptr_null(answer);
    order_clear(&order);
}
END_TEST

/* The store was slow: what became of a beat is not known. */
START_TEST(orders_are_answered_after_a_beat_in_doubt)
{
    struct order order;
    char *answer = NULL;
    for (int beats_again = 0; beats_again < 2; beats_again++) {
        struct order_head head;
        char written[ORDERS_HEAD_SIZE];
        struct sent_order sent = order_it("x");
        ck_assert_int_eq(take(&order), STATUS_OK);
        ck_assert(order_head_parse(order.head, &head));
        head.beat++;
        order_head_format(&head, NULL, written);
        write_document(sent.id, written);
        if (beats_again)
            ck_assert_int_eq(orders_beat(there, &order, soon()), STATUS_OK);
        ck_assert_int_eq(orders_answer(there, &order, "done", soon()), STATUS_OK);
        ck_assert_int_eq(orders_await(here, &sent, &answer, &error), STATUS_OK);
        ck_assert_str_eq(answer, "done");
        free(answer);
        order_clear(&order);
    }
}
END_TEST

/* Its time is over already. */
START_TEST(orders_that_nobody_takes_lapse)
{
    struct order order;
    char *answer = NULL;
    struct sent_order sent = order_it("x");
    sent.sent_us -= ORDERS_LIFE_MS * INT64_C(1000);
    ck_assert_int_eq(orders_await(here, &sent, &answer, &error), STATUS_NOT_FOUND);
    ck_assert_str_eq(error.text, "relay2 does not answer: nothing was done there");
    ck_assert_uint_eq(count_documents(), 0);
    ck_assert_int_eq(take(&order), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(orders_that_are_rubbish_are_removed)
{
    struct order order;
    write_document("0", "to:relay2\nrubbish");
    write_document("1", "to:relay2\nnew 1 1000000 0 00");
    write_document("2", "to:relay2\ntaken 99999999999999 1 0 00");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(take(&order), STATUS_INVALID);
    ck_assert_int_eq(take(&order), STATUS_NOT_FOUND);
    ck_assert_uint_eq(count_documents(), 0);
}
END_TEST

START_TEST(orders_that_are_left_over_are_pruned)
{
    announce_at(now_ms() - INT64_C(2) * 24 * 3600 * 1000);
    (void)order_it("x");
    write_document("0123456789abcdef.7", "\na part of nothing");
    write_document("rubbish", "rubbish");
    announce_at(now_ms());
    (void)order_it("fresh");
    ck_assert_uint_eq(count_documents(), 6);
    ck_assert_int_eq(orders_prune(here, now_ms(), soon()), STATUS_OK);
    ck_assert_uint_eq(count_documents(), 2);
    struct order order;
    ck_assert_int_eq(take(&order), STATUS_OK);
    ck_assert_str_eq(order.text, "fresh");
    order_clear(&order);
}
END_TEST

static enum status keep_facts(void *context, const char *host, const char *facts)
{
    char *out = context;
    if (strcmp(host, "relay2") == 0)
        (void)snprintf(out, ORDERS_FACTS_SIZE, "%s", facts);
    return STATUS_OK;
}

START_TEST(orders_know_the_relays)
{
    int count = 0;
    char facts[ORDERS_FACTS_SIZE] = "";
    ck_assert_int_eq(orders_relays(here, 0, soon(), count_relay, &count), STATUS_OK);
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(orders_relays(here, now_ms() + 60000, soon(), count_relay, &count),
                     STATUS_OK);
    ck_assert_int_eq(count, 2);
    orders_set_facts(there, "1.0 rules key 7");
    announce_at(now_ms());
    ck_assert_int_eq(orders_relays(here, 0, soon(), keep_facts, facts), STATUS_OK);
    ck_assert_str_eq(facts, "1.0 rules key 7");
}
END_TEST

/* The store is away when the time is over. */
START_TEST(orders_may_be_lost_with_the_store)
{
    char *answer = NULL;
    struct sent_order sent = order_it("x");
    sent.sent_us -= ORDERS_LIFE_MS * INT64_C(1000);
    (void)kill(server.pid, SIGSTOP);
    ck_assert_int_eq(orders_await(here, &sent, &answer, &error), STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "relay2 can't be asked any more"));
    (void)kill(server.pid, SIGCONT);
}
END_TEST

static TCase *make_case(const char *name, void (*up)(void), void (*down)(void))
{
    TCase *cases = tcase_create(name);
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, up, down);
    tcase_add_test(cases, orders_are_taken_and_answered);
    tcase_add_test(cases, orders_that_are_too_long_are_not_sent);
    tcase_add_test(cases, orders_to_nobody_are_not_sent);
    tcase_add_test(cases, orders_are_of_one_use);
    tcase_add_test(cases, orders_that_are_altered_are_refused);
    tcase_add_test(cases, orders_last_as_long_as_they_are_signed_for);
    tcase_add_test(cases, orders_need_no_clocks_that_agree);
    tcase_add_test(cases, orders_believe_announcements_that_are_signed);
    tcase_add_test(cases, orders_are_of_one_use_whatever_the_clock);
    tcase_add_test(cases, orders_of_another_key_are_refused);
    tcase_add_test(cases, orders_are_for_one_process);
    tcase_add_test(cases, orders_are_taken_by_whom_they_are_for);
    tcase_add_test(cases, orders_are_not_answered_by_others);
    tcase_add_test(cases, orders_are_answered_after_a_beat_in_doubt);
    tcase_add_test(cases, orders_that_nobody_takes_lapse);
    tcase_add_test(cases, orders_that_are_rubbish_are_removed);
    tcase_add_test(cases, orders_that_are_left_over_are_pruned);
    tcase_add_test(cases, orders_know_the_relays);
    return cases;
}

int main(void)
{
    Suite *suite = suite_create("orders");
    suite_add_tcase(suite,
                    make_case("memory", setup_orders_memory, teardown_orders_memory));
    TCase *redis = make_case("redis", setup_orders_redis, teardown_orders_redis);
    tcase_add_test(redis, orders_may_be_lost_with_the_store);
    suite_add_tcase(suite, redis);
    return run_suite(suite);
}
