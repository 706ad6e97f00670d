/* What the tests of facts, rules and verdicts share: the directory's fixture, a policy of
 * a few lines, and an envelope in one line. */
#ifndef TEST_MESSAGE_FIXTURE_H
#define TEST_MESSAGE_FIXTURE_H

#include "directory_fixture.h"

#include <stdlib.h>

#include "policy/judge.h"

enum { RULES = 8, RECIPIENTS = 200, HEADERS = 8 };

static struct policy policy;
static struct rule rules[RULES];
static struct facts facts;
static struct plan plan;
static struct view view;
static struct envelope_recipient recipients[RECIPIENTS];
static struct header headers[HEADERS];
static char typed[8192];
static struct envelope envelope;

/* Elements separated by blanks; the caller's to clear. */
static inline struct elements elements_of(const char *words)
{
    struct elements elements = {0};
    char copy[1000];
    char *save = NULL;
    ck_assert_uint_lt(strlen(words), sizeof copy);
    strcpy(copy, words);
    for (char *word = strtok_r(copy, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        struct element element;
        struct error error;
        if (element_parse(word, &own, &element, &error) != STATUS_OK)
            ck_abort_msg("%s", error.text);
        ck_assert_int_eq(elements_add(&elements, &element), STATUS_OK);
    }
    return elements;
}

/* Own domains are own and too; clients of 10.0.0.0/8 and sendmail(1) are
 * trusted, 10.9.9.9 is a relay. Lists are added between begin and seal. */
static inline void message_begin(void)
{
    directory_begin();
    policy = (struct policy){.domains = own, .rules = rules};
    policy.trusted = elements_of("client:local client:10.0.0.0/8");
    policy.relays = elements_of("client:10.9.9.9");
    view = (struct view){.policy = &policy, .directory = directory, .facts = &facts};
    envelope = (struct envelope){.client = "203.0.113.9",
                                 .sender = "<s@else>",
                                 .recipients = recipients,
                                 .headers = headers};
}

static inline void message_end(void)
{
    plan_clear(&plan);
    facts_clear(&facts);
    for (size_t i = 0; i < policy.rule_count; i++)
        rule_clear(&rules[i]);
    elements_clear(&policy.trusted);
    elements_clear(&policy.relays);
    policy = (struct policy){0};
    directory_end();
}

/* A rule without conditions. The name is copied. */
static inline struct rule *rule_add(const char *name, enum action action)
{
    ck_assert_uint_lt(policy.rule_count, RULES);
    struct rule *rule = &rules[policy.rule_count++];
    rule_init(rule);
    rule->name = strdup(name);
    ck_assert_ptr_nonnull(rule->name);
    rule->action = action;
    rule_seal(rule);
    return rule;
}

/* One with a bucket that holds `tokens`. */
static inline struct rule *limit_add(const char *name, enum action action, enum key key,
                                     enum unit unit, int64_t tokens)
{
    struct rule *rule = rule_add(name, action);
    rule->has_limit = true;
    rule->limit = (struct rate){.tokens = tokens, .period_ms = 3600000, .burst = tokens};
    rule->key = key;
    rule->unit = unit;
    rule_seal(rule);
    return rule;
}

/* One that lets twice the usual copies pass, and `floor` in any case. */
static inline struct rule *surge_add(const char *name, enum action action, enum key key,
                                     int64_t floor)
{
    struct rule *rule = rule_add(name, action);
    rule->has_surge = true;
    rule->surge = (struct surge){.factor = 2000, .floor = floor, .window_ms = 86400000};
    rule->key = key;
    rule->unit = UNIT_RECIPIENTS;
    rule_seal(rule);
    return rule;
}

/* Recipients as typed, separated by blanks; "a|b" is typed as a, with {rcpt_addr} b. */
static inline void to(const char *words)
{
    char *save = NULL;
    ck_assert_uint_lt(strlen(words), sizeof typed);
    strcpy(typed, words);
    envelope.recipient_count = 0;
    for (char *word = strtok_r(typed, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        char *bar = strchr(word, '|');
        if (bar != NULL)
            *bar++ = '\0';
        ck_assert_uint_lt(envelope.recipient_count, RECIPIENTS);
        recipients[envelope.recipient_count++] = (struct envelope_recipient){
            .typed = word, .address = bar == NULL ? word : bar};
    }
}

static inline void header(const char *name, const char *value)
{
    ck_assert_uint_lt(envelope.header_count, HEADERS);
    headers[envelope.header_count++] = (struct header){.name = name, .value = value};
}

/* The facts of the envelope, anew. */
static inline void gather(void)
{
    facts_clear(&facts);
    ck_assert_int_eq(facts_gather(&envelope, &policy, directory, &facts), STATUS_OK);
}

static inline void plan_anew(void)
{
    plan_clear(&plan);
    ck_assert_int_eq(plan_make(&view, &plan), STATUS_OK);
}

#endif
