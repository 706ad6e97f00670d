/* Each question scans the field once more: it is short, and asked a few times. */
#include "control/content/mime_field.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "policy/charset.h"
#include "policy/syntax.h"

enum { PIECES_MAX = 30, KEY_SIZE = 40 };

static const char *skip_blanks(const char *at)
{
    while (syntax_is_space(*at))
        at++;
    return at;
}

void mime_field_word(const char *value, char out[MIME_FIELD_WORD_SIZE])
{
    const char *at = skip_blanks(value);
    size_t length = strcspn(at, "; \t\r\n(");
    if (length >= MIME_FIELD_WORD_SIZE)
        length = 0;
    for (size_t i = 0; i < length; i++) {
        if (at[i] < '!' || at[i] > '~')
            length = 0;
    }
    memcpy(out, at, length);
    out[length] = '\0';
    text_lower_all(out, length);
}

/* Past a value that begins at `at`, and its bytes if out is not NULL. */
static const char *take_value(const char *at, struct text *out)
{
    if (*at != '"') {
        size_t length = strcspn(at, "; \t\r\n");
        if (out != NULL)
            text_add(out, at, length);
        return at + length;
    }
    for (at++; *at != '\0' && *at != '"'; at++) {
        at += *at == '\\' && at[1] != '\0';
        if (out != NULL && *at != '\r' && *at != '\n')
            text_add(out, at, 1);
    }
    return at + (*at == '"');
}

/* The value of the parameter of exactly this name. */
static bool find(const char *value, const char *key, struct text *out)
{
    size_t length = strlen(key);
    const char *at = value + strcspn(value, ";");
    while (*at == ';') {
        at = skip_blanks(at + 1);
        size_t name = strcspn(at, "=; \t\r\n");
        const char *after = skip_blanks(at + name);
        if (*after == '=') {
            bool wanted = name == length && strncasecmp(at, key, length) == 0;
            at = take_value(skip_blanks(after + 1), wanted ? out : NULL);
            if (wanted)
                return true;
        } else {
            at = after;
        }
        at += strcspn(at, ";");
    }
    return false;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, text_lower(c));
    return found == NULL ? -1 : (int)(found - digits);
}

/* Adds bytes that may be written as a mark and two hex digits. */
static void add_coded(const char *data, size_t length, char mark, struct text *out)
{
    for (size_t i = 0; i < length; i++) {
        int high = length - i > 2 ? hex_digit(data[i + 1]) : -1;
        int low = length - i > 2 ? hex_digit(data[i + 2]) : -1;
        bool coded = data[i] == mark && high >= 0 && low >= 0;
        char byte = coded ? (char)(high * 16 + low) : data[i];
        text_add(out, &byte, 1);
        i += coded ? 2 : 0;
    }
}

/* CHARSET'LANGUAGE'TEXT begins the first piece. */
static const char *take_charset(const char *text, const struct charset **out)
{
    const char *first = strchr(text, '\'');
    const char *second = first == NULL ? NULL : strchr(first + 1, '\'');
    if (second == NULL)
        return text;
    *out = charset_find(text, (size_t)(first - text));
    return second + 1;
}

/* name*0, name*1*, ...: a star behind the number says that the piece is coded. */
static bool join_pieces(const char *value, const char *name, struct text *out,
                        const struct charset **charset)
{
    char key[KEY_SIZE];
    int count = 0;
    for (; count < PIECES_MAX; count++) {
        struct text piece = {0};
        (void)snprintf(key, sizeof key, "%s*%d", name, count);
        bool plain = find(value, key, &piece);
        (void)snprintf(key, sizeof key, "%s*%d*", name, count);
        bool coded = !plain && find(value, key, &piece);
        const char *text = text_string(&piece);
        if (coded && count == 0)
            text = take_charset(text, charset);
        if (coded)
            add_coded(text, strlen(text), '%', out);
        else
            text_add_string(out, text);
        text_clear(&piece);
        if (!plain && !coded)
            break;
    }
    return count > 0;
}

bool mime_field_parameter(const char *value, const char *name, struct text *out)
{
    char key[KEY_SIZE];
    struct text bytes = {0};
    struct text coded = {0};
    struct charsets charsets = {0};
    const struct charset *charset = NULL;
    (void)snprintf(key, sizeof key, "%s*", name);
    bool found = find(value, key, &coded);
    if (found) {
        const char *text = take_charset(text_string(&coded), &charset);
        add_coded(text, strlen(text), '%', &bytes);
    } else {
        found = join_pieces(value, name, &bytes, &charset);
    }
    if (found)
        charset_add(&charsets, charset, text_string(&bytes), bytes.length, out);
    else
        found = find(value, name, out);
    out->failed = out->failed || bytes.failed || coded.failed;
    charsets_clear(&charsets);
    text_clear(&coded);
    text_clear(&bytes);
    return found;
}

void mime_field_quoted_printable(const char *data, size_t length, struct text *out)
{
    while (length > 0) {
        const char *stop = memchr(data, '\n', length);
        size_t line = stop == NULL ? length : (size_t)(stop - data);
        size_t shown = line;
        while (shown > 0 && (data[shown - 1] == ' ' || data[shown - 1] == '\t'))
            shown--;
        bool soft = shown > 0 && data[shown - 1] == '=';
        add_coded(data, shown - (soft ? 1 : 0), '=', out);
        if (stop != NULL && !soft)
            text_add_string(out, "\n");
        line += stop != NULL;
        data += line;
        length -= line;
    }
}
