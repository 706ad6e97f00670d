/* Queue ids as the MTAs make them, and what is none. */
#include "base/queue_id.h"
#include "run.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* check's own notes each one, which for so many takes seconds. */
#define ENSURE(holds, id)                                                                \
    do {                                                                                 \
        if (!(holds))                                                                    \
            ck_abort_msg("%s: %s", #holds, id);                                          \
    } while (false)

/* As Postfix's safe_ultostr: at least pad digits. */
static void print_base(uint64_t value, unsigned base, int pad, char *out)
{
    static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    char reversed[32];
    int count = 0;
    for (; value > 0; value /= base)
        reversed[count++] = digits[value % base];
    while (count < pad)
        reversed[count++] = '0';
    while (count > 0)
        *out++ = reversed[--count];
    *out = '\0';
}

static void print_long(uint64_t second, unsigned micro, uint64_t inode, char out[64])
{
    char part[32];
    print_base(second, 52, 6, out);
    print_base(micro, 52, 4, part);
    (void)strcat(out, part);
    (void)strcat(out, "z");
    print_base(inode, 51, 0, part);
    (void)strcat(out, part);
}

/* Each second of a day, and some of each week until 2060: all microsecond parts come up.
 */
START_TEST(queue_id_takes_all_long_ones_of_a_day)
{
    char id[64];
    unsigned with_z = 0;
    unsigned micro = 7;
    for (uint64_t second = 1795995518; second < 1795995518 + 86400; second++) {
        micro = (micro * 7919 + 104729) % 1000000;
        print_long(second, micro, 100000 + second % 90000, id);
        with_z += strchr(id, 'z') != strrchr(id, 'z');
        ENSURE(queue_id_is_postfix(id), id);
        ENSURE(queue_id_is_valid(id), id);
        ENSURE(!queue_id_is_sendmail(id), id);
    }
    ck_assert_uint_gt(with_z, 3000);
    for (uint64_t second = 1700000000; second < 2840000000; second += 86400 * 7 + 13) {
        print_long(second, (unsigned)(second % 1000000), second % 977 + 1, id);
        ENSURE(queue_id_is_postfix(id), id);
    }
    for (unsigned i = 0; i < 1000000; i += 7) {
        print_long(1795995518, i, 1, id);
        ENSURE(queue_id_is_postfix(id), id);
    }
    print_long(1795995518, 999999, UINT64_MAX, id);
    ENSURE(queue_id_is_postfix(id), id);
}
END_TEST

START_TEST(queue_id_takes_what_was_seen)
{
    static const char *const real[] = {
        "4jcDDt57Xzz8Zby", "4bXk7G2N1Cz1Xn4", "4jd3WL6gh1z87nv", "3A7F01B2C",
        "ABCDEF",          "0000012345",      "4zzzzzzzzzzz1"};
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        ENSURE(queue_id_is_postfix(real[i]), real[i]);
}
END_TEST

START_TEST(queue_id_takes_all_of_sendmail)
{
    static const char digits[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char id[64];
    for (unsigned i = 0; i < 62 * 62 * 60; i += 7) {
        (void)snprintf(id, sizeof id, "%c%c%c%c%c%c%c%c%06u", digits[126 % 60],
                       digits[i % 12], digits[i % 31 + 1], digits[i % 24], digits[i % 62],
                       digits[i / 62 % 62], digits[i % 60], digits[i * 7 % 60],
                       i % 4194304);
        ENSURE(queue_id_is_sendmail(id), id);
    }
    ck_assert(queue_id_is_sendmail("6ALJlEsM018024"));
    ck_assert(queue_id_is_sendmail("6ALJlEsM4194303"));
    ck_assert(queue_id_is_valid("6ALJlEsM4194303"));
}
END_TEST

START_TEST(queue_id_is_nothing_else)
{
    static const char *const bad[] = {
        "",
        "-",
        "ALL",
        "--help",
        "-d",
        "-",
        "../x",
        "/etc/passwd",
        "ABCDE",
        "abcdef123",
        "ABCDEF12G",
        "ABCDEF123*",
        "ABCDEF/123",
        "ABCDEF.",
        "ABCDEF123 ",
        "ABCDEF123\n",
        "4bXk7G2N1z1Xn4",  /* nine of time */
        "4bXk7G2N1Cz",     /* no inode */
        "4jd3WL6gh1zz",    /* the last z separates */
        "4bXk7G2N1C",      /* no z */
        "4bXk7G2N1Cz1XA4", /* a vowel in the inode */
        "4bXk7A2N1Cz1Xn4", /* a vowel in the time */
        "zzzzzzzzzz",      /* no inode behind the last */
        "6ALJlEsM01802",   /* five digits */
        "6ALJlEs.018024",
        "6ALJlEsM01802x",
        "6ALJlEsM01802412345",
        "../../etc/018024",
        "hfALJlEsM018024/x",
        "ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEF",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ENSURE(!queue_id_is_valid(bad[i]), bad[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue_id");
    TCase *tcase = tcase_create("queue_id");
    tcase_add_test(tcase, queue_id_takes_all_long_ones_of_a_day);
    tcase_add_test(tcase, queue_id_takes_what_was_seen);
    tcase_add_test(tcase, queue_id_takes_all_of_sendmail);
    tcase_add_test(tcase, queue_id_is_nothing_else);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
