/* In the configuration's own words, so that whoever reads the notice finds the rule. */
#include "engine/passed.h"

#include <stdio.h>

#include "base/duration.h"
#include "base/text.h"

static void describe_rate(const struct rule *rule, char out[PASSED_SIZE])
{
    char period[DURATION_SIZE];
    char burst[40] = "";
    const struct rate *rate = &rule->limit;
    duration_format(rate->period_ms, period);
    if (rate->burst != rate->tokens)
        (void)snprintf(burst, sizeof burst, ", burst %lld", (long long)rate->burst);
    (void)snprintf(out, PASSED_SIZE, "%lld %s per %s%s", (long long)rate->tokens,
                   unit_name(rule->unit), period, burst);
}

/* Thousandths as they are written: "2", "1.5". */
static void format_factor(int64_t factor, char out[40])
{
    int length = snprintf(out, 40, "%lld.%03lld", (long long)(factor / 1000),
                          (long long)(factor % 1000));
    while (out[length - 1] == '0')
        out[--length] = '\0';
    if (out[length - 1] == '.')
        out[length - 1] = '\0';
}

static void describe_surge(const struct rule *rule, int64_t size, char out[PASSED_SIZE])
{
    char window[DURATION_SIZE];
    char factor[40];
    const struct surge *surge = &rule->surge;
    duration_format(surge->window_ms, window);
    format_factor(surge->factor, factor);
    (void)snprintf(out, PASSED_SIZE,
                   "%lld copies in %s: %s times what is usual, at least %lld",
                   (long long)size, window, factor, (long long)surge->floor);
}

static void describe_grown(const struct list *list, char out[PASSED_SIZE])
{
    struct text text = {0};
    text_add_string(&text, "a list that had grown from ");
    text_add_grouped(&text, list->was);
    text_add_string(&text, " to ");
    text_add_grouped(&text, list->size);
    (void)snprintf(out, PASSED_SIZE, "%s", text_string(&text));
    text_clear(&text);
}

int64_t passed_describe(const struct verdict *verdict, char out[PASSED_SIZE])
{
    const struct rule *rule = verdict->rule;
    int64_t passed = verdict->outcome.burst - verdict->outcome.left;
    out[0] = '\0';
    if (verdict->brake != NULL)
        (void)snprintf(out, PASSED_SIZE, "a brake, set by %.100s", verdict->brake->by);
    else if (verdict->cause == CAUSE_UNKNOWN)
        (void)snprintf(out, PASSED_SIZE, "a list whose members are not known");
    else if (verdict->cause == CAUSE_GROWN)
        describe_grown(verdict->grown, out);
    else if (verdict->cause == CAUSE_STORE)
        (void)snprintf(out, PASSED_SIZE, "none: the store did not answer");
    else if (rule == NULL)
        (void)snprintf(out, PASSED_SIZE, "none: the message could not be judged");
    else if (verdict->charge != NULL && rule->has_limit)
        describe_rate(rule, out);
    else if (verdict->charge != NULL)
        describe_surge(rule, verdict->outcome.burst, out);
    else if (verdict->cause == CAUSE_TOO_MANY)
        (void)snprintf(out, PASSED_SIZE, "%lld lists in one message",
                       (long long)verdict->over);
    else if (verdict->over >= 0)
        (void)snprintf(out, PASSED_SIZE, "%s over %lld", measure_name(verdict->measure),
                       (long long)verdict->over);
    else
        (void)snprintf(out, PASSED_SIZE, "none: the rule stops all such mail");
    if (verdict->charge == NULL)
        return -1;
    return passed > 0 ? passed : 0;
}
