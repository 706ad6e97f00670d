/* What the control API writes down of what it did and showed. */
#include "control_fixture.h"
#include "run.h"

static size_t audited(const char *action)
{
    size_t i;
    const json_t *entry;
    size_t count = 0;
    struct error error;
    json_t *entries;
    ck_assert_int_eq(audit_read(context.audit, 0, &entries, &error), STATUS_OK);
    json_array_foreach(entries, i, entry) count +=
        strcmp(text_at(entry, "action"), action) == 0;
    json_decref(entries);
    return count;
}

START_TEST(api_writes_each_action_down_once)
{
    char path[100];
    char body[100];
    struct hold first = hold_one();
    struct hold second = hold_one();
    (void)snprintf(body, sizeof body, "{\"ids\": [\"%s\", \"%s\"]}", first.id, second.id);
    json_t *json = get("POST /v1/holds/refuse", body);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "results")), 2);
    ck_assert_int_eq(number_at(json, "failed"), 2);
    json_decref(json);
    expect_audit("refuse", "", "0 done, 2 failed: ");
    (void)snprintf(path, sizeof path, "POST /v1/incidents/%s/delete", first.incident);
    json_decref(get(path, NULL));
    expect_audit("delete", first.incident, "2 failed");
    ck_assert_uint_eq(audited("refuse"), 1);
    ck_assert_uint_eq(audited("delete"), 1);

    struct error error;
    ck_assert_int_eq(audit_read(context.audit, 0, &json, &error), STATUS_OK);
    const json_t *last = json_array_get(json, 1);
    ck_assert_uint_eq(json_array_size(json_object_get(last, "ids")), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(last, "failed")), 2);
    json_decref(json);
}
END_TEST

START_TEST(api_writes_looks_down)
{
    json_decref(get("GET /v1/holds", NULL));
    expect_audit("list", "", "ok");
    json_decref(get("GET /v1/incidents", NULL));
    expect_audit("incidents", "", "ok");
    json_decref(get("GET /v1/lists?address=all", NULL));
    expect_audit("lists", "list:all@own.example", "ok");
    expect_error("GET /v1/lists?address=no", NULL, 404, "no list");
    expect_audit("lists", "list:no", "there is no list");
    json_decref(get("GET /v1/limits?subject=login:a", NULL));
    expect_audit("limits show", "login:a@own.example", "ok");
    json_decref(get("POST /v1/explain",
                    "{\"from\": \"x@own.example\", \"to\": [\"b@own.example\"]}"));
    expect_audit("explain", "sender:x@own.example", "ok");
    json_decref(get("GET /v1/audit?since=1h", NULL));
    expect_audit("audit", "1h", "ok");
    json_t *entries;
    struct error error;
    ck_assert_int_eq(audit_read(context.audit, 0, &entries, &error), STATUS_OK);
    size_t before = json_array_size(entries);
    json_decref(entries);
    json_decref(get("GET /v1/status", NULL));
    json_decref(get("GET /v1/lists", NULL));
    json_decref(get("GET /v1/brakes", NULL));
    ck_assert_int_eq(ask("GET /metrics", NULL), 200);
    expect_alive();
    ck_assert_int_eq(audit_read(context.audit, 0, &entries, &error), STATUS_OK);
    ck_assert_uint_eq(json_array_size(entries), before);
    json_decref(entries);
}
END_TEST

/* What can't be written down is neither done nor shown. */
START_TEST(api_does_nothing_without_an_audit)
{
    char path[100];
    struct hold hold = hold_one();
    static const char *const actions[][2] = {
        {"POST /v1/holds/release", "{\"ids\": [\"0123456789abcdef\"]}"},
        {"PUT /v1/brakes", "{\"key\": \"all\"}"},
        {"DELETE /v1/brakes?key=all", NULL},
        {"DELETE /v1/limits?subject=all", NULL},
        {"POST /v1/sync", NULL},
        {"POST /v1/reload", NULL}};
    static const char *const looks[] = {"GET /v1/holds", "GET /v1/incidents",
                                        "GET /v1/lists?address=all", "GET /v1/audit",
                                        "GET /v1/limits?subject=all"};
    static const char *const of_incident[] = {"release", "refuse", "delete", "close",
                                              "allow"};
    ck_assert_int_eq(mkdir(audit_path, 0700), 0); /* no file can be there */
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        expect_error(actions[i][0], actions[i][1], 503, "nothing was done");
    for (size_t i = 0; i < sizeof of_incident / sizeof of_incident[0]; i++) {
        (void)snprintf(path, sizeof path, "POST /v1/incidents/%s/%s", hold.incident,
                       of_incident[i]);
        expect_error(path, "{\"for\": \"1h\"}", 503, audit_path);
    }
    (void)snprintf(path, sizeof path, "POST /v1/holds/%s/release", hold.id);
    expect_error(path, NULL, 503, "nothing was done");
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
        expect_error(looks[i], NULL, 503, audit_path);
    json_decref(get("GET /v1/status", NULL));
    expect_alive();

    ck_assert_int_eq(rmdir(audit_path), 0);
    json_t *json = get("GET /v1/brakes", NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "brakes")), 0);
    json_decref(json);
    (void)snprintf(path, sizeof path, "GET /v1/incidents/%s", hold.incident);
    json = get(path, NULL);
    ck_assert(json_is_true(json_object_get(json, "open")));
    ck_assert_str_eq(text_at(json_array_get(json_object_get(json, "holds"), 0), "state"),
                     "held");
    json_decref(json);
}
END_TEST

START_TEST(api_shows_its_audit)
{
    json_decref(get("POST /v1/reload", "{\"purpose\": \"because\\nof it\"}"));
    json_t *json = get("GET /v1/audit?since=1h", NULL);
    const json_t *entries = json_object_get(json, "audit");
    ck_assert_uint_eq(json_array_size(entries), 1);
    ck_assert_str_eq(text_at(json_array_get(entries, 0), "purpose"), "because of it");
    json_decref(json);
    json = get("GET /v1/audit?since=99999999999999", NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "audit")), 0);
    json_decref(json);
    expect_error("GET /v1/audit?since=yesterday", NULL, 400, "duration");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api_audit");
    TCase *cases = tcase_create("api_audit");
    log_open("test_api_audit");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, api_writes_each_action_down_once);
    tcase_add_test(cases, api_writes_looks_down);
    tcase_add_test(cases, api_does_nothing_without_an_audit);
    tcase_add_test(cases, api_shows_its_audit);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
