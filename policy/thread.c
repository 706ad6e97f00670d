/* One scan. Quoted strings and comments hide what they hold; the first one that does not
 * close shows that no later one does, and from then on its opening byte is an ordinary
 * one. */
#include "policy/thread.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/text.h"
#include "policy/encoded.h"
#include "policy/syntax.h"

enum { INDEX_BYTES = 22, INDEX_ANSWER_BYTES = 5 };

struct thread_scan {
    const char *at;
    const char *end;
    bool open_quote, open_comment;
    bool words; /* something stood outside of brackets */
};

/* Past the comment, or the quoted string, that opens here; NULL: none does. */
static const char *skip_comment(struct thread_scan *scan)
{
    if (*scan->at != '(' || scan->open_comment)
        return NULL;
    const char *after = syntax_skip_comment(scan->at, scan->end);
    scan->open_comment = after == NULL;
    return after;
}

static const char *skip_quoted(struct thread_scan *scan)
{
    if (*scan->at != '"' || scan->open_quote)
        return NULL;
    const char *after = syntax_skip_quoted(scan->at, scan->end);
    scan->open_quote = after == NULL;
    return after;
}

static void add_dense(struct text *id, const char *at, const char *end)
{
    for (; at < end; at++) {
        if (!syntax_is_space(*at))
            text_add_byte(id, *at);
    }
}

/* From here to a byte of stop, and past the one that closes. */
static void take_id(struct thread_scan *scan, const char *stop, struct text *id)
{
    static const char special[] = " \t\r\n,;<>(\"\\"; /* and whatever stop may hold */
    text_reset(id);
    for (;;) {
        size_t run = strcspn(scan->at, special);
        text_add(id, scan->at, run);
        scan->at += run;
        if (scan->at >= scan->end || strchr(stop, *scan->at) != NULL)
            break;
        const char *after = skip_comment(scan);
        if (after == NULL) {
            after = skip_quoted(scan);
            if (after == NULL)
                after = *scan->at == '\\' ? syntax_skip_pair(scan->at, scan->end)
                                          : scan->at + 1;
            add_dense(id, scan->at, after);
        }
        scan->at = after;
    }
    if (scan->at < scan->end && *scan->at == '>')
        scan->at++;
}

/* The inside of the first angle brackets that hold something. One that does not close
 * ends where the next opens. */
static bool take_bracketed(struct thread_scan *scan, struct text *id)
{
    while (scan->at < scan->end) {
        if (*scan->at == '<') {
            scan->at++;
            take_id(scan, "<>", id);
            if (id->length > 0 || id->failed)
                return true;
            continue;
        }
        const char *after = skip_comment(scan);
        if (after == NULL) {
            scan->words =
                scan->words || !(syntax_is_space(*scan->at) || *scan->at == ',');
            after = skip_quoted(scan);
        }
        scan->at = after == NULL ? scan->at + 1 : after;
    }
    return false;
}

/* Some programs leave the brackets out. */
static bool take_bare(struct thread_scan *scan, struct text *id)
{
    while (scan->at < scan->end) {
        const char *after = skip_comment(scan);
        if (after == NULL && !syntax_is_space(*scan->at))
            break;
        scan->at = after == NULL ? scan->at + 1 : after;
    }
    take_id(scan, " \t\r\n,;<>", id);
    return id->failed || memchr(text_string(id), '@', id->length) != NULL;
}

static bool is_plain(const struct text *id)
{
    if (id->length >= THREAD_SIZE || id->data[0] == '#')
        return false;
    for (size_t i = 0; i < id->length; i++) {
        if (id->data[i] <= ' ' || id->data[i] > '~')
            return false;
    }
    return true;
}

/* Writes an id as the name of a thread. */
static void name(const struct text *id, char out_id[THREAD_SIZE])
{
    static const struct digest_key key;
    char hex[DIGEST_HEX_SIZE];
    if (is_plain(id)) {
        memcpy(out_id, id->data, id->length + 1);
        return;
    }
    digest_hex(&key, id->data, id->length, hex);
    (void)snprintf(out_id, THREAD_SIZE, "#%s", hex);
}

static enum status find(const char *value, bool parent, char out_id[THREAD_SIZE])
{
    char buffer[THREAD_SIZE];
    struct text decoded = {0};
    struct text first = text_on(buffer, sizeof buffer);
    struct text last = {0};
    struct text next = {0};
    size_t length;
    const char *text = encoded_text(value, &decoded, &length);
    struct thread_scan scan = {.at = text, .end = text + length};
    struct thread_scan bare = scan;
    bool found = take_bracketed(&scan, &first);
    while (found && parent && take_bracketed(&scan, &next)) {
        struct text unused = last;
        last = next;
        next = unused;
    }
    found = found || take_bare(&bare, &first);
    bool failed = decoded.failed || first.failed || last.failed || next.failed;
    enum status status = failed ? STATUS_NOMEM : STATUS_NOT_FOUND;
    if (found && !failed)
        name(scan.words && last.length > 0 ? &last : &first, out_id);
    text_clear(&decoded);
    text_clear(&first);
    text_clear(&last);
    text_clear(&next);
    return found && !failed ? STATUS_OK : status;
}

enum status thread_find(const char *value, char out_id[THREAD_SIZE])
{
    return find(value, false, out_id);
}

enum status thread_find_parent(const char *value, char out_id[THREAD_SIZE])
{
    return find(value, true, out_id);
}

enum status thread_find_index(const char *value, char out_index[THREAD_SIZE],
                              bool *out_is_reply)
{
    struct text decoded = {0};
    struct text bytes = {0};
    size_t length;
    const char *text = encoded_text(value, &decoded, &length);
    encoded_base64(text, length, &bytes);
    enum status status = STATUS_OK;
    if (decoded.failed || bytes.failed)
        status = STATUS_NOMEM;
    else if (bytes.length < INDEX_BYTES)
        status = STATUS_NOT_FOUND;
    if (status == STATUS_OK) {
        char *at = out_index;
        *at++ = '#';
        for (size_t i = 0; i < INDEX_BYTES; i++)
            at += snprintf(at, 3, "%02x", (unsigned)(unsigned char)bytes.data[i]);
        *out_is_reply = bytes.length >= INDEX_BYTES + INDEX_ANSWER_BYTES;
    }
    text_clear(&decoded);
    text_clear(&bytes);
    return status;
}

const char *thread_name(const struct thread_links *links)
{
    const char *const names[] = {links->first, links->index, links->parent, links->own};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i][0] != '\0')
            return names[i];
    }
    return "";
}
