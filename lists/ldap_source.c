/* Groups first, then more of their members where the server gives them in parts, then all
 * people in one search, since asking for each would take a round trip a member; last, one
 * by one, members that neither search found: they may be groups outside of the base. */
#include "lists/ldap_source.h"

#include <ldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "lists/ldap_client.h"
#include "lists/ldap_flatten.h"
#include "lists/ldap_groups.h"

struct ldap_job {
    const struct ldap_settings *settings;
    struct ldap_client *client;
    struct ldap_groups groups;
    struct strings group_attributes, person_attributes, all_attributes;
    struct error *error;
};

/* ---- which attributes ---- */

static enum status add_all(struct strings *to, const struct strings *from)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < from->count && status == STATUS_OK; i++)
        status = strings_add(to, from->items[i]);
    return status;
}

static enum status choose_attributes(struct ldap_job *job)
{
    static const char *const person[] = {"objectClass", "uid"};
    static const char *const ad[] = {"objectSid", "primaryGroupID"};
    const struct ldap_settings *settings = job->settings;
    enum status status = add_all(&job->group_attributes, &settings->address_attributes);
    if (status == STATUS_OK)
        status = add_all(&job->group_attributes, &settings->member_attributes);
    if (status == STATUS_OK)
        status = add_all(&job->person_attributes, &settings->member_address_attributes);
    for (size_t i = 0; i < 2 && status == STATUS_OK; i++)
        status = strings_add(&job->person_attributes, person[i]);
    if (settings->schema == LDAP_SCHEMA_AD && status == STATUS_OK)
        status = strings_add(&job->group_attributes, ad[0]);
    for (size_t i = 0; i < 2 && status == STATUS_OK && settings->schema == LDAP_SCHEMA_AD;
         i++)
        status = strings_add(&job->person_attributes, ad[i]);
    if (status == STATUS_OK)
        status = add_all(&job->all_attributes, &job->person_attributes);
    if (status == STATUS_OK)
        status = add_all(&job->all_attributes, &settings->member_attributes);
    return status;
}

/* ---- the searches ---- */

static enum status search(struct ldap_job *job, struct ldap_query *query)
{
    query->consumer = (struct ldap_consumer){.entry = ldap_groups_entry,
                                             .attribute = ldap_groups_attribute,
                                             .value = ldap_groups_value,
                                             .context = &job->groups};
    enum status status = ldap_client_search(job->client, query, job->error);
    if (status == STATUS_OK)
        status = ldap_groups_end(&job->groups);
    return status;
}

static enum status search_below(struct ldap_job *job, enum ldap_role role,
                                const char *base, const char *filter,
                                const struct strings *attributes)
{
    struct ldap_query query = {.base = base,
                               .scope = LDAP_CLIENT_SUBTREE,
                               .filter = filter,
                               .attributes = attributes};
    ldap_groups_expect(&job->groups, role, 0);
    return search(job, &query);
}

/* One entry. */
static enum status look_up(struct ldap_job *job, enum ldap_role role, uint32_t object,
                           const struct strings *attributes)
{
    char *dn = strdup(intern_string(job->groups.dns, object)); /* adding may move it */
    if (dn == NULL)
        return STATUS_NOMEM;
    struct ldap_query query = {.base = dn,
                               .scope = LDAP_CLIENT_BASE,
                               .filter = "(objectClass=*)",
                               .attributes = attributes};
    ldap_groups_expect(&job->groups, role, 0);
    enum status status = search(job, &query);
    free(dn);
    return status;
}

/* All further ranges of a group's members. */
static enum status read_ranges(struct ldap_job *job, uint32_t number)
{
    const struct strings *names = &job->settings->member_attributes;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && job->groups.groups[number].range_next != 0) {
        const struct ldap_group *group = &job->groups.groups[number];
        int64_t next = group->range_next;
        struct strings attributes = {0};
        struct text name = {0};
        text_printf(&name, "%s;range=%lld-*", names->items[group->range_attribute],
                    (long long)next);
        status = strings_add(&attributes, text_string(&name));
        text_clear(&name);
        if (status == STATUS_OK)
            status = look_up(job, LDAP_ROLE_RANGE, group->object, &attributes);
        strings_clear(&attributes);
        int64_t then = job->groups.groups[number].range_next;
        if (status == STATUS_OK && then != 0 && then <= next)
            status = error_set(
                job->error, STATUS_UNAVAILABLE,
                "%.200s: the server gives its members only up to %lld",
                intern_string(job->groups.dns, job->groups.groups[number].object),
                (long long)next);
    }
    return status;
}

/* Whom a memberURL (a search as a URL, RFC 4516) finds. */
static enum status read_url(struct ldap_job *job, uint32_t number, const char *url)
{
    static const enum ldap_scope scopes[] = {[LDAP_SCOPE_BASE] = LDAP_CLIENT_BASE,
                                             [LDAP_SCOPE_ONELEVEL] = LDAP_CLIENT_ONE,
                                             [LDAP_SCOPE_SUBTREE] = LDAP_CLIENT_SUBTREE};
    LDAPURLDesc *parsed = NULL;
    if (ldap_url_parse(url, &parsed) != LDAP_URL_SUCCESS)
        return error_set(job->error, STATUS_UNAVAILABLE, "%.200s: is no LDAP URL", url);
    enum status status;
    int scope = parsed->lud_scope;
    if (parsed->lud_host != NULL && parsed->lud_host[0] != '\0') {
        status = error_set(job->error, STATUS_UNAVAILABLE,
                           "%.200s: names another server, which isn't asked", url);
    } else {
        struct ldap_query query = {
            .base = parsed->lud_dn == NULL ? "" : parsed->lud_dn,
            .scope = scope >= 0 && scope <= LDAP_SCOPE_SUBTREE ? scopes[scope]
                                                               : LDAP_CLIENT_BASE,
            .filter = parsed->lud_filter == NULL ? "(objectClass=*)" : parsed->lud_filter,
            .attributes = &job->person_attributes};
        ldap_groups_expect(&job->groups, LDAP_ROLE_FOUND, number);
        status = search(job, &query);
    }
    ldap_free_urldesc(parsed);
    return status;
}

/* What the entries of groups from this number on leave open. */
static enum status complete(struct ldap_job *job, size_t from)
{
    enum status status = STATUS_OK;
    for (size_t i = from; i < job->groups.group_count && status == STATUS_OK; i++) {
        status = read_ranges(job, (uint32_t)i);
        struct strings urls = job->groups.groups[i].urls;
        job->groups.groups[i].urls = (struct strings){0};
        for (size_t n = 0; n < urls.count && status == STATUS_OK; n++)
            status = read_url(job, (uint32_t)i, urls.items[n]);
        strings_clear(&urls);
    }
    return status;
}

/* A member that is gone is still one person. */
static enum status read_unknown(struct ldap_job *job)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < job->groups.object_count && status == STATUS_OK; i++) {
        const struct ldap_object *object = &job->groups.objects[i];
        if (!object->member || object->known || object->group != LDAP_GROUPS_NONE)
            continue;
        size_t before = job->groups.group_count;
        status = look_up(job, LDAP_ROLE_UNKNOWN, i, &job->all_attributes);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
        if (status == STATUS_OK)
            status = complete(job, before);
    }
    return status;
}

static enum status read_all(struct ldap_job *job)
{
    const struct ldap_settings *settings = job->settings;
    enum status status = search_below(job, LDAP_ROLE_LIST, settings->base,
                                      settings->filter, &job->group_attributes);
    if (status == STATUS_OK)
        status = complete(job, 0);
    if (status == STATUS_OK)
        status = search_below(job, LDAP_ROLE_PERSON, settings->people_base,
                              settings->people, &job->person_attributes);
    if (status == STATUS_OK && settings->people_not != NULL &&
        settings->people_not[0] != '\0')
        status = search_below(job, LDAP_ROLE_EXCLUDED, settings->people_base,
                              settings->people_not, &job->person_attributes);
    return status == STATUS_OK ? read_unknown(job) : status;
}

/* ---- one server after the other ---- */

static enum status read_server(const struct list_source *source,
                               const struct ldap_client_args *args,
                               struct source_read *read, struct error *error)
{
    struct ldap_job job = {.settings = args->settings, .error = error};
    struct ldap_counts counts = {0};
    int64_t began_us = clock_monotonic_us();
    enum status status = ldap_groups_init(&job.groups, args->settings);
    if (status == STATUS_OK)
        status = choose_attributes(&job);
    if (status == STATUS_OK)
        status = ldap_client_open(args, &job.client, error);
    if (status == STATUS_OK)
        status = read_all(&job);
    if (status == STATUS_OK)
        status = ldap_flatten(&job.groups, source->path, &read->entries, &read->problems,
                              &counts);
    long long ms = (clock_monotonic_us() - began_us) / 1000;
    if (status == STATUS_OK)
        (void)snprintf(read->summary, sizeof read->summary,
                       "%.150s: %zu lists of %zu groups, %zu members (%zu without an "
                       "address), %lld.%lld s",
                       args->url, counts.lists, job.groups.group_count, counts.members,
                       counts.nameless, ms / 1000, ms % 1000 / 100);
    else if (status == STATUS_NOMEM || status == STATUS_LIMIT)
        (void)error_set(error, status, "%s: %s", args->url,
                        status == STATUS_NOMEM ? "out of memory"
                                               : "too many groups or members");
    ldap_client_close(job.client);
    ldap_groups_clear(&job.groups);
    strings_clear(&job.group_attributes);
    strings_clear(&job.person_attributes);
    strings_clear(&job.all_attributes);
    if (status != STATUS_OK)
        entries_clear(&read->entries);
    return status;
}

enum status ldap_source_read_by(const struct list_source *source,
                                const struct ldap_settings *settings,
                                struct source_read *read)
{
    struct text reasons = {0};
    struct ldap_client_args args = {
        .settings = settings,
        .password = settings->password == NULL ? "" : settings->password,
        .request_timeout_ms = source->request_timeout_ms,
        .deadline_us = clock_deadline_us(source->timeout_ms)};
    enum status status = STATUS_UNAVAILABLE;
    for (size_t i = 0; i < settings->servers.count; i++) {
        struct error error = {0};
        args.url = settings->servers.items[i];
        status = read_server(source, &args, read, &error);
        if (status == STATUS_OK || status == STATUS_NOMEM)
            break;
        text_printf(&reasons, "%s%s", reasons.length > 0 ? "; " : "", error.text);
    }
    if (status == STATUS_NOT_FOUND)
        status = STATUS_UNAVAILABLE;
    if (status != STATUS_OK)
        (void)error_set(&read->error, status, "%s",
                        status == STATUS_NOMEM ? "out of memory" : text_string(&reasons));
    text_clear(&reasons);
    return status;
}

/* ---- the settings of mailbrake.conf ---- */

enum status ldap_source_read(const struct list_source *source, struct source_read *read)
{
    char password[SECRET_SIZE];
    struct ldap_settings settings = source->ldap; /* borrows all but the password */
    settings.password = password;
    enum status status = source_password(source, read, password);
    return status == STATUS_OK ? ldap_source_read_by(source, &settings, read) : status;
}
