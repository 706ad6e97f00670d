/* The largest that a key did: against buckets and windows of that size, and smaller. */
#include <check.h>
#include <stdlib.h>

#include "logs/usage.h"
#include "run.h"

static const int64_t start_ms = INT64_C(1787000000000);
static const int64_t hour_ms = 3600000;
static const int64_t day_ms = 86400000;

static struct rule hourly(void)
{
    struct rule rule;
    rule_init(&rule);
    rule.has_limit = true;
    rule.limit = (struct rate){1, hour_ms, 1};
    return rule;
}

static struct rule surging(void)
{
    struct rule rule;
    rule_init(&rule);
    rule.has_surge = true;
    rule.surge = (struct surge){2000, 500, day_ms};
    return rule;
}

START_TEST(usage_of_one_message_is_its_cost)
{
    const struct rule rule = hourly();
    struct usage usage = {0};
    usage_add(&usage, &rule, 0, start_ms);
    ck_assert_int_eq(usage.largest, 0);
    usage_add(&usage, &rule, 412, start_ms + 5);
    ck_assert_int_eq(usage.largest, 412);
    ck_assert_int_eq(usage.at_ms, start_ms + 5);
    usage_add(&usage, &rule, 412, start_ms + 2 * hour_ms);
    ck_assert_int_eq(usage.largest, 412);
    ck_assert_int_eq(usage.at_ms, start_ms + 5);
    usage_add(&usage, &rule, 100, start_ms + 2 * hour_ms);
    ck_assert_int_eq(usage.largest, 512);
}
END_TEST

/* So many messages, at random times and of random costs. */
enum { MESSAGES = 400 };
struct mail {
    int64_t at_ms[MESSAGES], cost[MESSAGES];
};

static void make_mail(struct mail *mail)
{
    int64_t at_ms = start_ms;
    for (size_t i = 0; i < MESSAGES; i++) {
        at_ms += rand() % 8 == 0 ? rand() % (5 * hour_ms) : rand() % 60000;
        mail->at_ms[i] = at_ms;
        mail->cost[i] = rand() % 16 == 0 ? rand() % 300 : rand() % 5;
    }
}

static bool passes(const struct mail *mail, int64_t tokens)
{
    const struct rate rate = {tokens, hour_ms, tokens};
    struct bucket bucket = bucket_full(&rate, start_ms);
    for (size_t i = 0; i < MESSAGES; i++) {
        bucket_refill(&bucket, &rate, mail->at_ms[i]);
        if (!bucket_take(&bucket, mail->cost[i]))
            return false;
    }
    return true;
}

/* The most that went out in any period. */
static int64_t most_in_an_hour(const struct mail *mail)
{
    int64_t most = 0;
    for (size_t i = 0; i < MESSAGES; i++) {
        int64_t sum = 0;
        for (size_t j = i; j < MESSAGES && mail->at_ms[j] - mail->at_ms[i] <= hour_ms;
             j++)
            sum += mail->cost[j];
        most = sum > most ? sum : most;
    }
    return most;
}

START_TEST(usage_passes_a_bucket_of_its_size)
{
    const struct rule rule = hourly();
    struct mail mail;
    srand((unsigned)_i);
    make_mail(&mail);
    struct usage usage = {0};
    for (size_t i = 0; i < MESSAGES; i++)
        usage_add(&usage, &rule, mail.cost[i], mail.at_ms[i]);
    ck_assert(passes(&mail, usage.largest));
    ck_assert(!passes(&mail, usage.largest / 2 - 1));
    ck_assert_int_le(usage.largest, most_in_an_hour(&mail));
    ck_assert_int_ge(usage.largest, most_in_an_hour(&mail) / 2);
}
END_TEST

START_TEST(usage_stays_in_bounds)
{
    struct rule rule = hourly();
    struct usage usage = {0};
    rule.limit.period_ms = RATE_PERIOD_MAX_MS;
    for (int i = 0; i < 5; i++)
        usage_add(&usage, &rule, RATE_TOKENS_MAX, start_ms + i);
    const struct rate rate = {usage.largest, RATE_PERIOD_MAX_MS, usage.largest};
    ck_assert(rate_is_valid(&rate));
    usage_add(&usage, &rule, 1, start_ms - day_ms);
}
END_TEST

START_TEST(usage_of_a_surge_is_what_the_past_does_not_allow)
{
    const struct rule rule = surging();
    struct window window = {0};
    struct usage usage = {.window = &window};
    usage_add(&usage, &rule, 300, start_ms);
    ck_assert_int_eq(usage.largest, 300);
    for (int day = 1; day < 20; day++)
        usage_add(&usage, &rule, 550, start_ms + day * day_ms); /* up to 600 are usual */
    ck_assert_int_eq(usage.largest, 300);
    usage_add(&usage, &rule, 3400, start_ms + 20 * day_ms);
    ck_assert_int_eq(usage.largest, 3400);
    ck_assert_int_eq(usage.at_ms, start_ms + 20 * day_ms);
}
END_TEST

static void same_days(const struct rule *rule, struct window *window)
{
    struct usage usage = {.window = window};
    for (int day = 0; day < 30; day++)
        usage_add(&usage, rule, day == 11 || day == 12 ? 4000 + day : 300 + day,
                  start_ms + day * day_ms);
    ck_assert_int_eq(usage_within(&usage, 5000), 4012);
    ck_assert_int_eq(usage_within(&usage, 4011), 4011);
    ck_assert_int_eq(usage_within(&usage, 1000), 329); /* of the last, still open, day */
    ck_assert_int_eq(usage_within(&usage, 328), 328);
    ck_assert_int_eq(usage_within(&usage, 300), 0);
}

START_TEST(usage_knows_its_largest_periods)
{
    const struct rule limited = hourly();
    const struct rule surge = surging();
    struct window window = {0};
    same_days(&limited, NULL);
    same_days(&surge, &window);
}
END_TEST

/* As many as the smallest limit that lets all of it pass. */
static bool clients_pass(const int64_t *clients, const struct mail *mail, int64_t count)
{
    const struct rate limit = {count, hour_ms, count};
    struct client_entry entries[20];
    struct client_set set = {entries, 0};
    for (size_t i = 0; i < MESSAGES; i++) {
        client_set_roll(&set, hour_ms, mail->at_ms[i]);
        if (client_set_left(&set, &limit, clients[i], mail->at_ms[i]) < 1)
            return false;
        client_set_take(&set, (size_t)count, clients[i], mail->at_ms[i]);
    }
    return true;
}

START_TEST(usage_of_clients_is_the_smallest_limit)
{
    struct rule rule = hourly();
    struct client_entry entries[20];
    struct usage usage = {.clients = {{entries, 0}, 20}};
    struct mail mail;
    int64_t clients[MESSAGES];
    rule.unit = UNIT_CLIENTS;
    srand((unsigned)_i);
    make_mail(&mail);
    for (size_t i = 0; i < MESSAGES; i++) {
        clients[i] = 1 + rand() % (1 + _i % 20);
        usage_add_client(&usage, &rule, clients[i], mail.at_ms[i]);
    }
    ck_assert(clients_pass(clients, &mail, usage.largest));
    ck_assert(usage.largest == 1 || !clients_pass(clients, &mail, usage.largest - 1));
    const int64_t end_ms = mail.at_ms[MESSAGES - 1] + hour_ms;
    ck_assert(!usage_is_idle(&usage, &rule, end_ms - 1));
    ck_assert(usage_is_idle(&usage, &rule, end_ms));
}
END_TEST

START_TEST(usage_knows_its_days_of_most_clients)
{
    struct rule rule = hourly();
    struct client_entry entries[USAGE_CLIENTS_MAX];
    struct usage usage = {.clients = {{entries, 0}, USAGE_CLIENTS_MAX}};
    rule.unit = UNIT_CLIENTS;
    for (int64_t client = 1; client <= 3; client++)
        usage_add_client(&usage, &rule, client, start_ms);
    for (int64_t client = 1; client <= 1000; client++)
        usage_add_client(&usage, &rule, client, start_ms + day_ms);
    ck_assert_int_eq(usage.largest, USAGE_CLIENTS_MAX); /* more than 256 */
    ck_assert_int_eq(usage.at_ms, start_ms + day_ms);
    ck_assert_int_eq(usage_within(&usage, 20), 3);
}
END_TEST

START_TEST(usage_is_idle_after_its_period)
{
    const struct rule rule = hourly();
    struct usage usage = {0};
    usage_add(&usage, &rule, 3, start_ms);
    ck_assert(!usage_is_idle(&usage, &rule, start_ms + hour_ms - 1));
    ck_assert(usage_is_idle(&usage, &rule, start_ms + hour_ms));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("usage");
    TCase *cases = tcase_create("usage");
    tcase_add_test(cases, usage_of_one_message_is_its_cost);
    tcase_add_loop_test(cases, usage_passes_a_bucket_of_its_size, 0, 200);
    tcase_add_test(cases, usage_stays_in_bounds);
    tcase_add_test(cases, usage_of_a_surge_is_what_the_past_does_not_allow);
    tcase_add_test(cases, usage_knows_its_largest_periods);
    tcase_add_loop_test(cases, usage_of_clients_is_the_smallest_limit, 0, 200);
    tcase_add_test(cases, usage_knows_its_days_of_most_clients);
    tcase_add_test(cases, usage_is_idle_after_its_period);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
