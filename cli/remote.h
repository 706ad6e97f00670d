/* mailbrake(1) as a client of the control API. */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include <jansson.h>

#include "base/problems.h"
#include "base/text.h"
#include "cli/arguments.h"

struct remote;

/* What to ask. Borrowed. */
struct remote_call {
    const char *method;
    const char *path;    /* with its parameters, escaped: remote_add_escaped */
    const char *purpose; /* NULL: none said */
    const json_t *body;  /* NULL: none */
    int timeout_s;       /* 0: as long as it takes to work through a long queue, or, of
                          * what is only shown, 45 s */
};

/* The path of --socket, or else the configuration's, for free(3); NULL with the reasons
 * in problems. */
char *remote_socket(const struct arguments *arguments, struct problems *problems);

/* socket is copied. NULL without memory. */
struct remote *remote_new(const char *socket);
void remote_free(struct remote *remote);

/* Asks and waits; on a terminal it shows the progress of a long task. OK with the answer
 * (owned by the caller); INVALID with an answer that has "error" when the daemon refused
 * or failed; UNAVAILABLE when it does not answer, or NOMEM, with the text in error. */
enum status remote_ask(struct remote *remote, const struct remote_call *call,
                       json_t **out_answer, struct error *error) MUST_CHECK;

/* The same for verbs: NULL after a message on stderr. */
json_t *remote_do(struct remote *remote, const struct remote_call *call);

/* Adds a part of a path, or the value of a parameter. */
void remote_add_escaped(struct text *path, const char *part);

#endif
