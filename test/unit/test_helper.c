/* Orders to something on a unix socket that answers like mailbrake-mta(8), or as badly as
 * it is told to. */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "quarantine/helper.h"
#include "run.h"

enum { SOON_MS = 5000, LATE_MS = 300 };

enum manner {
    ANSWER,
    EARLY,   /* answers and hangs up before reading anything */
    HANG_UP, /* before reading anything */
    SILENCE, /* says nothing, until it is stopped */
    DRIP,    /* a byte each 50 ms */
    FLOOD,   /* without end */
};

static char path[96];
static int listener = -1;
static pthread_t thread;
static atomic_bool stop;
static enum manner manner;
static _Atomic(const char *) answer;
static char order[200000]; /* what the helper was told */
static struct error error;

static void say(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        data += sent;
        length -= (size_t)sent;
    }
}

static void drip(int fd)
{
    for (const char *p = answer; *p != '\0' && !atomic_load(&stop); p++) {
        say(fd, p, 1);
        (void)usleep(50000);
    }
}

static void flood(int fd)
{
    static char line[4096];
    memset(line, 'x', sizeof line);
    while (!atomic_load(&stop) &&
           send(fd, line, sizeof line, MSG_NOSIGNAL) == (ssize_t)sizeof line)
        ;
}

/* Reads to the end, as an order ends, then answers. */
static void serve_one(int fd)
{
    size_t length = 0;
    ssize_t got = 1;
    while (manner != HANG_UP && manner != EARLY && got > 0 && length < sizeof order - 1) {
        got = recv(fd, order + length, sizeof order - 1 - length, 0);
        length += got > 0 ? (size_t)got : 0;
    }
    order[length] = '\0';
    if (manner == ANSWER || manner == EARLY)
        say(fd, answer, strlen(answer));
    else if (manner == DRIP)
        drip(fd);
    else if (manner == FLOOD)
        flood(fd);
    while (manner == SILENCE && !atomic_load(&stop))
        (void)usleep(5000);
}

static void *serve(void *context)
{
    struct pollfd fds = {.fd = listener, .events = POLLIN};
    (void)context;
    while (!atomic_load(&stop)) {
        if (poll(&fds, 1, 20) <= 0)
            continue;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        serve_one(fd);
        (void)close(fd);
    }
    return NULL;
}

static void start(enum manner how, const char *what)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static int number;
    manner = how;
    answer = what;
    atomic_store(&stop, false);
    (void)snprintf(path, sizeof path, "/tmp/mailbrake-helper-%d-%d", (int)getpid(),
                   ++number);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    (void)unlink(path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(listener, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 4), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

static void setup(void)
{
    error = (struct error){0};
    order[0] = '\0';
    listener = -1;
}

static void teardown(void)
{
    if (listener < 0)
        return;
    atomic_store(&stop, true);
    (void)pthread_join(thread, NULL);
    (void)close(listener);
    (void)unlink(path);
}

struct seen {
    int count;
    char text[1000];
};

static void see(void *context, const struct queued *queued)
{
    struct seen *seen = context;
    size_t length = strlen(seen->text);
    seen->count++;
    (void)snprintf(seen->text + length, sizeof seen->text - length, "%s %s %s %lld %lld;",
                   queued->queue, queued->queue_id, queued->sender, queued->arrived_s,
                   queued->recipients);
}

static int64_t in_ms(int ms)
{
    return clock_monotonic_us() + ms * INT64_C(1000);
}

/* One order, alone in its batch; error is its own. */
static enum status do_one(const char *verb, struct helper_order *one, const char *text,
                          int timeout_ms)
{
    enum status status = helper_do(path, in_ms(timeout_ms), verb, one, 1, text, &error);
    if (status == STATUS_OK)
        error = one->error;
    return status == STATUS_OK ? one->status : status;
}

static enum status release(int timeout_ms)
{
    struct helper_order one = {.queue_id = "ABCDEF123",
                               .check = "hold_id=0123456789abcdef"};
    return do_one("release", &one, NULL, timeout_ms);
}

START_TEST(helper_lists_the_queue)
{
    struct seen seen = {0};
    start(ANSWER,
          "{\"queue_name\":\"hold\",\"queue_id\":\"4Q1\",\"arrival_time\":1787000000,"
          "\"size\":500,\"sender\":\"a@own\",\"recipients\":7}\n"
          "{\"queue_name\":\"active\",\"queue_id\":\"4Q2\",\"arrival_time\":1787000001,"
          "\"size\":3000000000,\"sender\":\"\",\"recipients\":[]}\n"
          "ok 2\n");
    ck_assert_int_eq(helper_list(path, SOON_MS, see, &seen, &error), STATUS_OK);
    ck_assert_str_eq(seen.text, "hold 4Q1 a@own 1787000000 7;"
                                "active 4Q2  1787000001 0;");
    ck_assert_str_eq(order, "list\n");
}
END_TEST

START_TEST(helper_lists_an_empty_queue)
{
    struct seen seen = {0};
    start(ANSWER, "ok 0\n");
    ck_assert_int_eq(helper_list(path, SOON_MS, see, &seen, &error), STATUS_OK);
    ck_assert_int_eq(seen.count, 0);
}
END_TEST

static enum status ask_for_queue(const char *words, const char *expected)
{
    struct text folder = {0};
    start(ANSWER, words);
    enum status status = helper_queue(path, SOON_MS, &folder, &error);
    ck_assert_str_eq(text_string(&folder), expected);
    ck_assert_str_eq(order, "queue\n");
    text_clear(&folder);
    return status;
}

START_TEST(helper_knows_the_queue)
{
    ck_assert_int_eq(ask_for_queue("/var/spool/a b\nok\n", "/var/spool/a b"), STATUS_OK);
}
END_TEST

START_TEST(helper_may_not_know_the_queue)
{
    ck_assert_int_eq(ask_for_queue("error no QueueDirectory\n", ""), STATUS_INVALID);
    ck_assert_str_eq(error.text, "no QueueDirectory");
    teardown();
    ck_assert_int_eq(ask_for_queue("ok\n", ""), STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(helper_lists_senders_of_any_bytes)
{
    struct seen seen = {0};
    start(ANSWER, "{\"queue_name\":\"hold\",\"queue_id\":\"4Q1\",\"arrival_time\":1,"
                  "\"size\":5,\"sender\":\"\xff@x\\u0000\"}\nok\n");
    ck_assert_int_eq(helper_list(path, SOON_MS, see, &seen, &error), STATUS_OK);
    ck_assert_str_eq(seen.text, "hold 4Q1 \xef\xbf\xbd@x 1 0;");
}
END_TEST

/* What is missing from a list would be taken for gone. */
START_TEST(helper_list_is_whole_or_none)
{
    static const char *const answers[] = {
        "",
        "ok",
        "{\"queue_name\":\"hold\"}\nok 1\n",
        "{\"queue_name\":\"hold\",\"queue_id\":\"4Q1\",\"arrival_time\":1,\"size\":5,"
        "\"sender\":\"\"}\nok 2\n",
        "{\"queue_name\":\"hold\",\"queue_id\":\"4Q1\",\"arrival_time\":1,\"size\":5,"
        "\"sender\":\"\"}\n",
        "garbage\nok 1\n",
        "ok 1x\n",
        "okay\n",
    };
    struct seen seen = {0};
    start(ANSWER, "");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        answer = answers[i];
        ck_assert_msg(helper_list(path, SOON_MS, see, &seen, &error) ==
                          STATUS_UNAVAILABLE,
                      "%s", answers[i]);
    }
    ck_assert_int_eq(seen.count, 0);
    answer = "error postqueue failed\n";
    ck_assert_int_eq(helper_list(path, SOON_MS, see, &seen, &error), STATUS_INVALID);
    ck_assert_str_eq(error.text, "postqueue failed");
}
END_TEST

START_TEST(helper_gives_what_a_look_found)
{
    struct helper_order looks[] = {{.queue_id = "ABCDEF123"},
                                   {.queue_id = "4jcDDt57Xzz8Zby"},
                                   {.queue_id = "ABCDEF124"},
                                   {.queue_id = "ABCDEF125"}};
    start(ANSWER, "ok id=1 rule=r incident=- reach=1\nok\nmissing\nerror odd\nok 4\n");
    ck_assert_int_eq(helper_do(path, in_ms(SOON_MS), "header", looks, 4, NULL, &error),
                     STATUS_OK);
    ck_assert_str_eq(order, "batch\nheader ABCDEF123\nheader 4jcDDt57Xzz8Zby\n"
                            "header ABCDEF124\nheader ABCDEF125\n");
    ck_assert_str_eq(looks[0].value, "id=1 rule=r incident=- reach=1");
    ck_assert_str_eq(looks[1].value, "");
    ck_assert_int_eq(looks[2].status, STATUS_NOT_FOUND);
    ck_assert_int_eq(looks[3].status, STATUS_INVALID);
    ck_assert_str_eq(looks[3].error.text, "ABCDEF125: odd");
    free(looks[0].value);
    free(looks[1].value);
}
END_TEST

START_TEST(helper_passes_orders_and_results_on)
{
    start(ANSWER, "ok\nok 1\n");
    ck_assert_int_eq(release(SOON_MS), STATUS_OK);
    ck_assert_str_eq(order, "batch\nrelease ABCDEF123 hold_id=0123456789abcdef\n");
    answer = "missing\nok 1\n";
    ck_assert_int_eq(release(SOON_MS), STATUS_NOT_FOUND);
    answer = "error the message is %s not held\nok 1\n";
    ck_assert_int_eq(release(SOON_MS), STATUS_INVALID);
    ck_assert_str_eq(error.text, "ABCDEF123: the message is %s not held");
    answer = "error not allowed\n";
    ck_assert_int_eq(release(SOON_MS), STATUS_INVALID);
    ck_assert_str_eq(error.text, "not allowed");
}
END_TEST

/* What is not an answer to each order leaves all in doubt. */
START_TEST(helper_answers_are_as_many_as_orders)
{
    static const char *const bad[] = {"ok\n",           "perhaps\n",
                                      "ok\nok\nok 2\n", "perhaps\nok 1\n",
                                      "okay\nok 1\n",   "ok 1\n"};
    start(ANSWER, bad[0]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        answer = bad[i];
        ck_assert_msg(release(SOON_MS) == STATUS_UNAVAILABLE, "%s", bad[i]);
    }
}
END_TEST

START_TEST(helper_says_who_could_not_be_told)
{
    struct helper_order one = {.queue_id = "ABCDEF123",
                               .check = "arrived=1795995518",
                               .address = "\"a b\"@own.example"};
    start(ANSWER, "ok untold\nok 1\n");
    ck_assert_int_eq(do_one("refuse", &one, "To: x\n\nHi\n", SOON_MS), STATUS_OK);
    ck_assert(one.untold);
    ck_assert_str_eq(order, "batch\nrefuse ABCDEF123 arrived=1795995518 "
                            "\"a b\"@own.example\n\nTo: x\n\nHi\n");
}
END_TEST

START_TEST(helper_sends_text_behind_the_line)
{
    static char text[150000];
    memset(text, 'm', sizeof text - 1);
    struct helper_order one = {
        .queue_id = "ABCDEF123", .check = "hold_id=1", .address = "a@own"};
    start(ANSWER, "ok\nok 1\n");
    ck_assert_int_eq(do_one("refuse", &one, text, SOON_MS), STATUS_OK);
    const char *line = "batch\nrefuse ABCDEF123 hold_id=1 a@own\n\n";
    ck_assert_int_eq(strncmp(order, line, strlen(line)), 0);
    ck_assert_str_eq(order + strlen(line), text);
    answer = "ok\n";
    ck_assert_int_eq(
        helper_notice(path, SOON_MS, "a@own b@own", "To: a@own\n\nHi\n", &error),
        STATUS_OK);
    ck_assert_str_eq(order, "notice a@own b@own\nTo: a@own\n\nHi\n");
}
END_TEST

START_TEST(helper_orders_are_one_line)
{
    static const struct helper_order bad[] = {
        {.queue_id = "ABCDEF\ndelete ABCDEF", .check = "hold_id=1"},
        {.queue_id = "", .check = "hold_id=1"},
        {.queue_id = "ALL", .check = "hold_id=1"},
        {.queue_id = "-", .check = "hold_id=1"},
        {.queue_id = "ABCDEF ABCDEF"},
        {.queue_id = "ABCDEF", .check = "sender=a b"},
        {.queue_id = "ABCDEF", .check = "sender=\"a b"},
        {.queue_id = "ABCDEF", .check = ""},
        {.queue_id = "ABCDEF", .check = "hold_id=1", .address = "a@own\r"},
    };
    start(ANSWER, "ok\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct helper_order one = bad[i];
        ck_assert_int_eq(do_one("release", &one, NULL, SOON_MS), STATUS_INVALID);
    }
    ck_assert_int_eq(helper_notice(path, SOON_MS, "a@own\nlist", "text", &error),
                     STATUS_INVALID);
    ck_assert_str_eq(order, "");
}
END_TEST

START_TEST(helper_that_is_not_there_is_unavailable)
{
    (void)snprintf(path, sizeof path, "/tmp/mailbrake-helper-%d-none", (int)getpid());
    ck_assert_int_eq(release(SOON_MS), STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "No such file"));
    memset(path, 'p', 95);
    path[95] = '\0';
    ck_assert_int_eq(release(SOON_MS), STATUS_UNAVAILABLE);
    static char longest[200];
    memset(longest, 'p', sizeof longest - 1);
    struct helper_order one = {.queue_id = "ABCDEF", .check = "hold_id=1"};
    ck_assert_int_eq(helper_do(longest, in_ms(SOON_MS), "release", &one, 1, NULL, &error),
                     STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(helper_may_answer_before_the_end)
{
    static char text[150000];
    memset(text, 'm', sizeof text - 1);
    start(EARLY, "error you are not allowed to\n");
    ck_assert_int_eq(release(SOON_MS), STATUS_INVALID);
    ck_assert_int_eq(helper_notice(path, SOON_MS, "a@own", text, &error), STATUS_INVALID);
    ck_assert_str_eq(error.text, "you are not allowed to");
}
END_TEST

START_TEST(helper_that_hangs_up_is_unavailable)
{
    static char text[150000];
    memset(text, 'm', sizeof text - 1);
    start(HANG_UP, NULL);
    ck_assert_int_eq(release(SOON_MS), STATUS_UNAVAILABLE);
    ck_assert_int_eq(helper_notice(path, SOON_MS, "a@own", text, &error),
                     STATUS_UNAVAILABLE);
}
END_TEST

static void expect_late(enum manner how, const char *what)
{
    start(how, what);
    int64_t start_us = clock_monotonic_us();
    ck_assert_int_eq(release(LATE_MS), STATUS_UNAVAILABLE);
    int64_t took_ms = (clock_monotonic_us() - start_us) / 1000;
    ck_assert_msg(took_ms >= LATE_MS - 20 && took_ms < LATE_MS + 700, "%d ms",
                  (int)took_ms);
}

START_TEST(helper_that_is_silent_is_left)
{
    expect_late(SILENCE, NULL);
}
END_TEST

START_TEST(helper_that_drips_is_left)
{
    expect_late(DRIP, "error this takes far too long to be read to its end\n");
}
END_TEST

START_TEST(helper_that_floods_is_left)
{
    start(FLOOD, NULL);
    ck_assert_int_eq(release(SOON_MS), STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "too long"));
}
END_TEST

/* Nobody accepts: the backlog is full. */
START_TEST(helper_that_does_not_accept_is_left)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(path, sizeof path, "/tmp/mailbrake-helper-%d-full", (int)getpid());
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int deaf = socket(AF_UNIX, SOCK_STREAM, 0);
    int callers[4];
    ck_assert_int_eq(bind(deaf, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(deaf, 0), 0);
    for (size_t i = 0; i < 4; i++) {
        callers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(callers[i], (struct sockaddr *)&address, sizeof address);
    }
    int64_t start_us = clock_monotonic_us();
    ck_assert_int_eq(release(LATE_MS), STATUS_UNAVAILABLE);
    ck_assert_int_lt(clock_monotonic_us() - start_us, (LATE_MS + 700) * 1000);
    for (size_t i = 0; i < 4; i++)
        (void)close(callers[i]);
    (void)close(deaf);
    (void)unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("helper");
    TCase *tcase = tcase_create("helper");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, helper_lists_the_queue);
    tcase_add_test(tcase, helper_lists_an_empty_queue);
    tcase_add_test(tcase, helper_knows_the_queue);
    tcase_add_test(tcase, helper_may_not_know_the_queue);
    tcase_add_test(tcase, helper_lists_senders_of_any_bytes);
    tcase_add_test(tcase, helper_list_is_whole_or_none);
    tcase_add_test(tcase, helper_gives_what_a_look_found);
    tcase_add_test(tcase, helper_answers_are_as_many_as_orders);
    tcase_add_test(tcase, helper_says_who_could_not_be_told);
    tcase_add_test(tcase, helper_passes_orders_and_results_on);
    tcase_add_test(tcase, helper_sends_text_behind_the_line);
    tcase_add_test(tcase, helper_orders_are_one_line);
    tcase_add_test(tcase, helper_that_is_not_there_is_unavailable);
    tcase_add_test(tcase, helper_may_answer_before_the_end);
    tcase_add_test(tcase, helper_that_hangs_up_is_unavailable);
    tcase_add_test(tcase, helper_that_is_silent_is_left);
    tcase_add_test(tcase, helper_that_drips_is_left);
    tcase_add_test(tcase, helper_that_floods_is_left);
    tcase_add_test(tcase, helper_that_does_not_accept_is_left);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
