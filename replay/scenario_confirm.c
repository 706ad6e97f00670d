/* Answers come in the order of their times. As in live mail each lets pass twice the
 * copies that were held, from that sender, under that rule and key. */
#include "replay/scenario_confirm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "quarantine/notices/confirm.h"

enum { CONFIRMS_MAX = 1000 };

static const char wanted[] = "use confirm TAG at DURATION";

static enum status parse(struct scenario_reader *reader, const char *at,
                         struct scenario_confirm *out)
{
    char word[SCENARIO_WORD];
    scenario_word(&at, word);
    enum status status = word[0] == '\0' ? scenario_fail(reader, "%s", wanted)
                                         : scenario_tag(reader, word, &out->tag);
    if (status != STATUS_OK)
        return status;
    scenario_word(&at, word);
    if (strcmp(word, "at") != 0)
        return scenario_fail(reader, "%s", wanted);
    status = scenario_duration(reader, &at, &out->at_ms);
    return status == STATUS_OK && *at != '\0' ? scenario_fail(reader, "%s", wanted)
                                              : status;
}

enum status scenario_confirm(struct scenario_reader *reader, const char *rest)
{
    struct scenario *scenario = reader->scenario;
    struct scenario_confirm confirm = {0};
    struct text text = {0};
    if (scenario->confirm_count == CONFIRMS_MAX)
        return scenario_fail(reader, "more than %d times confirm", CONFIRMS_MAX);
    if (!array_reserve(&scenario->confirms, scenario->confirm_count,
                       sizeof *scenario->confirms))
        return STATUS_NOMEM;
    enum status status = scenario_expand(reader, rest, &text);
    if (status == STATUS_OK)
        status = parse(reader, text_string(&text), &confirm);
    text_clear(&text);
    if (status != STATUS_OK)
        return status;
    size_t at = scenario->confirm_count++;
    for (; at > 0 && scenario->confirms[at - 1].at_ms > confirm.at_ms; at--)
        scenario->confirms[at] = scenario->confirms[at - 1];
    scenario->confirms[at] = confirm;
    return STATUS_OK;
}

/* ---- in a replay ---- */

/* What is held of one sender under one rule and key. */
struct asked_item {
    size_t tag;
    const struct rule *rule;
    char *subject, *by;
    int64_t copies; /* that no answer has let go */
};

void asked_clear(struct asked *asked)
{
    for (size_t i = 0; i < asked->count; i++) {
        free(asked->items[i].subject);
        free(asked->items[i].by);
    }
    free(asked->items);
    *asked = (struct asked){0};
}

static struct asked_item *obtain(struct asked *asked, const struct asked_item *sought)
{
    for (size_t i = 0; i < asked->count; i++) {
        struct asked_item *item = &asked->items[i];
        if (item->tag == sought->tag && item->rule == sought->rule &&
            strcmp(item->subject, sought->subject) == 0 &&
            strcmp(item->by, sought->by) == 0)
            return item;
    }
    struct asked_item fresh = *sought;
    fresh.subject = strdup(sought->subject);
    fresh.by = strdup(sought->by);
    if (fresh.subject == NULL || fresh.by == NULL ||
        !array_reserve(&asked->items, asked->count, sizeof *asked->items)) {
        free(fresh.subject);
        free(fresh.by);
        return NULL;
    }
    asked->items[asked->count] = fresh;
    return &asked->items[asked->count++];
}

enum status asked_note(struct asked *asked, const struct judgement *judgement, size_t tag)
{
    char subject[SUBJECT_SIZE];
    char by[CONFIRM_IDENTITY_SIZE];
    const struct verdict *verdict = &judgement->verdict;
    const struct policy *policy = judgement->view.policy;
    if (!verdict->confirm || policy->monitor ||
        !confirm_identity(&judgement->facts, &policy->domains, by) ||
        !plan_subject(&judgement->view, verdict->rule, subject, sizeof subject))
        return STATUS_OK;
    const struct asked_item sought = {tag, verdict->rule, subject, by, 0};
    struct asked_item *item = obtain(asked, &sought);
    if (item == NULL)
        return STATUS_NOMEM;
    item->copies += (int64_t)judgement->facts.copies;
    return STATUS_OK;
}

static bool allow(const struct asked_item *item, size_t number, int64_t at_ms,
                  struct brakes *brakes)
{
    char id[40];
    struct allowance allowance = brakes_borrow_allowance(
        item->rule->fingerprint, item->subject, at_ms + CONFIRM_PASS_MS);
    (void)snprintf(id, sizeof id, "%zu", number);
    allowance.id = id;
    allowance.by = item->by;
    allowance.rate =
        permit_rate(item->copies * CONFIRM_PASS_FACTOR, at_ms, allowance.until_ms);
    return brakes_add_allowance(brakes, &allowance);
}

enum status asked_answer(struct asked *asked, const struct scenario *scenario,
                         int64_t now_ms, struct brakes *brakes)
{
    for (; asked->answered < scenario->confirm_count; asked->answered++) {
        const struct scenario_confirm *confirm = &scenario->confirms[asked->answered];
        int64_t at_ms = scenario->start_ms + confirm->at_ms;
        if (at_ms > now_ms)
            return STATUS_OK;
        for (size_t i = 0; i < asked->count; i++) {
            struct asked_item *item = &asked->items[i];
            if ((confirm->tag != SCENARIO_ALL && confirm->tag != item->tag) ||
                item->copies == 0)
                continue;
            if (!allow(item, brakes->allowance_count, at_ms, brakes))
                return STATUS_NOMEM;
            item->copies = 0;
        }
    }
    return STATUS_OK;
}
