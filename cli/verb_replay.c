/* mailbrake replay: plays a storm against the configuration, on a simulated clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "cli/arguments.h"
#include "cli/picture.h"
#include "cli/verbs.h"
#include "engine/json_output.h"
#include "replay/replay.h"
#include "replay/report_views.h"

enum { OPTION_SVG = 256, OPTION_SET, GIVEN_MAX = 100 };

struct replay_options {
    const char *svg; /* NULL: no picture */
    const char *given[GIVEN_MAX];
    size_t given_count;
};

static enum status take_option(void *context, int val, const char *argument)
{
    struct replay_options *options = context;
    if (val == OPTION_SVG) {
        options->svg = argument;
        return STATUS_OK;
    }
    if (options->given_count == GIVEN_MAX) {
        output_complaint("too many --set");
        return STATUS_INVALID;
    }
    options->given[options->given_count++] = argument;
    return STATUS_OK;
}

static int show(const struct arguments *arguments, const struct replay_options *options,
                const struct report *report)
{
    bool ok = options->svg == NULL || picture_write(report, options->svg);
    if (arguments->json) {
        ok = json_output_print(report_json(report, arguments->config)) && ok;
    } else if (!report_print(report, arguments->config)) {
        output_complaint("out of memory");
        ok = false;
    }
    return ok && report_is_met(report) ? EXIT_DONE : EXIT_FAILED;
}

static int run(const struct arguments *arguments, const struct replay_options *options,
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
        result = show(arguments, options, &report);
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
 * can't be read: replay_load reports that. */
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

static int replay(const struct arguments *arguments, const struct replay_options *options,
                  const char *path)
{
    struct problems problems = {0};
    struct scenario scenario;
    struct snapshot *snapshot = NULL;
    int result = EXIT_FAILED;
    char *domain = first_domain(arguments->config);
    const struct scenario_options reader_options = {
        .domain = domain, .given = options->given, .given_count = options->given_count};
    enum status status = scenario_load(path, &reader_options, &scenario, &problems);
    bool loaded = status == STATUS_OK;
    if (loaded)
        status = replay_load(arguments->config, &scenario, &problems, &snapshot);
    output_problems(&problems);
    problems_clear(&problems);
    if (status == STATUS_OK)
        result = run(arguments, options, &scenario, snapshot);
    snapshot_unref(snapshot);
    if (loaded)
        scenario_clear(&scenario);
    free(domain);
    return result;
}

static int find_and_replay(const struct arguments *arguments,
                           const struct replay_options *options)
{
    struct text path = {0};
    struct error error = {0};
    int result = EXIT_FAILED;
    if (scenario_find(arguments->words[0], MAILBRAKE_SCENARIOS, &path, &error) ==
        STATUS_OK)
        result = replay(arguments, options, text_string(&path));
    else
        output_complaint(error.text);
    text_clear(&path);
    return result;
}

int verb_replay(int argc, char **argv)
{
    static const struct option list[] = {
        {"svg", required_argument, NULL, OPTION_SVG},
        {"set", required_argument, NULL, OPTION_SET},
        {0},
    };
    struct replay_options options = {0};
    struct arguments_extra extra = {
        .list = list, .take = take_option, .context = &options};
    struct arguments arguments;
    if (arguments_parse(argc, argv, &extra, &arguments) != STATUS_OK ||
        arguments.word_count != 1)
        return arguments_usage(
            "usage: mailbrake replay SCENARIO [--set NAME=VALUE]... [--svg FILE]\n"
            "SCENARIO is a file, or the name of one in " MAILBRAKE_SCENARIOS "\n");
    for (size_t i = 0; i < options.given_count; i++) {
        if (strchr(options.given[i], '=') == NULL) {
            output_complaint("--set needs NAME=VALUE");
            return EXIT_USAGE;
        }
    }
    return find_and_replay(&arguments, &options);
}
