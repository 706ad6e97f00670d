/* Which conditions hold for which message. */
#include "message_fixture.h"
#include "run.h"

static void begin(void)
{
    message_begin();
    uint32_t all = list_of("all@own", "pupil1@own pupil2@own ann@else");
    (void)list_of("staff@own", "teacher@own");
    (void)list_of("outer@own", "all@own boss@own");
    (void)list_of("outermost@own", "outer@own");
    bind_list("all@too", all);
    redirect("everybody@own", "all@own");
    redirect("office@own", "teacher@own");
    seal();
}

/* ---- from ---- */

static const struct {
    const char *from;
    const char *login, *sender, *client;
    bool local, matches;
} senders[] = {
    /* logins: with and without a domain, in any case, never by MAIL FROM */
    {"login:alice", "alice", "", "1.2.3.4", false, true},
    {"login:alice", "Alice@own", "", "1.2.3.4", false, true},
    {"login:ALICE", "alice@own", "", "1.2.3.4", false, true},
    {"login:alice", "alice@realm", "", "1.2.3.4", false, false},
    {"login:al*", "alice@realm", "", "1.2.3.4", false, true},
    {"login:alice@own", "alice", "", "1.2.3.4", false, true},
    {"login:alice@own", "alice@realm", "", "1.2.3.4", false, false},
    {"login:alice", NULL, "alice@own", "10.1.1.1", false, false},
    {"login:al*", "alice", "", "1.2.3.4", false, true},
    {"login:al*e@*", "alice", "", "1.2.3.4", false, true},
    {"login:*@own", "alice@realm", "", "1.2.3.4", false, false},
    {"login:*", "alice", "", "1.2.3.4", false, true},
    {"login:*", "alice@x@own", "", "1.2.3.4", false, true},
    {"login:*", "@", "", "1.2.3.4", false, true},
    {"login:*", NULL, "alice@own", "10.1.1.1", false, false},
    {"login:lice", "alice", "", "1.2.3.4", false, false},
    /* own addresses: of a login, or of a trusted client */
    {"p@own", "p", "x@else", "1.2.3.4", false, true},
    {"p@own", "q", "p@own", "1.2.3.4", false, false},
    {"p@own", NULL, "p@own", "1.2.3.4", false, false},
    {"p@own", NULL, "p@own", "10.1.1.1", false, true},
    {"p@own", "q", "p@own", "10.1.1.1", false, true},
    {"p@own", NULL, "p+t@own", "127.0.0.1", true, true},
    {"p@own", "p+t", "", "1.2.3.4", false, true},
    {"p@own", "p+t@realm", "", "1.2.3.4", false, false},
    {"login:p", "p+t", "", "1.2.3.4", false, false},
    {"p*@own", NULL, "pq@own", "1.2.3.4", false, false},
    {"@own", NULL, "pq@own", "1.2.3.4", false, false},
    {"@own", "pq", "", "1.2.3.4", false, true},
    {"@own", NULL, "pq@own", "10.1.1.1", false, true},
    {"*@*", NULL, "pq@own", "1.2.3.4", false, false},
    /* foreign addresses: of MAIL FROM, whoever says it; not of a login in that realm */
    {"p@else", NULL, "P@Else", "1.2.3.4", false, true},
    {"@else", "alice", "p@else", "1.2.3.4", false, true},
    {"*@else", NULL, "p@sub.else", "1.2.3.4", false, false},
    {"@else", NULL, "p@sub.else", "1.2.3.4", false, false},
    {"*@*.else", NULL, "p@sub.else", "1.2.3.4", false, true},
    {"p@else", "p@else", "x@own", "1.2.3.4", false, false},
    {"p@else", NULL, "p+t@else", "1.2.3.4", false, false},
    {"p*@else", NULL, "p+t@else", "1.2.3.4", false, true},
    {"*@*", NULL, "<>", "1.2.3.4", false, false},
    {"*@*", NULL, "\"a@b\"@else", "1.2.3.4", false, false},
    /* the null sender */
    {"<>", NULL, "<>", "1.2.3.4", false, true},
    {"<>", "alice", "", "1.2.3.4", false, false},
    {"<>", "alice", "<>", "127.0.0.1", true, false},
    {"<>", NULL, "<>", "127.0.0.1", true, true},
    {"<>", NULL, "<x@else>", "1.2.3.4", false, false},
    /* clients */
    {"client:1.2.3.0/24", NULL, "", "1.2.3.4", false, true},
    {"client:1.2.3.4", NULL, "", "::ffff:1.2.3.4", false, true},
    {"client:1.2.3.5", NULL, "", "1.2.3.4", false, false},
    {"client:0.0.0.0/0", NULL, "", "2001:db8::1", false, false},
    {"client:::/0", NULL, "", "1.2.3.4", false, false},
    {"client:::/0", NULL, "", "2001:db8::1", false, true},
    {"client:2001:db8::/32", NULL, "", "2001:db8:ffff::1", false, true},
    {"client:0.0.0.0/0", NULL, "", NULL, false, false},
    {"client:127.0.0.1", NULL, "", "127.0.0.1", true, false},
    {"client:local", NULL, "", "127.0.0.1", true, true},
    {"client:local", NULL, "", "127.0.0.1", false, false},
    /* members of lists */
    {"list:all@own", "pupil1", "", "1.2.3.4", false, true},
    {"list:all@own", "pupil1@own", "x@else", "1.2.3.4", false, true},
    {"list:all@own", "pupil1@realm", "", "1.2.3.4", false, false},
    {"list:all@own", NULL, "pupil1@own", "1.2.3.4", false, false},
    {"list:all@own", NULL, "pupil1+x@own", "10.1.1.1", false, true},
    {"list:all@own", NULL, "ann@else", "1.2.3.4", false, false},
    {"list:all@too", "pupil1", "", "1.2.3.4", false, true},
    {"list:everybody@own", "pupil1", "", "1.2.3.4", false, true},
    {"list:outermost@own", "pupil1", "", "1.2.3.4", false, true},
    {"list:outer@own", "teacher", "", "1.2.3.4", false, false},
    {"list:missing@own", "pupil1", "", "1.2.3.4", false, false},
    {"list:staff@own", "office", "", "1.2.3.4", false, true},
    /* some of several */
    {"login:bob p@else", NULL, "p@else", "1.2.3.4", false, true},
    {"login:bob p@else", "al", "q@else", "1.2.3.4", false, false},
};

START_TEST(match_sender_by_element)
{
    struct elements elements = elements_of(senders[_i].from);
    envelope.login = senders[_i].login;
    envelope.sender = senders[_i].sender;
    envelope.client = senders[_i].client;
    envelope.local = senders[_i].local;
    to("x@own");
    gather();
    ck_assert_msg((match_sender(&view, &elements) != NULL) == senders[_i].matches,
                  "%s, login %s, sender %s", senders[_i].from, facts.login.text,
                  facts.sender.text);
    elements_clear(&elements);
}
END_TEST

START_TEST(match_sender_of_nothing_is_nobody)
{
    struct elements none = {0};
    to("x@own");
    gather();
    ck_assert_ptr_null(match_sender(&view, &none));
    ck_assert(!match_client(&facts, &none));
}
END_TEST

/* A set that has been asked for is not looked at again in the same walk. */
START_TEST(match_sender_is_remembered)
{
    struct elements first = elements_of("login:ann login:bob");
    struct elements same = elements_of("login:ann login:bob");
    struct elements other = elements_of("login:ann");
    struct elements unnumbered = elements_of("login:ann login:bob");
    size_t answers[2] = {0};
    struct memo memo = {.senders = answers};
    first.sender_set = same.sender_set = 1;
    other.sender_set = 2;
    envelope.login = "bob";
    to("x@own");
    gather();
    view.memo = &memo;
    ck_assert_ptr_eq(match_sender(&view, &first), &first.items[1]);
    ck_assert_ptr_null(match_sender(&view, &other));
    facts.login.text[0] = 'x';
    ck_assert_ptr_eq(match_sender(&view, &same), &same.items[1]);
    ck_assert_ptr_null(match_sender(&view, &unnumbered));
    facts.login = (struct address){.text = "ann@own", .at = 3, .length = 7};
    ck_assert_ptr_null(match_sender(&view, &other));
    elements_clear(&first);
    elements_clear(&same);
    elements_clear(&other);
    elements_clear(&unnumbered);
}
END_TEST

/* ---- to ---- */

static const struct {
    const char *elements;
    const char *to;
    bool some;  /* to: under reject, and so on; to_not: does not hold */
    bool every; /* to: under accept */
} targets[] = {
    {"x@own", "x@own", true, true},
    {"x@own", "X+t@own", true, true},
    {"x@own", "x@own y@own", true, false},
    {"x@own", "y@own", false, false},
    {"x@own y@own", "x@own y@own", true, true},
    {"x+t@own", "x+t@own", true, true},
    {"x+t@own", "x@own", false, false},
    {"*@own", "x@own y+t@own", true, true},
    {"*@own", "x@else", false, false},
    {"@else", "x@else", true, true},
    {"@else", "x@sub.else", false, false},
    {"@own", "x@own all@own", true, true},
    {"teacher@own", "office@own", true, true},
    {"office@own", "office+x@own", true, true},
    {"off*@own", "office+x@own", true, true},
    {"x@own", "\"x+y\"@own", true, true},
    {"x@else", "x+t@else", false, false},
    /* lists, at all their addresses */
    {"list:all@own", "all@own", true, true},
    {"list:all@own", "all+t@own", true, true},
    {"list:all@own", "all@too", true, true},
    {"list:all@own", "all@[127.0.0.1]", true, true},
    {"list:all@own", "everybody@own", true, true},
    {"list:everybody@own", "all@too", true, true},
    {"list:all@own", "pupil1@own", false, false},
    {"list:staff@own", "all@own", false, false},
    /* through another one: reached, but not a right to write to that one */
    {"list:all@own", "outermost@own", true, false},
    {"list:outer@own", "outermost@own", true, false},
    {"list:outermost@own", "all@own", false, false},
    {"list:all@own list:outermost@own", "outermost@own all@own", true, true},
    {"list:*", "all@own outermost+x@own", true, true},
    {"list:*", "all@own x@own", true, false},
    {"list:*", "x@own", false, false},
    {"list:missing@own", "all@own", false, false},
    {"all@own", "all@own", true, true},
    {"all@own", "all@too", true, true},
};

START_TEST(match_recipients_by_element)
{
    struct rule *reject = rule_add("reject", ACTION_REJECT);
    struct rule *accept = rule_add("accept", ACTION_ACCEPT);
    struct rule *except = rule_add("except", ACTION_REJECT);
    reject->to = elements_of(targets[_i].elements);
    accept->to = elements_of(targets[_i].elements);
    except->to_not = elements_of(targets[_i].elements);
    to(targets[_i].to);
    gather();
    ck_assert_int_eq(match_rule(&view, reject),
                     targets[_i].some ? CONDITION_NONE : CONDITION_TO);
    ck_assert_int_eq(match_rule(&view, accept),
                     targets[_i].every ? CONDITION_NONE : CONDITION_TO);
    ck_assert_int_eq(match_rule(&view, except),
                     targets[_i].some ? CONDITION_TO_NOT : CONDITION_NONE);
}
END_TEST

/* ---- the rest ---- */

START_TEST(match_names_the_first_that_fails)
{
    struct rule *rule = rule_add("r", ACTION_REJECT);
    to("x@own");
    gather();
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_NONE);
    rule->has_limit = true;
    rule->key = KEY_LOGIN;
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_KEY);
    rule->over[MEASURE_REACH] = 1;
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_OVER);
    rule->automatic = YES;
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_AUTOMATIC);
    rule->reply = YES;
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_REPLY);
    rule->origin = ORIGIN_LOCAL;
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_ORIGIN);
    ck_assert_int_eq(hours_parse("Mon", &rule->hours_not, NULL), STATUS_OK);
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_HOURS_NOT);
    ck_assert_int_eq(hours_parse("Tue", &rule->hours, NULL), STATUS_OK);
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_HOURS);
    rule->to_not = elements_of("x@own");
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_TO_NOT);
    rule->to = elements_of("y@own");
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_TO);
    rule->from_not = elements_of("s@else");
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_FROM_NOT);
    rule->from = elements_of("t@else");
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_FROM);
}
END_TEST

START_TEST(match_tristates_and_origin)
{
    struct rule *rule = rule_add("r", ACTION_REJECT);
    to("x@own");
    gather();
    for (int is = 0; is < 2; is++) {
        facts.reply = is;
        facts.automatic = is;
        facts.origin = is ? ORIGIN_LOCAL : ORIGIN_SMTP;
        rule->reply = is ? YES : NO;
        rule->automatic = is ? YES : NO;
        rule->origin = is ? ORIGIN_LOCAL : ORIGIN_SMTP;
        ck_assert_int_eq(match_rule(&view, rule), CONDITION_NONE);
        rule->reply = is ? NO : YES;
        ck_assert_int_eq(match_rule(&view, rule), CONDITION_REPLY);
        rule->reply = ANY;
        rule->automatic = is ? NO : YES;
        ck_assert_int_eq(match_rule(&view, rule), CONDITION_AUTOMATIC);
        rule->automatic = ANY;
        rule->origin = is ? ORIGIN_SMTP : ORIGIN_LOCAL;
        ck_assert_int_eq(match_rule(&view, rule), CONDITION_ORIGIN);
    }
}
END_TEST

START_TEST(match_over_means_more_and_all_of_them)
{
    struct rule *rule = rule_add("r", ACTION_REJECT);
    to("x@own");
    gather();
    for (size_t i = 0; i < MEASURE_COUNT; i++) {
        facts.measures[i] = 0;
        rule->over[i] = 0;
    }
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_OVER);
    for (size_t i = 0; i < MEASURE_COUNT; i++) {
        ck_assert_int_eq(match_rule(&view, rule), CONDITION_OVER);
        facts.measures[i] = 1;
    }
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_NONE);
    rule->over[MEASURE_REACH] = 1;
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_OVER);
}
END_TEST

static const struct {
    enum key key;
    const char *login, *sender, *to, *elements;
    bool has;
} subjects[] = {
    {KEY_SENDER, NULL, "<>", "x@own", NULL, true},
    {KEY_CLIENT, NULL, "<>", "x@own", NULL, true},
    {KEY_ALL, NULL, "<>", "x@own", NULL, true},
    {KEY_LOGIN, "alice", "<>", "x@own", NULL, true},
    {KEY_LOGIN, NULL, "alice@own", "x@own", NULL, false},
    {KEY_SENDER_DOMAIN, "alice", "<>", "x@own", NULL, false},
    {KEY_SENDER_DOMAIN, NULL, "s@else", "x@own", NULL, true},
    {KEY_LIST, NULL, "<>", "x@own", NULL, false},
    {KEY_LIST, NULL, "<>", "x@own all@own", NULL, true},
    {KEY_LIST, NULL, "<>", "outermost@own", "list:all@own", true},
    {KEY_LIST, NULL, "<>", "staff@own x@own", "list:all@own x@own", false},
};

START_TEST(match_wants_a_topic)
{
    struct rule *topic = limit_add("t", ACTION_REJECT, KEY_TOPIC, UNIT_MESSAGES, 1);
    to("x@own");
    gather();
    ck_assert_int_eq(match_rule(&view, topic), CONDITION_KEY);
    header("Subject", "Re: \t");
    gather();
    ck_assert_int_eq(match_rule(&view, topic), CONDITION_KEY);
    headers[0].value = "Re: Lunch";
    gather();
    ck_assert_int_eq(match_rule(&view, topic), CONDITION_NONE);
    headers[0].value = "";
    gather();
    topic->has_limit = false; /* then it only names incidents */
    ck_assert_int_eq(match_rule(&view, topic), CONDITION_NONE);
}
END_TEST

START_TEST(match_wants_a_thread_and_a_campaign)
{
    struct rule *thread = limit_add("t", ACTION_REJECT, KEY_THREAD, UNIT_MESSAGES, 1);
    struct rule *campaign = surge_add("c", ACTION_REJECT, KEY_CAMPAIGN, 500);
    to("x@own");
    gather();
    ck_assert_int_eq(match_rule(&view, thread), CONDITION_KEY);
    header("Message-ID", "<a@else>");
    gather();
    ck_assert_int_eq(match_rule(&view, thread), CONDITION_NONE);
    ck_assert_int_eq(match_rule(&view, campaign), CONDITION_NONE);
    free(facts.campaign);
    facts.campaign = NULL;
    facts.thread[0] = '\0';
    ck_assert_int_eq(match_rule(&view, thread), CONDITION_KEY);
    ck_assert_int_eq(match_rule(&view, campaign), CONDITION_KEY);
    thread->has_limit = campaign->has_surge = false; /* then it only names incidents */
    ck_assert_int_eq(match_rule(&view, thread), CONDITION_NONE);
    ck_assert_int_eq(match_rule(&view, campaign), CONDITION_NONE);
}
END_TEST

START_TEST(match_wants_the_subject_of_a_limit)
{
    struct rule *rule = limit_add("r", ACTION_REJECT, subjects[_i].key, UNIT_MESSAGES, 1);
    if (subjects[_i].elements != NULL)
        rule->to = elements_of(subjects[_i].elements);
    envelope.login = subjects[_i].login;
    envelope.sender = subjects[_i].sender;
    to(subjects[_i].to);
    gather();
    ck_assert_int_eq(match_rule(&view, rule),
                     subjects[_i].has ? CONDITION_NONE : CONDITION_KEY);
    rule->has_limit = false; /* then the key only names incidents */
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_NONE);
}
END_TEST

START_TEST(match_sender_without_domain_has_none)
{
    struct rule *rule =
        limit_add("r", ACTION_REJECT, KEY_SENDER_DOMAIN, UNIT_MESSAGES, 1);
    struct domains kept = policy.domains;
    policy.domains = (struct domains){0};
    envelope.sender = "root";
    to("x@own");
    gather();
    ck_assert_int_eq(match_rule(&view, rule), CONDITION_KEY);
    policy.domains = kept;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("match");
    TCase *cases = tcase_create("match");
    tcase_add_checked_fixture(cases, begin, message_end);
    tcase_add_loop_test(cases, match_sender_by_element, 0,
                        (int)(sizeof senders / sizeof senders[0]));
    tcase_add_test(cases, match_sender_of_nothing_is_nobody);
    tcase_add_test(cases, match_sender_is_remembered);
    tcase_add_loop_test(cases, match_recipients_by_element, 0,
                        (int)(sizeof targets / sizeof targets[0]));
    tcase_add_test(cases, match_names_the_first_that_fails);
    tcase_add_test(cases, match_tristates_and_origin);
    tcase_add_test(cases, match_over_means_more_and_all_of_them);
    tcase_add_loop_test(cases, match_wants_the_subject_of_a_limit, 0,
                        (int)(sizeof subjects / sizeof subjects[0]));
    tcase_add_test(cases, match_wants_a_topic);
    tcase_add_test(cases, match_wants_a_thread_and_a_campaign);
    tcase_add_test(cases, match_sender_without_domain_has_none);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
