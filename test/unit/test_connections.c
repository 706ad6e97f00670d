/* Nobody keeps the page's server busy: who must go, and when. */
#include "console/connections.h"
#include "run.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND INT64_C(1000000)

enum { COUNT = CONNECTIONS_ROOM + 10 };

static struct connections *connections;
static int ours[COUNT], theirs[COUNT];
static size_t count;

static void set_up(void)
{
    const struct rlimit files = {4096, 4096};
    (void)setrlimit(RLIMIT_NOFILE, &files);
    connections = connections_new();
    ck_assert_ptr_nonnull(connections);
    count = 0;
}

static void tear_down(void)
{
    for (size_t i = 0; i < count; i++) {
        (void)close(ours[i]);
        (void)close(theirs[i]);
    }
    connections_free(connections);
}

static int open_one(int64_t now_us)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ours[count] = pair[0];
    theirs[count] = pair[1];
    connections_open(connections, pair[0], now_us);
    return (int)count++;
}

static bool has_ended(int i)
{
    char byte;
    return recv(theirs[i], &byte, 1, MSG_DONTWAIT) == 0;
}

START_TEST(connections_newcomer_has_the_place_of_the_idlest)
{
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        (void)open_one(i);
    connections_set(connections, ours[0], CONNECTION_WORKS, 1);
    connections_set(connections, ours[1], CONNECTION_SENDS, 1);
    connections_set(connections, ours[2], CONNECTION_RECEIVES, 9999);
    int late = open_one(10000);
    ck_assert(!has_ended(0) && !has_ended(1) && !has_ended(2) && !has_ended(late));
    ck_assert(has_ended(3) && !has_ended(4));
    (void)open_one(10001);
    ck_assert(has_ended(4));
}
END_TEST

START_TEST(connections_at_work_are_left_alone)
{
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        (void)open_one(0);
        connections_set(connections, ours[i], CONNECTION_WORKS, 0);
    }
    int late = open_one(1);
    ck_assert(has_ended(late) && !has_ended(0));
    connections_set(connections, ours[0], CONNECTION_FREE, 2);
    connections_set(connections, ours[late], CONNECTION_FREE, 2);
    ck_assert(!has_ended(open_one(3)));
}
END_TEST

START_TEST(connections_past_all_room_end_at_once)
{
    for (int i = 0; i < COUNT; i++)
        (void)open_one(i);
    ck_assert(has_ended(0) && has_ended(COUNT - 1));
    int alive = 0;
    for (int i = 0; i < COUNT; i++)
        alive += !has_ended(i);
    ck_assert_int_eq(alive, CONNECTIONS_MAX);
}
END_TEST

START_TEST(connections_slow_ones_end)
{
    int receives = open_one(0), works = open_one(0), sends = open_one(0);
    connections_set(connections, ours[works], CONNECTION_WORKS, 0);
    connections_set(connections, ours[sends], CONNECTION_SENDS, 0);
    connections_sweep(connections, CONNECTIONS_RECEIVE_S * SECOND);
    ck_assert(!has_ended(receives));
    connections_sweep(connections, CONNECTIONS_RECEIVE_S * SECOND + 1);
    ck_assert(has_ended(receives) && !has_ended(sends));
    connections_sweep(connections, CONNECTIONS_SEND_S * SECOND + 1);
    ck_assert(has_ended(sends) && !has_ended(works));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connections");
    TCase *tcase = tcase_create("connections");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, connections_newcomer_has_the_place_of_the_idlest);
    tcase_add_test(tcase, connections_at_work_are_left_alone);
    tcase_add_test(tcase, connections_past_all_room_end_at_once);
    tcase_add_test(tcase, connections_slow_ones_end);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
