/* Keys and addresses are read twice: as words here, and as mail is spelled once the
 * configuration is known. */
#include "replay/scenario_permit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum { PERMITS_MAX = 1000 };

static const char wanted[] =
    "use permit KEY COPIES [at DURATION] for DURATION [to ADDRESS ...]";

/* [at DURATION] for DURATION [to ADDRESS ...] */
static enum status parse_rest(struct scenario_reader *reader, const char *at,
                              struct scenario_permit *out)
{
    char word[SCENARIO_WORD];
    enum status status = STATUS_OK;
    scenario_word(&at, word);
    if (strcmp(word, "at") == 0) {
        status = scenario_duration(reader, &at, &out->at_ms);
        scenario_word(&at, word);
    }
    if (status == STATUS_OK && strcmp(word, "for") == 0) {
        status = scenario_duration(reader, &at, &out->for_ms);
        scenario_word(&at, word);
    }
    if (status != STATUS_OK)
        return status;
    if (out->for_ms < 1000 || (word[0] != '\0' && strcmp(word, "to") != 0) ||
        (word[0] != '\0' && *at == '\0'))
        return scenario_fail(reader, "%s", wanted);
    out->to = strdup(at);
    return out->to == NULL ? STATUS_NOMEM : STATUS_OK;
}

static enum status parse(struct scenario_reader *reader, const char *at,
                         struct scenario_permit *out)
{
    char word[SCENARIO_WORD];
    scenario_word(&at, word);
    out->key = strdup(word);
    if (out->key == NULL)
        return STATUS_NOMEM;
    enum status status =
        scenario_number(reader, &at, 1, RATE_TOKENS_MAX, wanted, &out->copies);
    return status == STATUS_OK ? parse_rest(reader, at, out) : status;
}

enum status scenario_permit(struct scenario_reader *reader, const char *rest)
{
    struct scenario *scenario = reader->scenario;
    struct text text = {0};
    if (scenario->permit_count == PERMITS_MAX)
        return scenario_fail(reader, "more than %d permits", PERMITS_MAX);
    if (!array_reserve(&scenario->permits, scenario->permit_count,
                       sizeof *scenario->permits))
        return STATUS_NOMEM;
    struct scenario_permit *permit = &scenario->permits[scenario->permit_count++];
    *permit = (struct scenario_permit){.line = reader->line};
    enum status status = scenario_expand(reader, rest, &text);
    if (status == STATUS_OK)
        status = parse(reader, text_string(&text), permit);
    text_clear(&text);
    return status;
}

static enum status take_to(const char *at, const struct domains *own,
                           struct permit *permit, struct error *error)
{
    enum status status = STATUS_OK;
    permit->to = calloc(PERMIT_TO_MAX, sizeof *permit->to);
    if (permit->to == NULL)
        return STATUS_NOMEM;
    while (status == STATUS_OK && *at != '\0') {
        char word[SCENARIO_WORD];
        scenario_word(&at, word);
        status = permit->to_count == PERMIT_TO_MAX
                     ? error_set(error, STATUS_INVALID, "more than %d addresses",
                                 PERMIT_TO_MAX)
                     : permit_parse_to(word, own, &permit->to[permit->to_count], error);
        permit->to_count += status == STATUS_OK;
    }
    return status;
}

static enum status add(const struct scenario *scenario, size_t i,
                       const struct policy *policy, struct brakes *brakes,
                       struct error *error)
{
    char id[24];
    const struct scenario_permit *described = &scenario->permits[i];
    struct permit permit = {.from_ms = scenario->start_ms + described->at_ms};
    permit.until_ms = permit.from_ms + described->for_ms;
    permit.rate = permit_rate(described->copies, permit.from_ms, permit.until_ms);
    (void)snprintf(id, sizeof id, "%zu", i + 1);
    permit.id = strdup(id);
    enum status status = permit.id == NULL
                             ? STATUS_NOMEM
                             : brake_key_parse(described->key, &policy->domains,
                                               &policy->logins, &permit.key, error);
    if (status == STATUS_OK && permit.key.kind == BRAKE_ALL)
        status = error_set(error, STATUS_INVALID, "a permit can't be for all");
    if (status == STATUS_OK)
        status = take_to(described->to, &policy->domains, &permit, error);
    if (status == STATUS_OK && !brakes_add_permit(brakes, &permit))
        status = STATUS_NOMEM;
    permit_clear(&permit);
    return status;
}

enum status scenario_permits_add(const struct scenario *scenario,
                                 const struct policy *policy, struct brakes *brakes,
                                 struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < scenario->permit_count && status == STATUS_OK; i++) {
        struct error why = {0};
        status = add(scenario, i, policy, brakes, &why);
        if (status == STATUS_INVALID)
            (void)error_set_at(error, status, scenario->file, scenario->permits[i].line,
                               "%s", why.text);
    }
    brakes_sort(brakes);
    return status;
}
