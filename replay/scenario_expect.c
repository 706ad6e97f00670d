/* TAG WHAT [by RULE] RELATION FORMULA [from DURATION] [until DURATION]: the relation's
 * sign divides the line. */
#include "replay/scenario_expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "replay/formula.h"

enum { EXPECTATIONS_MAX = 1000 };

static enum status parse_measure(struct scenario_reader *reader, const char *text,
                                 struct expectation *out)
{
    static const char *const words[] = {"sent",     "accepted", "held",
                                        "deferred", "refused",  "stopped"};
    char word[SCENARIO_WORD];
    bool known = false;
    scenario_word(&text, word);
    out->what = COUNT_ACCEPTED;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], word) != 0)
            continue;
        out->what = (enum measure_of)i;
        known = true;
    }
    if (known)
        scenario_word(&text, word);
    if (strcmp(word, "copies") == 0) {
        out->copies = known = true;
        scenario_word(&text, word);
    }
    if (!known)
        return scenario_fail(reader,
                             "'%.60s' is not copies, accepted, held, deferred, refused, "
                             "stopped or sent",
                             word);
    if (strcmp(word, "by") == 0) {
        scenario_word(&text, word);
        out->rule = strdup(word);
        if (out->rule == NULL)
            return STATUS_NOMEM;
        scenario_word(&text, word);
    }
    return word[0] == '\0' ? STATUS_OK
                           : scenario_fail(reader, "'%.60s' is not expected here", word);
}

/* [from DURATION] [until DURATION] at the end; *length is what stands before. */
static enum status parse_window(struct scenario_reader *reader, const char *text,
                                size_t *length, struct expectation *out)
{
    static const char *const words[] = {" until ", " from "};
    int64_t *const fields[] = {&out->until_ms, &out->from_ms};
    for (size_t i = 0; i < 2; i++) {
        const char *found = memmem(text, *length, words[i], strlen(words[i]));
        if (found == NULL)
            continue;
        const char *at = found + strlen(words[i]);
        enum status status = scenario_duration(reader, &at, fields[i]);
        if (status != STATUS_OK)
            return status;
        if (at != text + *length)
            return scenario_fail(reader, "use from DURATION until DURATION");
        *length = (size_t)(found - text) + 1; /* with the blank */
    }
    return STATUS_OK;
}

/* NUMBER [from DURATION] [until DURATION] */
static enum status parse_bound(struct scenario_reader *reader, const char *text,
                               struct expectation *out)
{
    struct text bound = {0};
    enum formula_kind kind;
    size_t length = strlen(text);
    enum status status = parse_window(reader, text, &length, out);
    if (status == STATUS_OK)
        status = formula_expand(text, length, &reader->scenario->variables, &bound, &kind,
                                reader->error);
    return text_take(&bound, status, &out->bound);
}

static enum status parse_expectation(struct scenario_reader *reader, const char *text,
                                     struct expectation *out)
{
    static const char *const signs[] = {"<=", ">=", "<", ">", "="}; /* as relation */
    enum { SIGNS = sizeof signs / sizeof *signs };
    static const char wanted[] = "use expect TAG WHAT <= NUMBER";
    char word[SCENARIO_WORD];
    char measure[SCENARIO_WORD];
    const char *sign = text + strcspn(text, "<>=");
    size_t relation = 0;
    while (relation < SIGNS && text_after(sign, signs[relation]) == NULL)
        relation++;
    scenario_word(&text, word);
    if (relation == SIGNS || text > sign)
        return scenario_fail(reader, "%s", wanted);
    (void)snprintf(measure, sizeof measure, "%.*s", (int)(sign - text), text);
    out->relation = (enum relation)relation;
    enum status status = scenario_tag(reader, word, &out->tag);
    if (status == STATUS_OK)
        status = parse_measure(reader, measure, out);
    if (status == STATUS_OK)
        status = parse_bound(reader, sign + strlen(signs[relation]), out);
    return status;
}

enum status scenario_expect(struct scenario_reader *reader, const char *rest)
{
    struct scenario *scenario = reader->scenario;
    struct text text = {0};
    if (scenario->expectation_count == EXPECTATIONS_MAX)
        return scenario_fail(reader, "more than %d expectations", EXPECTATIONS_MAX);
    if (!array_reserve(&scenario->expectations, scenario->expectation_count,
                       sizeof *scenario->expectations))
        return STATUS_NOMEM;
    struct expectation *expectation =
        &scenario->expectations[scenario->expectation_count++];
    *expectation = (struct expectation){.until_ms = INT64_MAX, .line = reader->line};
    enum status status = scenario_expand(reader, rest, &text);
    if (status == STATUS_OK)
        status = parse_expectation(reader, text_string(&text), expectation);
    return text_take(&text, status, &expectation->text);
}
