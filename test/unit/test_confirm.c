/* Tokens of letters, and what is confirmed by them, in either store. */
#include "ledger_fixture.h"
#include "quarantine/notices/confirm.h"
#include "run.h"

#define BY "login:a@own"

static char token[CONFIRM_TOKEN_LENGTH + 1], answered[DIGEST_ID_SIZE];
static struct hold held;
static struct confirm_answer answer;
static const char *why;
static struct rule rule;
static struct policy policy;

/* A message is held, and its letter out. */
static void ask(const char *subject)
{
    static char name[] = "list-rate";
    rule = (struct rule){.name = name, .action = ACTION_CONFIRM};
    policy =
        (struct policy){.rules = &rule, .rule_count = 1, .confirm = {.max_reach = 100}};
    held = hold_one(subject);
    confirm_make_token(token);
    ck_assert_uint_eq(strspn(token, "abcdefghijklmnopqrstuvwxyz0123456789"),
                      CONFIRM_TOKEN_LENGTH);
    const struct confirm_letter letter = {.token = token,
                                          .incident = held.incident,
                                          .to = "a@own",
                                          .by = BY,
                                          .until_ms = now_ms + 1000};
    ck_assert_int_eq(confirm_keep(ledger, &letter, either_soon()), STATUS_OK);
    ck_assert_int_eq(confirm_keep(ledger, &letter, either_soon()), STATUS_OK);
    answer = (struct confirm_answer){.token = token,
                                     .by = BY,
                                     .shown = BY,
                                     .host = "relay1",
                                     .policy = &policy,
                                     .now_ms = now_ms};
}

static enum status take(void)
{
    why = "";
    return confirm_take(ledger, &answer, either_soon(), answered, &why);
}

static void refused(const char *wanted)
{
    ck_assert_int_eq(take(), STATUS_INVALID);
    ck_assert_str_eq(why, wanted);
}

static enum status count(void *context, const char *id, const char *text)
{
    size_t *number = context;
    json_t *record = record_load(text);
    ck_assert_uint_eq(strlen(id), DIGEST_HEX_SIZE - 1);
    ck_assert_str_eq(record_text(record, "by"), BY);
    ck_assert_str_eq(record_text(record, "host"), "relay1");
    json_decref(record);
    (*number)++;
    return STATUS_OK;
}

static size_t confirmed(int64_t at_ms)
{
    size_t number = 0;
    ck_assert_int_eq(confirm_list(ledger, at_ms, either_soon(), count, &number),
                     STATUS_OK);
    return number;
}

START_TEST(confirm_counts_once)
{
    ask("login:a@own");
    ck_assert_uint_eq(confirmed(now_ms), 0);
    ck_assert_int_eq(take(), STATUS_OK);
    ck_assert_str_eq(answered, held.incident);
    ck_assert_uint_eq(confirmed(now_ms), 1);
    refused("the letter was answered before");
    ck_assert_uint_eq(confirmed(now_ms), 1);
}
END_TEST

START_TEST(confirm_what_does_not_count_uses_nothing_up)
{
    ask("login:a@own");
    answer.by = "login:b@own";
    refused("somebody else was asked");
    answer.by = NULL;
    refused("neither a login nor a trusted sender sent it");
    answer.by = BY;
    answer.automatic = true;
    refused("a program wrote it");
    answer.automatic = false;
    policy.confirm.max_reach = 99;
    refused("it reaches more people than confirm.max_reach");
    policy.confirm.max_reach = 100;
    rule.action = ACTION_QUARANTINE; /* by a reload */
    refused("its rule does not let senders confirm any more");
    policy.rule_count = 0;
    refused("its rule does not let senders confirm any more");
    policy.rule_count = 1;
    rule.action = ACTION_CONFIRM;
    answer.now_ms = now_ms + 1000;
    refused("the letter is too old");
    ck_assert_str_eq(answered, held.incident);
    answer.now_ms = now_ms + 999;
    answer.token = "0123456789abcdef";
    refused("no letter has this token");
    ck_assert_str_eq(answered, "");
    answer.token = token;
    ck_assert_int_eq(take(), STATUS_OK);
}
END_TEST

START_TEST(confirm_what_is_decided_is_not_held)
{
    ask("login:a@own");
    ck_assert_int_eq(ledger_move(ledger, held.id, "held", "refusing", either_soon()),
                     STATUS_OK);
    ck_assert_int_eq(ledger_move(ledger, held.id, "refusing", "refused", either_soon()),
                     STATUS_OK);
    refused("nothing of it is held any more");
}
END_TEST

START_TEST(confirm_is_forgotten_in_time)
{
    ask("login:a@own");
    ck_assert_int_eq(take(), STATUS_OK);
    ck_assert_uint_eq(confirmed(now_ms + CONFIRM_KEPT_MS), 1);
    ck_assert_uint_eq(confirmed(now_ms + CONFIRM_KEPT_MS + 1), 0);
    ck_assert_uint_eq(confirmed(now_ms), 0);
    ck_assert_int_eq(confirm_prune(ledger, now_ms + 6000, 5000, either_soon()),
                     STATUS_OK);
    refused("the letter was answered before");
    ck_assert_int_eq(confirm_prune(ledger, now_ms + 6001, 5000, either_soon()),
                     STATUS_OK);
    refused("no letter has this token");
}
END_TEST

enum { THREADS = 8 };

static void *answer_at_once(void *argument)
{
    enum status *out = argument;
    const char *reason;
    char incident_id[DIGEST_ID_SIZE];
    *out = confirm_take(ledger, &answer, either_soon(), incident_id, &reason);
    return NULL;
}

START_TEST(confirm_of_many_answers_one_counts)
{
    pthread_t threads[THREADS];
    enum status results[THREADS];
    size_t counted = 0;
    ask("login:a@own");
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, answer_at_once, &results[i]),
                         0);
    for (size_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        counted += results[i] == STATUS_OK;
    }
    ck_assert_uint_eq(counted, 1);
    ck_assert_uint_eq(confirmed(now_ms), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("confirm");
    static const struct {
        const char *name;
        void (*setup)(void);
    } stores[] = {{"memory", setup_memory}, {"redis", setup_redis}};
    for (size_t i = 0; i < 2; i++) {
        TCase *tests = tcase_create(stores[i].name);
        tcase_add_checked_fixture(tests, stores[i].setup, teardown);
        tcase_add_test(tests, confirm_counts_once);
        tcase_add_test(tests, confirm_what_does_not_count_uses_nothing_up);
        tcase_add_test(tests, confirm_what_is_decided_is_not_held);
        tcase_add_test(tests, confirm_is_forgotten_in_time);
        tcase_add_test(tests, confirm_of_many_answers_one_counts);
        suite_add_tcase(suite, tests);
    }
    return run_suite(suite);
}
