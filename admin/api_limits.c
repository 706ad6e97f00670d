/* /v1/limits: what is left in the buckets of one subject, rule by rule. */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/api.h"
#include "admin/output.h"
#include "policy/client.h"

enum { LIMITS_SUBJECT_SIZE = SUBJECT_SIZE };

/* What one asks about: a kind as brakes have it, and the subject as charges have it. */
struct question {
    enum brake_kind kind;
    char subject[LIMITS_SUBJECT_SIZE];
};

/* A rule's buckets have subjects of this kind. */
static bool has_kind(const struct rule *rule, enum brake_kind kind)
{
    switch (rule->key) {
    case KEY_SENDER: /* the identity */
        return kind == BRAKE_LOGIN || kind == BRAKE_SENDER || kind == BRAKE_CLIENT;
    case KEY_LOGIN:
        return kind == BRAKE_LOGIN;
    case KEY_CLIENT:
        return kind == BRAKE_CLIENT;
    case KEY_SENDER_DOMAIN:
        return kind == BRAKE_DOMAIN;
    case KEY_LIST:
        return kind == BRAKE_LIST;
    case KEY_ALL:
        return kind == BRAKE_ALL;
    }
    return false;
}

/* A client's buckets: one for an IPv4 address, one for an IPv6 /64. */
static enum status client_subject(const struct brake *brake, struct question *out,
                                  struct error *error)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char key[CLIENT_KEY_SIZE];
    const struct network *network = &brake->network;
    bool ipv4 = memcmp(network->bytes, mapped, sizeof mapped) == 0;
    if (brake->local)
        return STATUS_OK;
    if (network->prefix < (ipv4 ? 128 : 64))
        return error_set(error, STATUS_INVALID,
                         "a network has no bucket: name one address (or an IPv6 /64)");
    client_key(network->bytes, key);
    (void)snprintf(out->subject, sizeof out->subject, "client:%s", key);
    return STATUS_OK;
}

/* A list's buckets are those of the list that its address means. */
static void list_subject(const struct request *request, struct question *out)
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

/* False after the answer was made. */
static bool ask(struct request *request, struct question *out)
{
    struct error error = {0};
    struct brake brake = {0};
    const char *typed = request_query(request, "subject");
    enum status status =
        typed == NULL
            ? error_set(&error, STATUS_INVALID, "which \"subject\"?")
            : brake_parse_key(typed, &request->settings->policy.domains, &brake, &error);
    if (status == STATUS_OK) {
        out->kind = brake.kind;
        (void)snprintf(out->subject, sizeof out->subject, "%s", brake.key);
        if (brake.kind == BRAKE_CLIENT)
            status = client_subject(&brake, out, &error);
        else if (brake.kind == BRAKE_LIST)
            list_subject(request, out);
    }
    brake_clear(&brake);
    if (status != STATUS_OK)
        request_fail_status(request, status, &error, "subject");
    return status == STATUS_OK;
}

/* The rules that have a bucket for it, in order; NULL without memory. */
static const struct rule **find_rules(const struct request *request, enum brake_kind kind,
                                      size_t *out_count)
{
    const struct policy *policy = &request->settings->policy;
    const struct rule **rules = calloc(policy->rule_count + 1, sizeof(struct rule *));
    *out_count = 0;
    for (size_t i = 0; rules != NULL && i < policy->rule_count; i++) {
        if (policy->rules[i].has_limit && has_kind(&policy->rules[i], kind))
            rules[(*out_count)++] = &policy->rules[i];
    }
    return rules;
}

static const char *source_name(enum store_source source)
{
    static const char *const names[] = {
        [STORE_NONE] = "none",
        [STORE_REDIS] = "redis",
        [STORE_MEMORY] = "memory",
        [STORE_LOCAL] = "local",
    };
    return names[source];
}

static json_t *bucket_json(const struct rule *rule, const struct outcome *outcome)
{
    return json_pack("{s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:b}", "rule",
                     output_string(rule->name), "key", key_name(rule->key), "unit",
                     rule->unit == UNIT_MESSAGES ? "messages" : "recipients", "left",
                     (json_int_t)outcome->left, "burst", (json_int_t)outcome->burst,
                     "tokens", (json_int_t)rule->limit.tokens, "period_s",
                     (json_int_t)(rule->limit.period_ms / 1000), "action",
                     action_name(rule->action), "monitor", rule->monitor);
}

/* The rules' buckets as they are, nothing taken. */
static enum status peek(const struct request *request, const struct question *question,
                        const struct rule *const *rules, size_t count, json_t **out)
{
    enum store_source source = STORE_NONE;
    struct charge *charges = calloc(count + 1, sizeof *charges);
    struct outcome *outcomes = calloc(count + 1, sizeof *outcomes);
    enum status status = charges == NULL || outcomes == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        charges[i] = (struct charge){.fingerprint = rules[i]->fingerprint,
                                     .subject = question->subject,
                                     .rate = &rules[i]->limit};
    if (status == STATUS_OK)
        status = store_charge(request->context->store, charges, count, false,
                              request_deadline_us(), outcomes, &source);
    if (status == STATUS_OK) {
        json_t *limits = json_array();
        for (size_t i = 0; i < count; i++)
            (void)json_array_append_new(limits, bucket_json(rules[i], &outcomes[i]));
        *out = json_pack("{s:o, s:o, s:s}", "subject", output_string(question->subject),
                         "limits", limits, "source", source_name(source));
    }
    free(charges);
    free(outcomes);
    return status;
}

void api_limits_show(struct request *request)
{
    struct question question;
    size_t count;
    json_t *json = NULL;
    if (!ask(request, &question))
        return;
    const struct rule **rules = find_rules(request, question.kind, &count);
    enum status status =
        rules == NULL ? STATUS_NOMEM : peek(request, &question, rules, count, &json);
    free(rules);
    if (status != STATUS_OK)
        request_fail_status(request, status, NULL, "limits");
    else
        request_answer(request, json);
}

void api_limits_reset(struct request *request)
{
    struct question question;
    size_t count;
    size_t reset = 0;
    const char *typed = request_query(request, "subject");
    if (!ask(request, &question)) {
        request_audit_key(request, "limits reset", typed == NULL ? "" : typed,
                          request_result(request));
        return;
    }
    const struct rule **rules = find_rules(request, question.kind, &count);
    enum status status = rules == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = store_reset(request->context->store, rules[i]->fingerprint,
                             question.subject, request_deadline_us());
        reset += status == STATUS_OK;
    }
    free(rules);
    if (status != STATUS_OK)
        request_fail_status(request, status, NULL, "limits");
    else
        request_answer(request,
                       json_pack("{s:o, s:I}", "subject", output_string(question.subject),
                                 "reset", (json_int_t)reset));
    request_audit_key(request, "limits reset", question.subject, request_result(request));
}
