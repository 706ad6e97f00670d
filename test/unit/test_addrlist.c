/* Addresses in To, Cc and alias lines. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy/addrlist.h"
#include "run.h"

/* A value and its addresses, joined by '|'. */
static const struct {
    const char *value;
    const char *addresses;
} lines[] = {
    {"", ""},
    {" \r\n\t", ""},
    {",,;", ""},
    {"a@b", "a@b"},
    {" a@b , c@d ", "a@b|c@d"},
    {"a@b,\r\n c@d,\n\te@f", "a@b|c@d|e@f"},
    {"Joe <a@b>, <c@d>", "a@b|c@d"},
    {"\"Smith, Joe\" <a@b>, c@d", "a@b|c@d"},
    {"\"a \\\" <x@y>, \" <a@b>", "a@b"},
    {"=?utf-8?Q?Smith,_J=C3=B6?= <a@b>, c@d", "a@b|c@d"},
    {"=?utf-8?B?U21pdGg=?= =?utf-8?Q?a,b?= <a@b>", "a@b"},
    {"=?not an, encoded word?= <a@b>", "=?not an|a@b"},
    {"Undisclosed: a@b, c@d;", "a@b|c@d"},
    {"undisclosed-recipients:;", ""},
    {"A: a@b, \"x\" <c@d>;, e@f, B:;", "a@b|c@d|e@f"},
    {"\"A: b\": a@b;", "a@b"},
    {"a@b; c@d", "a@b|c@d"},
    {"a@b (x, y (z) \\) ,), c@d", "a@b (x, y (z) \\) ,)|c@d"},
    {"(nobody), (a, b) , c@d", "c@d"},
    {"<@r1,@r2:a@b>, c@d", "@r1,@r2:a@b|c@d"},
    {"<@r1, @r2:a@b>, c@d", "@r1, @r2:a@b|c@d"},
    {"<@r1, c@d", "@r1|c@d"},
    {"@r:a@b", "a@b"},
    {"Joe <Smith> <a@b>", "a@b"},
    {"<a@b> <c@d>, e@f", "a@b|c@d|e@f"},
    {"Joe <a@b> Sue <c@d>", "a@b|c@d"},
    {"joe@x <a@b>", "a@b"},
    {"<<a@b>>, c@d", "a@b|c@d"},
    {"<a@b>: x, c@d", "a@b|c@d"},
    {"<>, a@b", "a@b"},
    {"\"a,b\"@c, d@e", "\"a,b\"@c|d@e"},
    {"\"a:b\"@c", "\"a:b\"@c"},
    {"a\\,b@c, d@e", "a\\,b@c|d@e"},
    {"u@[IPv6:fe80::1], c@d", "u@[IPv6:fe80::1]|c@d"},
    {"<u@[IPv6:fe80::1]>, c@d", "u@[IPv6:fe80::1]|c@d"},
    {"u@[1.2.3.4, c@d", "u@[1.2.3.4|c@d"},
    /* broken ones end at the next comma */
    {"\"Joe <a@b>, c@d, e@f", "a@b|c@d|e@f"},
    {"(Joe <a@b>, c@d (x), e@f", "a@b|c@d (x)|e@f"},
    {"Joe <a@b, c@d", "a@b|c@d"},
    {"a@b>, c@d", "a@b>|c@d"},
    {"a@b, \"", "a@b|\""},
    {"a@b, c\\", "a@b|c\\"},
};

static void check_line(const char *value, const char *expected)
{
    size_t length = strlen(value);
    char *exact = malloc(length == 0 ? 1 : length);
    char joined[400] = "";
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, value, length);
    struct addrlist list = addrlist_of(exact, length);
    const char *address;
    size_t size;
    while (addrlist_next(&list, &address, &size)) {
        if (joined[0] != '\0')
            strcat(joined, "|");
        strncat(joined, address, size);
    }
    ck_assert(!addrlist_next(&list, &address, &size));
    ck_assert_str_eq(joined, expected);
    free(exact);
}

START_TEST(addrlist_splits)
{
    check_line(lines[_i].value, lines[_i].addresses);
}
END_TEST

START_TEST(addrlist_is_linear)
{
    static const char *const hard[] = {
        "(",   "\"",    "<",  ",",    "(,",     "\",",     "<,",    "<@,@",
        "@[",  "\\",    "=?", "=?a?", "=?a?q?", "(\\",     "<@a, ", "<a@b>",
        "<@ ", ":",     ";a", "<@a:", ")(",     "<\"",     "<(",    "a@b,(",
        "@[,", "<@,  ", "[,", "(a),", "\"\"",   "=?a?q?b",
    };
    enum { SIZE = 1 << 20 };
    char *value = malloc(SIZE);
    ck_assert_ptr_nonnull(value);
    for (size_t i = 0; i < sizeof hard / sizeof hard[0]; i++) {
        size_t length = strlen(hard[i]);
        for (size_t at = 0; at < SIZE; at++)
            value[at] = hard[i][at % length];
        struct addrlist list = addrlist_of(value, SIZE);
        const char *address;
        size_t size;
        size_t total = 0;
        bool sound = true;
        while (addrlist_next(&list, &address, &size)) {
            sound = sound && address >= value && size > 0;
            total += size;
        }
        ck_assert(sound && total <= SIZE);
        ck_assert_ptr_eq(list.next, list.end);
    }
    free(value);
}
END_TEST

START_TEST(addrlist_survives_noise)
{
    static const char bytes[] = "ab@,;:\"\\<>()[] \n=?qB\xff\0";
    unsigned state = 11;
    for (int round = 0; round < 100000; round++) {
        state = state * 1664525u + 1013904223u;
        size_t length = (state >> 16) % 40;
        char *value = malloc(length + 1);
        ck_assert_ptr_nonnull(value);
        value = realloc(value, length == 0 ? 1 : length);
        for (size_t i = 0; i < length; i++) {
            state = state * 1664525u + 1013904223u;
            value[i] = bytes[(state >> 16) % (sizeof bytes - 1)];
        }
        struct addrlist list = addrlist_of(value, length);
        const char *address;
        size_t size;
        const char *last = value;
        bool sound = true;
        while (addrlist_next(&list, &address, &size)) {
            sound =
                sound && address >= last && size <= (size_t)(value + length - address);
            last = address + size;
        }
        ck_assert(sound);
        free(value);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("addrlist");
    TCase *test = tcase_create("addrlist");
    tcase_set_timeout(test, 60);
    tcase_add_loop_test(test, addrlist_splits, 0, (int)(sizeof lines / sizeof lines[0]));
    tcase_add_test(test, addrlist_is_linear);
    tcase_add_test(test, addrlist_survives_noise);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
