/* Live mail, explain and replay judge a message the same way: each scenario is outcome,
 * and every message of it is explained, and then handed to the milter's session and
 * decided. The three have stores of their own; live mail and explain share one. */
#include "../support/replay_files.h"
#include "lists_fixture.h"

#include "base/clock.h"
#include "engine/decide.h"
#include "engine/explanation.h"
#include "milter/session.h"
#include "quarantine/notices/notice_token.h"
#include "run.h"

#define HEAD                                                                             \
    "domains = [ \"own.example\" ];\n"                                                   \
    "relays = [ \"client:10.9.9.9\" ];\n"                                                \
    "trusted = [ \"client:10.1.0.0/16\" ];\n"                                            \
    "store = { type = \"memory\"; };\n"                                                  \
    "lists = ( { address = \"five@own.example\"; file = \"five\"; },\n"                  \
    "          { address = \"lost@own.example\"; file = \"missing\"; } );\n"
#define RULE(rest) HEAD "rules = ( { name = \"r\"; " rest " } );\n"
#define TO_FIVE "send\nfrom a@x.example\nto five@own.example\n"

static const char cap[] = RULE("reach_over = 4; action = \"reject\";");
static const char bucket[] =
    RULE("key = \"sender\"; limit = \"5 recipients per 300d\"; action = \"defer\";");
static const char latch[] = RULE("key = \"list\"; limit = \"5 recipients per 300d\"; "
                                 "latch = \"1d\"; action = \"quarantine\";");
static const char monitor[] =
    "mode = \"monitor\";\n" RULE("reach_over = 4; action = \"reject\";");
static const char no_rule[] = HEAD;

static const struct {
    const char *name, *rules, *scenario, *fate;
    int own_headers;   /* X-Mailbrake fields, of which a scenario has at most one */
    const char *brake; /* its key */
    enum action action;
    const char *token_for; /* recipients of a notice's token, put behind the scenario */
} cases[] = {
    {.name = "accepted", cap, "send\nfrom a@x.example\nto b@own.example\n", "accept -"},
    {.name = "past a cap",
     no_rule,
     "send\nfrom a@x.example\nto LONG@own.example\n",
     "tempfail doubt"},
    {.name = "past a cap, local",
     no_rule,
     "send\nclient local\nfrom a@own.example\nto LONG@own.example\n",
     "quarantine doubt"},
    {.name = "past a cap, from a relay",
     cap,
     "send\nclient 10.9.9.9\nfrom a@x.example\nto LONG@own.example\n",
     "accept relays"},
    {.name = "a login past a cap",
     no_rule,
     "send\nlogin LONG\nfrom a@x.example\nto b@own.example\n",
     "tempfail doubt"},
    {.name = "from a relay",
     cap,
     "send\nclient 10.9.9.9\nfrom a@x.example\nto five@own.example\n",
     "accept relays"},
    {.name = "from a relay, forged",
     cap,
     "send\nclient 10.9.9.9\nfrom a@x.example\nto five@own.example\n",
     "accept relays",
     .own_headers = 11},
    {.name = "ten fields of ours",
     no_rule,
     "send\nfrom a@x.example\nto b@own.example\n",
     "accept -",
     .own_headers = 10},
    {.name = "forged",
     no_rule,
     "send\nfrom a@x.example\nto b@own.example\n",
     "reject forged",
     .own_headers = 11},
    {.name = "forged and past a cap",
     no_rule,
     "send\nfrom a@x.example\nto LONG@own.example\n",
     "reject forged",
     .own_headers = 11},
    {.name = "a notice",
     cap,
     "send\nclient local\nfrom <>\nto five@own.example\n",
     "accept notice",
     .token_for = "five@own.example"},
    {.name = "a notice to others",
     cap,
     "send\nclient local\nfrom <>\nto five@own.example\n",
     "reject r",
     .token_for = "a@own.example"},
    {.name = "a notice from elsewhere",
     cap,
     "send\nfrom <>\nto five@own.example\n",
     "reject r",
     .token_for = "five@own.example"},
    {.name = "a notice in the name of somebody",
     cap,
     "send\nclient local\nfrom a@own.example\nto five@own.example\n",
     "reject r",
     .token_for = "five@own.example"},
    {.name = "a brake",
     no_rule,
     TO_FIVE,
     "reject brake",
     .brake = "list:five@own.example",
     .action = ACTION_REJECT},
    {.name = "a brake, local",
     no_rule,
     "send\nclient local\nfrom a@own.example\nto five@own.example\n",
     "quarantine brake",
     .brake = "all",
     .action = ACTION_DEFER},
    {.name = "a brake in monitor mode",
     monitor,
     TO_FIVE,
     "reject brake",
     .brake = "all",
     .action = ACTION_REJECT},
    {.name = "a brake and past a cap",
     no_rule,
     "send\nfrom a@x.example\nto LONG@own.example\n",
     "tempfail doubt",
     .brake = "sender:a@x.example",
     .action = ACTION_REJECT},
    {.name = "an unknown list",
     cap,
     "send\nfrom a@x.example\nto lost@own.example\n",
     "defer lists_unknown"},
    {.name = "an unknown list, local",
     cap,
     "send\nclient local\nfrom a@own.example\nto lost@own.example\n",
     "quarantine lists_unknown"},
    {.name = "over a reach", cap, TO_FIVE, "reject r"},
    {.name = "over a reach in monitor mode", monitor, TO_FIVE, "reject r, passes"},
    {.name = "the null sender", cap, "send\nfrom <>\nto five@own.example\n", "reject r"},
    {.name = "a full bucket", bucket, TO_FIVE, "accept -"},
    {.name = "an empty bucket",
     bucket,
     "send times 2 every 1s\nfrom a@x.example\n"
     "to five@own.example\n",
     "defer r"},
    {.name = "an empty bucket, local",
     bucket,
     "send times 2 every 1s\nclient local\nfrom a@own.example\nto five@own.example\n",
     "quarantine r"},
    {.name = "more than a bucket holds",
     bucket,
     "send\nfrom a@x.example\nto five@own.example b@own.example\n",
     "reject r"},
    {.name = "a latch",
     latch,
     "send times 2 every 1s\nfrom a@x.example\nto five@own.example\n"
     "send at 1m\nfrom b@x.example\nto five@own.example\n",
     "quarantine r"},
    {.name = "a thread that goes on",
     RULE("reply = true; key = \"thread\"; limit = \"1 messages per 300d\"; "
          "action = \"quarantine\";"),
     "send\nfrom a@x.example\nto b@own.example\nheader Message-ID: <1@x>\n"
     "send at 1s\nfrom c@x.example\nto b@own.example\n"
     "header Message-ID: <2@x>\nheader In-Reply-To: <1@x>\n"
     "send at 2s\nfrom d@x.example\nto b@own.example\n"
     "header Message-ID: <3@x>\nheader In-Reply-To: <2@x>\n",
     "quarantine r"},
};

enum {
    CASES = sizeof cases / sizeof *cases,
    LONG = 5000,
    FATE_SIZE = 200,
    HEADERS_MAX = 30
};

static struct engine engine;
static struct snapshot *snapshot;
static struct scenario scenario;
static char seen[FATE_SIZE]; /* of the last message */

/* ---- those who judge ---- */

struct comparison {
    const char *name;
    int own_headers;
    const struct brakes *brakes;
    const struct charger *charger;
};

/* "ACTION DECIDER": what the rules say; live mail and explain add ", passes" where
 * monitor mode accepts it all the same. */
static void say(const struct verdict *verdict, char fate[FATE_SIZE])
{
    (void)snprintf(fate, FATE_SIZE, "%s %s",
                   verdict->temporary ? "tempfail" : action_name(verdict->action),
                   judge_decider(verdict));
}

static struct session *collect(const struct generated_message *message)
{
    const struct envelope *envelope = &message->envelope;
    struct session *session = session_new();
    char *mail[] = {(char *)(uintptr_t)envelope->sender, NULL};
    ck_assert_ptr_nonnull(session);
    session->envelope.local = envelope->local;
    if (!envelope->local)
        (void)snprintf(session->client, sizeof session->client, "%s", envelope->client);
    session_mail(session, mail, NULL, envelope->login);
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        char *rcpt[] = {(char *)(uintptr_t)envelope->recipients[i].typed, NULL};
        session_rcpt(session, rcpt, NULL);
    }
    for (size_t i = 0; i < envelope->header_count; i++)
        session_header(session, envelope->headers[i].name, envelope->headers[i].value);
    return session;
}

static void decide(const struct generated_message *message, char fate[FATE_SIZE])
{
    struct decision decision;
    struct session *session = collect(message);
    struct envelope envelope = session_envelope(session);
    decide_message(&engine, &envelope, message->at_ms,
                   clock_minute_of_week(message->at_ms), &decision);
    session_free(session);
    const char *would = strchr(decision.would, ':');
    (void)snprintf(fate, FATE_SIZE, "%s %s%s",
                   would == NULL ? decision.verdict : would + 1, decision.rule,
                   would != NULL && decision.action == ACTION_ACCEPT ? ", passes" : "");
}

static void explain(const struct generated_message *message, const struct brakes *brakes,
                    char fate[FATE_SIZE])
{
    struct explanation explanation;
    const struct engine_input input = {
        .snapshot = snapshot,
        .envelope = &message->envelope,
        .brakes = brakes,
        .conversations = engine.conversations,
        .key = &engine.key,
        .token_key = &engine.token_key,
        .now_ms = message->at_ms,
        .minute_of_week = clock_minute_of_week(message->at_ms),
    };
    ck_assert_int_eq(explanation_make(&input, engine.store, INT64_MAX, &explanation),
                     STATUS_OK);
    json_t *json = explanation_json(&explanation);
    const char *verdict = json_string_value(json_object_get(json, "verdict"));
    const char *would = json_string_value(json_object_get(json, "would"));
    const char *rule = json_string_value(json_object_get(json, "rule"));
    if (explanation.reply.code == 451)
        verdict = "tempfail";
    (void)snprintf(
        fate, FATE_SIZE, "%s %s%s", would == NULL ? verdict : would,
        rule == NULL ? "-" : rule,
        would != NULL && explanation.reported.action == ACTION_ACCEPT ? ", passes" : "");
    json_decref(json);
    explanation_clear(&explanation);
}

/* The replay's walk of what no scenario can say. */
static void judge_simulated(const struct generated_message *message,
                            const struct charger *charger, char fate[FATE_SIZE])
{
    struct judgement judgement;
    struct envelope envelope = message->envelope;
    const struct engine_input input = {.snapshot = snapshot, .envelope = &envelope};
    engine_find_own_headers(&envelope);
    engine_judge(&input, charger, &judgement);
    say(&judgement.verdict, fate);
    judgement_clear(&judgement);
}

static enum status compare(void *context, const struct replay_outcome *outcome)
{
    char replay[FATE_SIZE];
    char explained[FATE_SIZE];
    char decided[FATE_SIZE];
    struct header headers[HEADERS_MAX] = {0};
    struct generated_message message = *outcome->message;
    struct envelope *envelope = &message.envelope;
    const struct comparison *comparison = context;
    say(outcome->verdict, replay);
    memcpy(headers, envelope->headers, envelope->header_count * sizeof *headers);
    envelope->headers = headers;
    for (int i = 0; i < comparison->own_headers; i++)
        headers[envelope->header_count++] =
            (struct header){.name = "x-mailbrake", .value = "x"};
    if (comparison->own_headers > 0)
        judge_simulated(&message, comparison->charger, replay);
    explain(&message, comparison->brakes, explained);
    decide(&message, decided);
    ck_assert_msg(strncmp(explained, replay, strlen(replay)) == 0 &&
                      strcmp(explained, decided) == 0,
                  "%s: live mail: %s, explain: %s, replay: %s", comparison->name, decided,
                  explained, replay);
    (void)snprintf(seen, sizeof seen, "%s", decided);
    return STATUS_OK;
}

/* ---- a relay ---- */

static void hear_nothing(void *context, enum severity severity, const char *text)
{
    (void)context;
    (void)severity;
    (void)text;
}

static void open_engine(const char *rules)
{
    struct problems problems = {0};
    struct error error = {0};
    const struct store_reporter reporter = {.report = hear_nothing};
    const char *path = file_put("mailbrake.conf", rules);
    (void)file_put("five", "a@own.example\nb@own.example\nc@own.example\n"
                           "d@own.example\ne@own.example\n");
    enum status status = snapshot_load(path, NULL, false, &problems, &snapshot);
    ck_assert_msg(status == STATUS_OK, "%s", problems_text(&problems));
    problems_clear(&problems);
    engine = (struct engine){.timeout_ms = 5000};
    digest_key_derive("key", 3, &engine.key);
    digest_key_derive("token", 5, &engine.token_key);
    ck_assert_int_eq(store_open(&snapshot->settings->store, &engine.key, reporter,
                                &engine.store, &error),
                     STATUS_OK);
    engine.ledger = ledger_new(engine.store, &engine.key, "relay");
    engine.active_brakes = active_brakes_new(engine.store);
    engine.conversations = conversations_new(CONVERSATIONS_MAX);
    ck_assert_int_eq(current_snapshot_init(&engine.snapshots), STATUS_OK);
    (void)current_snapshot_swap(&engine.snapshots, snapshot_ref(snapshot));
}

static void close_engine(void)
{
    current_snapshot_clear(&engine.snapshots);
    conversations_free(engine.conversations);
    active_brakes_free(engine.active_brakes);
    ledger_free(engine.ledger);
    store_close(engine.store);
    snapshot_unref(snapshot);
    snapshot = NULL;
}

static void set_brake(const char *key, enum action action)
{
    struct error error = {0};
    struct brake brake = {0};
    ck_assert_int_eq(brake_key_parse(key, &snapshot->settings->policy.domains, NULL,
                                     &brake.key, &error),
                     STATUS_OK);
    brake.action = action;
    brake.until_ms = INT64_MAX;
    brake.by = strdup("test");
    brake.reason = strdup("");
    ck_assert_int_eq(active_brakes_set(engine.active_brakes, &brake, INT64_MAX),
                     STATUS_OK);
    brake_clear(&brake);
}

/* The scenario with an address past the cap for LONG, and with a token. */
static void read_scenario(const char *text, const char *token_for)
{
    struct text whole = {0};
    const char *mark = strstr(text, "LONG");
    text_add(&whole, text, mark == NULL ? strlen(text) : (size_t)(mark - text));
    for (size_t i = 0; mark != NULL && i < LONG; i++)
        text_add_string(&whole, "a");
    text_add_string(&whole, mark == NULL ? "" : mark + 4);
    scenario_of(text_string(&whole), &scenario);
    if (token_for != NULL) {
        char token[NOTICE_TOKEN_SIZE];
        notice_token_make(&engine.token_key, token_for, scenario.start_ms, token);
        text_printf(&whole, "header " NOTICE_TOKEN_FIELD ": %s\n", token);
        scenario_clear(&scenario);
        scenario_of(text_string(&whole), &scenario);
    }
    text_clear(&whole);
}

START_TEST(live_mail_explain_and_replay_agree)
{
    struct error error = {0};
    struct report report;
    struct simulated *simulated = simulated_new();
    ck_assert_ptr_nonnull(simulated);
    folder_make();
    open_engine(cases[_i].rules);
    read_scenario(cases[_i].scenario, cases[_i].token_for);
    if (cases[_i].brake != NULL)
        set_brake(cases[_i].brake, cases[_i].action);
    const struct brakes *brakes = active_brakes_take(engine.active_brakes);
    const struct charger charger = simulated_charger(simulated);
    struct comparison comparison = {.name = cases[_i].name,
                                    .own_headers = cases[_i].own_headers,
                                    .brakes = brakes,
                                    .charger = &charger};
    const struct replay replay = {
        .input = {.snapshot = snapshot, .brakes = brakes, .token_key = &engine.token_key},
        .scenario = &scenario,
        .charger = &charger,
        .each = compare,
        .context = &comparison};
    enum status status = replay_run(&replay, &report, &error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", cases[_i].name, error.text);
    ck_assert_msg(strcmp(seen, cases[_i].fate) == 0, "%s: should be %s and is %s",
                  cases[_i].name, cases[_i].fate, seen);
    active_brakes_release(engine.active_brakes, brakes);
    report_clear(&report);
    scenario_clear(&scenario);
    simulated_free(simulated);
    close_engine();
    folder_remove();
}
END_TEST

/* A message that the session could not keep whole, for a reason of the session's. */
START_TEST(what_is_not_whole_is_in_doubt)
{
    static const struct {
        const char *client, *fate, *failure;
    } whence[] = {{"192.0.2.1", "tempfail doubt", "too large"},
                  {"10.9.9.9", "accept relays", NULL}};
    folder_make();
    open_engine(cap);
    for (size_t i = 0; i < sizeof whence / sizeof *whence; i++) {
        char fate[FATE_SIZE];
        struct judgement judgement;
        const struct envelope envelope = {
            .client = whence[i].client, .sender = "a@x.example", .failure = "too large"};
        const struct engine_input input = {.snapshot = snapshot, .envelope = &envelope};
        engine_judge(&input, NULL, &judgement);
        say(&judgement.verdict, fate);
        ck_assert_str_eq(fate, whence[i].fate);
        ck_assert_pstr_eq(judgement.failure, whence[i].failure);
        judgement_clear(&judgement);
    }
    close_engine();
    folder_remove();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("walk");
    TCase *tests = tcase_create("walk");
    if (digest_init() != STATUS_OK)
        return EXIT_FAILURE;
    tcase_add_loop_test(tests, live_mail_explain_and_replay_agree, 0, CASES);
    tcase_add_test(tests, what_is_not_whole_is_in_doubt);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
