/* Formatting by hand, since inet_ntop(3) lives behind sys/socket.h. */
#include "policy/client.h"

#include "base/ip_address.h"
#include <stdio.h>

void client_key(const uint8_t address[16], char out_key[CLIENT_KEY_SIZE])
{
    if (ip_address_is_ipv4(address)) {
        (void)snprintf(out_key, CLIENT_KEY_SIZE, "%d.%d.%d.%d", address[12], address[13],
                       address[14], address[15]);
        return;
    }
    unsigned group[4];
    for (size_t i = 0; i < 4; i++)
        group[i] = (unsigned)address[2 * i] << 8 | address[2 * i + 1];
    (void)snprintf(out_key, CLIENT_KEY_SIZE, "%x:%x:%x:%x::/64", group[0], group[1],
                   group[2], group[3]);
}
