/* addrlist finds the mailboxes; what lies between them is text. Both are searched for
 * addresses from '@' to '@': in a mailbox blanks and comments may surround an '@', in
 * text they end what stands there. Every byte is looked at a bounded number of times. */
#include "policy/shown.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "policy/addrlist.h"
#include "policy/encoded.h"
#include "policy/syntax.h"

struct shown_search {
    shown_take *take;
    void *context;
    enum status status; /* of the first call that failed */
    size_t found;       /* in mailboxes */
};

/* A text that is searched, and how far that is. */
struct shown_scan {
    struct shown_search *search;
    enum shown_place place;
    const char *at;
    const char *end;
    const char *local;     /* where a local part may begin; NULL: nowhere */
    const char *quote_end; /* the quote that closes what is being looked into */
    bool dot;              /* the local part ends in one */
    bool blank;            /* a blank came since its last word */
    bool open_quote;       /* no later quote closes */
    bool open_comment;     /* no later comment closes */
};

static void search_text(struct shown_search *search, const char *at, const char *end);

/* ---- what separates for a reader, and not in ASCII ---- */

/* The character that starts here, of two or three bytes; 0: another. */
static uint32_t character_at(const char *at, size_t left, size_t *out_length)
{
    unsigned char b[3] = {0};
    memcpy(b, at, left < sizeof b ? left : sizeof b);
    if (b[0] >= 0xc2 && b[0] <= 0xdf && (b[1] & 0xc0) == 0x80) {
        *out_length = 2;
        return (uint32_t)(b[0] & 0x1f) << 6 | (b[1] & 0x3f);
    }
    if (b[0] < 0xe0 || b[0] > 0xef || (b[1] & 0xc0) != 0x80 || (b[2] & 0xc0) != 0x80)
        return 0;
    *out_length = 3;
    return (uint32_t)(b[0] & 0x0f) << 12 | (uint32_t)(b[1] & 0x3f) << 6 | (b[2] & 0x3f);
}

/* The ASCII that a character is read as: for fullwidth ASCII the plain one, for blanks,
 * bullets, dashes, quotes, arrows and CJK punctuation a blank; '\0' for itself. */
static char ascii_of(uint32_t c)
{
    if (c >= 0xff01 && c <= 0xff5e)
        return (char)(c - 0xff01 + '!');
    bool separates = c == 0x85 || c == 0xa0 || c == 0xa6 || c == 0xab || c == 0xbb ||
                     (c >= 0x2000 && c <= 0x206f) || (c >= 0x2190 && c <= 0x2bff) ||
                     (c >= 0x3000 && c <= 0x303f) || c == 0xfeff;
    return separates ? ' ' : '\0';
}

static void add_simplified(struct text *out, const char *at, const char *end)
{
    const char *plain = at;
    while (at < end) {
        size_t length = 1;
        char ascii = (unsigned char)*at < 0x80
                         ? '\0'
                         : ascii_of(character_at(at, (size_t)(end - at), &length));
        if (ascii == '\0') {
            at++;
            continue;
        }
        text_add(out, plain, (size_t)(at - plain));
        text_add(out, &ascii, 1);
        at += length;
        plain = at;
    }
    text_add(out, plain, (size_t)(end - plain));
}

/* ---- from '@' to '@' ---- */

static void found(struct shown_scan *scan, const char *start, const char *end)
{
    struct shown_search *search = scan->search;
    bool quotes = end < scan->end && *start == '\'' && *end == '\'';
    start += quotes ? 1 : 0; /* 'ann@x', as Outlook writes names that are addresses */
    if (search->status != STATUS_OK || start == end)
        return;
    search->found += scan->place == SHOWN_MAILBOX ? 1 : 0;
    search->status =
        search->take(search->context, scan->place, start, (size_t)(end - start));
}

/* Past blanks and comments, in a mailbox. What a comment says is text. */
static const char *skip_blank(struct shown_scan *scan, const char *at)
{
    while (at < scan->end && scan->place == SHOWN_MAILBOX) {
        if (syntax_is_space(*at)) {
            at++;
            continue;
        }
        const char *after =
            *at != '(' || scan->open_comment ? NULL : syntax_skip_comment(at, scan->end);
        if (after == NULL) {
            scan->open_comment = scan->open_comment || *at == '(';
            break;
        }
        search_text(scan->search, at + 1, after - 1);
        at = after;
    }
    return at;
}

static bool is_domain_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_' || c == '.' || (unsigned char)c >= 0x80;
}

/* Past the domain that starts here; `at` when none does. */
static const char *skip_domain(const struct shown_scan *scan, const char *at)
{
    if (at < scan->end && *at == '[') {
        const char *after = syntax_skip_literal(at, scan->end);
        return after == NULL ? at : after;
    }
    while (at < scan->end && is_domain_byte(*at))
        at++;
    return at;
}

static void end_local(struct shown_scan *scan)
{
    scan->local = NULL;
    scan->dot = false;
    scan->blank = false;
}

/* At an '@'. What is a domain and a local part at once is both. */
static void take_at(struct shown_scan *scan)
{
    const char *local = scan->local;
    const char *start = skip_blank(scan, scan->at + 1);
    const char *end = skip_domain(scan, start);
    end_local(scan);
    if (local == NULL || end == start) {
        scan->at = start > scan->at + 1 ? start : scan->at + 1;
        return;
    }
    found(scan, local, end);
    if (end < scan->end && *end == '@')
        scan->local = start;
    scan->at = end;
}

/* A word of a local part, or another one's first. */
static void take_word(struct shown_scan *scan, const char *after)
{
    if (scan->local == NULL || (scan->blank && !scan->dot))
        scan->local = scan->at;
    scan->dot = false;
    scan->blank = false;
    scan->at = after;
}

/* A quoted string is a word before '.' or '@', else it is text. */
static void take_quote(struct shown_scan *scan)
{
    const char *after = NULL;
    if (scan->at != scan->quote_end && !scan->open_quote) {
        after = syntax_skip_quoted(scan->at, scan->end);
        scan->open_quote = after == NULL;
    }
    if (after != NULL && after < scan->end && (*after == '@' || *after == '.')) {
        take_word(scan, after);
        return;
    }
    if (after != NULL)
        scan->quote_end = after - 1;
    end_local(scan);
    scan->at++;
}

static void take_blank(struct shown_scan *scan)
{
    if (scan->place == SHOWN_IN_TEXT)
        end_local(scan);
    const char *after = skip_blank(scan, scan->at);
    scan->blank = after > scan->at;
    if (*scan->at == '(' && !scan->blank)
        end_local(scan);
    scan->at = scan->blank ? after : scan->at + 1;
}

static const char *skip_word(const char *at, const char *end)
{
    if (*at == '\\')
        return syntax_skip_pair(at, end);
    while (at < end && syntax_is_atext(*at))
        at++;
    return at;
}

/* In text an address begins with a letter, a digit or a quote. */
static bool is_ornament(const struct shown_scan *scan)
{
    return scan->place == SHOWN_IN_TEXT && scan->local == NULL &&
           strchr("'`*|~#=-/{}", *scan->at) != NULL;
}

static void scan_all(struct shown_scan *scan)
{
    while (scan->at < scan->end && scan->search->status == STATUS_OK) {
        char c = *scan->at;
        if (c == '@') {
            take_at(scan);
        } else if (c == '"') {
            take_quote(scan);
        } else if (c == '(' || syntax_is_space(c)) {
            take_blank(scan);
        } else if (c == '.' && scan->local != NULL) {
            scan->dot = true;
            scan->at++;
        } else if ((c == '\\' || syntax_is_atext(c)) && !is_ornament(scan)) {
            take_word(scan, skip_word(scan->at, scan->end));
        } else {
            end_local(scan);
            scan->at++;
        }
    }
}

static void search_text(struct shown_search *search, const char *at, const char *end)
{
    struct shown_scan scan = {
        .search = search, .place = SHOWN_IN_TEXT, .at = at, .end = end};
    scan_all(&scan);
}

/* False when there is no address with an '@' in it. */
static bool search_mailbox(struct shown_search *search, const char *at, const char *end)
{
    size_t before = search->found;
    struct shown_scan scan = {
        .search = search, .place = SHOWN_MAILBOX, .at = at, .end = end};
    scan_all(&scan);
    return search->found > before;
}

/* ---- mailbox by mailbox ---- */

/* A run of bare names, which may be the beginning of a display name. */
struct bare {
    struct addrlist from; /* before the first of them */
    size_t count;
};

/* They are names of their own. */
static void take_bare(struct shown_search *search, struct bare *bare)
{
    const char *raw;
    size_t length;
    for (; bare->count > 0 && search->status == STATUS_OK; bare->count--) {
        if (addrlist_next(&bare->from, &raw, &length))
            search->status = search->take(search->context, SHOWN_MAILBOX, raw, length);
    }
    bare->count = 0;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && syntax_is_space(*at))
        at++;
    return at;
}

/* Does nothing but a comma, and maybe part of a display name, stand between? */
static bool goes_on(const char *at, const char *end, bool bracketed)
{
    at = skip_space(at, end);
    if (at == end || *at != ',')
        return false;
    return !bracketed || *skip_space(at + 1, end) != '<';
}

static void each_mailbox(struct shown_search *search, const char *value, size_t length)
{
    struct addrlist list = addrlist_of(value, length);
    struct bare bare = {.count = 0};
    const char *before = value; /* where the last address ended */
    const char *raw;
    size_t size;
    for (;;) {
        struct addrlist here = list;
        if (search->status != STATUS_OK || !addrlist_next(&list, &raw, &size))
            break;
        search_text(search, before, raw);
        bool whole = search_mailbox(search, raw, raw + size);
        bool joined = (list.bracketed || !whole) && goes_on(before, raw, list.bracketed);
        if (!joined)
            take_bare(search, &bare);
        if (list.bracketed || whole)
            bare.count = 0;
        if (!whole) {
            bare.from = bare.count == 0 ? here : bare.from;
            bare.count++;
        }
        if (list.bracketed)
            take_bare(search, &bare); /* no display name has brackets */
        before = raw + size;
    }
    search_text(search, before, value + length);
    take_bare(search, &bare);
}

enum status shown_each(const char *value, shown_take *take, void *context)
{
    struct shown_search search = {.take = take, .context = context};
    struct text decoded = {0};
    struct text simple = {0};
    bool plain = true;
    for (const char *at = value; *at != '\0' && plain; at++)
        plain = (unsigned char)*at < 0x80 && !(at[0] == '=' && at[1] == '?');
    if (plain) {
        each_mailbox(&search, value, strlen(value));
        return search.status;
    }
    size_t length;
    const char *text = encoded_text(value, &decoded, &length);
    add_simplified(&simple, text, text + length);
    if (decoded.failed || simple.failed)
        search.status = STATUS_NOMEM;
    else
        each_mailbox(&search, text_string(&simple), simple.length);
    text_clear(&decoded);
    text_clear(&simple);
    return search.status;
}
