/* One scan. Quoted strings and comments hide what they hold; the first one that does not
 * close shows that no later one does, and from then on its opening byte is an ordinary
 * one. */
#include "policy/thread.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/text.h"
#include "policy/syntax.h"

struct scan {
    const char *at;
    const char *end;
    bool open_quote, open_comment;
};

/* Past the comment, or the quoted string, that opens here; NULL: none does. */
static const char *skip_comment(struct scan *scan)
{
    if (*scan->at != '(' || scan->open_comment)
        return NULL;
    const char *after = syntax_skip_comment(scan->at, scan->end);
    scan->open_comment = after == NULL;
    return after;
}

static const char *skip_quoted(struct scan *scan)
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
            text_add(id, at, 1);
    }
}

/* From here to a byte of stop, and past the one that closes. */
static void take_id(struct scan *scan, const char *stop, struct text *id)
{
    text_reset(id);
    while (scan->at < scan->end && strchr(stop, *scan->at) == NULL) {
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
static bool take_bracketed(struct scan *scan, struct text *id)
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
        if (after == NULL)
            after = skip_quoted(scan);
        scan->at = after == NULL ? scan->at + 1 : after;
    }
    return false;
}

/* Some programs leave the brackets out. */
static bool take_bare(struct scan *scan, struct text *id)
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

enum status thread_find(const char *value, char out_thread[THREAD_SIZE])
{
    static const struct digest_key key;
    struct scan scan = {.at = value, .end = value + strlen(value)};
    struct scan again = scan;
    struct text id = {0};
    enum status status = STATUS_OK;
    if (!take_bracketed(&scan, &id) && !take_bare(&again, &id))
        status = STATUS_NOT_FOUND;
    else if (id.failed)
        status = STATUS_NOMEM;
    else if (is_plain(&id))
        memcpy(out_thread, id.data, id.length + 1);
    else {
        char hex[DIGEST_HEX_SIZE];
        digest_hex(&key, id.data, id.length, hex);
        (void)snprintf(out_thread, THREAD_SIZE, "#%s", hex);
    }
    text_clear(&id);
    return status;
}
