/* IP addresses and networks, without the sockets' headers. */
#ifndef POLICY_NETWORK_H
#define POLICY_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct network {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t prefix;    /* 0 to 128 */
};

/* An address from text (IPv4 or IPv6, as inet_pton(3) takes it) for network_has; false
 * when it is none. IPv4-mapped IPv6 is the IPv4 address. */
bool network_parse_address(const char *text, uint8_t out_bytes[16]);

/* ADDRESS or ADDRESS/PREFIX; host bits are cleared. INVALID with a reason. */
enum status network_parse(const char *text, struct network *out,
                          struct error *error) MUST_CHECK;

/* A network of IPv6, "::/0" as well, has no IPv4 address. */
bool network_has(const struct network *network, const uint8_t bytes[16]);

#endif
