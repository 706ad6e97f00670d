/* In base/, because policy/ may not include the socket headers that declare inet_pton(3).
 */
#include "base/ip_address.h"

#include <arpa/inet.h>
#include <string.h>

enum { IPV4_AT = IP_ADDRESS_MAPPED_BITS / 8 };

static const uint8_t mapped[IPV4_AT] = {[10] = 0xff, [11] = 0xff};

bool ip_address_parse(const char *text, uint8_t out_bytes[IP_ADDRESS_BYTES])
{
    uint8_t bytes[IP_ADDRESS_BYTES];
    memcpy(bytes, mapped, sizeof mapped);
    if (inet_pton(AF_INET, text, bytes + IPV4_AT) != 1 &&
        inet_pton(AF_INET6, text, bytes) != 1)
        return false;
    memcpy(out_bytes, bytes, sizeof bytes);
    return true;
}

bool ip_address_is_ipv4(const uint8_t bytes[IP_ADDRESS_BYTES])
{
    return memcmp(bytes, mapped, sizeof mapped) == 0;
}

void ip_address_print_ipv4(const uint8_t bytes[4], char out[IP_ADDRESS_IPV4_SIZE])
{
    for (size_t i = 0; i < 4; i++) {
        if (bytes[i] >= 100)
            *out++ = (char)('0' + bytes[i] / 100);
        if (bytes[i] >= 10)
            *out++ = (char)('0' + bytes[i] / 10 % 10);
        *out++ = (char)('0' + bytes[i] % 10);
        *out++ = i < 3 ? '.' : '\0';
    }
}
