/* Any request of who may make one: "METHOD PATH[?NAME=VALUE&...]", a line feed, the body.
 * No handler fails to answer. What libmicrohttpd would say of the connection is said
 * here. */
#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/routes.h"
#include "control/stream.h"
#include "engine/traffic.h"
#include "fuzz.h"

static char folder[] = "/tmp/mailbrake-fuzz-control-XXXXXX";
static char *query; /* of this request; NULL: none */
static struct control_context context;
static struct current_snapshot current;
static struct digest_key key;
static struct progress progress;
static pthread_mutex_t reloading = PTHREAD_MUTEX_INITIALIZER;

static const char configuration[] =
    "domains = [ \"own.example\" ];\n"
    "mta = { helper = \"/nonexistent\"; config_directory = \"/nonexistent\"; };\n"
    "store = { type = \"memory\"; };\n"
    "lists = ( { address = \"all@own.example\"; file = \"all\"; } );\n"
    "rules = ( { name = \"rate\"; key = \"sender\"; limit = \"5 messages per 1d\";\n"
    "  action = \"quarantine\"; },\n"
    " { name = \"per-list\"; to = [\"list:*\"]; key = \"list\";\n"
    "  limit = \"9 recipients per 1d\"; action = \"reject\"; });\n";

/* ---- libmicrohttpd ---- */

const char *MHD_lookup_connection_value(struct MHD_Connection *connection,
                                        enum MHD_ValueKind kind, const char *name)
{
    size_t length = strlen(name);
    (void)connection;
    claim(kind == MHD_GET_ARGUMENT_KIND);
    for (char *at = query; at != NULL && *at != '\0'; at += strlen(at) + 1) {
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return at + length + 1;
    }
    return NULL;
}

/* ---- the daemon ---- */

static void write_file(const char *name, const char *text, char path[100])
{
    (void)snprintf(path, 100, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    claim(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void ignore_report(void *nothing, enum severity severity, const char *text)
{
    (void)nothing;
    (void)severity;
    (void)text;
}

static enum status reload(void *nothing, struct problems *problems)
{
    (void)nothing;
    problems_error(problems, "/etc/x.conf", 7, "no such setting");
    return STATUS_INVALID;
}

static void reload_failure(void *nothing, struct problems *out, int64_t *out_at_ms)
{
    (void)nothing;
    problems_error(out, "/etc/x.conf", 7, "no such setting");
    *out_at_ms = 1700000000000;
}

static void open_context(void)
{
    char path[100], list[100];
    struct error error = {0};
    struct problems problems = {0};
    struct snapshot *snapshot = NULL;
    const struct store_reporter reporter = {.report = ignore_report};
    claim(digest_init() == STATUS_OK && mkdtemp(folder) != NULL);
    write_file("all", "a@own.example\nb@own.example\nc@else.example\n", list);
    write_file("mailbrake.conf", configuration, path);
    claim(snapshot_load(path, NULL, true, &problems, &snapshot) == STATUS_OK);
    claim(unlink(path) == 0 && unlink(list) == 0 && rmdir(folder) == 0);
    problems_clear(&problems);
    digest_key_derive("fuzz", 4, &key);
    claim(current_snapshot_init(&current) == STATUS_OK);
    claim(store_open(&snapshot->settings->store, &key, reporter, &context.store,
                     &error) == STATUS_OK);
    (void)current_snapshot_swap(&current, snapshot);
    context.snapshots = &current;
    context.ledger = ledger_new(context.store, &key, "fuzz");
    context.active_brakes = active_brakes_new(context.store);
    context.audit = audit_new(NULL);
    context.counters = counters_new();
    context.traffic = traffic_new("fuzz");
    context.actions = actions_new(context.ledger, &key, "fuzz");
    context.host = "fuzz";
    context.key = &key;
    context.reload = reload;
    context.reload_failure = reload_failure;
    progress_init(&progress);
    context.started_us = clock_monotonic_us();
    claim(context.ledger != NULL && context.active_brakes != NULL &&
          context.audit != NULL);
    claim(context.actions != NULL && context.counters != NULL && context.traffic != NULL);
}

/* ---- one request ---- */

/* A list is written while it is sent. */
static void expect_stream(struct stream *stream)
{
    char bytes[4096];
    ssize_t count;
    do
        count = stream_read(stream, bytes, sizeof bytes);
    while (count > 0);
    claim(count == 0);
    stream_free(stream);
}

/* Cuts "PATH?a=b&c=d" into the path and a row of strings. */
static void cut_query(char *path)
{
    query = strchr(path, '?');
    if (query == NULL)
        return;
    *query++ = '\0';
    for (char *at = query; *at != '\0'; at++) {
        if (*at == '&' && at[1] != '\0')
            *at = '\0';
    }
}

static void expect_answer(const struct request *request)
{
    unsigned code = request->code == 0 ? 200 : request->code;
    claim(code >= 200 && code < 600);
    claim(request->stream != NULL || request->json != NULL || request->text.length > 0);
    claim(code < 400 || json_is_string(json_object_get(request->json, "error")));
}

static void ask(const struct route *route, struct request *request, const char *body,
                size_t length)
{
    request->context = &context;
    request->reloading = &reloading;
    request->progress = &progress;
    request->snapshot = current_snapshot_get(&current);
    request->settings = request->snapshot->settings;
    request->body = length == 0 ? json_object()
                                : json_loadb(body, length, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(request->body)) {
        route->run(request);
        expect_answer(request);
        if (request->stream != NULL)
            expect_stream(request->stream);
    }
    json_decref(request->json);
    json_decref(request->body);
    free(request->act.target);
    text_clear(&request->text);
    snapshot_unref(request->snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char method[8] = "";
    struct request request = {0};
    bool known;
    if (context.store == NULL)
        open_context();
    const char *end = memchr(data, '\n', size);
    size_t length = end == NULL ? size : (size_t)(end - (const char *)data);
    char *head = calloc(1, length + 2); /* two NULs end the row */
    claim(head != NULL);
    memcpy(head, data, length);
    char *path = strchr(head, ' ');
    if (path != NULL) {
        *path++ = '\0';
        (void)snprintf(method, sizeof method, "%s", head);
        cut_query(path);
        const struct route *route = routes_find(method, path, request.id, &known);
        size_t body = end == NULL ? size : length + 1;
        if (route != NULL)
            ask(route, &request, (const char *)data + body, size - body);
    }
    free(head);
    return 0;
}
