/* What each route of the control API answers, and what it writes down. */
#include "control_fixture.h"
#include "quarantine/ledger_incident.h"

#include "policy/plan.h"
#include "run.h"

START_TEST(api_says_its_status)
{
    const struct counted_decision counted = {.rule = "rate",
                                             .verdict = "quarantine",
                                             .would = "per-list:reject",
                                             .reach = 3,
                                             .took_us = 200};
    counters_add(context.counters, &counted);
    (void)hold_one();
    json_t *json = get("GET /v1/status", NULL);
    ck_assert_str_eq(text_at(json, "version"), MAILBRAKE_VERSION);
    ck_assert_str_eq(text_at(json, "mode"), "enforce");
    ck_assert_int_eq(number_at(json, "holds"), 1);
    ck_assert_int_eq(number_at(json, "incidents"), 1);
    ck_assert_int_eq(number_at(json_object_get(json, "verdicts"), "quarantine"), 1);
    ck_assert_int_eq(number_at(json_object_get(json, "verdicts"), "accept"), 0);
    ck_assert_int_eq(number_at(json_object_get(json, "would"), "reject"), 1);
    ck_assert_str_eq(text_at(json_object_get(json, "store"), "state"), "ok");
    json_decref(json);
}
END_TEST

START_TEST(api_lists_sizes_and_no_members)
{
    json_t *json = get("GET /v1/lists", NULL);
    const json_t *list = json_array_get(json_object_get(json, "lists"), 0);
    ck_assert_str_eq(text_at(list, "address"), "all@own.example");
    ck_assert_int_eq(number_at(list, "size"), 3);
    ck_assert_int_eq(number_at(list, "external"), 1);
    ck_assert_str_eq(text_at(list, "state"), "ok");
    ck_assert_ptr_null(strstr(answer, "c@else.example"));
    json_decref(json);
    json_decref(get("GET /v1/lists?address=all", NULL));
    json_decref(get("GET /v1/lists?address=all%40OWN.example", NULL));
    expect_error("GET /v1/lists?address=nobody@own.example", NULL, 404, "no list");
}
END_TEST

START_TEST(api_lists_are_accepted)
{
    static const char *const wrong[] = {"{}", "{\"all\": false}", "{\"address\": 1}",
                                        "{\"address\": \"all\", \"all\": true}"};
    static const char *const right[] = {"{\"address\": \"all\"}", "{\"all\": true}"};
    for (size_t i = 0; i < 4; i++)
        expect_error("POST /v1/lists/accept", wrong[i], 400, "which");
    for (size_t i = 0; i < 2; i++) {
        has_jumped = true;
        json_t *json = get("POST /v1/lists/accept", right[i]);
        const json_t *list = json_array_get(json_object_get(json, "accepted"), 0);
        ck_assert_str_eq(text_at(list, "address"), "all@own.example");
        ck_assert_str_eq(text_at(list, "state"), "grown");
        ck_assert_int_eq(number_at(list, "was"), 3);
        ck_assert_int_eq(number_at(list, "size"), 850000);
        json_decref(json);
        expect_audit("lists accept", i == 0 ? "list:all@own.example" : "all",
                     "ok, 1 accepted: all@own.example from 3 to 850000");
    }
    expect_error("POST /v1/lists/accept", right[0], 409, "neither grown nor shrunk");
    expect_audit("lists accept", "list:all@own.example", "neither");
    json_decref(get("POST /v1/lists/accept", right[1]));
    expect_audit("lists accept", "all", "ok, 0 accepted");
    expect_error("POST /v1/lists/accept", "{\"address\": \"no@x.example\"}", 404,
                 "no list");
    expect_audit("lists accept", "list:no@x.example", "no list");
}
END_TEST

START_TEST(api_metrics_are_prometheus)
{
    const struct counted_decision counted = {.rule = "we\"ird\\\n",
                                             .verdict = "accept",
                                             .would = "",
                                             .reach = 30,
                                             .took_us = 300};
    counters_add(context.counters, &counted);
    ck_assert_int_eq(ask("GET /metrics", NULL), 200);
    ck_assert_ptr_nonnull(strstr(answer, "Content-Type: text/plain; version=0.0.4"));
    static const char *const lines[] = {
        "\nmailbrake_messages_total{rule=\"we_ird__\",verdict=\"accept\"} 1\n",
        "\nmailbrake_reach_bucket{le=\"10\"} 0\n",
        "\nmailbrake_reach_bucket{le=\"100\"} 1\n",
        "\nmailbrake_reach_bucket{le=\"+Inf\"} 1\n",
        "\nmailbrake_reach_sum 30\n",
        "\nmailbrake_reach_count 1\n",
        "\nmailbrake_decision_seconds_bucket{le=\"0.0005\"} 1\n",
        "\nmailbrake_store_state{type=\"memory\",state=\"ok\"} 1\n",
        "\nmailbrake_lists{state=\"ok\"} 1\n",
        "\nmailbrake_list_size_max 3\n",
        "\nmailbrake_holds 0\n",
        "\nmailbrake_incidents_open 0\n",
        "\nmailbrake_log_suppressed_total ",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_msg(strstr(answer, lines[i]) != NULL, "no %s in %s", lines[i], answer);
    ck_assert_ptr_null(strstr(answer, "own.example"));
}
END_TEST

START_TEST(api_shows_holds_and_incidents)
{
    char path[100];
    struct hold hold = hold_one();
    json_t *json = get("GET /v1/holds", NULL);
    const json_t *first = json_array_get(json_object_get(json, "holds"), 0);
    ck_assert_str_eq(text_at(first, "id"), hold.id);
    ck_assert_str_eq(text_at(first, "state"), "held");
    json_decref(json);
    for (const char *c = strstr(answer, "\r\n\r\n") + 4; *c != '\0'; c++)
        ck_assert((*c >= ' ' && *c <= '~') || *c == '\n');

    (void)snprintf(path, sizeof path, "GET /v1/holds?incident=%s", hold.incident);
    json = get(path, NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "holds")), 1);
    json_decref(json);
    json = get("GET /v1/holds?incident=0000000000000000", NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "holds")), 0);
    json_decref(json);

    (void)snprintf(path, sizeof path, "GET /v1/holds/%s", hold.id);
    json = get(path, NULL);
    const json_t *release = json_object_get(json, "release");
    ck_assert(json_is_false(json_object_get(release, "possible")));
    ck_assert_ptr_nonnull(strstr(text_at(release, "text"), "mailbrake-mta"));
    json_decref(json);
    expect_audit("show", hold.id, "ok");

    (void)snprintf(path, sizeof path, "GET /v1/incidents/%s", hold.incident);
    json = get(path, NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "holds")), 1);
    ck_assert_str_eq(text_at(json, "key"), "login:a@own.example");
    json_decref(json);
    expect_audit("show", hold.incident, "ok");
}
END_TEST

START_TEST(api_keeps_a_hold_whose_release_failed)
{
    char path[100];
    struct hold hold = hold_one();
    (void)snprintf(path, sizeof path, "POST /v1/holds/%s/release", hold.id);
    expect_error(path, NULL, 503, "mailbrake-mta");
    expect_audit("release", hold.id, "mailbrake-mta");
    (void)snprintf(path, sizeof path, "GET /v1/holds/%s", hold.id);
    json_t *json = get(path, NULL);
    ck_assert_str_eq(text_at(json, "state"), "held");
    json_decref(json);
    (void)snprintf(path, sizeof path, "POST /v1/incidents/%s/release", hold.incident);
    json = get(path, NULL);
    ck_assert_int_eq(number_at(json, "failed"), 1);
    ck_assert_int_eq(number_at(json, "done"), 0);
    json_decref(json);
    expect_audit("release", hold.incident, "1 failed");
}
END_TEST

/* One batch, so it is waited for once. */
START_TEST(api_stops_when_nobody_answers)
{
    char path[100];
    struct hold hold = {0};
    for (int i = 0; i < 5; i++)
        hold = hold_one();
    (void)snprintf(path, sizeof path, "POST /v1/incidents/%s/release", hold.incident);
    json_t *json = get(path, NULL);
    const json_t *results = json_object_get(json, "results");
    ck_assert_uint_eq(json_array_size(results), 5);
    ck_assert_int_eq(number_at(json, "failed"), 5);
    for (size_t i = 0; i < 5; i++) {
        const char *said = text_at(json_array_get(results, i), "error");
        ck_assert_ptr_nonnull(strstr(said, "mailbrake-mta"));
        ck_assert_ptr_nonnull(strstr(said, text_at(json_array_get(results, i), "id")));
    }
    json_decref(json);
    expect_audit("release", hold.incident, ": mailbrake-mta: ");
}
END_TEST

START_TEST(api_refuses_many_that_are_no_ids)
{
    static const char *const bodies[] = {
        "{}", "{\"ids\": []}", "{\"ids\": \"0123456789abcdef\"}",
        "{\"ids\": [\"0123456789abcdef\", \"ALL\"]}", "{\"ids\": [1]}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        expect_error("POST /v1/holds/release", bodies[i], 400, "\"ids\" is an array");
    struct hold hold = hold_one();
    char path[100];
    (void)snprintf(path, sizeof path, "GET /v1/holds/%s", hold.id);
    json_t *json = get(path, NULL);
    ck_assert_str_eq(text_at(json, "state"), "held");
    json_decref(json);
}
END_TEST

static bool add_unknown(void *unused, json_t *incident)
{
    (void)unused;
    return json_object_set_new(incident, "told_ms", json_integer(1)) == 0 &&
           json_object_set_new(incident, "unmailed", json_integer(2)) == 0;
}

START_TEST(api_hides_what_is_the_ledgers_own)
{
    char path[100];
    struct hold hold = hold_one();
    ck_assert_int_eq(ledger_change_incident(context.ledger, hold.incident, add_unknown,
                                            NULL, clock_monotonic_us() + 5000000, NULL),
                     STATUS_OK);
    json_t *json = get("GET /v1/incidents", NULL);
    const json_t *incident = json_array_get(json_object_get(json, "incidents"), 0);
    ck_assert_uint_eq(json_object_size(incident), 30);
    ck_assert_int_eq(number_at(incident, "waiting"), 1);
    ck_assert_ptr_null(json_object_get(incident, "told_ms"));
    json_decref(json);
    (void)snprintf(path, sizeof path, "GET /v1/incidents/%s", hold.incident);
    json = get(path, NULL);
    ck_assert_uint_eq(json_object_size(json), 33);
    const json_t *held = json_array_get(json_object_get(json, "holds"), 0);
    ck_assert_uint_eq(json_object_size(held), 19);
    ck_assert(json_is_null(json_object_get(held, "ended_at")));
    json_decref(json);
}
END_TEST

START_TEST(api_refuses_ids_that_are_none)
{
    static const char *const ids[] = {"ALL",    "-",   "--help",
                                      "..%2Fx", "%00", "0123456789abcdef"};
    char path[100];
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        (void)snprintf(path, sizeof path, "POST /v1/holds/%s/release", ids[i]);
        expect_error(path, NULL, 404, "there is no");
    }
    expect_error("POST /v1/holds//release", NULL, 404, "there is no");
    expect_error("GET /v1/incidents/ALL", NULL, 404, "there is no incident");
}
END_TEST

START_TEST(api_closes_and_allows_incidents)
{
    char path[100];
    struct hold hold = hold_one();
    (void)snprintf(path, sizeof path, "POST /v1/incidents/%s/allow", hold.incident);
    expect_error(path, NULL, 400, "how long");
    expect_error(path, "{\"for\": \"soon\"}", 400, "duration");
    expect_error(path, "{\"for\": \"500d\"}", 400, "duration");
    expect_error(path, "{\"for\": 4}", 400, "duration");
    json_decref(get(path, "{\"for\": \"4h\"}"));
    expect_audit("allow", hold.incident, "ok");
    const struct brakes *brakes = active_brakes_take(context.active_brakes);
    ck_assert(brake_allows(brakes, "00112233445566778899aabbccddeeff",
                           "login:a@own.example", clock_wall_ms()));
    active_brakes_release(context.active_brakes, brakes);
    (void)snprintf(path, sizeof path, "POST /v1/incidents/%s/close", hold.incident);
    json_decref(get(path, NULL));
    expect_audit("close", hold.incident, "ok");
    json_t *json = get("GET /v1/incidents", NULL); /* a message of it still waits */
    const json_t *first = json_array_get(json_object_get(json, "incidents"), 0);
    ck_assert(json_is_false(json_object_get(first, "open")));
    json_decref(json);
    int64_t deadline_us = clock_monotonic_us() + 5000000;
    ck_assert_int_eq(ledger_move(context.ledger, hold.id, "held", "gone", deadline_us),
                     STATUS_OK);
    json = get("GET /v1/incidents", NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "incidents")), 0);
    json_decref(json);
    json = get("GET /v1/incidents?all=1", NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "incidents")), 1);
    json_decref(json);
}
END_TEST

START_TEST(api_sets_and_clears_brakes)
{
    json_t *json =
        get("PUT /v1/brakes", "{\"key\": \"login:Alice\", \"for\": \"4h\", "
                              "\"action\": \"reject\", \"reason\": \"Stop.\"}");
    const json_t *brake = json_object_get(json, "brake");
    ck_assert_str_eq(text_at(brake, "key"), "login:alice@own.example");
    ck_assert_str_eq(text_at(brake, "action"), "reject");
    json_decref(json);
    expect_audit("brake set", "login:alice@own.example", "ok");
    json = get("GET /v1/brakes", NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "brakes")), 1);
    json_decref(json);
    json_decref(get("DELETE /v1/brakes?key=login:alice", NULL));
    expect_audit("brake clear", "login:alice@own.example", "ok");
    expect_error("DELETE /v1/brakes?key=login:alice", NULL, 404, "no brake");
    expect_error("DELETE /v1/brakes", NULL, 400, "which");
    expect_error("PUT /v1/brakes", "{}", 400, "which");
    expect_error("PUT /v1/brakes", "{\"key\": \"no:body\"}", 400, "a key is");
    expect_error("PUT /v1/brakes", "{\"key\": \"all\", \"action\": \"accept\"}", 400,
                 "defer");
    expect_error("PUT /v1/brakes", "{\"key\": \"all\", \"reason\": \"a\\nb\"}", 400,
                 "one line");
    expect_error("PUT /v1/brakes", "{\"key\": \"all\", \"pull_back\": true}", 400,
                 "sender:");
}
END_TEST

START_TEST(api_pull_back_that_fails_is_told)
{
    json_t *json = get("PUT /v1/brakes",
                       "{\"key\": \"sender:x@else.example\", \"pull_back\": true}");
    const json_t *recalled = json_object_get(json, "pulled_back");
    ck_assert_ptr_nonnull(strstr(text_at(recalled, "error"), "mailbrake-mta"));
    json_decref(json);
    expect_audit("brake set", "sender:x@else.example", "mailbrake-mta");
}
END_TEST

START_TEST(api_shows_and_resets_limits)
{
    const struct snapshot *snapshot = current.snapshot;
    const struct rule *rule = &snapshot->settings->policy.rules[0];
    const struct charge charge = {.fingerprint = rule->fingerprint,
                                  .subject = "login:a@own.example",
                                  .rate = &rule->limit,
                                  .cost = 3};
    struct charge_outcome outcome;
    enum charge_source source;
    ck_assert_int_eq(store_charge(store, &charge, 1, CHARGE_TAKE,
                                  clock_monotonic_us() + 1000000, &outcome, &source),
                     STATUS_OK);
    for (int i = 0; i < 2; i++) { /* looking takes nothing */
        json_t *json = get("GET /v1/limits?subject=login:A", NULL);
        const json_t *limits = json_object_get(json, "limits");
        ck_assert_uint_eq(json_array_size(limits), 1);
        ck_assert_int_eq(number_at(json_array_get(limits, 0), "left"), 2);
        ck_assert_int_eq(number_at(json_array_get(limits, 0), "burst"), 5);
        ck_assert_int_eq(number_at(json_array_get(limits, 0), "most"), 10);
        json_decref(json);
    }
    json_decref(get("DELETE /v1/limits?subject=login:a", NULL));
    expect_audit("limits reset", "login:a@own.example", "ok");
    json_t *json = get("GET /v1/limits?subject=login:a", NULL);
    ck_assert_int_eq(
        number_at(json_array_get(json_object_get(json, "limits"), 0), "left"), 5);
    json_decref(json);
    json = get("GET /v1/limits?subject=A", NULL); /* a word alone is a login */
    ck_assert_str_eq(text_at(json, "subject"), "login:a@own.example");
    json_decref(json);
    json = get("GET /v1/limits?subject=list:all@own.example", NULL);
    ck_assert_str_eq(text_at(json_array_get(json_object_get(json, "limits"), 0), "rule"),
                     "per-list");
    json_decref(json);
    expect_error("GET /v1/limits?subject=client:10.0.0.0/8", NULL, 400, "one address");
    expect_error("GET /v1/limits", NULL, 400, "which");
    expect_error("DELETE /v1/limits?subject=x:y", NULL, 400, "a key is");
}
END_TEST

/* An element is asked for as the configuration has it, or as one types it. */
START_TEST(api_shows_and_resets_what_from_names)
{
    static const char *const asked[][2] = {
        {"from:client:192.0.2.0/28", "client:192.0.2.0/28"},
        {"client:192.0.2.0/28", "client:192.0.2.0/28"},
        {"from:login:robot-*", "login:robot-*"},
        {"from:login:ROBOT-*", "login:robot-*"},
        {"login:robot-*", "login:robot-*"},
        {"@else.example", "@else.example"},
    };
    const struct snapshot *snapshot = current.snapshot;
    const struct rule *rule = &snapshot->settings->policy.rules[2];
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct charge_outcome outcome;
        enum charge_source source;
        char target[100];
        struct charge charge = plan_charge(rule, asked[i][1], 3);
        ck_assert_int_eq(store_charge(store, &charge, 1, CHARGE_TAKE,
                                      clock_monotonic_us() + 1000000, &outcome, &source),
                         STATUS_OK);
        (void)snprintf(target, sizeof target, "GET /v1/limits?subject=%s", asked[i][0]);
        json_t *json = get(target, NULL);
        const json_t *limits = json_object_get(json, "limits");
        ck_assert_str_eq(text_at(json, "subject"), asked[i][1]);
        ck_assert_uint_eq(json_array_size(limits), 1);
        ck_assert_str_eq(text_at(json_array_get(limits, 0), "rule"), "machine");
        ck_assert_int_eq(number_at(json_array_get(limits, 0), "left"), 4);
        json_decref(json);
        (void)snprintf(target, sizeof target, "DELETE /v1/limits?subject=%s",
                       asked[i][0]);
        json_decref(get(target, NULL));
    }
    expect_error("GET /v1/limits?subject=from:login:other", NULL, 400,
                 "no rule with key");
    expect_error("GET /v1/limits?subject=from:", NULL, 400, "no rule with key");
    json_t *json = get("GET /v1/limits?subject=login:robot-1", NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "limits")), 1);
    json_decref(json);
}
END_TEST

START_TEST(api_explains_live)
{
    json_t *json = get("POST /v1/explain",
                       "{\"from\": \"x@own.example\", \"to\": [\"all@own.example\"], "
                       "\"login\": \"a\", \"client\": \"10.1.2.3\", \"headers\": "
                       "[{\"name\": \"Subject\", \"value\": \"hello\"}]}");
    ck_assert(json_is_true(json_object_get(json, "live")));
    ck_assert_str_eq(text_at(json, "identity"), "login:a@own.example");
    ck_assert_str_eq(text_at(json, "verdict"), "accept");
    ck_assert_str_eq(text_at(json, "store"), "memory");
    json_decref(json);
    json_decref(get("PUT /v1/brakes", "{\"key\": \"login:a\"}"));
    json = get("POST /v1/explain",
               "{\"from\": \"x@own.example\", \"to\": [\"all@own.example\"], "
               "\"login\": \"a\"}");
    ck_assert_str_eq(text_at(json, "rule"), "brake");
    ck_assert_str_eq(text_at(json, "verdict"), "defer");
    json_decref(json);
    expect_error("POST /v1/explain", "{}", 400, "from");
    expect_error("POST /v1/explain", "{\"from\": \"a\", \"to\": []}", 400, "to");
    expect_error("POST /v1/explain", "{\"from\": \"a\", \"to\": [1]}", 400, "strings");
    expect_error("POST /v1/explain",
                 "{\"from\": \"a\", \"to\": [\"b\"], \"client\": \"c\"}", 400, "client");
    expect_error("POST /v1/explain",
                 "{\"from\": \"a\", \"to\": [\"b\"], \"headers\": [1]}", 400, "headers");
}
END_TEST

START_TEST(api_reload_tells_the_errors)
{
    json_t *json = get("POST /v1/reload", NULL);
    ck_assert(json_is_true(json_object_get(json, "ok")));
    json_decref(json);
    expect_audit("reload", "", "ok");
    json = get("GET /v1/status", NULL);
    ck_assert(json_is_null(json_object_get(json, "reload_failed")));
    ck_assert_uint_eq(json_array_size(json_object_get(json, "restart")), 0);
    json_decref(json);
    reload_fails = true;
    ck_assert_int_eq(ask("POST /v1/reload", NULL), 422);
    json = answered();
    const json_t *error = json_array_get(json_object_get(json, "errors"), 0);
    ck_assert_str_eq(text_at(error, "file"), "/etc/x.conf");
    ck_assert_int_eq(number_at(error, "line"), 7);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "warnings")), 1);
    json_decref(json);
    expect_audit("reload", "", "errors");
    json = get("GET /v1/status", NULL);
    const json_t *failed = json_object_get(json, "reload_failed");
    error = json_array_get(json_object_get(failed, "errors"), 0);
    ck_assert_str_eq(text_at(failed, "at"), "2026-07-25T17:20:00Z");
    ck_assert_int_eq(number_at(error, "line"), 7);
    json_decref(json);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api");
    TCase *cases = tcase_create("api");
    log_open("test_api");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, api_says_its_status);
    tcase_add_test(cases, api_lists_sizes_and_no_members);
    tcase_add_test(cases, api_lists_are_accepted);
    tcase_add_test(cases, api_metrics_are_prometheus);
    tcase_add_test(cases, api_shows_holds_and_incidents);
    tcase_add_test(cases, api_keeps_a_hold_whose_release_failed);
    tcase_add_test(cases, api_stops_when_nobody_answers);
    tcase_add_test(cases, api_refuses_many_that_are_no_ids);
    tcase_add_test(cases, api_hides_what_is_the_ledgers_own);
    tcase_add_test(cases, api_refuses_ids_that_are_none);
    tcase_add_test(cases, api_closes_and_allows_incidents);
    tcase_add_test(cases, api_sets_and_clears_brakes);
    tcase_add_test(cases, api_pull_back_that_fails_is_told);
    tcase_add_test(cases, api_shows_and_resets_limits);
    tcase_add_test(cases, api_shows_and_resets_what_from_names);
    tcase_add_test(cases, api_explains_live);
    tcase_add_test(cases, api_reload_tells_the_errors);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
