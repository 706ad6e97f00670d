/* Where to listen over TCP: a numeric address, so that nobody is asked for it, and a
 * port. */
#ifndef BASE_TCP_ADDRESS_H
#define BASE_TCP_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip_address.h"

struct tcp_address {
    uint8_t bytes[IP_ADDRESS_BYTES];
    uint16_t port; /* 1 to 65535 */
};

/* "127.0.0.1:9125" or "[::1]:9125"; false for anything else. */
bool tcp_address_parse(const char *text, struct tcp_address *out);

/* Whether only this machine reaches it: 127.0.0.0/8 or ::1. */
bool tcp_address_is_loopback(const struct tcp_address *address);

#endif
