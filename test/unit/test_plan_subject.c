/* Whose bucket or window a rule asks for, by its key. */
#include "plan_fixture.h"
#include "run.h"

/* The plan for a message with these fields. references may be NULL. */
static void plan_letter(const char *subject, const char *id, const char *references)
{
    envelope.header_count = 0;
    header("Subject", subject);
    header("Message-ID", id);
    if (references != NULL)
        header("References", references);
    plan_for("x@own");
}

START_TEST(plan_threads_are_one_subject)
{
    struct rule *rule = limit_add("r", ACTION_REJECT, KEY_THREAD, UNIT_MESSAGES, 9);
    seal();
    plan_letter("Snow day", "<first@else>", NULL);
    expect_charge(0, rule, "thread:first@else", 1);
    plan_letter("Re: Snow day", "<second@own>", "<first@else> <other@else>");
    expect_charge(0, rule, "thread:first@else", 1);
    envelope.header_count = 0;
    plan_for("x@own");
    ck_assert_uint_eq(plan.charge_count, 0);
    ck_assert_int_eq(plan.conditions[0], CONDITION_KEY);
}
END_TEST

/* One machine or account, whatever it calls itself. */
START_TEST(plan_from_is_the_element_that_matched_first)
{
    struct rule *rule = surge_add("r", ACTION_QUARANTINE, KEY_FROM, 500);
    rule->from =
        elements_of("login:SIS-* client:10.0.8.0/24 @else client:local list:all@own "
                    "<>");
    (void)list_of("all@own", "pupil1@own");
    seal();
    envelope.sender = "a-1@else";
    plan_for("x@own y@own");
    expect_charge(0, rule, "@else", 2);
    envelope.client = "10.0.8.15";
    plan_for("x@own");
    expect_charge(0, rule, "client:10.0.8.0/24", 1);
    envelope.login = "sis-export";
    plan_for("x@own");
    expect_charge(0, rule, "login:sis-*", 1);
    envelope.sender = "<>";
    envelope.login = "pupil1";
    envelope.client = "203.0.113.9";
    plan_for("x@own");
    expect_charge(0, rule, "list:all@own", 1);
    envelope.login = NULL;
    plan_for("x@own");
    expect_charge(0, rule, "<>", 1);
    envelope.local = true;
    plan_for("x@own");
    expect_charge(0, rule, "client:local", 1);
    envelope.login = "other";
    envelope.local = false;
    plan_for("x@own");
    ck_assert_uint_eq(plan.charge_count, 0);
    ck_assert_int_eq(plan.conditions[0], CONDITION_FROM);
}
END_TEST

static const char campaign_prefix[] = "campaign:sender:s@else#";

/* The campaign's subject; its words are a hash. */
static const char *campaign_of(const char *subject)
{
    static char last[SUBJECT_SIZE];
    size_t length = sizeof campaign_prefix - 1;
    plan_letter(subject, "<a@else>", NULL);
    ck_assert_uint_eq(plan.charge_count, 1);
    (void)snprintf(last, sizeof last, "%s", plan.charges[0].subject);
    ck_assert_int_eq(strncmp(last, campaign_prefix, length), 0);
    ck_assert_uint_eq(strlen(last), length + DIGEST_HEX_SIZE - 1);
    ck_assert_uint_eq(strspn(last + length, "0123456789abcdef"), DIGEST_HEX_SIZE - 1);
    return last;
}

START_TEST(plan_campaigns_hide_their_words)
{
    char first[SUBJECT_SIZE];
    (void)surge_add("r", ACTION_QUARANTINE, KEY_CAMPAIGN, 500);
    seal();
    (void)strcpy(first, campaign_of("Snow day 17"));
    ck_assert_str_eq(campaign_of("Re: snow  DAY 4"), first);
    ck_assert_str_ne(campaign_of("Lunch"), first);
    ck_assert_ptr_null(strstr(campaign_of("Snow"), "now"));
    (void)campaign_of("");

    envelope.login = "alice";
    plan_letter("Snow day 17", "<a@else>", NULL);
    static const char of_login[] = "campaign:login:alice@own#";
    const char *subject = plan.charges[0].subject;
    ck_assert_int_eq(strncmp(subject, of_login, sizeof of_login - 1), 0);
    ck_assert_str_ne(strchr(subject, '#'), strchr(first, '#'));
}
END_TEST

START_TEST(plan_campaigns_are_hashed_with_the_key)
{
    static const struct digest_key key = {{1, 2, 3}};
    char first[SUBJECT_SIZE];
    (void)surge_add("r", ACTION_QUARANTINE, KEY_CAMPAIGN, 500);
    seal();
    (void)strcpy(first, campaign_of("Snow day"));
    view.key = &key;
    ck_assert_str_ne(campaign_of("Snow day"), first);
    view.key = NULL;
    ck_assert_str_eq(campaign_of("Snow day"), first);
}
END_TEST

static const char topic_prefix[] = "topic:";

/* The topic's subject, which is only a hash. */
static const char *topic_of(const char *subject)
{
    static char last[SUBJECT_SIZE];
    size_t length = sizeof topic_prefix - 1;
    plan_letter(subject, "<a@else>", NULL);
    ck_assert_uint_eq(plan.charge_count, 1);
    (void)snprintf(last, sizeof last, "%s", plan.charges[0].subject);
    ck_assert_int_eq(strncmp(last, topic_prefix, length), 0);
    ck_assert_uint_eq(strlen(last), length + DIGEST_HEX_SIZE - 1);
    ck_assert_uint_eq(strspn(last + length, "0123456789abcdef"), DIGEST_HEX_SIZE - 1);
    return last;
}

START_TEST(plan_topic_is_the_same_for_all_senders)
{
    static const struct digest_key key = {{1, 2, 3}};
    char first[SUBJECT_SIZE];
    (void)limit_add("r", ACTION_QUARANTINE, KEY_TOPIC, UNIT_RECIPIENTS, 500);
    seal();
    (void)strcpy(first, topic_of("Your mailbox 17 is full"));
    ck_assert_str_eq(topic_of("RE: your  mail\xc2\xad"
                              "box 4 is full"),
                     first);
    ck_assert_str_ne(topic_of("Your mailbox is full"), first);
    envelope.sender = "other@else";
    ck_assert_str_eq(topic_of("Your mailbox 9 is full"), first);
    envelope.login = "alice";
    ck_assert_str_eq(topic_of("Your mailbox 9 is full"), first);
    envelope.local = true;
    ck_assert_str_eq(topic_of("Your mailbox 9 is full"), first);
    view.key = &key;
    ck_assert_str_ne(topic_of("Your mailbox 9 is full"), first);
}
END_TEST

START_TEST(plan_without_topic_does_not_match)
{
    (void)limit_add("r", ACTION_QUARANTINE, KEY_TOPIC, UNIT_RECIPIENTS, 500);
    seal();
    plan_letter("Re:", "<a@else>", NULL);
    ck_assert_uint_eq(plan.charge_count, 0);
    ck_assert_int_eq(plan.conditions[0], CONDITION_KEY);
}
END_TEST

START_TEST(plan_without_campaign_does_not_match)
{
    (void)surge_add("r", ACTION_QUARANTINE, KEY_CAMPAIGN, 500);
    seal();
    to("x@own");
    gather();
    free(facts.campaign);
    facts.campaign = NULL;
    plan_anew();
    ck_assert_uint_eq(plan.charge_count, 0);
    ck_assert_int_eq(plan.conditions[0], CONDITION_KEY);
}
END_TEST

/* The longest names have room, so that no two campaigns are one. */
START_TEST(plan_longest_campaign_is_whole)
{
    char sender[ADDRESS_SIZE];
    (void)surge_add("r", ACTION_QUARANTINE, KEY_CAMPAIGN, 500);
    memset(sender, 'u', sizeof sender);
    strcpy(sender + sizeof sender - sizeof "@else", "@else");
    envelope.sender = sender;
    seal();
    plan_letter("Snow day", "<a@else>", NULL);
    const char *hash = strchr(plan.charges[0].subject, '#');
    ck_assert_ptr_nonnull(hash);
    ck_assert_uint_eq(strlen(hash + 1), DIGEST_HEX_SIZE - 1);
    ck_assert_uint_gt(strlen(plan.charges[0].subject), ADDRESS_SIZE);
}
END_TEST

static const char *subject_of(enum key key)
{
    static char subject[SUBJECT_SIZE];
    struct rule rule;
    rule_init(&rule);
    rule.key = key;
    (void)snprintf(subject, sizeof subject, "untouched");
    bool has = plan_subject(&view, &rule, subject, sizeof subject);
    ck_assert(has == (strcmp(subject, "untouched") != 0));
    return subject;
}

/* As plan_subject makes them anew. */
static void expect_words(size_t index, enum key key)
{
    ck_assert_str_eq(plan.charges[index].subject, subject_of(key));
}

START_TEST(plan_rules_of_one_message_share_its_words)
{
    struct brakes brakes = {.allowance_count = 1};
    struct allowance other = brakes_borrow_allowance("another rule", "all", 1000);
    brakes.allowances =
        &other; /* so that each rule is asked for its subject more often */
    view.brakes = &brakes;
    for (int i = 0; i < 2; i++) {
        (void)limit_add("topic", ACTION_DEFER, KEY_TOPIC, UNIT_MESSAGES, 9);
        (void)limit_add("campaign", ACTION_DEFER, KEY_CAMPAIGN, UNIT_MESSAGES, 9);
    }
    seal();
    for (int message = 0; message < 2; message++) {
        plan_letter(message == 0 ? "Trip" : "Homework", "<a@else>", NULL);
        ck_assert_uint_eq(plan.charge_count, 4);
        for (size_t i = 0; i < 4; i += 2) {
            expect_words(i, KEY_TOPIC);
            expect_words(i + 1, KEY_CAMPAIGN);
        }
    }
}
END_TEST

START_TEST(plan_subject_names_an_incident)
{
    envelope.sender = "<>";
    seal();
    plan_for("x@own");
    ck_assert_str_eq(subject_of(KEY_LOGIN), "untouched");
    ck_assert_str_eq(subject_of(KEY_LIST), "untouched");
    ck_assert_str_eq(subject_of(KEY_SENDER_DOMAIN), "untouched");
    plan_for("x@own five+t@own");
    ck_assert_str_eq(subject_of(KEY_LIST), "list:five@own");
    ck_assert_str_eq(subject_of(KEY_SENDER), "client:203.0.113.9");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_subject");
    TCase *cases = tcase_create("plan_subject");
    tcase_add_checked_fixture(cases, begin, message_end);
    tcase_add_test(cases, plan_threads_are_one_subject);
    tcase_add_test(cases, plan_from_is_the_element_that_matched_first);
    tcase_add_test(cases, plan_campaigns_hide_their_words);
    tcase_add_test(cases, plan_campaigns_are_hashed_with_the_key);
    tcase_add_test(cases, plan_topic_is_the_same_for_all_senders);
    tcase_add_test(cases, plan_without_topic_does_not_match);
    tcase_add_test(cases, plan_without_campaign_does_not_match);
    tcase_add_test(cases, plan_longest_campaign_is_whole);
    tcase_add_test(cases, plan_rules_of_one_message_share_its_words);
    tcase_add_test(cases, plan_subject_names_an_incident);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
