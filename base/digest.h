/* Keyed hashes, which replace addresses in logs and in keys of the store, and random ids
 * (libsodium). */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    DIGEST_KEY_BYTES = 32,
    DIGEST_BYTES = 16,
    DIGEST_HEX_SIZE = 33, /* 128 bits in hex, and the NUL */
    DIGEST_ID_SIZE = 17,  /* 64 bits in hex, and the NUL */
};

struct digest_key {
    uint8_t bytes[DIGEST_KEY_BYTES];
};

/* Call once per process, before the functions below. UNAVAILABLE when the system has no
 * source of randomness. */
enum status digest_init(void) MUST_CHECK;

/* A key from a secret of any length (BLAKE2b). */
void digest_key_derive(const void *secret, size_t length, struct digest_key *out_key);

/* A random key. */
void digest_key_random(struct digest_key *out_key);

/* The keyed 128-bit hash (BLAKE2b) of data; and in lower-case hex. */
void digest_bytes(const struct digest_key *key, const void *data, size_t length,
                  uint8_t out_bytes[DIGEST_BYTES]);
void digest_hex(const struct digest_key *key, const void *data, size_t length,
                char out_hex[DIGEST_HEX_SIZE]);

/* Whether two such hashes are the same, in a time that does not say how far they are. */
bool digest_hex_equal(const char left[DIGEST_HEX_SIZE],
                      const char right[DIGEST_HEX_SIZE]);

/* A keyed 128-bit hash (SipHash-2-4) in a sixth of the time, for what never leaves this
 * machine. */
void digest_quick(const struct digest_key *key, const void *data, size_t length,
                  uint8_t out_bytes[DIGEST_BYTES]);

/* 64 random bits in hex. */
void digest_random_id(char out_id[DIGEST_ID_SIZE]);

/* Whether what somebody says is the secret, in a time that tells only its length. */
bool digest_secrets_match(const char *said, const char *secret);

#endif
