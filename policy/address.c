/* Most addresses are already canonical but for their case: those are copied in one pass.
 * For the rest, one scan finds the part that is the address, one its last '@', and each
 * half is written in its one spelling. Every scan is linear. */
#include "policy/address.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/syntax.h"

struct slice {
    const char *start;
    const char *end;
};

/* A half being written. Blanks and comments between two words count as one blank; around
 * a dot they are dropped. */
struct half {
    char bytes[ADDRESS_SIZE];
    size_t length;
    bool full;   /* something did not fit */
    bool word;   /* ends in a word, so that a blank would separate it from the next */
    bool blank;  /* a blank or comment came since */
    bool quoted; /* there was a quoted string, maybe an empty one */
};

static void put(struct half *half, char c)
{
    /* A NUL can't be in a C string. This is its overlong UTF-8 form, which no valid text
     * has, so it equals no other address. */
    const char *bytes = c == '\0' ? "\xc0\x80" : &c;
    size_t length = c == '\0' ? 2 : 1;
    if (length > sizeof half->bytes - half->length) {
        half->full = true;
        return;
    }
    for (size_t i = 0; i < length; i++)
        half->bytes[half->length++] = text_lower(bytes[i]);
}

static void begin_word(struct half *half)
{
    if (half->blank && half->word)
        put(half, ' ');
    half->blank = false;
    half->word = true;
}

static void put_word(struct half *half, const char *from, const char *to)
{
    begin_word(half);
    while (from < to)
        put(half, *from++);
}

/* A dot, or an '@' that does not separate. */
static void put_joint(struct half *half, char c)
{
    half->blank = false;
    half->word = false;
    put(half, c);
}

static const char *skip_quoted(const char *at, const char *end)
{
    const char *after = syntax_skip_quoted(at, end);
    return after == NULL ? end : after;
}

static const char *skip_comment(const char *at, const char *end)
{
    const char *after = syntax_skip_comment(at, end);
    return after == NULL ? end : after;
}

/* Past blanks and comments. */
static const char *skip_blank(const char *at, const char *end)
{
    while (at < end && (syntax_is_space(*at) || *at == '('))
        at = *at == '(' ? skip_comment(at, end) : at + 1;
    return at;
}

/* Past one token whose inside hides what it holds, else past one byte. */
static const char *skip_token(const char *at, const char *end)
{
    switch (*at) {
    case '\\':
        return syntax_skip_pair(at, end);
    case '"':
        return skip_quoted(at, end);
    case '(':
        return skip_comment(at, end);
    default:
        return at + 1;
    }
}

/* The inside of the last angle brackets, or everything. */
static struct slice inside(const char *at, const char *end)
{
    struct slice span = {at, NULL};
    while (at < end) {
        if (*at == '<') {
            span = (struct slice){at + 1, NULL};
        } else if (*at == '>' && span.end == NULL) {
            span.end = at;
        }
        at = skip_token(at, end);
    }
    if (span.end == NULL)
        span.end = end;
    return span;
}

/* Past one source route "@a,@b:", or `at` when there is none (RFC 5321 4.1.2). */
static const char *skip_route(const char *at, const char *end)
{
    const char *next = skip_blank(at, end);
    if (next == end || *next != '@')
        return at;
    while (next < end && *next != ':') {
        const char *after = *next == '[' ? syntax_skip_literal(next, end) : NULL;
        next = after != NULL ? after : skip_token(next, end);
    }
    return next < end ? next + 1 : at;
}

/* The '@' that separates, the last one; end when there is none. */
static const char *find_at(const char *at, const char *end)
{
    const char *found = end;
    for (; at < end; at = skip_token(at, end)) {
        if (*at == '@')
            found = at;
    }
    return found;
}

static void put_quoted(struct half *half, const char *at, const char *end)
{
    begin_word(half);
    half->quoted = true;
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\' && end - at > 1)
            at++;
        put(half, *at);
    }
}

static void put_local(struct half *half, const char *at, const char *end)
{
    while (at < end) {
        const char *next = skip_token(at, end);
        if (syntax_is_space(*at) || *at == '(')
            half->blank = true;
        else if (*at == '"')
            put_quoted(half, at, end);
        else if (*at == '.' || *at == '@')
            put_joint(half, *at);
        else
            put_word(half, next - at > 1 ? at + 1 : at, next);
        at = next;
    }
}

/* Odd bytes of a domain stay as they are. In a literal no blank separates. */
static void put_domain(struct half *half, const char *at, const char *end)
{
    at = skip_blank(at, end);
    bool literal = at < end && *at == '[';
    while (at < end) {
        const char *next = skip_token(at, end);
        if (syntax_is_space(*at) || *at == '(')
            half->blank = !literal;
        else if (*at == '.')
            put_joint(half, *at);
        else
            put_word(half, at, next);
        at = next;
    }
}

static void drop_last_dots(struct half *half)
{
    while (half->length > 0 && half->bytes[half->length - 1] == '.')
        half->length--;
}

static bool is_ldh(const char *name)
{
    for (; *name != '\0'; name++) {
        char c = *name;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
              c == '.'))
            return false;
    }
    return true;
}

static bool has_high(const struct half *half)
{
    for (size_t i = 0; i < half->length; i++) {
        if ((unsigned char)half->bytes[i] >= 0x80)
            return true;
    }
    return false;
}

/* An international domain becomes A-labels (UTS 46); what can't, stays. A result with
 * other bytes than a domain's is not taken: some letters map to '@' or a blank. */
static void put_a_labels(struct half *half)
{
    char name[ADDRESS_SIZE + 1];
    uint8_t *labels = NULL;
    if (half->full || !has_high(half))
        return;
    memcpy(name, half->bytes, half->length);
    name[half->length] = '\0';
    if (idn2_lookup_u8((const uint8_t *)name, &labels,
                       IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return;
    const char *result = (const char *)labels;
    size_t length = strlen(result);
    if (length > 0 && length <= sizeof half->bytes && is_ldh(result)) {
        memcpy(half->bytes, result, length);
        half->length = length;
    }
    idn2_free(labels);
}

static bool is_dot_atom(const char *bytes, size_t length)
{
    bool dot = true; /* none may stand first, last, or next to another */
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '.' ? dot : !syntax_is_atext(bytes[i]))
            return false;
        dot = bytes[i] == '.';
    }
    return !dot;
}

/* Past line ends before a blank: where a line was folded, they mean nothing. */
static size_t skip_fold(const struct half *half, size_t at)
{
    size_t after = at;
    while (after < half->length && strchr("\r\n", half->bytes[after]) != NULL)
        after++;
    bool fold = after < half->length && strchr(" \t", half->bytes[after]) != NULL;
    return fold ? after : at;
}

/* Puts quotes around what needs them. */
static void quote(const struct half *local, struct half *out)
{
    bool bare = is_dot_atom(local->bytes, local->length);
    if (local->length == 0 && !local->quoted)
        return;
    if (!bare)
        put(out, '"');
    for (size_t i = 0; i < local->length; i++) {
        i = skip_fold(local, i);
        if (local->bytes[i] == '"' || local->bytes[i] == '\\')
            put(out, '\\');
        put(out, local->bytes[i]);
    }
    if (!bare)
        put(out, '"');
}

static enum status parse_odd(const char *raw, size_t length, struct address *out)
{
    struct half local = {.length = 0};
    struct half domain = {.length = 0};
    struct half whole = {.length = 0};
    struct slice span = inside(raw, raw + length);
    for (const char *next; (next = skip_route(span.start, span.end)) != span.start;)
        span.start = next;

    const char *at = find_at(span.start, span.end);
    put_local(&local, span.start, at);
    if (at < span.end)
        put_domain(&domain, at + 1, span.end);
    put_a_labels(&domain);
    drop_last_dots(&domain);

    quote(&local, &whole);
    size_t split = whole.length;
    if (domain.length > 0)
        put(&whole, '@');
    for (size_t i = 0; i < domain.length; i++)
        put(&whole, domain.bytes[i]);
    if (local.full || domain.full || whole.full || whole.length >= sizeof out->text)
        return STATUS_LIMIT;

    memcpy(out->text, whole.bytes, whole.length);
    out->text[whole.length] = '\0';
    out->length = whole.length;
    out->at = split;
    return STATUS_OK;
}

/* The index of the '@' of a plain ASCII "local@domain", 0 when it is anything else. */
static size_t plain_at(const char *raw, size_t length)
{
    size_t at = 0;
    bool dot = true;
    for (; at < length && raw[at] != '@'; at++) {
        char c = raw[at];
        if (c == '.' ? dot : (unsigned char)c >= 0x80 || !syntax_is_atext(c))
            return 0;
        dot = c == '.';
    }
    if (dot || at + 1 >= length || raw[length - 1] == '.')
        return 0;
    for (size_t i = at + 1; i < length; i++) {
        char c = raw[i];
        if (c != '.' && ((unsigned char)c >= 0x80 || !syntax_is_atext(c)))
            return 0;
    }
    return at;
}

enum { WORD = 1, DOT = 2, UPPER = 4 };

/* All kinds of characters in a plain address, also with UPPER ones, and the index of its
 * '@'; 0 for others. */
static unsigned plain_kinds(const char *raw, size_t length, size_t *out_at)
{
    static const uint8_t kinds[256] = {
        ['.'] = DOT,          ['-'] = WORD,         ['_'] = WORD,
        ['+'] = WORD,         ['0'] = WORD,         ['1'] = WORD,
        ['2'] = WORD,         ['3'] = WORD,         ['4'] = WORD,
        ['5'] = WORD,         ['6'] = WORD,         ['7'] = WORD,
        ['8'] = WORD,         ['9'] = WORD,         ['a'] = WORD,
        ['b'] = WORD,         ['c'] = WORD,         ['d'] = WORD,
        ['e'] = WORD,         ['f'] = WORD,         ['g'] = WORD,
        ['h'] = WORD,         ['i'] = WORD,         ['j'] = WORD,
        ['k'] = WORD,         ['l'] = WORD,         ['m'] = WORD,
        ['n'] = WORD,         ['o'] = WORD,         ['p'] = WORD,
        ['q'] = WORD,         ['r'] = WORD,         ['s'] = WORD,
        ['t'] = WORD,         ['u'] = WORD,         ['v'] = WORD,
        ['w'] = WORD,         ['x'] = WORD,         ['y'] = WORD,
        ['z'] = WORD,         ['A'] = WORD | UPPER, ['B'] = WORD | UPPER,
        ['C'] = WORD | UPPER, ['D'] = WORD | UPPER, ['E'] = WORD | UPPER,
        ['F'] = WORD | UPPER, ['G'] = WORD | UPPER, ['H'] = WORD | UPPER,
        ['I'] = WORD | UPPER, ['J'] = WORD | UPPER, ['K'] = WORD | UPPER,
        ['L'] = WORD | UPPER, ['M'] = WORD | UPPER, ['N'] = WORD | UPPER,
        ['O'] = WORD | UPPER, ['P'] = WORD | UPPER, ['Q'] = WORD | UPPER,
        ['R'] = WORD | UPPER, ['S'] = WORD | UPPER, ['T'] = WORD | UPPER,
        ['U'] = WORD | UPPER, ['V'] = WORD | UPPER, ['W'] = WORD | UPPER,
        ['X'] = WORD | UPPER, ['Y'] = WORD | UPPER, ['Z'] = WORD | UPPER,
    };
    const char *end = raw + length;
    const char *c = raw;
    unsigned all = 0;
    unsigned before = DOT;
    for (unsigned kind; c < end && (kind = kinds[(unsigned char)*c]) != 0; c++) {
        if ((kind & before & DOT) != 0)
            return 0;
        all |= kind;
        before = kind;
    }
    if (before == DOT || length >= ADDRESS_SIZE || end - c < 2 || *c != '@' ||
        end[-1] == '.')
        return 0;
    *out_at = (size_t)(c - raw);
    for (c++; c < end; c++) {
        unsigned kind = kinds[(unsigned char)*c];
        if (kind == 0)
            return 0;
        all |= kind;
    }
    return all;
}

bool address_is_plain(const char *raw, size_t length)
{
    size_t at;
    unsigned kinds = plain_kinds(raw, length, &at);
    return kinds != 0 && (kinds & UPPER) == 0;
}

bool address_make_plain(char *raw, size_t length)
{
    size_t at;
    unsigned kinds = plain_kinds(raw, length, &at);
    if ((kinds & UPPER) != 0)
        text_lower_all(raw, length);
    return kinds != 0;
}

enum status address_parse(const char *raw, size_t length, struct address *out)
{
    size_t at;
    unsigned kinds = plain_kinds(raw, length, &at);
    if (kinds == 0) {
        kinds = UPPER;
        at = length < sizeof out->text ? plain_at(raw, length) : 0;
    }
    if (at == 0)
        return parse_odd(raw, length, out);
    memcpy(out->text, raw, length);
    out->text[length] = '\0';
    if ((kinds & UPPER) != 0)
        text_lower_all(out->text, length);
    out->length = length;
    out->at = at;
    return STATUS_OK;
}

enum status address_qualify(struct address *address, const char *domain)
{
    size_t length = strlen(domain);
    if (address->length == 0 || address->at < address->length || length == 0)
        return STATUS_OK;
    if (length >= sizeof address->text - address->length - 1)
        return STATUS_LIMIT;
    address->text[address->length] = '@';
    for (size_t i = 0; i <= length; i++)
        address->text[address->length + 1 + i] = text_lower(domain[i]);
    address->length += length + 1;
    return STATUS_OK;
}

/* Postfix never splits these at a '-' (split_addr.c). */
static bool is_whole_name(const char *local, size_t length)
{
    static const char request[] = "-request";
    size_t tail = sizeof request - 1;
    return (length == 13 && memcmp(local, "mailer-daemon", length) == 0) ||
           (length == 13 && memcmp(local, "double-bounce", length) == 0) ||
           (length > 6 && memcmp(local, "owner-", 6) == 0) ||
           (length > tail && memcmp(local + length - tail, request, tail) == 0);
}

/* The first delimiter that no backslash takes the meaning from, between two indices; end
 * when there is none. */
static size_t find_delimiter(const char *text, size_t start, size_t end,
                             const char *delimiters)
{
    for (size_t i = start; i < end; i++) {
        if (text[i] == '\\')
            i++;
        else if (strchr(delimiters, text[i]) != NULL)
            return i;
    }
    return end;
}

/* Where the tag of a local part begins, 0 when it has none. */
static size_t find_tag(const struct address *address, const char *delimiters)
{
    bool quoted = address->text[0] == '"';
    size_t start = quoted ? 1 : 0;
    size_t end = quoted ? address->at - 1 : address->at;
    size_t tag = quoted ? find_delimiter(address->text, start, end, delimiters)
                        : strcspn(address->text, delimiters);
    if (tag <= start || tag >= end)
        return 0;
    bool whole = strchr(delimiters, '-') != NULL &&
                 is_whole_name(address->text + start, end - start);
    return whole ? 0 : tag;
}

bool address_remove_tag(struct address *address, const char *delimiters)
{
    if (address->length == 0 || delimiters == NULL || delimiters[0] == '\0')
        return false;
    size_t tag = find_tag(address, delimiters);
    if (tag == 0)
        return false;

    struct address cut = *address;
    size_t rest = address->length - address->at + (address->text[0] == '"' ? 1 : 0);
    memmove(cut.text + tag, address->text + address->length - rest, rest + 1);
    cut.length = tag + rest;
    /* Quotes may have become needless, or (after a dot) needed. */
    return address_parse(cut.text, cut.length, address) == STATUS_OK;
}

size_t address_find_at(const char *canonical, size_t length)
{
    /* In a canonical local part an '@' is always quoted. */
    size_t quoted = 0;
    if (length > 0 && canonical[0] == '"') {
        for (quoted = 1; quoted < length && canonical[quoted] != '"'; quoted++)
            quoted += canonical[quoted] == '\\';
    }
    const char *at =
        quoted < length ? memchr(canonical + quoted, '@', length - quoted) : NULL;
    return at != NULL ? (size_t)(at - canonical) : length;
}

void address_take(const char *canonical, struct address *out)
{
    out->length = strnlen(canonical, sizeof out->text - 1);
    memcpy(out->text, canonical, out->length);
    out->text[out->length] = '\0';
    out->at = address_find_at(out->text, out->length);
}

void address_copy(struct address *to, const struct address *from)
{
    memcpy(to->text, from->text, from->length + 1);
    to->length = from->length;
    to->at = from->at;
}

const char *address_domain(const struct address *address)
{
    return address->text + address->at + (address->at < address->length ? 1 : 0);
}

bool address_is_literal(const struct address *address)
{
    return address->length - address->at > 2 && address->text[address->at + 1] == '[' &&
           address->text[address->length - 1] == ']';
}
