/* --log takes one file, getopt(3) leaves the others as words: both are read. */
#include "cli/log_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/output.h"
#include "logs/log_views.h"
#include "store/subject_key.h"

void log_options_clear(struct log_options *options)
{
    free(options->paths);
    *options = (struct log_options){.paths = NULL};
}

static enum status add_path(struct log_options *options, const char *path)
{
    if (!array_reserve(&options->paths, options->path_count, sizeof *options->paths)) {
        output_complaint("out of memory");
        return STATUS_NOMEM;
    }
    options->paths[options->path_count++] = path;
    return STATUS_OK;
}

static enum status take_time(const struct log_options *options, const char *argument,
                             int64_t *out_ms)
{
    char midnight[INSTANT_SIZE];
    int64_t ago_ms;
    struct error error;
    (void)snprintf(midnight, sizeof midnight, "%.20s 00:00", argument);
    if (duration_parse(argument, &ago_ms, &error) == STATUS_OK)
        *out_ms = options->now_ms - ago_ms;
    else if (!instant_parse(argument, out_ms) && !instant_parse_local(argument, out_ms) &&
             !instant_parse_local(midnight, out_ms))
        return error_set(&error, STATUS_INVALID, "no time");
    return STATUS_OK;
}

enum status log_options_take(struct log_options *options, int val, const char *argument)
{
    enum status status = STATUS_OK;
    if (val == LOG_OPTION_LOG)
        return add_path(options, argument);
    if (val == LOG_OPTION_HASHED)
        options->hashed = true;
    else if (val == LOG_OPTION_SINCE)
        status = take_time(options, argument, &options->since_ms);
    else if (val == LOG_OPTION_UNTIL)
        status = take_time(options, argument, &options->until_ms);
    if (status != STATUS_OK)
        output_complaint("a time is written as \"2026-11-23\", \"2026-11-23 08:00\" or "
                         "7d");
    return status;
}

bool log_options_finish(struct log_options *options, const struct arguments *arguments)
{
    for (int i = 0; i < arguments->word_count; i++) {
        if (add_path(options, arguments->words[i]) != STATUS_OK)
            return false;
    }
    return options->path_count > 0;
}

struct snapshot *log_options_load(const char *config)
{
    struct problems problems = {0};
    struct snapshot *snapshot = NULL;
    enum status status = snapshot_load(config, NULL, false, &problems, &snapshot);
    output_problems(&problems);
    problems_clear(&problems);
    return status == STATUS_OK ? snapshot : NULL;
}

bool log_options_key(const struct log_options *options, const struct settings *settings,
                     struct digest_key *key, const struct digest_key **out)
{
    struct error error = {0};
    *out = NULL;
    if (!options->hashed)
        return true;
    if (subject_key_load(settings, key, &error) != STATUS_OK) {
        log_options_end(STATUS_INVALID, &error);
        return false;
    }
    *out = key;
    return true;
}

static void show_progress(void *context, const struct mail_log_statistics *sofar)
{
    char lines[TEXT_GROUPED_SIZE];
    (void)context;
    (void)fprintf(stderr, "\r%s lines", text_grouped((int64_t)sofar->lines, lines));
    if (sofar->bytes_total > 0)
        (void)fprintf(stderr, ", %llu%%",
                      (unsigned long long)(sofar->bytes_read * 100 / sofar->bytes_total));
    (void)fputs("\x1b[K", stderr);
}

struct mail_log_reading log_options_reading(const struct log_options *options)
{
    return (struct mail_log_reading){
        .paths = options->paths,
        .path_count = options->path_count,
        .now_ms = options->now_ms,
        .since_ms = options->since_ms,
        .until_ms = options->until_ms,
        .progress = isatty(STDERR_FILENO) != 0 ? show_progress : NULL};
}

void log_options_end(enum status status, const struct error *error)
{
    if (isatty(STDERR_FILENO) != 0)
        (void)fputs("\r\x1b[K", stderr);
    if (status == STATUS_NOMEM)
        output_complaint("out of memory");
    else if (status != STATUS_OK && error->file[0] != '\0')
        (void)fprintf(stderr, "mailbrake: %s: %s\n", error->file, error->text);
    else if (status != STATUS_OK)
        output_complaint(error->text);
}

bool log_options_found(const struct log_options *options,
                       const struct mail_log_statistics *log)
{
    char lines[TEXT_GROUPED_SIZE];
    bool all = options->since_ms == 0 && options->until_ms == 0;
    if (log->messages > 0)
        return true;
    (void)fprintf(stderr, "mailbrake: no mail%s in %s line%s of log",
                  all ? "" : " of that time", text_grouped((int64_t)log->lines, lines),
                  log->lines == 1 ? "" : "s");
    log_print_unread(stderr, log, options->hashed);
    return false;
}

void log_options_title(const struct log_options *options, char out[LOG_OPTIONS_TITLE])
{
    const char *path = options->paths[0];
    const char *name = strrchr(path, '/');
    name = strcmp(path, "-") == 0 ? "standard input" : name == NULL ? path : name + 1;
    if (options->path_count == 1)
        (void)snprintf(out, LOG_OPTIONS_TITLE, "The mail of %.60s", name);
    else
        (void)snprintf(out, LOG_OPTIONS_TITLE, "The mail of %.60s and %zu more", name,
                       options->path_count - 1);
}
