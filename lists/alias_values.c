/* Parses as Postfix's tok822_parse(3) does, which adds missing commas: two words in a row
 * are two addresses, unless a <...> follows and makes them a display name. */
#include "lists/alias_values.h"

#include <string.h>
#include <strings.h>

#include "lists/lines.h"

static const char include_mark[] = ":include:";
enum { INCLUDE_MARK_LENGTH = sizeof include_mark - 1 };

struct alias_values alias_values_of(const char *text, size_t length)
{
    return (struct alias_values){.next = text,
                                 .end = text + length,
                                 .phrase_free = text,
                                 .last_angle = memrchr(text, '>', length),
                                 .last_group = memrchr(text, ';', length)};
}

/* Past a quoted string, a comment (they nest) or a domain literal that starts at c; the
 * end when it has none. */
static const char *skip_enclosed(const char *c, const char *end)
{
    char open = *c;
    char close = '"';
    if (open == '(')
        close = ')';
    else if (open == '[')
        close = ']';
    int depth = 1;
    for (c++; c < end; c++) {
        if (*c == '\\' && c + 1 < end)
            c++;
        else if (*c == close && --depth == 0)
            return c + 1;
        else if (*c == '(' && open == '(')
            depth++;
    }
    return end;
}

static const char *skip_blanks(const char *c, const char *end)
{
    while (c < end && lines_is_blank(*c))
        c++;
    return c;
}

static bool is_include(const char *c, const char *end)
{
    return (size_t)(end - c) >= INCLUDE_MARK_LENGTH &&
           strncasecmp(c, include_mark, INCLUDE_MARK_LENGTH) == 0;
}

static bool is_opaque(const char *c, const char *end)
{
    return c < end && (*c == '|' || *c == '/' || *c == '~');
}

/* Past a bare program, file or path: to white space or a comma outside quotes. */
static const char *skip_bare(const char *c, const char *end)
{
    while (c < end && !lines_is_blank(*c) && *c != ',' && *c != ';')
        c = *c == '"' ? skip_enclosed(c, end) : c + 1;
    return c;
}

static struct alias_value value_between(enum alias_value_kind kind, const char *from,
                                        const char *to)
{
    from = skip_blanks(from, to);
    while (to > from && lines_is_blank(to[-1]))
        to--;
    return (struct alias_value){
        .kind = kind, .text = from, .length = (size_t)(to - from)};
}

/* A value in quotes, in angle brackets or alone; its first characters tell its kind. */
static struct alias_value classify(const char *from, const char *to)
{
    struct alias_value inside = value_between(ALIAS_VALUE_ADDRESS, from, to);
    from = inside.text;
    to = from + inside.length;
    if (is_include(from, to))
        return value_between(ALIAS_VALUE_INCLUDE, from + INCLUDE_MARK_LENGTH, to);
    if (is_opaque(from, to))
        inside.kind = ALIAS_VALUE_OPAQUE;
    return inside;
}

/* Programs, files and includes, bare or quoted. */
static bool take_special(struct alias_values *values, struct alias_value *out)
{
    const char *start = values->next;
    const char *end = values->end;
    if (is_opaque(start, end)) {
        values->next = skip_bare(start, end);
        *out = value_between(ALIAS_VALUE_OPAQUE, start, values->next);
        return true;
    }
    if (is_include(start, end)) {
        const char *path = skip_blanks(start + INCLUDE_MARK_LENGTH, end);
        values->next = skip_bare(path, end);
        bool quoted = values->next - path >= 2 && *path == '"' && values->next[-1] == '"';
        *out = value_between(ALIAS_VALUE_INCLUDE, path + quoted, values->next - quoted);
        return true;
    }
    if (*start != '"' || !(is_opaque(start + 1, end) || is_include(start + 1, end)))
        return false;
    const char *after = skip_enclosed(start, end);
    bool closed = after - start >= 2 && after[-1] == '"';
    *out = classify(start + 1, closed ? after - 1 : after);
    values->next = after;
    return true;
}

/* The stretch of text that one address is made of, as far as it was scanned. */
struct value_scan {
    const char *start;
    const char *word_end; /* of the last token that isn't a comment */
    const char *split;    /* where a second word started, NULL: nowhere */
    bool after_word;
};

static bool is_operator(char c)
{
    return c != '\0' && strchr("|%!<>@,;:.])", c) != NULL;
}

static const char *skip_atom(const char *c, const char *end)
{
    while (c < end && !lines_is_blank(*c) && !is_operator(*c) && *c != '"' && *c != '(' &&
           *c != '[')
        c += *c == '\\' && c + 1 < end ? 2 : 1;
    return c;
}

/* Past one token that ends no address. */
static const char *scan_token(struct value_scan *scan, const char *c, const char *end)
{
    if (lines_is_blank(*c))
        return c + 1;
    if (*c == '(')
        return skip_enclosed(c, end);
    bool word = !is_operator(*c);
    if (word && scan->after_word && scan->split == NULL)
        scan->split = c;
    scan->after_word = word;
    if (!word)
        c++;
    else if (*c == '"' || *c == '[')
        c = skip_enclosed(c, end);
    else
        c = skip_atom(c, end);
    scan->word_end = c;
    return c;
}

/* The '>' that belongs to the '<' at c, or NULL: then it is an operator like others. */
static const char *closing_angle(struct alias_values *values, const char *c)
{
    if (values->last_angle == NULL || c > values->last_angle)
        return NULL;
    for (c++; c < values->end && *c != '>' && *c != '<';)
        c = *c == '"' ? skip_enclosed(c, values->end) : c + 1;
    if (c == values->end)
        values->last_angle = NULL; /* quoted: so are those of all that follow */
    return c < values->end && *c == '>' ? c : NULL;
}

/* Ends the address at a split or at c, and goes on there. */
static struct alias_value end_address(struct alias_values *values,
                                      const struct value_scan *scan, const char *c)
{
    values->next = c;
    if (scan->split == NULL)
        return classify(scan->start, scan->word_end);
    if (c > values->phrase_free)
        values->phrase_free = c;
    values->next = scan->split;
    return classify(scan->start, scan->split);
}

/* Without length when there is no address here, only something to skip. */
static struct alias_value take_address(struct alias_values *values)
{
    struct value_scan scan = {.start = values->next, .word_end = values->next};
    const char *c = values->next;
    while (c < values->end && *c != ',' && *c != ';') {
        if (scan.split != NULL && c <= values->phrase_free)
            break;
        const char *angle = *c == '<' ? closing_angle(values, c) : NULL;
        if (angle != NULL) {
            values->next = angle + 1;
            return classify(c + 1, angle);
        }
        if (*c == ':' && values->last_group != NULL && c < values->last_group) {
            values->next = c + 1; /* that was a group's name */
            return (struct alias_value){0};
        }
        c = scan_token(&scan, c, values->end);
    }
    return end_address(values, &scan, c);
}

/* A plain address up to a comma or the end, as nearly all are. */
static bool take_plain(struct alias_values *values, struct alias_value *out)
{
    const char *c = values->next;
    while (c < values->end &&
           ((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
            (*c >= '@' && *c <= 'Z') || *c == '.' || *c == '-' || *c == '_' || *c == '+'))
        c++;
    if (c == values->next || (c < values->end && *c != ','))
        return false;
    *out = value_between(ALIAS_VALUE_ADDRESS, values->next, c);
    values->next = c;
    return true;
}

bool alias_values_next(struct alias_values *values, struct alias_value *out)
{
    for (;;) {
        const char *c = values->next;
        while (c < values->end && (lines_is_blank(*c) || *c == ',' || *c == ';'))
            c++;
        if (c < values->end && *c == '(') {
            values->next = skip_enclosed(c, values->end);
            continue;
        }
        values->next = c;
        if (c == values->end)
            return false;
        if (take_plain(values, out) || take_special(values, out))
            return true;
        *out = take_address(values);
        if (out->length > 0)
            return true;
    }
}
