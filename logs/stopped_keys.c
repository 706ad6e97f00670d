/* A key is counted under its rule and its name together: that string's number is its
 * place in the array. */
#include "logs/stopped_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"

enum status stopped_keys_init(struct stopped_keys *keys)
{
    *keys = (struct stopped_keys){.names = intern_new()};
    return keys->names == NULL ? STATUS_NOMEM : STATUS_OK;
}

void stopped_keys_clear(struct stopped_keys *keys)
{
    intern_free(keys->names);
    free(keys->items);
    *keys = (struct stopped_keys){.names = NULL};
}

static void count(struct report_sum *sum, int64_t copies)
{
    sum->messages++;
    sum->copies += copies;
}

/* The key's number: a new one is the array's length. LIMIT when there are too many. */
static enum status find(struct stopped_keys *keys, size_t decider, const char *subject,
                        uint32_t *out_id)
{
    char buffer[SUBJECT_SIZE + 32];
    struct text name = text_on(buffer, sizeof buffer);
    text_printf(&name, "%zu %s", decider, subject);
    enum status status = name.failed ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK && keys->count == STOPPED_KEYS_MAX)
        status = intern_find(keys->names, name.data, name.length, out_id) ? STATUS_OK
                                                                          : STATUS_LIMIT;
    else if (status == STATUS_OK)
        status = intern_add(keys->names, name.data, name.length, out_id);
    text_clear(&name);
    return status;
}

static enum status add(struct stopped_keys *keys, size_t decider,
                       const struct judgement *judgement, const struct verdict *verdict)
{
    char buffer[SUBJECT_SIZE];
    uint32_t id;
    int64_t copies = (int64_t)judgement->facts.copies;
    const char *subject = judge_subject(&judgement->view, verdict, buffer);
    enum status status = find(keys, decider, subject, &id);
    if (status == STATUS_LIMIT) {
        count(&keys->others, copies);
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    if (id == keys->count) {
        if (!array_reserve(&keys->items, keys->count, sizeof *keys->items))
            return STATUS_NOMEM;
        keys->items[keys->count++] = (struct stopped_key){
            .decider = decider,
            .monitor = verdict->rule != NULL && verdict->rule->monitor,
            .key = strchr(intern_string(keys->names, id), ' ') + 1,
            .first_ms = judgement->view.now_ms};
    }
    count(&keys->items[id].sum, copies);
    return STATUS_OK;
}

enum status stopped_keys_add(struct stopped_keys *keys, const struct report *report,
                             const struct judgement *judgement)
{
    const struct verdict *verdict = &judgement->verdict;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < judgement->plan.step_count && status == STATUS_OK; i++) {
        const struct verdict would = judge_would(&judgement->plan.steps[i]);
        if (would.action != ACTION_ACCEPT)
            status = add(keys, report_decider(report, &would), judgement, &would);
    }
    if (status == STATUS_OK && verdict->action != ACTION_ACCEPT)
        status = add(keys, report_decider(report, verdict), judgement, verdict);
    return status;
}

static int compare(const void *left, const void *right)
{
    const struct stopped_key *a = left;
    const struct stopped_key *b = right;
    if (a->decider != b->decider)
        return a->decider < b->decider ? -1 : 1;
    if (a->sum.copies != b->sum.copies)
        return a->sum.copies > b->sum.copies ? -1 : 1;
    return strcmp(a->key, b->key);
}

void stopped_keys_sort(struct stopped_keys *keys)
{
    if (keys->count > 1)
        qsort(keys->items, keys->count, sizeof *keys->items, compare);
}
