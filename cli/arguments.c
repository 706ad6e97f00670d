/* getopt_long(3) over the common options and a verb's own. */
#include "cli/arguments.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

static const struct option common[] = {
    {"config", required_argument, NULL, 'c'},
    {"socket", required_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
};

enum { COMMON_COUNT = sizeof common / sizeof common[0] };

static bool help_wanted; /* a process has only one command line */

static enum status take(int val, const struct arguments_extra *extra,
                        struct arguments *arguments)
{
    switch (val) {
    case 'c':
        arguments->config = optarg;
        return STATUS_OK;
    case 's':
        arguments->socket = optarg;
        return STATUS_OK;
    case 'j':
        arguments->json = true;
        return STATUS_OK;
    case 'h':
    case '?':
        return STATUS_INVALID;
    default:
        return extra == NULL ? STATUS_INVALID : extra->take(extra->context, val, optarg);
    }
}

enum status arguments_parse(int argc, char **argv, const struct arguments_extra *extra,
                            struct arguments *out)
{
    struct option options[ARGUMENTS_OPTIONS_MAX] = {0};
    struct arguments arguments = {.config = ARGUMENTS_CONFIG};
    size_t count = 0;
    int val;
    for (; count < COMMON_COUNT; count++)
        options[count] = common[count];
    for (size_t i = 0; extra != NULL && extra->list[i].name != NULL; i++) {
        assert(count + 1 < ARGUMENTS_OPTIONS_MAX);
        options[count++] = extra->list[i];
    }
    /* --help after a word may be meant as an id: as nothing was done, that is an error.
     */
    bool first = argc > 1 && argv[1][0] == '-';
    optind = 0; /* start anew, glibc's way */
    while ((val = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        help_wanted = help_wanted || (first && val == 'h');
        enum status status = take(val, extra, &arguments);
        if (status != STATUS_OK)
            return status;
    }
    arguments.words = argv + optind;
    arguments.word_count = argc - optind;
    *out = arguments;
    return STATUS_OK;
}

int arguments_usage(const char *text)
{
    FILE *out = help_wanted ? stdout : stderr;
    (void)fputs(text, out);
    if (!help_wanted)
        return EXIT_USAGE;
    (void)fputs("All verbs take -c FILE, --socket PATH and --json; those that ask the "
                "daemon also take\n--purpose TEXT. See mailbrake(1).\n",
                out);
    return EXIT_DONE;
}
