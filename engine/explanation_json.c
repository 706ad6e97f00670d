/* The document that explain answers with; see doc/control-api.md. */
#include <stdio.h>
#include <string.h>

#include "engine/explanation.h"
#include "engine/json_output.h"

/* ---- the document ---- */

static json_t *recipients_json(const struct explanation *explanation)
{
    const struct facts *facts = &explanation->judgement.facts;
    json_t *array = json_array();
    for (size_t i = 0; i < facts->recipient_count; i++) {
        const struct recipient *recipient = &facts->recipients[i];
        const struct list *list =
            recipient->list == DIRECTORY_NONE
                ? NULL
                : directory_list(explanation->judgement.view.directory, recipient->list);
        const char *meant =
            recipient->meant == NULL ? recipient->address : recipient->meant;
        (void)json_array_append_new(
            array,
            json_pack("{s:o, s:b, s:I, s:o, s:b, s:I, s:o, s:b}", "address",
                      json_output_string(recipient->address), "list", list != NULL,
                      "size", (json_int_t)(list == NULL ? 1 : list->size), "means",
                      json_output_string(meant), "unknown",
                      recipient->kind == TARGET_UNKNOWN, "copies",
                      (json_int_t)recipient->copies, "source",
                      list == NULL ? json_null() : json_output_string(list->source),
                      "stale", list != NULL && list->state == LIST_STALE));
    }
    return array;
}

static json_t *lists_json(const struct explanation *explanation)
{
    const struct facts *facts = &explanation->judgement.facts;
    json_t *array = json_array();
    for (size_t i = 0; i < facts->list_count; i++) {
        const struct list *list =
            directory_list(explanation->judgement.view.directory, facts->lists[i]);
        (void)json_array_append_new(array, json_output_string(list->address));
    }
    return array;
}

/* What a rule that matched is metered by. */
static json_t *keys_json(const struct explanation *explanation, const struct rule *rule)
{
    const struct plan *plan = &explanation->judgement.plan;
    json_t *array = json_array();
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct plan_step *step = &plan->steps[i];
        for (size_t c = 0; step->rule == rule && c < step->charge_count; c++) {
            size_t at = step->charge + c;
            (void)json_array_append_new(
                array, limit_view_json(
                           &plan->charges[at],
                           explanation->views == NULL ? NULL : &explanation->views[at],
                           explanation->judgement.view.now_ms));
        }
    }
    return array;
}

static json_t *rules_json(const struct explanation *explanation)
{
    json_t *array = json_array();
    for (size_t i = 0; i < explanation->judgement.view.policy->rule_count; i++) {
        const struct explained_rule *explained = &explanation->rules[i];
        (void)json_array_append_new(
            array, json_pack("{s:s, s:s, s:o, s:o}", "name", explained->rule->name,
                             "state", rule_state_name(explained->state), "why",
                             json_output_string(text_string(&explained->why)), "keys",
                             keys_json(explanation, explained->rule)));
    }
    return array;
}

static json_t *brake_json(const struct verdict *verdict)
{
    const struct brake *brake = verdict->brake;
    if (verdict->cause != CAUSE_BRAKE)
        return json_null();
    return json_pack("{s:o, s:s, s:o}", "key", json_output_string(brake->key.text),
                     "action", action_name(brake->action), "reason",
                     json_output_string(brake->reason == NULL ? "" : brake->reason));
}

/* The permit that lets the message pass, with what would be left of it; or the one that
 * it exceeds. */
static json_t *permit_json(const struct explanation *explanation, bool passes)
{
    const struct verdict *verdict = &explanation->judgement.verdict;
    const struct permit *permit = verdict->permit;
    if (permit == NULL || passes != (verdict->cause == CAUSE_PERMIT))
        return json_null();
    int64_t cost = passes ? (int64_t)explanation->judgement.facts.copies : 0;
    return json_pack("{s:s, s:o, s:I, s:I}", "id", permit->id, "key",
                     json_output_string(permit->key.text), "copies",
                     (json_int_t)permit->rate.burst, "left",
                     (json_int_t)(verdict->permit_left - cost));
}

/* A list that has grown, also where the rules decide; NULL is null. */
static json_t *grown_json(const struct list *list)
{
    return list == NULL
               ? json_null()
               : json_pack("{s:o, s:I, s:I}", "address",
                           json_output_string(list->address), "was",
                           (json_int_t)list->was, "size", (json_int_t)list->size);
}

static json_t *text_or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : json_output_string(text);
}

static json_t *facts_json(const struct explanation *explanation)
{
    const struct facts *facts = &explanation->judgement.facts;
    const int64_t *measures = facts->measures;
    return json_pack(
        "{s:o, s:o, s:o, s:s, s:s, s:b, s:b, s:b, s:b, s:o, s:o, s:I, s:I, s:I, s:I, "
        "s:I, s:o, s:o, s:o}",
        "identity", json_output_string(facts->identity), "sender",
        json_output_string(facts->sender.text), "login",
        json_output_string(facts->login.text), "client", facts->client, "origin",
        facts->origin == ORIGIN_LOCAL ? "local" : "smtp", "trusted", facts->trusted,
        "relay", facts->relay, "reply_to_something", facts->reply, "automatic",
        facts->automatic, "recipients", recipients_json(explanation), "lists",
        lists_json(explanation), "reach", (json_int_t)measures[MEASURE_REACH], "copies",
        (json_int_t)facts->copies, "external", (json_int_t)measures[MEASURE_EXTERNAL],
        "visible", (json_int_t)measures[MEASURE_VISIBLE], "visible_external",
        (json_int_t)measures[MEASURE_VISIBLE_EXTERNAL], "thread",
        text_or_null(facts->thread), "campaign", text_or_null(facts->campaign), "topic",
        text_or_null(facts_topic(facts)));
}

json_t *explanation_json(const struct explanation *explanation)
{
    char reply[sizeof explanation->reply.text + 32];
    const struct judgement *judgement = &explanation->judgement;
    const struct verdict *verdict = &judgement->verdict;
    const char *decider = verdict->cause == CAUSE_NONE ? NULL : judge_decider(verdict);
    const char *would =
        judgement_only_monitors(judgement) ? action_name(verdict->action) : NULL;
    const char *store = judgement->source == CHARGE_SOURCE_NONE
                            ? NULL
                            : store_source_name(judgement->source);
    reply_format(&explanation->reply, reply, sizeof reply);
    json_t *json = facts_json(explanation);
    json_t *judged = json_pack(
        "{s:o, s:s?, s:s, s:s?, s:s, s:s?, s:b, s:b, s:s?, s:o, s:o, s:o, s:o, s:b}",
        "rules", rules_json(explanation), "rule", decider, "verdict",
        action_name(explanation->reported.action), "would", would, "reply", reply,
        "failure", judgement->failure, "live", explanation->live, "limits",
        judgement->plan.charge_count > 0, "store", store, "brake", brake_json(verdict),
        "permit", permit_json(explanation, true), "exceeded",
        permit_json(explanation, false), "grown", grown_json(judgement->facts.grown),
        "confirm", verdict->confirm && explanation->reported.action == ACTION_QUARANTINE);
    if (json == NULL || judged == NULL || json_object_update(json, judged) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(judged);
    return json;
}
