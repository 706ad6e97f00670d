/* Keys are interned, so that a key written twice is one entry. */
#include "lists/entries.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* "@domain" is read as "x@domain". */
enum status entries_spell(const char *key, size_t length, struct address *out)
{
    char whole[ADDRESS_SIZE];
    bool catch_all = key[0] == '@';
    if (length == 0 || length + catch_all >= sizeof whole)
        return STATUS_INVALID;
    whole[0] = 'x';
    memcpy(whole + catch_all, key, length);

    struct address address;
    if (address_parse(whole, length + catch_all, &address) != STATUS_OK ||
        address.length == 0 || address.at + 1 == address.length || address.at == 0 ||
        (catch_all && (address.at != 1 || address.length == 1)))
        return STATUS_INVALID;
    if (catch_all) {
        memmove(address.text, address.text + 1, address.length);
        address.length--;
        address.at--;
    }
    *out = address;
    return STATUS_OK;
}

enum status entries_address(const char *key, const struct domains *domains, size_t domain,
                            struct address *out)
{
    enum status status = entries_spell(key, strlen(key), out);
    if (status == STATUS_OK && out->text[0] != '@' && domain < domains->count)
        status = address_qualify(out, domains->names[domain]);
    return status;
}

static enum status grow(struct entries *entries)
{
    if (entries->count >= ENTRIES_MAX)
        return STATUS_LIMIT;
    if (entries->keys == NULL && (entries->keys = intern_new()) == NULL)
        return STATUS_NOMEM;
    return array_reserve(&entries->items, entries->count, sizeof *entries->items)
               ? STATUS_OK
               : STATUS_NOMEM;
}

enum status entries_open(struct entries *entries, const char *key, size_t length,
                         struct entry **out)
{
    struct address address = {0};
    uint32_t id;
    enum status status = length == 0 ? STATUS_OK : entries_spell(key, length, &address);
    if (status == STATUS_OK)
        status = grow(entries);
    if (status == STATUS_OK)
        status = intern_add(entries->keys, address.text, address.length, &id);
    if (status != STATUS_OK)
        return status;
    if (id == entries->count)
        entries->items[entries->count++] = (struct entry){0};
    *out = &entries->items[id];
    return STATUS_OK;
}

/* True when all members are one and the same address, or opaque. */
static bool is_single(const struct member_list *list, enum member_kind *out_kind)
{
    struct member_list_reader reader = member_list_read(list);
    struct member first, other;
    if (!member_list_next(&reader, &first))
        return false;
    while (member_list_next(&reader, &other)) {
        if (other.kind != first.kind || strcmp(other.text, first.text) != 0)
            return false;
    }
    *out_kind = first.kind;
    return true;
}

enum status entries_settle(struct entries *entries, struct entry *entry)
{
    enum member_kind only;
    if (entry->members.text.failed || entry->kept.text.failed)
        return STATUS_NOMEM;
    entry->kind = ENTRY_LIST;
    if (!entry->always_list && entry->kept.count == 0 &&
        is_single(&entry->members, &only))
        entry->kind = only == MEMBER_OPAQUE ? ENTRY_SELF : ENTRY_REDIRECT;
    member_list_trim(&entry->members);
    size_t bytes = entry->members.text.length + entry->kept.text.length;
    entries->bytes += bytes - entry->settled_bytes;
    entry->settled_bytes = bytes;
    return entries->bytes > ENTRIES_BYTES_MAX ? STATUS_LIMIT : STATUS_OK;
}

struct entry *entries_find(const struct entries *entries, const char *key)
{
    uint32_t id;
    if (entries->keys == NULL || !intern_find(entries->keys, key, strlen(key), &id))
        return NULL;
    return &entries->items[id];
}

const char *entries_key(const struct entries *entries, size_t index)
{
    return intern_string(entries->keys, (uint32_t)index);
}

void entries_clear(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        member_list_clear(&entries->items[i].members);
        member_list_clear(&entries->items[i].kept);
    }
    free(entries->items);
    intern_free(entries->keys);
    *entries = (struct entries){0};
}
