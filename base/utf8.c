/* One function decides what a sequence is: overlong forms, surrogates and anything past
 * U+10FFFF are not. */
#include "base/utf8.h"

enum { REPLACEMENT = 0xfffd };

/* The length of the sequence that starts here; 0 when it isn't one (RFC 3629). */
static size_t sequence_length(const unsigned char *bytes, size_t left)
{
    size_t length = bytes[0] < 0x80                        ? 1
                    : bytes[0] >= 0xc2 && bytes[0] <= 0xdf ? 2
                    : bytes[0] >= 0xe0 && bytes[0] <= 0xef ? 3
                    : bytes[0] >= 0xf0 && bytes[0] <= 0xf4 ? 4
                                                           : 0;
    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong =
        (bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xf0 && bytes[1] < 0x90);
    bool beyond =
        (bytes[0] == 0xed && bytes[1] > 0x9f) || (bytes[0] == 0xf4 && bytes[1] > 0x8f);
    return overlong || beyond ? 0 : length;
}

bool utf8_is_valid(const char *data, size_t length)
{
    while (length > 0) {
        size_t step = sequence_length((const unsigned char *)data, length);
        if (step == 0)
            return false;
        data += step;
        length -= step;
    }
    return true;
}

size_t utf8_next(const char *data, size_t length, uint32_t *out)
{
    const unsigned char *bytes = (const unsigned char *)data;
    size_t step = sequence_length(bytes, length);
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    *out = step == 0 ? REPLACEMENT : bytes[0] & masks[step];
    for (size_t i = 1; i < step; i++)
        *out = *out << 6 | (bytes[i] & 0x3f);
    return step == 0 ? 1 : step;
}

void utf8_add_character(struct text *text, uint32_t c)
{
    char bytes[4];
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        c = REPLACEMENT;
        length = 3;
    }
    for (size_t i = length - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    bytes[0] = (char)(heads[length] | c);
    text_add(text, bytes, length);
}

void utf8_add(struct text *text, const char *data, size_t length)
{
    static const char replacement[] = "\xef\xbf\xbd";
    const char *end = data + length;
    const char *from = data; /* what is valid and not yet added */
    while (data < end) {
        size_t step = sequence_length((const unsigned char *)data, (size_t)(end - data));
        if (step > 0) {
            data += step;
            continue;
        }
        text_add(text, from, (size_t)(data - from));
        text_add_string(text, replacement);
        from = ++data;
    }
    text_add(text, from, (size_t)(data - from));
}
