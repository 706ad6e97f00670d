/* The last good entries of a source are read from the folder, if they are there, when the
 * source is first used. */
#include "lists/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "lists/cache.h"
#include "lists/shrink.h"

enum { RETRY_MS = 60000 }; /* after a failed read */

struct known_source {
    char name[CACHE_NAME_SIZE]; /* identifies kind and path */
    bool read;                  /* ever read successfully */
    bool begun;                 /* a read, since catalog_want */
    bool news;                  /* see catalog_is_news */
    struct source_read last;    /* without its entries; at_ms 0: none */
    struct entries entries;
    int64_t read_at_ms;
    char checksum[DIGEST_HEX_SIZE]; /* of what the folder holds, "" for nothing */
};

struct catalog {
    char *folder; /* NULL: none */
    bool only_look;
    struct known_source *known;
    size_t count;
    struct jumps *jumps;
};

struct catalog *catalog_new(const char *folder)
{
    struct catalog *catalog = calloc(1, sizeof *catalog);
    if (catalog == NULL)
        return NULL;
    catalog->folder = folder == NULL ? NULL : strdup(folder);
    catalog->jumps = jumps_new(catalog->folder);
    if (catalog->jumps == NULL || (folder != NULL && catalog->folder == NULL)) {
        catalog_free(catalog);
        return NULL;
    }
    return catalog;
}

static void known_clear(struct known_source *known)
{
    entries_clear(&known->entries);
    source_read_clear(&known->last);
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    for (size_t i = 0; i < catalog->count; i++)
        known_clear(&catalog->known[i]);
    free(catalog->known);
    jumps_free(catalog->jumps);
    free(catalog->folder);
    free(catalog);
}

void catalog_only_look(struct catalog *catalog)
{
    catalog->only_look = true;
}

char *catalog_folder(const char *state_file)
{
    char *folder = NULL;
    const char *slash = strrchr(state_file, '/');
    if (slash == NULL)
        return NULL;
    if (asprintf(&folder, "%.*s/lists", (int)(slash - state_file), state_file) < 0)
        return NULL;
    return folder;
}

/* NULL without a folder or memory. */
static char *path_in_folder(const struct catalog *catalog, const char *name)
{
    char *path = NULL;
    if (catalog->folder == NULL || asprintf(&path, "%s/%s", catalog->folder, name) < 0)
        return NULL;
    return path;
}

static enum status load(const struct catalog *catalog, const struct list_source *source,
                        struct known_source *known, struct problems *problems)
{
    struct cache_found found;
    struct error error;
    if (catalog->folder == NULL)
        return STATUS_OK;
    char *path = path_in_folder(catalog, known->name);
    if (path == NULL)
        return STATUS_NOMEM;
    enum status status = cache_read(path, source, &found, &error);
    free(path);
    if (status == STATUS_OK) {
        known->read = true;
        known->entries = found.entries;
        known->read_at_ms = found.read_at_ms;
        memcpy(known->checksum, found.checksum, sizeof known->checksum);
    } else if (status != STATUS_NOT_FOUND && status != STATUS_NOMEM &&
               !catalog->only_look) {
        problems_warning(problems, error.file, 0,
                         "the members kept of %s are lost: the file %s", source->path,
                         error.text);
    }
    return status == STATUS_NOMEM ? status : STATUS_OK;
}

/* NULL when it isn't known. */
static struct known_source *look_up(struct catalog *catalog,
                                    const struct list_source *source)
{
    char name[CACHE_NAME_SIZE];
    cache_name(source, name);
    for (size_t i = 0; i < catalog->count; i++) {
        if (strcmp(catalog->known[i].name, name) == 0)
            return &catalog->known[i];
    }
    return NULL;
}

static enum status find_known(struct catalog *catalog, const struct list_source *source,
                              struct problems *problems, struct known_source **out)
{
    struct known_source known = {0};
    cache_name(source, known.name);
    *out = look_up(catalog, source);
    if (*out != NULL)
        return STATUS_OK;
    if (!array_reserve(&catalog->known, catalog->count, sizeof *catalog->known))
        return STATUS_NOMEM;
    enum status status = load(catalog, source, &known, problems);
    if (status != STATUS_OK)
        return status;
    catalog->known[catalog->count] = known;
    *out = &catalog->known[catalog->count++];
    return STATUS_OK;
}

enum status catalog_last(struct catalog *catalog, const struct list_source *source,
                         struct problems *problems, struct entries **out_entries,
                         int64_t *out_read_at_ms)
{
    struct known_source *known;
    enum status status = find_known(catalog, source, problems, &known);
    if (status != STATUS_OK)
        return status;
    if (!known->read)
        return STATUS_NOT_FOUND;
    *out_entries = &known->entries;
    *out_read_at_ms = known->read_at_ms;
    return STATUS_OK;
}

/* Failed entries get the members that the known source last had. */
static enum status restore_failed(struct known_source *known, struct entries *entries)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < entries->count && status == STATUS_OK; i++) {
        struct entry *entry = &entries->items[i];
        struct entry *last = NULL;
        if (entry->failed && known->read)
            last = entries_find(&known->entries, entries_key(entries, i));
        if (last == NULL || (last->failed && last->read_at_ms == 0))
            continue;
        entry->always_list = last->always_list;
        entry->read_at_ms =
            last->failed || last->kept.count > 0 ? last->read_at_ms : known->read_at_ms;
        member_list_clear(&entry->members);
        status = member_list_lend(&last->members, &entry->members);
        if (status == STATUS_OK)
            status = member_list_lend(&last->kept, &entry->kept);
        if (status == STATUS_OK)
            status = entries_settle(entries, entry);
    }
    return status;
}

/* Puts a source's entries into the folder, unless they are there already. */
static enum status write_entries(const struct catalog *catalog,
                                 const struct list_source *source,
                                 struct known_source *known, struct error *error)
{
    struct cache cache;
    char *path = path_in_folder(catalog, known->name);
    if (path == NULL || cache_pack(source, &known->entries, &cache) != STATUS_OK) {
        free(path);
        return STATUS_NOMEM;
    }
    enum status status = STATUS_OK;
    if (strcmp(cache.checksum, known->checksum) != 0 ||
        cache_touch(path, known->read_at_ms) != STATUS_OK) {
        if (mkdir(catalog->folder, S_IRWXU) != 0 && errno != EEXIST)
            status =
                error_set_at(error, STATUS_IO, catalog->folder, 0, "%s", strerror(errno));
        if (status == STATUS_OK)
            status = cache_write(&cache, path, known->read_at_ms, error);
    }
    memcpy(known->checksum, status == STATUS_OK ? cache.checksum : "",
           status == STATUS_OK ? sizeof cache.checksum : 1);
    cache_clear(&cache);
    free(path);
    return status;
}

/* What goes wrong with the folder is a warning. */
static enum status save(const struct catalog *catalog, const struct list_source *source,
                        struct known_source *known, struct problems *problems)
{
    struct error error;
    if (catalog->folder == NULL || catalog->only_look)
        return STATUS_OK;
    enum status status = write_entries(catalog, source, known, &error);
    if (status == STATUS_IO)
        problems_warning(problems, error.file, 0, "can't keep the members of %s: %s",
                         source->path, error.text);
    return status == STATUS_NOMEM ? status : STATUS_OK;
}

/* The address of an entry's list in jumps, false for none. */
static bool list_address(const struct list_source *source, const struct domains *domains,
                         const char *key, struct address *out)
{
    return entries_address(key[0] == '\0' ? source->address : key, domains, 0, out) ==
           STATUS_OK;
}

static void forget_accepted_growth(const struct catalog *catalog,
                                   const struct list_source *source,
                                   const struct domains *domains, struct entries *entries)
{
    struct address address;
    for (size_t i = 0; i < entries->count; i++) {
        struct entry *entry = &entries->items[i];
        if (entry->accepted_count > 0 &&
            (!list_address(source, domains, entries_key(entries, i), &address) ||
             !jumps_is_grown(catalog->jumps, address.text)))
            entry->accepted_count = 0;
    }
}

/* Makes entries, which were read at now_ms, the last good ones of the known source; on
 * failure it keeps those it had. */
static enum status replace(const struct list_source *source, struct known_source *known,
                           struct entries *entries, int64_t now_ms)
{
    struct shrink_last last = {.entries = &known->entries,
                               .read_at_ms = known->read_at_ms};
    enum status status = restore_failed(known, entries);
    if (status == STATUS_OK && known->read)
        status = shrink_keep(source, &last, now_ms, entries);
    if (status != STATUS_OK)
        return status;
    entries_clear(&known->entries);
    known->entries = *entries;
    *entries = (struct entries){0};
    known->read = true;
    known->read_at_ms = now_ms;
    return STATUS_OK;
}

enum status catalog_drop_accepted(struct catalog *catalog,
                                  const struct list_source *source,
                                  const struct domains *domains,
                                  struct problems *problems)
{
    struct known_source *known;
    struct address address;
    bool dropped = false;
    enum status status = find_known(catalog, source, problems, &known);
    for (size_t i = 0; status == STATUS_OK && i < known->entries.count; i++) {
        struct entry *entry = &known->entries.items[i];
        if (entry->kept.count == 0 ||
            !list_address(source, domains, entries_key(&known->entries, i), &address) ||
            !jumps_is_accepted(catalog->jumps, address.text))
            continue;
        member_list_clear(&entry->kept);
        status = entries_settle(&known->entries, entry);
        dropped = true;
    }
    if (dropped)
        known->entries.shrunk_from = 0;
    return dropped && status == STATUS_OK ? save(catalog, source, known, problems)
                                          : status;
}

struct jumps *catalog_jumps(struct catalog *catalog)
{
    return catalog->jumps;
}

bool catalog_only_looks(const struct catalog *catalog)
{
    return catalog->only_look;
}

/* True when members that were read at one time became too old between two others. */
static bool expired(const struct list_source *source, int64_t read_at_ms, int64_t from_ms,
                    int64_t to_ms)
{
    return from_ms - read_at_ms <= source->max_age_ms &&
           to_ms - read_at_ms > source->max_age_ms;
}

static bool any_expired(const struct list_source *source,
                        const struct known_source *known, int64_t from_ms, int64_t to_ms)
{
    bool any = known->read && expired(source, known->read_at_ms, from_ms, to_ms);
    for (size_t i = 0; i < known->entries.count && !any; i++)
        any = expired(source, known->entries.items[i].read_at_ms, from_ms, to_ms);
    return any;
}

static bool is_news(const struct list_source *source, const struct known_source *known,
                    const struct source_read *read)
{
    const struct source_read *last = &known->last;
    return read->status == STATUS_OK || last->at_ms == 0 || last->status == STATUS_OK ||
           !problem_texts_match(read->error.text, last->error.text) ||
           any_expired(source, known, last->at_ms, read->at_ms);
}

enum status catalog_take(struct catalog *catalog, const struct list_source *source,
                         const struct domains *domains, struct source_read *read,
                         struct problems *problems)
{
    struct known_source *known;
    enum status status = find_known(catalog, source, problems, &known);
    if (status != STATUS_OK) {
        source_read_clear(read);
        return status;
    }
    if (read->status == STATUS_OK) {
        forget_accepted_growth(catalog, source, domains, &known->entries);
        read->status = replace(source, known, &read->entries, read->at_ms);
        if (read->status != STATUS_OK)
            (void)error_set(&read->error, read->status, "%s",
                            read->status == STATUS_NOMEM
                                ? "out of memory"
                                : "has too many entries or members, with those of before "
                                  "that still count");
    }
    entries_clear(&read->entries);
    known->news = is_news(source, known, read);
    source_read_clear(&known->last);
    known->last = *read;
    *read = (struct source_read){0};
    if (known->last.status == STATUS_OK)
        return save(catalog, source, known, problems);
    return known->last.status == STATUS_NOMEM ? STATUS_NOMEM : STATUS_OK;
}

bool catalog_is_news(struct catalog *catalog, const struct list_source *source)
{
    const struct known_source *known = look_up(catalog, source);
    return known == NULL || known->news;
}

bool catalog_knows(struct catalog *catalog, const struct list_source *source)
{
    return look_up(catalog, source) != NULL;
}

const struct source_read *catalog_last_read(struct catalog *catalog,
                                            const struct list_source *source)
{
    const struct known_source *known = look_up(catalog, source);
    return known == NULL || known->last.at_ms == 0 ? NULL : &known->last;
}

int64_t catalog_wait_ms(struct catalog *catalog, const struct list_source *source,
                        int64_t now_ms)
{
    const struct known_source *known = look_up(catalog, source);
    if (known == NULL || !known->begun || known->last.at_ms == 0)
        return 0;
    int64_t pause_ms = source->refresh_ms;
    if (known->last.status != STATUS_OK && pause_ms > RETRY_MS)
        pause_ms = RETRY_MS;
    int64_t age_ms = now_ms - known->last.at_ms; /* negative when the clock went back */
    return age_ms < 0 || age_ms >= pause_ms ? 0 : pause_ms - age_ms;
}

void catalog_begin(struct catalog *catalog, const struct list_source *source)
{
    struct known_source *known = look_up(catalog, source);
    if (known != NULL)
        known->begun = true;
}

void catalog_want(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++)
        catalog->known[i].begun = false;
}

static bool is_kept(const struct catalog *catalog, const char *name)
{
    for (size_t i = 0; i < catalog->count; i++) {
        if (strcmp(catalog->known[i].name, name) == 0)
            return true;
    }
    return false;
}

/* True for the name of a file that we write there. */
static bool is_ours(const char *name)
{
    size_t hex = strspn(name, "0123456789abcdef");
    return hex == DIGEST_HEX_SIZE - 1 &&
           (strcmp(name + hex, CACHE_SUFFIX) == 0 ||
            strcmp(name + hex, CACHE_SUFFIX CACHE_TEMPORARY) == 0);
}

static void sweep_folder(const struct catalog *catalog)
{
    DIR *folder = opendir(catalog->folder);
    if (folder == NULL)
        return;
    const struct dirent *file;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a folder of its own */
    while ((file = readdir(folder)) != NULL) {
        if (is_ours(file->d_name) && !is_kept(catalog, file->d_name))
            (void)unlinkat(dirfd(folder), file->d_name, 0);
    }
    (void)closedir(folder);
}

static bool is_configured(const struct settings *settings, const char *name)
{
    char configured[CACHE_NAME_SIZE];
    for (size_t i = 0; i < settings->list_count; i++) {
        cache_name(&settings->lists[i], configured);
        if (strcmp(configured, name) == 0)
            return true;
    }
    return false;
}

void catalog_sweep(struct catalog *catalog, const struct settings *settings)
{
    size_t kept = 0;
    for (size_t i = 0; i < catalog->count; i++) {
        struct known_source *known = &catalog->known[i];
        if (is_configured(settings, known->name))
            catalog->known[kept++] = *known;
        else
            known_clear(known);
    }
    catalog->count = kept;
    if (catalog->folder != NULL && !catalog->only_look)
        sweep_folder(catalog);
}
