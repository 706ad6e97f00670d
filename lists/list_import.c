/* A source is read into the catalog and entered from there, so that fresh and older
 * members take the same path. */
#include "lists/list_import.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "conf/sources.h"
#include "lists/source.h"

/* One source being entered. */
struct import_job {
    const struct list_source *source;
    const struct domains *domains; /* where its bare names answer */
    const char *home;              /* the domain of members without one; may be NULL */
    struct list_import *import;
    bool fresh;    /* read just now */
    bool reported; /* that it shrank */
    int64_t read_at_ms;
};

enum { REFRESH_SLACK_MS = 500, SHARED_FROM_BYTES = 1024, PLAIN_AT_ONCE = 16 };

static bool is_too_old(const struct import_job *job, int64_t read_at_ms)
{
    return job->import->now_ms - read_at_ms > job->source->max_age_ms;
}

/* ---- entering ---- */

static enum status enter_member(const struct import_job *job,
                                const struct member_list_reader *reader, bool report,
                                uint32_t list, const struct member *member)
{
    struct directory *directory = job->import->directory;
    struct error error;
    if (member->kind == MEMBER_OPAQUE)
        return directory_add_opaque(directory, list, member->text, member->length);
    enum status status = directory_add_member(directory, list, member->text,
                                              member->length, job->home, &error);
    if (status != STATUS_INVALID)
        return status;
    if (report)
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
    if (entry->kept.count > 0 && !is_too_old(job, read_at_ms))
        return LIST_SHRUNK;
    if (job->fresh && !entry->failed)
        return LIST_OK;
    return is_too_old(job, read_at_ms) ? LIST_UNKNOWN : LIST_STALE;
}

/* The directory copies the members of small lists and borrows those of all others. */
static enum status share(const struct import_job *job, struct member_list *members,
                         bool *out_lasting)
{
    *out_lasting = members->text.length >= SHARED_FROM_BYTES;
    if (!*out_lasting)
        return STATUS_OK;
    struct shared_text *text = member_list_share(members);
    return text == NULL ? STATUS_NOMEM : directory_keep(job->import->directory, text);
}

/* Plain ones some at a time, see intern_prepare. report: what is no address is an error.
 */
static enum status enter_members(const struct import_job *job, uint32_t list,
                                 struct member_list *members, bool report)
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
            status = enter_member(job, &reader, report, list, &member);
    }
    return status == STATUS_OK
               ? directory_add_plain(directory, list, plain, count, lasting)
               : status;
}

/* Of an alias for one person that is a list of many now; 0: it isn't. Members count as
 * written, so a redirection to a list that gets one more target is no jump. */
static uint64_t size_before(const struct import_job *job, const struct entry *entry)
{
    size_t was = entry->accepted_count;
    return was > 0 && jumps_is_jump(job->source, was, entry->members.count) ? was : 0;
}

static enum status note_origin(const struct import_job *job, const struct entry *entry,
                               uint32_t list)
{
    struct list_import *import = job->import;
    while (import->origin_count <= list) {
        if (!array_reserve(&import->origins, import->origin_count,
                           sizeof *import->origins))
            return STATUS_NOMEM;
        import->origins[import->origin_count++] = (struct list_origin){0};
    }
    import->origins[list] = (struct list_origin){
        .source = job->source, .line = entry->line, .was = size_before(job, entry)};
    return STATUS_OK;
}

static enum status enter_list(const struct import_job *job, struct entry *entry,
                              const struct address *address, uint32_t *out_list)
{
    struct directory *directory = job->import->directory;
    bool older = entry->failed || entry->kept.count > 0;
    bool in_folder = job->source->kind == LIST_FOLDER;
    int64_t read_at_ms = older ? entry->read_at_ms : job->read_at_ms;
    const char *file = member_list_file(entry->absent ? &entry->kept : &entry->members);
    enum status status = directory_add_list(
        directory, address->text, in_folder && file != NULL ? file : job->source->path,
        state_of(job, entry, read_at_ms), read_at_ms, out_list);
    if (status == STATUS_OK)
        status = note_origin(job, entry, *out_list);
    if (status == STATUS_OK)
        status = enter_members(job, *out_list, &entry->members, job->fresh);
    if (status == STATUS_OK)
        status = enter_members(job, *out_list, &entry->kept, false);
    return status;
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
    if (status == STATUS_OK && job->home != NULL && out->text[0] != '@')
        status = address_qualify(out, job->home);
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
    enum status status = entries_address(key, job->domains, domain, out);
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
                     "previous ones count, too, until max_age is over or somebody types: "
                     "mailbrake lists accept --all",
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
                     "count, too, until max_age is over or somebody types: mailbrake "
                     "lists accept %s",
                     text_string(&shown), entry->members.count,
                     entry->members.count == 1 ? "" : "s", entry->kept.count,
                     text_string(&shown));
    text_clear(&shown);
}

static enum status enter(const struct import_job *job, const char *key,
                         struct entry *entry)
{
    struct address address;
    struct meaning meaning = {.is_list = entry->kind == ENTRY_LIST};
    if (entry->absent && entry->kept.count == 0)
        return STATUS_OK;
    enum status status = address_in(job, key, entry, 0, &address);
    if (status == STATUS_OK && job->fresh && entry->kept.count > 0 && !job->reported)
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
    problems_error(job->import->problems, source_file(settings, job->source),
                   job->source->line, "%s%s: %s (%s)", job->source->path, place,
                   error->text, age);
}

/* For those who ask later which source it is; its age is that of its lists. */
static void note_unread(const struct import_job *job, const char *why, bool known)
{
    if (job->import->unread_sources != NULL)
        text_printf(job->import->unread_sources, "%s: %s%s\n", job->source->path, why,
                    known ? "" : "; never read, so its lists are unknown");
}

/* known: it was read successfully once, at job->read_at_ms. */
static bool is_due(const struct import_job *job, bool known)
{
    const struct list_import *import = job->import;
    if (sources_is_remote(job->source))
        return import->servers == SERVERS_ALL ||
               (import->servers == SERVERS_UNKNOWN && !known);
    int64_t age_ms = import->now_ms - job->read_at_ms;
    bool anew = import->aliases && job->source->kind == LIST_ALIASES;
    return !import->due_only || anew || !known || age_ms < 0 ||
           age_ms + REFRESH_SLACK_MS >= job->source->refresh_ms;
}

/* Whether the last read went well; one before the catalog began counts while it is not
 * overdue. */
static bool is_fresh(const struct import_job *job, const struct source_read *last,
                     bool known)
{
    if (last != NULL)
        return last->status == STATUS_OK;
    return known && job->import->now_ms - job->read_at_ms <= 2 * job->source->refresh_ms;
}

static enum status read_into_catalog(const struct import_job *job)
{
    struct source_read read = {0};
    source_read(job->source, &read);
    read.at_ms = job->import->now_ms;
    if (read.status == STATUS_NOMEM) {
        source_read_clear(&read);
        return STATUS_NOMEM;
    }
    return catalog_take(job->import->catalog, job->source, job->domains, &read,
                        job->import->problems);
}

static void report_read(const struct settings *settings, const struct import_job *job,
                        const struct source_read *last, bool known)
{
    struct list_import *import = job->import;
    if (last != NULL)
        problems_add(import->problems, &last->problems);
    if (last != NULL && last->summary[0] != '\0' && import->summaries != NULL)
        text_printf(import->summaries, "%s: %s\n", job->source->path, last->summary);
    if (last != NULL && last->status != STATUS_OK) {
        report_unread(settings, job, &last->error, known);
        note_unread(job, last->error.text, known);
    } else if (!known) {
        problems_warning(import->problems, source_file(settings, job->source),
                         job->source->line,
                         "%s: is being read for the first time; until then its lists are "
                         "unknown",
                         job->source->path);
        note_unread(job, "is being read", known);
    }
    import->unread |= !known || !job->fresh;
}

static enum status enter_source(const struct settings *settings, struct import_job *job)
{
    struct list_import *import = job->import;
    struct entries *entries = NULL;
    enum status status = catalog_drop_accepted(import->catalog, job->source, job->domains,
                                               import->problems);
    if (status == STATUS_OK)
        status = catalog_last(import->catalog, job->source, import->problems, &entries,
                              &job->read_at_ms);
    if (status != STATUS_NOMEM && is_due(job, status == STATUS_OK)) {
        status = read_into_catalog(job);
        if (status == STATUS_OK)
            status = catalog_last(import->catalog, job->source, import->problems,
                                  &entries, &job->read_at_ms);
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    bool known = status == STATUS_OK;
    const struct source_read *last = catalog_last_read(import->catalog, job->source);
    job->fresh = is_fresh(job, last, known);
    report_read(settings, job, last, known);
    return known ? enter_all(job, entries) : enter_nothing(job);
}

enum status list_import_sources(const struct settings *settings,
                                struct list_import *import)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < settings->list_count && status == STATUS_OK; i++) {
        const struct list_source *source = &settings->lists[i];
        struct import_job job = {.source = source, .import = import};
        job.domains = source_domains(settings, source);
        job.home = domains_first(source->kind == LIST_FOLDER ? &settings->policy.domains
                                                             : job.domains);
        status = enter_source(settings, &job);
        if (status != STATUS_OK)
            problems_error(import->problems, source_file(settings, source), source->line,
                           "%s: %s", source->path,
                           status == STATUS_NOMEM ? "out of memory"
                                                  : "too many lists or members");
    }
    return status;
}
