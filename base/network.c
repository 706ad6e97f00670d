/* Host bits are cleared when a network is parsed, so that a match only compares bits. */
#include "base/network.h"

#include <stdio.h>
#include <string.h>

#include "base/ip_address.h"
#include "base/text.h"

/* A decimal number of one to three digits up to max. */
static bool parse_prefix(const char *text, unsigned max, unsigned *out)
{
    int64_t value;
    if (strlen(text) > 3 || !text_take_number(&text, &value) || *text != '\0' ||
        value > max)
        return false;
    *out = (unsigned)value;
    return true;
}

static void clear_host_bits(struct network *network)
{
    for (size_t i = 0; i < IP_ADDRESS_BYTES; i++) {
        int bits = (int)network->prefix - (int)i * 8; /* of this byte that count */
        if (bits <= 0)
            network->bytes[i] = 0;
        else if (bits < 8)
            network->bytes[i] &= (uint8_t)(0xff << (8 - bits));
    }
}

enum status network_parse(const char *text, struct network *out, struct error *error)
{
    char address[64];
    struct network network;
    size_t length = strcspn(text, "/");
    if (length >= sizeof address)
        return error_set(error, STATUS_INVALID, "\"%.100s\" is not an IP address", text);
    memcpy(address, text, length);
    address[length] = '\0';
    if (!ip_address_parse(address, network.bytes))
        return error_set(error, STATUS_INVALID, "\"%.100s\" is not an IP address",
                         address);

    bool ipv4 = strchr(address, ':') == NULL;
    unsigned max = ipv4 ? 32 : 128;
    unsigned prefix = max;
    if (text[length] == '/' && !parse_prefix(text + length + 1, max, &prefix))
        return error_set(error, STATUS_INVALID,
                         "\"%.100s\" needs a number from 0 to %u after the slash", text,
                         max);
    network.prefix = (uint8_t)(ipv4 ? prefix + IP_ADDRESS_MAPPED_BITS : prefix);
    clear_host_bits(&network);
    *out = network;
    return STATUS_OK;
}

bool network_has(const struct network *network, const uint8_t bytes[16])
{
    if (ip_address_is_ipv4(bytes) && network->prefix < IP_ADDRESS_MAPPED_BITS)
        return false;
    size_t whole = network->prefix / 8;
    unsigned rest = network->prefix % 8;
    if (memcmp(network->bytes, bytes, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    unsigned mask = 0xffU << (8 - rest) & 0xffU;
    return (network->bytes[whole] & mask) == (bytes[whole] & mask);
}

void network_client_key(const uint8_t address[16], char out_key[NETWORK_CLIENT_KEY_SIZE])
{
    if (ip_address_is_ipv4(address)) {
        ip_address_print_ipv4(address + IP_ADDRESS_BYTES - 4, out_key);
        return;
    }
    unsigned group[4];
    for (size_t i = 0; i < 4; i++)
        group[i] = (unsigned)address[2 * i] << 8 | address[2 * i + 1];
    (void)snprintf(out_key, NETWORK_CLIENT_KEY_SIZE, "%x:%x:%x:%x::/64", group[0],
                   group[1], group[2], group[3]);
}
