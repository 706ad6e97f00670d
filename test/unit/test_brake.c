/* Keys of brakes as typed and as kept, and the messages that they stop. */
#include "message_fixture.h"

#include "policy/brake.h"
#include "run.h"

enum { NOW_MS = 1000000 };

static struct brake items[4];
static struct brakes brakes = {.items = items};

static void setup(void)
{
    message_begin();
    brakes.count = 0;
}

static void teardown(void)
{
    for (size_t i = 0; i < brakes.count; i++)
        brake_clear(&items[i]);
    brakes.count = 0;
    message_end();
}

static void expect_key(const char *text, const char *key)
{
    struct brake_key parsed;
    struct error error = {0};
    ck_assert_msg(brake_key_parse(text, &own, NULL, &parsed, &error) == STATUS_OK,
                  "%s: %s", text, error.text);
    ck_assert_str_eq(parsed.text, key);
    struct brake_key again;
    ck_assert_int_eq(brake_key_parse(key, &own, NULL, &again, NULL), STATUS_OK);
    ck_assert_str_eq(again.text, key);
    ck_assert_int_eq(again.kind, parsed.kind);
    ck_assert_int_eq(memcmp(&again.network, &parsed.network, sizeof again.network), 0);
    brake_key_clear(&again);
    brake_key_clear(&parsed);
}

static void set(const char *key)
{
    struct brake *brake = &items[brakes.count];
    ck_assert_int_eq(brake_key_parse(key, &own, NULL, &brake->key, NULL), STATUS_OK);
    brake->action = ACTION_DEFER;
    brake->until_ms = INT64_MAX;
    brakes.count++;
}

static bool stopped(void)
{
    gather();
    return brake_find(&brakes, &facts, directory, NOW_MS) != NULL;
}

START_TEST(brake_keys_are_canonical)
{
    expect_key("all", "all");
    expect_key("login:Alice", "login:alice@own");
    expect_key("login:alice@", "login:alice@own");
    expect_key("login:ALICE@Realm", "login:alice@realm");
    expect_key("sender:A@OWN", "sender:a@own");
    expect_key("sender:a+tag@own", "sender:a@own");
    expect_key("sender:a+tag@else", "sender:a+tag@else");
    expect_key("sender:prvs=3123abcdef=a@else", "sender:a@else");
    expect_key("sender:SRS0=ab=T4=far=joe@fwd", "sender:joe@far");
    expect_key("login:a%own", "login:a@own");
    expect_key("Alice", "login:alice@own");
    expect_key("ann.bee", "login:ann.bee@own");
    expect_key("10.0.0.1.2", "login:10.0.0.1.2@own");
    expect_key("sender:\"a\"@else.", "sender:a@else");
    expect_key("sender:a", "sender:a@own");
    expect_key("sender:\"<b>, (a@b)*\"@else", "sender:\"<b>, (a@b)*\"@else");
    expect_key("sender:\"a\\\"b\"@else", "sender:\"a\\\"b\"@else");
    expect_key("list:All", "list:all@own");
    expect_key("domain:B\xc3\xbc"
               "cher.example",
               "domain:xn--bcher-kva.example");
    expect_key("login:ann@B\xc3\xbc"
               "cher.example",
               "login:ann@xn--bcher-kva.example");
    expect_key("client:local", "client:local");
}
END_TEST

START_TEST(brake_networks_are_canonical)
{
    expect_key("client:10.1.2.3", "client:10.1.2.3");
    expect_key("client:10.1.2.3/32", "client:10.1.2.3");
    expect_key("client:10.1.2.3/8", "client:10.0.0.0/8");
    expect_key("client:0.0.0.0/0", "client:0.0.0.0/0");
    expect_key("client:::ffff:10.1.2.3", "client:10.1.2.3");
    expect_key("client:2001:DB8::1", "client:2001:db8:0:0:0:0:0:1");
    expect_key("client:2001:db8:1:2:3:4:5:6/64", "client:2001:db8:1:2::/64");
    expect_key("client:1:2:3:4:5:6:7:0", "client:1:2:3:4:5:6:7:0");
    expect_key("client:::/0", "client:::/0");
}
END_TEST

START_TEST(brake_keys_that_match_nothing_are_refused)
{
    static const char *const texts[] = {"",
                                        "logn:alice",
                                        "10.0.0.1",
                                        "2001:db8::/32",
                                        "alice*",
                                        "alice@own",
                                        "ALL",
                                        "all ",
                                        "login:",
                                        "login:@",
                                        "login:a*",
                                        "sender:",
                                        "sender:<>",
                                        "sender:*@own",
                                        "sender:@own",
                                        "sender:a@b@c",
                                        "sender:\"a@b",
                                        "sender:\"a\"@b@c",
                                        "sender:\"a\"b@c, d@e",
                                        "list:*",
                                        "list:",
                                        "client:",
                                        "client:host",
                                        "client:1.2.3",
                                        "client:1.2.3.4/33",
                                        "domain:",
                                        "domain:a b",
                                        "domain:@own",
                                        "thread:x",
                                        "sender:a@own, b@own",
                                        "login:a\n",
                                        "login:\xff@own",
                                        "sender:a@own\x1b[2J"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct brake_key key = {.text = NULL};
        struct error error = {0};
        ck_assert_msg(brake_key_parse(texts[i], &own, NULL, &key, &error) ==
                          STATUS_INVALID,
                      "%s", texts[i]);
        ck_assert_str_ne(error.text, "");
        ck_assert_ptr_null(key.text);
    }
}
END_TEST

START_TEST(brake_login_stops_that_login_alone)
{
    seal();
    to("<x@else>");
    envelope.sender = "<alice@own>";
    set("login:alice");
    ck_assert(!stopped());
    envelope.login = "Alice";
    ck_assert(stopped());
    envelope.sender = "<other@else>";
    ck_assert(stopped());
    envelope.login = "bob";
    ck_assert(!stopped());
}
END_TEST

START_TEST(brake_login_as_it_may_be_typed)
{
    struct login_forms forms = {0};
    struct brake_key key = {.text = NULL};
    ck_assert_int_eq(login_forms_add(&forms, "DISTRICT=own", &own, NULL), STATUS_OK);
    ck_assert_int_eq(brake_key_parse("DISTRICT\\Ann", &own, &forms, &key, NULL),
                     STATUS_OK);
    ck_assert_str_eq(key.text, "login:ann@own");
    brake_key_clear(&key);
    login_forms_clear(&forms);
}
END_TEST

START_TEST(brake_sender_stops_mail_from_with_any_login)
{
    seal();
    to("<x@else>");
    set("sender:a@own");
    envelope.sender = "<A+b@own>";
    ck_assert(stopped());
    envelope.login = "carol";
    ck_assert(stopped());
    envelope.sender = "<>";
    ck_assert(!stopped());
    envelope.sender = "<b@own>";
    ck_assert(!stopped());
    envelope.sender = "<prvs=3123abcdef=a@own>";
    ck_assert(stopped());
}
END_TEST

START_TEST(brake_sender_stops_what_a_forwarder_rewrote)
{
    seal();
    to("<x@own>");
    set("sender:joe@far");
    envelope.sender = "<SRS0=ab=T4=far=joe@fwd>";
    ck_assert(stopped());
    envelope.sender = "<SRS0=cd=T5=far=ann@fwd>";
    ck_assert(!stopped());
    envelope.sender = "<joe@far>";
    ck_assert(stopped());
}
END_TEST

START_TEST(brake_client_stops_a_network)
{
    seal();
    to("<x@else>");
    set("client:203.0.113.0/24");
    ck_assert(stopped());
    envelope.client = "203.0.114.9";
    ck_assert(!stopped());
    envelope.client = "203.0.113.9";
    envelope.local = true;
    ck_assert(!stopped());
    set("client:local");
    ck_assert(stopped());
    envelope.local = false;
    envelope.client = NULL;
    ck_assert(!stopped());
}
END_TEST

START_TEST(brake_list_stops_what_reaches_it)
{
    (void)list_of("all@own", "staff@own x@else");
    (void)list_of("staff@own", "a@own b@own");
    (void)list_of("club@own", "c@own d@own");
    redirect("everybody@own", "all@own");
    seal();
    set("list:staff@own");
    to("<staff@own>");
    ck_assert(stopped());
    to("<club@own> <all+tag@own>");
    ck_assert(stopped());
    to("<everybody@own>");
    ck_assert(stopped());
    to("<club@own> <a@own>");
    ck_assert(!stopped());
}
END_TEST

START_TEST(brake_list_need_not_be_known)
{
    seal();
    set("list:new@own");
    to("<new+x@own>");
    ck_assert(stopped());
    to("<old@own>");
    ck_assert(!stopped());
}
END_TEST

START_TEST(brake_domain_is_the_senders)
{
    seal();
    to("<x@else>");
    set("domain:Else");
    ck_assert(stopped());
    envelope.sender = "<a@sub.else>";
    ck_assert(!stopped());
    envelope.sender = "<>";
    ck_assert(!stopped());
}
END_TEST

START_TEST(brake_all_lets_single_mail_pass)
{
    (void)list_of("two@own", "a@own b@own");
    seal();
    set("all");
    to("<a@own>");
    ck_assert(!stopped());
    to("<two@own>");
    ck_assert(stopped());
}
END_TEST

START_TEST(brake_lapses_at_its_time)
{
    seal();
    to("<x@else>");
    set("sender:s@else");
    gather();
    items[0].until_ms = NOW_MS + 1;
    ck_assert_ptr_eq(brake_find(&brakes, &facts, directory, NOW_MS), &items[0]);
    ck_assert_ptr_null(brake_find(&brakes, &facts, directory, NOW_MS + 1));
    ck_assert_ptr_null(brake_find(NULL, &facts, directory, NOW_MS));
}
END_TEST

/* The latest one counts; it lets nobody else pass. */
START_TEST(brake_confirmed_is_for_one_identity)
{
    char first_id[] = "1", second_id[] = "2", by[] = "sender:ann@own ann@own";
    struct allowance confirmed[] = {brakes_borrow_allowance("f1", "s", NOW_MS + 1),
                                    brakes_borrow_allowance("f1", "s", NOW_MS + 2)};
    struct brakes allowed = {.allowances = confirmed, .allowance_count = 2};
    confirmed[0].id = first_id;
    confirmed[1].id = second_id;
    confirmed[0].by = confirmed[1].by = by;
    envelope.sender = "ann@own";
    envelope.client = "10.0.0.1";
    gather();
    ck_assert_ptr_eq(brake_find_confirmed(&allowed, "f1", "s", &facts, &own, NOW_MS),
                     &confirmed[1]);
    ck_assert_ptr_null(
        brake_find_confirmed(&allowed, "f1", "s", &facts, &own, NOW_MS + 2));
    ck_assert_ptr_null(brake_find_confirmed(&allowed, "f2", "s", &facts, &own, NOW_MS));
    ck_assert_ptr_null(brake_find_confirmed(&allowed, "f1", "t", &facts, &own, NOW_MS));
    ck_assert_ptr_null(brake_find_confirmed(NULL, "f1", "s", &facts, &own, NOW_MS));
    ck_assert(!brake_allows(&allowed, "f1", "s", NOW_MS));
    envelope.client = "203.0.113.9"; /* forged */
    gather();
    ck_assert_ptr_null(brake_find_confirmed(&allowed, "f1", "s", &facts, &own, NOW_MS));
    envelope.login = "ann";
    gather();
    ck_assert_ptr_null(brake_find_confirmed(&allowed, "f1", "s", &facts, &own, NOW_MS));
}
END_TEST

START_TEST(brake_allowance_is_for_rule_and_subject)
{
    char fingerprint[] = "f1";
    char subject[] = "sender:a@own";
    struct allowance allowance =
        brakes_borrow_allowance(fingerprint, subject, NOW_MS + 1);
    struct brakes allowed = {.allowances = &allowance, .allowance_count = 1};
    ck_assert(brake_allows(&allowed, "f1", "sender:a@own", NOW_MS));
    ck_assert(!brake_allows(&allowed, "f2", "sender:a@own", NOW_MS));
    ck_assert(!brake_allows(&allowed, "f1", "sender:b@own", NOW_MS));
    ck_assert(!brake_allows(&allowed, "f1", "sender:a@own", NOW_MS + 1));
    ck_assert(!brake_allows(NULL, "f1", "sender:a@own", NOW_MS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("brake");
    TCase *tcase = tcase_create("brake");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, brake_keys_are_canonical);
    tcase_add_test(tcase, brake_networks_are_canonical);
    tcase_add_test(tcase, brake_keys_that_match_nothing_are_refused);
    tcase_add_test(tcase, brake_login_stops_that_login_alone);
    tcase_add_test(tcase, brake_login_as_it_may_be_typed);
    tcase_add_test(tcase, brake_sender_stops_mail_from_with_any_login);
    tcase_add_test(tcase, brake_sender_stops_what_a_forwarder_rewrote);
    tcase_add_test(tcase, brake_client_stops_a_network);
    tcase_add_test(tcase, brake_list_stops_what_reaches_it);
    tcase_add_test(tcase, brake_list_need_not_be_known);
    tcase_add_test(tcase, brake_domain_is_the_senders);
    tcase_add_test(tcase, brake_all_lets_single_mail_pass);
    tcase_add_test(tcase, brake_lapses_at_its_time);
    tcase_add_test(tcase, brake_allowance_is_for_rule_and_subject);
    tcase_add_test(tcase, brake_confirmed_is_for_one_identity);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
