/* The walk before the store is asked: steps, charges, and where it ends. */
#include "message_fixture.h"
#include "run.h"

static uint32_t five;

static void begin(void)
{
    message_begin();
    five = list_of("five@own", "p1@own p2@own p3@own p4@own p5@own");
    (void)list_of("three@own", "p1@own p2@own q@else");
    (void)list_of("holder@own", "five@own z@own");
    bind_list("five@too", five);
}

static void plan_for(const char *words)
{
    to(words);
    gather();
    plan_anew();
}

/* The charge's rule is told by its fingerprint. */
static void expect_charge(size_t index, const struct rule *rule, const char *subject,
                          int64_t cost)
{
    ck_assert_uint_lt(index, plan.charge_count);
    const struct charge *charge = &plan.charges[index];
    ck_assert_str_eq(charge->fingerprint, rule->fingerprint);
    ck_assert_str_eq(charge->subject, subject);
    ck_assert_int_eq(charge->cost, cost);
    ck_assert_ptr_eq(charge->rate, rule->has_limit ? &rule->limit : NULL);
    ck_assert_ptr_eq(charge->surge, rule->has_surge ? &rule->surge : NULL);
    ck_assert_int_eq(charge->latch_ms, rule->latch_ms);
    ck_assert_int_eq(charge->monitor, rule->monitor);
    ck_assert_int_eq(charge->trains, policy.monitor);
}

START_TEST(plan_without_rules_commits)
{
    seal();
    plan_for("x@own");
    ck_assert_uint_eq(plan.step_count + plan.charge_count + plan.rules_walked, 0);
    ck_assert_ptr_null(plan.decides);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);
    plan_clear(&plan);
    plan_clear(&plan);
}
END_TEST

START_TEST(plan_steps_in_order_down_to_what_decides)
{
    struct rule *first = limit_add("first", ACTION_REJECT, KEY_SENDER, UNIT_MESSAGES, 9);
    struct rule *other = rule_add("other", ACTION_REJECT);
    struct rule *second =
        limit_add("second", ACTION_DEFER, KEY_CLIENT, UNIT_RECIPIENTS, 9);
    struct rule *decides = rule_add("decides", ACTION_QUARANTINE);
    (void)limit_add("below", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 9);
    other->over[MEASURE_REACH] = 100;
    seal();
    plan_for("five@own p9@own");
    ck_assert_uint_eq(plan.step_count, 3);
    ck_assert_ptr_eq(plan.steps[0].rule, first);
    ck_assert_ptr_eq(plan.steps[1].rule, second);
    ck_assert_ptr_eq(plan.steps[2].rule, decides);
    ck_assert_uint_eq(plan.steps[0].charge, 0);
    ck_assert_uint_eq(plan.steps[1].charge, 1);
    ck_assert_uint_eq(plan.steps[0].charge_count, 1);
    ck_assert_uint_eq(plan.steps[1].charge_count, 1);
    ck_assert_uint_eq(plan.steps[2].charge_count, 0);
    ck_assert_uint_eq(plan.charge_count, 2);
    expect_charge(0, first, "sender:s@else", 1);
    expect_charge(1, second, "client:203.0.113.9", 6);
    ck_assert_ptr_eq(plan.decides, decides);
    ck_assert_int_eq(plan.mode, CHARGE_LATCH);
    ck_assert_uint_eq(plan.rules_walked, 4);
    ck_assert_int_eq(plan.conditions[0], CONDITION_NONE);
    ck_assert_int_eq(plan.conditions[1], CONDITION_OVER);
    ck_assert_int_eq(plan.conditions[3], CONDITION_NONE);
}
END_TEST

START_TEST(plan_accept_charges_what_is_above)
{
    struct rule *limit = limit_add("limit", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 9);
    struct rule *accept = rule_add("accept", ACTION_ACCEPT);
    (void)limit_add("below", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 9);
    seal();
    plan_for("x@own");
    ck_assert_ptr_eq(plan.decides, accept);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);
    ck_assert_uint_eq(plan.charge_count, 1);
    expect_charge(0, limit, "all", 1);
}
END_TEST

START_TEST(plan_monitor_never_ends_the_walk)
{
    struct rule *reject = rule_add("reject", ACTION_REJECT);
    struct rule *accept = rule_add("accept", ACTION_ACCEPT);
    struct rule *limit = limit_add("limit", ACTION_DEFER, KEY_ALL, UNIT_MESSAGES, 9);
    struct rule *last = limit_add("last", ACTION_DEFER, KEY_SENDER, UNIT_MESSAGES, 9);
    reject->monitor = accept->monitor = limit->monitor = true;
    seal();
    plan_for("x@own");
    ck_assert_uint_eq(plan.step_count, 4);
    ck_assert_ptr_null(plan.decides);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);
    ck_assert_uint_eq(plan.charge_count, 2);
    expect_charge(0, limit, "all", 1);
    expect_charge(1, last, "sender:s@else", 1);
    ck_assert(plan.charges[0].monitor);
    ck_assert(!plan.charges[1].monitor);
}
END_TEST

START_TEST(plan_charges_by_key)
{
    struct rule *keys[] = {
        limit_add("a", ACTION_REJECT, KEY_SENDER, UNIT_MESSAGES, 9),
        limit_add("b", ACTION_REJECT, KEY_LOGIN, UNIT_MESSAGES, 9),
        limit_add("c", ACTION_REJECT, KEY_CLIENT, UNIT_MESSAGES, 9),
        limit_add("d", ACTION_REJECT, KEY_SENDER_DOMAIN, UNIT_MESSAGES, 9),
        limit_add("e", ACTION_REJECT, KEY_ALL, UNIT_RECIPIENTS, 9),
    };
    static const char *const subjects[] = {"login:alice@own", "login:alice@own",
                                           "client:2001:db8:1:2::/64", "domain:else",
                                           "all"};
    envelope.login = "Alice";
    envelope.client = "2001:db8:1:2::9";
    seal();
    plan_for("five+1@own five+2@own");
    ck_assert_uint_eq(plan.charge_count, 5);
    for (size_t i = 0; i < 5; i++)
        expect_charge(i, keys[i], subjects[i], i == 4 ? 10 : 1);
    envelope.login = NULL;
    envelope.sender = "<>";
    plan_for("x@own");
    ck_assert_uint_eq(plan.charge_count, 3);
    ck_assert_int_eq(plan.conditions[1], CONDITION_KEY);
    ck_assert_int_eq(plan.conditions[3], CONDITION_KEY);
    ck_assert_str_eq(plan.charges[0].subject, "client:2001:db8:1:2::/64");
}
END_TEST

START_TEST(plan_charges_each_list_its_own)
{
    struct rule *sizes = limit_add("sizes", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 99);
    struct rule *ones = limit_add("ones", ACTION_REJECT, KEY_LIST, UNIT_MESSAGES, 99);
    seal();
    plan_for("three@own x@own five@own");
    ck_assert_uint_eq(plan.charge_count, 4);
    ck_assert_uint_eq(plan.steps[0].lists, 2);
    expect_charge(0, sizes, "list:five@own", 5);
    expect_charge(1, sizes, "list:three@own", 3);
    expect_charge(2, ones, "list:five@own", 1);
    expect_charge(3, ones, "list:three@own", 1);
}
END_TEST

START_TEST(plan_spellings_of_a_list_add_up)
{
    struct rule *sizes = limit_add("sizes", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 99);
    struct rule *ones = limit_add("ones", ACTION_REJECT, KEY_LIST, UNIT_MESSAGES, 99);
    seal();
    plan_for("five@own <five@own> five+1@own five+2@own five@too five@[127.0.0.1]");
    ck_assert_uint_eq(plan.charge_count, 2);
    expect_charge(0, sizes, "list:five@own", 30);
    expect_charge(1, ones, "list:five@own", 1);
}
END_TEST

START_TEST(plan_list_key_follows_to)
{
    struct rule *rule = limit_add("r", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 99);
    rule->to = elements_of("list:five@own");
    seal();
    /* the list that was addressed is charged, not the one within */
    plan_for("three@own holder@own");
    ck_assert_uint_eq(plan.charge_count, 1);
    expect_charge(0, rule, "list:holder@own", 6);
    plan_for("three@own");
    ck_assert_uint_eq(plan.charge_count, 0);
    ck_assert_int_eq(plan.conditions[0], CONDITION_TO);
}
END_TEST

/* Two sources may have a list of one name: at one address both together answer, at
 * another only one. That is one bucket, since a store must not be asked for the same one
 * twice. */
START_TEST(plan_lists_of_one_name_are_one_bucket)
{
    struct rule *rule = limit_add("r", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 99);
    uint32_t again;
    ck_assert_int_eq(
        directory_add_list(directory, "five@own", "/other", LIST_OK, 1, &again),
        STATUS_OK);
    ck_assert_int_eq(directory_add_member(directory, again, "q@own", 5, "own", NULL),
                     STATUS_OK);
    bind_list("five@own", again);
    seal();
    plan_for("five@own five@too");
    ck_assert_uint_eq(plan.charge_count, 1);
    expect_charge(0, rule, "list:five@own", 6 + 5);
    ck_assert_uint_eq(plan.steps[0].lists, 1);
}
END_TEST

/* Writes to l0@own to l(count - 1)@own. */
static void plan_for_lists(unsigned count)
{
    char words[2000];
    size_t length = 0;
    for (unsigned i = 0; i < count; i++)
        length += (size_t)snprintf(words + length, sizeof words - length, "l%u@own ", i);
    plan_for(words);
}

static void add_lists(unsigned count)
{
    char name[32];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "l%u@own", i);
        (void)list_of(name, "p1@own p2@own");
    }
}

START_TEST(plan_sixty_four_lists_are_charged)
{
    (void)limit_add("r", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 99);
    struct rule *below = limit_add("below", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 99);
    add_lists(PLAN_LIST_BUCKETS_MAX);
    seal();
    plan_for_lists(PLAN_LIST_BUCKETS_MAX);
    ck_assert_uint_eq(plan.steps[0].charge_count, PLAN_LIST_BUCKETS_MAX);
    ck_assert_uint_eq(plan.charge_count, PLAN_LIST_BUCKETS_MAX + 1);
    expect_charge(PLAN_LIST_BUCKETS_MAX, below, "all", 1);
    ck_assert_ptr_null(plan.decides);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);
    for (size_t i = 0; i < plan.charge_count; i++)
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(plan.charges[i].subject, plan.charges[j].subject);
}
END_TEST

START_TEST(plan_sixty_five_lists_decide)
{
    struct rule *rule = limit_add("r", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 99);
    struct rule *below = limit_add("below", ACTION_REJECT, KEY_ALL, UNIT_MESSAGES, 99);
    add_lists(PLAN_LIST_BUCKETS_MAX + 1);
    seal();
    plan_for_lists(PLAN_LIST_BUCKETS_MAX + 1);
    ck_assert_ptr_eq(plan.decides, rule);
    ck_assert_int_eq(plan.mode, CHARGE_LATCH);
    ck_assert_uint_eq(plan.charge_count, 0);
    ck_assert_uint_eq(plan.steps[0].lists, PLAN_LIST_BUCKETS_MAX + 1);
    ck_assert_uint_eq(plan.rules_walked, 1);

    rule->monitor = true;
    plan_for_lists(PLAN_LIST_BUCKETS_MAX + 1);
    ck_assert_ptr_null(plan.decides);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);
    ck_assert_uint_eq(plan.charge_count, 1);
    expect_charge(0, below, "all", 1);
}
END_TEST

/* ---- surges, threads and campaigns ---- */

START_TEST(plan_surge_charges_copies)
{
    struct rule *surge = surge_add("surge", ACTION_QUARANTINE, KEY_SENDER, 500);
    struct rule *watch = surge_add("watch", ACTION_REJECT, KEY_ALL, 500);
    struct rule *limit = limit_add("limit", ACTION_DEFER, KEY_ALL, UNIT_MESSAGES, 9);
    surge->latch_ms = 1000;
    limit->latch_ms = 2000;
    watch->monitor = true;
    seal();
    plan_for("five+1@own five+2@own q@else");
    ck_assert_uint_eq(plan.step_count, 3);
    ck_assert_uint_eq(plan.charge_count, 3);
    expect_charge(0, surge, "sender:s@else", 11);
    expect_charge(1, watch, "all", 11);
    expect_charge(2, limit, "all", 1);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);
}
END_TEST

START_TEST(plan_surge_has_a_window_for_each_list)
{
    struct rule *surge = surge_add("surge", ACTION_QUARANTINE, KEY_LIST, 500);
    seal();
    plan_for("three@own x@own five@own");
    ck_assert_uint_eq(plan.charge_count, 2);
    expect_charge(0, surge, "list:five@own", 5);
    expect_charge(1, surge, "list:three@own", 3);
}
END_TEST

/* What is above a rule that stops the message is asked all the same: a latch may be
 * due. */
START_TEST(plan_stopped_by_matching_still_asks)
{
    struct rule *surge = surge_add("surge", ACTION_QUARANTINE, KEY_SENDER, 500);
    struct rule *reject = rule_add("reject", ACTION_REJECT);
    seal();
    plan_for("x@own");
    ck_assert_ptr_eq(plan.decides, reject);
    ck_assert_int_eq(plan.mode, CHARGE_LATCH);
    ck_assert_uint_eq(plan.charge_count, 1);
    expect_charge(0, surge, "sender:s@else", 1);
}
END_TEST

/* What goes to several lists goes to all of them, whichever of them is short. */
START_TEST(plan_lists_of_one_rule_come_along)
{
    (void)surge_add("lists", ACTION_REJECT, KEY_LIST, 500);
    (void)surge_add("sender", ACTION_REJECT, KEY_SENDER, 500);
    (void)surge_add("lists2", ACTION_REJECT, KEY_LIST, 500);
    seal();
    plan_for("five@own five+1@own three@own");
    ck_assert_uint_eq(plan.charge_count, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(plan.charges[i].along, i == 1 || i == 4);
}
END_TEST

START_TEST(plan_global_monitor_teaches)
{
    struct rule *surge = surge_add("surge", ACTION_REJECT, KEY_SENDER, 500);
    struct rule *decides = rule_add("decides", ACTION_REJECT);
    seal();
    policy.monitor = true;
    plan_for("x@own");
    ck_assert(plan.charges[0].trains);
    ck_assert(!plan.charges[0].monitor);
    expect_charge(0, surge, "sender:s@else", 1);
    ck_assert_ptr_eq(plan.decides, decides);
    ck_assert_int_eq(plan.mode, CHARGE_LATCH);
    policy.monitor = false;
    plan_for("x@own");
    ck_assert(!plan.charges[0].trains);
}
END_TEST

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

START_TEST(plan_allowed_surge_learns_and_stops_nothing)
{
    struct rule *surge = surge_add("surge", ACTION_REJECT, KEY_SENDER, 500);
    struct rule *limit = limit_add("limit", ACTION_REJECT, KEY_SENDER, UNIT_MESSAGES, 9);
    char subject[] = "sender:s@else";
    struct allowance allowances[] = {
        {.fingerprint = surge->fingerprint, .subject = subject, .until_ms = 1000},
        {.fingerprint = limit->fingerprint, .subject = subject, .until_ms = 1000}};
    struct brakes brakes = {.allowances = allowances, .allowance_count = 2};
    surge->latch_ms = 5000;
    view.brakes = &brakes;
    view.now_ms = 999;
    seal();
    plan_for("five@own");
    ck_assert_int_eq(plan.conditions[0], CONDITION_ALLOWED);
    ck_assert_int_eq(plan.conditions[1], CONDITION_ALLOWED);
    ck_assert_uint_eq(plan.step_count, 0);
    ck_assert_uint_eq(plan.charge_count, 1);
    ck_assert_ptr_eq(plan.charges[0].surge, &surge->surge);
    ck_assert_int_eq(plan.charges[0].cost, 5);
    ck_assert_int_eq(plan.charges[0].latch_ms, 0);
    ck_assert(plan.charges[0].monitor);
    ck_assert_int_eq(plan.mode, CHARGE_TAKE);

    view.now_ms = 1000; /* over */
    plan_for("five@own");
    ck_assert_uint_eq(plan.step_count, 2);
    expect_charge(0, surge, subject, 5);
    expect_charge(1, limit, subject, 1);
}
END_TEST

/* Who is let write to one list is not let write to all of them by naming that one. */
START_TEST(plan_allowed_list_lets_no_other_pass)
{
    struct rule *limit = limit_add("limit", ACTION_REJECT, KEY_LIST, UNIT_RECIPIENTS, 9);
    struct rule *surge = surge_add("surge", ACTION_REJECT, KEY_LIST, 500);
    char five_subject[] = "list:five@own";
    char three_subject[] = "list:three@own";
    struct allowance allowances[] = {
        {.fingerprint = limit->fingerprint, .subject = five_subject, .until_ms = 1000},
        {.fingerprint = surge->fingerprint, .subject = five_subject, .until_ms = 1000},
        {.fingerprint = limit->fingerprint, .subject = three_subject, .until_ms = 1000}};
    struct brakes brakes = {.allowances = allowances, .allowance_count = 2};
    surge->latch_ms = 5000;
    seal();
    view.brakes = &brakes;
    plan_for("five@own three@own");
    ck_assert_uint_eq(plan.step_count, 2);
    ck_assert_uint_eq(plan.charge_count, 3);
    expect_charge(0, limit, three_subject, 3);
    ck_assert_str_eq(plan.charges[1].subject, five_subject); /* learns */
    ck_assert(plan.charges[1].monitor);
    ck_assert_int_eq(plan.charges[1].latch_ms, 0);
    expect_charge(2, surge, three_subject, 3);

    brakes.allowance_count = 3; /* both lists, of the limit */
    plan_for("five@own three@own");
    ck_assert_int_eq(plan.conditions[0], CONDITION_ALLOWED);
    ck_assert_int_eq(plan.conditions[1], CONDITION_NONE);
    plan_for("three@own x@own");
    ck_assert_int_eq(plan.conditions[0], CONDITION_ALLOWED);
    plan_for("five@own");
    ck_assert_int_eq(plan.conditions[1], CONDITION_ALLOWED);
    plan_for("x@own");
    ck_assert_int_eq(plan.conditions[0], CONDITION_KEY);
}
END_TEST

/* Ann has confirmed under a rule: so many copies of hers pass it. */
static struct allowance confirmed_by(const struct rule *rule, char *subject, char *by,
                                     char *id)
{
    struct allowance allowance =
        brakes_borrow_allowance(rule->fingerprint, subject, 1000);
    allowance.id = id;
    allowance.by = by;
    allowance.rate = permit_rate(10, 0, 1000);
    return allowance;
}

START_TEST(plan_confirmed_copies_stand_for_the_rules_own_charges)
{
    struct rule *surge = surge_add("surge", ACTION_CONFIRM, KEY_LOGIN, 3);
    struct rule *plain = rule_add("plain", ACTION_CONFIRM);
    char id[] = "0011", other_id[] = "0022", by[] = "login:ann@own";
    char subject[] = "login:ann@own";
    struct allowance allowances[] = {confirmed_by(surge, subject, by, id),
                                     confirmed_by(plain, subject, by, other_id)};
    struct brakes brakes = {.allowances = allowances, .allowance_count = 2};
    view.brakes = &brakes;
    envelope.login = "ann";
    seal();
    plan_for("five@own");
    ck_assert_uint_eq(plan.step_count, 2);
    ck_assert_ptr_null(plan.decides);
    ck_assert_uint_eq(plan.charge_count, 3);
    ck_assert_ptr_eq(plan.charges[0].surge, &surge->surge); /* it learns */
    ck_assert(plan.charges[0].monitor);
    for (size_t i = 0; i < 2; i++) {
        const struct plan_step *step = &plan.steps[i];
        const struct charge *charge = &plan.charges[step->charge];
        ck_assert_ptr_eq(step->confirmed, &allowances[i]);
        ck_assert_uint_eq(step->charge_count, 1);
        ck_assert_str_eq(charge->fingerprint, CONFIRMED_FINGERPRINT);
        ck_assert_str_eq(charge->subject, allowances[i].id);
        ck_assert_int_eq(charge->cost, 5);
        ck_assert(!charge->monitor);
    }

    view.used_up = true;
    plan_for("five@own");
    ck_assert_ptr_eq(plan.decides, plain);
    ck_assert_ptr_null(plan.steps[0].confirmed);
    view.used_up = false;
    policy.monitor = true; /* judged once, so that nothing learns twice */
    plan_for("five@own");
    ck_assert_ptr_null(plan.steps[0].confirmed);
    policy.monitor = false;
    envelope.login = "bob";
    plan_for("five@own");
    ck_assert_ptr_null(plan.steps[0].confirmed);
    envelope.login = "ann";
    view.now_ms = 1000; /* over */
    plan_for("five@own");
    ck_assert_ptr_null(plan.steps[0].confirmed);
}
END_TEST

/* What is let pass of one list says nothing about another one in the same message. */
START_TEST(plan_confirmed_list_is_that_list)
{
    struct rule *limit = limit_add("limit", ACTION_CONFIRM, KEY_LIST, UNIT_RECIPIENTS, 9);
    char id[] = "0011", by[] = "login:ann@own", subject[] = "list:five@own";
    struct allowance allowance = confirmed_by(limit, subject, by, id);
    struct brakes brakes = {.allowances = &allowance, .allowance_count = 1};
    view.brakes = &brakes;
    envelope.login = "ann";
    seal();
    plan_for("five@own");
    ck_assert_ptr_eq(plan.steps[0].confirmed, &allowance);
    plan_for("three@own");
    ck_assert_ptr_null(plan.steps[0].confirmed);
    plan_for("five@own three@own");
    ck_assert_ptr_null(plan.steps[0].confirmed);
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
    Suite *suite = suite_create("plan");
    TCase *cases = tcase_create("plan");
    tcase_add_checked_fixture(cases, begin, message_end);
    tcase_add_test(cases, plan_without_rules_commits);
    tcase_add_test(cases, plan_steps_in_order_down_to_what_decides);
    tcase_add_test(cases, plan_accept_charges_what_is_above);
    tcase_add_test(cases, plan_monitor_never_ends_the_walk);
    tcase_add_test(cases, plan_charges_by_key);
    tcase_add_test(cases, plan_charges_each_list_its_own);
    tcase_add_test(cases, plan_spellings_of_a_list_add_up);
    tcase_add_test(cases, plan_list_key_follows_to);
    tcase_add_test(cases, plan_lists_of_one_name_are_one_bucket);
    tcase_add_test(cases, plan_sixty_four_lists_are_charged);
    tcase_add_test(cases, plan_sixty_five_lists_decide);
    tcase_add_test(cases, plan_surge_charges_copies);
    tcase_add_test(cases, plan_surge_has_a_window_for_each_list);
    tcase_add_test(cases, plan_stopped_by_matching_still_asks);
    tcase_add_test(cases, plan_lists_of_one_rule_come_along);
    tcase_add_test(cases, plan_global_monitor_teaches);
    tcase_add_test(cases, plan_threads_are_one_subject);
    tcase_add_test(cases, plan_from_is_the_element_that_matched_first);
    tcase_add_test(cases, plan_campaigns_hide_their_words);
    tcase_add_test(cases, plan_campaigns_are_hashed_with_the_key);
    tcase_add_test(cases, plan_topic_is_the_same_for_all_senders);
    tcase_add_test(cases, plan_without_topic_does_not_match);
    tcase_add_test(cases, plan_without_campaign_does_not_match);
    tcase_add_test(cases, plan_longest_campaign_is_whole);
    tcase_add_test(cases, plan_allowed_surge_learns_and_stops_nothing);
    tcase_add_test(cases, plan_allowed_list_lets_no_other_pass);
    tcase_add_test(cases, plan_confirmed_copies_stand_for_the_rules_own_charges);
    tcase_add_test(cases, plan_confirmed_list_is_that_list);
    tcase_add_test(cases, plan_rules_of_one_message_share_its_words);
    tcase_add_test(cases, plan_subject_names_an_incident);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
