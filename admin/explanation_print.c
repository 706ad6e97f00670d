/* The two faces of an explanation: a page for people, a document for programs. */
#include <stdio.h>
#include <string.h>

#include "admin/explanation.h"
#include "admin/output.h"

enum { RECIPIENTS_SHOWN = 50 };

static void print_recipient(const struct explanation *explanation,
                            const struct recipient *recipient)
{
    (void)fputs("              ", stdout);
    output_escaped(recipient->address);
    if (recipient->meant != NULL) {
        (void)fputs(" = ", stdout);
        output_escaped(recipient->meant);
    }
    if (recipient->kind == TARGET_UNKNOWN) {
        (void)puts(": a list whose members are not known");
    } else if (recipient->list != DIRECTORY_NONE) {
        const struct list *list =
            directory_list(explanation->view.directory, recipient->list);
        (void)printf(": a list of %llu%s (", (unsigned long long)list->size,
                     list->state == LIST_STALE ? ", as last read" : "");
        output_escaped(list->source);
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

static void print_facts(const struct explanation *explanation)
{
    const struct facts *facts = &explanation->facts;
    print_field("identity", facts->identity);
    print_field("MAIL FROM", facts->sender.length == 0 ? "<>" : facts->sender.text);
    if (facts->login.length > 0)
        print_field("login", facts->login.text);
    (void)printf("%-13s %s%s%s\n", "client", facts->client,
                 facts->trusted ? ", trusted" : "", facts->relay ? ", our relay" : "");
    (void)printf("%-13s %zu\n", "recipients", facts->recipient_count);
    for (size_t i = 0; i < facts->recipient_count && i < RECIPIENTS_SHOWN; i++)
        print_recipient(explanation, &facts->recipients[i]);
    if (facts->recipient_count > RECIPIENTS_SHOWN)
        (void)printf("              and %zu more\n",
                     facts->recipient_count - RECIPIENTS_SHOWN);
    (void)printf("%-13s %lld persons, %lld of them outside our domains\n", "reach",
                 (long long)facts->measures[MEASURE_REACH],
                 (long long)facts->measures[MEASURE_EXTERNAL]);
    (void)printf("%-13s %llu\n", "copies", (unsigned long long)facts->copies);
    (void)printf("%-13s %lld addresses in To and Cc, %lld of them outside our domains\n",
                 "visible", (long long)facts->measures[MEASURE_VISIBLE],
                 (long long)facts->measures[MEASURE_VISIBLE_EXTERNAL]);
}

void explanation_print(const struct explanation *explanation)
{
    const struct policy *policy = explanation->view.policy;
    char reply[sizeof explanation->reply.text + 32];
    size_t width = 4;
    print_facts(explanation);
    for (size_t i = 0; i < policy->rule_count; i++) {
        size_t length = strlen(policy->rules[i].name);
        width = length > width ? length : width;
    }
    (void)printf("\n%-*s  %-8s why\n", (int)width, "rule", "state");
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct explained_rule *explained = &explanation->rules[i];
        (void)printf("%-*s  %-8s ", (int)width, explained->rule->name,
                     rule_state_name(explained->state));
        output_escaped(text_string(&explained->why));
        (void)fputc('\n', stdout);
    }
    reply_format(&explanation->reply, reply, sizeof reply);
    (void)printf("\n%-13s %s", "verdict", explanation_verdict(explanation));
    if (explanation->verdict.rule != NULL)
        (void)printf(" (rule %s)", explanation->verdict.rule->name);
    if (policy->monitor && explanation->verdict.action != ACTION_ACCEPT)
        (void)printf("; mode monitor: would %s",
                     action_name(explanation->verdict.action));
    (void)printf("\n%-13s %s\n", "reply", reply);
    if (explanation->plan.charge_count > 0 && !explanation->live)
        (void)puts("\nThe buckets are shown as full: the daemon was not asked.");
}

static json_t *recipients_json(const struct explanation *explanation)
{
    const struct facts *facts = &explanation->facts;
    json_t *array = json_array();
    for (size_t i = 0; i < facts->recipient_count; i++) {
        const struct recipient *recipient = &facts->recipients[i];
        bool is_list = recipient->list != DIRECTORY_NONE;
        uint64_t size =
            is_list ? directory_list(explanation->view.directory, recipient->list)->size
                    : 1;
        const char *meant =
            recipient->meant == NULL ? recipient->address : recipient->meant;
        (void)json_array_append_new(
            array, json_pack("{s:o, s:b, s:I, s:o, s:b, s:I}", "address",
                             output_string(recipient->address), "list", is_list, "size",
                             (json_int_t)size, "means", output_string(meant), "unknown",
                             recipient->kind == TARGET_UNKNOWN, "copies",
                             (json_int_t)recipient->copies));
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

static json_t *rules_json(const struct explanation *explanation)
{
    json_t *array = json_array();
    for (size_t i = 0; i < explanation->view.policy->rule_count; i++) {
        const struct explained_rule *explained = &explanation->rules[i];
        (void)json_array_append_new(
            array, json_pack("{s:s, s:s, s:o}", "name", explained->rule->name, "state",
                             rule_state_name(explained->state), "why",
                             output_string(text_string(&explained->why))));
    }
    return array;
}

json_t *explanation_json(const struct explanation *explanation)
{
    const struct facts *facts = &explanation->facts;
    const struct verdict *verdict = &explanation->verdict;
    char reply[sizeof explanation->reply.text + 32];
    reply_format(&explanation->reply, reply, sizeof reply);
    json_t *json = json_pack(
        "{s:o, s:o, s:o, s:s, s:s, s:b, s:b, s:o, s:o}", "identity",
        output_string(facts->identity), "sender", output_string(facts->sender.text),
        "login", output_string(facts->login.text), "client", facts->client, "origin",
        facts->origin == ORIGIN_LOCAL ? "local" : "smtp", "reply_to_something",
        facts->reply, "automatic", facts->automatic, "recipients",
        recipients_json(explanation), "lists", lists_json(explanation));
    json_t *judged = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:n, s:n, s:o, s:s?, s:s, s:s?, s:s, s:b}", "reach",
        (json_int_t)facts->measures[MEASURE_REACH], "copies", (json_int_t)facts->copies,
        "external", (json_int_t)facts->measures[MEASURE_EXTERNAL], "visible",
        (json_int_t)facts->measures[MEASURE_VISIBLE], "visible_external",
        (json_int_t)facts->measures[MEASURE_VISIBLE_EXTERNAL], "thread", "campaign",
        "rules", rules_json(explanation), "rule",
        verdict->rule == NULL ? NULL : verdict->rule->name, "verdict",
        explanation_verdict(explanation), "would",
        explanation->view.policy->monitor ? action_name(verdict->action) : NULL, "reply",
        reply, "live", explanation->live);
    if (json == NULL || judged == NULL || json_object_update(json, judged) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(judged);
    return json;
}
