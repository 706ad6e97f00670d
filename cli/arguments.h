/* The options that every verb of mailbrake(1) has, and those of one. */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include <getopt.h>
#include <stdbool.h>

#include "base/status.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, ARGUMENTS_OPTIONS_MAX = 24 };

#define ARGUMENTS_CONFIG "/etc/mailbrake/mailbrake.conf" /* without -c */

struct arguments {
    const char *config; /* -c FILE */
    const char *socket; /* --socket PATH; NULL: the configuration's */
    bool json;
    char **words; /* the other arguments, in order */
    int word_count;
};

/* A verb's own options: take is given val of the option and its argument, and answers
 * INVALID (having said why on stderr) or OK. list ends with a zero entry; val from 256.
 */
struct arguments_extra {
    const struct option *list;
    enum status (*take)(void *context, int val, const char *argument);
    void *context;
};

/* argv[0] is the verb; options may stand anywhere after it. extra may be NULL. INVALID
 * after a message on stderr, and for --help without one. */
enum status arguments_parse(int argc, char **argv, const struct arguments_extra *extra,
                            struct arguments *out) MUST_CHECK;

/* After INVALID, or for what arguments_parse can't see: text says how the verb is used.
 * Returns the exit status: EXIT_DONE, and stdout instead of stderr, when --help asked,
 * before any word. */
int arguments_usage(const char *text) MUST_CHECK;

#endif
