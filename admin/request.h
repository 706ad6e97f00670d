/* One request to the control API and its answer, as the handlers see them. */
#ifndef ADMIN_REQUEST_H
#define ADMIN_REQUEST_H

#include <jansson.h>

#include "admin/control.h"
#include "admin/peer.h"
#include "base/text.h"

enum {
    REQUEST_ID_SIZE = 64,
    REQUEST_PURPOSE_SIZE = 300,
    REQUEST_STORE_MS = 5000, /* how long a request waits for the store, at most */
};

struct MHD_Connection;

struct request {
    const struct control_context *context;
    pthread_mutex_t *reloading; /* one reload at a time */
    struct MHD_Connection *connection;
    struct snapshot *snapshot; /* a reference */
    const struct settings *settings;
    struct peer peer;
    char id[REQUEST_ID_SIZE]; /* the part of the path that varies; "" */
    json_t *body;             /* an object, maybe empty */
    char purpose[REQUEST_PURPOSE_SIZE];

    /* the answer: json, or else text */
    unsigned code;
    json_t *json;
    struct text text;
};

/* A parameter behind '?', decoded; NULL when there is none. */
const char *request_query(const struct request *request, const char *name);

/* A string of the body; NULL when there is none. */
const char *request_string(const struct request *request, const char *name);

/* A duration of the body ("4h"), at most a year; *out_ms is left alone when there is
 * none. False, and the answer is made, when it is not valid. */
bool request_duration(struct request *request, const char *name, int64_t *out_ms);

/* From now on, for calls of the store. */
int64_t request_deadline_us(void);

/* The answer is this document; the reference is taken over. NULL (no memory) is 500. */
void request_answer(struct request *request, json_t *json);

/* The answer is {"error": text}. */
void request_fail(struct request *request, unsigned code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The answer is what a call below returned; what: the noun, for where error is empty. */
void request_fail_status(struct request *request, enum status status,
                         const struct error *error, const char *what);

/* Writes down what was done or looked at, in the audit file and the log. result: "ok", or
 * what went wrong. */
void request_audit(const struct request *request, const char *action, const char *target,
                   const char *result);

/* The same for a target that names a person ("login:a@b"): hashed when privacy.addresses
 * says so. */
void request_audit_key(const struct request *request, const char *action, const char *key,
                       const char *result);

/* What went wrong, as the answer says it; "ok" when nothing did. Borrowed. */
const char *request_result(const struct request *request);

#endif
