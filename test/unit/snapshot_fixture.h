/* A configuration and its lists in a folder, and the snapshot that is made of them. */
#ifndef TEST_SNAPSHOT_FIXTURE_H
#define TEST_SNAPSHOT_FIXTURE_H

#include "lists/snapshot.h"

#include "base/clock.h"
#include "lists_fixture.h"

static struct problems problems;
static struct catalog *catalog;
static struct snapshot *snapshot;

static inline void setup(void)
{
    folder_make();
    catalog = catalog_new(in_folder("kept"));
    ck_assert_ptr_nonnull(catalog);
}

static inline void teardown(void)
{
    snapshot_unref(snapshot);
    snapshot = NULL;
    catalog_free(catalog);
    problems_clear(&problems);
    folder_remove();
}

static inline void restart(void)
{
    snapshot_unref(snapshot);
    snapshot = NULL;
    catalog_free(catalog);
    catalog = catalog_new(in_folder("kept"));
    problems_clear(&problems);
}

#define DOMAINS "domains = [ \"a.example\", \"b.example\" ];\n"

/* Writes a configuration: own domains and the lines given. */
static inline void configure(const char *lines)
{
    struct text text = {0};
    text_printf(&text, "%s%s", DOMAINS, lines);
    file_put("mailbrake.conf", text_string(&text));
    text_clear(&text);
}

/* Warnings of the configuration alone, such as a key that is not set. */
static inline size_t settings_warnings(void)
{
    struct settings settings;
    struct problems own = {0};
    if (settings_load(in_folder("mailbrake.conf"), &settings, &own) == STATUS_OK)
        settings_clear(&settings);
    size_t warnings = own.warnings;
    problems_clear(&own);
    return warnings;
}

/* Warnings of the last load or refresh that come from lists. */
static size_t warnings;

static inline enum status load(bool strict)
{
    struct snapshot *fresh = NULL;
    problems_clear(&problems);
    enum status status =
        snapshot_load(in_folder("mailbrake.conf"), catalog, strict, &problems, &fresh);
    warnings = problems.warnings - settings_warnings();
    if (status == STATUS_OK) {
        snapshot_unref(snapshot);
        snapshot = fresh;
    } else {
        ck_assert_ptr_null(fresh);
        ck_assert_uint_gt(problems.errors, 0);
    }
    return status;
}

static int64_t later_ms;

static inline void refresh(void)
{
    struct snapshot *fresh = NULL;
    problems_clear(&problems);
    later_ms += 10 * 60 * 1000; /* all are due */
    ck_assert_int_eq(snapshot_refresh(snapshot, catalog, clock_wall_ms() + later_ms,
                                      false, &problems, &fresh),
                     STATUS_OK);
    warnings = problems.warnings;
    snapshot_unref(snapshot);
    snapshot = fresh;
}

static inline struct target find(const char *text)
{
    struct address address;
    struct target target;
    ck_assert_int_eq(address_parse(text, strlen(text), &address), STATUS_OK);
    directory_find(snapshot->directory, &address, &target);
    return target;
}

/* "ok 2" for a list of two that was read well; "person a@b". */
static inline const char *shown(const char *text)
{
    static char line[ADDRESS_SIZE + 20];
    static const char *const states[] = {"ok", "stale", "shrunk", "grown", "unknown"};
    struct target target = find(text);
    if (target.list == DIRECTORY_NONE) {
        (void)snprintf(line, sizeof line, "%s %s",
                       target.kind == TARGET_PERSON ? "person" : "unknown",
                       target.address.text);
        return line;
    }
    const struct list *list = directory_list(snapshot->directory, target.list);
    ck_assert_int_eq(target.kind == TARGET_UNKNOWN, list->state == LIST_UNKNOWN);
    (void)snprintf(line, sizeof line, "%s %u", states[list->state], (unsigned)list->size);
    return line;
}

static inline void expect_clean(void)
{
    ck_assert_uint_eq(problems.errors, 0);
    ck_assert_uint_eq(warnings, 0);
}

#endif
