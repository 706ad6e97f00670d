/* What a verb that speaks to mailbraked was told on the command line, and the way there.
 */
#ifndef CLI_CONTROL_CLIENT_H
#define CLI_CONTROL_CLIENT_H

#include <jansson.h>

#include "cli/arguments.h"
#include "cli/remote.h"

/* Which options a verb takes beside the common ones and --purpose TEXT. */
enum control_client_takes {
    CONTROL_CLIENT_INCIDENT = 1 << 0,  /* --incident I */
    CONTROL_CLIENT_ALL = 1 << 1,       /* --all */
    CONTROL_CLIENT_FOR = 1 << 2,       /* --for DURATION */
    CONTROL_CLIENT_ACTION = 1 << 3,    /* --action A */
    CONTROL_CLIENT_REASON = 1 << 4,    /* --reason TEXT */
    CONTROL_CLIENT_PULL_BACK = 1 << 5, /* --pull-back */
    CONTROL_CLIENT_SINCE = 1 << 6,     /* --since DURATION */
};

struct control_client {
    struct arguments arguments;
    struct remote *remote;
    const char *purpose, *incident, *duration, *action, *reason, *since;
    bool all, pull_back;
};

/* Reads the command line; takes: of enum control_client_takes. INVALID after a message on
 * stderr. */
enum status control_client_parse(struct control_client *client, int argc, char **argv,
                                 unsigned takes) MUST_CHECK;

/* The word at index behind the verb; NULL when there is none. */
const char *control_client_word(const struct control_client *client, int index);

/* Finds the way to mailbraked; false after a message on stderr. */
bool control_client_open(struct control_client *client);
void control_client_close(struct control_client *client);

/* Asks for a path that is printf'd from id, escaped, as its only argument ("/v1/x/%s"; id
 * NULL: as it is). body may be NULL. NULL after a message on stderr. */
json_t *control_client_ask(struct control_client *client, const char *method,
                           const char *path, const char *id, const json_t *body);

/* The end of a verb that shows an answer: the document itself with --json, else by show.
 * Takes the answer over; NULL is EXIT_FAILED. */
int control_client_show(const struct control_client *client, json_t *answer,
                        void (*show)(const json_t *answer));

#endif
