/* One request to the control API and its answer, as the handlers see them. */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <jansson.h>

#include "base/text.h"
#include "control/control.h"
#include "control/peer.h"
#include "control/progress.h"

enum {
    REQUEST_ID_SIZE = 64,
    REQUEST_PURPOSE_SIZE = 300,
    REQUEST_STORE_MS = 5000, /* how long a request waits for the store, at most */
    REQUEST_LIST_MS = 60000,
};

struct MHD_Connection;
struct stream;

/* What is being done, between request_begin and request_end. */
struct request_act {
    char id[DIGEST_ID_SIZE]; /* of its lines in the audit */
    const char *action;      /* borrowed */
    char *target;            /* owned, as the audit shows it */
    int64_t at_ms;
    bool hides; /* what went wrong may quote an address that is to be hashed */
};

struct request {
    const struct control_context *context;
    pthread_mutex_t *reloading; /* one reload at a time */
    struct progress *progress;
    char token[PROGRESS_TOKEN_SIZE]; /* of X-Progress; "" */
    struct MHD_Connection *connection;
    struct snapshot *snapshot; /* a reference */
    const struct settings *settings;
    struct peer peer;
    char id[REQUEST_ID_SIZE]; /* the part of the path that varies; "" */
    enum actions_verb verb;   /* of the route */
    json_t *body;             /* an object, maybe empty */
    char purpose[REQUEST_PURPOSE_SIZE];
    struct request_act act;

    /* the answer: stream, or else json, or else text */
    unsigned code;
    json_t *json;
    struct text text;
    struct stream *stream; /* owned */
};

/* A parameter behind '?', decoded; NULL when there is none. */
const char *request_query(const struct request *request, const char *name);

/* A string of the body; NULL when there is none. */
const char *request_string(const struct request *request, const char *name);

/* A duration of the body ("4h"), at most a year; *out_ms is left alone when there is
 * none. False, and the answer is made, when it is not valid. */
bool request_duration(struct request *request, const char *name, int64_t *out_ms);

/* For a long work: who asks under the request's token hears how far it is. The request
 * outlives it. */
struct actions_progress request_progress(struct request *request);

/* True for what may be the id of a held message or an incident. */
bool request_is_id(const char *text);

/* From now on, for calls of the store; and for reading all its records, of which each
 * step has the time of a call. */
int64_t request_deadline_us(void);
int64_t request_list_deadline_us(void);

/* The answer is this document; the reference is taken over. NULL (no memory) is 500. */
void request_answer(struct request *request, json_t *json);

/* The answer is this stream, which is taken over. NULL (no memory) is 500. */
void request_stream(struct request *request, struct stream *stream);

/* The answer is {"error": text}. */
void request_fail(struct request *request, unsigned code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The answer is what a call below returned; what: the noun, for where error is empty. */
void request_fail_status(struct request *request, enum status status,
                         const struct error *error, const char *what);

/* Before an action: it will be in the audit, however it ends; ids: those of many, or
 * NULL. False when it can't be written down: then the answer is made, and nothing is to
 * be done. Strings and ids are needed no longer than the call, but for action. */
bool request_begin(struct request *request, const char *action, const char *target,
                   const json_t *ids);

/* The same for a target that names a person ("login:a@b"): hashed when privacy.addresses
 * says so. */
bool request_begin_key(struct request *request, const char *action, const char *key);

/* After it: the entry in audit and log. result: "ok", or what went wrong. done and
 * failed: of many, or NULL. */
void request_end(struct request *request, const char *result);
void request_end_many(struct request *request, const char *result, const json_t *done,
                      const json_t *failed);

/* Writes down what was looked at, or tried in vain, in audit and log. When that fails, a
 * good answer becomes 503: nobody sees what he may not have seen. */
void request_audit(struct request *request, const char *action, const char *target,
                   const char *result);

/* The same for a target that names a person. */
void request_audit_key(struct request *request, const char *action, const char *key,
                       const char *result);

/* What went wrong, as the answer says it; "ok" when nothing did. Borrowed. */
const char *request_result(const struct request *request);

#endif
