/* A collection is read page by page, and again from the start when its size changed
 * meanwhile. Each page says how many there are in all: anything else is half an answer.
 */
#include "lists/mailman.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "policy/address.h"

enum { ATTEMPTS = 3, TOTAL_MAX = 50000000 };

#define DELIVERED "&delivery_status=enabled"

struct mailman_list {
    char *id, *address;
    size_t count; /* of members, all of them */
};

struct reading {
    const struct mailman_server *server;
    struct entries *entries;
    struct problems *problems;
    struct error *error;
    struct mailman_list *lists;
    size_t list_count;
};

static void forget_lists(struct reading *reading)
{
    for (size_t i = 0; i < reading->list_count; i++) {
        free(reading->lists[i].id);
        free(reading->lists[i].address);
    }
    free(reading->lists);
    reading->lists = NULL;
    reading->list_count = 0;
}

/* ---- collections ---- */

struct collection {
    const char *path; /* without what says which page */
    bool whole;       /* in one answer */
    /* Takes an entry; forget drops those that were taken. */
    enum status (*take)(void *target, const json_t *entry);
    void (*forget)(void *target);
    void *target;
};

static enum status refuse(const struct reading *reading, const char *path,
                          const char *what)
{
    return error_set(reading->error, STATUS_UNAVAILABLE,
                     "the answer to %.100s is not Mailman's: %s", path, what);
}

/* One page: where it starts and how many there are in all; entries may be NULL. */
struct page {
    size_t start, total;
    const json_t *entries;
};

static bool take_size(const json_t *answer, const char *name, size_t *out)
{
    const json_t *number = json_object_get(answer, name);
    json_int_t value = json_integer_value(number);
    if (!json_is_integer(number) || value < 0 || value > TOTAL_MAX)
        return false;
    *out = (size_t)value;
    return true;
}

static enum status take_page(const struct reading *reading,
                             const struct collection *collection, const struct page *page)
{
    enum status status = STATUS_OK;
    size_t left = page->total - page->start;
    size_t expected = collection->whole || left < MAILMAN_PAGE ? left : MAILMAN_PAGE;
    if (json_array_size(page->entries) != expected)
        return refuse(reading, collection->path, "entries are missing");
    for (size_t i = 0; i < expected && status == STATUS_OK; i++)
        status = collection->take(collection->target, json_array_get(page->entries, i));
    return status == STATUS_INVALID
               ? refuse(reading, collection->path, "an entry lacks what it must have")
               : status;
}

/* The page that starts after so many entries. CONFLICT when the collection's size is no
 * longer the total, which is 0 for the first. */
static enum status read_page(const struct reading *reading,
                             const struct collection *collection, size_t start,
                             size_t *total)
{
    struct text path = {0};
    struct page page = {0};
    json_t *answer = NULL;
    text_add_string(&path, collection->path);
    if (!collection->whole)
        text_printf(&path, "%ccount=%d&page=%zu",
                    strchr(collection->path, '?') == NULL ? '?' : '&', MAILMAN_PAGE,
                    start / MAILMAN_PAGE + 1);
    enum status status =
        path.failed ? STATUS_NOMEM
                    : reading->server->ask(reading->server->context, text_string(&path),
                                           &answer, reading->error);
    text_clear(&path);
    if (status != STATUS_OK)
        return status;
    page.entries = json_object_get(answer, "entries");
    if (!take_size(answer, "start", &page.start) ||
        !take_size(answer, "total_size", &page.total))
        status = refuse(reading, collection->path, "no start and total_size");
    else if (start > 0 && page.total != *total)
        status = STATUS_CONFLICT;
    else if (page.start != start || page.start > page.total)
        status = refuse(reading, collection->path, "another page than asked for");
    else
        status = take_page(reading, collection, &page);
    *total = page.total;
    json_decref(answer);
    return status;
}

static enum status read_collection(const struct reading *reading,
                                   const struct collection *collection)
{
    enum status status = STATUS_CONFLICT;
    for (int i = 0; i < ATTEMPTS && status == STATUS_CONFLICT; i++) {
        size_t total = 0;
        size_t start = 0;
        collection->forget(collection->target);
        do {
            status = read_page(reading, collection, start, &total);
            start += collection->whole ? total : MAILMAN_PAGE;
        } while (status == STATUS_OK && start < total);
    }
    return status == STATUS_CONFLICT
               ? refuse(reading, collection->path, "it changes all the time")
               : status;
}

/* ---- lists ---- */

static enum status take_list(void *target, const json_t *entry)
{
    struct reading *reading = target;
    struct mailman_list list = {0};
    const char *id = json_string_value(json_object_get(entry, "list_id"));
    const char *address = json_string_value(json_object_get(entry, "fqdn_listname"));
    if (id == NULL || address == NULL || !take_size(entry, "member_count", &list.count))
        return STATUS_INVALID;
    if (!array_reserve(&reading->lists, reading->list_count, sizeof *reading->lists))
        return STATUS_NOMEM;
    list.id = strdup(id);
    list.address = strdup(address);
    reading->lists[reading->list_count++] = list;
    return list.id == NULL || list.address == NULL ? STATUS_NOMEM : STATUS_OK;
}

static void drop_lists(void *target)
{
    forget_lists(target);
}

/* ---- members ---- */

static enum status take_member(void *target, const json_t *entry)
{
    struct member_list *members = target;
    const json_t *email = json_object_get(entry, "email");
    if (!json_is_string(email))
        return STATUS_INVALID;
    member_list_add(members, MEMBER_ADDRESS, json_string_value(email),
                    json_string_length(email), members->line + 1);
    return members->text.failed ? STATUS_NOMEM : STATUS_OK;
}

static void drop_members(void *target)
{
    member_list_clear(target);
}

/* Adds a part of a query, RFC 3986. */
static void add_encoded(struct text *text, const char *part)
{
    for (; *part != '\0'; part++) {
        bool plain = (*part >= '0' && *part <= '9') || (*part >= 'a' && *part <= 'z') ||
                     (*part >= 'A' && *part <= 'Z') || strchr("-._~", *part) != NULL;
        text_printf(text, plain ? "%c" : "%%%02X", (unsigned char)*part);
    }
}

/* Who has a role in a list. delivered: only those to whom Mailman sends something now; of
 * one that can't tell them (400) all. */
static enum status read_role(const struct reading *reading,
                             const struct mailman_list *list, const char *role,
                             bool delivered, struct member_list *out)
{
    struct text path = {0};
    struct collection collection = {
        .take = take_member, .forget = drop_members, .target = out, .whole = delivered};
    text_add_string(&path, "/members/find?list_id=");
    add_encoded(&path, list->id);
    text_printf(&path, "&role=%s&fields=email%s", role, delivered ? DELIVERED : "");
    collection.path = text_string(&path);
    enum status status =
        path.failed ? STATUS_NOMEM : read_collection(reading, &collection);
    if (status == STATUS_INVALID && delivered) {
        path.length -= sizeof DELIVERED - 1;
        path.data[path.length] = '\0';
        collection.whole = false;
        status = read_collection(reading, &collection);
    }
    text_clear(&path);
    return status;
}

/* ---- entries ---- */

/* Adds one member list's members to another, and clears it. */
static void move_members(struct member_list *to, struct member_list *from)
{
    struct member_list_reader reader = member_list_read(from);
    struct member member;
    while (member_list_next(&reader, &member))
        member_list_add(to, member.kind, member.text, member.length, to->line + 1);
    to->text.failed |= from->text.failed;
    member_list_clear(from);
}

/* Enters an address's members, which are taken over; other lists' members stay. */
static enum status enter(const struct reading *reading, const char *address, bool is_list,
                         struct member_list *members)
{
    struct entry *entry;
    enum status status = entries_open(reading->entries, address, strlen(address), &entry);
    if (status == STATUS_OK && !(entry->always_list && !is_list)) {
        entry->always_list = is_list;
        move_members(&entry->members, members);
        status = entries_settle(reading->entries, entry);
    }
    member_list_clear(members);
    if (status == STATUS_INVALID) {
        struct text shown = {0};
        text_add_escaped(&shown, address, strlen(address), ADDRESS_SIZE);
        problems_error(reading->problems, "", 0, "Mailman's list %s is no address",
                       text_string(&shown));
        text_clear(&shown);
        return STATUS_OK;
    }
    return status;
}

static enum status read_members(const struct reading *reading,
                                const struct mailman_list *list)
{
    struct member_list members = {0};
    enum status status =
        read_role(reading, list, "member", list->count <= MAILMAN_EXACT_MAX, &members);
    if (status != STATUS_OK) {
        member_list_clear(&members);
        return status;
    }
    return enter(reading, list->address, true, &members);
}

/* After the lists: "x-owner" may be one of them. */
static enum status read_owners(const struct reading *reading,
                               const struct mailman_list *list)
{
    struct member_list owners = {0};
    struct member_list moderators = {0};
    struct text address = {0};
    const char *at = strrchr(list->address, '@');
    enum status status = read_role(reading, list, "owner", true, &owners);
    if (status == STATUS_OK)
        status = read_role(reading, list, "moderator", true, &moderators);
    move_members(&owners, &moderators);
    if (owners.count == 0)
        member_list_add(&owners, MEMBER_OPAQUE, "the owner of Mailman's site", 27, 1);
    if (at == NULL)
        at = list->address + strlen(list->address);
    text_printf(&address, "%.*s-owner%s", (int)(at - list->address), list->address, at);
    if (status == STATUS_OK)
        status = address.failed ? STATUS_NOMEM
                                : enter(reading, text_string(&address), false, &owners);
    member_list_clear(&owners);
    text_clear(&address);
    return status;
}

enum status mailman_read(const struct mailman_server *server, struct entries *entries,
                         struct problems *problems, struct mailman_counts *out_counts,
                         struct error *error)
{
    struct reading reading = {
        .server = server, .entries = entries, .problems = problems, .error = error};
    struct collection lists = {
        .path = "/lists", .take = take_list, .forget = drop_lists, .target = &reading};
    struct mailman_counts counts = {0};
    enum status status = read_collection(&reading, &lists);
    for (size_t i = 0; i < reading.list_count && status == STATUS_OK; i++)
        status = read_members(&reading, &reading.lists[i]);
    for (size_t i = 0; i < entries->count; i++)
        counts.members += entries->items[i].members.count;
    for (size_t i = 0; i < reading.list_count && status == STATUS_OK; i++)
        status = read_owners(&reading, &reading.lists[i]);
    counts.lists = reading.list_count;
    forget_lists(&reading);
    if (status == STATUS_INVALID)
        status = STATUS_UNAVAILABLE; /* 400, and the error says so */
    if (status == STATUS_OK)
        *out_counts = counts;
    return status;
}
