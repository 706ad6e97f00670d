/* A control API with a store in memory, and HTTP spoken by hand. */
#ifndef TEST_CONTROL_FIXTURE_H
#define TEST_CONTROL_FIXTURE_H

#include "control/control.h"

#include <check.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { ANSWER_SIZE = 256 * 1024, NOBODY = 65534 };

static char folder[] = "/tmp/mailbrake-control-XXXXXX";
static char control_socket[100], audit_path[100], configuration[100];
static struct current_snapshot current;
static struct store *store;
static struct digest_key key;
static struct control_context context;
static struct control *control;
static char answer[ANSWER_SIZE];
static bool reload_fails;

#define SETTINGS_TEXT                                                                    \
    "domains = [ \"own.example\" ];\n"                                                   \
    "control = { socket = \"%s\"; group = \"no-such-group\";\n"                          \
    " roles = { look = [\"no-group\", \"daemon\"]; decide = [\"bin\"]; brake = "         \
    "[\"sys\"];\n"                                                                       \
    "  permit = [\"games\"]; }; };\n"                                                    \
    "mta = { helper = \"%s/no-helper\"; };\n"                                            \
    "store = { type = \"memory\"; };\n"                                                  \
    "lists = ( { address = \"all@own.example\"; file = \"all\"; } );\n"                  \
    "rules = (\n"                                                                        \
    " { name = \"rate\"; key = \"sender\"; limit = \"5 messages per 1d\";\n"             \
    "   action = \"quarantine\"; },\n"                                                   \
    " { name = \"per-list\"; to = [\"list:*\"]; key = \"list\";\n"                       \
    "   limit = \"9 recipients per 1d\"; action = \"reject\"; },\n"                      \
    " { name = \"machine\"; key = \"from\"; action = \"reject\"; surge = 2; floor = "    \
    "7;\n"                                                                               \
    "   from = [\"client:192.0.2.0/28\", \"login:Robot-*\", \"@else.example\"]; }\n"     \
    ");\n"

/* ---- set-up ---- */

static inline void reload_failure(void *nothing, struct problems *out, int64_t *out_at_ms)
{
    (void)nothing;
    *out_at_ms = reload_fails ? 1785000000000 : 0;
    if (reload_fails)
        problems_error(out, "/etc/x.conf", 7, "colour \"red\": no such setting");
}

static inline const char *PRINTF_LIKE(2, 3)
    put_file(const char *name, const char *format, ...)
{
    static char path[100];
    va_list args;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    va_start(args, format);
    (void)vfprintf(file, format, args);
    va_end(args);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

static inline void ignore_report(void *nothing, enum severity severity, const char *text)
{
    (void)nothing;
    (void)severity;
    (void)text;
}

static inline enum status reload(void *nothing, struct problems *problems)
{
    (void)nothing;
    if (!reload_fails)
        return STATUS_OK;
    problems_error(problems, "/etc/x.conf", 7, "colour \"red\": no such setting");
    problems_warning(problems, "/etc/x.conf", 0, "careful");
    return STATUS_INVALID;
}

/* One list has jumped, until it is accepted. */
static bool has_jumped;

static inline enum status accept_lists(void *nothing, const char *address,
                                       struct list_jumps *out)
{
    (void)nothing;
    if (!has_jumped)
        return address == NULL ? STATUS_OK : STATUS_NOT_FOUND;
    has_jumped = false;
    out->items = calloc(1, sizeof *out->items);
    ck_assert_ptr_nonnull(out->items);
    out->items[0] = (struct list_jump){
        .address = strdup("all@own.example"), .was = 3, .size = 850000, .grown = true};
    out->count = 1;
    return STATUS_OK;
}

static inline struct snapshot *load(void)
{
    struct problems problems = {0};
    struct snapshot *snapshot = NULL;
    enum status status = snapshot_load(configuration, NULL, true, &problems, &snapshot);
    ck_assert_msg(status == STATUS_OK, "%s",
                  problems.count > 0 ? problems.items[0].text : "");
    problems_clear(&problems);
    return snapshot;
}

static inline void start(void)
{
    struct error error = {0};
    ck_assert_msg(control_start(&context, &control, &error) == STATUS_OK, "%s",
                  error.text);
}

static inline void setup(void)
{
    struct error error = {0};
    struct store_reporter reporter = {.report = ignore_report};
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chmod(folder, 0755), 0);
    (void)snprintf(control_socket, sizeof control_socket, "%s/control.sock", folder);
    (void)snprintf(audit_path, sizeof audit_path, "%s/audit.log", folder);
    (void)put_file("all", "a@own.example\nb@own.example\nc@else.example\n");
    (void)snprintf(configuration, sizeof configuration, "%s",
                   put_file("mailbrake.conf", SETTINGS_TEXT, control_socket, folder));
    ck_assert_int_eq(digest_init(), STATUS_OK);
    digest_key_derive("test", 4, &key);
    ck_assert_int_eq(current_snapshot_init(&current), STATUS_OK);
    struct snapshot *snapshot = load();
    ck_assert_int_eq(
        store_open(&snapshot->settings->store, &key, reporter, &store, &error),
        STATUS_OK);
    (void)current_snapshot_swap(&current, snapshot);
    reload_fails = false;
    context = (struct control_context){
        .snapshots = &current,
        .store = store,
        .ledger = ledger_new(store, &key, "relay1"),
        .active_brakes = active_brakes_new(store),
        .audit = audit_new(audit_path),
        .counters = counters_new(),
        .host = "relay1",
        .key = &key,
        .reload = reload,
        .reload_failure = reload_failure,
        .accept_lists = accept_lists,
        .started_us = clock_monotonic_us(),
    };
    context.actions = actions_new(context.ledger, &key, "relay1");
    start();
}

static inline void teardown(void)
{
    static const char *const names[] = {"control.sock", "audit.log", "all",
                                        "mailbrake.conf"};
    control_stop(control);
    control = NULL;
    actions_free(context.actions);
    counters_free(context.counters);
    audit_free(context.audit);
    active_brakes_free(context.active_brakes);
    ledger_free(context.ledger);
    store_close(store);
    current_snapshot_clear(&current);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

/* ---- speaking ---- */

static inline int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", control_socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static inline void say(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        data += sent;
        length -= (size_t)sent;
    }
}

/* All that comes until the other side closes, or for 5 s. */
static inline void hear(int fd)
{
    size_t length = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (length < sizeof answer - 1 && poll(&ready, 1, 5000) > 0) {
        ssize_t got = recv(fd, answer + length, sizeof answer - 1 - length, 0);
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    answer[length] = '\0';
}

static inline int status_code(void)
{
    int code = 0;
    (void)sscanf(answer, "HTTP/1.1 %d", &code);
    return code;
}

/* Asks for a method and path, with a body unless NULL; the status code. */
static inline int ask(const char *method_path, const char *body)
{
    char head[2000];
    int fd = dial();
    ck_assert_int_ge(fd, 0);
    (void)snprintf(head, sizeof head,
                   "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Purpose: a test\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   method_path, body == NULL ? 0 : strlen(body));
    say(fd, head, strlen(head));
    if (body != NULL)
        say(fd, body, strlen(body));
    hear(fd);
    (void)close(fd);
    return status_code();
}

static inline json_t *answered(void)
{
    const char *body = strstr(answer, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    json_t *json = json_loads(body + 4, 0, NULL);
    ck_assert_msg(json != NULL, "%s", answer);
    return json;
}

/* Asks for something that is to work. */
static inline json_t *get(const char *method_path, const char *body)
{
    ck_assert_msg(ask(method_path, body) == 200, "%s: %s", method_path, answer);
    return answered();
}

static inline const char *text_at(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text == NULL ? "" : text;
}

static inline long long number_at(const json_t *json, const char *name)
{
    ck_assert(json_is_integer(json_object_get(json, name)));
    return (long long)json_integer_value(json_object_get(json, name));
}

static inline void expect_error(const char *method_path, const char *body, int code,
                                const char *words)
{
    ck_assert_msg(ask(method_path, body) == code, "%s: %s", method_path, answer);
    json_t *json = answered();
    ck_assert_msg(strstr(text_at(json, "error"), words) != NULL, "%s", answer);
    json_decref(json);
}

static inline void expect_alive(void)
{
    json_t *json = get("GET /healthz", NULL);
    ck_assert(json_is_true(json_object_get(json, "ok")));
    json_decref(json);
}

/* The last entry of the audit. */
static inline void expect_audit(const char *action, const char *target,
                                const char *result)
{
    struct error error;
    json_t *entries;
    ck_assert_int_eq(audit_read(context.audit, 0, &entries, &error), STATUS_OK);
    const json_t *last = json_array_get(entries, json_array_size(entries) - 1);
    ck_assert_str_eq(text_at(last, "action"), action);
    ck_assert_str_eq(text_at(last, "target"), target);
    ck_assert_msg(strstr(text_at(last, "result"), result) != NULL, "%s",
                  text_at(last, "result"));
    ck_assert_int_eq(number_at(last, "uid"), getuid());
    ck_assert_str_eq(text_at(last, "purpose"), "a test");
    json_decref(entries);
}

static inline struct hold hold_one(void)
{
    struct hold hold;
    struct snapshot *snapshot = current_snapshot_get(&current);
    const struct event event = {.action = ACTION_QUARANTINE,
                                .rule = "rate",
                                .fingerprint = "00112233445566778899aabbccddeeff",
                                .subject = "login:a@own.example",
                                .identity = "login:a@own.example",
                                .sender = "<script>\x1b[2J\xff@own.example",
                                .tell = true,
                                .lists = {"all@own.example"},
                                .list_count = 1,
                                .addressed = {"all@own.example"},
                                .addressed_count = 1,
                                .reach = 3,
                                .copies = 3,
                                .queue_id = "ABCDEF123",
                                .now_ms = clock_wall_ms()};
    ledger_hold(context.ledger, snapshot->settings, &event,
                clock_monotonic_us() + 5000000, &hold);
    snapshot_unref(snapshot);
    ck_assert_int_eq(hold.result, HOLD_KEPT);
    return hold;
}

#endif
