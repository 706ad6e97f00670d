/* Messages come in the order of time, so the cells of the current minute are the last
 * ones. */
#include "replay/sheet.h"

#include <stdlib.h>
#include <string.h>

#include "policy/judge.h"

static size_t count_others(void)
{
    size_t count = 0;
    while (judge_other_deciders[count] != NULL)
        count++;
    return count;
}

enum status sheet_init(struct sheet *sheet, const struct scenario *scenario,
                       const struct policy *policy)
{
    *sheet = (struct sheet){.scenario = scenario, .policy = policy};
    size_t others = count_others();
    sheet->decider_count = policy->rule_count + others;
    sheet->tags = calloc(scenario->tag_count, sizeof *sheet->tags);
    sheet->deciders = calloc(sheet->decider_count, sizeof *sheet->deciders);
    sheet->checks = calloc(scenario->expectation_count + 1, sizeof *sheet->checks);
    if (sheet->tags == NULL || sheet->deciders == NULL || sheet->checks == NULL) {
        sheet_clear(sheet);
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < policy->rule_count; i++)
        sheet->deciders[i].name = policy->rules[i].name;
    for (size_t i = 0; i < others; i++)
        sheet->deciders[policy->rule_count + i].name = judge_other_deciders[i];
    return STATUS_OK;
}

void sheet_clear(struct sheet *sheet)
{
    free(sheet->cells);
    free(sheet->tags);
    free(sheet->deciders);
    free(sheet->checks);
    *sheet = (struct sheet){0};
}

size_t sheet_decider(const struct sheet *sheet, const struct verdict *verdict)
{
    size_t other = 0;
    if (verdict->rule != NULL)
        return (size_t)(verdict->rule - sheet->policy->rules);
    switch (verdict->cause) {
    case CAUSE_RELAY:
        other = 1;
        break;
    case CAUSE_NOTICE:
        other = 2;
        break;
    case CAUSE_BRAKE:
        other = 3;
        break;
    case CAUSE_UNKNOWN:
        other = 4;
        break;
    case CAUSE_STORE:
        other = 5;
        break;
    case CAUSE_DOUBT:
        other = 6;
        break;
    case CAUSE_NONE:
    case CAUSE_FORGED: /* a scenario's messages bring no fields of ours */
    case CAUSE_RULE:
    case CAUSE_LIMIT:
    case CAUSE_LATCH:
    case CAUSE_TOO_MANY:
        break;
    }
    return sheet->policy->rule_count + other;
}

static void count(struct sheet_sum *sum, int64_t copies)
{
    sum->messages++;
    sum->copies += copies;
}

static enum status add_cell(struct sheet *sheet, const struct sheet_entry *entry)
{
    int64_t minute = entry->at_ms / SHEET_MINUTE_MS;
    for (size_t i = sheet->cell_count; i-- > 0 && sheet->cells[i].minute == minute;) {
        struct sheet_cell *cell = &sheet->cells[i];
        if (cell->decider != entry->decider || cell->action != entry->action)
            continue;
        count(&cell->sum, entry->copies);
        return STATUS_OK;
    }
    if (sheet->cell_count == sheet->cell_capacity) {
        size_t capacity = sheet->cell_capacity == 0 ? 256 : 2 * sheet->cell_capacity;
        struct sheet_cell *cells = reallocarray(sheet->cells, capacity, sizeof *cells);
        if (cells == NULL)
            return STATUS_NOMEM;
        sheet->cells = cells;
        sheet->cell_capacity = capacity;
    }
    sheet->cells[sheet->cell_count++] = (struct sheet_cell){
        .minute = minute,
        .decider = entry->decider,
        .action = entry->action,
        .sum = {.messages = 1, .copies = entry->copies},
    };
    return STATUS_OK;
}

static void add_to_tag(struct sheet_tag *tag, const struct sheet_entry *entry)
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
    switch (what) {
    case COUNT_SENT:
        return true;
    case COUNT_ACCEPTED:
        return action == ACTION_ACCEPT;
    case COUNT_HELD:
        return action == ACTION_QUARANTINE;
    case COUNT_DEFERRED:
        return action == ACTION_DEFER;
    case COUNT_REFUSED:
        return action == ACTION_REJECT;
    case COUNT_STOPPED:
        return action != ACTION_ACCEPT;
    }
    return false;
}

static void add_to_checks(struct sheet *sheet, const struct sheet_entry *entry)
{
    const struct scenario *scenario = sheet->scenario;
    int64_t since_ms = entry->at_ms - scenario->start_ms;
    for (size_t i = 0; i < scenario->expectation_count; i++) {
        const struct expectation *expectation = &scenario->expectations[i];
        if (expectation->tag != SCENARIO_ALL && expectation->tag != entry->tag)
            continue;
        if (!counts(expectation->what, entry->action) ||
            since_ms < expectation->from_ms || since_ms >= expectation->until_ms)
            continue;
        if (expectation->rule != NULL &&
            strcmp(expectation->rule, sheet->deciders[entry->decider].name) != 0)
            continue;
        sheet->checks[i].found += expectation->copies ? entry->copies : 1;
    }
}

enum status sheet_add(struct sheet *sheet, const struct sheet_entry *entry)
{
    enum status status = add_cell(sheet, entry);
    if (status != STATUS_OK)
        return status;
    sheet->messages++;
    count(&sheet->deciders[entry->decider].by[entry->action], entry->copies);
    add_to_tag(&sheet->tags[SCENARIO_ALL], entry);
    if (entry->tag != SCENARIO_ALL)
        add_to_tag(&sheet->tags[entry->tag], entry);
    add_to_checks(sheet, entry);
    if (entry->action != ACTION_ACCEPT && sheet->closed.at_ms == 0) {
        sheet->closed.at_ms = entry->at_ms;
        sheet->closed.decider = entry->decider;
        sheet->closed.tag = entry->tag;
    }
    return STATUS_OK;
}

struct asking {
    const struct sheet *sheet;
    const struct directory *directory;
};

/* size(ADDRESS): how many persons a list has. */
static enum status ask_size(const struct asking *asking, const char *argument,
                            int64_t *out, struct error *error)
{
    struct address address;
    struct target target = {.kind = TARGET_PERSON};
    if (address_parse(argument, strlen(argument), &address) == STATUS_OK)
        directory_find(asking->directory, &address, &target);
    if (target.kind != TARGET_LIST)
        return error_set(error, STATUS_INVALID, "there is no list %.200s", argument);
    *out = (int64_t)directory_list(asking->directory, target.list)->size;
    return STATUS_OK;
}

/* stop_after(TAG): seconds, rounded up, from its first message to the first of them that
 * was stopped; to its last one when none was. */
static enum status ask_stop(const struct asking *asking, const char *argument,
                            int64_t *out, struct error *error)
{
    const struct scenario *scenario = asking->sheet->scenario;
    for (size_t i = 0; i < scenario->tag_count; i++) {
        if (strcmp(scenario->tags[i], argument) != 0)
            continue;
        const struct sheet_tag *tag = &asking->sheet->tags[i];
        int64_t until = tag->stopped_ms > 0 ? tag->stopped_ms : tag->last_ms;
        *out = (until - tag->first_ms + 999) / 1000;
        return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID, "nothing is sent as %.60s", argument);
}

static enum status ask(void *context, const char *name, const char *argument,
                       int64_t *out, struct error *error)
{
    if (strcmp(name, "size") == 0)
        return ask_size(context, argument, out, error);
    if (strcmp(name, "stop_after") == 0)
        return ask_stop(context, argument, out, error);
    return error_set(error, STATUS_INVALID, "there is no %.60s to reckon with", name);
}

static bool holds(enum relation relation, int64_t found, int64_t bound)
{
    switch (relation) {
    case RELATION_LE:
        return found <= bound;
    case RELATION_LT:
        return found < bound;
    case RELATION_GE:
        return found >= bound;
    case RELATION_GT:
        return found > bound;
    case RELATION_EQ:
        return found == bound;
    }
    return false;
}

static bool has_decider(const struct sheet *sheet, const char *name)
{
    for (size_t i = 0; i < sheet->decider_count; i++) {
        if (strcmp(sheet->deciders[i].name, name) == 0)
            return true;
    }
    return false;
}

static enum status check(const struct sheet *sheet, const struct expectation *expectation,
                         struct formula_scope *scope, struct sheet_check *out,
                         struct error *error)
{
    if (expectation->rule != NULL && !has_decider(sheet, expectation->rule))
        return error_set(error, STATUS_INVALID, "the configuration has no rule %.60s",
                         expectation->rule);
    enum status status = formula_reckon(expectation->bound, scope, &out->bound, error);
    out->met =
        status == STATUS_OK && holds(expectation->relation, out->found, out->bound);
    return status;
}

enum status sheet_check(struct sheet *sheet, const struct directory *directory,
                        struct error *error)
{
    const struct scenario *scenario = sheet->scenario;
    struct asking asking = {.sheet = sheet, .directory = directory};
    struct formula_scope scope = {
        .n = 1, .run = 1, .k = 1, .ask = ask, .context = &asking};
    for (size_t i = 0; i < scenario->expectation_count; i++) {
        const struct expectation *expectation = &scenario->expectations[i];
        struct error found = {0};
        enum status status = check(sheet, expectation, &scope, &sheet->checks[i], &found);
        if (status != STATUS_OK)
            return error_set_at(error, status, scenario->file, expectation->line, "%s",
                                found.text);
    }
    return STATUS_OK;
}

const char *sheet_action_name(enum action action)
{
    static const char *const names[SHEET_ACTIONS] = {"accepted", "deferred", "refused",
                                                     "held"};
    return names[action];
}

struct sheet_sum sheet_total(const struct sheet *sheet, enum action action)
{
    return sheet->tags[SCENARIO_ALL].by[action];
}
