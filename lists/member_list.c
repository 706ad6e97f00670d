/* A million plain addresses cost their text and a byte each. No address that is plain
 * begins with an upper-case letter, as the kinds of all other records do. */
#include "lists/member_list.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"

enum { RECORD_FILE = 'F', RECORD_LINE = 'L' };

static void add_record(struct member_list *list, char kind, const char *data,
                       size_t length)
{
    if (kind != (char)MEMBER_PLAIN)
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
    if (kind == MEMBER_ADDRESS && address_is_plain(data, length))
        kind = MEMBER_PLAIN;
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
        const char *text = reader->next;
        bool plain = *text < 'A' || *text > 'Z';
        char kind = plain ? (char)MEMBER_PLAIN : *text++;
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
            *out = (struct member){
                .kind = (enum member_kind)kind, .text = text, .length = length};
            return true;
        }
    }
    return false;
}

void member_list_adopt(struct member_list *list, char *plain, size_t length, size_t count)
{
    *list = (struct member_list){
        .text = {.data = plain, .length = length, .capacity = length + 1},
        .count = count,
        .line = (int)count};
}

enum status member_list_unpack(struct member_list *list, const char *data, size_t length)
{
    size_t count = 0;
    for (const char *at = data, *end = data + length; at < end;) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));
        if (nul == NULL || nul == at ||
            (strchr("AOFL", at[0]) == NULL && !address_is_plain(at, (size_t)(nul - at))))
            return STATUS_INVALID;
        count += at[0] != RECORD_FILE && at[0] != RECORD_LINE;
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

struct shared_text *member_list_share(struct member_list *list)
{
    if (list->shared == NULL)
        list->shared = shared_text_new(list->text.data);
    return list->shared == NULL ? NULL : shared_text_ref(list->shared);
}

enum status member_list_lend(struct member_list *from, struct member_list *list)
{
    if (from->text.length == 0)
        return STATUS_OK;
    if (member_list_share(from) == NULL)
        return STATUS_NOMEM;
    *list = *from;
    return STATUS_OK;
}

void member_list_trim(struct member_list *list)
{
    if (list->text.length == 0 || list->shared != NULL)
        return;
    char *data = realloc(list->text.data, list->text.length + 1);
    if (data == NULL)
        return;
    list->text.data = data;
    list->text.capacity = list->text.length + 1;
}

void member_list_clear(struct member_list *list)
{
    if (list->shared != NULL)
        shared_text_unref(list->shared);
    else
        text_clear(&list->text);
    *list = (struct member_list){0};
}
