/* One request to the control API and its answer, as the handlers see them. */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <jansson.h>

#include "base/recent.h"
#include "base/text.h"
#include "control/control.h"
#include "control/peer.h"
#include "control/progress.h"

enum {
    REQUEST_ID_SIZE = 64,
    REQUEST_PURPOSE_SIZE = 300,
    REQUEST_USER_SIZE = PEER_NAME_SIZE,
    REQUEST_STORE_MS = 5000, /* how long a request waits for the store, at most */
    REQUEST_LIST_MS = 60000,
};

struct MHD_Connection;
struct stream;

/* The action between request_begin and request_end. */
struct request_act {
    char id[DIGEST_ID_SIZE]; /* of its audit lines */
    const char *action;      /* borrowed */
    char *target;            /* owned, as the audit shows it */
    int64_t at_ms;
    bool hides; /* an error may quote an address that must be hashed */
};

struct request {
    const struct control_context *context;
    pthread_mutex_t *reloading; /* one reload at a time */
    struct progress *progress;
    struct recent *looks;            /* that were recorded; NULL: each one is */
    bool repeats;                    /* a page asks again by itself (X-Refresh) */
    char token[PROGRESS_TOKEN_SIZE]; /* of X-Progress; "" */
    struct MHD_Connection *connection;
    struct snapshot *snapshot; /* a reference */
    const struct settings *settings;
    struct peer peer;
    const char *via;   /* "console": the page's service asks for the peer; or NULL */
    const char *relay; /* on which an order was asked for; NULL: asked for here */
    unsigned roles;    /* of the peer, see peer_roles */
    char id[REQUEST_ID_SIZE]; /* the part of the path that varies; "" */
    enum actions_verb verb;   /* of the route */
    json_t *body;             /* an object, maybe empty */
    char purpose[REQUEST_PURPOSE_SIZE];
    struct request_act act;

    /* The answer: stream if set, else json if set, else text. */
    unsigned code;
    json_t *json;
    struct text text;
    struct stream *stream; /* owned */
};

/* The peer's user, as records name who did something: "uid 1234" when it has no name. */
void request_user(const struct request *request, char out[REQUEST_USER_SIZE]);

/* A query parameter of the URL, decoded and borrowed; NULL when there is none. */
const char *request_query(const struct request *request, const char *name);

/* A string of the body, borrowed; NULL when there is none. */
const char *request_string(const struct request *request, const char *name);

/* A duration of the body ("4h"), at most a year; *out_ms is unchanged when there is
 * none. False, after making the answer, when it is not valid. */
bool request_duration(struct request *request, const char *name, int64_t *out_ms);

/* For a long task: reports its progress under the request's token. The request must
 * outlive it. */
struct actions_progress request_progress(struct request *request);

/* Keeps why the person asks, NULL: no reason. With hashed addresses it holds none. */
void request_take_purpose(struct request *request, const char *purpose);

/* True if text has the form of a hold's or an incident's id. */
bool request_is_id(const char *text);

/* Monotonic deadlines, counted from now: for one store call, and for starting to read all
 * records, where each step has the time of one call. */
int64_t request_deadline_us(void);
int64_t request_list_deadline_us(void);

/* Answers with this document and takes the reference over. NULL (no memory) is 500. */
void request_answer(struct request *request, json_t *json);

/* Answers with this stream and takes it over. NULL (no memory) is 500. */
void request_stream(struct request *request, struct stream *stream);

/* Answers {"error": text}. */
void request_fail(struct request *request, unsigned code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The HTTP status of a failure. */
unsigned request_code(enum status status);

/* Answers with the failure of a call; what names its object where error (which may be
 * NULL) has no text. */
void request_fail_status(struct request *request, enum status status,
                         const struct error *error, const char *what);

/* Before an action: writes its first audit line; ids: of an action on many, or NULL.
 * False, after making the answer, when that fails: then nothing may be done. Only action
 * must outlive the call. */
bool request_begin(struct request *request, const char *action, const char *target,
                   const json_t *ids);

/* The same for a target that names a person ("login:a@b"): hashed when privacy.addresses
 * says so. */
bool request_begin_key(struct request *request, const char *action, const char *key);

/* After the action: writes the result to audit and log. result: "ok", or the error. done
 * and failed: of an action on many, or NULL. */
void request_end(struct request *request, const char *result);
void request_end_many(struct request *request, const char *result, const json_t *done,
                      const json_t *failed);

/* Records in audit and log what was looked at, or what failed before it began; not each
 * time that a page looks at the same by itself. When the audit can't be written, a good
 * answer becomes 503: nothing is shown unrecorded. */
void request_audit(struct request *request, const char *action, const char *target,
                   const char *result);

/* The same for a target that names a person. */
void request_audit_key(struct request *request, const char *action, const char *key,
                       const char *result);

/* The answer's error, or "ok". Borrowed. */
const char *request_result(const struct request *request);

#endif
