/* Answers are JSON documents; a failure is one with the single field "error". */
#include "admin/request.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/output.h"
#include "base/clock.h"
#include "base/log.h"

#define DURATION_MAX_MS (INT64_C(366) * 86400 * 1000)

const char *request_query(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *request_string(const struct request *request, const char *name)
{
    return json_string_value(json_object_get(request->body, name));
}

bool request_duration(struct request *request, const char *name, int64_t *out_ms)
{
    struct error error = {0};
    int64_t duration_ms;
    const json_t *value = json_object_get(request->body, name);
    if (value == NULL || json_is_null(value))
        return true;
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    if (duration_parse(text, &duration_ms, &error) != STATUS_OK || duration_ms <= 0 ||
        duration_ms > DURATION_MAX_MS) {
        request_fail(request, MHD_HTTP_BAD_REQUEST,
                     "\"%s\" is a duration of at most a year, as in \"4h\"", name);
        return false;
    }
    *out_ms = duration_ms;
    return true;
}

int64_t request_deadline_us(void)
{
    return clock_monotonic_us() + REQUEST_STORE_MS * INT64_C(1000);
}

static void set_answer(struct request *request, unsigned code, json_t *json)
{
    json_decref(request->json);
    request->json = json;
    request->code = json == NULL ? MHD_HTTP_INTERNAL_SERVER_ERROR : code;
}

void request_answer(struct request *request, json_t *json)
{
    if (json == NULL)
        request_fail(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
    else
        set_answer(request, MHD_HTTP_OK, json);
}

void request_fail(struct request *request, unsigned code, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    set_answer(request, code,
               json_pack("{s:o}", "error",
                         output_string(text == NULL ? "out of memory" : text)));
    free(text);
}

static unsigned code_of(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return MHD_HTTP_OK;
    case STATUS_INVALID:
    case STATUS_LIMIT:
        return MHD_HTTP_BAD_REQUEST;
    case STATUS_NOT_FOUND:
        return MHD_HTTP_NOT_FOUND;
    case STATUS_CONFLICT:
        return MHD_HTTP_CONFLICT;
    case STATUS_UNAVAILABLE:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    case STATUS_NOMEM:
    case STATUS_IO:
        break;
    }
    return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static const char *words_of(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return "done";
    case STATUS_NOMEM:
        return "out of memory";
    case STATUS_INVALID:
        return "is not valid";
    case STATUS_IO:
        return "the system refused";
    case STATUS_LIMIT:
        return "is too large";
    case STATUS_NOT_FOUND:
        return "is not there";
    case STATUS_UNAVAILABLE:
        return "the store does not answer";
    case STATUS_CONFLICT:
        return "somebody else changed it";
    }
    return "failed";
}

void request_fail_status(struct request *request, enum status status,
                         const struct error *error, const char *what)
{
    if (error == NULL || error->text[0] == '\0')
        request_fail(request, code_of(status), "%s: %s", what, words_of(status));
    else if (error->file[0] != '\0')
        request_fail(request, code_of(status), "%s: %s", error->file, error->text);
    else
        request_fail(request, code_of(status), "%s", error->text);
}

const char *request_result(const struct request *request)
{
    const char *error = json_string_value(json_object_get(request->json, "error"));
    return error == NULL ? "ok" : error;
}

static void log_entry(const struct audit_entry *entry)
{
    struct text line = {0};
    log_field(&line, "audit", entry->action);
    log_field_number(&line, "uid", (int64_t)entry->uid);
    log_field(&line, "user", entry->user);
    log_field(&line, "target", entry->target);
    log_field(&line, "purpose", entry->purpose);
    log_field(&line, "result", entry->result);
    log_line(SEVERITY_INFO, &line);
    text_clear(&line);
}

static bool is_id(const char *text)
{
    return strlen(text) == DIGEST_ID_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == DIGEST_ID_SIZE - 1;
}

void request_audit(const struct request *request, const char *action, const char *target,
                   const char *result)
{
    struct error error = {0};
    /* What was typed for an id may be an address. */
    bool foreign = target == request->id && target[0] != '\0' && !is_id(target) &&
                   request->settings->privacy.addresses == PRIVACY_HASHED;
    if (foreign) {
        target = "-";
        result = "there is none";
    }
    const struct audit_entry entry = {.at_ms = clock_wall_ms(),
                                      .uid = request->peer.uid,
                                      .user = request->peer.name,
                                      .action = action,
                                      .target = target,
                                      .purpose = request->purpose,
                                      .result = result};
    log_entry(&entry);
    if (audit_append(request->context->audit, &entry, &error) != STATUS_OK)
        log_throttled(SEVERITY_ERROR, "the audit file was not written: %s%s%s",
                      error.file, error.file[0] == '\0' ? "" : ": ", error.text);
}

void request_audit_key(const struct request *request, const char *action, const char *key,
                       const char *result)
{
    char hash[DIGEST_HEX_SIZE];
    struct text target = {0};
    if (request->settings->privacy.addresses == PRIVACY_CLEAR ||
        strcmp(key, "all") == 0) {
        request_audit(request, action, key, result);
        return;
    }
    const char *colon = strchr(key, ':');
    const char *value = colon == NULL ? key : colon + 1;
    digest_hex(request->context->key, value, strlen(value), hash);
    text_add(&target, key, (size_t)(value - key));
    text_add_string(&target, hash);
    /* What went wrong may quote the key. */
    request_audit(request, action, text_string(&target),
                  strcmp(result, "ok") == 0 ? "ok" : "failed");
    text_clear(&target);
}
