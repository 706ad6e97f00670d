/* One document; a minute in which nothing was sent is left out. */
#include <string.h>

#include "engine/json_output.h"
#include "replay/report_views.h"

static json_t *make_sum(const struct report_sum *sum)
{
    return json_pack("{s:I, s:I}", "messages", (json_int_t)sum->messages, "copies",
                     (json_int_t)sum->copies);
}

/* One sum for each verdict, under its name. */
static void set_sums(json_t *object, const struct report_sum by[REPORT_ACTIONS])
{
    for (size_t i = 0; i < REPORT_ACTIONS; i++)
        (void)json_object_set_new(object, report_action_name((enum action)i),
                                  make_sum(&by[i]));
}

static bool is_empty(const struct report_sum by[REPORT_ACTIONS])
{
    for (size_t i = 0; i < REPORT_ACTIONS; i++) {
        if (by[i].messages > 0)
            return false;
    }
    return true;
}

static json_t *make_rules(const struct report *report)
{
    json_t *rules = json_array();
    for (size_t i = 0; i < report->decider_count; i++) {
        const struct report_decider *decider = &report->deciders[i];
        if (is_empty(decider->by) && decider->would.messages == 0)
            continue;
        json_t *rule = json_pack("{s:s}", "name", decider->name);
        set_sums(rule, decider->by);
        (void)json_object_set_new(rule, "would", make_sum(&decider->would));
        (void)json_array_append_new(rules, rule);
    }
    return rules;
}

static json_t *make_names(const struct report *report)
{
    json_t *names = json_array();
    for (size_t i = 1; i < report->scenario->tag_count; i++) {
        const struct report_tag *tag = &report->tags[i];
        json_t *name = json_pack(
            "{s:s, s:o, s:o, s:o}", "name", report->scenario->tags[i], "first",
            json_output_instant(tag->first_ms), "last", json_output_instant(tag->last_ms),
            "stopped", json_output_instant(tag->stopped_ms));
        set_sums(name, tag->by);
        (void)json_array_append_new(names, name);
    }
    return names;
}

/* The cells of one minute, from *at on. */
static json_t *make_minute(const struct report *report, size_t *at)
{
    int64_t minute = report->cells[*at].minute;
    struct report_sum by[REPORT_ACTIONS] = {0};
    json_t *rules = json_array();
    for (; *at < report->cell_count && report->cells[*at].minute == minute; ++*at) {
        const struct report_cell *cell = &report->cells[*at];
        json_t *rule =
            json_pack("{s:s, s:s}", "name", report->deciders[cell->decider].name,
                      "verdict", report_action_name(cell->action));
        (void)json_object_update_new(rule, make_sum(&cell->sum));
        (void)json_array_append_new(rules, rule);
        by[cell->action].messages += cell->sum.messages;
        by[cell->action].copies += cell->sum.copies;
    }
    json_t *object =
        json_pack("{s:o}", "at", json_output_instant(minute * REPORT_MINUTE_MS));
    set_sums(object, by);
    (void)json_object_set_new(object, "rules", rules);
    return object;
}

static json_t *make_minutes(const struct report *report)
{
    json_t *minutes = json_array();
    size_t at = 0;
    while (at < report->cell_count)
        (void)json_array_append_new(minutes, make_minute(report, &at));
    return minutes;
}

static json_t *make_expectations(const struct report *report)
{
    json_t *expectations = json_array();
    for (size_t i = 0; i < report->scenario->expectation_count; i++) {
        const struct expectation *expectation = &report->scenario->expectations[i];
        const struct report_check *check = &report->checks[i];
        (void)json_array_append_new(
            expectations,
            json_pack("{s:o, s:i, s:I, s:I, s:b}", "text",
                      json_output_string(expectation->text), "line", expectation->line,
                      "found", (json_int_t)check->found, "bound",
                      (json_int_t)check->bound, "met", check->met));
    }
    return expectations;
}

static json_t *make_closed(const struct report *report)
{
    if (report->closed.at_ms == 0)
        return json_null();
    return json_pack("{s:o, s:s, s:s}", "at", json_output_instant(report->closed.at_ms),
                     "rule", report->deciders[report->closed.decider].name, "name",
                     report->scenario->tags[report->closed.tag]);
}

json_t *report_json(const struct report *report, const char *configuration)
{
    const struct scenario *scenario = report->scenario;
    bool past = report->past != NULL;
    json_t *document =
        json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:I}", "scenario",
                  past ? json_null() : json_output_string(scenario->file), "title",
                  json_output_string(past ? report->past : scenario->title),
                  "configuration", json_output_string(configuration), "mode",
                  report->policy->monitor ? "monitor" : "enforce", "start",
                  json_output_instant(scenario->start_ms), "end",
                  json_output_instant(report->tags[SCENARIO_ALL].last_ms), "messages",
                  (json_int_t)report->messages);
    if (document == NULL)
        return NULL;
    set_sums(document, report->tags[SCENARIO_ALL].by);
    (void)json_object_set_new(document, "closed", make_closed(report));
    (void)json_object_set_new(document, "rules", make_rules(report));
    (void)json_object_set_new(document, "names", make_names(report));
    (void)json_object_set_new(document, "minutes", make_minutes(report));
    (void)json_object_set_new(document, "expectations", make_expectations(report));
    (void)json_object_set_new(document, "met", json_boolean(report_is_met(report)));
    return document;
}
