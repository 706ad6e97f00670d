/* Each allocation of a configuration, of lists and of a judgement fails once: it is told,
 * a message is never let through for it, and (under ASan) nothing is lost. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/redis_server.h"
#include "../support/shortage.h"
#include "base/clock.h"
#include "engine/decide.h"
#include "engine/traffic.h"
#include "lists/mailman.h"
#include "milter/session.h"
#include "run.h"

enum { ALLOCATIONS_MAX = 20000 };

static char folder[] = "/tmp/mailbrake-shortage-XXXXXX";
static char configuration[100], lists[6][100];

static const char settings_text[] =
    "domains = [ \"own.example\", \"too.example\" ];\n"
    "trusted = [ \"client:local\", \"client:10.0.0.0/8\" ];\n"
    "relays = [ \"client:10.0.0.2\" ];\n"
    "notify = { to = [ \"post@own.example\" ]; command = \"/bin/true\"; };\n"
    "store = { type = \"memory\"; };\n"
    "lists = ( { address = \"all@own.example\"; file = \"all\"; },\n"
    "          { aliases = \"aliases\"; domains = [ \"own.example\" ]; },\n"
    "          { virtual = \"virtual\"; },\n"
    "          { folder = \"f\"; domain = \"own.example\"; } );\n"
    "groups = { staff = [ \"login:a*\", \"@else.example\", \"b@own.example\" ];\n"
    "           pupils = [ \"list:all@own.example\" ]; };\n"
    "rules = (\n"
    " { name = \"cap\"; from = [ \"pupils\" ]; reach_over = 50; action = \"reject\";\n"
    "   reason = \"At most 50.\"; hours = \"Mon-Fri 07:00-17:00\"; },\n"
    " { name = \"storm\"; to = [ \"list:*\" ]; reply = true; key = \"thread\";\n"
    "   limit = \"10 messages per 1d\"; latch = \"1d\"; action = \"quarantine\"; },\n"
    " { name = \"lists\"; to = [ \"list:*\" ]; key = \"list\"; latch = \"1h\";\n"
    "   limit = \"20 messages per 1h\"; action = \"quarantine\"; },\n"
    " { name = \"grown\"; from = [ \"staff\" ]; key = \"campaign\"; surge = 2.0;\n"
    "   window = \"1d\"; floor = 1000; action = \"quarantine\"; },\n"
    " { name = \"places\"; key = \"sender\"; limit = \"5 clients per 1d\";\n"
    "   action = \"quarantine\"; },\n"
    " { name = \"watched\"; key = \"sender_domain\"; mode = \"monitor\";\n"
    "   limit = \"1 recipients per 1h\"; action = \"defer\"; },\n"
    " { name = \"rate\"; key = \"sender\"; limit = \"900 recipients per 1h\";\n"
    "   action = \"defer\"; });\n";

static void put(const char *name, const char *text, char path[100])
{
    (void)snprintf(path, 100, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
    (void)memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(digest_init(), STATUS_OK);
    put("mailbrake.conf", settings_text, configuration);
    put("all", "a@own.example\nBob <b@own.example>\nc@else.example\n", lists[0]);
    put("aliases", "post: ann, staff, |/bin/x\nstaff: all@own.example, d@x\nr: a\n",
        lists[1]);
    put("virtual", "@too.example @own.example\nboth@own.example staff, x@y\n", lists[2]);
    (void)snprintf(lists[5], sizeof lists[5], "%s/f", folder);
    ck_assert_int_eq(mkdir(lists[5], 0700), 0);
    put("f/class.csv", "name,email\nAnn,\"a@own.example\"\nBob,b@x\n", lists[3]);
    put("f/team.txt", "class\nc@x\n", lists[4]);
}

static void teardown(void)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        ck_assert_int_eq(remove(lists[i]), 0);
    (void)unlink(configuration);
    ck_assert_int_eq(rmdir(folder), 0);
}

static struct snapshot *load(void)
{
    struct problems problems = {0};
    struct snapshot *snapshot = NULL;
    enum status status = snapshot_load(configuration, NULL, true, &problems, &snapshot);
    ck_assert_msg(status == STATUS_OK, "%s",
                  problems.count > 0 ? problems.items[0].text : "");
    problems_clear(&problems);
    return snapshot;
}

/* A text with all that counts in settings: what was done without some memory is compared
 * with what is done with all of it. */
static void describe(const struct settings *settings, struct text *out)
{
    const struct policy *policy = &settings->policy;
    text_printf(out, "%zu %zu %zu %zu %zu:", policy->trusted.count, policy->relays.count,
                policy->group_count, settings->notify.to_count, settings->list_count);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        text_printf(out, " %s %s %zu %zu %d %lld %s %d;", rule->name, rule->fingerprint,
                    rule->from.count, rule->to.count, (int)rule->action,
                    (long long)rule->latch_ms, rule->reason == NULL ? "" : rule->reason,
                    rule->monitor);
    }
    ck_assert(!out->failed);
}

static void describe_lists(const struct snapshot *snapshot, struct text *out)
{
    for (uint32_t i = 0; i < directory_list_count(snapshot->directory); i++) {
        const struct list *list = directory_list(snapshot->directory, i);
        text_printf(out, " %s %llu %d;", list->address, (unsigned long long)list->size,
                    (int)list->state);
    }
    describe(snapshot->settings, out);
}

/* Warnings may be lost, and another way to the same end is fine. */
static void expect(long n, bool struck, enum status status, const struct text *got,
                   const struct text *wanted)
{
    if (status == STATUS_OK)
        ck_assert_msg(strcmp(text_string(got), text_string(wanted)) == 0,
                      "allocation %ld: %s", n, text_string(got));
    else
        ck_assert_msg(struck && status == STATUS_NOMEM, "allocation %ld: status %d", n,
                      (int)status);
}

START_TEST(no_configuration_is_half_read)
{
    struct text wanted = {0};
    struct snapshot *whole = load();
    bool struck = true;
    describe(whole->settings, &wanted);
    for (long n = 0; struck; n++) {
        struct settings settings;
        struct problems problems = {0};
        struct text got = {0};
        ck_assert_int_lt(n, ALLOCATIONS_MAX);
        shortage_begin(n);
        enum status status = settings_load(configuration, &settings, &problems);
        struck = shortage_end();
        if (status == STATUS_OK)
            describe(&settings, &got);
        expect(n, struck, status, &got, &wanted);
        settings_clear(&settings);
        problems_clear(&problems);
        text_clear(&got);
    }
    snapshot_unref(whole);
    text_clear(&wanted);
}
END_TEST

/* Mailman's only list, and its one member, whose owner and moderator she is. */
static enum status ask_mailman(void *context, const char *path, json_t **out,
                               struct error *error)
{
    static const char list[] =
        "{\"start\": 0, \"total_size\": 1, \"entries\": [{\"member_count\": 1, "
        "\"fqdn_listname\": \"l@own.example\", \"list_id\": \"l.own.example\"}]}";
    static const char member[] = "{\"start\": 0, \"total_size\": 1, \"entries\": "
                                 "[{\"email\": \"ann@own.example\", \"list_id\": "
                                 "\"l.own.example\"}]}";
    (void)context;
    *out = json_loads(strncmp(path, "/lists", 6) == 0 ? list : member, 0, NULL);
    return *out != NULL ? STATUS_OK : error_set(error, STATUS_NOMEM, "out of memory");
}

START_TEST(no_list_of_mailman_is_half_read)
{
    const struct mailman_server server = {.ask = ask_mailman};
    bool struck = true;
    for (long n = 0; struck; n++) {
        struct entries entries = {0};
        struct problems problems = {0};
        struct mailman_counts counts;
        struct error error;
        ck_assert_int_lt(n, ALLOCATIONS_MAX);
        shortage_begin(n);
        enum status status = mailman_read(&server, &entries, &problems, &counts, &error);
        struck = shortage_end();
        ck_assert(status == STATUS_OK || (struck && status == STATUS_NOMEM));
        if (status == STATUS_OK) { /* another way to the same end is fine */
            ck_assert_uint_eq(entries_find(&entries, "l@own.example")->members.count, 1);
            ck_assert_ptr_nonnull(entries_find(&entries, "l-owner@own.example"));
        }
        entries_clear(&entries);
        problems_clear(&problems);
    }
}
END_TEST

START_TEST(no_list_is_half_read)
{
    struct text wanted = {0};
    struct snapshot *whole = load();
    bool struck = true;
    describe_lists(whole, &wanted);
    for (long n = 0; struck; n++) {
        struct problems problems = {0};
        struct snapshot *snapshot = NULL;
        struct text got = {0};
        ck_assert_int_lt(n, ALLOCATIONS_MAX);
        shortage_begin(n);
        enum status status =
            snapshot_load(configuration, NULL, true, &problems, &snapshot);
        struck = shortage_end();
        if (status == STATUS_OK)
            describe_lists(snapshot, &got);
        expect(n, struck, status, &got, &wanted);
        snapshot_unref(snapshot);
        problems_clear(&problems);
        text_clear(&got);
    }
    snapshot_unref(whole);
    text_clear(&wanted);
}
END_TEST

/* ---- judgements ---- */

static const struct envelope_recipient recipients[] = {
    {"<staff@own.example>", "staff@own.example", "<staff@own.example>", 0},
    {"<Both+x@too.example>", "both+x@too.example", "<Both+x@too.example>", 0},
    {"<both@own.example>", "both@own.example", "<both@own.example>", 0},
    {"<q@else.example>", "q@else.example", "<q@else.example>", 0},
};
static const struct header headers[] = {
    {"Subject", "Re: =?utf-8?q?h=C3=B6?= 12"},
    {"References", "<a@b> <c@d>"},
    {"In-Reply-To", "<c@d>"},
    {"To", "Staff <staff@own.example>, x@y"},
    {"Message-ID", "<e@f>"},
};
static const struct envelope message = {
    .client = "10.1.2.3",
    .login = "ann",
    .sender = "Ann@Own.Example",
    .sender_argument = "<Ann@Own.Example>",
    .recipients = recipients,
    .recipient_count = sizeof recipients / sizeof recipients[0],
    .headers = headers,
    .header_count = sizeof headers / sizeof headers[0],
    .queue_id = "4B",
};

START_TEST(facts_are_whole_or_none)
{
    struct snapshot *snapshot = load();
    bool struck = true;
    for (long n = 0; struck; n++) {
        struct facts facts;
        ck_assert_int_lt(n, ALLOCATIONS_MAX);
        shortage_begin(n);
        enum status status = facts_gather(&message, &snapshot->settings->policy,
                                          snapshot->directory, &facts);
        struck = shortage_end();
        ck_assert_int_eq(status, struck ? STATUS_NOMEM : STATUS_OK);
        if (status == STATUS_OK)
            facts_clear(&facts);
    }
    snapshot_unref(snapshot);
}
END_TEST

START_TEST(plans_are_whole_or_none)
{
    struct facts facts;
    struct snapshot *snapshot = load();
    bool struck = true;
    ck_assert_int_eq(
        facts_gather(&message, &snapshot->settings->policy, snapshot->directory, &facts),
        STATUS_OK);
    const struct view view = {.policy = &snapshot->settings->policy,
                              .facts = &facts,
                              .directory = snapshot->directory};
    for (long n = 0; struck; n++) {
        struct plan plan;
        ck_assert_int_lt(n, ALLOCATIONS_MAX);
        shortage_begin(n);
        enum status status = plan_make(&view, &plan);
        struck = shortage_end();
        ck_assert_int_eq(status, struck ? STATUS_NOMEM : STATUS_OK);
        if (status != STATUS_OK)
            continue;
        ck_assert_uint_gt(plan.charge_count, 3);
        plan_clear(&plan);
    }
    facts_clear(&facts);
    snapshot_unref(snapshot);
}
END_TEST

static void report(void *nothing, enum severity severity, const char *text)
{
    (void)nothing;
    (void)severity;
    (void)text;
}

/* socket: of Redis; NULL: the store is in memory. */
static void open_engine(struct engine *engine, char *socket)
{
    struct error error = {0};
    const struct store_reporter reporter = {.report = report};
    struct snapshot *snapshot = load();
    struct store_settings store = snapshot->settings->store;
    if (socket != NULL) {
        store.type = STORE_TYPE_REDIS;
        store.host = NULL;
        store.path = socket;
        store.on_failure = ON_FAILURE_TEMPFAIL;
    }
    digest_key_derive("test", 4, &engine->key);
    digest_key_derive("seal", 4, &engine->token_key);
    ck_assert_int_eq(store_open(&store, &engine->key, reporter, &engine->store, &error),
                     STATUS_OK);
    engine->timeout_ms = 1000;
    ck_assert_int_eq(current_snapshot_init(&engine->snapshots), STATUS_OK);
    (void)current_snapshot_swap(&engine->snapshots, snapshot);
    engine->ledger = ledger_new(engine->store, &engine->key, "test");
    engine->active_brakes = active_brakes_new(engine->store);
    engine->counters = counters_new();
    engine->conversations = conversations_new(100);
    engine->traffic = traffic_new("test");
    ck_assert_ptr_nonnull(engine->ledger);
    ck_assert_ptr_nonnull(engine->active_brakes);
    ck_assert_ptr_nonnull(engine->counters);
    ck_assert_ptr_nonnull(engine->conversations);
    ck_assert_ptr_nonnull(engine->traffic);
}

static void close_engine(struct engine *engine)
{
    traffic_free(engine->traffic);
    conversations_free(engine->conversations);
    counters_free(engine->counters);
    active_brakes_free(engine->active_brakes);
    ledger_free(engine->ledger);
    store_close(engine->store);
    current_snapshot_clear(&engine->snapshots);
}

/* As the callbacks do, from the connection to the verdict. False: for want of memory the
 * callbacks answer 451 themselves. */
static bool collect_and_decide(struct engine *engine, struct decision *out)
{
    char *sender[] = {(char *)(uintptr_t)message.sender_argument, NULL};
    struct session *session = session_new();
    if (session == NULL)
        return false;
    (void)snprintf(session->client, sizeof session->client, "%s", message.client);
    session_mail(session, sender, message.sender, message.login);
    for (size_t i = 0; i < message.recipient_count; i++) {
        char *recipient[] = {(char *)(uintptr_t)recipients[i].typed, NULL};
        session_rcpt(session, recipient, recipients[i].address);
    }
    for (size_t i = 0; i < message.header_count; i++)
        session_header(session, headers[i].name, headers[i].value);
    struct envelope envelope = session_envelope(session);
    envelope.queue_id = message.queue_id;
    decide_message(engine, &envelope, 1700000000000, 0, out);
    session_free(session);
    return true;
}

static void await_store(struct engine *engine)
{
    int64_t deadline_us = clock_deadline_us(5000);
    while (store_state(engine->store) != STORE_STATE_OK) {
        ck_assert_int_gt(clock_left_ms(deadline_us), 0);
        clock_sleep_ms(5);
    }
}

/* The message is in doubt, or judged as with all memory: here, the eleventh of its thread
 * is held whatever was wrong with those before. */
static void judge_in_want(char *socket)
{
    struct engine engine = {0};
    struct decision decision;
    bool struck = true;
    open_engine(&engine, socket);
    for (int i = 0; i < 10; i++)
        ck_assert(collect_and_decide(&engine, &decision));
    for (long n = 0; struck; n++) {
        ck_assert_int_lt(n, ALLOCATIONS_MAX);
        await_store(&engine); /* its own threads, too, may have been in want */
        shortage_begin(n);
        bool judged = collect_and_decide(&engine, &decision);
        struck = shortage_end();
        bool doubt =
            !judged || (decision.action == ACTION_DEFER && decision.failure != NULL);
        bool held = judged && decision.action == ACTION_QUARANTINE;
        ck_assert_msg(held || (struck && doubt), "allocation %ld: %s %s", n,
                      decision.verdict, decision.rule);
    }
    close_engine(&engine);
}

START_TEST(no_message_passes_for_want_of_memory)
{
    judge_in_want(NULL);
}
END_TEST

START_TEST(no_message_passes_for_want_of_memory_beside_redis)
{
    struct server server;
    server_open(&server, NULL, NULL);
    judge_in_want(server.socket);
    server_close(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shortage");
    TCase *tests = tcase_create("shortage");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, no_configuration_is_half_read);
    tcase_add_test(tests, no_list_is_half_read);
    tcase_add_test(tests, no_list_of_mailman_is_half_read);
    tcase_add_test(tests, facts_are_whole_or_none);
    tcase_add_test(tests, plans_are_whole_or_none);
    tcase_add_test(tests, no_message_passes_for_want_of_memory);
    tcase_add_test(tests, no_message_passes_for_want_of_memory_beside_redis);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
