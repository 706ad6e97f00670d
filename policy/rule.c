/* One rule's life, and the limit and duration that its text is made of. */
#include "policy/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
                          key_name(rule->key),
                          rule->unit == UNIT_MESSAGES ? "messages" : "recipients",
                          (long long)rule->limit.tokens, (long long)rule->limit.period_ms,
                          (long long)rule->limit.burst);
    digest_hex(&zero, whole, (size_t)length, rule->fingerprint);
}

bool rule_is_metered(const struct rule *rule)
{
    return rule->has_limit || rule->has_surge;
}

/* Decimal digits into a number; moves *text behind them. False without digits, or past
 * INT64_MAX. */
static bool take_number(const char **text, int64_t *out)
{
    const char *p = *text;
    int64_t value = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        int digit = *p - '0';
        if (value > (INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (p == *text)
        return false;
    *text = p;
    *out = value;
    return true;
}

static int64_t unit_ms(char unit)
{
    switch (unit) {
    case 's':
        return 1000;
    case 'm':
        return INT64_C(60) * 1000;
    case 'h':
        return INT64_C(3600) * 1000;
    case 'd':
        return INT64_C(86400) * 1000;
    case 'w':
        return INT64_C(7) * 86400 * 1000;
    default:
        return 0;
    }
}

enum status duration_parse(const char *string, int64_t *out_ms, struct error *error)
{
    const char *p = string;
    int64_t number;
    bool right = take_number(&p, &number) && unit_ms(p[0]) > 0 && p[1] == '\0';
    if (!right)
        return error_set(error, STATUS_INVALID,
                         "\"%.100s\" is no duration: a whole number and s, m, h, d or w, "
                         "like \"15m\"",
                         string);
    if (number > INT64_MAX / unit_ms(p[0]))
        return error_set(error, STATUS_INVALID, "\"%.100s\" is too long a duration",
                         string);
    *out_ms = number * unit_ms(p[0]);
    return STATUS_OK;
}

void duration_format(int64_t ms, char out[DURATION_SIZE])
{
    static const char units[] = "wdhm";
    for (const char *unit = units; *unit != '\0'; unit++) {
        if (ms % unit_ms(*unit) == 0) {
            (void)snprintf(out, DURATION_SIZE, "%lld%c", (long long)(ms / unit_ms(*unit)),
                           *unit);
            return;
        }
    }
    (void)snprintf(out, DURATION_SIZE, "%llds", (long long)(ms / 1000));
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
    bool right = take_number(&p, &rate.tokens) && (*p == ' ' || *p == '\t');
    if (right && !take_word(&p, "messages")) {
        unit = UNIT_RECIPIENTS;
        right = take_word(&p, "recipients");
    }
    right = right && take_word(&p, "per");
    if (!right)
        return error_set(error, STATUS_INVALID,
                         "\"%.100s\" is no limit: write \"N messages per DURATION\" or "
                         "\"N recipients per DURATION\"",
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
        [ACTION_ACCEPT] = "accept",
        [ACTION_DEFER] = "defer",
        [ACTION_REJECT] = "reject",
        [ACTION_QUARANTINE] = "quarantine",
    };
    return names[action];
}

const char *key_name(enum key key)
{
    static const char *const names[] = {
        [KEY_SENDER] = "sender",     [KEY_LOGIN] = "login",
        [KEY_CLIENT] = "client",     [KEY_SENDER_DOMAIN] = "sender_domain",
        [KEY_LIST] = "list",         [KEY_THREAD] = "thread",
        [KEY_CAMPAIGN] = "campaign", [KEY_FROM] = "from",
        [KEY_ALL] = "all",
    };
    return names[key];
}
