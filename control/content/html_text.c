/* One pass: a tag is skipped to its '>', what is between tags is text. Nothing is looked
 * for twice, and no tree is built. */
#include "control/content/html_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

enum { NAME_SIZE = 12, REFERENCE_MAX = 16 };

static const struct {
    const char *name;
    uint32_t character;
} references[] = {
    {"AElig", 0xc6},   {"Aacute", 0xc1},  {"Acirc", 0xc2},    {"Agrave", 0xc0},
    {"Aring", 0xc5},   {"Atilde", 0xc3},  {"Auml", 0xc4},     {"Ccedil", 0xc7},
    {"ETH", 0xd0},     {"Eacute", 0xc9},  {"Ecirc", 0xca},    {"Egrave", 0xc8},
    {"Euml", 0xcb},    {"Iacute", 0xcd},  {"Icirc", 0xce},    {"Igrave", 0xcc},
    {"Iuml", 0xcf},    {"Ntilde", 0xd1},  {"OElig", 0x152},   {"Oacute", 0xd3},
    {"Ocirc", 0xd4},   {"Ograve", 0xd2},  {"Oslash", 0xd8},   {"Otilde", 0xd5},
    {"Ouml", 0xd6},    {"Scaron", 0x160}, {"THORN", 0xde},    {"Uacute", 0xda},
    {"Ucirc", 0xdb},   {"Ugrave", 0xd9},  {"Uuml", 0xdc},     {"Yacute", 0xdd},
    {"aacute", 0xe1},  {"acirc", 0xe2},   {"aelig", 0xe6},    {"agrave", 0xe0},
    {"amp", 0x26},     {"apos", 0x27},    {"aring", 0xe5},    {"atilde", 0xe3},
    {"auml", 0xe4},    {"bdquo", 0x201e}, {"bull", 0x2022},   {"ccedil", 0xe7},
    {"cent", 0xa2},    {"copy", 0xa9},    {"deg", 0xb0},      {"eacute", 0xe9},
    {"ecirc", 0xea},   {"egrave", 0xe8},  {"eth", 0xf0},      {"euml", 0xeb},
    {"euro", 0x20ac},  {"gt", 0x3e},      {"hellip", 0x2026}, {"iacute", 0xed},
    {"icirc", 0xee},   {"iexcl", 0xa1},   {"igrave", 0xec},   {"iquest", 0xbf},
    {"iuml", 0xef},    {"laquo", 0xab},   {"ldquo", 0x201c},  {"lsquo", 0x2018},
    {"lt", 0x3c},      {"mdash", 0x2014}, {"middot", 0xb7},   {"nbsp", 0xa0},
    {"ndash", 0x2013}, {"ntilde", 0xf1},  {"oacute", 0xf3},   {"ocirc", 0xf4},
    {"oelig", 0x153},  {"ograve", 0xf2},  {"oslash", 0xf8},   {"otilde", 0xf5},
    {"ouml", 0xf6},    {"pound", 0xa3},   {"quot", 0x22},     {"raquo", 0xbb},
    {"rdquo", 0x201d}, {"reg", 0xae},     {"rsquo", 0x2019},  {"sbquo", 0x201a},
    {"scaron", 0x161}, {"sect", 0xa7},    {"shy", 0xad},      {"szlig", 0xdf},
    {"thorn", 0xfe},   {"times", 0xd7},   {"trade", 0x2122},  {"uacute", 0xfa},
    {"ucirc", 0xfb},   {"ugrave", 0xf9},  {"uuml", 0xfc},     {"yacute", 0xfd},
    {"yuml", 0xff},    {"zwj", 0x200d},   {"zwnj", 0x200c}};

/* What stands on lines of its own. */
static const char *const blocks[] = {
    "address", "article", "blockquote", "br",      "center", "dd", "div",
    "dl",      "dt",      "footer",     "form",    "h1",     "h2", "h3",
    "h4",      "h5",      "h6",         "header",  "hr",     "li", "ol",
    "option",  "p",       "pre",        "section", "table",  "tr", "ul",
};

/* What has no text to read in it. */
static const char *const silent[] = {"script", "style", "title", "template"};

struct reader {
    struct text *out;
    const char *at, *end;
    size_t start;         /* of the text in out */
    int breaks;           /* line breaks to come before the next word */
    bool blank;           /* and a blank */
    char name[NAME_SIZE]; /* of the tag, in lower case; "" when it is longer */
    bool closes;
};

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_letter(char c)
{
    c = text_lower(c);
    return c >= 'a' && c <= 'z';
}

static void add(struct reader *reader, const char *data, size_t length)
{
    bool first = reader->out->length == reader->start;
    for (; reader->breaks > 0 && !first; reader->breaks--)
        text_add_string(reader->out, "\n");
    if (reader->blank && reader->breaks == 0 && !first &&
        reader->out->data[reader->out->length - 1] != '\n')
        text_add_string(reader->out, " ");
    reader->blank = false;
    reader->breaks = 0;
    text_add(reader->out, data, length);
}

static void skip_past(struct reader *reader, const char *mark)
{
    size_t length = strlen(mark);
    const char *found =
        memmem(reader->at, (size_t)(reader->end - reader->at), mark, length);
    reader->at = found == NULL ? reader->end : found + length;
}

/* To the '>' that is in no quoted attribute. */
static void skip_attributes(struct reader *reader)
{
    char quote = '\0';
    char before = '\0';
    for (; reader->at < reader->end; reader->at++) {
        char c = *reader->at;
        if (quote != '\0')
            quote = c == quote ? '\0' : quote;
        else if ((c == '"' || c == '\'') && before == '=')
            quote = c;
        else if (c == '>')
            break;
        before = is_blank(c) ? before : c;
    }
    reader->at += reader->at < reader->end;
}

static void take_name(struct reader *reader)
{
    size_t length = 0;
    const char *at = reader->at;
    while (at < reader->end && *at != '>' && *at != '/' && !is_blank(*at))
        at++;
    length = (size_t)(at - reader->at);
    if (length >= NAME_SIZE)
        length = 0;
    memcpy(reader->name, reader->at, length);
    reader->name[length] = '\0';
    text_lower_all(reader->name, length);
    reader->at = at;
}

/* Past "</NAME", whatever is in between. */
static void skip_silent(struct reader *reader)
{
    size_t length = strlen(reader->name);
    while (reader->at < reader->end) {
        skip_past(reader, "</");
        if ((size_t)(reader->end - reader->at) >= length &&
            strncasecmp(reader->at, reader->name, length) == 0)
            break;
    }
    skip_attributes(reader);
}

static void take_tag(struct reader *reader)
{
    reader->closes = reader->at[1] == '/';
    reader->at += reader->closes ? 2 : 1;
    take_name(reader);
    skip_attributes(reader);
    if (!reader->closes &&
        is_one_of(reader->name, silent, sizeof silent / sizeof *silent))
        skip_silent(reader);
    else if (strcmp(reader->name, "br") == 0)
        reader->breaks += reader->breaks < 2;
    else if (strcmp(reader->name, "p") == 0)
        reader->breaks = 2;
    else if (is_one_of(reader->name, blocks, sizeof blocks / sizeof *blocks))
        reader->breaks += reader->breaks == 0;
    else if (strcmp(reader->name, "td") == 0 || strcmp(reader->name, "th") == 0)
        reader->blank = true;
}

/* The character of "&#65;" or "&amp;", and how long that is; 0 when it is none. */
static size_t find_reference(const char *at, const char *end, uint32_t *out)
{
    size_t most = (size_t)(end - at) < REFERENCE_MAX ? (size_t)(end - at) : REFERENCE_MAX;
    const char *semicolon = memchr(at, ';', most);
    size_t length = semicolon == NULL ? 0 : (size_t)(semicolon - at);
    if (length < 2)
        return 0;
    if (at[1] == '#') {
        bool hex = at[2] == 'x' || at[2] == 'X';
        const char *digits = at + (hex ? 3 : 2);
        size_t count = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
        unsigned long long number = strtoull(digits, NULL, hex ? 16 : 10);
        *out = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
        return count > 0 && digits + count == semicolon ? length + 1 : 0;
    }
    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++) {
        *out = references[i].character;
        if (strlen(references[i].name) == length - 1 &&
            strncmp(references[i].name, at + 1, length - 1) == 0)
            return length + 1;
    }
    return 0;
}

static void take_reference(struct reader *reader)
{
    uint32_t character;
    struct text one = {0};
    size_t length = find_reference(reader->at, reader->end, &character);
    if (length == 0) {
        add(reader, reader->at++, 1);
        return;
    }
    reader->at += length;
    if (character == ' ' || character == 0xa0) {
        reader->blank = true;
        return;
    }
    utf8_add_character(&one, character);
    add(reader, text_string(&one), one.length);
    reader->out->failed = reader->out->failed || one.failed;
    text_clear(&one);
}

static void take_words(struct reader *reader)
{
    const char *at = reader->at;
    while (at < reader->end && *at != '<' && *at != '&' && !is_blank(*at))
        at++;
    if (at == reader->at) /* a '<' that opens no tag */
        at++;
    add(reader, reader->at, (size_t)(at - reader->at));
    reader->at = at;
}

static bool opens_tag(const struct reader *reader)
{
    const char *next = reader->at + 1;
    return *reader->at == '<' && next < reader->end &&
           (is_letter(*next) || (*next == '/' && next + 1 < reader->end));
}

static bool opens_declaration(const struct reader *reader)
{
    const char *next = reader->at + 1;
    return *reader->at == '<' && next < reader->end && (*next == '!' || *next == '?');
}

void html_text_add(struct text *out, const char *html, size_t length, size_t max)
{
    struct reader reader = {
        .out = out, .at = html, .end = html + length, .start = out->length};
    while (reader.at < reader.end && out->length - reader.start < max && !out->failed) {
        if (opens_declaration(&reader)) {
            bool comment =
                reader.end - reader.at > 3 && strncmp(reader.at, "<!--", 4) == 0;
            reader.at += comment ? 2 : 0;
            skip_past(&reader, comment ? "-->" : ">");
        } else if (opens_tag(&reader)) {
            take_tag(&reader);
        } else if (*reader.at == '&') {
            take_reference(&reader);
        } else if (is_blank(*reader.at)) {
            reader.blank = true;
            reader.at++;
        } else {
            take_words(&reader);
        }
    }
}
