/* IPv6 stands in brackets, since a port follows. */
#include "base/tcp_address.h"

#include <string.h>

#include "base/text.h"

enum { HOST_SIZE = 64, IPV4_AT = IP_ADDRESS_MAPPED_BITS / 8, LOOPBACK_NETWORK = 127 };

bool tcp_address_parse(const char *text, struct tcp_address *out)
{
    struct tcp_address address;
    char host[HOST_SIZE];
    int64_t port;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon - text >= HOST_SIZE)
        return false;
    const char *digits = colon + 1;
    bool brackets = text[0] == '[' && colon[-1] == ']';
    size_t length = (size_t)(colon - text) - (brackets ? 2 : 0);
    memcpy(host, text + brackets, length);
    host[length] = '\0';
    if ((strchr(host, ':') != NULL) != brackets ||
        !ip_address_parse(host, address.bytes) || !text_take_number(&digits, &port) ||
        *digits != '\0' || port < 1 || port > UINT16_MAX)
        return false;
    address.port = (uint16_t)port;
    *out = address;
    return true;
}

bool tcp_address_is_loopback(const struct tcp_address *address)
{
    static const uint8_t loopback[IP_ADDRESS_BYTES] = {[IP_ADDRESS_BYTES - 1] = 1};
    if (ip_address_is_ipv4(address->bytes))
        return address->bytes[IPV4_AT] == LOOPBACK_NETWORK;
    return memcmp(address->bytes, loopback, sizeof loopback) == 0;
}
