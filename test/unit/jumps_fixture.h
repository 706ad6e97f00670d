/* What the tests of jumps share: a configuration of lists in a folder of its own, its
 * snapshots, and what is known of the jumps. */
#ifndef TEST_JUMPS_FIXTURE_H
#define TEST_JUMPS_FIXTURE_H

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "lists/snapshot.h"
#include "lists_fixture.h"
#include "run.h"

static struct problems problems;
static struct catalog *catalog;
static struct snapshot *snapshot;
static int64_t now_ms;

static inline void configure(const char *top, const char *of_all)
{
    struct text text = {0};
    text_printf(&text,
                "domains = [ \"a.example\" ];\n%s\n"
                "store = { type = \"memory\"; state_file = \"%s/state\"; };\n"
                "lists = ( { address = \"all@a.example\"; file = \"all\"; %s },\n"
                "          { address = \"outer@a.example\"; file = \"outer\"; },\n"
                "          { aliases = \"aliases\"; } );\n",
                top, folder, of_all);
    file_put("mailbrake.conf", text_string(&text));
    text_clear(&text);
}

/* The addresses from one number to another, one a line. */
static inline void put(const char *file, const char *head, int from, int to)
{
    struct text text = {0};
    text_add_string(&text, head);
    for (int i = from; i < to; i++)
        text_printf(&text, "p%d@x.example\n", i);
    file_put(file, text_string(&text));
    text_clear(&text);
}

static inline void open_catalog(void)
{
    char *kept = catalog_folder(in_folder("state"));
    catalog_free(catalog);
    catalog = catalog_new(kept);
    free(kept);
    ck_assert_ptr_nonnull(catalog);
}

/* 300 members more of an entry of aliases(5). */
static inline void add_people(struct text *aliases)
{
    for (int i = 0; i < 300; i++)
        text_printf(aliases, ", p%d@x.example", i);
}

static inline void load(struct catalog *with)
{
    struct snapshot *fresh = NULL;
    problems_clear(&problems);
    ck_assert_int_eq(
        snapshot_load(in_folder("mailbrake.conf"), with, false, &problems, &fresh),
        STATUS_OK);
    snapshot_unref(snapshot);
    snapshot = fresh;
}

static inline void refresh_after(int64_t ms)
{
    struct snapshot *fresh = NULL;
    problems_clear(&problems);
    now_ms += ms;
    ck_assert_int_eq(
        snapshot_refresh(snapshot, catalog, now_ms, false, &problems, &fresh), STATUS_OK);
    snapshot_unref(snapshot);
    snapshot = fresh;
}

static inline void refresh(void)
{
    refresh_after(INT64_C(10) * 60 * 1000);
}

static inline void setup(void)
{
    folder_make();
    configure("", "");
    put("all", "", 0, 40);
    put("outer", "all@a.example\n", 9000, 9020);
    file_put("aliases", "team: a, b\n");
    open_catalog();
    load(catalog);
    now_ms = clock_wall_ms();
}

static inline void teardown(void)
{
    snapshot_unref(snapshot);
    snapshot = NULL;
    catalog_free(catalog);
    catalog = NULL;
    problems_clear(&problems);
    folder_remove();
}

static inline const struct list *find(const char *text)
{
    struct address address;
    struct target target;
    ck_assert_int_eq(address_parse(text, strlen(text), &address), STATUS_OK);
    directory_find(snapshot->directory, &address, &target);
    ck_assert_msg(target.list != DIRECTORY_NONE, "%s is no list", text);
    return directory_list(snapshot->directory, target.list);
}

static inline void expect(const char *text, enum list_state state, uint64_t size,
                          uint64_t was)
{
    const struct list *list = find(text);
    ck_assert_uint_eq(list->size, size);
    ck_assert_int_eq(list->state, state);
    ck_assert_uint_eq(list->was, was);
}

static inline enum status try_accept(const char *address, struct list_jumps *out)
{
    enum status status =
        jumps_accept(catalog_jumps(catalog), snapshot->directory, address, out);
    refresh_after(0);
    return status;
}

/* count: how many were accepted. */
static inline void accept(const char *address, size_t count)
{
    struct list_jumps jumps = {0};
    ck_assert_int_eq(try_accept(address, &jumps), STATUS_OK);
    ck_assert_uint_eq(jumps.count, count);
    list_jumps_clear(&jumps);
}

/* How many jumps wait for a notice in the ways wanted. */
static inline size_t to_notify(int64_t wanted, int64_t notified)
{
    struct list_jumps jumps = {0};
    int64_t found;
    ck_assert_int_eq(jumps_to_notify(catalog_jumps(catalog), wanted, &jumps, &found),
                     STATUS_OK);
    size_t count = jumps.count;
    ck_assert(count == 0 || found == notified);
    list_jumps_clear(&jumps);
    return count;
}

static inline void notify(int64_t wanted, int64_t notified)
{
    struct error error = {0};
    struct list_jumps jumps = {0};
    int64_t found;
    ck_assert_int_eq(jumps_to_notify(catalog_jumps(catalog), wanted, &jumps, &found),
                     STATUS_OK);
    ck_assert_int_eq(jumps_set_notified(catalog_jumps(catalog), &jumps, notified, &error),
                     STATUS_OK);
    list_jumps_clear(&jumps);
}

#endif
