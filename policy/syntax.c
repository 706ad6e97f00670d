/* Scanning over the tokens of RFC 5322 3.2: each call is linear in what it skips, and a
 * NULL answer means that everything up to the end was looked at. */
#include "policy/syntax.h"

#include <stddef.h>
#include <string.h>

bool syntax_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool syntax_is_atext(char c)
{
    unsigned char u = (unsigned char)c;
    if ((u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9'))
        return true;
    switch (c) {
    case '!':
    case '#':
    case '$':
    case '%':
    case '&':
    case '\'':
    case '*':
    case '+':
    case '-':
    case '/':
    case '=':
    case '?':
    case '^':
    case '_':
    case '`':
    case '{':
    case '|':
    case '}':
    case '~':
        return true;
    default:
        return u >= 0x80;
    }
}

const char *syntax_skip_pair(const char *at, const char *end)
{
    return end - at < 2 ? end : at + 2;
}

const char *syntax_skip_quoted(const char *at, const char *end)
{
    at++;
    while (at < end) {
        if (*at == '"')
            return at + 1;
        at = *at == '\\' ? syntax_skip_pair(at, end) : at + 1;
    }
    return NULL;
}

const char *syntax_skip_comment(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        if (*at == '(') {
            depth++;
        } else if (*at == ')' && --depth == 0) {
            return at + 1;
        } else if (*at == '\\') {
            at = syntax_skip_pair(at, end);
            continue;
        }
        at++;
    }
    return NULL;
}

const char *syntax_skip_literal(const char *at, const char *end)
{
    static const char other[] = "[\\\"()<>@,;"; /* and its NUL */
    at++;
    while (at < end && *at != ']' && memchr(other, *at, sizeof other) == NULL)
        at++;
    return at < end && *at == ']' ? at + 1 : NULL;
}
