/* The client's address as rules and keys see it. */
#ifndef POLICY_CLIENT_H
#define POLICY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLIENT_KEY_SIZE = 48 };

/* Writes the key of an address that ip_address_parse gave: an IPv4 address whole,
 * IPv6 as its /64, which is one subscriber (RFC 6177). */
void client_key(const uint8_t address[16], char out_key[CLIENT_KEY_SIZE]);

#endif
