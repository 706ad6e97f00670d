/* One document; a minute in which nothing was sent is left out. */
#include <string.h>

#include "base/instant.h"
#include "engine/json_output.h"
#include "replay/sheet_show.h"

static json_t *make_sum(const struct sheet_sum *sum)
{
    return json_pack("{s:I, s:I}", "messages", (json_int_t)sum->messages, "copies",
                     (json_int_t)sum->copies);
}

/* Adds what became of messages, by its names. */
static void set_fates(json_t *object, const struct sheet_sum by[SHEET_ACTIONS])
{
    for (size_t i = 0; i < SHEET_ACTIONS; i++)
        (void)json_object_set_new(object, sheet_action_name((enum action)i),
                                  make_sum(&by[i]));
}

static json_t *make_instant(int64_t wall_ms)
{
    char instant[INSTANT_SIZE];
    if (wall_ms == 0)
        return json_null();
    instant_format(wall_ms, instant);
    return json_string(instant);
}

static bool is_empty(const struct sheet_sum by[SHEET_ACTIONS])
{
    for (size_t i = 0; i < SHEET_ACTIONS; i++) {
        if (by[i].messages > 0)
            return false;
    }
    return true;
}

static json_t *make_rules(const struct sheet *sheet)
{
    json_t *rules = json_array();
    for (size_t i = 0; i < sheet->decider_count; i++) {
        const struct sheet_decider *decider = &sheet->deciders[i];
        if (is_empty(decider->by) && decider->would.messages == 0)
            continue;
        json_t *rule = json_pack("{s:s}", "name", decider->name);
        set_fates(rule, decider->by);
        (void)json_object_set_new(rule, "would", make_sum(&decider->would));
        (void)json_array_append_new(rules, rule);
    }
    return rules;
}

static json_t *make_names(const struct sheet *sheet)
{
    json_t *names = json_array();
    for (size_t i = 1; i < sheet->scenario->tag_count; i++) {
        const struct sheet_tag *tag = &sheet->tags[i];
        json_t *name =
            json_pack("{s:s, s:o, s:o, s:o}", "name", sheet->scenario->tags[i], "first",
                      make_instant(tag->first_ms), "last", make_instant(tag->last_ms),
                      "stopped", make_instant(tag->stopped_ms));
        set_fates(name, tag->by);
        (void)json_array_append_new(names, name);
    }
    return names;
}

/* The cells of one minute, from *at on. */
static json_t *make_minute(const struct sheet *sheet, size_t *at)
{
    int64_t minute = sheet->cells[*at].minute;
    struct sheet_sum by[SHEET_ACTIONS] = {0};
    json_t *rules = json_array();
    for (; *at < sheet->cell_count && sheet->cells[*at].minute == minute; ++*at) {
        const struct sheet_cell *cell = &sheet->cells[*at];
        json_t *rule =
            json_pack("{s:s, s:s}", "name", sheet->deciders[cell->decider].name,
                      "verdict", sheet_action_name(cell->action));
        (void)json_object_update_new(rule, make_sum(&cell->sum));
        (void)json_array_append_new(rules, rule);
        by[cell->action].messages += cell->sum.messages;
        by[cell->action].copies += cell->sum.copies;
    }
    json_t *object = json_pack("{s:o}", "at", make_instant(minute * SHEET_MINUTE_MS));
    set_fates(object, by);
    (void)json_object_set_new(object, "rules", rules);
    return object;
}

static json_t *make_minutes(const struct sheet *sheet)
{
    json_t *minutes = json_array();
    size_t at = 0;
    while (at < sheet->cell_count)
        (void)json_array_append_new(minutes, make_minute(sheet, &at));
    return minutes;
}

static json_t *make_expectations(const struct sheet *sheet)
{
    json_t *expectations = json_array();
    for (size_t i = 0; i < sheet->scenario->expectation_count; i++) {
        const struct expectation *expectation = &sheet->scenario->expectations[i];
        const struct sheet_check *check = &sheet->checks[i];
        (void)json_array_append_new(
            expectations,
            json_pack("{s:o, s:i, s:I, s:I, s:b}", "text",
                      json_output_string(expectation->text), "line", expectation->line,
                      "found", (json_int_t)check->found, "bound",
                      (json_int_t)check->bound, "met", check->met));
    }
    return expectations;
}

static json_t *make_closed(const struct sheet *sheet)
{
    if (sheet->closed.at_ms == 0)
        return json_null();
    return json_pack("{s:o, s:s, s:s}", "at", make_instant(sheet->closed.at_ms), "rule",
                     sheet->deciders[sheet->closed.decider].name, "name",
                     sheet->scenario->tags[sheet->closed.tag]);
}

json_t *sheet_json(const struct sheet *sheet, const char *configuration)
{
    const struct scenario *scenario = sheet->scenario;
    json_t *document = json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:I}", "scenario",
                                 json_output_string(scenario->file), "title",
                                 json_output_string(scenario->title), "configuration",
                                 json_output_string(configuration), "mode",
                                 sheet->policy->monitor ? "monitor" : "enforce", "start",
                                 make_instant(scenario->start_ms), "end",
                                 make_instant(sheet->tags[SCENARIO_ALL].last_ms),
                                 "messages", (json_int_t)sheet->messages);
    if (document == NULL)
        return NULL;
    set_fates(document, sheet->tags[SCENARIO_ALL].by);
    (void)json_object_set_new(document, "closed", make_closed(sheet));
    (void)json_object_set_new(document, "rules", make_rules(sheet));
    (void)json_object_set_new(document, "names", make_names(sheet));
    (void)json_object_set_new(document, "minutes", make_minutes(sheet));
    (void)json_object_set_new(document, "expectations", make_expectations(sheet));
    (void)json_object_set_new(document, "met", json_boolean(sheet_is_met(sheet)));
    return document;
}
