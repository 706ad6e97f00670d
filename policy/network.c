/* IP addresses from text, strictly and by hand, since inet_pton(3) lives behind
 * sys/socket.h. Everything is 16 bytes: IPv4 is its IPv4-mapped IPv6 address. */
#include "policy/network.h"

#include <string.h>

enum { ADDRESS_BYTES = 16, MAPPED_BITS = 96 };

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Decimal digits without a leading zero, up to 255; moves *text behind them. */
static bool take_octet(const char **text, uint8_t *out)
{
    const char *p = *text;
    unsigned value = 0;
    while (*p >= '0' && *p <= '9' && p - *text < 4)
        value = value * 10 + (unsigned)(*p++ - '0');
    size_t digits = (size_t)(p - *text);
    if (digits == 0 || digits > 3 || value > 255 || (digits > 1 && **text == '0'))
        return false;
    *text = p;
    *out = (uint8_t)value;
    return true;
}

/* a.b.c.d and nothing after it. */
static bool parse_ipv4(const char *text, uint8_t out[4])
{
    for (size_t i = 0; i < 4; i++) {
        if (i > 0 && *text++ != '.')
            return false;
        if (!take_octet(&text, &out[i]))
            return false;
    }
    return *text == '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One to four hexadecimal digits; moves *text behind them. */
static bool take_group(const char **text, uint8_t out[2])
{
    unsigned value = 0;
    size_t digits = 0;
    while (digits < 5 && hex_value(**text) >= 0) {
        value = value << 4 | (unsigned)hex_value(**text);
        (*text)++;
        digits++;
    }
    out[0] = (uint8_t)(value >> 8 & 0xff);
    out[1] = (uint8_t)(value & 0xff);
    return digits >= 1 && digits <= 4;
}

/* What has been read of an IPv6 address. */
struct groups {
    uint8_t bytes[ADDRESS_BYTES];
    size_t length;
    size_t gap; /* where "::" stands in bytes */
    bool has_gap;
};

/* Reads one group, or a last IPv4 address in the place of two. */
static bool take_part(struct groups *groups, const char **text)
{
    const char *rest = *text;
    if (groups->length > ADDRESS_BYTES - 2 ||
        !take_group(&rest, groups->bytes + groups->length))
        return false;
    if (*rest == '.') {
        if (groups->length > ADDRESS_BYTES - 4 ||
            !parse_ipv4(*text, groups->bytes + groups->length))
            return false;
        groups->length += 4;
        *text += strlen(*text);
        return true;
    }
    groups->length += 2;
    *text = rest;
    return *rest == '\0' || *rest == ':';
}

static bool take_groups(struct groups *groups, const char *text)
{
    while (*text != '\0') {
        if (text[0] == ':' && text[1] == ':') {
            if (groups->has_gap)
                return false;
            groups->has_gap = true;
            groups->gap = groups->length;
            text += 2;
            if (*text == '\0')
                return true;
        } else if (*text == ':' && groups->length > 0) {
            text++;
        }
        if (!take_part(groups, &text))
            return false;
    }
    return true;
}

/* RFC 4291 2.2. */
static bool parse_ipv6(const char *text, uint8_t out[ADDRESS_BYTES])
{
    struct groups groups = {.length = 0};
    if (!take_groups(&groups, text))
        return false;
    if (!groups.has_gap) {
        memcpy(out, groups.bytes, ADDRESS_BYTES);
        return groups.length == ADDRESS_BYTES;
    }
    if (groups.length > ADDRESS_BYTES - 2) /* "::" is at least one group */
        return false;
    size_t tail = groups.length - groups.gap;
    memset(out, 0, ADDRESS_BYTES);
    memcpy(out, groups.bytes, groups.gap);
    memcpy(out + ADDRESS_BYTES - tail, groups.bytes + groups.gap, tail);
    return true;
}

bool network_parse_address(const char *text, uint8_t out_bytes[16])
{
    uint8_t bytes[ADDRESS_BYTES];
    memcpy(bytes, mapped_prefix, sizeof mapped_prefix);
    if (!parse_ipv4(text, bytes + sizeof mapped_prefix) && !parse_ipv6(text, bytes))
        return false;
    memcpy(out_bytes, bytes, sizeof bytes);
    return true;
}

/* A decimal number of one to three digits up to max. */
static bool parse_prefix(const char *text, unsigned max, unsigned *out)
{
    unsigned value = 0;
    size_t length = strlen(text);
    if (length == 0 || length > 3 || strspn(text, "0123456789") != length)
        return false;
    for (size_t i = 0; i < length; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    if (value > max)
        return false;
    *out = value;
    return true;
}

static void clear_host_bits(struct network *network)
{
    for (size_t i = 0; i < ADDRESS_BYTES; i++) {
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
        return error_set(error, STATUS_INVALID, "\"%.100s\" is no IP address", text);
    memcpy(address, text, length);
    address[length] = '\0';
    if (!network_parse_address(address, network.bytes))
        return error_set(error, STATUS_INVALID, "\"%.100s\" is no IP address", address);

    bool ipv4 = strchr(address, ':') == NULL;
    unsigned max = ipv4 ? 32 : 128;
    unsigned prefix = max;
    if (text[length] == '/' && !parse_prefix(text + length + 1, max, &prefix))
        return error_set(error, STATUS_INVALID,
                         "\"%.100s\" needs a number from 0 to %u behind the slash", text,
                         max);
    network.prefix = (uint8_t)(ipv4 ? prefix + MAPPED_BITS : prefix);
    clear_host_bits(&network);
    *out = network;
    return STATUS_OK;
}

bool network_has(const struct network *network, const uint8_t bytes[16])
{
    bool ipv4 = memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0;
    if (ipv4 && network->prefix < MAPPED_BITS)
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
