/* mailbrake simulate: what these rules would have done to the mail of old logs. */
#include <stdio.h>

#include "base/clock.h"
#include "base/output.h"
#include "cli/log_options.h"
#include "cli/picture.h"
#include "cli/verbs.h"
#include "engine/json_output.h"
#include "logs/simulate.h"

enum { OPTION_SVG = LOG_OPTIONS_END };

struct simulate_options {
    struct log_options log;
    const char *svg; /* NULL: no picture */
};

static enum status take_option(void *context, int val, const char *argument)
{
    struct simulate_options *options = context;
    if (val != OPTION_SVG)
        return log_options_take(&options->log, val, argument);
    options->svg = argument;
    return STATUS_OK;
}

static int show(const struct arguments *arguments, const struct simulate_options *options,
                const struct simulation *simulation, const struct digest_key *hash)
{
    bool ok = options->svg == NULL || picture_write(&simulation->report, options->svg);
    if (arguments->json) {
        ok = json_output_print(simulate_json(simulation, arguments->config, hash)) && ok;
    } else if (!simulate_print(simulation, arguments->config, hash)) {
        output_complaint("out of memory");
        ok = false;
    }
    return ok ? EXIT_DONE : EXIT_FAILED;
}

static int simulate(const struct arguments *arguments,
                    const struct simulate_options *options,
                    const struct snapshot *snapshot)
{
    char title[LOG_OPTIONS_TITLE];
    struct digest_key key;
    const struct digest_key *hash;
    struct simulation simulation;
    struct error error = {0};
    const struct mail_log_reading reading = log_options_reading(&options->log);
    log_options_title(&options->log, title);
    if (!log_options_key(&options->log, snapshot->settings, &key, &hash))
        return EXIT_FAILED;
    enum status status = simulate_run(&reading, title, snapshot, &simulation, &error);
    log_options_end(status, &error);
    if (status != STATUS_OK)
        return EXIT_FAILED;
    int result = log_options_found(&options->log, &simulation.log)
                     ? show(arguments, options, &simulation, hash)
                     : EXIT_FAILED;
    simulate_clear(&simulation);
    return result;
}

int verb_simulate(int argc, char **argv)
{
    static const struct option list[] = {
        {"log", required_argument, NULL, LOG_OPTION_LOG},
        {"since", required_argument, NULL, LOG_OPTION_SINCE},
        {"until", required_argument, NULL, LOG_OPTION_UNTIL},
        {"hashed", no_argument, NULL, LOG_OPTION_HASHED},
        {"svg", required_argument, NULL, OPTION_SVG},
        {0},
    };
    struct simulate_options options = {.log = {.now_ms = clock_wall_ms()}};
    struct arguments_extra extra = {
        .list = list, .take = take_option, .context = &options};
    struct arguments arguments;
    int result = EXIT_FAILED;
    if (arguments_parse(argc, argv, &extra, &arguments) != STATUS_OK ||
        !log_options_finish(&options.log, &arguments)) {
        result = arguments_usage(
            "usage: mailbrake simulate " LOG_OPTIONS_USAGE
            "\n                          [--svg FILE]\n" LOG_OPTIONS_HELP);
    } else {
        struct snapshot *snapshot = log_options_load(arguments.config);
        if (snapshot != NULL)
            result = simulate(&arguments, &options, snapshot);
        snapshot_unref(snapshot);
    }
    log_options_clear(&options.log);
    return result;
}
