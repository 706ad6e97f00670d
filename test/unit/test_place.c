/* Where servers are, as settings, Sentinels and nodes of a Cluster say. */
#include <string.h>

#include "run.h"
#include "store/cluster.h"
#include "store/place.h"

START_TEST(place_prints_what_it_reads)
{
    static const char *const texts[] = {
        "tcp:127.0.0.1:6379",     "tcp:[::1]:1", "unix:/run/a", "tcp:redis.example:65535",
        "tls:redis.example:6380", "tls:[::1]:1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct place place;
        char text[PLACE_TEXT_SIZE];
        ck_assert(place_parse(texts[i], &place));
        ck_assert_str_eq(place_print(&place, text), texts[i]);
    }
}
END_TEST

START_TEST(place_refuses_what_is_none)
{
    static const char *const texts[] = {"",         "tcp:",        "tcp:a",    "tcp::1",
                                        "tcp:a:0",  "tcp:a:x",     "tcp:a:1x", "a:1",
                                        "tcp:a:-1", "tcp:a:65536", "tls:a"};
    struct place place = {0};
    char host[400];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!place_parse(texts[i], &place), "%s", texts[i]);
    memset(host, 'a', sizeof host);
    ck_assert(!place_set(&place, host, sizeof host, "1", &place));
}
END_TEST

START_TEST(place_a_node_redirects_to)
{
    struct place from;
    struct place to;
    char text[PLACE_TEXT_SIZE];
    ck_assert(place_parse("tcp:10.0.0.1:7001", &from));
    ck_assert(cluster_target("MOVED 866 10.0.0.2:7002", &from, &to));
    ck_assert_str_eq(place_print(&to, text), "tcp:10.0.0.2:7002");
    ck_assert(cluster_target("ASK 866 ::1:7003", &from, &to));
    ck_assert_str_eq(place_print(&to, text), "tcp:[::1]:7003");
    ck_assert(cluster_target("MOVED 866 :7004", &from, &to)); /* the same host */
    ck_assert_str_eq(place_print(&to, text), "tcp:10.0.0.1:7004");
    ck_assert(place_parse("tls:10.0.0.1:7001", &from));
    ck_assert(cluster_target("MOVED 866 10.0.0.2:7002", &from, &to));
    ck_assert_str_eq(place_print(&to, text), "tls:10.0.0.2:7002");
    static const char *const odd[] = {"MOVED",          "MOVED 866",   "MOVED 866 a",
                                      "MOVED x a:1",    "ASK 866 a:0", "ERR 866 a:1",
                                      "MOVED 866 a:1 b"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        ck_assert_msg(!cluster_target(odd[i], &from, &to), "%s", odd[i]);
}
END_TEST

START_TEST(place_in_clear_text_is_another_one)
{
    struct place encrypted;
    struct place clear;
    ck_assert(place_parse("tls:a:1", &encrypted) && place_parse("tcp:a:1", &clear));
    ck_assert(encrypted.tls && !clear.tls && !place_equal(&encrypted, &clear));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("place");
    TCase *tcase = tcase_create("place");
    tcase_add_test(tcase, place_prints_what_it_reads);
    tcase_add_test(tcase, place_refuses_what_is_none);
    tcase_add_test(tcase, place_a_node_redirects_to);
    tcase_add_test(tcase, place_in_clear_text_is_another_one);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
