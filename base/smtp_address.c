/* Read from the left, once; nothing is copied. */
#include "base/smtp_address.h"

#include <string.h>

#include "base/text.h"
#include "base/utf8.h"

/* RFC 5322 3.2.3, and RFC 6531 3.3: all bytes of UTF-8's sequences. */
static bool is_atext(char c)
{
    return ((unsigned char)c >= 0x80) || (c >= '0' && c <= '9') ||
           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* C0, DEL and, in UTF-8, C1. */
static bool has_controls(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c < ' ' || *c == 0x7f || (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0))
            return true;
    }
    return false;
}

/* After atoms with single dots between them; text itself when there are none. */
static const char *skip_dot_atom(const char *text)
{
    const char *at = text;
    while (is_atext(*at)) {
        while (is_atext(*at))
            at++;
        if (*at != '.')
            return at;
        at++;
    }
    return text;
}

/* After the closing quote; NULL when there is none. */
static const char *skip_quoted(const char *text)
{
    for (text++; *text != '"'; text++) {
        if (*text == '\\' && text[1] != '\0')
            text++;
        else if (*text == '\0')
            return NULL;
    }
    return text + 1;
}

static bool is_domain(const char *text)
{
    static const char literal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.:-";
    if (text[0] != '[') {
        const char *end = skip_dot_atom(text);
        return end > text && *end == '\0';
    }
    size_t length = strspn(text + 1, literal);
    return length > 0 && strcmp(text + 1 + length, "]") == 0;
}

bool smtp_address_is_valid(const char *address)
{
    size_t length = strlen(address);
    if (length > SMTP_ADDRESS_MAX || address[0] == '-' || has_controls(address) ||
        !utf8_is_valid(address, length))
        return false;
    const char *end = address[0] == '"' ? skip_quoted(address) : skip_dot_atom(address);
    return end != NULL && end > address && *end == '@' && is_domain(end + 1);
}

bool smtp_address_is_international(const char *address)
{
    for (; *address != '\0'; address++) {
        if ((unsigned char)*address >= 0x80)
            return true;
    }
    return false;
}

size_t smtp_address_word(const char *text)
{
    const char *at = text;
    while (*at != '\0' && *at != ' ') {
        const char *after = *at == '"' ? skip_quoted(at) : at + 1;
        if (after == NULL)
            return 0;
        at = after;
    }
    return (size_t)(at - text);
}

/* A local part in quotes, or not, character by character. */
struct local_part {
    const char *at;
    bool quoted;
};

static struct local_part start(const char *address)
{
    return address[0] == '"' ? (struct local_part){address + 1, true}
                             : (struct local_part){address, false};
}

/* Skips a quote or backslash that is not part of the name. */
static void settle(struct local_part *local_part)
{
    if (local_part->quoted && *local_part->at == '"') {
        local_part->quoted = false;
        local_part->at++;
    } else if (local_part->quoted && local_part->at[0] == '\\' &&
               local_part->at[1] != '\0') {
        local_part->at++;
    }
}

bool smtp_address_is_shown(const char *address, const char *shown)
{
    struct local_part real = start(address);
    struct local_part seen = start(shown);
    for (;;) {
        settle(&real);
        settle(&seen);
        unsigned char c = (unsigned char)*real.at;
        bool hidden = c != '\0' && (c < ' ' || c >= 0x7f);
        if (text_lower(*seen.at) == text_lower((char)c))
            seen.at++;
        else if (hidden && *seen.at == '?')
            seen.at++;
        else if (hidden && strncmp(seen.at, "\xef\xbf\xbd", 3) == 0)
            seen.at += 3;
        else
            return false;
        if (c == '\0')
            return true;
        real.at++;
    }
}
