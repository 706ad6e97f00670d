/* Goes from one "=?" to the next. Neither part of an encoded word can contain a '?', so a
 * failed attempt ends at the third one, and the total time is linear. The bytes of
 * neighbouring words of one character set are converted together. */
#include "policy/encoded.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "policy/charset.h"
#include "policy/syntax.h"

struct word {
    const char *charset;
    size_t charset_length;
    char encoding; /* lower case */
    const char *text;
    const char *text_end;
    const char *end; /* past "?=" */
};

struct decoder {
    struct text *out;
    struct charsets charsets;
    const struct charset *charset; /* of bytes */
    struct text bytes;             /* of words not yet converted */
};

static const char *find(const char *at, const char *end, char c)
{
    return memchr(at, c, (size_t)(end - at));
}

/* The encoded word that opens at `at`, where "=?" stands. */
static bool take_word(const char *at, const char *end, struct word *word)
{
    word->charset = at + 2;
    const char *next = word->charset;
    while (next < end && *next != '?' && !syntax_is_space(*next))
        next++;
    if (next == word->charset || end - next < 3 || next[0] != '?' || next[2] != '?')
        return false;
    word->encoding = text_lower(next[1]);
    if (word->encoding != 'b' && word->encoding != 'q')
        return false;
    const char *language = find(word->charset, next, '*'); /* RFC 2231 5 */
    word->charset_length = (size_t)((language == NULL ? next : language) - word->charset);
    word->text = next + 3;
    word->text_end = find(word->text, end, '?');
    if (word->text_end == NULL || end - word->text_end < 2 || word->text_end[1] != '=')
        return false;
    word->end = word->text_end + 2;
    return true;
}

static int hex_digit(char c)
{
    c = text_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void add_byte(struct text *bytes, int value)
{
    text_add_byte(bytes, (char)value);
}

static void decode_q(const char *at, const char *end, struct text *bytes)
{
    while (at < end) {
        int high = end - at < 3 ? -1 : hex_digit(at[1]);
        int low = end - at < 3 ? -1 : hex_digit(at[2]);
        if (*at == '=' && high >= 0 && low >= 0) {
            add_byte(bytes, high * 16 + low);
            at += 3;
        } else {
            text_add_byte(bytes, *at == '_' ? ' ' : *at);
            at++;
        }
    }
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void encoded_base64(const char *data, size_t length, struct text *out)
{
    const char *at = data;
    const char *end = data + length;
    uint32_t bits = 0;
    int count = 0;
    for (; at < end; at++) {
        int digit = base64_digit(*at);
        if (*at == '=')
            count = 0;
        if (digit < 0)
            continue;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            add_byte(out, (int)(bits >> count & 0xff));
        }
    }
}

static void flush(struct decoder *decoder)
{
    charset_add(&decoder->charsets, decoder->charset, text_string(&decoder->bytes),
                decoder->bytes.length, decoder->out);
    text_reset(&decoder->bytes);
}

static void add_word(struct decoder *decoder, const struct word *word)
{
    const struct charset *charset = charset_find(word->charset, word->charset_length);
    if (charset != decoder->charset) {
        flush(decoder);
        decoder->charset = charset;
    }
    if (word->encoding == 'b')
        encoded_base64(word->text, (size_t)(word->text_end - word->text),
                       &decoder->bytes);
    else
        decode_q(word->text, word->text_end, &decoder->bytes);
    decoder->out->failed = decoder->out->failed || decoder->bytes.failed;
}

static bool is_blank(const char *at, const char *end)
{
    while (at < end && syntax_is_space(*at))
        at++;
    return at == end;
}

static void add_plain(struct decoder *decoder, const char *at, const char *end)
{
    flush(decoder);
    utf8_add(decoder->out, at, (size_t)(end - at));
}

void encoded_decode(const char *value, size_t length, struct text *out)
{
    struct decoder decoder = {.out = out};
    const char *end = value + length;
    const char *plain = value; /* what is not yet added */
    const char *at = value;
    bool after_word = false;
    struct word word;
    while ((at = memmem(at, (size_t)(end - at), "=?", 2)) != NULL) {
        if (!take_word(at, end, &word)) {
            at += 2;
            continue;
        }
        if (!after_word || !is_blank(plain, at))
            add_plain(&decoder, plain, at);
        add_word(&decoder, &word);
        after_word = true;
        plain = word.end;
        at = word.end;
    }
    add_plain(&decoder, plain, end);
    text_clear(&decoder.bytes);
    charsets_clear(&decoder.charsets);
}

const char *encoded_text(const char *value, struct text *decoded, size_t *out_length)
{
    size_t length = strlen(value);
    if (memmem(value, length, "=?", 2) == NULL) {
        *out_length = length;
        return value;
    }
    encoded_decode(value, length, decoded);
    *out_length = decoded->length;
    return text_string(decoded);
}
