/* A source is read into the catalog and entered from there, so that fresh and older
 * members take the same path. */
#include "lists/list_import.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "lists/file.h"
#include "lists/foreign.h"
#include "lists/lookup_table.h"
#include "lists/members.h"

/* One source being entered. */
struct import_job {
    const struct list_source *source;
    const struct domains *domains; /* where its bare names answer */
    struct list_import *import;
    bool fresh;    /* read just now */
    bool reported; /* that it shrank */
    int64_t read_at_ms;
};

enum { REFRESH_SLACK_MS = 500, SHARED_FROM_BYTES = 1024, PLAIN_AT_ONCE = 16 };

static enum status parse(const struct list_source *source, struct file *file,
                         struct entries *entries, struct problems *problems)
{
    switch (source->kind) {
    case LIST_ALIASES:
        return lookup_table_read_aliases(file, source->path, entries, problems);
    case LIST_VIRTUAL:
        return lookup_table_read_virtual(file, source->path, entries, problems);
    case LIST_FILE:
    default:
        return members_read(file, source->path, entries, problems);
    }
}

static enum status read_source(const struct list_source *source, struct entries *entries,
                               struct problems *problems, struct error *error)
{
    struct file file = {0};
    enum status status = file_read(source->path, FILE_BYTES_MAX, &file, error);
    if (status != STATUS_OK)
        return status;
    status = file_check_text(&file, source->path, error);
    if (status == STATUS_OK && source->kind == LIST_FILE)
        members_skip_plain(&file);
    if (status == STATUS_OK)
        status = foreign_check(&file, source->path, error);
    if (status == STATUS_OK) {
        status = parse(source, &file, entries, problems);
        if (status != STATUS_OK)
            (void)error_set(error, status, "%s",
                            status == STATUS_LIMIT ? "has too many entries or members"
                                                   : "out of memory");
    }
    file_clear(&file);
    if (status != STATUS_OK)
        entries_clear(entries);
    return status;
}

static bool is_too_old(const struct import_job *job, int64_t read_at_ms)
{
    return job->import->now_ms - read_at_ms > job->source->max_age_ms;
}

/* ---- entering ---- */

static enum status enter_member(const struct import_job *job,
                                const struct member_list_reader *reader, uint32_t list,
                                const struct member *member)
{
    struct directory *directory = job->import->directory;
    struct error error;
    if (member->kind == MEMBER_OPAQUE)
        return directory_add_opaque(directory, list, member->text, member->length);
    enum status status =
        directory_add_member(directory, list, member->text, member->length,
                             domains_first(job->domains), &error);
    if (status != STATUS_INVALID)
        return status;
    if (job->fresh)
        problems_error(job->import->problems,
                       reader->file == NULL ? job->source->path : reader->file,
                       reader->line, "%s", error.text);
    return directory_add_opaque(directory, list, member->text, member->length);
}

static enum list_state state_of(const struct import_job *job, const struct entry *entry,
                                int64_t read_at_ms)
{
    if (entry->failed && read_at_ms == 0)
        return LIST_UNKNOWN;
    if (job->fresh && entry->shrunk)
        return LIST_SHRUNK;
    if (job->fresh && !entry->failed)
        return LIST_OK;
    return is_too_old(job, read_at_ms) ? LIST_UNKNOWN : LIST_STALE;
}

/* The directory borrows the members of all but small lists. */
static enum status share(const struct import_job *job, struct member_list *members,
                         bool *out_lasting)
{
    *out_lasting = members->text.length >= SHARED_FROM_BYTES;
    if (!*out_lasting)
        return STATUS_OK;
    struct shared_text *text = member_list_share(members);
    return text == NULL ? STATUS_NOMEM : directory_keep(job->import->directory, text);
}

/* Plain ones some at a time, see intern_prepare. */
static enum status enter_members(const struct import_job *job, uint32_t list,
                                 struct member_list *members)
{
    struct directory *directory = job->import->directory;
    struct member_list_reader reader = member_list_read(members);
    struct member member;
    struct intern_text plain[PLAIN_AT_ONCE];
    size_t count = 0;
    bool lasting;
    enum status status = share(job, members, &lasting);
    if (status == STATUS_OK)
        status = directory_expect(directory, members->count);
    while (status == STATUS_OK && member_list_next(&reader, &member)) {
        bool is_plain = member.kind == MEMBER_PLAIN;
        if (is_plain)
            plain[count++] =
                (struct intern_text){.data = member.text, .length = member.length};
        if (is_plain && count < PLAIN_AT_ONCE)
            continue;
        status = directory_add_plain(directory, list, plain, count, lasting);
        count = 0;
        if (status == STATUS_OK && !is_plain)
            status = enter_member(job, &reader, list, &member);
    }
    return status == STATUS_OK
               ? directory_add_plain(directory, list, plain, count, lasting)
               : status;
}

static enum status enter_list(const struct import_job *job, struct entry *entry,
                              const struct address *address, uint32_t *out_list)
{
    struct directory *directory = job->import->directory;
    bool older = entry->failed || entry->shrunk;
    int64_t read_at_ms = older ? entry->read_at_ms : job->read_at_ms;
    enum status status =
        directory_add_list(directory, address->text, job->source->path,
                           state_of(job, entry, read_at_ms), read_at_ms, out_list);
    return status == STATUS_OK ? enter_members(job, *out_list, &entry->members) : status;
}

/* What an entry means at its addresses: a list, or whom it redirects to; a program is the
 * person at the first of them, whatever a catch-all says. */
struct meaning {
    bool is_list;
    uint32_t list;
    struct address target;
};

static enum status answer(const struct import_job *job, const struct meaning *meaning,
                          const struct address *address)
{
    struct directory *directory = job->import->directory;
    if (meaning->is_list)
        return directory_bind(directory, address->text, meaning->list);
    return directory_redirect(directory, address->text, meaning->target.text);
}

static void report_entry(const struct import_job *job, int line, const char *what)
{
    if (job->fresh)
        problems_error(job->import->problems, job->source->path, line, "%s", what);
}

/* INVALID, and reported in problems, when the single target is not an address. */
static enum status find_target(const struct import_job *job, const char *key,
                               const struct entry *entry, struct address *out)
{
    struct member_list_reader reader = member_list_read(&entry->members);
    struct member member;
    if (!member_list_next(&reader, &member))
        return STATUS_INVALID;
    enum status status = entries_spell(member.text, member.length, out);
    if (status == STATUS_OK && out->text[0] == '@' && key[0] != '@')
        status = STATUS_INVALID;
    const char *domain = domains_first(job->domains);
    if (status == STATUS_OK && domain != NULL && out->text[0] != '@')
        status = address_qualify(out, domain);
    if (status == STATUS_OK)
        return status;
    char what[64];
    (void)snprintf(what, sizeof what, "a target of %zu byte%s is not an address",
                   member.length, member.length == 1 ? "" : "s");
    report_entry(job, reader.line, what);
    return STATUS_INVALID;
}

/* The address of a key in the source's domain of this number. INVALID, and reported in
 * problems, when it has no room for the domain. */
static enum status address_in(const struct import_job *job, const char *key,
                              const struct entry *entry, size_t domain,
                              struct address *out)
{
    if (key[0] == '\0')
        key = job->source->address;
    enum status status = entries_spell(key, strlen(key), out);
    if (status == STATUS_OK && out->text[0] != '@' && domain < job->domains->count)
        status = address_qualify(out, job->domains->names[domain]);
    if (status == STATUS_OK)
        return status;
    report_entry(job, entry->line, "the name is too long");
    return STATUS_INVALID;
}

/* A user without domain; in quotes there may be an '@'. */
static bool is_bare(const char *key)
{
    size_t length = strlen(key);
    return length > 0 && (strchr(key, '@') == NULL || key[length - 1] == '"');
}

/* Repeated at each refresh, so that the log shows it for as long as it lasts. */
static void warn_of_table(const struct import_job *job, const struct entries *entries)
{
    problems_warning(job->import->problems, job->source->path, 0,
                     "suddenly has %zu member%s in all its entries instead of %zu; the "
                     "previous ones count until max_age is over",
                     entries->shrunk_to, entries->shrunk_to == 1 ? "" : "s",
                     entries->shrunk_from);
}

static void warn_of_shrunk(const struct import_job *job, const struct address *address,
                           const struct entry *entry)
{
    struct text shown = {0};
    text_add_escaped(&shown, address->text, address->length, ADDRESS_SIZE);
    problems_warning(job->import->problems, job->source->path, entry->line,
                     "%s suddenly has %zu member%s instead of %zu; the previous ones "
                     "count until max_age is over",
                     text_string(&shown), entry->shrunk_to,
                     entry->shrunk_to == 1 ? "" : "s", entry->members.count);
    text_clear(&shown);
}

static enum status enter(const struct import_job *job, const char *key,
                         struct entry *entry)
{
    struct address address;
    struct meaning meaning = {.is_list = entry->kind == ENTRY_LIST};
    enum status status = address_in(job, key, entry, 0, &address);
    if (status == STATUS_OK && job->fresh && entry->shrunk && !job->reported)
        warn_of_shrunk(job, &address, entry);
    if (status == STATUS_OK && meaning.is_list)
        status = enter_list(job, entry, &address, &meaning.list);
    else if (status == STATUS_OK && entry->kind == ENTRY_SELF)
        meaning.target = address;
    else if (status == STATUS_OK && entry->kind == ENTRY_REDIRECT)
        status = find_target(job, key, entry, &meaning.target);
    if (status == STATUS_OK)
        status = answer(job, &meaning, &address);
    for (size_t i = 1; is_bare(key) && status == STATUS_OK && i < job->domains->count;
         i++) {
        status = address_in(job, key, entry, i, &address);
        if (status == STATUS_OK)
            status = answer(job, &meaning, &address);
    }
    return status;
}

static enum status enter_all(struct import_job *job, struct entries *entries)
{
    enum status status = STATUS_OK;
    job->reported = entries->shrunk_from > 0;
    if (job->reported && job->fresh)
        warn_of_table(job, entries);
    directory_set_local(job->import->directory, job->source->kind == LIST_ALIASES);
    for (size_t i = 0; i < entries->count && status == STATUS_OK; i++) {
        struct entry *entry = &entries->items[i];
        job->import->unread |= entry->failed;
        status = enter(job, entries_key(entries, i), entry);
        if (status == STATUS_INVALID)
            status = STATUS_OK; /* reported; the addressed person, too */
    }
    return status;
}

/* A source that was never read. */
static enum status enter_nothing(const struct import_job *job)
{
    struct directory *directory = job->import->directory;
    enum status status = STATUS_OK;
    if (job->source->kind == LIST_FILE) {
        struct entry unknown = {.kind = ENTRY_LIST, .failed = true};
        return enter(job, "", &unknown);
    }
    for (size_t i = 0; i < job->domains->count && status == STATUS_OK; i++)
        status = directory_doubt_domain(directory, job->domains->names[i]);
    return status;
}

/* ---- one source ---- */

static const char *file_of(const struct settings *settings,
                           const struct list_source *source)
{
    return source->file != NULL ? source->file : settings->file;
}

static void report_unread(const struct settings *settings, const struct import_job *job,
                          const struct error *error, bool known)
{
    char place[32] = "";
    char age[80] = "never read successfully, so its lists are unknown";
    if (error->line > 0)
        (void)snprintf(place, sizeof place, ":%d", error->line);
    long long minutes = (job->import->now_ms - job->read_at_ms) / 60000;
    if (known)
        (void)snprintf(age, sizeof age, "last read successfully %lld minutes ago%s",
                       minutes,
                       is_too_old(job, job->read_at_ms) ? ", its lists are unknown" : "");
    problems_error(job->import->problems, file_of(settings, job->source),
                   job->source->line, "%s%s: %s (%s)", job->source->path, place,
                   error->text, age);
}

/* Read successfully and not long ago: its entries count as fresh. */
static bool is_recent(const struct import_job *job, int64_t read_at_ms)
{
    int64_t age_ms = job->import->now_ms - read_at_ms;
    bool anew = job->import->aliases && job->source->kind == LIST_ALIASES;
    return job->import->due_only && !anew && age_ms >= 0 &&
           age_ms + REFRESH_SLACK_MS < job->source->refresh_ms;
}

static enum status enter_source(const struct settings *settings, struct import_job *job)
{
    struct list_import *import = job->import;
    struct entries read = {0};
    struct entries *entries = NULL;
    struct error error;
    enum status status = catalog_last(import->catalog, job->source, import->problems,
                                      &entries, &job->read_at_ms);
    if (status == STATUS_OK && is_recent(job, job->read_at_ms)) {
        job->fresh = true;
        return enter_all(job, entries);
    }
    status = read_source(job->source, &read, import->problems, &error);
    job->fresh = status == STATUS_OK;
    if (job->fresh)
        status = catalog_store(import->catalog, job->source, &read, import->now_ms,
                               import->problems);
    if (status == STATUS_NOMEM)
        return status;
    status = catalog_last(import->catalog, job->source, import->problems, &entries,
                          &job->read_at_ms);
    if (status == STATUS_NOMEM)
        return status;
    if (!job->fresh) {
        import->unread = true;
        report_unread(settings, job, &error, status == STATUS_OK);
    }
    return status == STATUS_OK ? enter_all(job, entries) : enter_nothing(job);
}

enum status list_import_sources(const struct settings *settings,
                                struct list_import *import)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < settings->list_count && status == STATUS_OK; i++) {
        const struct list_source *source = &settings->lists[i];
        struct import_job job = {.source = source, .import = import};
        job.domains =
            source->domains.count > 0 ? &source->domains : &settings->policy.domains;
        status = enter_source(settings, &job);
        if (status != STATUS_OK)
            problems_error(import->problems, file_of(settings, source), source->line,
                           "%s: %s", source->path,
                           status == STATUS_NOMEM ? "out of memory"
                                                  : "too many lists or members");
    }
    return status;
}
