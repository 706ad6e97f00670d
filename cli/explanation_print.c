/* What explain's document says, as people read it. */
#include "cli/explanation_print.h"

#include <stdio.h>
#include <string.h>

#include "base/output.h"
#include "cli/page.h"

enum { RECIPIENTS_SHOWN = 50 };

static bool is_set(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

static void print_recipient(const json_t *recipient)
{
    const char *address = page_text(recipient, "address");
    const char *means = page_text(recipient, "means");
    bool same = strcmp(address, means) == 0;
    struct text line = {0};
    text_printf(&line, "%s%s%s", address, same ? "" : " = ", same ? "" : means);
    if (is_set(recipient, "unknown"))
        text_add_string(&line, ": a list whose members are not known");
    else if (is_set(recipient, "list"))
        text_printf(&line, ": a list of %lld%s (%s)", page_number(recipient, "size"),
                    is_set(recipient, "stale") ? ", as last read" : "",
                    page_text(recipient, "source"));
    else
        text_add_string(&line, ": one person");
    output_line("%14s%s", "", text_string(&line));
    text_clear(&line);
}

static void print_field(const char *name, const char *value)
{
    output_line("%-13s %s", name, value);
}

static void print_facts(const json_t *json)
{
    size_t i;
    const json_t *recipient;
    const json_t *recipients = json_object_get(json, "recipients");
    const char *sender = page_text(json, "sender");
    size_t count = json_array_size(recipients);
    print_field("identity", page_text(json, "identity"));
    print_field("MAIL FROM", sender[0] == '\0' ? "<>" : sender);
    if (page_text(json, "login")[0] != '\0')
        print_field("login", page_text(json, "login"));
    output_line("%-13s %s%s%s", "client", page_text(json, "client"),
                is_set(json, "trusted") ? ", trusted" : "",
                is_set(json, "relay") ? ", our relay" : "");
    (void)printf("%-13s %zu\n", "recipients", count);
    json_array_foreach(recipients, i, recipient)
    {
        if (i < RECIPIENTS_SHOWN)
            print_recipient(recipient);
    }
    if (count > RECIPIENTS_SHOWN)
        (void)printf("              and %zu more\n", count - RECIPIENTS_SHOWN);
    (void)printf("%-13s %lld persons, %lld of them outside your domains\n", "reach",
                 page_number(json, "reach"), page_number(json, "external"));
    (void)printf("%-13s %lld\n", "copies", page_number(json, "copies"));
    (void)printf("%-13s %lld addresses in To and Cc, %lld of them outside your domains\n",
                 "visible", page_number(json, "visible"),
                 page_number(json, "visible_external"));
    if (page_text(json, "thread")[0] != '\0')
        print_field("thread", page_text(json, "thread"));
    if (page_text(json, "campaign")[0] != '\0')
        print_field("campaign", page_text(json, "campaign"));
    if (page_text(json, "topic")[0] != '\0')
        print_field("topic", page_text(json, "topic"));
}

static void print_rules(const json_t *rules)
{
    size_t i;
    const json_t *rule;
    size_t width = 4;
    json_array_foreach(rules, i, rule)
    {
        size_t length = strlen(page_text(rule, "name"));
        width = length > width && length < 80 ? length : width;
    }
    (void)printf("\n%-*s  %-8s why\n", (int)width, "rule", "state");
    json_array_foreach(rules, i, rule)
    {
        output_line("%-*s  %-8s %s", (int)width, page_text(rule, "name"),
                    page_text(rule, "state"), page_text(rule, "why"));
    }
}

static void print_brake(const json_t *brake)
{
    if (!json_is_object(brake))
        return;
    const char *reason = page_text(brake, "reason");
    (void)fputc('\n', stdout);
    output_line("%-13s %s%s%s", "brake", page_text(brake, "key"),
                reason[0] == '\0' ? "" : ": ", reason);
}

static void print_permit(const json_t *json)
{
    const json_t *permit = json_object_get(json, "permit");
    const json_t *exceeded = json_object_get(json, "exceeded");
    const json_t *one = json_is_object(permit) ? permit : exceeded;
    if (!json_is_object(one))
        return;
    (void)fputc('\n', stdout);
    output_line("%-13s %s of %s: %s%lld of %lld copies%s", "permit", page_text(one, "id"),
                page_text(one, "key"), one == permit ? "" : "too little is left, ",
                page_number(one, "left"), page_number(one, "copies"),
                one == permit ? " would be left" : "");
}

static void print_grown(const json_t *grown)
{
    struct text line = {0};
    if (!json_is_object(grown))
        return;
    text_printf(&line, "%s has grown from ", page_text(grown, "address"));
    text_add_grouped(&line, (uint64_t)page_number(grown, "was"));
    text_add_string(&line, " to ");
    text_add_grouped(&line, (uint64_t)page_number(grown, "size"));
    text_add_string(&line, ", not accepted");
    (void)fputc('\n', stdout);
    print_field("list", text_string(&line));
    text_clear(&line);
}

/* Who judged, and with which buckets. */
static void print_source(const json_t *json)
{
    const char *store = page_text(json, "store");
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

void explanation_print(const json_t *json)
{
    const char *rule = page_text(json, "rule");
    const char *would = page_text(json, "would");
    print_facts(json);
    print_brake(json_object_get(json, "brake"));
    print_permit(json);
    print_grown(json_object_get(json, "grown"));
    print_rules(json_object_get(json, "rules"));
    (void)fputc('\n', stdout);
    output_line("%-13s %s%s%s%s%s%s", "verdict", page_text(json, "verdict"),
                rule[0] == '\0' ? "" : " (rule ", rule, rule[0] == '\0' ? "" : ")",
                would[0] == '\0' ? "" : "; mode monitor: would ", would);
    if (is_set(json, "confirm"))
        (void)puts("              its sender is asked to confirm it");
    print_field("reply", page_text(json, "reply"));
    if (page_text(json, "failure")[0] != '\0')
        (void)printf("the rules could not judge it: %s\n", page_text(json, "failure"));
    print_source(json);
}
