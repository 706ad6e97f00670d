/* Growing strings, and the few ASCII helpers that libc makes depend on the locale. */
#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct text *text, size_t extra)
{
    if (text->failed)
        return false;
    if (extra > SIZE_MAX / 2 - text->length - 1) {
        text->failed = true;
        return false;
    }
    size_t needed = text->length + extra + 1;
    if (needed <= text->capacity)
        return true;
    size_t capacity = text->capacity == 0 ? 64 : text->capacity;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(text->borrowed ? NULL : text->data, capacity);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    if (text->borrowed)
        memcpy(data, text->data, text->length + 1);
    text->data = data;
    text->capacity = capacity;
    text->borrowed = false;
    return true;
}

struct text text_on(char *buffer, size_t size)
{
    buffer[0] = '\0';
    return (struct text){.data = buffer, .capacity = size, .borrowed = true};
}

void text_add_byte(struct text *text, char byte)
{
    if (text->capacity - text->length < 2 || text->failed) {
        text_add(text, &byte, 1);
        return;
    }
    text->data[text->length++] = byte;
    text->data[text->length] = '\0';
}

void text_add(struct text *text, const char *data, size_t length)
{
    bool fits = !text->failed && length < text->capacity - text->length;
    if (!fits && !reserve(text, length))
        return;
    if (length > 0)
        memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void text_add_string(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_add_number(struct text *text, int64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0)
        digits[--at] = '-';
    text_add(text, digits + at, sizeof digits - at);
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list args;
    va_list again;
    size_t room = text->failed ? 0 : text->capacity - text->length;
    va_start(args, format);
    va_copy(again, args);
    int length =
        vsnprintf(room > 0 ? text->data + text->length : NULL, room, format, args);
    va_end(args);
    if (length < 0) {
        text->failed = true;
    } else if ((size_t)length < room) {
        text->length += (size_t)length;
    } else if (reserve(text, (size_t)length)) {
        (void)vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    } else if (room > 0) {
        text->data[text->length] = '\0';
    }
    va_end(again);
}

static bool is_plain(char c)
{
    return c >= 0x20 && c <= 0x7e && c != '"' && c != '\\';
}

void text_add_escaped(struct text *text, const char *data, size_t length, size_t max)
{
    size_t shown = length < max ? length : max;
    for (const char *at = data, *end = data + shown; at < end;) {
        const char *from = at;
        while (at < end && is_plain(*at))
            at++;
        text_add(text, from, (size_t)(at - from));
        if (at < end)
            text_printf(text, "\\x%02x", (unsigned char)*at++);
    }
    if (shown < length)
        text_add_string(text, "...");
}

void text_add_percent(struct text *text, const char *part, const char *plain)
{
    for (; *part != '\0'; part++) {
        bool letter = (*part >= 'a' && *part <= 'z') || (*part >= 'A' && *part <= 'Z');
        if (letter || (*part >= '0' && *part <= '9') || strchr(plain, *part) != NULL)
            text_add_byte(text, *part);
        else
            text_printf(text, "%%%02X", (unsigned char)*part);
    }
}

const char *text_grouped(int64_t number, char out[TEXT_GROUPED_SIZE])
{
    char digits[TEXT_GROUPED_SIZE];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)number);
    size_t at = 0;
    for (size_t i = 0; i < length && at + 2 < TEXT_GROUPED_SIZE; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

void text_add_grouped(struct text *text, uint64_t number)
{
    char grouped[TEXT_GROUPED_SIZE];
    text_add_string(text, text_grouped((int64_t)number, grouped));
}

void text_reset(struct text *text)
{
    text->length = 0;
    text->failed = false;
    if (text->data != NULL)
        text->data[0] = '\0';
}

void text_clear(struct text *text)
{
    if (!text->borrowed)
        free(text->data);
    *text = (struct text){0};
}

enum status text_take(struct text *text, enum status status, char **out)
{
    char *copy = status != STATUS_OK || text->failed ? NULL : strdup(text_string(text));
    text_clear(text);
    if (copy == NULL)
        return status == STATUS_OK ? STATUS_NOMEM : status;
    *out = copy;
    return STATUS_OK;
}

const char *text_string(const struct text *text)
{
    return text->data == NULL ? "" : text->data;
}

void text_join(char *out, size_t size, const char *first, const char *second)
{
    size_t used = strnlen(first, size - 1);
    size_t rest = strnlen(second, size - 1 - used);
    memcpy(out, first, used);
    memcpy(out + used, second, rest);
    out[used + rest] = '\0';
}

const char *text_after(const char *string, const char *prefix)
{
    for (; *prefix != '\0'; string++, prefix++)
        if (*string != *prefix)
            return NULL;
    return string;
}

char text_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool text_is_ascii(const char *string)
{
    while (*string != '\0' && (unsigned char)*string < 0x80)
        string++;
    return *string == '\0';
}

void text_lower_all(char *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        data[i] = text_lower(data[i]);
}

bool text_matches(const char *pattern, const char *data, char stop)
{
    const char *star = NULL;   /* the last '*' seen in pattern */
    const char *resume = NULL; /* where in data it stops matching */

    while (*data != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            resume = data;
            if (*pattern == '\0' && stop == '\0')
                return true;
        } else if (*pattern == *data) {
            pattern++;
            data++;
        } else if (star != NULL && (stop == '\0' || *resume != stop)) {
            pattern = star + 1;
            data = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool text_take_number(const char **text, int64_t *out)
{
    const char *p = *text;
    int64_t value = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        int digit = *p - '0';
        if (value > (INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (p == *text)
        return false;
    *text = p;
    *out = value;
    return true;
}
