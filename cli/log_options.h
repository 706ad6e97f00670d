/* What simulate and learn take alike: which logs, of what time, how keys are shown. */
#ifndef CLI_LOG_OPTIONS_H
#define CLI_LOG_OPTIONS_H

#include "base/digest.h"
#include "cli/arguments.h"
#include "lists/snapshot.h"
#include "replay/mail_log.h"

#define LOG_OPTIONS_USAGE "--log FILE... [--since TIME] [--until TIME] [--hashed]"
#define LOG_OPTIONS_HELP                                                                 \
    "FILE is what syslog wrote, or journalctl's export, plain or compressed by gzip\n"   \
    "or zstd; - is stdin. TIME is \"2026-11-23 08:00\", or 7d for that long ago.\n"

/* In a verb's list of options, beside its own. */
enum {
    LOG_OPTION_LOG = 256, /* each with an argument but the last */
    LOG_OPTION_SINCE,
    LOG_OPTION_UNTIL,
    LOG_OPTION_HASHED,
    LOG_OPTIONS_END,
};

/* Begin with now_ms, wall time; clear when done. */
struct log_options {
    const char **paths;
    size_t path_count;
    int64_t now_ms, since_ms, until_ms; /* 0: no bound */
    bool hashed;
};

void log_options_clear(struct log_options *options);

/* As take of arguments_extra. */
enum status log_options_take(struct log_options *options, int val, const char *argument);

/* The words of the command line are files, too. False: there is none. */
bool log_options_finish(struct log_options *options,
                        const struct arguments *arguments) MUST_CHECK;

/* The configuration with its lists; NULL, and the reasons on stderr. */
struct snapshot *log_options_load(const char *config) MUST_CHECK;

/* *out is NULL without --hashed, else key. False, with the reason on stderr, when that
 * can't be read. */
bool log_options_key(const struct log_options *options, const struct settings *settings,
                     struct digest_key *key, const struct digest_key **out) MUST_CHECK;

/* All but what is called for each message. Progress is shown on a terminal. */
struct mail_log_reading log_options_reading(const struct log_options *options);

/* Ends the line of progress, and says why the reading failed. */
void log_options_end(enum status status, const struct error *error);

/* Whether there was any mail; if not, says so on stderr, with what was read. */
bool log_options_found(const struct log_options *options,
                       const struct mail_log_statistics *log) MUST_CHECK;

/* "The mail of mail.log and 3 more"; names without folders, cut. */
enum { LOG_OPTIONS_TITLE = 120 };
void log_options_title(const struct log_options *options, char out[LOG_OPTIONS_TITLE]);

#endif
