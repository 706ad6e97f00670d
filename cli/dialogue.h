/* What a verb that speaks to mailbraked was told on the command line, and the way there.
 */
#ifndef CLI_DIALOGUE_H
#define CLI_DIALOGUE_H

#include <jansson.h>

#include "cli/arguments.h"
#include "cli/remote.h"

/* Which options a verb takes beside the common ones and --purpose TEXT. */
enum dialogue_takes {
    DIALOGUE_INCIDENT = 1 << 0,  /* --incident I */
    DIALOGUE_ALL = 1 << 1,       /* --all */
    DIALOGUE_FOR = 1 << 2,       /* --for DURATION */
    DIALOGUE_ACTION = 1 << 3,    /* --action A */
    DIALOGUE_REASON = 1 << 4,    /* --reason TEXT */
    DIALOGUE_PULL_BACK = 1 << 5, /* --pull-back */
    DIALOGUE_SINCE = 1 << 6,     /* --since DURATION */
};

struct dialogue {
    struct arguments arguments;
    struct remote *remote;
    const char *purpose, *incident, *duration, *action, *reason, *since;
    bool all, pull_back;
};

/* Reads the command line; takes: of enum dialogue_takes. INVALID after a message on
 * stderr. */
enum status dialogue_parse(struct dialogue *dialogue, int argc, char **argv,
                           unsigned takes) MUST_CHECK;

/* The word at index behind the verb; NULL when there is none. */
const char *dialogue_word(const struct dialogue *dialogue, int index);

/* Finds the way to mailbraked; false after a message on stderr. */
bool dialogue_open(struct dialogue *dialogue);
void dialogue_close(struct dialogue *dialogue);

/* Asks for a path that is printf'd from id, escaped, as its only argument ("/v1/x/%s"; id
 * NULL: as it is). body may be NULL. NULL after a message on stderr. */
json_t *dialogue_ask(struct dialogue *dialogue, const char *method, const char *path,
                     const char *id, const json_t *body);

/* The end of a verb that shows an answer: the document itself with --json, else by show.
 * Takes the answer over; NULL is EXIT_FAILED. */
int dialogue_show(const struct dialogue *dialogue, json_t *answer,
                  void (*show)(const json_t *answer));

#endif
