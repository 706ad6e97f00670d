/* A difference that a person would not notice makes no new campaign: case, blanks,
 * encodings, invisible characters, numbers. First each character gets its normal form,
 * then the prefixes of replies and forwards are removed. */
#include "policy/campaign.h"

#include <locale.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wctype.h>

#include "base/digest.h"
#include "base/text.h"
#include "policy/encoded.h"

enum { LONG_PREFIX = 256 }; /* bytes of a long subject that are kept */

struct range {
    uint32_t first, last;
};

/* ---- characters ---- */

/* Default_Ignorable_Code_Point of Unicode 15; and the interlinear annotations. */
static const struct range ignorable[] = {
    {0xad, 0xad},       {0x34f, 0x34f},   {0x61c, 0x61c},     {0x115f, 0x1160},
    {0x17b4, 0x17b5},   {0x180b, 0x180f}, {0x200b, 0x200f},   {0x202a, 0x202e},
    {0x2060, 0x206f},   {0x3164, 0x3164}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
    {0xffa0, 0xffa0},   {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
    {0xe0000, 0xe0fff},
};

/* White_Space beyond Latin-1; and the braille pattern without dots. */
static const struct range blank[] = {
    {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
    {0x205f, 0x205f}, {0x2800, 0x2800}, {0x3000, 0x3000},
};

/* Decimal digits in use: ten in a row, but for the mathematical ones. */
static const struct range digits[] = {
    {0x660, 0x669},   {0x6f0, 0x6f9},   {0x7c0, 0x7c9},     {0x966, 0x96f},
    {0x9e6, 0x9ef},   {0xa66, 0xa6f},   {0xae6, 0xaef},     {0xb66, 0xb6f},
    {0xbe6, 0xbef},   {0xc66, 0xc6f},   {0xce6, 0xcef},     {0xd66, 0xd6f},
    {0xe50, 0xe59},   {0xed0, 0xed9},   {0xf20, 0xf29},     {0x1040, 0x1049},
    {0x17e0, 0x17e9}, {0x1810, 0x1819}, {0x1d7ce, 0x1d7ff},
};

static bool is_in(const struct range *ranges, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count && ranges[i].first <= c; i++) {
        if (c <= ranges[i].last)
            return true;
    }
    return false;
}

#define IS_IN(ranges, c) is_in(ranges, sizeof(ranges) / sizeof(ranges)[0], c)

static bool is_blank(uint32_t c)
{
    if (c < 0x1680)
        return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0;
    return IS_IN(blank, c);
}

static bool is_invisible(uint32_t c)
{
    if (c < 0xa0)
        return c < ' ' || c >= 0x7f;
    return IS_IN(ignorable, c);
}

static bool is_digit(uint32_t c)
{
    return c < 0x660 ? c >= '0' && c <= '9' : IS_IN(digits, c);
}

/* The locale that knows the case of letters, made once and kept; without C.UTF-8 it is
 * the plain C locale, which knows ASCII alone. NULL when out of memory. */
static locale_t letters(void)
{
    static _Atomic(locale_t) made;
    locale_t locale = atomic_load(&made);
    if (locale != NULL)
        return locale;
    locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    if (locale == NULL)
        locale = newlocale(LC_CTYPE_MASK, "C", NULL);
    locale_t other = NULL;
    if (locale != NULL && !atomic_compare_exchange_strong(&made, &other, locale)) {
        freelocale(locale);
        locale = other;
    }
    return locale;
}

/* By way of upper case: two of Greek's small letters have the same capital. */
static uint32_t lower(uint32_t c)
{
    if (c < 0x80)
        return (uint32_t)(unsigned char)text_lower((char)c);
    locale_t locale = letters();
    return locale == NULL ? c : towlower_l(towupper_l(c, locale), locale);
}

/* The next character of valid UTF-8. */
static uint32_t take_character(const char **at)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    int more = bytes[0] < 0xc0 ? 0 : bytes[0] < 0xe0 ? 1 : bytes[0] < 0xf0 ? 2 : 3;
    uint32_t c = more == 0 ? bytes[0] : bytes[0] & (0x3fU >> more);
    for (int i = 1; i <= more; i++)
        c = c << 6 | (bytes[i] & 0x3f);
    *at += more + 1;
    return c;
}

static void add_character(struct text *text, uint32_t c)
{
    char bytes[4];
    if (c < 0x80) {
        text_add_byte(text, (char)c);
        return;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t leads[] = {0, 0xc0, 0xe0, 0xf0};
    for (size_t i = more; i > 0; i--) {
        bytes[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    bytes[0] = (char)(leads[more] | c);
    text_add(text, bytes, more + 1);
}

/* ---- text ---- */

static void simplify(const struct text *decoded, struct text *out)
{
    const char *at = text_string(decoded);
    const char *end = at + decoded->length;
    bool gap = false;
    bool in_number = false;
    while (at < end) {
        uint32_t c = take_character(&at);
        if (c >= 0xff01 && c <= 0xff5e)
            c -= 0xff01 - '!'; /* fullwidth */
        if (is_blank(c)) {
            gap = true;
            in_number = false;
            continue;
        }
        if (is_invisible(c))
            continue;
        if (gap && out->length > 0)
            text_add_byte(out, ' ');
        gap = false;
        bool digit = is_digit(c);
        if (!digit)
            add_character(out, lower(c));
        else if (!in_number)
            text_add_byte(out, '#');
        in_number = digit;
    }
}

/* English, and what Outlook and others write in German, the Nordic languages, Dutch,
 * French, Spanish, Portuguese, Italian, Polish, Turkish and Chinese. In lower case. */
static const char *const marks[] = {
    "re",     "fwd", "fw",  "aw",   "wg",   "sv",   "vs",   "vb",   "antw",
    "doorst", "tr",  "rv",  "res",  "enc",  "r",    "rif",  "odp",  "pd",
    "ynt",    "i",   "ilt", "回复", "答复", "转发", "回覆", "轉寄",
};

static const char *skip_blank(const char *at)
{
    return *at == ' ' ? at + 1 : at;
}

/* Past "[#]", "(#)", "^#" or "#"; `at` when there is none. */
static const char *skip_count(const char *at)
{
    static const char *const counts[] = {"[#]", "(#)", "^#", "#"};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const char *after = text_after(at, counts[i]);
        if (after != NULL)
            return after;
    }
    return at;
}

/* Past one prefix of a reply or forward and its colon; NULL when there is none here. */
static const char *skip_mark(const char *at)
{
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const char *after = *at == marks[i][0] ? text_after(at, marks[i]) : NULL;
        if (after == NULL)
            continue;
        after = skip_blank(skip_count(skip_blank(after)));
        if (*after == ':')
            return skip_blank(after + 1);
    }
    return NULL;
}

/* Past "[...]", as a list puts it before subjects; NULL when there is none. */
static const char *skip_tag(const char *at)
{
    if (*at != '[')
        return NULL;
    at += 1 + strcspn(at + 1, "[]");
    return *at == ']' ? skip_blank(at + 1) : NULL;
}

static void strip_marks(struct text *text)
{
    if (text->length == 0)
        return;
    char *kept = text->data;
    const char *at = text->data;
    for (;;) {
        const char *after = skip_mark(at);
        if (after != NULL) {
            at = after;
            continue;
        }
        const char *tag = skip_tag(at);
        if (tag == NULL || skip_mark(tag) == NULL)
            break;
        memmove(kept, at, (size_t)(tag - at));
        kept += tag - at;
        at = tag;
    }
    size_t rest = text->length - (size_t)(at - text->data);
    memmove(kept, at, rest);
    kept[rest] = '\0';
    text->length = (size_t)(kept - text->data) + rest;
}

static void add_bounded(struct text *out, const struct text *subject)
{
    static const struct digest_key key;
    if (subject->length <= CAMPAIGN_SUBJECT_MAX) {
        text_add(out, text_string(subject), subject->length);
        return;
    }
    size_t cut = LONG_PREFIX;
    while (((unsigned char)subject->data[cut] & 0xc0) == 0x80)
        cut--;
    char hex[DIGEST_HEX_SIZE];
    digest_hex(&key, subject->data, subject->length, hex);
    text_add(out, subject->data, cut);
    text_add_string(out, "...");
    text_add_string(out, hex);
}

enum status campaign_make(const char *identity, const char *subject, char **out_campaign)
{
    char first[CAMPAIGN_SUBJECT_MAX / 2];
    char second[CAMPAIGN_SUBJECT_MAX / 2];
    struct text decoded = text_on(first, sizeof first);
    struct text simple = text_on(second, sizeof second);
    struct text campaign = {0};
    if (subject != NULL)
        encoded_decode(subject, strlen(subject), &decoded);
    simplify(&decoded, &simple);
    strip_marks(&simple);
    text_add_string(&campaign, identity);
    text_add_byte(&campaign, ' ');
    add_bounded(&campaign, &simple);
    bool failed = decoded.failed || simple.failed || campaign.failed;
    text_clear(&decoded);
    text_clear(&simple);
    if (failed) {
        text_clear(&campaign);
        return STATUS_NOMEM;
    }
    *out_campaign = campaign.data;
    return STATUS_OK;
}
