/* Keyed hashing by libsodium's generic hash; see libsodium's documentation of it. */
#include "base/digest.h"

#include <sodium.h>
#include <string.h>

enum { ID_BYTES = (DIGEST_ID_SIZE - 1) / 2 };

_Static_assert(DIGEST_KEY_BYTES == crypto_generichash_KEYBYTES,
               "the key libsodium wants");
_Static_assert(DIGEST_KEY_BYTES >= crypto_shorthash_siphashx24_KEYBYTES &&
                   DIGEST_BYTES == crypto_shorthash_siphashx24_BYTES,
               "the sizes of digest_quick");

enum status digest_init(void)
{
    return sodium_init() < 0 ? STATUS_UNAVAILABLE : STATUS_OK;
}

void digest_key_derive(const void *secret, size_t length, struct digest_key *out_key)
{
    (void)crypto_generichash(out_key->bytes, sizeof out_key->bytes, secret, length, NULL,
                             0);
}

void digest_key_random(struct digest_key *out_key)
{
    randombytes_buf(out_key->bytes, sizeof out_key->bytes);
}

void digest_bytes(const struct digest_key *key, const void *data, size_t length,
                  uint8_t out_bytes[DIGEST_BYTES])
{
    (void)crypto_generichash(out_bytes, DIGEST_BYTES, data, length, key->bytes,
                             sizeof key->bytes);
}

void digest_hex(const struct digest_key *key, const void *data, size_t length,
                char out_hex[DIGEST_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[DIGEST_BYTES];
    digest_bytes(key, data, length, hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        out_hex[2 * i] = digits[hash[i] >> 4];
        out_hex[2 * i + 1] = digits[hash[i] & 0xf];
    }
    out_hex[DIGEST_HEX_SIZE - 1] = '\0';
}

bool digest_hex_equal(const char left[DIGEST_HEX_SIZE], const char right[DIGEST_HEX_SIZE])
{
    return sodium_memcmp(left, right, DIGEST_HEX_SIZE - 1) == 0;
}

void digest_quick(const struct digest_key *key, const void *data, size_t length,
                  uint8_t out_bytes[DIGEST_BYTES])
{
    (void)crypto_shorthash_siphashx24(out_bytes, data, length, key->bytes);
}

void digest_random_id(char out_id[DIGEST_ID_SIZE])
{
    unsigned char bytes[ID_BYTES];
    randombytes_buf(bytes, sizeof bytes);
    (void)sodium_bin2hex(out_id, DIGEST_ID_SIZE, bytes, sizeof bytes);
}

bool digest_secrets_match(const char *said, const char *secret)
{
    size_t length = strlen(secret);
    return strlen(said) == length && sodium_memcmp(said, secret, length) == 0;
}
