/* A collection is read page by page, and again from the start when it changed meanwhile:
 * each page says how many entries there are in all, and behind each but the first the
 * entry before it is asked for again. Anything else is half an answer. */
#include "lists/mailman.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "policy/address.h"

enum { ATTEMPTS = 3, TOTAL_MAX = 50000000 };

#define DELIVERED "&delivery_status=enabled"

enum role { OWNER, MODERATOR, ROLE_COUNT };

struct mailman_list {
    char *id, *address;
    size_t count; /* of members, all of them */
    struct member_list staff[ROLE_COUNT];
};

struct mailman_reader {
    const struct mailman_server *server;
    struct entries *entries;
    struct problems *problems;
    struct error *error;
    struct mailman_list *lists; /* in the order of their ids, once all are read */
    size_t list_count;
    enum role role; /* whose owners or moderators are being read */
};

static void forget_lists(struct mailman_reader *reader)
{
    for (size_t i = 0; i < reader->list_count; i++) {
        struct mailman_list *list = &reader->lists[i];
        free(list->id);
        free(list->address);
        for (int role = 0; role < ROLE_COUNT; role++)
            member_list_clear(&list->staff[role]);
    }
    free(reader->lists);
    reader->lists = NULL;
    reader->list_count = 0;
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

/* One answer; entries may be NULL. */
struct page {
    json_t *answer; /* owned */
    size_t start, total;
    const json_t *entries;
};

static enum status fail(const struct mailman_reader *reader, const char *path,
                        const char *what)
{
    return error_set(reader->error, STATUS_UNAVAILABLE,
                     "the answer to %.100s is not Mailman's: %s", path, what);
}

static bool take_size(const json_t *answer, const char *name, size_t *out)
{
    const json_t *number = json_object_get(answer, name);
    json_int_t value = json_integer_value(number);
    if (!json_is_integer(number) || value < 0 || value > TOTAL_MAX)
        return false;
    *out = (size_t)value;
    return true;
}

/* Asks for the page of so many entries after the first start of them; for everything
 * when count is 0. */
static enum status ask_page(const struct mailman_reader *reader, const char *path,
                            size_t start, size_t count, struct page *out)
{
    struct text asked = {0};
    struct page page = {0};
    text_add_string(&asked, path);
    if (count > 0)
        text_printf(&asked, "%ccount=%zu&page=%zu", strchr(path, '?') == NULL ? '?' : '&',
                    count, start / count + 1);
    enum status status =
        asked.failed ? STATUS_NOMEM
                     : reader->server->ask(reader->server->context, text_string(&asked),
                                           &page.answer, reader->error);
    text_clear(&asked);
    if (status != STATUS_OK)
        return status;
    page.entries = json_object_get(page.answer, "entries");
    if (!take_size(page.answer, "start", &page.start) ||
        !take_size(page.answer, "total_size", &page.total))
        status = fail(reader, path, "no start and total_size");
    else if (page.start != start)
        status = fail(reader, path, "another page than asked for");
    if (status == STATUS_OK)
        *out = page;
    else
        json_decref(page.answer);
    return status;
}

static enum status take_entries(const struct mailman_reader *reader,
                                const struct collection *collection,
                                const struct page *page)
{
    enum status status = STATUS_OK;
    size_t left = page->total - page->start;
    size_t expected = collection->whole || left < MAILMAN_PAGE ? left : MAILMAN_PAGE;
    if (json_array_size(page->entries) != expected)
        return fail(reader, collection->path, "entries are missing");
    for (size_t i = 0; i < expected && status == STATUS_OK; i++)
        status = collection->take(collection->target, json_array_get(page->entries, i));
    return status == STATUS_INVALID
               ? fail(reader, collection->path, "an entry lacks what it must have")
               : status;
}

static bool is_same(const json_t *a, const json_t *b, const char *field)
{
    a = json_object_get(a, field);
    b = json_object_get(b, field);
    return a == b || json_equal(a, b);
}

/* Whether the last entry of the page before is still the one before this page: who joins
 * and who leaves may move entries from one page to the other and not change the total.
 * CONFLICT if not. */
static enum status check_joint(const struct mailman_reader *reader,
                               const struct collection *collection,
                               const struct page *page, const json_t *last)
{
    struct page before;
    enum status status = ask_page(reader, collection->path, page->start - 1, 1, &before);
    if (status != STATUS_OK)
        return status;
    const json_t *entry = json_array_get(before.entries, 0);
    if (before.total != page->total || !is_same(entry, last, "email") ||
        !is_same(entry, last, "list_id"))
        status = STATUS_CONFLICT;
    json_decref(before.answer);
    return status;
}

/* Reads the page after the one before, whose answer is dropped, or the first. CONFLICT
 * when the collection has changed since. */
static enum status read_page(const struct mailman_reader *reader,
                             const struct collection *collection, size_t start,
                             struct page *last)
{
    struct page page;
    enum status status = ask_page(reader, collection->path, start,
                                  collection->whole ? 0 : MAILMAN_PAGE, &page);
    if (status != STATUS_OK)
        return status;
    if (start > 0 && page.total != last->total)
        status = STATUS_CONFLICT;
    else
        status = take_entries(reader, collection, &page);
    if (status == STATUS_OK && start > 0)
        status = check_joint(reader, collection, &page,
                             json_array_get(last->entries, MAILMAN_PAGE - 1));
    json_decref(last->answer);
    *last = page;
    return status;
}

static enum status read_collection(const struct mailman_reader *reader,
                                   const struct collection *collection)
{
    enum status status = STATUS_CONFLICT;
    for (int i = 0; i < ATTEMPTS && status == STATUS_CONFLICT; i++) {
        struct page page = {0};
        size_t start = 0;
        collection->forget(collection->target);
        do {
            status = read_page(reader, collection, start, &page);
            start += collection->whole ? page.total : MAILMAN_PAGE;
        } while (status == STATUS_OK && start < page.total);
        json_decref(page.answer);
    }
    return status == STATUS_CONFLICT
               ? error_set(reader->error, STATUS_UNAVAILABLE,
                           "%.100s changes each time it is read", collection->path)
               : status;
}

/* Finds members. Of up to MAILMAN_EXACT_MAX of them only those to whom Mailman sends
 * something now, unless it can't tell (400). */
static enum status find_members(const struct mailman_reader *reader, const char *query,
                                size_t count, struct collection *collection)
{
    struct text path = {0};
    enum status status = STATUS_INVALID;
    text_printf(&path, "/members/find?%s" DELIVERED, query);
    collection->path = text_string(&path);
    collection->whole = count <= MAILMAN_EXACT_MAX;
    if (path.failed)
        status = STATUS_NOMEM;
    else if (collection->whole)
        status = read_collection(reader, collection);
    if (status == STATUS_INVALID) {
        path.length -= sizeof DELIVERED - 1;
        path.data[path.length] = '\0';
        collection->whole = false;
        status = read_collection(reader, collection);
    }
    text_clear(&path);
    return status;
}

/* ---- lists ---- */

static enum status take_list(void *target, const json_t *entry)
{
    struct mailman_reader *reader = target;
    struct mailman_list list = {0};
    const char *id = json_string_value(json_object_get(entry, "list_id"));
    const char *address = json_string_value(json_object_get(entry, "fqdn_listname"));
    if (id == NULL || address == NULL || !take_size(entry, "member_count", &list.count))
        return STATUS_INVALID;
    if (!array_reserve(&reader->lists, reader->list_count, sizeof *reader->lists))
        return STATUS_NOMEM;
    list.id = strdup(id);
    list.address = strdup(address);
    reader->lists[reader->list_count++] = list;
    return list.id == NULL || list.address == NULL ? STATUS_NOMEM : STATUS_OK;
}

static void drop_lists(void *target)
{
    forget_lists(target);
}

static int compare_lists(const void *a, const void *b)
{
    const struct mailman_list *left = a, *right = b;
    return strcmp(left->id, right->id);
}

static int compare_id(const void *id, const void *list)
{
    return strcmp(id, ((const struct mailman_list *)list)->id);
}

static enum status read_lists(struct mailman_reader *reader)
{
    const struct collection lists = {
        .path = "/lists", .take = take_list, .forget = drop_lists, .target = reader};
    enum status status = read_collection(reader, &lists);
    if (status == STATUS_OK && reader->list_count > 0)
        qsort(reader->lists, reader->list_count, sizeof *reader->lists, compare_lists);
    return status;
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
static enum status enter(const struct mailman_reader *reader, const char *address,
                         bool is_list, struct member_list *members)
{
    struct entry *entry;
    enum status status = entries_open(reader->entries, address, strlen(address), &entry);
    if (status == STATUS_OK && !(entry->always_list && !is_list)) {
        entry->always_list = is_list;
        move_members(&entry->members, members);
        status = entries_settle(reader->entries, entry);
    }
    member_list_clear(members);
    if (status == STATUS_INVALID) {
        struct text shown = {0};
        text_add_escaped(&shown, address, strlen(address), ADDRESS_SIZE);
        problems_error(reader->problems, "", 0, "Mailman's list %s is not an address",
                       text_string(&shown));
        text_clear(&shown);
        return STATUS_OK;
    }
    return status;
}

static enum status read_members(const struct mailman_reader *reader,
                                const struct mailman_list *list)
{
    struct text query = {0};
    struct member_list members = {0};
    struct collection collection = {
        .take = take_member, .forget = drop_members, .target = &members};
    text_add_string(&query, "list_id=");
    text_add_percent(&query, list->id, "-._~");
    text_add_string(&query, "&role=member&fields=email");
    enum status status = query.failed ? STATUS_NOMEM
                                      : find_members(reader, text_string(&query),
                                                     list->count, &collection);
    text_clear(&query);
    if (status == STATUS_OK)
        status = enter(reader, list->address, true, &members);
    member_list_clear(&members);
    return status;
}

/* ---- owners and moderators, of all lists at once ---- */

static enum status take_staff(void *target, const json_t *entry)
{
    struct mailman_reader *reader = target;
    const char *id = json_string_value(json_object_get(entry, "list_id"));
    struct mailman_list *list = NULL;
    if (id == NULL)
        return STATUS_INVALID;
    if (reader->list_count > 0)
        list = bsearch(id, reader->lists, reader->list_count, sizeof *reader->lists,
                       compare_id);
    /* Else it was made after the lists were read. */
    return list == NULL ? STATUS_OK : take_member(&list->staff[reader->role], entry);
}

static void drop_staff(void *target)
{
    struct mailman_reader *reader = target;
    for (size_t i = 0; i < reader->list_count; i++)
        member_list_clear(&reader->lists[i].staff[reader->role]);
}

static enum status read_staff(struct mailman_reader *reader)
{
    static const char *const queries[ROLE_COUNT] = {
        [OWNER] = "role=owner&fields=email&fields=list_id",
        [MODERATOR] = "role=moderator&fields=email&fields=list_id"};
    enum status status = STATUS_OK;
    for (int role = 0; role < ROLE_COUNT && status == STATUS_OK; role++) {
        struct collection collection = {
            .take = take_staff, .forget = drop_staff, .target = reader};
        struct text path = {0};
        struct page first = {0};
        reader->role = (enum role)role;
        text_printf(&path, "/members/find?%s", queries[role]);
        status = path.failed ? STATUS_NOMEM
                             : ask_page(reader, text_string(&path), 0, 1, &first);
        json_decref(first.answer);
        text_clear(&path);
        if (status == STATUS_OK)
            status = find_members(reader, queries[role], first.total, &collection);
    }
    return status;
}

/* After all posting addresses: "x-owner" may be one of them. */
static enum status enter_staff(const struct mailman_reader *reader,
                               struct mailman_list *list)
{
    struct member_list *staff = &list->staff[OWNER];
    struct text address = {0};
    const char *at = strrchr(list->address, '@');
    move_members(staff, &list->staff[MODERATOR]);
    if (staff->count == 0)
        member_list_add(staff, MEMBER_OPAQUE, "the owner of Mailman's site", 27, 1);
    if (at == NULL)
        at = list->address + strlen(list->address);
    text_printf(&address, "%.*s-owner%s", (int)(at - list->address), list->address, at);
    enum status status = address.failed
                             ? STATUS_NOMEM
                             : enter(reader, text_string(&address), false, staff);
    text_clear(&address);
    return status;
}

/* So that it shows how much longer a timeout has to be. */
static void add_progress(const struct mailman_reader *reader, size_t done)
{
    struct error failure = *reader->error;
    (void)error_set(reader->error, STATUS_UNAVAILABLE, "%.300s, after %zu of %zu list%s",
                    failure.text, done, reader->list_count,
                    reader->list_count == 1 ? "" : "s");
}

static enum status read_all(struct mailman_reader *reader, struct mailman_counts *out)
{
    struct mailman_counts counts = {0};
    size_t done = 0;
    enum status status = read_lists(reader);
    while (status == STATUS_OK && done < reader->list_count) {
        status = read_members(reader, &reader->lists[done]);
        done += status == STATUS_OK;
    }
    for (size_t i = 0; i < reader->entries->count; i++)
        counts.members += reader->entries->items[i].members.count;
    if (status == STATUS_OK)
        status = read_staff(reader);
    if ((status == STATUS_UNAVAILABLE || status == STATUS_INVALID) &&
        reader->list_count > 0)
        add_progress(reader, done);
    for (size_t i = 0; i < reader->list_count && status == STATUS_OK; i++)
        status = enter_staff(reader, &reader->lists[i]);
    counts.lists = reader->list_count;
    *out = counts;
    return status;
}

enum status mailman_read(const struct mailman_server *server, struct entries *entries,
                         struct problems *problems, struct mailman_counts *out_counts,
                         struct error *error)
{
    struct mailman_reader reader = {
        .server = server, .entries = entries, .problems = problems, .error = error};
    struct mailman_counts counts;
    enum status status = read_all(&reader, &counts);
    forget_lists(&reader);
    if (status == STATUS_INVALID)
        status = STATUS_UNAVAILABLE; /* 400, and the error says so */
    if (status == STATUS_OK)
        *out_counts = counts;
    return status;
}
