/* The walk, as far as it can go without the store: top to bottom, down to the first rule
 * that decides by matching. Limits and surges above it become charges. */
#include "policy/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"

static bool format_subject(const char *kind, const char *value, char *out, size_t size)
{
    if (value[0] == '\0')
        return false;
    text_join(out, size, kind, value);
    return true;
}

static void format_list(const struct view *view, const struct recipient *recipient,
                        char *out, size_t size)
{
    const struct list *list = directory_list(view->directory, recipient->list);
    text_join(out, size, "list:", list->address);
}

/* The first list addressed that the rule is about. */
static bool find_list(const struct view *view, const struct rule *rule, char *out,
                      size_t size)
{
    for (size_t i = 0; i < view->facts->recipient_count; i++) {
        const struct recipient *recipient = &view->facts->recipients[i];
        if (!match_charged_list(view, rule, recipient))
            continue;
        format_list(view, recipient, out, size);
        return true;
    }
    return false;
}

/* The words of a Subject are neither shown nor stored: their hash replaces them. hash is
 * empty, or has been made from them before. */
static void hash_words(const struct view *view, const char *words,
                       char hash[DIGEST_HEX_SIZE])
{
    static const struct digest_key zero;
    if (hash[0] == '\0')
        digest_hex(view->key == NULL ? &zero : view->key, words, strlen(words), hash);
}

static bool format_campaign(const struct view *view, char *out, size_t size)
{
    char unknown[DIGEST_HEX_SIZE] = "";
    char *hash = view->memo != NULL ? view->memo->campaign : unknown;
    if (view->facts->campaign == NULL)
        return false;
    hash_words(view, view->facts->campaign, hash);
    (void)snprintf(out, size, "campaign:%s#%s", view->facts->identity, hash);
    return true;
}

static bool format_topic(const struct view *view, char *out, size_t size)
{
    char unknown[DIGEST_HEX_SIZE] = "";
    char *hash = view->memo != NULL ? view->memo->topic : unknown;
    const char *topic = facts_topic(view->facts);
    if (topic[0] == '\0')
        return false;
    hash_words(view, topic, hash);
    text_join(out, size, "topic:", hash);
    return true;
}

/* As the administrator wrote it: one machine or account, whatever it calls itself. */
static bool format_from(const struct view *view, const struct rule *rule, char *out,
                        size_t size)
{
    const struct element *element = match_sender(view, &rule->from);
    if (element == NULL)
        return false;
    element_format(element, out, size);
    return true;
}

bool plan_subject(const struct view *view, const struct rule *rule, char *out,
                  size_t size)
{
    const struct facts *facts = view->facts;
    switch (rule->key) {
    case KEY_SENDER:
        text_join(out, size, facts->identity, "");
        return true;
    case KEY_LOGIN:
        return format_subject("login:", facts->login.text, out, size);
    case KEY_CLIENT:
        return format_subject("client:", facts->client, out, size);
    case KEY_SENDER_DOMAIN:
        return format_subject("domain:", address_domain(&facts->sender), out, size);
    case KEY_LIST:
        return find_list(view, rule, out, size);
    case KEY_THREAD:
        return format_subject("thread:", facts->thread, out, size);
    case KEY_CAMPAIGN:
        return format_campaign(view, out, size);
    case KEY_TOPIC:
        return format_topic(view, out, size);
    case KEY_FROM:
        return format_from(view, rule, out, size);
    case KEY_ALL:
        text_join(out, size, "all", "");
        return true;
    }
    return false;
}

struct charge plan_charge(const struct rule *rule, const char *subject, int64_t cost)
{
    return (struct charge){
        .fingerprint = rule->fingerprint,
        .subject = subject,
        .rate = rule->has_limit ? &rule->limit : NULL,
        .surge = rule->has_surge ? &rule->surge : NULL,
        .cost = cost,
        .clients = rule->unit == UNIT_CLIENTS,
        .latch_ms = rule->latch_ms,
        .monitor = rule->monitor,
    };
}

/* charge: but for its subject, which is copied. */
static enum status add(struct plan *plan, const struct charge *charge,
                       const char *subject)
{
    const char *kept = arena_copy(&plan->subjects, subject, strlen(subject));
    if (kept == NULL ||
        !array_reserve(&plan->charges, plan->charge_count, sizeof *plan->charges))
        return STATUS_NOMEM;
    plan->charges[plan->charge_count] = *charge;
    plan->charges[plan->charge_count++].subject = kept;
    return STATUS_OK;
}

static enum status add_charge(struct plan *plan, const struct rule *rule,
                              const char *subject, int64_t cost)
{
    const struct charge charge = plan_charge(rule, NULL, cost);
    return add(plan, &charge, subject);
}

/* What a list that several recipients name is charged: the copies of them all. A list is
 * its address: two sources may have one of the same name, and that is one bucket. */
struct share {
    const char *address;
    int64_t copies;
};

static int compare_share(const void *left, const void *right)
{
    const struct share *a = left;
    const struct share *b = right;
    return strcmp(a->address, b->address);
}

static size_t merge_shares(struct share *shares, size_t count)
{
    size_t kept = 0;
    if (count < 2)
        return count;
    qsort(shares, count, sizeof *shares, compare_share);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(shares[i].address, shares[kept].address) == 0)
            shares[kept].copies += shares[i].copies;
        else
            shares[++kept] = shares[i];
    }
    return kept + 1;
}

/* The lists addressed that the rule's to matches, each once; how many. */
static size_t find_shares(const struct view *view, const struct rule *rule,
                          struct share *shares)
{
    size_t count = 0;
    for (size_t i = 0; i < view->facts->recipient_count; i++) {
        const struct recipient *recipient = &view->facts->recipients[i];
        if (match_charged_list(view, rule, recipient))
            shares[count++] = (struct share){
                .address = directory_list(view->directory, recipient->list)->address,
                .copies = (int64_t)recipient->copies,
            };
    }
    return merge_shares(shares, count);
}

/* True when an allowance lets this key pass the rule. */
static bool allows(const struct view *view, const struct rule *rule, const char *subject)
{
    return brake_allows(view->brakes, rule->fingerprint, subject, view->now_ms);
}

/* The message goes out, so its copies are usual from now on. */
static void let_pass(struct charge *charge)
{
    charge->monitor = true;
    charge->latch_ms = 0;
}

/* A list with an allowance is charged only for what its window learns. */
static enum status charge_list(const struct view *view, const struct rule *rule,
                               struct plan *plan, const struct share *share)
{
    char subject[SUBJECT_SIZE];
    int64_t cost = rule->unit == UNIT_MESSAGES ? 1 : share->copies;
    text_join(subject, sizeof subject, "list:", share->address);
    bool allowed = allows(view, rule, subject);
    if (allowed && !rule->has_surge)
        return STATUS_OK;
    enum status status = add_charge(plan, rule, subject, cost);
    if (status == STATUS_OK && allowed)
        let_pass(&plan->charges[plan->charge_count - 1]);
    return status;
}

/* One bucket for each of these lists; none when they are too many. */
static enum status charge_lists(const struct view *view, const struct rule *rule,
                                struct plan *plan, struct plan_step *step)
{
    struct share *shares = calloc(view->facts->recipient_count, sizeof *shares);
    if (shares == NULL)
        return STATUS_NOMEM;
    step->lists = find_shares(view, rule, shares);
    size_t charged = step->lists <= PLAN_LIST_BUCKETS_MAX ? step->lists : 0;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < charged && status == STATUS_OK; i++)
        status = charge_list(view, rule, plan, &shares[i]);
    free(shares);
    return status;
}

static enum status charge_one(const struct view *view, const struct rule *rule,
                              struct plan *plan)
{
    char subject[SUBJECT_SIZE];
    int64_t cost = rule->unit == UNIT_RECIPIENTS ? (int64_t)view->facts->copies : 1;
    struct charge charge = plan_charge(rule, NULL, cost);
    if (!plan_subject(view, rule, subject, sizeof subject))
        return STATUS_OK; /* match_rule has seen to it that there is one */
    if (charge.clients)
        charge.client = view->facts->client;
    return add(plan, &charge, subject);
}

static enum status add_charges(const struct view *view, const struct rule *rule,
                               struct plan *plan, struct plan_step *step)
{
    enum status status = STATUS_OK;
    *step = (struct plan_step){.rule = rule, .charge = plan->charge_count};
    if (rule_is_metered(rule) && rule->key == KEY_LIST)
        status = charge_lists(view, rule, plan, step);
    else if (rule_is_metered(rule))
        status = charge_one(view, rule, plan);
    step->charge_count = plan->charge_count - step->charge;
    for (size_t i = step->charge; i < plan->charge_count; i++) {
        plan->charges[i].along = i > step->charge;
        plan->charges[i].trains = view->policy->monitor;
    }
    return status;
}

static enum status add_step(const struct view *view, const struct rule *rule,
                            struct plan *plan)
{
    if (!array_reserve(&plan->steps, plan->step_count, sizeof *plan->steps))
        return STATUS_NOMEM;
    struct plan_step *step = &plan->steps[plan->step_count++];
    enum status status = add_charges(view, rule, plan, step);
    bool sure = !rule_is_metered(rule) || step->lists > PLAN_LIST_BUCKETS_MAX;
    if (sure && !rule->monitor)
        plan->decides = rule;
    return status;
}

static enum status add_allowed(const struct view *view, const struct rule *rule,
                               struct plan *plan)
{
    struct plan_step step;
    if (!rule->has_surge)
        return STATUS_OK;
    enum status status = add_charges(view, rule, plan, &step);
    for (size_t i = step.charge; i < plan->charge_count; i++)
        let_pass(&plan->charges[i]);
    return status;
}

/* Every list that the rule is about. */
static bool allows_lists(const struct view *view, const struct rule *rule)
{
    bool any = false;
    for (size_t i = 0; i < view->facts->recipient_count; i++) {
        char subject[SUBJECT_SIZE];
        const struct recipient *recipient = &view->facts->recipients[i];
        if (!match_charged_list(view, rule, recipient))
            continue;
        any = true;
        format_list(view, recipient, subject, sizeof subject);
        if (!allows(view, rule, subject))
            return false;
    }
    return any;
}

/* Rare enough that nobody pays for it without an allowance. */
static bool is_allowed(const struct view *view, const struct rule *rule)
{
    char subject[SUBJECT_SIZE];
    if (view->brakes == NULL || view->brakes->allowance_count == 0)
        return false;
    if (rule->key == KEY_LIST)
        return allows_lists(view, rule);
    return plan_subject(view, rule, subject, sizeof subject) &&
           allows(view, rule, subject);
}

/* With several lists the rule is asked as ever. */
static bool is_of_one_list(const struct view *view, const struct rule *rule)
{
    size_t count = 0;
    for (size_t i = 0; rule->key == KEY_LIST && i < view->facts->recipient_count; i++)
        count += match_charged_list(view, rule, &view->facts->recipients[i]);
    return count < 2;
}

static const struct allowance *find_confirmed(const struct view *view,
                                              const struct rule *rule)
{
    char subject[SUBJECT_SIZE];
    if (view->brakes == NULL || view->brakes->allowance_count == 0 || view->used_up ||
        view->policy->monitor || !is_of_one_list(view, rule) ||
        !plan_subject(view, rule, subject, sizeof subject))
        return NULL;
    return brake_find_confirmed(view->brakes, rule->fingerprint, subject, view->facts,
                                &view->policy->domains, view->now_ms);
}

static enum status add_confirmed(const struct view *view, const struct rule *rule,
                                 const struct allowance *allowance, struct plan *plan)
{
    const struct charge charge = {.fingerprint = CONFIRMED_FINGERPRINT,
                                  .rate = &allowance->rate,
                                  .cost = (int64_t)view->facts->copies};
    enum status status = add_allowed(view, rule, plan);
    if (status == STATUS_OK &&
        !array_reserve(&plan->steps, plan->step_count, sizeof *plan->steps))
        status = STATUS_NOMEM;
    if (status != STATUS_OK)
        return status;
    plan->steps[plan->step_count++] = (struct plan_step){.rule = rule,
                                                         .charge = plan->charge_count,
                                                         .charge_count = 1,
                                                         .confirmed = allowance};
    return add(plan, &charge, allowance->id);
}

/* Rare as well. */
static enum status add_permits(const struct view *view, struct plan *plan)
{
    enum status status = STATUS_OK;
    size_t count = view->brakes == NULL ? 0 : view->brakes->permit_count;
    for (size_t i = 0;
         i < count && status == STATUS_OK && plan->permit_count < PLAN_PERMITS_MAX; i++) {
        const struct permit *permit = &view->brakes->permits[i];
        const struct charge charge = permit_charge(permit, (int64_t)view->facts->copies);
        if (!permit_matches(permit, view->facts, &view->policy->domains, view->directory,
                            view->now_ms))
            continue;
        plan->permits[plan->permit_count++] = permit;
        status = add(plan, &charge, permit->id);
    }
    return status;
}

static enum status add_rules(const struct view *view, struct plan *plan)
{
    const struct policy *policy = view->policy;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && plan->decides == NULL &&
           plan->rules_walked < policy->rule_count) {
        const struct rule *rule = &policy->rules[plan->rules_walked];
        enum condition condition = match_rule(view, rule);
        if (condition == CONDITION_NONE && is_allowed(view, rule))
            condition = CONDITION_ALLOWED;
        const struct allowance *confirmed =
            condition == CONDITION_NONE ? find_confirmed(view, rule) : NULL;
        plan->conditions[plan->rules_walked++] = condition;
        if (confirmed != NULL)
            status = add_confirmed(view, rule, confirmed, plan);
        else if (condition == CONDITION_NONE)
            status = add_step(view, rule, plan);
        else if (condition == CONDITION_ALLOWED)
            status = add_allowed(view, rule, plan);
    }
    return status;
}

/* The walk, with a memo. */
static enum status walk(const struct view *view, struct plan *plan)
{
    const struct policy *policy = view->policy;
    struct memo memo = {.senders = calloc(policy->sender_sets + 1, sizeof *memo.senders)};
    struct view remembering = *view;
    enum status status = STATUS_NOMEM;
    remembering.memo = &memo;
    plan->conditions = malloc((policy->rule_count + 1) * sizeof *plan->conditions);
    if (memo.senders != NULL && plan->conditions != NULL)
        status = add_rules(&remembering, plan);
    free(memo.senders);
    return status;
}

enum status plan_make(const struct view *view, struct plan *out)
{
    struct plan plan = {0};
    enum status status = add_permits(view, &plan);
    if (status == STATUS_OK)
        status = walk(view, &plan);
    if (status != STATUS_OK) {
        plan_clear(&plan);
        return status;
    }
    bool accepts = plan.decides == NULL || plan.decides->action == ACTION_ACCEPT;
    plan.mode = accepts ? CHARGE_TAKE : CHARGE_LATCH;
    *out = plan;
    return STATUS_OK;
}

void plan_clear(struct plan *plan)
{
    arena_clear(&plan->subjects);
    free(plan->charges);
    free(plan->steps);
    free(plan->conditions);
    *plan = (struct plan){0};
}
