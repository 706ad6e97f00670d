/* Answers that come while the store is away. */
#include "engine/answers.h"
#include "ledger_fixture.h"
#include "quarantine/notices/confirm.h"
#include "run.h"

#define BY "client:local a@own"
#define TOKEN "0123456789abcdef"

static struct answers *answers;
static struct rule rule;
static struct policy policy;
static struct judgement judgement;
static struct recipient recipient;

static void begin(void)
{
    static char name[] = "list-rate", address[] = "confirm@own";
    static char to[] = "confirm+" TOKEN "@own";
    open_ledger(true);
    rule = (struct rule){.name = name, .action = ACTION_CONFIRM};
    policy =
        (struct policy){.rules = &rule, .rule_count = 1, .confirm = {address, 1000, 200}};
    ck_assert_int_eq(domains_add(&policy.domains, "own", NULL), STATUS_OK);
    recipient = (struct recipient){.address = to, .tagless = address};
    judgement = (struct judgement){.facts = {.identity = "client:local",
                                             .trusted = true,
                                             .origin = ORIGIN_LOCAL,
                                             .recipients = &recipient,
                                             .recipient_count = 1},
                                   .view = {.policy = &policy},
                                   .verdict = {.action = ACTION_ACCEPT}};
    ck_assert_int_eq(address_parse("a@own", 5, &judgement.facts.sender), STATUS_OK);
    const struct hold held = hold_one("client:local");
    const struct confirm_letter letter = {.token = TOKEN,
                                          .incident = held.incident,
                                          .to = "a@own",
                                          .by = BY,
                                          .until_ms = now_ms + 1000};
    ck_assert_int_eq(confirm_keep(ledger, &letter, either_soon()), STATUS_OK);
    answers = answers_new("relay1");
    ck_assert_ptr_nonnull(answers);
}

static void end(void)
{
    answers_free(answers);
    domains_clear(&policy.domains);
    teardown();
}

static enum answer_result consider(int64_t deadline_us)
{
    return answers_consider(answers, ledger, &judgement, BY, now_ms, deadline_us);
}

START_TEST(answers_of_local_mail_wait_for_the_store)
{
    struct answer answer;
    size_t lost;
    ck_assert_int_eq(kill(server.pid, SIGSTOP), 0);
    ck_assert_int_eq(consider(clock_deadline_us(100)), ANSWER_NONE);
    ck_assert(!answers_take(answers, &answer, &lost));
    answers_retry(answers, ledger, &policy, clock_deadline_us(100));
    ck_assert(!answers_take_news(answers));
    ck_assert_int_eq(kill(server.pid, SIGCONT), 0);
    now_ms += 2000; /* it came in time */
    for (int i = 0; i < 100 && !answers_take_news(answers); i++) {
        answers_retry(answers, ledger, &policy, either_soon());
        clock_sleep_ms(100);
    }
    ck_assert(!answers_take(answers, &answer, &lost));
    ck_assert_int_eq(consider(either_soon()), ANSWER_NONE);
    ck_assert(answers_take(answers, &answer, &lost));
    ck_assert_str_eq(answer.why, "the letter was answered before");
}
END_TEST

START_TEST(answers_of_other_mail_come_again)
{
    judgement.facts.origin = ORIGIN_SMTP;
    ck_assert_int_eq(kill(server.pid, SIGSTOP), 0);
    ck_assert_int_eq(consider(clock_deadline_us(100)), ANSWER_AWAY);
    judgement.facts.automatic = true;
    ck_assert_int_eq(consider(clock_deadline_us(100)), ANSWER_NONE);
    ck_assert_int_eq(kill(server.pid, SIGCONT), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("answers");
    TCase *tests = tcase_create("redis");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, answers_of_local_mail_wait_for_the_store);
    tcase_add_test(tests, answers_of_other_mail_come_again);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
