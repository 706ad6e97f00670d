/* mailbrake learn: what is usual in old logs, and the limits that follow, as rules. */
#include <stdio.h>

#include "base/clock.h"
#include "base/output.h"
#include "cli/log_options.h"
#include "cli/verbs.h"
#include "engine/json_output.h"
#include "logs/learn.h"

static enum status take_option(void *context, int val, const char *argument)
{
    return log_options_take(context, val, argument);
}

static int show(const struct arguments *arguments, const struct learning *learning,
                const struct learn_view *view)
{
    struct text block = {0};
    struct problems problems = {0};
    bool ok = learn_write(learning, view, &block, &problems) == STATUS_OK;
    output_problems(&problems);
    if (!ok && problems.count == 0)
        output_complaint("out of memory");
    if (ok && arguments->json)
        ok = json_output_print(learn_json(learning, view, text_string(&block)));
    else if (ok)
        ok = fputs(text_string(&block), stdout) >= 0;
    problems_clear(&problems);
    text_clear(&block);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

static int learn(const struct arguments *arguments, const struct log_options *options,
                 const struct snapshot *snapshot)
{
    char title[LOG_OPTIONS_TITLE];
    struct digest_key key;
    struct learn_view view = {.configuration = arguments->config, .title = title};
    struct learning learning;
    struct error error = {0};
    const struct mail_log_reading reading = log_options_reading(options);
    log_options_title(options, title);
    if (!log_options_key(options, snapshot->settings, &key, &view.hash))
        return EXIT_FAILED;
    enum status status = learn_run(&reading, snapshot, &learning, &error);
    log_options_end(status, &error);
    if (status != STATUS_OK)
        return EXIT_FAILED;
    int result = log_options_found(options, &learning.log)
                     ? show(arguments, &learning, &view)
                     : EXIT_FAILED;
    learn_clear(&learning);
    return result;
}

int verb_learn(int argc, char **argv)
{
    static const struct option list[] = {
        {"log", required_argument, NULL, LOG_OPTION_LOG},
        {"since", required_argument, NULL, LOG_OPTION_SINCE},
        {"until", required_argument, NULL, LOG_OPTION_UNTIL},
        {"hashed", no_argument, NULL, LOG_OPTION_HASHED},
        {0},
    };
    struct log_options options = {.now_ms = clock_wall_ms()};
    struct arguments_extra extra = {
        .list = list, .take = take_option, .context = &options};
    struct arguments arguments;
    int result = EXIT_FAILED;
    if (arguments_parse(argc, argv, &extra, &arguments) != STATUS_OK ||
        !log_options_finish(&options, &arguments)) {
        result = arguments_usage("usage: mailbrake learn " LOG_OPTIONS_USAGE
                                 "\n" LOG_OPTIONS_HELP);
    } else {
        struct snapshot *snapshot = log_options_load(arguments.config);
        if (snapshot != NULL)
            result = learn(&arguments, &options, snapshot);
        snapshot_unref(snapshot);
    }
    log_options_clear(&options);
    return result;
}
