/* Groups first, then more of their members where the server gives them in parts, then all
 * people in one search, since asking for each would take a round trip a member; last, one
 * by one, members that may be groups which no filter found. What the server can't say of
 * one group makes that group's list fail; what breaks the connection, the whole read. */
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

/* When more members than this are looked up one by one, that is a warning. */
enum { UNKNOWN_MANY = 10000 };

struct ldap_job {
    const struct ldap_settings *settings;
    const char *place; /* of problems */
    struct problems *problems;
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
    enum status status = strings_add(&job->group_attributes, person[0]);
    if (status == STATUS_OK)
        status = add_all(&job->group_attributes, &settings->address_attributes);
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
static enum status look_up(struct ldap_job *job, enum ldap_role role, uint32_t number,
                           uint32_t object, const struct strings *attributes)
{
    char *dn = strdup(intern_string(job->groups.dns, object)); /* adding may move it */
    if (dn == NULL)
        return STATUS_NOMEM;
    struct ldap_query query = {.base = dn,
                               .scope = LDAP_CLIENT_BASE,
                               .filter = "(objectClass=*)",
                               .attributes = attributes};
    ldap_groups_expect(&job->groups, role, number);
    enum status status = search(job, &query);
    free(dn);
    return status;
}

/* A search for a group failed: so does its list, unless no other search can succeed. */
static enum status blame(struct ldap_job *job, uint32_t number, enum status status)
{
    return status == STATUS_NOT_FOUND || status == STATUS_INVALID
               ? ldap_groups_fail(&job->groups, number, job->error->text)
               : status;
}

/* All further values of an attribute of a group's members. */
static enum status read_range(struct ldap_job *job, uint32_t number, uint32_t at)
{
    const struct strings *names = &job->settings->member_attributes;
    struct ldap_group *group = &job->groups.groups[number];
    enum status status = STATUS_OK;
    while (status == STATUS_OK && group->ranges[at].next != 0) {
        int64_t next = group->ranges[at].next;
        struct strings attributes = {0};
        struct text name = {0};
        text_printf(&name, "%s;range=%lld-*", names->items[group->ranges[at].attribute],
                    (long long)next);
        status = strings_add(&attributes, text_string(&name));
        text_clear(&name);
        if (status == STATUS_OK)
            status = look_up(job, LDAP_ROLE_RANGE, at, group->object, &attributes);
        strings_clear(&attributes);
        group = &job->groups.groups[number]; /* adding may move it */
        int64_t then = group->ranges[at].next;
        if (status == STATUS_OK && then != 0 && then <= next)
            status = error_set(job->error, STATUS_INVALID,
                               "the server gives its members only up to %lld",
                               (long long)next);
    }
    return status;
}

/* Whom a memberURL (a search as a URL, RFC 4516) finds. */
static enum status read_url(struct ldap_job *job, uint32_t number, const char *url)
{
    static const enum ldap_scope scopes[] = {
        [LDAP_SCOPE_BASE] = LDAP_CLIENT_BASE,
        [LDAP_SCOPE_ONELEVEL] = LDAP_CLIENT_ONE,
        [LDAP_SCOPE_SUBTREE] = LDAP_CLIENT_SUBTREE,
        [LDAP_SCOPE_CHILDREN] = LDAP_CLIENT_SUBTREE, /* at most one entry too many */
    };
    LDAPURLDesc *parsed = NULL;
    if (ldap_url_parse(url, &parsed) != LDAP_URL_SUCCESS)
        return error_set(job->error, STATUS_INVALID, "%.200s: is not an LDAP URL", url);
    enum status status;
    int scope = parsed->lud_scope;
    if (parsed->lud_host != NULL && parsed->lud_host[0] != '\0') {
        status = error_set(job->error, STATUS_INVALID,
                           "%.200s: names another server, which isn't asked", url);
    } else {
        struct ldap_query query = {
            .base = parsed->lud_dn == NULL ? "" : parsed->lud_dn,
            .scope = scope >= 0 && scope <= LDAP_SCOPE_CHILDREN ? scopes[scope]
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
    for (uint32_t i = (uint32_t)from; i < job->groups.group_count && status == STATUS_OK;
         i++) {
        for (uint32_t n = 0; n < job->groups.groups[i].range_count && status == STATUS_OK;
             n++)
            status = blame(job, i, read_range(job, i, n));
        struct strings urls = job->groups.groups[i].urls;
        job->groups.groups[i].urls = (struct strings){0};
        for (size_t n = 0; n < urls.count && status == STATUS_OK; n++)
            status = blame(job, i, read_url(job, i, urls.items[n]));
        strings_clear(&urls);
    }
    return status;
}

/* True for a member that may be a group. */
static bool is_unknown(const struct ldap_object *object)
{
    return object->member && object->group == LDAP_GROUPS_NONE &&
           (!object->known || object->nests);
}

static void warn_of_unknown(const struct ldap_job *job)
{
    size_t count = 0;
    for (size_t i = 0; i < job->groups.object_count; i++)
        count += is_unknown(&job->groups.objects[i]);
    if (count > UNKNOWN_MANY)
        problems_warning(
            job->problems, job->place, 0,
            "%zu members are not below people_base, and are looked up one by "
            "one: that takes time",
            count);
}

/* A member that is gone is still one person. */
static enum status read_unknown(struct ldap_job *job)
{
    enum status status = STATUS_OK;
    warn_of_unknown(job);
    for (uint32_t i = 0; i < job->groups.object_count && status == STATUS_OK; i++) {
        if (!is_unknown(&job->groups.objects[i]))
            continue;
        size_t before = job->groups.group_count;
        status = look_up(job, LDAP_ROLE_UNKNOWN, 0, i, &job->all_attributes);
        job->groups.objects[i].elsewhere = status == STATUS_INVALID;
        if (status == STATUS_NOT_FOUND || status == STATUS_INVALID)
            status = STATUS_OK;
        if (status == STATUS_OK)
            status = complete(job, before);
    }
    return status;
}

/* Groups with a member that is elsewhere: it may be a group. */
static enum status blame_elsewhere(struct ldap_job *job)
{
    enum status status = STATUS_OK;
    const struct ldap_groups *groups = &job->groups;
    for (uint32_t i = 0; i < groups->group_count; i++) {
        const struct ldap_group *group = &groups->groups[i];
        for (size_t n = 0; n < group->member_count && status == STATUS_OK; n++) {
            uint32_t member = group->members[n].id;
            if (group->members[n].kind != LDAP_MEMBER_OBJECT ||
                !groups->objects[member].elsewhere)
                continue;
            (void)error_set(job->error, STATUS_INVALID,
                            "for its member %.150s the server refers to another one: "
                            "read a server that has both, such as a global catalog "
                            "(port 3268)",
                            intern_string(groups->dns, member));
            status = ldap_groups_fail(&job->groups, i, job->error->text);
        }
    }
    return status;
}

/* Groups among the people that the filter of lists doesn't find: by an attribute of
 * members, since not all classes of groups are known here. */
static enum status find_nests(struct ldap_job *job)
{
    const struct ldap_settings *settings = job->settings;
    const struct strings *names = &settings->member_attributes;
    struct strings nothing = {0};
    struct text filter = {0};
    size_t count = 0;
    text_printf(&filter, "(&%s(|", settings->people);
    for (size_t i = 0; i < names->count; i++) {
        if (strings_has(&settings->member_address_attributes, names->items[i]))
            continue;
        text_printf(&filter, "(%s=*)", names->items[i]);
        count++;
    }
    text_add_string(&filter, "))");
    enum status status = filter.failed ? STATUS_NOMEM : strings_add(&nothing, "1.1");
    if (status == STATUS_OK && count > 0)
        status = search_below(job, LDAP_ROLE_NESTS, settings->people_base,
                              text_string(&filter), &nothing);
    strings_clear(&nothing);
    text_clear(&filter);
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
    if (status == STATUS_OK)
        status = find_nests(job);
    if (status == STATUS_OK)
        status = read_unknown(job);
    return status == STATUS_OK ? blame_elsewhere(job) : status;
}

/* ---- one server after the other ---- */

static void summarize(const struct ldap_client_args *args, const struct ldap_job *job,
                      const struct ldap_counts *counts, int64_t ms,
                      struct source_read *read)
{
    size_t groups = job->groups.group_count;
    (void)snprintf(
        read->summary, sizeof read->summary,
        "%.130s: %zu list%s of %zu group%s (%zu without members), %zu member%s "
        "(%zu without an address), %lld.%lld s",
        args->url, counts->lists, counts->lists == 1 ? "" : "s", groups,
        groups == 1 ? "" : "s", counts->empty, counts->members,
        counts->members == 1 ? "" : "s", counts->nameless, (long long)ms / 1000,
        (long long)ms % 1000 / 100);
}

static enum status read_server(const struct list_source *source,
                               const struct ldap_client_args *args,
                               struct source_read *read, struct error *error)
{
    struct ldap_job job = {.settings = args->settings,
                           .place = source->path,
                           .problems = &read->problems,
                           .error = error};
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
    if (status == STATUS_OK)
        summarize(args, &job, &counts, (clock_monotonic_us() - began_us) / 1000, read);
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

/* One server's part of the time that is left for those from it on: a slow one must not
 * take all of it. */
static int64_t deadline_of(int64_t deadline_us, size_t servers)
{
    return clock_deadline_us(clock_left_ms(deadline_us) / (int64_t)servers);
}

enum status ldap_source_read_by(const struct list_source *source,
                                const struct ldap_settings *settings,
                                struct source_read *read)
{
    struct text reasons = {0};
    struct ldap_client_args args = {
        .settings = settings,
        .password = settings->password == NULL ? "" : settings->password,
        .request_timeout_ms = source->request_timeout_ms};
    int64_t deadline_us = clock_deadline_us(source->timeout_ms);
    enum status status = STATUS_UNAVAILABLE;
    for (size_t i = 0; i < settings->servers.count; i++) {
        struct error error = {0};
        args.url = settings->servers.items[i];
        args.deadline_us = deadline_of(deadline_us, settings->servers.count - i);
        status = read_server(source, &args, read, &error);
        if (status == STATUS_OK || status == STATUS_NOMEM)
            break;
        text_printf(&reasons, "%s%s", reasons.length > 0 ? "; " : "", error.text);
    }
    if (status == STATUS_NOT_FOUND || status == STATUS_INVALID)
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
    if (status == STATUS_OK)
        status = ldap_source_read_by(source, &settings, read);
    explicit_bzero(password, sizeof password);
    return status;
}
