/* README's example is what many run: it stops the attacks of test/replay, too, and lets
 * who has the right write. */
#include <glob.h>

#include "../support/replay_files.h"

#include "base/text.h"
#include "conf/settings.h"
#include "run.h"

#define README SOURCE_DIR "/README.md"
#define SCENARIOS SOURCE_DIR "/test/replay/"

/* The lists that it names are those of some machine; ours is the sample's. */
static const char other_lists[] = "{ aliases = \"/etc/aliases\"; }";
static const char our_list[] =
    "{ address = \"allstudents@district.example\"; file = \"" SOURCE_DIR
    "/conf/lists/allstudents.txt\"; }";

/* The first block of the chapter, in a file of its own. */
static char path[] = "/tmp/mailbrake-readme-XXXXXX";

static void write_example(void)
{
    char line[500];
    bool within = false;
    struct text example = {0};
    FILE *readme = fopen(README, "re");
    ck_assert_ptr_nonnull(readme);
    while (fgets(line, sizeof line, readme) != NULL &&
           strncmp(line, "Senders are", 11) != 0) {
        within = within || strcmp(line, "## The configuration by example\n") == 0;
        char *lists = strstr(line, other_lists);
        if (!within || strncmp(line, "    ", 4) != 0)
            continue;
        if (lists == NULL) {
            text_add_string(&example, line);
            continue;
        }
        text_add(&example, line, (size_t)(lists - line));
        text_printf(&example, "%s%s", our_list, lists + strlen(other_lists));
    }
    ck_assert_int_eq(fclose(readme), 0);
    ck_assert_ptr_nonnull(strstr(text_string(&example), our_list));
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, example.data, example.length), (ssize_t)example.length);
    ck_assert_int_eq(close(fd), 0);
    text_clear(&example);
}

static void remove_example(void)
{
    ck_assert_int_eq(unlink(path), 0);
}

START_TEST(readme_loads_without_a_doubt)
{
    struct settings settings;
    struct problems problems = {0};
    ck_assert_msg(settings_load(path, &settings, &problems) == STATUS_OK, "%s",
                  problems_text(&problems));
    for (size_t i = 0; i < problems.count; i++)
        ck_assert_ptr_null(strstr(problems.items[i].text, "rule \""));
    ck_assert_uint_ge(settings.policy.rule_count, 10);
    problems_clear(&problems);
    settings_clear(&settings);
}
END_TEST

/* Fewer messages than in the sample, and README's own limits on lists. */
static const struct {
    const char *scenario;
    const char *given[2];
} attacks[] = {
    {"attack-burst", {"attempts=4000"}},
    {"attack-mute", {"open=150", "attempts=600"}},
    {"attack-null", {"crowd=400", "attempts=400"}},
    {"attack-places", {"days=4"}},
    {"attack-phishing", {"rounds=10", "all=120000"}},
    {"attack-small-lists", {"strange=2000", "attempts=800"}},
    {"attack-tags", {"buried=40"}},
    {"attack-verp", {"weeks=4", "attempts=5000"}},
    {"right", {"beside=200000", "attempts=1200"}},
};

enum { ATTACKS = sizeof attacks / sizeof attacks[0] };

START_TEST(readme_stops_the_attacks)
{
    char name[300];
    struct report report;
    struct scenario scenario;
    struct snapshot *snapshot = NULL;
    struct error error = {0};
    struct problems problems = {0};
    const struct scenario_options options = {
        .given = attacks[_i].given,
        .given_count = attacks[_i].given[1] == NULL ? 1 : 2,
    };
    (void)snprintf(name, sizeof name, SCENARIOS "%s.scenario", attacks[_i].scenario);
    enum status status = scenario_load(name, &options, &scenario, &problems);
    if (status == STATUS_OK)
        status = replay_load(path, &scenario, &problems, &snapshot);
    ck_assert_msg(status == STATUS_OK, "%s", problems_text(&problems));
    struct simulated *simulated = simulated_new();
    const struct charger charger = simulated_charger(simulated);
    const struct replay replay = {
        .input = {.snapshot = snapshot}, .scenario = &scenario, .charger = &charger};
    ck_assert_msg(replay_run(&replay, &report, &error) == STATUS_OK, "%s:%d: %s",
                  error.file, error.line, error.text);
    for (size_t i = 0; i < scenario.expectation_count; i++)
        ck_assert_msg(report.checks[i].met, "%s:%d: %s: it is %lld, not %lld",
                      scenario.file, scenario.expectations[i].line,
                      scenario.expectations[i].text, (long long)report.checks[i].found,
                      (long long)report.checks[i].bound);
    report_clear(&report);
    simulated_free(simulated);
    snapshot_unref(snapshot);
    scenario_clear(&scenario);
    problems_clear(&problems);
}
END_TEST

/* None is forgotten here. */
START_TEST(readme_is_tried_on_every_attack)
{
    glob_t found;
    ck_assert_int_eq(glob(SCENARIOS "attack-*.scenario", 0, NULL, &found), 0);
    ck_assert_uint_eq(found.gl_pathc, ATTACKS - 1);
    globfree(&found);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replay_readme");
    TCase *tests = tcase_create("replay_readme");
    if (digest_init() != STATUS_OK)
        return 1;
    tcase_add_unchecked_fixture(tests, write_example, remove_example);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, readme_loads_without_a_doubt);
    tcase_add_loop_test(tests, readme_stops_the_attacks, 0, ATTACKS);
    tcase_add_test(tests, readme_is_tried_on_every_attack);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
