/* Messages come in order of time, so the cells of the current minute are the last ones.
 */
#include "replay/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "policy/judge.h"
#include "replay/formula.h"

static size_t count_others(void)
{
    size_t count = 0;
    while (judge_other_deciders[count] != NULL)
        count++;
    return count;
}

enum status report_init(struct report *report, const struct scenario *scenario,
                        const struct policy *policy)
{
    *report = (struct report){.scenario = scenario, .policy = policy};
    size_t others = count_others();
    report->decider_count = policy->rule_count + others;
    report->tags = calloc(scenario->tag_count, sizeof *report->tags);
    report->deciders = calloc(report->decider_count, sizeof *report->deciders);
    report->checks = calloc(scenario->expectation_count + 1, sizeof *report->checks);
    if (report->tags == NULL || report->deciders == NULL || report->checks == NULL) {
        report_clear(report);
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < policy->rule_count; i++)
        report->deciders[i].name = policy->rules[i].name;
    for (size_t i = 0; i < others; i++)
        report->deciders[policy->rule_count + i].name = judge_other_deciders[i];
    return STATUS_OK;
}

void report_clear(struct report *report)
{
    free(report->cells);
    free(report->tags);
    free(report->deciders);
    free(report->checks);
    *report = (struct report){0};
}

size_t report_decider(const struct report *report, const struct verdict *verdict)
{
    if (verdict->rule != NULL)
        return (size_t)(verdict->rule - report->policy->rules);
    return report->policy->rule_count + verdict->cause;
}

static void count(struct report_sum *sum, int64_t copies)
{
    sum->messages++;
    sum->copies += copies;
}

static enum status add_cell(struct report *report, const struct report_entry *entry)
{
    int64_t minute = entry->at_ms / REPORT_MINUTE_MS;
    for (size_t i = report->cell_count; i-- > 0 && report->cells[i].minute == minute;) {
        struct report_cell *cell = &report->cells[i];
        if (cell->decider != entry->decider || cell->action != entry->action)
            continue;
        count(&cell->sum, entry->copies);
        return STATUS_OK;
    }
    if (!array_reserve(&report->cells, report->cell_count, sizeof *report->cells))
        return STATUS_NOMEM;
    report->cells[report->cell_count++] = (struct report_cell){
        .minute = minute,
        .decider = entry->decider,
        .action = entry->action,
        .sum = {.messages = 1, .copies = entry->copies},
    };
    return STATUS_OK;
}

static void add_to_tag(struct report_tag *tag, const struct report_entry *entry)
{
    count(&tag->by[entry->action], entry->copies);
    tag->last_ms = entry->at_ms;
    if (tag->first_ms == 0)
        tag->first_ms = entry->at_ms;
    if (entry->action != ACTION_ACCEPT && tag->stopped_ms == 0)
        tag->stopped_ms = entry->at_ms;
}

static bool counts(enum measure_of what, enum action action)
{
    static const unsigned actions[] = {
        [COUNT_SENT] = ~0U,
        [COUNT_ACCEPTED] = 1U << ACTION_ACCEPT,
        [COUNT_HELD] = 1U << ACTION_QUARANTINE,
        [COUNT_DEFERRED] = 1U << ACTION_DEFER,
        [COUNT_REFUSED] = 1U << ACTION_REJECT,
        [COUNT_STOPPED] = ~(1U << ACTION_ACCEPT),
    };
    return (actions[what] >> action & 1) != 0;
}

static void add_to_checks(struct report *report, const struct report_entry *entry)
{
    const struct scenario *scenario = report->scenario;
    int64_t since_ms = entry->at_ms - scenario->start_ms;
    for (size_t i = 0; i < scenario->expectation_count; i++) {
        const struct expectation *expectation = &scenario->expectations[i];
        if (expectation->tag != SCENARIO_ALL && expectation->tag != entry->tag)
            continue;
        if (!counts(expectation->what, entry->action) ||
            since_ms < expectation->from_ms || since_ms >= expectation->until_ms)
            continue;
        if (expectation->rule != NULL &&
            strcmp(expectation->rule, report->deciders[entry->decider].name) != 0)
            continue;
        report->checks[i].found += expectation->copies ? entry->copies : 1;
    }
}

void report_add_would(struct report *report, const struct plan *plan, int64_t copies)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct verdict would = judge_would(&plan->steps[i]);
        if (would.action != ACTION_ACCEPT)
            count(&report->deciders[report_decider(report, &would)].would, copies);
    }
}

enum status report_add(struct report *report, const struct report_entry *entry)
{
    enum status status = add_cell(report, entry);
    if (status != STATUS_OK)
        return status;
    report->messages++;
    count(&report->deciders[entry->decider].by[entry->action], entry->copies);
    add_to_tag(&report->tags[SCENARIO_ALL], entry);
    if (entry->tag != SCENARIO_ALL)
        add_to_tag(&report->tags[entry->tag], entry);
    add_to_checks(report, entry);
    if (entry->action != ACTION_ACCEPT && report->closed.at_ms == 0) {
        report->closed.at_ms = entry->at_ms;
        report->closed.decider = entry->decider;
        report->closed.tag = entry->tag;
    }
    return STATUS_OK;
}

struct lookup_context {
    const struct report *report;
    const struct directory *directory;
};

/* size(ADDRESS): the number of persons on a list. */
static enum status lookup_size(const struct lookup_context *context, const char *argument,
                               int64_t *out, struct error *error)
{
    struct address address;
    struct target target = {.kind = TARGET_PERSON};
    if (address_parse(argument, strlen(argument), &address) == STATUS_OK)
        directory_find(context->directory, &address, &target);
    if (target.kind != TARGET_LIST)
        return error_set(error, STATUS_INVALID, "there is no list %.200s", argument);
    *out = (int64_t)directory_list(context->directory, target.list)->size;
    return STATUS_OK;
}

/* stop_after(TAG): seconds, rounded up, from its first message to the first of them that
 * was stopped; to its last one when none was. */
static enum status lookup_stop(const struct lookup_context *context, const char *argument,
                               int64_t *out, struct error *error)
{
    const struct scenario *scenario = context->report->scenario;
    for (size_t i = 0; i < scenario->tag_count; i++) {
        if (strcmp(scenario->tags[i], argument) != 0)
            continue;
        const struct report_tag *tag = &context->report->tags[i];
        int64_t until = tag->stopped_ms > 0 ? tag->stopped_ms : tag->last_ms;
        *out = (until - tag->first_ms + 999) / 1000;
        return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID, "nothing is sent as %.60s", argument);
}

static enum status lookup(void *context, const char *name, const char *argument,
                          int64_t *out, struct error *error)
{
    if (strcmp(name, "size") == 0)
        return lookup_size(context, argument, out, error);
    if (strcmp(name, "stop_after") == 0)
        return lookup_stop(context, argument, out, error);
    return error_set(error, STATUS_INVALID, "there is no %.60s", name);
}

static bool holds(enum relation relation, int64_t found, int64_t bound)
{
    bool less = relation == RELATION_LE || relation == RELATION_LT;
    bool more = relation == RELATION_GE || relation == RELATION_GT;
    bool equal = relation != RELATION_LT && relation != RELATION_GT;
    return (less && found < bound) || (more && found > bound) ||
           (equal && found == bound);
}

static bool has_decider(const struct report *report, const char *name)
{
    for (size_t i = 0; i < report->decider_count; i++) {
        if (strcmp(report->deciders[i].name, name) == 0)
            return true;
    }
    return false;
}

static enum status check(const struct report *report,
                         const struct expectation *expectation,
                         const struct formula_scope *scope, struct report_check *out,
                         struct error *error)
{
    if (expectation->rule != NULL && !has_decider(report, expectation->rule))
        return error_set(error, STATUS_INVALID, "the configuration has no rule %.60s",
                         expectation->rule);
    enum status status = formula_evaluate(expectation->bound, strlen(expectation->bound),
                                          scope, &out->bound, error);
    out->met =
        status == STATUS_OK && holds(expectation->relation, out->found, out->bound);
    return status;
}

enum status report_check(struct report *report, const struct directory *directory,
                         struct error *error)
{
    const struct scenario *scenario = report->scenario;
    struct lookup_context context = {.report = report, .directory = directory};
    const struct formula_scope scope = {
        .n = 1, .run = 1, .k = 1, .lookup = lookup, .context = &context};
    for (size_t i = 0; i < scenario->expectation_count; i++) {
        const struct expectation *expectation = &scenario->expectations[i];
        struct error found = {0};
        enum status status =
            check(report, expectation, &scope, &report->checks[i], &found);
        if (status != STATUS_OK)
            return error_set_at(error, status, scenario->file, expectation->line, "%s",
                                found.text);
    }
    return STATUS_OK;
}

const char *report_action_name(enum action action)
{
    static const char *const names[REPORT_ACTIONS] = {"accepted", "deferred", "refused",
                                                      "held"};
    return names[action];
}

const char *report_title(const struct report *report)
{
    const struct scenario *scenario = report->scenario;
    if (report->past != NULL)
        return report->past;
    return scenario->title[0] != '\0' ? scenario->title : scenario->file;
}

struct report_sum report_stopped(const struct report_sum by[REPORT_ACTIONS])
{
    struct report_sum sum = {0};
    for (size_t i = 0; i < REPORT_ACTIONS; i++) {
        sum.messages += i == ACTION_ACCEPT ? 0 : by[i].messages;
        sum.copies += i == ACTION_ACCEPT ? 0 : by[i].copies;
    }
    return sum;
}
