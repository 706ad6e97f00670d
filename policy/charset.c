/* iconv(3) behind a table: the encodings of the WHATWG Encoding Standard, which is what
 * mail programs show, by the names that mail uses. */
#include "policy/charset.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

struct charset {
    const char *name;
    const char *iconv; /* a superset, where that is what people mean; NULL: name */
};

static const struct charset known[] = {
    {"iso-8859-1", "windows-1252"},
    {"iso-8859-15", NULL},
    {"windows-1252", NULL},
    {"cp1252", "windows-1252"},
    {"latin1", "windows-1252"},
    {"iso8859-1", "windows-1252"},
    {"iso-8859-2", NULL},
    {"iso-8859-3", NULL},
    {"iso-8859-4", NULL},
    {"iso-8859-5", NULL},
    {"iso-8859-6", NULL},
    {"iso-8859-7", NULL},
    {"iso-8859-8", NULL},
    {"iso-8859-8-i", "iso-8859-8"},
    {"iso-8859-9", NULL},
    {"iso-8859-10", NULL},
    {"iso-8859-13", NULL},
    {"iso-8859-14", NULL},
    {"iso-8859-16", NULL},
    {"windows-874", "cp874"},
    {"tis-620", NULL},
    {"windows-1250", NULL},
    {"windows-1251", NULL},
    {"windows-1253", NULL},
    {"windows-1254", NULL},
    {"windows-1255", NULL},
    {"windows-1256", NULL},
    {"windows-1257", NULL},
    {"windows-1258", NULL},
    {"koi8-r", NULL},
    {"koi8-u", NULL},
    {"macintosh", NULL},
    {"gb2312", "gb18030"},
    {"gbk", "gb18030"},
    {"gb18030", NULL},
    {"big5", NULL},
    {"euc-jp", NULL},
    {"shift_jis", "cp932"},
    {"iso-2022-jp", NULL},
    {"euc-kr", "uhc"},
    {"ks_c_5601-1987", "uhc"},
};

const struct charset *charset_find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].name) == length &&
            strncasecmp(known[i].name, name, length) == 0)
            return &known[i];
    }
    return NULL;
}

/* NULL: it can't be had. */
static iconv_t *open_converter(struct charsets *charsets, const struct charset *charset)
{
    for (size_t i = 0; i < charsets->count; i++) {
        if (charsets->opened[i] == charset)
            return &charsets->converters[i];
    }
    if (charsets->count >= CHARSETS_OPEN_MAX)
        return NULL;
    iconv_t converter =
        iconv_open("UTF-8", charset->iconv == NULL ? charset->name : charset->iconv);
    if (converter == (iconv_t)-1)
        return NULL;
    charsets->opened[charsets->count] = charset;
    charsets->converters[charsets->count] = converter;
    return &charsets->converters[charsets->count++];
}

static void convert(iconv_t converter, const char *data, size_t length, struct text *out)
{
    char *in = (char *)(uintptr_t)data; /* iconv(3) does not write there */
    char buffer[1024];
    char *to = buffer;
    size_t room = sizeof buffer;
    while (length > 0) {
        errno = 0;
        size_t result = iconv(converter, &in, &length, &to, &room);
        bool bad = result == (size_t)-1 && (errno != E2BIG || to == buffer);
        text_add(out, buffer, (size_t)(to - buffer));
        to = buffer;
        room = sizeof buffer;
        if (bad && length > 0) {
            utf8_add(out, "\xff", 1);
            in++;
            length--;
        }
    }
    (void)iconv(converter, NULL, NULL, &to, &room); /* what it kept back */
    text_add(out, buffer, (size_t)(to - buffer));
}

void charset_add(struct charsets *charsets, const struct charset *charset,
                 const char *data, size_t length, struct text *out)
{
    iconv_t *converter = charset == NULL ? NULL : open_converter(charsets, charset);
    if (converter == NULL) {
        utf8_add(out, data, length);
        return;
    }
    (void)iconv(*converter, NULL, NULL, NULL, NULL);
    convert(*converter, data, length, out);
}

void charsets_clear(struct charsets *charsets)
{
    for (size_t i = 0; i < charsets->count; i++)
        (void)iconv_close(charsets->converters[i]);
    charsets->count = 0;
}
