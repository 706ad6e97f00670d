/* Just enough of libconfig's lexical rules (its manual, chapter 2) to tell a number from
 * a name, a string and a comment. What it does not understand it leaves to libconfig. */
#include "conf/scan.h"

#include <stdint.h>
#include <string.h>

struct scan scan_of(const char *text, size_t length, enum scan_last last)
{
    return (struct scan){
        .next = text, .end = text + length, .line = 1, .line_start = true, .last = last};
}

static char peek(const struct scan *scan, size_t ahead)
{
    return (size_t)(scan->end - scan->next) > ahead ? scan->next[ahead] : '\0';
}

static void step(struct scan *scan)
{
    char c = *scan->next++;
    if (c == '\n') {
        scan->line++;
        scan->line_start = true;
    } else if (c != ' ' && c != '\t') {
        scan->line_start = false;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*';
}

/* Moves after the closing quote; the opening one is next. */
static void skip_string(struct scan *scan)
{
    step(scan);
    while (scan->next < scan->end && *scan->next != '"' && *scan->next != '\0') {
        if (*scan->next == '\\' && scan->end - scan->next > 1)
            step(scan);
        step(scan);
    }
    if (scan->next < scan->end && *scan->next == '"')
        step(scan);
}

static void skip_line(struct scan *scan)
{
    while (scan->next < scan->end && *scan->next != '\n' && *scan->next != '\0')
        step(scan);
}

static void skip_comment(struct scan *scan)
{
    scan->next += 2;
    while (scan->next < scan->end && *scan->next != '\0' &&
           !(*scan->next == '*' && peek(scan, 1) == '/'))
        step(scan);
    if (peek(scan, 0) == '*')
        scan->next += 2;
    scan->line_start = false;
}

static void skip_name(struct scan *scan)
{
    while (is_letter(peek(scan, 0)) || is_digit(peek(scan, 0)) || peek(scan, 0) == '-' ||
           peek(scan, 0) == '_')
        step(scan);
}

/* Reads digits of a base; false once they pass what an int holds. */
static bool take_digits(struct scan *scan, unsigned base)
{
    uint64_t value = 0;
    bool fits = true;
    for (;; step(scan)) {
        char c = peek(scan, 0);
        unsigned digit = 16;
        if (is_digit(c))
            digit = (unsigned)(c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            digit = (unsigned)(c | 0x20) - 'a' + 10;
        if (digit >= base)
            return fits;
        value = value * base + digit;
        if (value > 0x7fffffff) {
            value = 0x7fffffff;
            fits = false;
        }
    }
}

/* True when the number that starts here would wrap. */
static bool take_number(struct scan *scan)
{
    unsigned base = 10;
    if (peek(scan, 0) == '0' && (peek(scan, 1) | 0x20) == 'x') {
        base = 16;
        scan->next += 2;
    }
    bool fits = take_digits(scan, base);
    char after = peek(scan, 0);
    if (base == 10 && (after == '.' || after == 'e' || after == 'E')) {
        do {
            step(scan);
        } while (is_digit(peek(scan, 0)) || is_letter(peek(scan, 0)));
        return false;
    }
    return !fits && after != 'L';
}

/* An @include at the start of a line; false when it is something else. */
static bool take_include(struct scan *scan)
{
    static const char word[] = "@include";
    size_t length = sizeof word - 1;
    if (!scan->line_start || (size_t)(scan->end - scan->next) < length ||
        memcmp(scan->next, word, length) != 0)
        return false;
    scan->next += length;
    scan->line_start = false;
    while (peek(scan, 0) == ' ' || peek(scan, 0) == '\t')
        scan->next++;
    if (peek(scan, 0) != '"')
        return false;
    scan->token = scan->next + 1;
    skip_string(scan);
    scan->length = (size_t)(scan->next - scan->token);
    if (scan->length > 0 && scan->next[-1] == '"')
        scan->length--;
    return true;
}

/* False, once, for a string after an array's string: libconfig would make one of both. A
 * value may be written so, in an array a comma is missing. */
static bool take_string(struct scan *scan)
{
    if (scan->last == SCAN_LAST_ELEMENT) {
        scan->last = SCAN_LAST_OTHER;
        return false;
    }
    if (scan->last != SCAN_LAST_VALUE)
        scan->last = SCAN_LAST_ELEMENT;
    skip_string(scan);
    return true;
}

static void take_sign(struct scan *scan)
{
    char c = *scan->next;
    if (c == '=' || c == ':')
        scan->last = SCAN_LAST_VALUE;
    else if (strchr(" \t\r\n\f\v", c) == NULL)
        scan->last = SCAN_LAST_OTHER;
    step(scan);
}

static bool is_comment_line(const struct scan *scan)
{
    return peek(scan, 0) == '#' || (peek(scan, 0) == '/' && peek(scan, 1) == '/');
}

enum scan_kind scan_next(struct scan *scan)
{
    while (scan->next < scan->end) {
        char c = *scan->next;
        if (c == '\0')
            return SCAN_NUL;
        if (c == '"') {
            if (!take_string(scan))
                return SCAN_JOINED;
        } else if (is_comment_line(scan)) {
            skip_line(scan);
        } else if (c == '/' && peek(scan, 1) == '*') {
            skip_comment(scan);
        } else if (is_letter(c)) {
            scan->last = SCAN_LAST_OTHER;
            skip_name(scan);
        } else if (is_digit(c) || c == '.') {
            scan->line_start = false;
            scan->last = SCAN_LAST_OTHER;
            if (take_number(scan))
                return SCAN_TOO_LARGE;
        } else if (c == '@' && take_include(scan)) {
            return SCAN_INCLUDE;
        } else {
            take_sign(scan);
        }
    }
    return SCAN_END;
}
