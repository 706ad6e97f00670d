/* IP addresses in 16 bytes: IPv4 as its IPv4-mapped IPv6 address, ::ffff:a.b.c.d. */
#ifndef BASE_IP_ADDRESS_H
#define BASE_IP_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    IP_ADDRESS_BYTES = 16,
    IP_ADDRESS_MAPPED_BITS = 96, /* length of the prefix ::ffff:0:0 */
    IP_ADDRESS_IPV4_SIZE = 16,   /* "255.255.255.255" and its NUL */
};

/* Parses what inet_pton(3) accepts, IPv4 or IPv6; false for anything else. */
bool ip_address_parse(const char *text, uint8_t out_bytes[IP_ADDRESS_BYTES]);

bool ip_address_is_ipv4(const uint8_t bytes[IP_ADDRESS_BYTES]);

/* As inet_ntop(3) does, which is slow. */
void ip_address_print_ipv4(const uint8_t bytes[4], char out[IP_ADDRESS_IPV4_SIZE]);

#endif
