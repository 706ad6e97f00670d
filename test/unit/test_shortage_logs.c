/* Each allocation fails once while old logs are judged and learnt from: that is told, and
 * (under ASan) nothing is lost. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/shortage.h"
#include "logs/learn.h"
#include "logs/simulate.h"
#include "run.h"

enum { ALLOCATIONS_MAX = 20000 };

static char folder[] = "/tmp/mailbrake-shortage-XXXXXX";
static char configuration[100], log_path[100];
static const char *paths[] = {log_path};
static struct snapshot *snapshot;

static const char settings_text[] =
    "domains = [ \"own.example\" ];\n"
    "rules = (\n"
    " { name = \"watched\"; key = \"client\"; mode = \"monitor\";\n"
    "   limit = \"1 recipients per 1h\"; action = \"defer\"; },\n"
    " { name = \"grown\"; key = \"sender\"; surge = 2.0; floor = 2; action = \"defer\"; "
    "},\n"
    " { name = \"places\"; key = \"sender\"; limit = \"5 clients per 1d\";\n"
    "   action = \"defer\"; },\n"
    " { name = \"thread\"; key = \"thread\"; limit = \"1 messages per 1h\";\n"
    "   action = \"defer\"; },\n"
    " { name = \"rate\"; key = \"sender\"; limit = \"2 messages per 1h\";\n"
    "   action = \"reject\"; });\n";

static void put_log(void)
{
    FILE *file = fopen(log_path, "we");
    ck_assert_ptr_nonnull(file);
    for (int n = 0; n < 12; n++) {
        static const char head[] = "2026-11-03T08:00:01+00:00 mail postfix";
        (void)fprintf(file, "%s/smtpd[1]: 4B%04X: client=unknown[10.1.2.%d]\n", head, n,
                      n % 3);
        (void)fprintf(file,
                      "%s/qmgr[2]: 4B%04X: from=<s%d@own.example>, size=1, nrcpt=1 "
                      "(queue active)\n",
                      head, n, n % 2);
        (void)fprintf(file,
                      "%s/lmtp[3]: 4B%04X: to=<r%d@own.example>, relay=x, delay=1, "
                      "dsn=2.0.0, status=sent (ok)\n",
                      head, n, n);
        (void)fprintf(file, "%s/qmgr[2]: 4B%04X: removed\n", head, n);
    }
    ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
    struct problems problems = {0};
    (void)memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(digest_init(), STATUS_OK);
    (void)snprintf(configuration, sizeof configuration, "%s/mailbrake.conf", folder);
    (void)snprintf(log_path, sizeof log_path, "%s/mail.log", folder);
    FILE *file = fopen(configuration, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(settings_text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    put_log();
    ck_assert_int_eq(snapshot_load(configuration, NULL, false, &problems, &snapshot),
                     STATUS_OK);
    problems_clear(&problems);
}

static void teardown(void)
{
    snapshot_unref(snapshot);
    (void)unlink(configuration);
    (void)unlink(log_path);
    (void)rmdir(folder);
}

static struct mail_log_reading reading(void)
{
    return (struct mail_log_reading){
        .paths = paths, .path_count = 1, .now_ms = INT64_C(1800000000000)};
}

START_TEST(no_log_is_half_judged)
{
    const struct mail_log_reading logs = reading();
    bool struck = true;
    for (long n = 0; struck; n++) {
        struct simulation simulation;
        struct error error = {0};
        ck_assert_int_lt(n, ALLOCATIONS_MAX);
        shortage_begin(n);
        enum status status = simulate_run(&logs, "title", snapshot, &simulation, &error);
        struck = shortage_end();
        ck_assert_int_eq(status, struck ? STATUS_NOMEM : STATUS_OK);
        if (status != STATUS_OK)
            continue;
        ck_assert_int_eq(simulation.report.messages, 12);
        ck_assert_uint_gt(simulation.stopped.count, 2);
        simulate_clear(&simulation);
    }
}
END_TEST

START_TEST(no_log_is_half_learnt)
{
    const struct mail_log_reading logs = reading();
    const struct learn_view view = {.configuration = configuration, .title = "title"};
    bool struck = true;
    for (long n = 0; struck; n++) {
        struct learning learning;
        struct error error = {0};
        struct problems problems = {0};
        struct text text = {0};
        ck_assert_int_lt(n, ALLOCATIONS_MAX);
        shortage_begin(n);
        enum status status = learn_run(&logs, snapshot, &learning, &error);
        bool learnt = status == STATUS_OK;
        if (learnt)
            status = learn_write(&learning, &view, &text, &problems);
        struck = shortage_end();
        ck_assert_int_eq(status, struck ? STATUS_NOMEM : STATUS_OK);
        if (status == STATUS_OK) {
            ck_assert_uint_eq(learning.learned_count, 5);
            ck_assert_ptr_nonnull(strstr(text_string(&text), "# rate: 2 keys"));
        }
        if (learnt)
            learn_clear(&learning);
        text_clear(&text);
        problems_clear(&problems);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shortage_logs");
    TCase *tests = tcase_create("shortage_logs");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, no_log_is_half_judged);
    tcase_add_test(tests, no_log_is_half_learnt);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
