/* Parsed strictly: printing the result must give the same text again. */
#include "quarantine/hold_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { REACH_DIGITS = 12 };

void hold_header_print(const struct hold_header *header, char out[HOLD_HEADER_SIZE])
{
    (void)snprintf(out, HOLD_HEADER_SIZE,
                   "id=%.16s rule=%.64s incident=%.16s reach=%lld%s%.16s", header->id,
                   header->rule, header->incident, (long long)header->reach,
                   header->tell[0] == '\0' ? "" : " tell=", header->tell);
}

/* " NAME=VALUE", any number of them. */
static bool are_fields(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
    static const char values[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@/+,-";
    while (*text == ' ') {
        size_t name = strspn(text + 1, letters);
        if (name == 0 || text[1 + name] != '=')
            return false;
        text += 1 + name + 1;
        text += strspn(text, values);
    }
    return *text == '\0';
}

static bool is_id(const char *text)
{
    return strlen(text) == DIGEST_ID_SIZE - 1 && strchr(text, '-') == NULL;
}

enum status hold_header_parse(const char *text, struct hold_header *out)
{
    struct hold_header header = {0};
    char reach[REACH_DIGITS + 1];
    char again[HOLD_HEADER_SIZE];
    if (sscanf(text,
               "id=%16[0-9a-f] rule=%64[A-Za-z0-9._-] incident=%16[0-9a-f-] "
               "reach=%12[0-9] tell=%16[0-9a-f]",
               header.id, header.rule, header.incident, reach, header.tell) < 4)
        return STATUS_INVALID;
    if (!is_id(header.id) ||
        (strcmp(header.incident, "-") != 0 && !is_id(header.incident)) ||
        (header.tell[0] != '\0' && !is_id(header.tell)))
        return STATUS_INVALID;
    header.reach = strtoll(reach, NULL, 10);
    hold_header_print(&header, again);
    size_t length = strlen(again);
    if (strncmp(text, again, length) != 0 || !are_fields(text + length))
        return STATUS_INVALID;
    *out = header;
    return STATUS_OK;
}

void hold_header_sign(const struct digest_key *key, const char *id, const char *identity,
                      const char *sender, char out_tell[DIGEST_ID_SIZE])
{
    struct text all = {0};
    char hash[DIGEST_HEX_SIZE];
    text_printf(&all, "mark %s %s %s", id, identity, sender);
    digest_hex(key, text_string(&all), all.length, hash);
    (void)snprintf(out_tell, DIGEST_ID_SIZE, "%.16s", all.failed ? "" : hash);
    text_clear(&all);
}

bool hold_header_vouches(const struct digest_key *key, const struct hold_header *header,
                         const char *sender, char *out_identity, size_t size)
{
    static const char *const kinds[] = {"login:", "sender:", "client:local"};
    char signature[DIGEST_ID_SIZE];
    for (size_t i = 0; i < 3 && header->tell[0] != '\0' && sender[0] != '\0'; i++) {
        struct text identity = {0};
        text_printf(&identity, "%s%s", kinds[i], i < 2 ? sender : "");
        hold_header_sign(key, header->id, text_string(&identity), sender, signature);
        bool same = !identity.failed && strcmp(signature, header->tell) == 0;
        if (same)
            (void)snprintf(out_identity, size, "%s", text_string(&identity));
        text_clear(&identity);
        if (same)
            return true;
    }
    return false;
}
