/* The control API's server: whom it refuses, and that nothing that comes in hurts it. */
#include "control_fixture.h"
#include "run.h"

#include <netinet/in.h>
#include <stdatomic.h>

/* ---- who may ---- */

static void be_nobody(void)
{
    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        _exit(9);
}

static void expect_refusal(void)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        be_nobody();
        int code = ask("GET /v1/status", NULL);
        _exit(code == 403 && strstr(answer, "members of group") != NULL ? 0 : 1);
    }
    int how;
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert_int_eq(how, 0);
}

START_TEST(control_refuses_strangers)
{
    if (getuid() != 0)
        return;
    expect_refusal();
    json_t *json = get("GET /v1/audit", NULL);
    const json_t *entry = json_array_get(json_object_get(json, "audit"), 0);
    ck_assert_int_eq(number_at(entry, "uid"), NOBODY);
    ck_assert_ptr_nonnull(strstr(text_at(entry, "result"), "no rights"));
    json_decref(json);
}
END_TEST

/* Groups of every Debian, and the roles that SETTINGS_TEXT gives them. */
enum { DAEMON = 1, BIN = 2, SYS = 3, GAMES = 60 };

static const struct {
    const char *ask;
    gid_t groups[4]; /* that may, ended by 0 */
    const char *missing;
} rights[] = {
    {"GET /v1/status", {DAEMON, BIN, SYS, GAMES}, "look"},
    {"GET /v1/nothing", {DAEMON, BIN, SYS, GAMES}, "look"},
    {"PATCH /v1/holds", {DAEMON, BIN, SYS, GAMES}, "look"},
    {"GET /v1/audit", {DAEMON, BIN, SYS, GAMES}, "look"},
    {"POST /v1/explain", {DAEMON, BIN, SYS, GAMES}, "look"},
    {"POST /v1/holds/00112233445566778899aabb/release", {BIN}, "decide"},
    {"POST /v1/holds/delete", {BIN}, "decide"},
    {"POST /v1/incidents/00112233445566778899aabb/allow", {BIN}, "decide"},
    {"POST /v1/sync", {BIN}, "decide"},
    {"PUT /v1/brakes", {SYS}, "brake"},
    {"DELETE /v1/brakes?key=all", {SYS}, "brake"},
    {"DELETE /v1/limits?subject=all", {GAMES}, "permit"},
    {"POST /v1/permits", {GAMES}, "permit"},
    {"DELETE /v1/permits/00112233445566778899aabb", {GAMES}, "permit"},
    {"GET /v1/permits", {DAEMON, BIN, SYS, GAMES}, "look"},
    {"GET /v1/holds/00112233445566778899aabb/content", {BIN}, "decide"},
    {"POST /v1/incidents/00112233445566778899aabb/stop", {BIN}, "decide"},
    {"POST /v1/reload", {0}, "admin"},
};

/* How many of the rights differ for a group's member. */
static int count_wrong(gid_t group)
{
    int wrong = 0;
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        bool may = false;
        for (size_t j = 0; j < 4; j++)
            may = may || rights[i].groups[j] == group;
        bool refused = ask(rights[i].ask, NULL) == 403;
        json_t *json = answered();
        const char *missing = text_at(json, "missing");
        if (refused == may || strcmp(missing, may ? "" : rights[i].missing) != 0) {
            (void)fprintf(stderr, "gid %u: %s: %s\n", group, rights[i].ask, answer);
            wrong++;
        }
        json_decref(json);
    }
    return wrong + (ask("GET /healthz", NULL) != 200) +
           (ask("GET /metrics", NULL) != 200);
}

/* By the group of the process; the database knows the user's own. */
START_TEST(control_gives_each_role_its_routes)
{
    static const gid_t groups[] = {DAEMON, BIN, SYS, GAMES, NOBODY};
    if (getuid() != 0)
        return;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        int how;
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0)
            _exit(setgid(groups[i]) != 0 || setuid(NOBODY) != 0 ? 99
                                                                : count_wrong(groups[i]));
        ck_assert_int_eq(waitpid(child, &how, 0), child);
        ck_assert_int_eq(how, 0);
    }
    expect_alive();
}
END_TEST

static void expect_roles(uid_t uid, gid_t gid, const char *expected)
{
    int how;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (setgid(gid) != 0 || setuid(uid) != 0)
            _exit(9);
        int code = ask("GET /v1/whoami", NULL);
        bool right = code == 200 && strstr(answer, expected) != NULL;
        if (!right)
            (void)fprintf(stderr, "uid %u: %s\n", uid, answer);
        _exit(!right);
    }
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert_int_eq(how, 0);
}

START_TEST(control_says_who_one_is)
{
    if (getuid() != 0)
        return;
    json_t *json = get("GET /v1/whoami", NULL);
    ck_assert_str_eq(text_at(json, "user"), "root");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "roles")), 5);
    json_decref(json);
    /* by the database alone, whatever the group of the process */
    expect_roles(2, NOBODY,
                 "{\"user\":\"bin\",\"uid\":2,\"roles\":[\"look\",\"decide\"]}");
    expect_roles(1, BIN, "\"roles\":[\"look\",\"decide\"]");
    expect_roles(1, NOBODY, "\"roles\":[\"look\"]}");
    expect_roles(NOBODY, NOBODY, "\"roles\":[]}");
    expect_roles(4000123, NOBODY,
                 "{\"user\":\"uid 4000123\",\"uid\":4000123,\"roles\":[]}");
}
END_TEST

/* ---- metrics over TCP ---- */

/* Any free port will do: the first that nobody has. */
static int serve_metrics(void)
{
    char place[40];
    struct error error = {0};
    for (int port = 20000 + getpid() % 20000;; port++) {
        (void)snprintf(place, sizeof place, "127.0.0.1:%d", port);
        if (control_serve_metrics(control, place, &error) == STATUS_OK)
            return port;
        ck_assert_str_eq(error.text, "Address already in use");
    }
}

static int ask_tcp(int port, const char *method_path)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char head[300];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    (void)snprintf(head, sizeof head,
                   "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method_path);
    say(fd, head, strlen(head));
    hear(fd);
    (void)close(fd);
    return status_code();
}

START_TEST(control_serves_metrics_alone_over_tcp)
{
    static const char *const others[] = {"GET /v1/status", "GET /v1/whoami",
                                         "GET /v1/audit",  "GET /v1/holds",
                                         "GET /metrics/",  "GET /"};
    struct error error = {0};
    char place[40];
    int port = serve_metrics();
    ck_assert_int_eq(ask_tcp(port, "GET /metrics"), 200);
    ck_assert_ptr_nonnull(strstr(answer, "mailbrake_build_info"));
    ck_assert_int_eq(ask_tcp(port, "GET /healthz"), 200);
    ck_assert_int_eq(ask_tcp(port, "POST /metrics"), 405);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_int_eq(ask_tcp(port, others[i]), 404);
    ck_assert_int_eq(ask_tcp(port, "POST /v1/reload"), 404);
    (void)snprintf(place, sizeof place, "127.0.0.1:%d", port);
    ck_assert_int_eq(control_serve_metrics(control, place, &error), STATUS_IO);
    expect_alive();
}
END_TEST

enum { IDLERS = 100 };

/* How many of these connections are still open, when no more are closed for a while. */
static int count_open(const int fds[IDLERS])
{
    int open = IDLERS;
    struct pollfd ends[IDLERS];
    for (size_t i = 0; i < IDLERS; i++)
        ends[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    while (poll(ends, IDLERS, 1000) > 0) {
        for (size_t i = 0; i < IDLERS; i++) {
            if (ends[i].fd < 0 || ends[i].revents == 0)
                continue;
            ends[i].fd = -1;
            open--;
        }
    }
    return open;
}

/* Connects as a stranger, says nothing, tells how many connections it was left, and stays
 * until the other side of both pipes is closed. */
static _Noreturn void idle(int out, int in)
{
    int fds[IDLERS];
    char end;
    be_nobody();
    for (size_t i = 0; i < IDLERS; i++)
        fds[i] = dial();
    int open = count_open(fds);
    bool told = write(out, &open, sizeof open) == (ssize_t)sizeof open;
    _exit(told && read(in, &end, 1) == 0 ? 0 : 1);
}

START_TEST(control_serves_administrators_beside_strangers)
{
    int up[2], down[2], how, open = 0;
    if (getuid() != 0)
        return;
    ck_assert_int_eq(pipe(up), 0);
    ck_assert_int_eq(pipe(down), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)close(down[1]);
        idle(up[1], down[0]);
    }
    ck_assert_int_eq(read(up[0], &open, sizeof open), (ssize_t)sizeof open);
    ck_assert_int_eq(open, CONTROL_STRANGERS_MAX);
    int64_t before_us = clock_monotonic_us();
    for (int i = 0; i < 20; i++)
        expect_alive();
    ck_assert_int_lt(clock_monotonic_us() - before_us, 2000000);
    (void)close(down[1]);
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert_int_eq(how, 0);
    (void)close(up[0]);
    (void)close(up[1]);
    (void)close(down[0]);
    (void)poll(NULL, 0, 200); /* until all their ends are seen */
    for (int i = 0; i < 2 * CONTROL_STRANGERS_MAX; i++)
        expect_refusal();
}
END_TEST

START_TEST(control_socket_is_for_all)
{
    struct stat about;
    mode_t mask = umask(077);
    control_stop(control);
    control = NULL;
    start();
    (void)umask(mask);
    ck_assert_int_eq(stat(control_socket, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0666);
}
END_TEST

START_TEST(control_takes_no_socket_from_the_living)
{
    struct error error = {0};
    struct control *second = NULL;
    ck_assert_int_eq(control_start(&context, &second, &error), STATUS_CONFLICT);
    expect_alive();
}
END_TEST

START_TEST(control_replaces_only_a_stale_socket)
{
    struct error error = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    control_stop(control);
    control = NULL;
    ck_assert_int_ne(access(control_socket, F_OK), 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", control_socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    (void)close(fd); /* as after a crash */
    start();
    expect_alive();
    control_stop(control);
    control = NULL;
    (void)put_file("control.sock", "precious");
    ck_assert_int_eq(control_start(&context, &control, &error), STATUS_IO);
    ck_assert_int_eq(access(control_socket, F_OK), 0);
}
END_TEST

/* ---- whatever comes in ---- */

START_TEST(control_knows_its_paths_and_methods)
{
    expect_error("GET /", NULL, 404, "there is no");
    expect_error("GET /v1", NULL, 404, "there is no");
    expect_error("GET /v1/holds/", NULL, 404, "there is no");
    expect_error("GET /v1/holds/a/b", NULL, 404, "there is no");
    expect_error("GET /v1/sync", NULL, 405, "not allowed for this path");
    expect_error("DELETE /v1/status", NULL, 405, "not allowed for this path");
    expect_error("BREW /v1/status", NULL, 405, "not allowed for this path");
}
END_TEST

START_TEST(control_refuses_bodies_that_are_no_object)
{
    static const char *const bodies[] = {
        "x", "[]", "\"a\"", "{\"a\": 1, \"a\": 2}", "{\"a", "\xff\xfe", "{} {}", "null"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        expect_error("POST /v1/reload", bodies[i], 400, "not a JSON object");
    char *deep = malloc(60001);
    memset(deep, '[', 60000);
    deep[60000] = '\0';
    expect_error("POST /v1/reload", deep, 400, "not a JSON object");
    free(deep);
    expect_alive();
}
END_TEST

START_TEST(control_caps_bodies)
{
    char *large = malloc(CONTROL_BODY_MAX + 2);
    memset(large, ' ', CONTROL_BODY_MAX + 1);
    large[CONTROL_BODY_MAX + 1] = '\0';
    ck_assert_int_eq(ask("POST /v1/reload", large), 413);
    large[CONTROL_BODY_MAX] = '\0';
    memcpy(large, "{}", 2);
    ck_assert_int_eq(ask("POST /v1/reload", large), 200);
    free(large);

    static const char head[] =
        "POST /v1/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    static char chunk[4200];
    (void)snprintf(chunk, sizeof chunk, "1000\r\n%04096d\r\n", 0);
    int fd = dial();
    say(fd, head, strlen(head));
    for (int i = 0; i < 40; i++)
        say(fd, chunk, strlen(chunk));
    hear(fd);
    (void)close(fd);
    ck_assert_int_ne(status_code(), 200);
    expect_alive();
}
END_TEST

START_TEST(control_survives_garbage)
{
    static char garbage[4096];
    unsigned seed = 12345;
    for (int round = 0; round < 200; round++) {
        int fd = dial();
        ck_assert_int_ge(fd, 0);
        size_t length = 1 + (size_t)(rand_r(&seed) % (int)sizeof garbage);
        for (size_t i = 0; i < length; i++)
            garbage[i] = (char)rand_r(&seed);
        if (round % 2 == 0)
            memcpy(garbage, "GET /", 5);
        say(fd, garbage, length);
        (void)close(fd);
    }
    expect_alive();
}
END_TEST

START_TEST(control_survives_huge_headers)
{
    char *large = malloc(1 << 20);
    memset(large, 'a', 1 << 20);
    int fd = dial();
    static const char head[] = "GET /v1/status HTTP/1.1\r\nX-Large: ";
    say(fd, head, strlen(head));
    say(fd, large, 1 << 20);
    hear(fd);
    (void)close(fd);
    free(large);
    ck_assert_int_ne(status_code(), 200);
    expect_alive();
}
END_TEST

START_TEST(control_does_not_wait_for_half_requests)
{
    static const char half[] =
        "POST /v1/reload HTTP/1.1\r\nContent-Length: 100\r\n\r\n{\"a";
    int halves[20];
    for (size_t i = 0; i < 20; i++) {
        halves[i] = dial();
        ck_assert_int_ge(halves[i], 0);
        say(halves[i], half, strlen(half));
    }
    int64_t before_us = clock_monotonic_us();
    expect_alive();
    ck_assert_int_lt(clock_monotonic_us() - before_us, 2000000);
    for (size_t i = 0; i < 20; i++)
        (void)close(halves[i]);
}
END_TEST

START_TEST(control_survives_two_thousand_connections)
{
    enum { CONNECTIONS = 2000, OPEN = 200 };
    int open[OPEN];
    for (size_t i = 0; i < OPEN; i++)
        open[i] = -1;
    int64_t until_us = clock_monotonic_us() + 8000000;
    for (size_t i = 0; i < CONNECTIONS && clock_monotonic_us() < until_us; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", control_socket);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fd, (struct sockaddr *)&address, sizeof address);
        (void)send(fd, "GET /v1/st", 10, MSG_NOSIGNAL);
        if (open[i % OPEN] >= 0)
            (void)close(open[i % OPEN]);
        open[i % OPEN] = fd;
    }
    for (size_t i = 0; i < OPEN; i++)
        if (open[i] >= 0)
            (void)close(open[i]);
    expect_alive();
}
END_TEST

struct long_work {
    atomic_bool begun, done;
};

/* A reload that takes until it is told to end. */
static enum status reload_for_long(void *argument, struct problems *problems)
{
    struct long_work *work = argument;
    (void)problems;
    atomic_store(&work->begun, true);
    while (!atomic_load(&work->done))
        (void)usleep(1000);
    return STATUS_OK;
}

/* Looks, whichever thread has accepted them, beside more changes than are made at a time.
 */
START_TEST(control_answers_all_beside_long_work)
{
    enum { OTHERS = 40, LONG = CONTROL_CHANGES_MAX + 1 };
    static const char reload_request[] =
        "POST /v1/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    static const char request[] =
        "GET /v1/brakes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    int others[OTHERS];
    struct long_work work = {0};
    control_stop(control);
    context.reload = reload_for_long;
    context.reload_context = &work;
    start();
    for (size_t i = 0; i < OTHERS; i++) {
        others[i] = dial();
        ck_assert_int_ge(others[i], 0);
    }
    (void)usleep(100000); /* all have been accepted */
    for (size_t i = 0; i < LONG; i++)
        say(others[i], reload_request, strlen(reload_request));
    while (!atomic_load(&work.begun))
        (void)usleep(1000);
    (void)usleep(100000); /* the others wait for the first */
    size_t answered_count = LONG;
    for (size_t i = LONG; i < OTHERS && answered_count == i; i++) {
        say(others[i], request, strlen(request));
        hear(others[i]);
        answered_count += status_code() == 200;
    }
    atomic_store(&work.done, true);
    ck_assert_uint_eq(answered_count, OTHERS);
    for (size_t i = 0; i < OTHERS; i++) {
        if (i < LONG) {
            hear(others[i]);
            ck_assert_int_eq(status_code(), 200);
        }
        (void)close(others[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control");
    TCase *cases = tcase_create("control");
    log_open("test_control");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, control_refuses_strangers);
    tcase_add_test(cases, control_gives_each_role_its_routes);
    tcase_add_test(cases, control_says_who_one_is);
    tcase_add_test(cases, control_serves_metrics_alone_over_tcp);
    tcase_add_test(cases, control_serves_administrators_beside_strangers);
    tcase_add_test(cases, control_socket_is_for_all);
    tcase_add_test(cases, control_takes_no_socket_from_the_living);
    tcase_add_test(cases, control_replaces_only_a_stale_socket);
    tcase_add_test(cases, control_knows_its_paths_and_methods);
    tcase_add_test(cases, control_refuses_bodies_that_are_no_object);
    tcase_add_test(cases, control_caps_bodies);
    tcase_add_test(cases, control_survives_garbage);
    tcase_add_test(cases, control_survives_huge_headers);
    tcase_add_test(cases, control_does_not_wait_for_half_requests);
    tcase_add_test(cases, control_survives_two_thousand_connections);
    tcase_add_test(cases, control_answers_all_beside_long_work);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
