/* Pages of incidents: which they are, in which order, and what is found. */
#include "control_fixture.h"

#include "run.h"

static void stop_of(const char *rule, const char *subject, int64_t reach)
{
    char id[DIGEST_ID_SIZE];
    struct event event = {.action = ACTION_REJECT, .rule = rule, .fingerprint = rule};
    event.subject = event.identity = subject;
    event.lists[0] = event.addressed[0] = "all@own.example";
    event.list_count = event.addressed_count = 1;
    event.reach = reach;
    event.now_ms = clock_wall_ms();
    ledger_count(context.ledger, &event, id);
}

/* Whose incidents a page has: "b,a". */
static const char *keys_of(const json_t *page)
{
    static char keys[200];
    size_t i;
    const json_t *incident;
    keys[0] = '\0';
    json_array_foreach(json_object_get(page, "incidents"), i, incident)
    {
        size_t used = strlen(keys);
        (void)snprintf(keys + used, sizeof keys - used, "%s%s", i > 0 ? "," : "",
                       text_at(incident, "key"));
    }
    return keys;
}

START_TEST(api_pages_incidents)
{
    static const struct {
        const char *query;
        int64_t count;
        const char *keys;
    } cases[] = {
        {"limit=9", 4, "login:big,login:small,login:b,login:a"},
        {"limit=2", 4, "login:big,login:small"},
        {"limit=2&offset=1", 4, "login:small,login:b"},
        {"limit=2&offset=4", 4, ""},
        {"limit=0", 4, ""},
        {"limit=9&find=NARROW", 2, "login:b,login:a"},
        {"limit=9&find=all%40own+login%3Abig", 1, "login:big"},
        {"limit=9&find=all%40own%20nobody", 0, ""},
        {"limit=9&find=+", 4, "login:big,login:small,login:b,login:a"},
    };
    static const char *const wrong[] = {
        "limit=x",           "limit=",
        "limit=-1",          "limit=201",
        "limit=1&offset=1x", "limit=99999999999999999999"};
    char path[500];
    stop_of("narrow", "login:a", 10);
    stop_of("narrow", "login:b", 20);
    stop_of("wide", "login:small", 5);
    stop_of("wide", "login:big", 30);
    ck_assert_int_eq(ledger_flush(context.ledger, clock_deadline_us(5000)), STATUS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(path, sizeof path, "GET /v1/incidents?all=1&%s", cases[i].query);
        json_t *page = get(path, NULL);
        ck_assert_str_eq(keys_of(page), cases[i].keys);
        ck_assert_int_eq(number_at(page, "count"), cases[i].count);
        json_decref(page);
    }
    json_t *page = get("GET /v1/incidents?limit=1", NULL);
    const json_t *groups = json_object_get(page, "groups");
    ck_assert_uint_eq(json_array_size(groups), 2);
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(number_at(json_array_get(groups, i), "incidents"), 2);
    json_decref(page);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)snprintf(path, sizeof path, "GET /v1/incidents?%s", wrong[i]);
        expect_error(path, NULL, 400, "at most");
    }
    (void)snprintf(path, sizeof path, "GET /v1/incidents?limit=1&find=%0301d", 1);
    expect_error(path, NULL, 400, "\"find\" has at most 300 bytes");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("incident_page");
    TCase *cases = tcase_create("incident_page");
    log_open("test_incident_page");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, api_pages_incidents);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
