/* The two faces of an explanation: a document for programs, and the page for people that
 * is made from it, so that the daemon's answer and our own look the same. */
#include <stdio.h>
#include <string.h>

#include "admin/explanation.h"
#include "admin/output.h"
#include "admin/table.h"

enum { RECIPIENTS_SHOWN = 50 };

/* ---- the document ---- */

static json_t *recipients_json(const struct explanation *explanation)
{
    const struct facts *facts = &explanation->facts;
    json_t *array = json_array();
    for (size_t i = 0; i < facts->recipient_count; i++) {
        const struct recipient *recipient = &facts->recipients[i];
        const struct list *list =
            recipient->list == DIRECTORY_NONE
                ? NULL
                : directory_list(explanation->view.directory, recipient->list);
        const char *meant =
            recipient->meant == NULL ? recipient->address : recipient->meant;
        (void)json_array_append_new(
            array,
            json_pack("{s:o, s:b, s:I, s:o, s:b, s:I, s:o, s:b}", "address",
                      output_string(recipient->address), "list", list != NULL, "size",
                      (json_int_t)(list == NULL ? 1 : list->size), "means",
                      output_string(meant), "unknown", recipient->kind == TARGET_UNKNOWN,
                      "copies", (json_int_t)recipient->copies, "source",
                      list == NULL ? json_null() : output_string(list->source), "stale",
                      list != NULL && list->state == LIST_STALE));
    }
    return array;
}

static json_t *lists_json(const struct explanation *explanation)
{
    const struct facts *facts = &explanation->facts;
    json_t *array = json_array();
    for (size_t i = 0; i < facts->list_count; i++) {
        const struct list *list =
            directory_list(explanation->view.directory, facts->lists[i]);
        (void)json_array_append_new(array, output_string(list->address));
    }
    return array;
}

/* What a rule that matched is metered by. */
static json_t *keys_json(const struct explanation *explanation, const struct rule *rule)
{
    const struct plan *plan = &explanation->plan;
    json_t *array = json_array();
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct step *step = &plan->steps[i];
        for (size_t c = 0; step->rule == rule && c < step->charge_count; c++) {
            size_t at = step->charge + c;
            (void)json_array_append_new(
                array,
                meter_json(&plan->charges[at],
                           explanation->meters == NULL ? NULL : &explanation->meters[at],
                           explanation->view.now_ms));
        }
    }
    return array;
}

static json_t *rules_json(const struct explanation *explanation)
{
    json_t *array = json_array();
    for (size_t i = 0; i < explanation->view.policy->rule_count; i++) {
        const struct explained_rule *explained = &explanation->rules[i];
        (void)json_array_append_new(
            array, json_pack("{s:s, s:s, s:o, s:o}", "name", explained->rule->name,
                             "state", rule_state_name(explained->state), "why",
                             output_string(text_string(&explained->why)), "keys",
                             keys_json(explanation, explained->rule)));
    }
    return array;
}

static json_t *brake_json(const struct verdict *verdict)
{
    const struct brake *brake = verdict->brake;
    if (verdict->cause != CAUSE_BRAKE)
        return json_null();
    return json_pack("{s:o, s:s, s:o}", "key", output_string(brake->key), "action",
                     action_name(brake->action), "reason",
                     output_string(brake->reason == NULL ? "" : brake->reason));
}

static json_t *text_or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : output_string(text);
}

static json_t *facts_json(const struct explanation *explanation)
{
    const struct facts *facts = &explanation->facts;
    const int64_t *measures = facts->measures;
    return json_pack(
        "{s:o, s:o, s:o, s:s, s:s, s:b, s:b, s:b, s:b, s:o, s:o, s:I, s:I, s:I, s:I, "
        "s:I, s:o, s:o}",
        "identity", output_string(facts->identity), "sender",
        output_string(facts->sender.text), "login", output_string(facts->login.text),
        "client", facts->client, "origin",
        facts->origin == ORIGIN_LOCAL ? "local" : "smtp", "trusted", facts->trusted,
        "relay", facts->relay, "reply_to_something", facts->reply, "automatic",
        facts->automatic, "recipients", recipients_json(explanation), "lists",
        lists_json(explanation), "reach", (json_int_t)measures[MEASURE_REACH], "copies",
        (json_int_t)facts->copies, "external", (json_int_t)measures[MEASURE_EXTERNAL],
        "visible", (json_int_t)measures[MEASURE_VISIBLE], "visible_external",
        (json_int_t)measures[MEASURE_VISIBLE_EXTERNAL], "thread",
        text_or_null(facts->thread), "campaign", text_or_null(facts->campaign));
}

static const char *decider_name(const struct explanation *explanation)
{
    if (explanation->verdict.cause == CAUSE_BRAKE)
        return "brake";
    return explanation->verdict.rule == NULL ? NULL : explanation->verdict.rule->name;
}

json_t *explanation_json(const struct explanation *explanation)
{
    char reply[sizeof explanation->reply.text + 32];
    bool monitor = explanation_only_watches(explanation);
    reply_format(&explanation->reply, reply, sizeof reply);
    json_t *json = facts_json(explanation);
    json_t *judged = json_pack(
        "{s:o, s:s?, s:s, s:s?, s:s, s:b, s:b, s:s?, s:o}", "rules",
        rules_json(explanation), "rule", decider_name(explanation), "verdict",
        explanation_verdict(explanation), "would",
        monitor ? action_name(explanation->verdict.action) : NULL, "reply", reply, "live",
        explanation->live, "limits", explanation->plan.charge_count > 0, "store",
        explanation->source == STORE_NONE ? NULL : store_source_name(explanation->source),
        "brake", brake_json(&explanation->verdict));
    if (json == NULL || judged == NULL || json_object_update(json, judged) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(judged);
    return json;
}

/* ---- the page ---- */

static bool is_set(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

static void print_recipient(const json_t *recipient)
{
    const char *address = table_text(recipient, "address");
    const char *means = table_text(recipient, "means");
    (void)fputs("              ", stdout);
    output_escaped(address);
    if (strcmp(address, means) != 0) {
        (void)fputs(" = ", stdout);
        output_escaped(means);
    }
    if (is_set(recipient, "unknown")) {
        (void)puts(": a list whose members are not known");
    } else if (is_set(recipient, "list")) {
        (void)printf(": a list of %lld%s (", table_number(recipient, "size"),
                     is_set(recipient, "stale") ? ", as last read" : "");
        output_escaped(table_text(recipient, "source"));
        (void)puts(")");
    } else {
        (void)puts(": one person");
    }
}

static void print_field(const char *name, const char *value)
{
    (void)printf("%-13s ", name);
    output_escaped(value);
    (void)fputc('\n', stdout);
}

static void print_facts(const json_t *json)
{
    size_t i;
    const json_t *recipient;
    const json_t *recipients = json_object_get(json, "recipients");
    const char *sender = table_text(json, "sender");
    size_t count = json_array_size(recipients);
    print_field("identity", table_text(json, "identity"));
    print_field("MAIL FROM", sender[0] == '\0' ? "<>" : sender);
    if (table_text(json, "login")[0] != '\0')
        print_field("login", table_text(json, "login"));
    (void)printf("%-13s ", "client");
    output_escaped(table_text(json, "client"));
    (void)printf("%s%s\n", is_set(json, "trusted") ? ", trusted" : "",
                 is_set(json, "relay") ? ", our relay" : "");
    (void)printf("%-13s %zu\n", "recipients", count);
    json_array_foreach(recipients, i, recipient)
    {
        if (i < RECIPIENTS_SHOWN)
            print_recipient(recipient);
    }
    if (count > RECIPIENTS_SHOWN)
        (void)printf("              and %zu more\n", count - RECIPIENTS_SHOWN);
    (void)printf("%-13s %lld persons, %lld of them outside our domains\n", "reach",
                 table_number(json, "reach"), table_number(json, "external"));
    (void)printf("%-13s %lld\n", "copies", table_number(json, "copies"));
    (void)printf("%-13s %lld addresses in To and Cc, %lld of them outside our domains\n",
                 "visible", table_number(json, "visible"),
                 table_number(json, "visible_external"));
    if (table_text(json, "thread")[0] != '\0')
        print_field("thread", table_text(json, "thread"));
    if (table_text(json, "campaign")[0] != '\0')
        print_field("campaign", table_text(json, "campaign"));
}

static void print_rules(const json_t *rules)
{
    size_t i;
    const json_t *rule;
    size_t width = 4;
    json_array_foreach(rules, i, rule)
    {
        size_t length = strlen(table_text(rule, "name"));
        width = length > width && length < 80 ? length : width;
    }
    (void)printf("\n%-*s  %-8s why\n", (int)width, "rule", "state");
    json_array_foreach(rules, i, rule)
    {
        const char *name = table_text(rule, "name");
        size_t length = strlen(name);
        output_escaped(name);
        (void)printf("%*s  %-8s ", (int)(length < width ? width - length : 0), "",
                     table_text(rule, "state"));
        output_escaped(table_text(rule, "why"));
        (void)fputc('\n', stdout);
    }
}

static void print_brake(const json_t *brake)
{
    if (!json_is_object(brake))
        return;
    (void)printf("\n%-13s ", "brake");
    output_escaped(table_text(brake, "key"));
    if (table_text(brake, "reason")[0] != '\0') {
        (void)fputs(": ", stdout);
        output_escaped(table_text(brake, "reason"));
    }
    (void)fputc('\n', stdout);
}

/* Who judged, and with which buckets. */
static void print_source(const json_t *json)
{
    const char *store = table_text(json, "store");
    bool live = is_set(json, "live");
    if (!is_set(json, "limits"))
        (void)puts(live ? "\nJudged by the daemon."
                        : "\nJudged from the configuration: the daemon was not asked.");
    else if (!live)
        (void)puts("\nThe buckets are shown as full: the daemon was not asked.");
    else if (store[0] == '\0')
        (void)puts("\nThe buckets are shown as full: the store does not answer.");
    else
        (void)printf("\nThe buckets are the daemon's, at this moment%s.\n",
                     strcmp(store, "local") == 0 ? " (this relay's share alone)" : "");
}

void explanation_print_json(const json_t *json)
{
    const char *rule = table_text(json, "rule");
    const char *would = table_text(json, "would");
    print_facts(json);
    print_brake(json_object_get(json, "brake"));
    print_rules(json_object_get(json, "rules"));
    (void)printf("\n%-13s ", "verdict");
    output_escaped(table_text(json, "verdict"));
    if (rule[0] != '\0') {
        (void)fputs(" (rule ", stdout);
        output_escaped(rule);
        (void)fputs(")", stdout);
    }
    if (would[0] != '\0' && strcmp(would, "accept") != 0)
        (void)printf("; mode monitor: would %s", would);
    (void)printf("\n%-13s ", "reply");
    output_escaped(table_text(json, "reply"));
    (void)fputc('\n', stdout);
    print_source(json);
}

void explanation_print(const struct explanation *explanation)
{
    json_t *json = explanation_json(explanation);
    if (json != NULL)
        explanation_print_json(json);
    json_decref(json);
}
