/* What explain says of a message, rule by rule, to people and to programs. */
#include "cli/explanation_print.h"
#include "engine/explanation.h"

#include "capture.h"
#include "lists_fixture.h"
#include "run.h"

#define HEAD                                                                             \
    "domains = [ \"own.example\", \"too.example\" ];\n"                                  \
    "relays = [ \"client:10.9.9.9\" ];\n"                                                \
    "store = { type = \"memory\"; };\n"                                                  \
    "lists = ( { address = \"five@own.example\"; file = \"five\"; },\n"                  \
    "          { address = \"lost@own.example\"; file = \"missing\"; } );\n"

static const char rules[] = HEAD
    "rules = (\n"
    " { name = \"from\"; from = [ \"login:a\" ]; action = \"reject\"; },\n"
    " { name = \"not\"; from_not = [ \"s@else.example\" ]; action = \"reject\"; },\n"
    " { name = \"to\"; to = [ \"x@own.example\" ]; action = \"reject\"; },\n"
    " { name = \"every\"; to = [ \"list:*\" ]; action = \"accept\"; },\n"
    " { name = \"but\"; to_not = [ \"list:*\" ]; action = \"reject\"; },\n"
    " { name = \"hours\"; hours = \"Mon 08:00-09:00\"; action = \"reject\"; },\n"
    " { name = \"off\"; hours_not = \"Tue\"; action = \"reject\"; },\n"
    " { name = \"origin\"; origin = \"local\"; action = \"reject\"; },\n"
    " { name = \"reply\"; reply = true; action = \"reject\"; },\n"
    " { name = \"machine\"; automatic = true; action = \"reject\"; },\n"
    " { name = \"over\"; reach_over = 6; external_over = 0; action = \"reject\"; },\n"
    " { name = \"key\"; key = \"login\"; limit = \"1 messages per 1h\"; action = "
    "\"defer\"; },\n"
    " { name = \"watch\"; reach_over = 1; action = \"reject\"; mode = \"monitor\"; },\n"
    " { name = \"room\"; key = \"list\"; limit = \"9 recipients per 1h\"; action = "
    "\"defer\"; },\n"
    " { name = \"small\"; key = \"sender\"; limit = \"5 recipients per 1h\"; action = "
    "\"defer\"; },\n"
    " { name = \"below\"; action = \"accept\"; }\n"
    ");\n";

static const struct {
    const char *name;
    const char *state;
    const char *why;
} expected[] = {
    {"from", "skipped", "the sender is not in from"},
    {"not", "skipped", "the sender is in from_not"},
    {"to", "skipped", "no recipient is in to"},
    {"every", "skipped", "not every recipient is in to"},
    {"but", "skipped", "a recipient is in to_not"},
    {"hours", "skipped", "it is outside hours"},
    {"off", "skipped", "it is within hours_not"},
    {"origin", "skipped", "the origin is smtp"},
    {"reply", "skipped", "it is no reply"},
    {"machine", "skipped", "it is not automatic"},
    {"over", "skipped", "reach 6 is not over 6, external 0 is not over 0"},
    {"key", "skipped", "the message has no login"},
    {"watch", "fires", "reach 6 is over 1 (mode monitor: decides nothing)"},
    {"room", "matched", "costs 5 of 9 for list:five@own.example; at most 18 in 1h"},
    {"small", "fires", "costs 6 of 5 for sender:s@else.example; at most 10 in 1h"},
    {"below", "skipped", "small decides above"},
};

enum { RULES = sizeof expected / sizeof expected[0], TUESDAY = 1440 };

static struct snapshot *snapshot;
static struct explanation explanation;
static struct envelope_recipient recipients[60];
static struct envelope envelope;

static void load(const char *configuration)
{
    struct problems problems = {0};
    const char *path = file_put("mailbrake.conf", configuration);
    snapshot_unref(snapshot);
    snapshot = NULL;
    enum status status = snapshot_load(path, NULL, false, &problems, &snapshot);
    if (status != STATUS_OK)
        ck_abort_msg("%s", problems.count > 0 ? problems.items[0].text : "no snapshot");
    problems_clear(&problems);
}

static void add(const char *address)
{
    recipients[envelope.recipient_count++] =
        (struct envelope_recipient){.typed = address, .address = address};
}

static void begin(void)
{
    folder_make();
    (void)file_put("five", "a@own.example\nb@own.example\nc@own.example\n"
                           "d@own.example\ne@own.example\n");
    envelope = (struct envelope){
        .client = "203.0.113.9", .sender = "s@else.example", .recipients = recipients};
    load(rules);
}

static void end(void)
{
    explanation_clear(&explanation);
    snapshot_unref(snapshot);
    snapshot = NULL;
    folder_remove();
}

static void explain(void)
{
    explanation_clear(&explanation);
    const struct engine_input input = {
        .snapshot = snapshot, .envelope = &envelope, .minute_of_week = TUESDAY};
    ck_assert_int_eq(explanation_make(&input, NULL, 0, &explanation), STATUS_OK);
}

static const char *verdict(void)
{
    return action_name(explanation.reported.action);
}

/* As live: Sendmail's sendmail(1) comes by SMTP from this machine. */
START_TEST(explanation_of_sendmails_own_mail_is_local)
{
    static const struct {
        const char *type, *client;
        enum origin origin;
    } cases[] = {
        {"sendmail", "127.0.0.1", ORIGIN_LOCAL}, {"sendmail", "::1", ORIGIN_LOCAL},
        {"sendmail", "127.0.0.2", ORIGIN_SMTP},  {"sendmail", "10.1.2.3", ORIGIN_SMTP},
        {"sendmail", NULL, ORIGIN_SMTP},         {"postfix", "127.0.0.1", ORIGIN_SMTP},
        {"postfix", "::1", ORIGIN_SMTP},
    };
    add("a@own.example");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        explanation_clear(&explanation);
        (void)snprintf(text, sizeof text,
                       "domains = [ \"own.example\" ];\n"
                       "mta = { type = \"%s\"; };\n",
                       cases[i].type);
        load(text);
        envelope.client = cases[i].client;
        explain();
        ck_assert_int_eq(explanation.judgement.facts.origin, cases[i].origin);
    }
}
END_TEST

START_TEST(explanation_says_why_for_each_rule)
{
    add("five@own.example");
    add("p@too.example");
    explain();
    for (size_t i = 0; i < RULES; i++) {
        const struct explained_rule *rule = &explanation.rules[i];
        ck_assert_str_eq(rule->rule->name, expected[i].name);
        ck_assert_str_eq(text_string(&rule->why), expected[i].why);
        ck_assert_str_eq(rule_state_name(rule->state), expected[i].state);
    }
    ck_assert_str_eq(verdict(), "reject");
    ck_assert_str_eq(explanation.judgement.verdict.rule->name, "small");
    ck_assert(explanation.judgement.plan.steps[0].fires); /* watch */
    ck_assert(!explanation.live);
}
END_TEST

static const char *string_in(const json_t *json, const char *name)
{
    const char *value = json_string_value(json_object_get(json, name));
    return value == NULL ? "(none)" : value;
}

static long long number_in(const json_t *json, const char *name)
{
    ck_assert(json_is_integer(json_object_get(json, name)));
    return json_integer_value(json_object_get(json, name));
}

START_TEST(explanation_json_has_its_api_view)
{
    add("five+t@own.example");
    add("p@too.example");
    add("\"\xe2\x80\xae\xff\"@else.example");
    explain();
    json_t *json = explanation_json(&explanation);
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(string_in(json, "identity"), "sender:s@else.example");
    ck_assert_str_eq(string_in(json, "sender"), "s@else.example");
    ck_assert_str_eq(string_in(json, "login"), "");
    ck_assert_str_eq(string_in(json, "client"), "203.0.113.9");
    ck_assert_str_eq(string_in(json, "verdict"), "reject");
    ck_assert_str_eq(string_in(json, "rule"), "over");
    ck_assert_int_eq(strncmp(string_in(json, "reply"), "550 5.7.1 ", 10), 0);
    ck_assert_int_eq(number_in(json, "reach"), 7);
    ck_assert_int_eq(number_in(json, "copies"), 7);
    ck_assert_int_eq(number_in(json, "external"), 1);
    ck_assert_int_eq(number_in(json, "visible"), 0);
    ck_assert(json_is_null(json_object_get(json, "thread")));
    ck_assert_str_eq(string_in(json, "campaign"), "sender:s@else.example ");
    ck_assert(json_is_null(json_object_get(json, "topic")));
    ck_assert(json_is_false(json_object_get(json, "live")));
    ck_assert_uint_eq(json_array_size(json_object_get(json, "rules")), RULES);
    const json_t *rule = json_array_get(json_object_get(json, "rules"), 0);
    ck_assert_str_eq(string_in(rule, "name"), "from");
    ck_assert_str_eq(string_in(rule, "state"), "skipped");
    ck_assert_str_eq(string_in(rule, "why"), "the sender is not in from");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json, "lists"), 0)),
                     "five@own.example");
    const json_t *list = json_array_get(json_object_get(json, "recipients"), 0);
    ck_assert_str_eq(string_in(list, "address"), "five+t@own.example");
    ck_assert_str_eq(string_in(list, "means"), "five@own.example");
    ck_assert(json_is_true(json_object_get(list, "list")));
    ck_assert_int_eq(number_in(list, "size"), 5);
    json_decref(json);
}
END_TEST

START_TEST(explanation_of_what_no_rule_is_asked)
{
    add("lost@own.example");
    explain();
    ck_assert_str_eq(verdict(), "defer");
    ck_assert_str_eq(text_string(&explanation.rules[0].why), "no rule is asked");
    envelope.client = "10.9.9.9";
    explain();
    ck_assert_str_eq(verdict(), "accept");
    ck_assert_str_eq(text_string(&explanation.rules[RULES - 1].why), "no rule is asked");
}
END_TEST

START_TEST(explanation_without_a_sender_is_of_the_login)
{
    add("x@else.example");
    envelope.login = "Bee%too.example";
    envelope.sender = NULL;
    explain();
    ck_assert_str_eq(explanation.judgement.facts.sender.text, "bee@too.example");
    envelope.sender = "";
    explain();
    ck_assert_str_eq(explanation.judgement.facts.sender.text, "");
    ck_assert_str_eq(explanation.judgement.facts.identity, "login:bee@too.example");
}
END_TEST

static void print_page(void)
{
    json_t *json = explanation_json(&explanation);
    explanation_print(json);
    json_decref(json);
}

START_TEST(explanation_in_monitor_mode_accepts)
{
    load(HEAD "mode = \"monitor\";\n"
              "rules = ( { name = \"r\"; action = \"quarantine\"; } );\n");
    add("p@too.example");
    explain();
    ck_assert_str_eq(verdict(), "accept");
    ck_assert_int_eq(explanation.reply.code, 250);
    json_t *json = explanation_json(&explanation);
    ck_assert_str_eq(string_in(json, "verdict"), "accept");
    ck_assert_str_eq(string_in(json, "would"), "quarantine");
    json_decref(json);
    struct capture out = capture_begin(stdout);
    print_page();
    const char *page = capture_end(&out);
    ck_assert_ptr_nonnull(strstr(page, "mode monitor: would quarantine\n"));
}
END_TEST

START_TEST(explanation_without_rules)
{
    load(HEAD);
    add("p@too.example");
    explain();
    ck_assert_str_eq(verdict(), "accept");
    json_t *json = explanation_json(&explanation);
    ck_assert(json_is_null(json_object_get(json, "rule")));
    json_decref(json);
}
END_TEST

static void hear_nothing(void *context, enum severity severity, const char *text)
{
    (void)context;
    (void)severity;
    (void)text;
}

/* As the daemon judges while its store is away. */
static void explain_away(const char *on_failure, const char *more)
{
    char text[1000];
    struct error error;
    struct digest_key key = {0};
    struct store *store = NULL;
    const struct store_reporter reporter = {.report = hear_nothing};
    (void)snprintf(text, sizeof text,
                   "domains = [ \"own.example\" ];\n"
                   "store = { type = \"redis\"; server = \"unix:/nowhere/redis.sock\";\n"
                   "  timeout_ms = 10; connections = 1; on_failure = \"%s\"; };\n%s",
                   on_failure, more);
    explanation_clear(&explanation);
    load(text);
    ck_assert_int_eq(
        store_open(&snapshot->settings->store, &key, reporter, &store, &error),
        STATUS_OK);
    const struct engine_input input = {.snapshot = snapshot,
                                       .envelope = &envelope,
                                       .key = &key,
                                       .now_ms = 1,
                                       .minute_of_week = TUESDAY};
    enum status status = explanation_make(&input, store, INT64_MAX, &explanation);
    store_close(store);
    ck_assert_int_eq(status, STATUS_OK);
}

START_TEST(explanation_without_the_store_is_what_on_failure_says)
{
    static const char limit[] = "rules = ( { name = \"r\"; key = \"sender\";\n"
                                "  action = \"defer\";\n"
                                "  limit = \"5 recipients per 1h\"; } );\n";
    add("one@own.example");
    explain_away("accept", limit);
    ck_assert_str_eq(verdict(), "accept");
    ck_assert_str_eq(explanation.judgement.failure, "the store did not answer");
    explain_away("local", limit);
    ck_assert_str_eq(verdict(), "accept");
    ck_assert_ptr_null(explanation.judgement.failure);
    explain_away("tempfail", limit);
    ck_assert_str_eq(verdict(), "defer");
    ck_assert_int_eq(explanation.reply.code, 451);
    explain_away("tempfail", ""); /* nothing to ask the store for */
    ck_assert_str_eq(verdict(), "accept");
}
END_TEST

START_TEST(explanation_print_is_clean)
{
    envelope.sender = "\"\x1b[2J\"@else.example";
    envelope.login = "\xe2\x80\xae\n";
    add("\"\x9b"
        "2J\"@else.example");
    explain();
    struct capture out = capture_begin(stdout);
    print_page();
    for (const char *c = capture_end(&out); *c != '\0'; c++)
        ck_assert_msg(*c == '\n' || (*c >= ' ' && *c <= '~'), "byte %d", *c);
}
END_TEST

START_TEST(explanation_print_cuts_a_long_list_of_recipients)
{
    char addresses[55][32];
    for (int i = 0; i < 55; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "p%d@else.example", i);
        add(addresses[i]);
    }
    explain();
    struct capture out = capture_begin(stdout);
    print_page();
    ck_assert_ptr_nonnull(strstr(capture_end(&out), "and 5 more\n"));
}
END_TEST

/* As live: in doubt, and nobody is asked. */
START_TEST(explanation_of_a_too_long_address_is_in_doubt)
{
    char large[2000];
    memset(large, 'a', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    add(large);
    explain();
    ck_assert_int_eq(explanation.reply.code, 451);
    ck_assert_str_eq(text_string(&explanation.rules[0].why), "no rule is asked");
    json_t *json = explanation_json(&explanation);
    ck_assert_str_eq(string_in(json, "verdict"), "defer");
    ck_assert_str_eq(string_in(json, "rule"), "doubt");
    ck_assert_str_eq(string_in(json, "failure"),
                     "an address is too long, or there are too many recipients");
    json_decref(json);
    struct capture out = capture_begin(stdout);
    print_page();
    ck_assert_ptr_nonnull(strstr(capture_end(&out), "\nthe rules could not judge it: an "
                                                    "address is too long"));
}
END_TEST

int main(void)
{
    if (digest_init() != STATUS_OK)
        return EXIT_FAILURE;
    Suite *suite = suite_create("explanation");
    TCase *cases = tcase_create("explanation");
    tcase_add_checked_fixture(cases, begin, end);
    tcase_add_test(cases, explanation_says_why_for_each_rule);
    tcase_add_test(cases, explanation_of_sendmails_own_mail_is_local);
    tcase_add_test(cases, explanation_json_has_its_api_view);
    tcase_add_test(cases, explanation_of_what_no_rule_is_asked);
    tcase_add_test(cases, explanation_without_a_sender_is_of_the_login);
    tcase_add_test(cases, explanation_in_monitor_mode_accepts);
    tcase_add_test(cases, explanation_without_rules);
    tcase_add_test(cases, explanation_without_the_store_is_what_on_failure_says);
    tcase_add_test(cases, explanation_print_is_clean);
    tcase_add_test(cases, explanation_print_cuts_a_long_list_of_recipients);
    tcase_add_test(cases, explanation_of_a_too_long_address_is_in_doubt);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
