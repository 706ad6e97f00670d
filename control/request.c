/* Answers are JSON documents; a failure is one with the single field "error". */
#include "control/request.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "control/stream.h"
#include "engine/json_output.h"

#define DURATION_MAX_MS (INT64_C(366) * 86400 * 1000)

enum { RESULT_SIZE = 600 };

void request_user(const struct request *request, char out[REQUEST_USER_SIZE])
{
    const struct peer *peer = &request->peer;
    if (peer->name[0] != '\0')
        (void)snprintf(out, REQUEST_USER_SIZE, "%s", peer->name);
    else
        (void)snprintf(out, REQUEST_USER_SIZE, "uid %lld", (long long)peer->uid);
}

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
    return clock_deadline_us(REQUEST_STORE_MS);
}

int64_t request_list_deadline_us(void)
{
    return clock_deadline_us(REQUEST_LIST_MS);
}

static void set_answer(struct request *request, unsigned code, json_t *json)
{
    json_decref(request->json);
    stream_free(request->stream);
    request->stream = NULL;
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

void request_stream(struct request *request, struct stream *stream)
{
    request_answer(request, json_object());
    if (stream == NULL)
        request_answer(request, NULL);
    request->stream = stream;
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
                         json_output_string(text == NULL ? "out of memory" : text)));
    free(text);
}

static const struct {
    unsigned code;
    const char *text;
} failures[] = {
    [STATUS_OK] = {MHD_HTTP_OK, "done"},
    [STATUS_NOMEM] = {MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory"},
    [STATUS_INVALID] = {MHD_HTTP_BAD_REQUEST, "is not valid"},
    [STATUS_IO] = {MHD_HTTP_INTERNAL_SERVER_ERROR, "a system call failed"},
    [STATUS_LIMIT] = {MHD_HTTP_BAD_REQUEST, "is too large"},
    [STATUS_NOT_FOUND] = {MHD_HTTP_NOT_FOUND, "is not there"},
    [STATUS_UNAVAILABLE] = {MHD_HTTP_SERVICE_UNAVAILABLE, "the store does not answer"},
    [STATUS_CONFLICT] = {MHD_HTTP_CONFLICT, "somebody else changed it"},
};

unsigned request_code(enum status status)
{
    return failures[status].code;
}

void request_fail_status(struct request *request, enum status status,
                         const struct error *error, const char *what)
{
    char complaint[STORE_COMPLAINT_SIZE];
    struct store *store = request->context->store;
    unsigned code = failures[status].code;
    bool silent = error == NULL || error->text[0] == '\0';
    if (silent && status == STATUS_UNAVAILABLE && store_state(store) == STORE_STATE_OK &&
        store_complaint(store, complaint))
        request_fail(request, code, "%s: %s", what, complaint);
    else if (silent)
        request_fail(request, code, "%s: %s", what, failures[status].text);
    else if (error->file[0] != '\0')
        request_fail(request, code, "%s: %s", error->file, error->text);
    else
        request_fail(request, code, "%s", error->text);
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
    if (entry->via != NULL)
        log_field(&line, "via", entry->via);
    if (entry->relay != NULL)
        log_field(&line, "relay", entry->relay);
    log_field(&line, "target", entry->target);
    log_field(&line, "purpose", entry->purpose);
    if (entry->ids != NULL)
        log_field_number(&line, "done", (int64_t)json_array_size(entry->ids));
    if (entry->failed != NULL)
        log_field_number(&line, "failed", (int64_t)json_array_size(entry->failed));
    log_field(&line, "result", entry->result);
    log_line(SEVERITY_INFO, &line);
    text_clear(&line);
}

static void tell_progress(void *context, size_t done, size_t total)
{
    const struct request *request = context;
    progress_tell(request->progress, request->token, done, total);
}

struct actions_progress request_progress(struct request *request)
{
    bool asked = request->progress != NULL && request->token[0] != '\0';
    return (struct actions_progress){.tell = asked ? tell_progress : NULL,
                                     .context = request};
}

bool request_is_id(const char *text)
{
    return strlen(text) == DIGEST_ID_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == DIGEST_ID_SIZE - 1;
}

/* Each word with an "@" becomes its keyed hash. */
static void add_hidden(const struct request *request, const char *words, struct text *out)
{
    static const char between[] = " <>()[],;:\"'?!";
    char hash[DIGEST_HEX_SIZE];
    while (*words != '\0') {
        size_t length = strcspn(words, between);
        if (memchr(words, '@', length) != NULL) {
            digest_hex(request->context->key, words, length - (words[length - 1] == '.'),
                       hash);
            text_add_string(out, hash);
        } else {
            text_add(out, words, length);
        }
        words += length;
        length = strspn(words, between);
        text_add(out, words, length);
        words += length;
    }
}

void request_take_purpose(struct request *request, const char *purpose)
{
    struct text hidden = {0};
    if (purpose == NULL)
        return;
    if (request->settings->privacy.addresses == PRIVACY_HASHED) {
        add_hidden(request, purpose, &hidden);
        purpose = text_string(&hidden);
    }
    (void)snprintf(request->purpose, sizeof request->purpose, "%s", purpose);
    for (char *c = request->purpose; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    text_clear(&hidden);
}

/* True if the path's id is not one, so may be an address that must be hashed. */
static bool is_foreign(const struct request *request, const char *target)
{
    return target == request->id && target[0] != '\0' && !request_is_id(target) &&
           request->settings->privacy.addresses == PRIVACY_HASHED;
}

static void complain(const struct error *error)
{
    log_throttled(SEVERITY_ERROR, "the audit file was not written: %s%s%s", error->file,
                  error->file[0] == '\0' ? "" : ": ", error->text);
}

static struct audit_entry entry_of(const struct request *request, const char *action,
                                   const char *target, const char *result)
{
    return (struct audit_entry){.at_ms = clock_wall_ms(),
                                .uid = request->peer.uid,
                                .user = request->peer.name,
                                .via = request->via,
                                .relay = request->relay,
                                .action = action,
                                .target = target,
                                .purpose = request->purpose,
                                .result = result};
}

/* A look by hand is always recorded, and remembered for the page that goes on with it.
 * Content is recorded each time. */
static bool is_repeated(const struct request *request, const char *action,
                        const char *target)
{
    struct text look = {0};
    if (request->looks == NULL || strcmp(action, "content") == 0 ||
        (request->code != MHD_HTTP_OK && request->code != 0))
        return false;
    text_printf(&look, "%lld %s %s", (long long)request->peer.uid, action, target);
    bool repeated =
        !look.failed && recent_has(request->looks, look.data, clock_wall_ms());
    text_clear(&look);
    return repeated && request->repeats;
}

void request_audit(struct request *request, const char *action, const char *target,
                   const char *result)
{
    struct error error = {0};
    bool foreign = is_foreign(request, target);
    if (is_repeated(request, action, target))
        return;
    const struct audit_entry entry = entry_of(request, action, foreign ? "-" : target,
                                              foreign ? "there is none" : result);
    log_entry(&entry);
    if (audit_append(request->context->audit, &entry, &error) == STATUS_OK)
        return;
    complain(&error);
    if (request->code == MHD_HTTP_OK)
        request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                     "not shown, since the audit can't be written: %s: %s", error.file,
                     error.text);
}

/* "login:<hash>", for free(3); NULL without memory. */
static char *target_of_key(const struct request *request, const char *key)
{
    char hash[DIGEST_HEX_SIZE];
    char *target = NULL;
    if (request->settings->privacy.addresses == PRIVACY_CLEAR || strcmp(key, "all") == 0)
        return strdup(key);
    const char *colon = strchr(key, ':');
    const char *value = colon == NULL ? key : colon + 1;
    digest_hex(request->context->key, value, strlen(value), hash);
    return asprintf(&target, "%.*s%s", (int)(value - key), key, hash) < 0 ? NULL : target;
}

/* An error may quote the key. Of "ok, 3 of them: ..." the part before ": " is kept. */
static void hide_words(const char *result, char out[RESULT_SIZE])
{
    const char *words = strstr(result, ": ");
    size_t length = words == NULL ? strlen(result) : (size_t)(words - result);
    if (strncmp(result, "ok", 2) == 0)
        (void)snprintf(out, RESULT_SIZE, "%.*s", (int)length, result);
    else
        (void)snprintf(out, RESULT_SIZE, "failed");
}

void request_audit_key(struct request *request, const char *action, const char *key,
                       const char *result)
{
    char hidden[RESULT_SIZE];
    bool hashed = request->settings->privacy.addresses == PRIVACY_HASHED;
    char *target = target_of_key(request, key);
    hide_words(result, hidden);
    request_audit(request, action, target == NULL ? "-" : target,
                  hashed ? hidden : result);
    free(target);
}

/* ---- actions ---- */

/* Takes target over. */
static bool begin(struct request *request, const char *action, char *target,
                  const json_t *ids)
{
    struct error error = {0};
    struct request_act *act = &request->act;
    free(act->target);
    *act = (struct request_act){.action = action, .target = target};
    if (target == NULL) {
        request_answer(request, NULL);
        return false;
    }
    struct audit_entry entry = entry_of(request, action, target, "");
    entry.ids = ids;
    act->at_ms = entry.at_ms;
    if (audit_begin(request->context->audit, &entry, act->id, &error) == STATUS_OK)
        return true;
    complain(&error);
    request_fail(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                 "nothing was done, since the audit can't be written: %s%s%s", error.file,
                 error.file[0] == '\0' ? "" : ": ", error.text);
    entry.ids = NULL;
    entry.result = request_result(request);
    log_entry(&entry);
    return false;
}

bool request_begin(struct request *request, const char *action, const char *target,
                   const json_t *ids)
{
    bool foreign = is_foreign(request, target);
    bool begun = begin(request, action, strdup(foreign ? "-" : target), ids);
    request->act.hides = foreign;
    return begun;
}

bool request_begin_key(struct request *request, const char *action, const char *key)
{
    bool begun = begin(request, action, target_of_key(request, key), NULL);
    request->act.hides = request->settings->privacy.addresses == PRIVACY_HASHED;
    return begun;
}

void request_end_many(struct request *request, const char *result, const json_t *done,
                      const json_t *failed)
{
    char hidden[RESULT_SIZE];
    struct error error = {0};
    const struct request_act *act = &request->act;
    hide_words(result, hidden);
    struct audit_entry entry =
        entry_of(request, act->action, act->target, act->hides ? hidden : result);
    entry.at_ms = act->at_ms;
    entry.ids = done;
    entry.failed = failed;
    log_entry(&entry);
    if (audit_end(request->context->audit, act->id, &entry, &error) != STATUS_OK)
        complain(&error);
}

void request_end(struct request *request, const char *result)
{
    request_end_many(request, result, NULL, NULL);
}
