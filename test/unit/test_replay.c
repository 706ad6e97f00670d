/* Scenarios played through the whole engine: what came of them, minute by minute. */
#include <time.h>

#include "../support/replay_files.h"

#include "replay/report_views.h"
#include "replay/timeline.h"
#include "run.h"

static struct scenario scenario;
static struct snapshot *snapshot;
static struct report report;
static struct text seen; /* the verdicts, as each was told */

static const char config[] =
    "domains = [ \"x.org\" ];\n"
    "trusted = [ \"client:10.0.0.0/8\" ];\n"
    "rules = (\n"
    "  { name = \"night\"; hours = \"22:00-06:00\"; to = [ \"list:*\" ]; action = "
    "\"defer\"; },\n"
    "  { name = \"big\"; to = [ \"list:*\" ]; reach_over = 100; action = \"reject\"; },\n"
    "  { name = \"watch\"; to = [ \"list:*\" ]; mode = \"monitor\"; action = \"reject\"; "
    "},\n"
    "  { name = \"rate\"; key = \"sender\"; limit = \"60 recipients per 1h\"; burst = "
    "10;\n"
    "    action = \"quarantine\"; }\n"
    ");\n";

static void tear_down(void)
{
    report_clear(&report);
    snapshot_unref(snapshot);
    snapshot = NULL;
    scenario_clear(&scenario);
    text_clear(&seen);
}

static enum status see(void *context, const struct replay_outcome *outcome)
{
    (void)context;
    text_printf(&seen, "%s%s:%s:%lld", seen.length > 0 ? " " : "",
                report.deciders[outcome->decider].name,
                report_action_name(outcome->verdict->action), (long long)outcome->copies);
    return STATUS_OK;
}

static void play(const char *rules, const char *text)
{
    struct error error = {0};
    struct simulated *simulated = simulated_new();
    tear_down();
    scenario_of(text, &scenario);
    snapshot = snapshot_of(rules, &scenario);
    const struct charger charger = simulated_charger(simulated);
    const struct replay replay = {.input = {.snapshot = snapshot},
                                  .scenario = &scenario,
                                  .charger = &charger,
                                  .each = see};
    enum status status = replay_run(&replay, &report, &error);
    ck_assert_msg(status == STATUS_OK, "%d: %s", error.line, error.text);
    simulated_free(simulated);
}

START_TEST(limits_see_the_simulated_clock)
{
    play(config, "start Mon 08:00\n"
                 "send times 13 every 30s\nlogin ann\nfrom ann@x.org\nto b@x.org\n"
                 "send at 1h times 2 every 1s\nlogin bob\nfrom bob@x.org\n"
                 "to p{1..10}@x.org\n"
                 "send as late at 365d\nlogin bob\nfrom bob@x.org\nto p{1..10}@x.org\n"
                 "expect all accepted = 15\n"
                 "expect all held copies by rate = 10\n"
                 "expect late held = 0\n"
                 "expect all sent < 3 from 1h until 2h\n");
    ck_assert_int_eq(report.messages, 16);
    ck_assert_int_eq(report.tags[SCENARIO_ALL].by[ACTION_QUARANTINE].messages, 1);
    ck_assert_int_eq(report.closed.at_ms, scenario.start_ms + 3601000);
    ck_assert_str_eq(report.deciders[report.closed.decider].name, "rate");
    ck_assert(report_is_met(&report));
}
END_TEST

START_TEST(lists_are_made_up)
{
    play(config, "start Mon 08:00\n"
                 "list all@x.org 200 of p{n}@x.org\n"
                 "list c{1..2}@x.org 5\n"
                 "send every 1s times 2\nlogin ann\nfrom ann@x.org\n"
                 "to all@x.org\nto c1@x.org c2@x.org\n"
                 "expect all refused copies = size(all@x.org)\n"
                 "expect all copies = size(c1@x.org) * 2\n");
    ck_assert_str_eq(text_string(&seen), "big:refused:200 -:accepted:10");
    ck_assert(report_is_met(&report));
    ck_assert_int_eq(report.deciders[2].would.messages, 1);
    ck_assert_int_eq(report.deciders[2].would.copies, 10);
}
END_TEST

START_TEST(permits_let_pass_in_their_time)
{
    play(config, "start Mon 08:00\n"
                 "set copies = 450\n"
                 "list all@x.org 200\n"
                 "permit sender:ann@else.org {copies} at 1h for 30m to all@x.org\n"
                 "send times 2 every 59m\nfrom ann@else.org\nto all@x.org\n"
                 "send at 1h times 4 every 10m\nfrom ann@else.org\nto all@x.org\n");
    ck_assert_str_eq(text_string(&seen),
                     "big:refused:200 big:refused:200 permit:accepted:200 "
                     "permit:accepted:200 big:refused:200 big:refused:200");
}
END_TEST

/* The technician's script outgrows its audience; he answers, and it goes on, up to twice
 * what was held. What another one sends under that key stays. */
START_TEST(an_answer_lets_pass_twice_what_was_held)
{
    static const char asks[] =
        "domains = [ \"x.org\" ];\n"
        "confirm = { address = \"confirm@x.org\"; max_reach = 60; };\n"
        "rules = ( { name = \"ask\"; reach_over = 20; key = \"all\";\n"
        "            action = \"confirm\"; } );\n";
    play(asks, "start Mon 08:00\n"
               "confirm storm at 10m\n"
               "confirm other at 5m\n"
               "send as storm\nlogin sis\nfrom sis@x.org\nto f{1..50}@x.org\n"
               "send as large\nlogin sis\nfrom sis@x.org\nto f{1..61}@x.org\n"
               "send as early at 9m\nlogin sis\nfrom sis@x.org\nto f{1..50}@x.org\n"
               "send as again at 11m times 3 every 1m\nlogin sis\nfrom sis@x.org\n"
               "to f{1..50}@x.org\n"
               "send as thief at 12m\nlogin bob\nfrom sis@x.org\nto f{1..50}@x.org\n"
               "send as late at 4h11m\nlogin sis\nfrom sis@x.org\nto f{1..21}@x.org\n"
               "expect storm held by ask = 1\nexpect early held = 1\n"
               "expect again accepted copies = 100\nexpect again held = 1\n"
               "expect thief held = 1\nexpect late held = 1\n");
    ck_assert(report_is_met(&report));
}
END_TEST

START_TEST(permits_that_mean_nothing_are_errors)
{
    static const char *const lines[] = {"permit logn:ann 5 for 1h", "permit all 5 for 1h",
                                        "permit login:ann 5 for 1h to *@x.org"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[200];
        struct error error = {0};
        (void)snprintf(text, sizeof text, "\n%s\nsend\nfrom ann@x.org\nto b@x.org\n",
                       lines[i]);
        tear_down();
        scenario_of(text, &scenario);
        snapshot = snapshot_of(config, &scenario);
        const struct replay replay = {.input = {.snapshot = snapshot},
                                      .scenario = &scenario};
        ck_assert_int_eq(replay_run(&replay, &report, &error), STATUS_INVALID);
        ck_assert_int_eq(error.line, 2);
        ck_assert_str_ne(error.text, "");
    }
}
END_TEST

START_TEST(hours_are_local)
{
    play(config, "start Mon 21:59\n"
                 "list c@x.org 5\n"
                 "send every 1m times 2\nfrom ann@x.org\nto c@x.org\n");
    ck_assert_str_eq(text_string(&seen), "-:accepted:5 night:deferred:5");
}
END_TEST

START_TEST(what_was_expected_and_is_not_is_found)
{
    play(config, "send times 12 every 1s\nlogin ann\nfrom ann@x.org\nto b@x.org\n"
                 "expect all copies <= 9\n"
                 "expect all held >= 2\n"
                 "expect all copies <= 10 + 60 * stop_after(all) / 3600\n");
    ck_assert(!report.checks[0].met);
    ck_assert_int_eq(report.checks[0].found, 10);
    ck_assert_int_eq(report.checks[0].bound, 9);
    ck_assert(report.checks[1].met && report.checks[2].met);
    ck_assert(!report_is_met(&report));
}
END_TEST

START_TEST(a_bound_that_has_no_value_is_an_error)
{
    struct error error = {0};
    struct simulated *simulated = simulated_new();
    const struct charger charger = simulated_charger(simulated);
    scenario_of(
        "send\nfrom ann@x.org\nto b@x.org\n\nexpect all copies = size(no@x.org)\n",
        &scenario);
    snapshot = snapshot_of(config, &scenario);
    const struct replay replay = {
        .input = {.snapshot = snapshot}, .scenario = &scenario, .charger = &charger};
    ck_assert_int_eq(replay_run(&replay, &report, &error), STATUS_INVALID);
    ck_assert_str_eq(error.text, "there is no list no@x.org");
    ck_assert_int_eq(error.line, 5);
    scenario_clear(&scenario);
    scenario_of("send\nfrom ann@x.org\nto b@x.org\nexpect all held by no-rule = 0\n",
                &scenario);
    ck_assert_int_eq(replay_run(&replay, &report, &error), STATUS_INVALID);
    ck_assert_str_eq(error.text, "the configuration has no rule no-rule");
    simulated_free(simulated);
}
END_TEST

START_TEST(what_the_engine_cannot_take_is_deferred)
{
    char text[6000] = "send\nfrom ann@x.org\nto ";
    size_t length = strlen(text);
    memset(text + length, 'a', 5000);
    (void)snprintf(text + length + 5000, sizeof text - length - 5000, "@x.org\n");
    play(config, text);
    ck_assert_str_eq(text_string(&seen), "doubt:deferred:0");
}
END_TEST

static enum status charge_nothing(void *context, const struct plan *plan, int64_t now_ms,
                                  struct charge_outcome *out,
                                  enum charge_source *out_source)
{
    (void)context;
    (void)plan;
    (void)now_ms;
    (void)out;
    (void)out_source;
    return STATUS_UNAVAILABLE;
}

START_TEST(a_store_that_is_away_is_told)
{
    struct error error = {0};
    const struct charger charger = {.charge = charge_nothing};
    scenario_of("send\nlogin a\nfrom ann@x.org\nto b@x.org\n", &scenario);
    snapshot = snapshot_of(config, &scenario);
    const struct replay replay = {.input = {.snapshot = snapshot},
                                  .scenario = &scenario,
                                  .charger = &charger,
                                  .each = see};
    ck_assert_int_eq(replay_run(&replay, &report, &error), STATUS_OK);
    ck_assert_str_eq(text_string(&seen), "on_failure:deferred:1");
}
END_TEST

/* ---- what is shown ---- */

static const char storm[] = "title A & B <storm>\n"
                            "start Mon 08:00\n"
                            "list all@x.org 200\n"
                            "send as storm times 130 every 30s\nfrom ann@x.org\n"
                            "to all@x.org\n"
                            "send as ordinary times 10 every 1m\nfrom b{n}@x.org\n"
                            "to c@x.org\n"
                            "expect storm copies = 0\n";

START_TEST(the_document_has_it_all)
{
    play(config, storm);
    json_t *json = report_json(&report, "mailbrake.conf");
    const char *title = NULL;
    const char *rule = NULL;
    json_int_t refused = 0;
    int met = 0;
    json_t *minutes = NULL;
    ck_assert_int_eq(json_unpack(json, "{s:s, s:{s:I}, s:{s:s}, s:o, s:b}", "title",
                                 &title, "refused", "copies", &refused, "closed", "rule",
                                 &rule, "minutes", &minutes, "met", &met),
                     0);
    ck_assert_str_eq(title, "A & B <storm>");
    ck_assert_str_eq(rule, "big");
    ck_assert_int_eq(refused, 130 * 200);
    ck_assert_uint_eq(json_array_size(minutes), 65);
    ck_assert_int_eq(met, 1);
    json_decref(json);
}
END_TEST

static void draw(const char *text, struct text *out)
{
    play(config, text);
    text_reset(out);
    ck_assert_int_eq(report_svg(&report, out), STATUS_OK);
    ck_assert_ptr_null(strstr(out->data, "=\"-"));
}

START_TEST(the_picture_is_escaped_and_bounded)
{
    struct text picture = {0};
    draw(storm, &picture);
    ck_assert_ptr_nonnull(strstr(picture.data, "A &amp; B &lt;storm&gt;"));
    ck_assert_ptr_nonnull(strstr(picture.data, "The brake closes: 08:00:00, rule big"));
    ck_assert_ptr_nonnull(strstr(picture.data, "copies per minute"));
    ck_assert_ptr_nonnull(strstr(picture.data, "130 messages were stopped: 26,000"));
    draw("send\nfrom a@x.org\nto b@x.org\n", &picture);
    ck_assert_ptr_nonnull(strstr(picture.data, "1 message went out: 1 copy"));
    ck_assert_ptr_nonnull(strstr(picture.data, "Nothing was stopped"));
    draw("repeat 104 each 7d\nsend\nfrom a@x.org\nto b@x.org\nend\n", &picture);
    ck_assert_ptr_nonnull(strstr(picture.data, "copies per week"));
    ck_assert_uint_lt(picture.length, 40000);
    text_clear(&picture);
}
END_TEST

START_TEST(long_scenarios_have_few_rows)
{
    struct timeline timeline;
    play(config, "start Mon 08:00\nrepeat 60 each 1d\n"
                 "send times 30 every 10m\nfrom a@x.org\nto b@x.org\nend\n");
    ck_assert_uint_eq(report.cell_count, 1800);
    ck_assert_int_eq(timeline_by_rows(&report, 100, &timeline), STATUS_OK);
    ck_assert_int_eq(timeline.step_minutes, 1440);
    ck_assert_uint_eq(timeline.count, 60);
    ck_assert_int_eq(timeline.intervals[59].by[ACTION_ACCEPT].messages, 30);
    timeline_clear(&timeline);
}
END_TEST

/* Clocks go back: no hour is lost, none comes before another. */
START_TEST(the_end_of_summer_time_keeps_the_order)
{
    struct timeline timeline;
    ck_assert_int_eq(setenv("TZ", "Europe/Berlin", 1), 0);
    tzset();
    play(config, "start 2024-10-27 00:30\n"
                 "send times 300 every 1m\nfrom a@x.org\nto b@x.org\n");
    ck_assert_int_eq(timeline_by_rows(&report, 10, &timeline), STATUS_OK);
    int64_t messages = 0;
    for (size_t i = 0; i < timeline.count; i++) {
        messages += timeline.intervals[i].by[ACTION_ACCEPT].messages +
                    timeline.intervals[i].by[ACTION_QUARANTINE].messages;
        ck_assert(i == 0 ||
                  timeline.intervals[i].number > timeline.intervals[i - 1].number);
    }
    ck_assert_int_eq(messages, 300);
    timeline_clear(&timeline);
    ck_assert_int_eq(unsetenv("TZ"), 0);
    tzset();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replay");
    TCase *tests = tcase_create("replay");
    if (digest_init() != STATUS_OK)
        return 1;
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, limits_see_the_simulated_clock);
    tcase_add_test(tests, lists_are_made_up);
    tcase_add_test(tests, permits_let_pass_in_their_time);
    tcase_add_test(tests, an_answer_lets_pass_twice_what_was_held);
    tcase_add_test(tests, permits_that_mean_nothing_are_errors);
    tcase_add_test(tests, hours_are_local);
    tcase_add_test(tests, what_was_expected_and_is_not_is_found);
    tcase_add_test(tests, a_bound_that_has_no_value_is_an_error);
    tcase_add_test(tests, what_the_engine_cannot_take_is_deferred);
    tcase_add_test(tests, a_store_that_is_away_is_told);
    tcase_add_test(tests, the_document_has_it_all);
    tcase_add_test(tests, the_picture_is_escaped_and_bounded);
    tcase_add_test(tests, long_scenarios_have_few_rows);
    tcase_add_test(tests, the_end_of_summer_time_keeps_the_order);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
