/* Keyed hashes that relays, versions and languages must agree on. */
#include "base/digest.h"
#include "run.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* By Python: hashlib.blake2b(data, digest_size=16, key=key).hexdigest() */
START_TEST(digest_hex_is_keyed_blake2b)
{
    struct digest_key key;
    char hex[DIGEST_HEX_SIZE];
    for (size_t i = 0; i < sizeof key.bytes; i++)
        key.bytes[i] = (uint8_t)i;
    digest_hex(&key, "sender:a@b", 10, hex);
    ck_assert_str_eq(hex, "6479ee740a21f578b228d70f58f14852");
    memset(&key, 0, sizeof key);
    digest_hex(&key, "", 0, hex);
    ck_assert_str_eq(hex, "47eac67530a0f510e5ee9a689e7fe930");
}
END_TEST

START_TEST(digest_secrets_match_whole)
{
    ck_assert(digest_secrets_match("0123abcd", "0123abcd"));
    ck_assert(!digest_secrets_match("0123abce", "0123abcd"));
    ck_assert(!digest_secrets_match("0123abc", "0123abcd"));
    ck_assert(!digest_secrets_match("0123abcd0", "0123abcd"));
    ck_assert(!digest_secrets_match("", "0123abcd"));
}
END_TEST

/* The vectors of the SipHash reference for 128 bits, of 0 and of 15 bytes. */
START_TEST(digest_quick_is_siphash)
{
    static const uint8_t empty[] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                                    0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93};
    static const uint8_t fifteen[] = {0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11,
                                      0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf, 0xc3, 0xd9};
    struct digest_key key;
    uint8_t hash[DIGEST_BYTES];
    for (size_t i = 0; i < sizeof key.bytes; i++)
        key.bytes[i] = (uint8_t)i;
    digest_quick(&key, "", 0, hash);
    ck_assert_mem_eq(hash, empty, sizeof hash);
    digest_quick(&key, key.bytes, 15, hash);
    ck_assert_mem_eq(hash, fifteen, sizeof hash);
}
END_TEST

START_TEST(digest_key_derive_is_blake2b)
{
    static const uint8_t expected[] = {0xae, 0x4a, 0xaf, 0xb3, 0xc7, 0xd8, 0x61, 0x6b,
                                       0x73, 0x9f, 0x05, 0xa3, 0x0d, 0x06, 0xb4, 0xe2,
                                       0x23, 0x6f, 0xde, 0xa7, 0x12, 0x16, 0x81, 0x59,
                                       0xf3, 0x46, 0xe8, 0xa3, 0xef, 0xd5, 0x7d, 0x9e};
    struct digest_key key;
    digest_key_derive("secret", 6, &key);
    ck_assert_mem_eq(key.bytes, expected, sizeof key.bytes);
}
END_TEST

START_TEST(digest_tells_keys_and_data_apart)
{
    struct digest_key a;
    struct digest_key b;
    char hex[4][DIGEST_HEX_SIZE];
    digest_key_derive("a", 1, &a);
    digest_key_derive("a\0", 2, &b);
    digest_hex(&a, "x", 1, hex[0]);
    digest_hex(&b, "x", 1, hex[1]);
    digest_hex(&a, "x\0", 2, hex[2]);
    digest_hex(&a, "", 0, hex[3]);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(strlen(hex[i]), DIGEST_HEX_SIZE - 1);
        ck_assert_uint_eq(strspn(hex[i], "0123456789abcdef"), DIGEST_HEX_SIZE - 1);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(hex[i], hex[j]);
    }
}
END_TEST

START_TEST(digest_random_ids_differ)
{
    enum { COUNT = 100 };
    char ids[COUNT][DIGEST_ID_SIZE];
    for (size_t i = 0; i < COUNT; i++) {
        digest_random_id(ids[i]);
        ck_assert_uint_eq(strspn(ids[i], "0123456789abcdef"), DIGEST_ID_SIZE - 1);
        ck_assert_uint_eq(strlen(ids[i]), DIGEST_ID_SIZE - 1);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(ids[i], ids[j]);
    }
}
END_TEST

int main(void)
{
    if (digest_init() != STATUS_OK)
        return EXIT_FAILURE;
    Suite *suite = suite_create("digest");
    TCase *cases = tcase_create("digest");
    tcase_add_test(cases, digest_hex_is_keyed_blake2b);
    tcase_add_test(cases, digest_quick_is_siphash);
    tcase_add_test(cases, digest_secrets_match_whole);
    tcase_add_test(cases, digest_key_derive_is_blake2b);
    tcase_add_test(cases, digest_tells_keys_and_data_apart);
    tcase_add_test(cases, digest_random_ids_differ);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
