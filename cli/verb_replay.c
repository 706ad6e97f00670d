/* mailbrake replay: a storm, on a simulated clock, against this configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/durable.h"
#include "base/output.h"
#include "cli/arguments.h"
#include "cli/verbs.h"
#include "engine/json_output.h"
#include "replay/replay.h"
#include "replay/report_views.h"
#include "replay/scenario_path.h"

enum { OPTION_SVG = 256, OPTION_SET, GIVEN_MAX = 100 };

struct wanted {
    const char *svg; /* NULL: no picture */
    const char *given[GIVEN_MAX];
    size_t given_count;
};

static enum status take_option(void *context, int val, const char *argument)
{
    struct wanted *wanted = context;
    if (val == OPTION_SVG) {
        wanted->svg = argument;
        return STATUS_OK;
    }
    if (wanted->given_count == GIVEN_MAX) {
        output_complaint("too many --set");
        return STATUS_INVALID;
    }
    wanted->given[wanted->given_count++] = argument;
    return STATUS_OK;
}

/* It is there to be shown: as readable as any new file, not as a state file. */
static void open_up(const char *path)
{
    mode_t mask = umask(0);
    (void)umask(mask);
    (void)chmod(path, 0666 & ~mask);
}

static bool write_picture(const struct report *report, const char *path)
{
    struct text picture = {0};
    struct error error = {0};
    char *temporary = NULL;
    enum status status = report_svg(report, &picture);
    if (status == STATUS_OK && asprintf(&temporary, "%s.new", path) < 0) {
        temporary = NULL;
        status = STATUS_NOMEM;
    }
    if (status == STATUS_OK)
        status = durable_replace(path, temporary, picture.data, picture.length, &error);
    if (status == STATUS_OK)
        open_up(path);
    else if (status == STATUS_NOMEM)
        output_complaint("out of memory");
    else
        (void)fprintf(stderr, "mailbrake: %s: %s\n", error.file, error.text);
    free(temporary);
    text_clear(&picture);
    return status == STATUS_OK;
}

static int show(const struct arguments *arguments, const struct wanted *wanted,
                const struct report *report)
{
    bool ok = wanted->svg == NULL || write_picture(report, wanted->svg);
    if (arguments->json) {
        ok = json_output_print(report_json(report, arguments->config)) && ok;
    } else if (!report_print(report, arguments->config)) {
        output_complaint("out of memory");
        ok = false;
    }
    return ok && report_is_met(report) ? EXIT_DONE : EXIT_FAILED;
}

static int run(const struct arguments *arguments, const struct wanted *wanted,
               const struct scenario *scenario, const struct snapshot *snapshot)
{
    struct report report;
    struct error error = {0};
    int result = EXIT_FAILED;
    struct simulated *simulated = simulated_new();
    enum status status = simulated == NULL ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK) {
        const struct charger charger = simulated_charger(simulated);
        const struct replay replay = {
            .input = {.snapshot = snapshot}, .scenario = scenario, .charger = &charger};
        status = replay_run(&replay, &report, &error);
    }
    if (status == STATUS_OK) {
        result = show(arguments, wanted, &report);
        report_clear(&report);
    } else if (status == STATUS_INVALID) {
        struct problems problems = {0};
        problems_take(&problems, &error);
        output_problems(&problems);
        problems_clear(&problems);
    } else {
        output_complaint("out of memory");
    }
    simulated_free(simulated);
    return result;
}

/* What a scenario calls {domain}; for free(3), NULL when the configuration has none, or
 * can't be read: that is told when it is read for good. */
static char *first_domain(const char *config)
{
    struct settings settings;
    struct problems ignored = {0};
    char *copy = NULL;
    if (settings_load(config, &settings, &ignored) == STATUS_OK) {
        const char *domain = domains_first(&settings.policy.domains);
        copy = domain == NULL ? NULL : strdup(domain);
        settings_clear(&settings);
    }
    problems_clear(&ignored);
    return copy;
}

static int replay(const struct arguments *arguments, const struct wanted *wanted,
                  const char *path)
{
    struct problems problems = {0};
    struct scenario scenario;
    struct snapshot *snapshot = NULL;
    int result = EXIT_FAILED;
    char *domain = first_domain(arguments->config);
    const struct scenario_options options = {
        .domain = domain, .given = wanted->given, .given_count = wanted->given_count};
    enum status status = scenario_load(path, &options, &scenario, &problems);
    bool loaded = status == STATUS_OK;
    if (loaded)
        status = replay_load(arguments->config, &scenario, &problems, &snapshot);
    output_problems(&problems);
    problems_clear(&problems);
    if (status == STATUS_OK)
        result = run(arguments, wanted, &scenario, snapshot);
    snapshot_unref(snapshot);
    if (loaded)
        scenario_clear(&scenario);
    free(domain);
    return result;
}

static int find_and_replay(const struct arguments *arguments, const struct wanted *wanted)
{
    struct text path = {0};
    struct error error = {0};
    int result = EXIT_FAILED;
    if (scenario_path_find(arguments->words[0], MAILBRAKE_SCENARIOS, &path, &error) ==
        STATUS_OK)
        result = replay(arguments, wanted, text_string(&path));
    else
        output_complaint(error.text);
    text_clear(&path);
    return result;
}

int verb_replay(int argc, char **argv)
{
    static const struct option options[] = {
        {"svg", required_argument, NULL, OPTION_SVG},
        {"set", required_argument, NULL, OPTION_SET},
        {0},
    };
    struct wanted wanted = {0};
    struct arguments_extra extra = {
        .list = options, .take = take_option, .context = &wanted};
    struct arguments arguments;
    if (arguments_parse(argc, argv, &extra, &arguments) != STATUS_OK ||
        arguments.word_count != 1)
        return arguments_usage(
            "usage: mailbrake replay SCENARIO [--set NAME=VALUE]... [--svg FILE]\n"
            "SCENARIO is a file, or the name of one in " MAILBRAKE_SCENARIOS "\n");
    for (size_t i = 0; i < wanted.given_count; i++) {
        if (strchr(wanted.given[i], '=') == NULL) {
            output_complaint("--set wants NAME=VALUE");
            return EXIT_USAGE;
        }
    }
    return find_and_replay(&arguments, &wanted);
}
