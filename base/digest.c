/* Keyed hashing by libsodium's generic hash; see libsodium's documentation of it. */
#include "base/digest.h"

#include <sodium.h>

enum { HASH_BYTES = (DIGEST_HEX_SIZE - 1) / 2, ID_BYTES = (DIGEST_ID_SIZE - 1) / 2 };

_Static_assert(DIGEST_KEY_BYTES == crypto_generichash_KEYBYTES,
               "the key libsodium wants");

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

void digest_hex(const struct digest_key *key, const void *data, size_t length,
                char out_hex[DIGEST_HEX_SIZE])
{
    unsigned char hash[HASH_BYTES];
    (void)crypto_generichash(hash, sizeof hash, data, length, key->bytes,
                             sizeof key->bytes);
    (void)sodium_bin2hex(out_hex, DIGEST_HEX_SIZE, hash, sizeof hash);
}

void digest_random_id(char out_id[DIGEST_ID_SIZE])
{
    unsigned char bytes[ID_BYTES];
    randombytes_buf(bytes, sizeof bytes);
    (void)sodium_bin2hex(out_id, DIGEST_ID_SIZE, bytes, sizeof bytes);
}
