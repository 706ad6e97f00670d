/* From an envelope to facts. */
#include "message_fixture.h"
#include "run.h"

#include <time.h>

static uint32_t five;

static void begin(void)
{
    message_begin();
    five = list_of("five@own", "p1@own p2@own p3@own p4@else p5@own");
    (void)list_of("three@own", "p1@own p2@own q@else");
    (void)list_of("both@own", "five@own three@own");
    (void)list_of("empty@own", "");
    (void)list_in_state("lost@own", "p1@own", LIST_UNKNOWN);
    bind_list("five@too", five);
    redirect("alias@own", "five@own");
    redirect("boss@own", "p1@own");
    seal();
}

/* ---- who sends ---- */

static const struct {
    const char *login, *sender, *client;
    bool local;
    const char *identity;
} identities[] = {
    {NULL, "<s@else>", "203.0.113.9", false, "sender:s@else"},
    {"", "<s@else>", "203.0.113.9", false, "sender:s@else"},
    {NULL, "<S+Tag@Own>", "203.0.113.9", false, "sender:s@own"},
    {NULL, "<s+tag@else>", "203.0.113.9", false, "sender:s+tag@else"},
    {NULL, "s", "203.0.113.9", false, "sender:s@own"},
    {NULL, "s+t", "203.0.113.9", false, "sender:s@own"},
    {NULL, "<@a,@b:s@else>", "203.0.113.9", false, "sender:s@else"},
    {NULL, "\"s\"@else.", "203.0.113.9", false, "sender:s@else"},
    {NULL, "s(x@y)@else", "203.0.113.9", false, "sender:s@else"},
    {NULL, "<>", "203.0.113.9", false, "client:203.0.113.9"},
    {NULL, "", "203.0.113.9", false, "client:203.0.113.9"},
    {NULL, "< >", "203.0.113.9", false, "client:203.0.113.9"},
    {NULL, NULL, "203.0.113.9", false, "client:203.0.113.9"},
    {NULL, "<>", "2001:db8:1:2:3::4", false, "client:2001:db8:1:2::/64"},
    {NULL, "<>", "::ffff:203.0.113.9", false, "client:203.0.113.9"},
    {NULL, "<>", NULL, false, "client:unknown"},
    {NULL, "<>", "unknown", false, "client:unknown"},
    {NULL, "<>", "203.0.113.9 ", false, "client:unknown"},
    {NULL, "root", "127.0.0.1", true, "client:local"},
    {NULL, "<>", NULL, true, "client:local"},
    {"alice", "<s@else>", "203.0.113.9", false, "login:alice@own"},
    {"ALICE", "<>", NULL, true, "login:alice@own"},
    {"alice@own", "", "203.0.113.9", false, "login:alice@own"},
    {"Alice@OWN", "", "203.0.113.9", false, "login:alice@own"},
    {"alice@", "", "203.0.113.9", false, "login:alice@own"},
    {"alice@too", "", "203.0.113.9", false, "login:alice@too"},
    {"alice@realm", "", "203.0.113.9", false, "login:alice@realm"},
    /* nothing in a login is a comment, a quote, a bracket or a tag */
    {"al(ice", "", "203.0.113.9", false, "login:al(ice@own"},
    {"al(x)ice@own", "", "203.0.113.9", false, "login:al(x)ice@own"},
    {"\"alice\"@own", "", "203.0.113.9", false, "login:\"alice\"@own"},
    {"<alice@own>", "", "203.0.113.9", false, "login:<alice@own>"},
    {"alice+t@own", "", "203.0.113.9", false, "login:alice+t@own"},
    {"alice@own ", "", "203.0.113.9", false, "login:alice@own "},
    {" ", "", "203.0.113.9", false, "login: @own"},
    {"%n%s", "", "203.0.113.9", false, "login:%n%s@own"},
    {"a@b@own", "", "203.0.113.9", false, "login:a@b@own"},
    {"alice@@", "", "203.0.113.9", false, "login:alice@own"},
    {"@", "", "203.0.113.9", false, "login:@"},
};

START_TEST(message_has_one_identity)
{
    envelope.login = identities[_i].login;
    envelope.sender = identities[_i].sender;
    envelope.client = identities[_i].client;
    envelope.local = identities[_i].local;
    to("p1@own");
    gather();
    ck_assert_str_eq(facts.identity, identities[_i].identity);
    ck_assert_uint_eq(strlen(facts.login.text), facts.login.length);
    ck_assert_int_eq(facts.origin, identities[_i].local ? ORIGIN_LOCAL : ORIGIN_SMTP);
}
END_TEST

START_TEST(message_login_without_own_domains_stays_bare)
{
    struct domains kept = policy.domains;
    policy.domains = (struct domains){0};
    envelope.login = "Alice";
    envelope.sender = "Root";
    to("X");
    gather();
    ck_assert_str_eq(facts.identity, "login:alice");
    ck_assert_str_eq(facts.sender.text, "root");
    ck_assert_str_eq(facts.recipients[0].address, "x");
    policy.domains = kept;
}
END_TEST

static const struct {
    const char *address, *argument, *expected;
} bare_names[] = {
    {"Staff", "<Staff@TOO>", "staff@too"},
    {"staff+tag", "staff+tag@too", "staff+tag@too"},
    {"staff", "<staff%too@own>", "staff@own"},
    {"staff", "<@own:staff@too>", "staff@too"},
    {"staff", "<staff@localhost>", "staff@own"},
    {"staff", "<staff@[127.0.0.1]>", "staff@own"},
    {"staff", "<staff>", "staff@own"},
    {"staff", "", "staff@own"},
    {"staff", NULL, "staff@own"},
    {"staff@own", "<staff@too>", "staff@own"},
    {"staff@else", "<staff@too>", "staff@else"},
};

START_TEST(message_bare_name_is_in_the_own_domain_of_the_command)
{
    recipients[0] = (struct envelope_recipient){.typed = "x",
                                                .address = bare_names[_i].address,
                                                .argument = bare_names[_i].argument};
    envelope.recipient_count = 1;
    envelope.sender = "ann";
    envelope.sender_argument = "<ann@too>";
    gather();
    ck_assert_str_eq(facts.recipients[0].address, bare_names[_i].expected);
    ck_assert_str_eq(facts.identity, "sender:ann@too");
}
END_TEST

static const struct {
    const char *client;
    bool local, trusted, relay;
} clients[] = {
    {"10.1.2.3", false, true, false},   {"::ffff:10.1.2.3", false, true, false},
    {"11.1.2.3", false, false, false},  {"10.9.9.9", false, true, true},
    {"10.9.9.9", true, true, false},    {"127.0.0.1", true, true, false},
    {"127.0.0.1", false, false, false}, {NULL, false, false, false},
    {NULL, true, true, false},          {"::a01:203", false, false, false},
};

START_TEST(message_trusts_clients)
{
    envelope.client = clients[_i].client;
    envelope.local = clients[_i].local;
    to("p1@own");
    gather();
    ck_assert_int_eq(facts.trusted, clients[_i].trusted);
    ck_assert_int_eq(facts.relay, clients[_i].relay);
}
END_TEST

/* ---- to whom ---- */

static const struct {
    const char *to;
    uint64_t recipients, copies;
    int64_t reach, external;
} envelopes[] = {
    {"p@own", 1, 1, 1, 0},
    /* typed twice, whatever the case, is one copy */
    {"p@own p@own P@OWN", 1, 1, 1, 0},
    {"five@own FIVE@own", 1, 5, 5, 1},
    /* another spelling of one address is another */
    {"p@own <p@own> \"p\"@own p@own.", 1, 4, 1, 0},
    {"five@own <five@own>", 1, 10, 5, 1},
    {"a|five@own b|five@own A|five@own", 1, 10, 5, 1},
    {"p p@own", 1, 2, 1, 0},
    /* so are tags, aliases and other domains of one list */
    {"five+1@own five+2@own five@own", 3, 15, 5, 1},
    {"five@own alias@own five@too five@[127.0.0.1]", 4, 20, 5, 1},
    {"p+1@own p+2@own", 2, 2, 1, 0},
    {"p+1@else p+2@else", 2, 2, 2, 2},
    {"boss@own p1@own", 2, 2, 1, 0},
    /* unions */
    {"five@own three@own", 2, 8, 6, 2},
    {"both@own", 1, 6, 6, 2},
    {"both@own five@own p4@else p9@else", 4, 13, 7, 3},
    {"empty@own", 1, 0, 0, 0},
    {"empty@own p@own", 2, 1, 1, 0},
    {"", 0, 0, 0, 0},
};

START_TEST(message_counts_copies_and_reach)
{
    to(envelopes[_i].to);
    gather();
    ck_assert_uint_eq(facts.recipient_count, envelopes[_i].recipients);
    ck_assert_uint_eq(facts.copies, envelopes[_i].copies);
    ck_assert_int_eq(facts.measures[MEASURE_REACH], envelopes[_i].reach);
    ck_assert_int_eq(facts.measures[MEASURE_EXTERNAL], envelopes[_i].external);
    ck_assert(!facts.unknown);
}
END_TEST

/* What a log says it was delivered to counts where the directory knows no list. */
START_TEST(message_counts_mailboxes_of_a_log)
{
    to("old@own one@own five@own");
    recipients[0].mailboxes = 40;
    recipients[1].mailboxes = 1;
    recipients[2].mailboxes = 3;
    gather();
    ck_assert_uint_eq(facts.copies, 46);
    ck_assert_int_eq(facts.measures[MEASURE_REACH], 46);
}
END_TEST

START_TEST(message_other_dsn_arguments_are_copies)
{
    recipients[0] =
        (struct envelope_recipient){.typed = "<five@own>", .address = "five@own"};
    recipients[1] = (struct envelope_recipient){.typed = "<five@own> NOTIFY=NEVER ",
                                                .address = "five@own"};
    recipients[2] = (struct envelope_recipient){.typed = "<FIVE@own> notify=never ",
                                                .address = "five@own"};
    recipients[3] = (struct envelope_recipient){.typed = "<five@own> NOTIFY=DELAY ",
                                                .address = "five@own"};
    envelope.recipient_count = 4;
    gather();
    ck_assert_uint_eq(facts.recipient_count, 1);
    ck_assert_uint_eq(facts.copies, 15);
}
END_TEST

START_TEST(message_names_what_recipients_mean)
{
    to("alias@own boss+x@own p9+y@own q+z@else five@[127.0.0.1]");
    gather();
    ck_assert_str_eq(facts.recipients[0].address, "alias@own");
    ck_assert_str_eq(facts.recipients[0].meant, "five@own");
    ck_assert_uint_eq(facts.recipients[0].list, five);
    ck_assert_str_eq(facts.recipients[1].address, "boss+x@own");
    ck_assert_str_eq(facts.recipients[1].meant, "p1@own");
    ck_assert_uint_eq(facts.recipients[1].list, DIRECTORY_NONE);
    ck_assert_uint_eq(facts.recipients[2].list, five);
    ck_assert_str_eq(facts.recipients[3].meant, "p9@own");
    ck_assert_ptr_null(facts.recipients[4].meant);
}
END_TEST

START_TEST(message_lists_are_each_there_once)
{
    to("both@own five+1@own five+2@own three@own p@own");
    gather();
    ck_assert_uint_eq(facts.list_count, 3);
    ck_assert_uint_lt(facts.lists[0], facts.lists[1]);
    ck_assert_uint_lt(facts.lists[1], facts.lists[2]);
    to("p@own");
    gather();
    ck_assert_uint_eq(facts.list_count, 0);
}
END_TEST

START_TEST(message_unknown_list_is_marked)
{
    to("p@own lost+x@own");
    gather();
    ck_assert(facts.unknown);
    to("p@own");
    gather();
    ck_assert(!facts.unknown);
}
END_TEST

START_TEST(message_takes_header_facts)
{
    to("p@own");
    header("To", "a@own, b@else");
    header("Cc", "b@else, c@else");
    header("References", "<1@x>");
    header("Precedence", "bulk");
    gather();
    ck_assert_int_eq(facts.measures[MEASURE_VISIBLE], 3);
    ck_assert_int_eq(facts.measures[MEASURE_VISIBLE_EXTERNAL], 2);
    ck_assert(facts.reply);
    ck_assert(facts.automatic);
}
END_TEST

/* ---- bounds ---- */

static char *letters(size_t count)
{
    char *text = malloc(count + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'a', count);
    text[count] = '\0';
    return text;
}

static void expect_limit(void)
{
    facts_clear(&facts);
    facts.copies = 77;
    ck_assert_int_eq(facts_gather(&envelope, &policy, directory, &facts), STATUS_LIMIT);
    ck_assert_uint_eq(facts.copies, 0);
    ck_assert_ptr_null(facts.recipients); /* nothing is left */
}

START_TEST(message_has_a_thread_and_a_campaign)
{
    to("a@x");
    envelope.login = "Ann";
    header("Message-ID", "<m@x>");
    header("References", "<r@x>\r\n <i@x>");
    header("Subject", "Re: =?utf-8?q?Snow?= day 12");
    header("Subject", "other");
    gather();
    ck_assert_str_eq(facts.thread, "r@x");
    ck_assert_str_eq(facts.campaign, "login:ann@own snow day #");
    /* whatever the MAIL FROM, and whoever is asked */
    envelope.sender = "<t@else>";
    headers[2].value = "SNOW  day 7";
    gather();
    ck_assert_str_eq(facts.campaign, "login:ann@own snow day #");
    ck_assert_str_eq(facts_topic(&facts), "snow day #");
    facts_clear(&facts);
    ck_assert_ptr_null(facts.campaign);
    ck_assert_str_eq(facts_topic(&facts), "");
    ck_assert_str_eq(facts.thread, "");
}
END_TEST

/* Nothing to read is no topic: it is what every message without a subject has in common.
 */
START_TEST(message_without_words_has_no_topic)
{
    static const char *const none[] = {
        "", " \t ", "Re: FWD:", "Re[2]: ", "\xc2\xad\xe2\x80\x8b", "=?utf-8?q?_=C2=A0?=",
    };
    static const char *const some[] = {"-", "17", "[list] Re:", "Re"};
    to("a@x");
    header("Subject", "");
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        headers[0].value = none[i];
        gather();
        ck_assert_str_eq(facts_topic(&facts), "");
    }
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        headers[0].value = some[i];
        gather();
        ck_assert_str_ne(facts_topic(&facts), "");
    }
}
END_TEST

/* A sender's name may contain blanks. */
START_TEST(message_topic_is_whoever_sends)
{
    to("a@x");
    header("Subject", "Snow day");
    envelope.sender = "\"a b\"@else";
    gather();
    ck_assert_str_eq(facts_topic(&facts), "snow day");
    envelope.login = "ann";
    gather();
    ck_assert_str_eq(facts_topic(&facts), "snow day");
    envelope.local = true;
    envelope.login = NULL;
    gather();
    ck_assert_str_eq(facts_topic(&facts), "snow day");
    facts_clear(&facts);
    facts_guess(&envelope, &policy, &facts);
    ck_assert_str_eq(facts_topic(&facts), "");
}
END_TEST

/* A script that leaves the subject out is braked like any other. */
START_TEST(message_without_a_subject_has_a_campaign)
{
    to("a@x");
    gather();
    ck_assert_str_eq(facts.campaign, "sender:s@else ");
    ck_assert_str_eq(facts.thread, "");
    header("Subject", "");
    gather();
    ck_assert_str_eq(facts.campaign, "sender:s@else ");
}
END_TEST

START_TEST(message_too_long_address_is_limit)
{
    char *large = letters(ADDRESS_SIZE + 10);
    to("p@own");
    envelope.login = large;
    expect_limit();
    envelope.login = NULL;
    envelope.sender = large;
    expect_limit();
    envelope.sender = NULL;
    recipients[0].address = large;
    expect_limit();
    recipients[0].address = "p@own";
    header("Cc", large); /* what is only shown makes nothing unjudgeable */
    gather();
    ck_assert_int_eq(facts.measures[MEASURE_VISIBLE_EXTERNAL], 1);
    free(large);
}
END_TEST

START_TEST(message_longest_login_fits)
{
    /* "@own" and the NUL must still find room */
    char *login = letters(ADDRESS_SIZE - 5);
    to("p@own");
    envelope.login = login;
    gather();
    ck_assert_uint_eq(strlen(facts.identity), 6 + ADDRESS_SIZE - 1);
    free(login);
    login = letters(ADDRESS_SIZE - 4);
    envelope.login = login;
    expect_limit();
    free(login);
}
END_TEST

/* `count` recipients: tags of one list, or strangers. */
static char *many(size_t count, const char *format)
{
    enum { EACH = 32 };
    struct envelope_recipient *items = calloc(count, sizeof *items);
    char *texts = calloc(count, EACH);
    ck_assert_ptr_nonnull(items);
    ck_assert_ptr_nonnull(texts);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(texts + i * EACH, EACH, "%s%zu@%s", format, i,
                       strcmp(format, "stranger") == 0 ? "else" : "own");
        items[i] = (struct envelope_recipient){.typed = texts + i * EACH,
                                               .address = texts + i * EACH};
    }
    envelope.recipients = items;
    envelope.recipient_count = count;
    return texts;
}

static void free_many(char *texts)
{
    free(texts);
    free((void *)(uintptr_t)envelope.recipients);
    envelope.recipients = recipients;
}

START_TEST(message_takes_so_many_recipients)
{
    char *texts = many(RECIPIENTS_MAX, "five+");
    gather();
    ck_assert_uint_eq(facts.recipient_count, RECIPIENTS_MAX);
    ck_assert_uint_eq(facts.copies, RECIPIENTS_MAX * 5);
    ck_assert_int_eq(facts.measures[MEASURE_REACH], 5);
    free_many(texts);
    texts = many(RECIPIENTS_MAX, "stranger");
    gather();
    ck_assert_int_eq(facts.measures[MEASURE_EXTERNAL], RECIPIENTS_MAX);
    free_many(texts);
    texts = many(RECIPIENTS_MAX + 1, "stranger");
    expect_limit();
    free_many(texts);
}
END_TEST

START_TEST(message_tags_of_a_deep_list_cost_little)
{
    /* 20,000 tags of a list that holds 3,000: far below a second each way. */
    enum { LISTS = 3000, TAGS = 20000 };
    char name[32];
    directory_free(directory);
    directory = directory_new(&own);
    ck_assert_ptr_nonnull(directory);
    uint32_t top = list_of("top@own", "");
    for (int i = 0; i < LISTS; i++) {
        (void)snprintf(name, sizeof name, "l%d@own", i);
        (void)list_of(name, "p1@own p2@own");
        ck_assert_int_eq(
            directory_add_member(directory, top, name, strlen(name), "own", NULL),
            STATUS_OK);
    }
    seal();
    char *texts = many(TAGS, "top+");
    clock_t start = clock();
    gather();
    ck_assert_int_lt((clock() - start) / CLOCKS_PER_SEC, 3);
    ck_assert_uint_eq(facts.list_count, LISTS + 1);
    ck_assert_uint_eq(facts.copies, 2 * TAGS);
    free_many(texts);
}
END_TEST

START_TEST(message_clear_leaves_nothing)
{
    to("both@own five+1@own");
    gather();
    facts_clear(&facts);
    ck_assert_ptr_null(facts.recipients);
    ck_assert_ptr_null(facts.lists);
    ck_assert_uint_eq(facts.recipient_count + facts.list_count, 0);
    facts_clear(&facts);
}
END_TEST

static void add_tests(TCase *cases)
{
    tcase_add_loop_test(cases, message_has_one_identity, 0,
                        (int)(sizeof identities / sizeof identities[0]));
    tcase_add_test(cases, message_login_without_own_domains_stays_bare);
    tcase_add_loop_test(cases, message_bare_name_is_in_the_own_domain_of_the_command, 0,
                        sizeof bare_names / sizeof *bare_names);
    tcase_add_loop_test(cases, message_trusts_clients, 0,
                        (int)(sizeof clients / sizeof clients[0]));
    tcase_add_loop_test(cases, message_counts_copies_and_reach, 0,
                        (int)(sizeof envelopes / sizeof envelopes[0]));
    tcase_add_test(cases, message_counts_mailboxes_of_a_log);
    tcase_add_test(cases, message_other_dsn_arguments_are_copies);
    tcase_add_test(cases, message_names_what_recipients_mean);
    tcase_add_test(cases, message_lists_are_each_there_once);
    tcase_add_test(cases, message_unknown_list_is_marked);
    tcase_add_test(cases, message_takes_header_facts);
    tcase_add_test(cases, message_has_a_thread_and_a_campaign);
    tcase_add_test(cases, message_without_a_subject_has_a_campaign);
    tcase_add_test(cases, message_without_words_has_no_topic);
    tcase_add_test(cases, message_topic_is_whoever_sends);
    tcase_add_test(cases, message_too_long_address_is_limit);
    tcase_add_test(cases, message_longest_login_fits);
    tcase_add_test(cases, message_takes_so_many_recipients);
    tcase_add_test(cases, message_tags_of_a_deep_list_cost_little);
    tcase_add_test(cases, message_clear_leaves_nothing);
}

int main(void)
{
    Suite *suite = suite_create("message");
    TCase *cases = tcase_create("message");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, begin, message_end);
    add_tests(cases);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
