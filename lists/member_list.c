/* A million members cost their text and two bytes each. */
#include "lists/member_list.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_FILE = 'f', RECORD_LINE = 'l' };

static void add_record(struct member_list *list, char kind, const char *data,
                       size_t length)
{
    text_add(&list->text, &kind, 1);
    text_add(&list->text, data, length);
    text_add(&list->text, "", 1);
}

void member_list_enter_file(struct member_list *list, const char *path)
{
    add_record(list, RECORD_FILE, path, strlen(path));
    list->line = 0;
}

const char *member_list_file(const struct member_list *list)
{
    const char *data = text_string(&list->text);
    return data[0] == RECORD_FILE ? data + 1 : NULL;
}

void member_list_add(struct member_list *list, enum member_kind kind, const char *data,
                     size_t length, int line)
{
    if (line != list->line + 1) {
        char number[16];
        int digits = snprintf(number, sizeof number, "%d", line);
        add_record(list, RECORD_LINE, number, (size_t)digits);
    }
    list->line = line;
    add_record(list, (char)kind, data, length);
    list->count++;
}

struct member_list_reader member_list_read(const struct member_list *list)
{
    const char *data = text_string(&list->text);
    return (struct member_list_reader){.next = data, .end = data + list->text.length};
}

bool member_list_next(struct member_list_reader *reader, struct member *out)
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

enum status member_list_unpack(struct member_list *list, const char *data, size_t length)
{
    size_t count = 0;
    for (const char *at = data, *end = data + length; at < end;) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));
        if (nul == NULL || nul == at || strchr("aofl", at[0]) == NULL)
            return STATUS_INVALID;
        count += at[0] == (char)MEMBER_ADDRESS || at[0] == (char)MEMBER_OPAQUE;
        at = nul + 1;
    }
    struct member_list fresh = {.count = count};
    text_add(&fresh.text, data, length);
    if (fresh.text.failed) {
        member_list_clear(&fresh);
        return STATUS_NOMEM;
    }
    *list = fresh;
    return STATUS_OK;
}

void member_list_trim(struct member_list *list)
{
    if (list->text.length == 0)
        return;
    char *data = realloc(list->text.data, list->text.length + 1);
    if (data == NULL)
        return;
    list->text.data = data;
    list->text.capacity = list->text.length + 1;
}

void member_list_clear(struct member_list *list)
{
    text_clear(&list->text);
    *list = (struct member_list){0};
}
