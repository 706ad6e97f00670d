/* One scan from separator to separator. A quoted string or a comment is skipped as one
 * token; the first one that does not close shows that no later one needs to be tried, and
 * from then on its opening byte is an ordinary one. That keeps the whole linear. */
#include "policy/addrlist.h"

#include <string.h>

#include "policy/syntax.h"

/* A mailbox found so far: all of it, and the inside of its angle brackets. */
struct addrlist_item {
    const char *start;
    const char *end;
    const char *angle; /* NULL: no brackets yet */
    const char *angle_end;
};

struct addrlist addrlist_of(const char *text, size_t length)
{
    return (struct addrlist){.next = text, .end = text + length};
}

/* Past "=?charset?Q?text?=" (RFC 2047), which may contain bare commas in practice; `at`
 * when it isn't one. A failed attempt passes no second "=?", so the total time is linear.
 */
static const char *skip_encoded(const char *at, const char *end)
{
    const char *next = at + 2;
    if (end - at < 2 || at[1] != '?')
        return at;
    while (next < end && *next != '?' && *next != '=' && !syntax_is_space(*next))
        next++;
    if (end - next < 3 || next[0] != '?' || next[2] != '?' ||
        /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): four letters, no end */
        memchr("BbQq", next[1], 4) == NULL)
        return at;
    next += 3;
    while (next < end && *next != '?' && !syntax_is_space(*next))
        next++;
    return end - next >= 2 && next[0] == '?' && next[1] == '=' ? next + 2 : at;
}

/* Past one token whose inside hides what it holds, else past one byte. */
static const char *skip_token(struct addrlist *list, const char *at)
{
    const char *after = NULL;
    if (*at == '\\')
        return syntax_skip_pair(at, list->end);
    if (*at == '"' && !list->open_quote) {
        after = syntax_skip_quoted(at, list->end);
        list->open_quote = after == NULL;
    } else if (*at == '(' && !list->open_comment) {
        after = syntax_skip_comment(at, list->end);
        list->open_comment = after == NULL;
    } else if (*at == '=') {
        after = skip_encoded(at, list->end);
    }
    return after == NULL || after == at ? at + 1 : after;
}

static bool is_separator(char c)
{
    return c == ',' || c == ';';
}

/* Past an '@' and the address literal that may follow it. */
static const char *skip_at(const char *at, const char *end)
{
    const char *next = at + 1;
    while (next < end && syntax_is_space(*next))
        next++;
    const char *after =
        next < end && *next == '[' ? syntax_skip_literal(next, end) : NULL;
    return after != NULL ? after : at + 1;
}

/* A comma of a source route is followed by the next '@'. */
static bool is_route_comma(const char *at, const char *end)
{
    at++;
    while (at < end && syntax_is_space(*at))
        at++;
    return at < end && *at == '@';
}

/* The inside of angle brackets that open at `at`; returns the byte that ends it. */
static const char *take_angle(struct addrlist *list, const char *at,
                              struct addrlist_item *item)
{
    bool route = false;
    item->angle = ++at;
    while (at < list->end && *at != '>') {
        if (*at == '<') {
            item->angle = at + 1;
            route = false;
        } else if (*at == ',' && !(route && is_route_comma(at, list->end))) {
            break;
        } else if (*at == '@') {
            route = route || at == item->angle;
            at = skip_at(at, list->end);
            continue;
        } else if (*at == ':') {
            route = false;
        }
        at = skip_token(list, at);
    }
    item->angle_end = at;
    return at;
}

static bool has_address(const struct addrlist_item *item)
{
    return item->angle != NULL &&
           memchr(item->angle, '@', (size_t)(item->angle_end - item->angle)) != NULL;
}

/* Reads up to the end of a mailbox and past its separator. */
static struct addrlist_item take_mailbox(struct addrlist *list)
{
    struct addrlist_item item = {.start = list->next};
    const char *at = list->next;
    while (at < list->end && !is_separator(*at)) {
        if (*at == '<') {
            if (has_address(&item))
                break; /* a comma is missing here */
            at = take_angle(list, at, &item);
        } else if (*at == '@') {
            at = skip_at(at, list->end);
        } else {
            if (*at == ':' && item.angle == NULL)
                item.start = at + 1; /* that was a group's name */
            at = skip_token(list, at);
        }
    }
    item.end = at;
    list->next = at < list->end && is_separator(*at) ? at + 1 : at;
    return item;
}

/* Blanks and comments alone. */
static bool is_blank(const char *at, const char *end)
{
    while (at < end && (syntax_is_space(*at) || *at == '(')) {
        at = *at == '(' ? syntax_skip_comment(at, end) : at + 1;
        if (at == NULL)
            return true;
    }
    return at == end;
}

bool addrlist_next(struct addrlist *list, const char **out_address, size_t *out_length)
{
    while (list->next < list->end) {
        struct addrlist_item item = take_mailbox(list);
        bool angle = item.angle != NULL;
        const char *start = angle ? item.angle : item.start;
        const char *end = angle ? item.angle_end : item.end;
        while (start < end && syntax_is_space(*start))
            start++;
        while (start < end && syntax_is_space(end[-1]))
            end--;
        if (is_blank(start, end))
            continue;
        list->bracketed = angle;
        *out_address = start;
        *out_length = (size_t)(end - start);
        return true;
    }
    return false;
}
