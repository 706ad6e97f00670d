/* A million members cost their text and two bytes each. */
#include "lists/roster.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_FILE = 'f', RECORD_LINE = 'l' };

static void add_record(struct roster *roster, char kind, const char *data, size_t length)
{
    text_add(&roster->text, &kind, 1);
    text_add(&roster->text, data, length);
    text_add(&roster->text, "", 1);
}

void roster_enter_file(struct roster *roster, const char *path)
{
    add_record(roster, RECORD_FILE, path, strlen(path));
    roster->line = 0;
}

void roster_add(struct roster *roster, enum member_kind kind, const char *data,
                size_t length, int line)
{
    if (line != roster->line + 1) {
        char number[16];
        int digits = snprintf(number, sizeof number, "%d", line);
        add_record(roster, RECORD_LINE, number, (size_t)digits);
    }
    roster->line = line;
    add_record(roster, (char)kind, data, length);
    roster->count++;
}

struct roster_reader roster_read(const struct roster *roster)
{
    const char *data = text_string(&roster->text);
    return (struct roster_reader){.next = data, .end = data + roster->text.length};
}

bool roster_next(struct roster_reader *reader, struct member *out)
{
    while (reader->next < reader->end) {
        char kind = reader->next[0];
        const char *text = reader->next + 1;
        size_t length = strlen(text);
        reader->next = text + length + 1;
        if (kind == RECORD_FILE) {
            reader->file = text;
            reader->line = 0;
        } else if (kind == RECORD_LINE) {
            long line = strtol(text, NULL, 10);
            reader->line = line > 0 && line < INT_MAX ? (int)line - 1 : 0;
        } else {
            reader->line++;
            *out = (struct member){.kind = kind == (char)MEMBER_ADDRESS ? MEMBER_ADDRESS
                                                                        : MEMBER_OPAQUE,
                                   .text = text,
                                   .length = length};
            return true;
        }
    }
    return false;
}

enum status roster_unpack(struct roster *roster, const char *data, size_t length)
{
    size_t count = 0;
    for (const char *at = data, *end = data + length; at < end;) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));
        if (nul == NULL || nul == at || strchr("aofl", at[0]) == NULL)
            return STATUS_INVALID;
        count += at[0] == (char)MEMBER_ADDRESS || at[0] == (char)MEMBER_OPAQUE;
        at = nul + 1;
    }
    struct roster fresh = {.count = count};
    text_add(&fresh.text, data, length);
    if (fresh.text.failed) {
        roster_clear(&fresh);
        return STATUS_NOMEM;
    }
    *roster = fresh;
    return STATUS_OK;
}

void roster_trim(struct roster *roster)
{
    if (roster->text.length == 0)
        return;
    char *data = realloc(roster->text.data, roster->text.length + 1);
    if (data == NULL)
        return;
    roster->text.data = data;
    roster->text.capacity = roster->text.length + 1;
}

void roster_clear(struct roster *roster)
{
    text_clear(&roster->text);
    *roster = (struct roster){0};
}
