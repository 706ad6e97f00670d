/* Settings are shared by all snapshots refreshed from one load; a directory belongs to
 * one, and borrows its domains from the settings, so it goes first. */
#include "lists/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/intern.h"
#include "lists/list_import.h"

struct snapshot_settings {
    atomic_uint references;
    struct settings settings;
};

struct snapshot_parts {
    struct snapshot_settings *shared;
    struct directory *directory;
    struct text summaries; /* of the servers that were read, a line each */
    struct text unread;    /* of the sources that weren't, a line each */
};

struct snapshot_settings *snapshot_settings_ref(const struct snapshot *snapshot)
{
    struct snapshot_settings *shared = snapshot->parts->shared;
    atomic_fetch_add(&shared->references, 1);
    return shared;
}

const struct settings *snapshot_settings_get(const struct snapshot_settings *shared)
{
    return &shared->settings;
}

void snapshot_settings_unref(struct snapshot_settings *shared)
{
    if (shared == NULL || atomic_fetch_sub(&shared->references, 1) != 1)
        return;
    settings_clear(&shared->settings);
    free(shared);
}

/* ---- do the lists that rules name exist? ---- */

struct list_check {
    const struct settings *settings;
    const struct directory *directory;
    struct problems *problems;
    struct intern *reported; /* an element of a group is in every rule that names it */
    bool unread;             /* then a missing list may be one that could not be read */
};

static enum status tell_missing(const struct list_check *check,
                                const struct element *element)
{
    struct text once = {0};
    uint32_t before = intern_count(check->reported);
    uint32_t id = 0;
    text_printf(&once, "%d %s", element->line, element->text);
    enum status status = once.failed
                             ? STATUS_NOMEM
                             : intern_add(check->reported, once.data, once.length, &id);
    text_clear(&once);
    if (status != STATUS_OK || id < before)
        return status;
    const char *file = element->file != NULL ? element->file : check->settings->file;
    if (check->unread)
        problems_warning(check->problems, file, element->line,
                         "list:%s is in no source that could be read", element->text);
    else
        problems_error(check->problems, file, element->line, "there is no list %s",
                       element->text);
    return STATUS_OK;
}

static enum status check_elements(const struct list_check *check,
                                  const struct elements *elements)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < elements->count && status == STATUS_OK; i++) {
        const struct element *element = &elements->items[i];
        struct address address;
        struct target target;
        if (element->kind != ELEMENT_LIST)
            continue;
        status = address_parse(element->text, strlen(element->text), &address);
        if (status != STATUS_OK)
            break;
        directory_find(check->directory, &address, &target);
        if (target.kind == TARGET_PERSON)
            status = tell_missing(check, element);
    }
    return status;
}

static enum status check_rule(const struct list_check *check, const struct rule *rule)
{
    const struct elements *const all[] = {&rule->from, &rule->from_not, &rule->to,
                                          &rule->to_not};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && status == STATUS_OK; i++)
        status = check_elements(check, all[i]);
    return status;
}

static enum status check_lists(struct list_check *check)
{
    const struct policy *policy = &check->settings->policy;
    enum status status = STATUS_OK;
    check->reported = intern_new();
    if (check->reported == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < policy->group_count && status == STATUS_OK; i++)
        status = check_elements(check, &policy->groups[i].elements);
    for (size_t i = 0; i < policy->rule_count && status == STATUS_OK; i++)
        status = check_rule(check, &policy->rules[i]);
    intern_free(check->reported);
    return status;
}

/* ---- building ---- */

static enum status find_jumps(const struct list_import *import)
{
    struct jumps_args args = {.directory = import->directory,
                              .origins = import->origins,
                              .origin_count = import->origin_count,
                              .now_ms = import->now_ms,
                              .only_look = catalog_only_looks(import->catalog),
                              .problems = import->problems};
    return jumps_apply(catalog_jumps(import->catalog), &args);
}

/* Fills and seals a directory, and holds the rules against it. */
static enum status fill(const struct settings *settings, const struct snapshot_more *more,
                        struct list_import *import)
{
    struct directory *directory = import->directory;
    struct problems *problems = import->problems;
    enum status status = jumps_load(catalog_jumps(import->catalog),
                                    catalog_only_looks(import->catalog), problems);
    if (status == STATUS_OK)
        status = list_import_sources(settings, import);
    if (status == STATUS_OK && more != NULL)
        status = more->add(more->context, directory);
    if (status == STATUS_OK)
        status = directory_seal(directory, problems);
    if (status == STATUS_OK && more == NULL)
        status = find_jumps(import);
    free(import->origins);
    struct list_check check = {.settings = settings,
                               .directory = directory,
                               .problems = problems,
                               .unread = import->unread};
    if (status == STATUS_OK)
        status = check_lists(&check);
    return status;
}

/* Passes problems on, with errors as warnings if demote. */
static void hand_on(struct problems *problems, const struct problems *found, bool demote)
{
    size_t errors = 0;
    size_t warnings = 0;
    for (size_t i = 0; i < found->count; i++) {
        const struct problem *problem = &found->items[i];
        errors += !problem->warning;
        warnings += problem->warning;
        if (problem->warning || demote)
            problems_warning(problems, problem->file, problem->line, "%s", problem->text);
        else
            problems_error(problems, problem->file, problem->line, "%s", problem->text);
    }
    problems->warnings += found->warnings - warnings; /* those that were not kept */
    *(demote ? &problems->warnings : &problems->errors) += found->errors - errors;
}

/* The daemon's catalog, to compare with. NULL when out of memory. */
static struct catalog *open_kept(const struct settings *settings)
{
    char *folder = catalog_folder(settings->store.state_file);
    struct catalog *catalog = catalog_new(folder);
    free(folder);
    if (catalog != NULL)
        catalog_only_look(catalog);
    return catalog;
}

/* Builds on settings whose reference is taken over, also on failure. */
struct build_args {
    struct catalog *catalog; /* NULL: a temporary one */
    bool strict;
    bool due_only; /* sources that are not due are not read */
    bool aliases;  /* those of aliases(5) are */
    enum list_import_servers servers;
    int64_t now_ms;
    const struct snapshot_more *more; /* NULL: nothing */
};

static enum status build(struct snapshot_settings *shared, const struct build_args *args,
                         struct problems *problems, struct snapshot **out_snapshot)
{
    struct catalog *catalog = args->catalog;
    struct problems found = {0};
    struct text summaries = {0}, unread = {0};
    struct catalog *own = catalog == NULL ? open_kept(&shared->settings) : NULL;
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    struct snapshot_parts *parts = calloc(1, sizeof *parts);
    struct directory *directory = directory_new(&shared->settings.policy.domains);
    enum status status = STATUS_NOMEM;
    struct list_import import = {.catalog = catalog == NULL ? own : catalog,
                                 .directory = directory,
                                 .problems = &found,
                                 .now_ms = args->now_ms,
                                 .due_only = args->due_only,
                                 .aliases = args->aliases,
                                 .servers = args->servers,
                                 .summaries = &summaries,
                                 .unread_sources = &unread};
    if (snapshot != NULL && parts != NULL && directory != NULL && import.catalog != NULL)
        status = fill(&shared->settings, args->more, &import);
    catalog_free(own);
    if (status == STATUS_NOMEM && found.errors == 0)
        problems_error(&found, shared->settings.file, 0, "out of memory");
    if (status == STATUS_OK && args->strict && found.errors > 0)
        status = STATUS_INVALID;
    hand_on(problems, &found, status == STATUS_OK);
    problems_clear(&found);
    if (status != STATUS_OK) {
        directory_free(directory);
        snapshot_settings_unref(shared);
        text_clear(&summaries);
        text_clear(&unread);
        free(parts);
        free(snapshot);
        return status;
    }
    *parts = (struct snapshot_parts){.shared = shared,
                                     .directory = directory,
                                     .summaries = summaries,
                                     .unread = unread};
    snapshot->settings = &shared->settings;
    snapshot->directory = directory;
    snapshot->parts = parts;
    atomic_init(&snapshot->references, 1);
    atomic_init(&snapshot->pins, 0);
    *out_snapshot = snapshot;
    return STATUS_OK;
}

/* Reads the configuration and builds on it. */
static enum status load(const char *path, const struct build_args *args,
                        struct problems *problems, struct snapshot **out_snapshot)
{
    struct snapshot_settings *shared = calloc(1, sizeof *shared);
    if (shared == NULL) {
        problems_error(problems, path, 0, "out of memory");
        return STATUS_NOMEM;
    }
    atomic_init(&shared->references, 1);
    enum status status = settings_load(path, &shared->settings, problems);
    if (status != STATUS_OK) {
        free(shared);
        return status;
    }
    return build(shared, args, problems, out_snapshot);
}

enum status snapshot_load(const char *path, struct catalog *catalog, bool strict,
                          struct problems *problems, struct snapshot **out_snapshot)
{
    struct build_args args = {
        .catalog = catalog, .strict = strict, .now_ms = clock_wall_ms()};
    if (catalog == NULL)
        args.servers = strict ? SERVERS_ALL : SERVERS_UNKNOWN;
    enum status status = load(path, &args, problems, out_snapshot);
    if (status == STATUS_OK && catalog != NULL)
        catalog_sweep(catalog, (*out_snapshot)->settings);
    return status;
}

enum status snapshot_load_more(const char *path, const struct snapshot_more *more,
                               struct problems *problems, struct snapshot **out_snapshot)
{
    struct build_args args = {
        .more = more, .now_ms = clock_wall_ms(), .servers = SERVERS_UNKNOWN};
    return load(path, &args, problems, out_snapshot);
}

enum status snapshot_refresh(const struct snapshot *old, struct catalog *catalog,
                             int64_t now_ms, bool aliases, struct problems *problems,
                             struct snapshot **out_snapshot)
{
    struct build_args args = {
        .catalog = catalog, .due_only = true, .aliases = aliases, .now_ms = now_ms};
    return build(snapshot_settings_ref(old), &args, problems, out_snapshot);
}

enum status snapshot_keep(struct snapshot *fresh, const struct snapshot *running)
{
    return settings_keep(&fresh->parts->shared->settings, running->settings);
}

const char *snapshot_summaries(const struct snapshot *snapshot)
{
    return text_string(&snapshot->parts->summaries);
}

const char *snapshot_unread(const struct snapshot *snapshot)
{
    return text_string(&snapshot->parts->unread);
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add(&snapshot->references, 1);
    return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (snapshot == NULL || atomic_fetch_sub(&snapshot->references, 1) != 1)
        return;
    directory_free(snapshot->parts->directory);
    snapshot_settings_unref(snapshot->parts->shared);
    text_clear(&snapshot->parts->summaries);
    text_clear(&snapshot->parts->unread);
    free(snapshot->parts);
    free(snapshot);
}
