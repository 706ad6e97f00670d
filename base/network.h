/* Networks of IP addresses. */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct network {
    uint8_t bytes[16]; /* as in base/ip_address.h */
    uint8_t prefix;    /* 0 to 128 */
};

/* ADDRESS or ADDRESS/PREFIX; host bits are cleared. INVALID with a reason. */
enum status network_parse(const char *text, struct network *out,
                          struct error *error) MUST_CHECK;

/* True when an address (as ip_address_parse gives it) is in the network. An IPv6 network,
 * even "::/0", contains no IPv4 address. */
bool network_has(const struct network *network, const uint8_t bytes[16]);

enum { NETWORK_CLIENT_KEY_SIZE = 48 };

/* A client's key from its address: IPv4 whole, IPv6 as its /64, which is one subscriber
 * (RFC 6177). */
void network_client_key(const uint8_t address[16], char out_key[NETWORK_CLIENT_KEY_SIZE]);

#endif
