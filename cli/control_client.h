/* The command line of a verb that talks to mailbraked, and the connection. */
#ifndef CLI_CONTROL_CLIENT_H
#define CLI_CONTROL_CLIENT_H

#include <jansson.h>

#include "cli/arguments.h"
#include "cli/remote.h"

/* The options beside the common ones; every verb takes --purpose TEXT. */
enum control_client_option {
    CONTROL_CLIENT_INCIDENT = 1 << 0,  /* --incident I */
    CONTROL_CLIENT_ALL = 1 << 1,       /* --all */
    CONTROL_CLIENT_FOR = 1 << 2,       /* --for DURATION */
    CONTROL_CLIENT_ACTION = 1 << 3,    /* --action A */
    CONTROL_CLIENT_REASON = 1 << 4,    /* --reason TEXT */
    CONTROL_CLIENT_PULL_BACK = 1 << 5, /* --pull-back */
    CONTROL_CLIENT_SINCE = 1 << 6,     /* --since DURATION */
    CONTROL_CLIENT_PURPOSE = 1 << 7,
    CONTROL_CLIENT_REACH = 1 << 8,    /* --reach N */
    CONTROL_CLIENT_PACE = 1 << 9,     /* --pace N/m */
    CONTROL_CLIENT_STOP = 1 << 10,    /* --stop */
    CONTROL_CLIENT_WOULD = 1 << 11,   /* --would */
    CONTROL_CLIENT_RULE = 1 << 12,    /* --rule R */
    CONTROL_CLIENT_CONTENT = 1 << 13, /* --content */
    CONTROL_CLIENT_COPIES = 1 << 14,  /* --copies N */
    CONTROL_CLIENT_TO = 1 << 15,      /* --to ADDRESS, as often as one likes */
    CONTROL_CLIENT_FROM = 1 << 16,    /* --from "2026-12-01 08:00" */
};

enum { CONTROL_CLIENT_TO_MAX = 50 };

struct control_client {
    struct arguments arguments;
    struct remote *remote;
    unsigned given; /* of enum control_client_option */
    const char *purpose, *incident, *duration, *action, *reason, *since;
    const char *reach, *pace, *rule, *copies, *from;
    const char *to[CONTROL_CLIENT_TO_MAX];
    size_t to_count;
};

/* What a verb can be asked to do. */
struct control_action {
    const char *name;      /* its first word; NULL: it has none */
    int least, most;       /* how many words stand behind the name */
    unsigned needs, takes; /* options that must, and that may, be given */
    /* As for control_client_ask, with --since, --incident or else the first word behind
     * the name; and as for control_client_show. */
    const char *method, *path;
    void (*show)(const json_t *answer);
    int (*run)(struct control_client *client); /* instead of these, unless NULL */
};

struct control_verb {
    const char *usage;
    const struct control_action *actions; /* the first that fits is done */
    size_t count;
};

/* All of a verb: reads the command line, finds mailbraked, does what was asked for.
 * Returns the exit status. */
int control_client_run(const struct control_verb *verb, int argc, char **argv);

/* The word at index behind the verb; NULL when there is none. */
const char *control_client_word(const struct control_client *client, int index);

/* Asks for a path that is printf'd from id, escaped, as its only argument ("/v1/x/%s"; id
 * NULL: as it is). body may be NULL. NULL after a message on stderr. */
json_t *control_client_ask(struct control_client *client, const char *method,
                           const char *path, const char *id, const json_t *body);

/* The end of a verb that shows an answer: the document itself with --json, else by show.
 * Takes the answer over; NULL is EXIT_FAILED. */
int control_client_show(const struct control_client *client, json_t *answer,
                        void (*show)(const json_t *answer));

#endif
