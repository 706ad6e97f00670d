/* What must know each condition of a rule but whether it holds (match.c), and the text of
 * a limit. */
#include "policy/rule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"

void rule_init(struct rule *rule)
{
    *rule = (struct rule){0};
    for (size_t i = 0; i < MEASURE_COUNT; i++)
        rule->over[i] = -1;
}

void rule_clear(struct rule *rule)
{
    free(rule->name);
    free(rule->reason);
    elements_clear(&rule->from);
    elements_clear(&rule->from_not);
    elements_clear(&rule->to);
    elements_clear(&rule->to_not);
    hours_clear(&rule->hours);
    hours_clear(&rule->hours_not);
    rule_init(rule);
}

/* Public on purpose: two relays, or two versions, must find the same bucket, and the name
 * of a rule is no secret. The name's hash has a fixed length, so no two rules are one
 * text. A surge's factor and floor may change without its past being lost. */
void rule_seal(struct rule *rule)
{
    static const struct digest_key zero;
    char name[DIGEST_HEX_SIZE];
    char whole[DIGEST_HEX_SIZE + 128];
    const char *text = rule->name == NULL ? "" : rule->name;
    digest_hex(&zero, text, strlen(text), name);
    if (rule->has_surge) {
        int length = snprintf(whole, sizeof whole, "%s %s surge %lld", name,
                              key_name(rule->key), (long long)rule->surge.window_ms);
        digest_hex(&zero, whole, (size_t)length, rule->fingerprint);
        return;
    }
    int length = snprintf(whole, sizeof whole, "%s %s %s %lld %lld %lld", name,
                          key_name(rule->key), unit_name(rule->unit),
                          (long long)rule->limit.tokens, (long long)rule->limit.period_ms,
                          (long long)rule->limit.burst);
    digest_hex(&zero, whole, (size_t)length, rule->fingerprint);
}

static void add_elements(struct text *all, const struct elements *elements)
{
    for (size_t i = 0; i < elements->count; i++)
        text_printf(all, "%d %s\n", (int)elements->items[i].kind,
                    elements->items[i].text);
    text_add_string(all, ".\n");
}

static void add_hours(struct text *all, const struct hours *hours)
{
    for (size_t i = 0; i < hours->count; i++)
        text_printf(all, "%d %d %d\n", hours->spans[i].days, hours->spans[i].from,
                    hours->spans[i].to);
    text_add_string(all, ".\n");
}

void rule_write(const struct rule *rule, struct text *out)
{
    text_printf(out, "%s %s %s %d %d %d %d\n", rule->name, rule->fingerprint,
                action_name(rule->action), rule->monitor, (int)rule->origin,
                (int)rule->reply, (int)rule->automatic);
    text_printf(out, "%" PRId64 " %" PRId64 " %" PRId64 "\n", rule->latch_ms,
                rule->surge.factor, rule->surge.floor);
    for (size_t m = 0; m < MEASURE_COUNT; m++)
        text_printf(out, "%" PRId64 "\n", rule->over[m]);
    add_elements(out, &rule->from);
    add_elements(out, &rule->from_not);
    add_elements(out, &rule->to);
    add_elements(out, &rule->to_not);
    add_hours(out, &rule->hours);
    add_hours(out, &rule->hours_not);
}

bool rule_has_more_conditions(const struct rule *rule)
{
    for (size_t i = 0; i < MEASURE_COUNT; i++) {
        if (rule->over[i] >= 0)
            return true;
    }
    return rule->hours.count + rule->hours_not.count > 0 || rule->origin != ORIGIN_ANY ||
           rule->reply != ANY || rule->automatic != ANY;
}

bool rule_is_metered(const struct rule *rule)
{
    return rule->has_limit || rule->has_surge;
}

static void skip_blanks(const char **text)
{
    *text += strspn(*text, " \t");
}

/* The word, blanks before it skipped, and at least one blank after it. */
static bool take_word(const char **text, const char *word)
{
    size_t length = strlen(word);
    skip_blanks(text);
    if (strncmp(*text, word, length) != 0 || strchr(" \t", (*text)[length]) == NULL ||
        (*text)[length] == '\0')
        return false;
    *text += length;
    return true;
}

enum status limit_parse(const char *string, struct rate *out_rate, enum unit *out_unit,
                        struct error *error)
{
    const char *p = string;
    struct rate rate;
    enum unit unit = UNIT_MESSAGES;
    skip_blanks(&p);
    bool right = text_take_number(&p, &rate.tokens) && (*p == ' ' || *p == '\t');
    while (right && !take_word(&p, unit_name(unit))) {
        right = unit != UNIT_CLIENTS;
        unit += right;
    }
    right = right && take_word(&p, "per");
    if (!right)
        return error_set(error, STATUS_INVALID,
                         "\"%.100s\" is not a limit: write \"N messages per "
                         "DURATION\", \"N recipients per DURATION\" or \"N clients "
                         "per DURATION\"",
                         string);
    skip_blanks(&p);
    enum status status = duration_parse(p, &rate.period_ms, error);
    if (status != STATUS_OK)
        return status;
    rate.burst = rate.tokens;
    *out_rate = rate;
    *out_unit = unit;
    return STATUS_OK;
}

int64_t rule_most(const struct rule *rule)
{
    return rule->unit == UNIT_CLIENTS ? rule->limit.burst : rate_most(&rule->limit);
}

const char *unit_name(enum unit unit)
{
    static const char *const names[] = {
        [UNIT_MESSAGES] = "messages",
        [UNIT_RECIPIENTS] = "recipients",
        [UNIT_CLIENTS] = "clients",
    };
    return names[unit];
}

const char *measure_name(enum measure measure)
{
    static const char *const names[MEASURE_COUNT] = {
        [MEASURE_REACH] = "reach",
        [MEASURE_COPIES] = "copies",
        [MEASURE_EXTERNAL] = "external",
        [MEASURE_VISIBLE] = "visible",
        [MEASURE_VISIBLE_EXTERNAL] = "visible external",
    };
    return names[measure];
}

const char *action_name(enum action action)
{
    static const char *const names[] = {
        [ACTION_ACCEPT] = "accept",   [ACTION_DEFER] = "defer",
        [ACTION_REJECT] = "reject",   [ACTION_QUARANTINE] = "quarantine",
        [ACTION_CONFIRM] = "confirm",
    };
    return names[action];
}

const char *key_name(enum key key)
{
    static const char *const names[] = {
        [KEY_SENDER] = "sender",     [KEY_LOGIN] = "login",
        [KEY_CLIENT] = "client",     [KEY_SENDER_DOMAIN] = "sender_domain",
        [KEY_LIST] = "list",         [KEY_THREAD] = "thread",
        [KEY_CAMPAIGN] = "campaign", [KEY_TOPIC] = "topic",
        [KEY_FROM] = "from",         [KEY_ALL] = "all",
    };
    return names[key];
}
