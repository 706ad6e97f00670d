/* Room where the queue is, as far as that is known. */
#include "daemon/room.h"

#include "run.h"

static struct room room;

static void setup(void)
{
    ck_assert_int_eq(room_init(&room), STATUS_OK);
}

static void teardown(void)
{
    text_clear(&room.folder);
    (void)pthread_mutex_destroy(&room.mutex);
}

START_TEST(room_minds_min_free)
{
    text_add_string(&room.folder, "/usr");
    ck_assert(room_is_left(&room, 1));
    ck_assert(!room_is_left(&room, INT64_MAX));
}
END_TEST

/* Not known is no alarm. */
START_TEST(room_is_left_where_nothing_is_known)
{
    struct error error = {0};
    ck_assert_int_eq(room_ask(&room, "/no/such/helper", 1000, &error),
                     STATUS_UNAVAILABLE);
    ck_assert(room_is_left(&room, INT64_MAX));
    text_add_string(&room.folder, "/no/such/folder");
    ck_assert(room_is_left(&room, INT64_MAX));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("room");
    TCase *cases = tcase_create("room");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, room_minds_min_free);
    tcase_add_test(cases, room_is_left_where_nothing_is_known);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
