/* mailbrake(1): finds the verb and hands over. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "cli/arguments.h"
#include "cli/verbs.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} verbs[] = {
    {"check", verb_check, "check                  the configuration and its lists"},
    {"explain", verb_explain,
     "explain --from A --to B...  what would happen to a message, and why"},
    {"status", verb_status,
     "status                 the state of the daemon and its store"},
    {"lists", verb_lists,
     "lists [ADDRESS] | accept ADDRESS  sizes of mailing lists, and what has jumped"},
    {"quarantine", verb_quarantine,
     "quarantine list | show ID | release|refuse|delete ID... | sync"},
    {"incidents", verb_incidents,
     "incidents [list] [--all|--would] | show I | close I | allow I --for 4h"},
    {"brake", verb_brake, "brake list | set KEY [--for 4h] | clear KEY"},
    {"permit", verb_permit,
     "permit list | set KEY --copies N --for 2h | show ID | end ID"},
    {"limits", verb_limits, "limits show SUBJECT | reset SUBJECT | top [--rule R]"},
    {"reload", verb_reload, "reload                 reload the configuration and lists"},
    {"audit", verb_audit, "audit [--since 2h]     who did what"},
    {"report", verb_report,
     "report [--since 7d]    what was stopped and would have been; who sent most"},
    {"top", verb_top, "top                    who sends most now, what is stopped"},
    {"whoami", verb_whoami,
     "whoami                 as whom mailbraked sees you, and your roles"},
    {"console", verb_console,
     "console [--port 8025]  the web page, for whoever types this"},
    {"replay", verb_replay,
     "replay SCENARIO        a storm, on a simulated clock, against these rules"},
    {"simulate", verb_simulate,
     "simulate --log FILE    what these rules would have done to the mail of a log"},
    {"learn", verb_learn,
     "learn --log FILE       what is usual in a log, and limits that let it pass"},
};

enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

static int usage(FILE *out, int status)
{
    (void)fputs("usage: mailbrake VERB [-c FILE] [--json] ...\n\n", out);
    for (size_t i = 0; i < VERB_COUNT; i++)
        (void)fprintf(out, "  %s\n", verbs[i].help);
    (void)fputs("\nmailbrake VERB --help shows how to use a verb. --purpose TEXT records "
                "your reason in\nthe audit. See mailbrake(1).\n",
                out);
    return status;
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return usage(stderr, EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        return usage(stdout, EXIT_DONE);
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("mailbrake " MAILBRAKE_VERSION);
        return EXIT_DONE;
    }
    if (digest_init() != STATUS_OK) {
        (void)fputs("mailbrake: no source of random numbers\n", stderr);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    }
    (void)fprintf(stderr, "mailbrake: no such verb: %s\n", argv[1]);
    return usage(stderr, EXIT_USAGE);
}

/* False when some of stdout is lost, but not when its reader wants no more of it. */
static bool is_written(void)
{
    errno = 0;
    return (fflush(stdout) == 0 && ferror(stdout) == 0) || errno == EPIPE;
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN); /* a store that goes away is an answer, not the end */
    int status = run(argc, argv);
    if (status != EXIT_DONE || is_written())
        return status;
    (void)fputs("mailbrake: can't write the answer\n", stderr);
    return EXIT_FAILED;
}
