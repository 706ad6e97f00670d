/* /v1/limits: what is left in the buckets and windows of one subject, rule by rule. */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/network.h"
#include "control/api.h"
#include "engine/json_output.h"
#include "engine/limit_view.h"
#include "engine/traffic.h"
#include "policy/plan.h"

/* The subject asked about, in the form that charges use. */
struct limits_query {
    char subject[SUBJECT_SIZE]; /* "": only rules with key from match */
    char from[SUBJECT_SIZE];    /* an element of a rule's from; "": none */
};

/* A rule's key has subjects of this kind. */
static bool has_kind(const struct rule *rule, const char *subject)
{
    static const char *const prefixes[][4] = {
        [KEY_SENDER] = {"login:", "sender:", "client:", NULL}, /* the identity */
        [KEY_LOGIN] = {"login:", NULL},
        [KEY_CLIENT] = {"client:", NULL},
        [KEY_SENDER_DOMAIN] = {"domain:", NULL},
        [KEY_LIST] = {"list:", NULL},
        [KEY_THREAD] = {"thread:", NULL},
        [KEY_CAMPAIGN] = {"campaign:", NULL},
        [KEY_TOPIC] = {"topic:", NULL},
        [KEY_FROM] = {NULL}, /* has_element */
        [KEY_ALL] = {"all", NULL},
    };
    for (size_t i = 0; prefixes[rule->key][i] != NULL; i++) {
        if (text_after(subject, prefixes[rule->key][i]) != NULL)
            return true;
    }
    return false;
}

static bool has_element(const struct rule *rule, const char *subject)
{
    char element[SUBJECT_SIZE];
    for (size_t i = 0; i < rule->from.count; i++) {
        element_format(&rule->from.items[i], element, sizeof element);
        if (strcmp(element, subject) == 0)
            return true;
    }
    return false;
}

/* The subject in the form of a rule's key; NULL: the rule has no bucket for it. */
static const char *subject_for(const struct rule *rule, const struct limits_query *query)
{
    if (!rule_is_metered(rule))
        return NULL;
    if (rule->key == KEY_FROM)
        return has_element(rule, query->from) ? query->from : NULL;
    return has_kind(rule, query->subject) ? query->subject : NULL;
}

/* Finds the element among the from of rules whose key is from. */
static void find_element(const struct policy *policy, const char *typed,
                         struct limits_query *out)
{
    struct element element;
    struct error error;
    char subject[SUBJECT_SIZE];
    if (element_parse(typed, &policy->domains, &element, &error) != STATUS_OK)
        return;
    element_format(&element, subject, sizeof subject);
    element_clear(&element);
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].key == KEY_FROM && has_element(&policy->rules[i], subject))
            memcpy(out->from, subject, sizeof out->from);
    }
}

/* A client's buckets: one for an IPv4 address, one for an IPv6 /64. */
static enum status client_subject(const struct brake_key *key, struct limits_query *out,
                                  struct error *error)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char subject[NETWORK_CLIENT_KEY_SIZE];
    const struct network *network = &key->network;
    bool ipv4 = memcmp(network->bytes, mapped, sizeof mapped) == 0;
    if (key->local)
        return STATUS_OK;
    if (network->prefix < (ipv4 ? 128 : 64))
        return error_set(error, STATUS_INVALID,
                         "a network has no bucket: name one address (or an IPv6 /64)");
    network_client_key(network->bytes, subject);
    (void)snprintf(out->subject, sizeof out->subject, "client:%s", subject);
    return STATUS_OK;
}

/* A list's buckets are under its main address. */
static void list_subject(const struct request *request, struct limits_query *out)
{
    struct address address;
    struct target target;
    const char *text = out->subject + strlen("list:");
    if (address_parse(text, strlen(text), &address) != STATUS_OK)
        return;
    directory_find(request->snapshot->directory, &address, &target);
    if (target.list != DIRECTORY_NONE)
        (void)snprintf(
            out->subject, sizeof out->subject, "list:%s",
            directory_list(request->snapshot->directory, target.list)->address);
}

/* As explain and incidents show it; a thread may also be in angle brackets. */
static enum status take_literally(const char *typed, struct limits_query *out,
                                  struct error *error)
{
    const char *rest = text_after(typed, "thread:<");
    const char *value = strchr(typed, ':') + 1;
    size_t length = strlen(value);
    if (rest != NULL && value[length - 1] == '>') {
        value = rest;
        length -= 2;
    }
    if (strlen(typed) >= sizeof out->subject || length == 0)
        return error_set(error, STATUS_INVALID, "\"%.100s\" is not a subject", typed);
    (void)snprintf(out->subject, sizeof out->subject, "%.*s:%.*s",
                   (int)strcspn(typed, ":"), typed, (int)length, value);
    return STATUS_OK;
}

/* "from:ELEMENT" matches only rules with key from. */
static enum status ask_from(const struct policy *policy, const char *typed,
                            struct limits_query *out, struct error *error)
{
    find_element(policy, text_after(typed, "from:"), out);
    if (out->from[0] != '\0')
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "\"%.100s\": no rule with key = \"from\" names this in from", typed);
}

static enum status ask_key(const struct request *request, const char *typed,
                           struct limits_query *out, struct error *error)
{
    const struct policy *policy = &request->settings->policy;
    struct brake_key key = {0};
    find_element(policy, typed, out);
    enum status status =
        brake_key_parse(typed, &policy->domains, &policy->logins, &key, error);
    if (status == STATUS_OK) {
        (void)snprintf(out->subject, sizeof out->subject, "%s", key.text);
        if (key.kind == BRAKE_CLIENT)
            status = client_subject(&key, out, error);
        else if (key.kind == BRAKE_LIST)
            list_subject(request, out);
    }
    brake_key_clear(&key);
    if (status != STATUS_INVALID || out->from[0] == '\0')
        return status;
    out->subject[0] = '\0';
    return STATUS_OK;
}

/* False after making the answer and auditing it. */
static bool ask(struct request *request, struct limits_query *out, const char *action)
{
    struct error error = {0};
    const char *typed = request_query(request, "subject");
    enum status status;
    *out = (struct limits_query){0};
    if (typed == NULL)
        status = error_set(&error, STATUS_INVALID, "which \"subject\"?");
    else if (text_after(typed, "thread:") != NULL ||
             text_after(typed, "campaign:") != NULL ||
             text_after(typed, "topic:") != NULL)
        status = take_literally(typed, out, &error);
    else if (text_after(typed, "from:") != NULL)
        status = ask_from(&request->settings->policy, typed, out, &error);
    else
        status = ask_key(request, typed, out, &error);
    if (status == STATUS_OK)
        return true;
    request_fail_status(request, status, &error, "subject");
    request_audit_key(request, action, typed == NULL ? "" : typed,
                      request_result(request));
    return false;
}

/* As it is shown and audited. */
static const char *name_of(const struct limits_query *query)
{
    return query->subject[0] != '\0' ? query->subject : query->from;
}

/* The rules that have a bucket for it, in order; NULL without memory. */
static const struct rule **find_rules(const struct request *request,
                                      const struct limits_query *query, size_t *out_count)
{
    const struct policy *policy = &request->settings->policy;
    const struct rule **rules = calloc(policy->rule_count + 1, sizeof(struct rule *));
    *out_count = 0;
    for (size_t i = 0; rules != NULL && i < policy->rule_count; i++) {
        if (subject_for(&policy->rules[i], query) != NULL)
            rules[(*out_count)++] = &policy->rules[i];
    }
    return rules;
}

static json_t *limit_json(const struct rule *rule, const struct charge *charge,
                          const struct limit_view *view, int64_t now_ms)
{
    json_t *json =
        json_pack("{s:o, s:s, s:s, s:s, s:b, s:n, s:n, s:n, s:n, s:n}", "rule",
                  json_output_string(rule->name), "key", key_name(rule->key), "unit",
                  unit_name(rule->unit), "action", action_name(rule->action), "monitor",
                  rule->monitor, "tokens", "period_s", "surge", "floor", "window_s");
    json_t *rate =
        rule->has_surge
            ? json_pack("{s:f, s:I, s:I}", "surge", (double)rule->surge.factor / 1000,
                        "floor", (json_int_t)rule->surge.floor, "window_s",
                        (json_int_t)(rule->surge.window_ms / 1000))
            : json_pack("{s:I, s:I}", "tokens", (json_int_t)rule->limit.tokens,
                        "period_s", (json_int_t)(rule->limit.period_ms / 1000));
    json_t *known = limit_view_json(charge, view, now_ms);
    (void)json_object_del(known, "subject");
    (void)json_object_del(known, "cost");
    (void)json_object_update(json, rate);
    (void)json_object_update(json, known);
    json_decref(rate);
    json_decref(known);
    return json;
}

/* A charge of cost 0 for each rule; for free(3). */
static struct charge *make_charges(const struct limits_query *query,
                                   const struct rule *const *rules, size_t count)
{
    struct charge *charges = calloc(count + 1, sizeof *charges);
    for (size_t i = 0; charges != NULL && i < count; i++)
        charges[i] = plan_charge(rules[i], subject_for(rules[i], query), 0);
    return charges;
}

/* The current state of the rules' buckets and windows. */
static enum status peek(const struct request *request, const struct limits_query *query,
                        const struct rule *const *rules, size_t count, json_t **out)
{
    enum charge_source source = CHARGE_SOURCE_NONE;
    int64_t now_ms = clock_wall_ms();
    struct charge *charges = make_charges(query, rules, count);
    struct limit_view *views = calloc(count + 1, sizeof *views);
    enum status status = charges == NULL || views == NULL ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK)
        status = limit_view_read(request->context->store, charges, count,
                                 request_deadline_us(), views, &source);
    if (status == STATUS_OK) {
        json_t *limits = json_array();
        for (size_t i = 0; i < count; i++)
            (void)json_array_append_new(
                limits, limit_json(rules[i], &charges[i], &views[i], now_ms));
        *out = json_pack("{s:o, s:o, s:s}", "subject", json_output_string(name_of(query)),
                         "limits", limits, "source", store_source_name(source));
    }
    free(charges);
    free(views);
    return status;
}

void api_limits_show(struct request *request)
{
    struct limits_query query;
    size_t count;
    json_t *json = NULL;
    if (!ask(request, &query, "limits show"))
        return;
    const struct rule **rules = find_rules(request, &query, &count);
    enum status status =
        rules == NULL ? STATUS_NOMEM : peek(request, &query, rules, count, &json);
    free(rules);
    if (status != STATUS_OK)
        request_fail_status(request, status, NULL, "limits");
    else
        request_answer(request, json);
    request_audit_key(request, "limits show", name_of(&query), request_result(request));
}

void api_limits_reset(struct request *request)
{
    struct limits_query query;
    size_t count;
    if (!ask(request, &query, "limits reset") ||
        !request_begin_key(request, "limits reset", name_of(&query)))
        return;
    const struct rule **rules = find_rules(request, &query, &count);
    struct charge *charges = rules == NULL ? NULL : make_charges(&query, rules, count);
    enum status status = charges == NULL ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK && count > 0)
        status = store_amend(request->context->store, charges, count, AMEND_RESET,
                             request_deadline_us());
    free(charges);
    free(rules);
    if (status != STATUS_OK)
        request_fail_status(request, status, NULL, "limits");
    else
        request_answer(request, json_pack("{s:o, s:I}", "subject",
                                          json_output_string(name_of(&query)), "reset",
                                          (json_int_t)count));
    request_end(request, request_result(request));
}

/* ---- who is nearest to a limit ---- */

enum { TOP_SUBJECTS = 60, TOP_LIMITS = 20 };

/* Adds the limits of a subject, each with its name, to those that rule_name (NULL: all)
 * and the store know. */
static enum status add_limits(const struct request *request, const char *subject,
                              const char *rule_name, json_t *out)
{
    struct limits_query query = {0};
    size_t i, count;
    json_t *json = NULL;
    json_t *limit;
    (void)snprintf(query.subject, sizeof query.subject, "%s", subject);
    const struct rule **rules = find_rules(request, &query, &count);
    enum status status =
        rules == NULL ? STATUS_NOMEM : peek(request, &query, rules, count, &json);
    json_array_foreach(json_object_get(json, "limits"), i, limit)
    {
        const char *name = json_string_value(json_object_get(limit, "rule"));
        if (rule_name != NULL && (name == NULL || strcmp(name, rule_name) != 0))
            continue;
        (void)json_object_set_new(limit, "subject", json_output_string(subject));
        (void)json_array_append(out, limit);
    }
    json_decref(json);
    free(rules);
    return status;
}

/* Thousandths that are used up; a latch is all of it. */
static int64_t used_of(const json_t *limit)
{
    json_int_t left = json_integer_value(json_object_get(limit, "left"));
    json_int_t burst = json_integer_value(json_object_get(limit, "burst"));
    if (json_is_string(json_object_get(limit, "latched_until")))
        return 1001;
    if (burst <= 0 || !json_is_integer(json_object_get(limit, "left")))
        return 0;
    return (burst - (left < burst ? left : burst)) * 1000 / burst;
}

static int compare_used(const void *left, const void *right)
{
    int64_t a = used_of(*(json_t *const *)left);
    int64_t b = used_of(*(json_t *const *)right);
    return (b > a) - (b < a);
}

/* Those of which something is used, most first. */
static json_t *sort_limits(const json_t *limits)
{
    size_t i, used = 0;
    json_t *limit;
    json_t *sorted = json_array();
    json_t **all = calloc(json_array_size(limits) + 1, sizeof *all);
    json_array_foreach(limits, i, limit)
    {
        if (all != NULL && used_of(limit) > 0)
            all[used++] = limit;
    }
    if (used > 1)
        qsort(all, used, sizeof *all, compare_used);
    for (i = 0; i < used && i < TOP_LIMITS; i++)
        (void)json_array_append(sorted, all[i]);
    free(all);
    return sorted;
}

/* Buckets lie under hashes, so it looks at those of whom this relay has seen lately. */
void api_limits_top(struct request *request)
{
    json_t *limits = json_array();
    const char *rule = request_query(request, "rule");
    int64_t now_ms = clock_wall_ms();
    enum status status = STATUS_OK;
    for (int kind = 0; kind < TRAFFIC_KINDS && status == STATUS_OK; kind++) {
        size_t i;
        const json_t *item;
        json_t *seen = traffic_now(request->context->traffic, (enum traffic_kind)kind,
                                   TOP_SUBJECTS, now_ms);
        json_array_foreach(seen, i, item)
        {
            const char *subject = json_string_value(json_object_get(item, "key"));
            /* A sender's own client is among the clients. */
            bool again =
                kind == TRAFFIC_SENDERS && text_after(subject, "client:") != NULL;
            if (status == STATUS_OK && !again)
                status = add_limits(request, subject, rule, limits);
        }
        json_decref(seen);
    }
    if (status == STATUS_OK)
        status = add_limits(request, "all", rule, limits);
    if (status == STATUS_OK)
        request_answer(request, json_pack("{s:o}", "limits", sort_limits(limits)));
    else
        request_fail_status(request, status, NULL, "limits");
    json_decref(limits);
    request_audit(request, "limits top", rule == NULL ? "" : rule,
                  request_result(request));
}
