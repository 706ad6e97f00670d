/* Character by character, by the ranges of Unicode's Default_Ignorable_Code_Point and
 * Bidi_Control. The joiners U+200C and U+200D stay: Persian, Indic and emoji need them.
 */
#include "base/readable.h"

#include "base/utf8.h"

enum { REPLACEMENT = 0xfffd, MARKS_MAX = 6 };

struct range {
    uint32_t first, last;
};

static const struct range harmful[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},   {0x200e, 0x200f},
    {0x202a, 0x202e}, {0x2066, 0x2069}, {0xfdd0, 0xfdef}, {0xfff9, 0xfffb},
};

static const struct range invisible[] = {
    {0xad, 0xad},       {0x34f, 0x34f},     {0x115f, 0x1160}, {0x17b4, 0x17b5},
    {0x180b, 0x180f},   {0x200b, 0x200b},   {0x2060, 0x2065}, {0x206a, 0x206f},
    {0x3164, 0x3164},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0}, {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

static const struct range marks[] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe20, 0xfe2f},
};

#define IS_IN(c, ranges) is_in(c, ranges, sizeof(ranges) / sizeof(ranges)[0])

static bool is_in(uint32_t c, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    }
    return false;
}

static bool is_break(uint32_t c)
{
    return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/* What is shown for a character; 0: nothing. */
static uint32_t show(uint32_t c, bool lines)
{
    if (is_break(c))
        return lines ? '\n' : ' ';
    if (c == '\t' || c == 0xa0)
        return ' ';
    if (IS_IN(c, invisible))
        return 0;
    return IS_IN(c, harmful) || (c & 0xfffe) == 0xfffe ? REPLACEMENT : c;
}

bool readable_add(struct text *out, const char *data, size_t length, bool lines,
                  size_t max)
{
    size_t start = out->length;
    size_t piled = 0;
    uint32_t before = lines ? 0 : ' ';
    while (length > 0) {
        uint32_t c;
        size_t whole = out->length;
        size_t step = utf8_next(data, length, &c);
        bool ends_line = c == '\r' && length > 1 && data[1] == '\n';
        uint32_t shown = ends_line ? 0 : show(c, lines);
        piled = IS_IN(shown, marks) ? piled + 1 : 0;
        bool squeezed = !lines && shown == ' ' && before == ' ';
        data += step;
        length -= step;
        if (shown == 0 || squeezed || piled > MARKS_MAX)
            continue;
        utf8_add_character(out, shown);
        before = shown;
        if (out->failed || out->length - start <= max)
            continue;
        out->length = whole;
        out->data[whole] = '\0';
        return false;
    }
    return true;
}
