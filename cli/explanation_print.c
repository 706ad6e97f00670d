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
    (void)fputs("              ", stdout);
    output_escaped(address);
    if (strcmp(address, means) != 0) {
        (void)fputs(" = ", stdout);
        output_escaped(means);
    }
    if (is_set(recipient, "unknown")) {
        (void)puts(": a list whose members are not known");
    } else if (is_set(recipient, "list")) {
        (void)printf(": a list of %lld%s (", page_number(recipient, "size"),
                     is_set(recipient, "stale") ? ", as last read" : "");
        output_escaped(page_text(recipient, "source"));
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
    const char *sender = page_text(json, "sender");
    size_t count = json_array_size(recipients);
    print_field("identity", page_text(json, "identity"));
    print_field("MAIL FROM", sender[0] == '\0' ? "<>" : sender);
    if (page_text(json, "login")[0] != '\0')
        print_field("login", page_text(json, "login"));
    (void)printf("%-13s ", "client");
    output_escaped(page_text(json, "client"));
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
        const char *name = page_text(rule, "name");
        size_t length = strlen(name);
        output_escaped(name);
        (void)printf("%*s  %-8s ", (int)(length < width ? width - length : 0), "",
                     page_text(rule, "state"));
        output_escaped(page_text(rule, "why"));
        (void)fputc('\n', stdout);
    }
}

static void print_brake(const json_t *brake)
{
    if (!json_is_object(brake))
        return;
    (void)printf("\n%-13s ", "brake");
    output_escaped(page_text(brake, "key"));
    if (page_text(brake, "reason")[0] != '\0') {
        (void)fputs(": ", stdout);
        output_escaped(page_text(brake, "reason"));
    }
    (void)fputc('\n', stdout);
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
    print_rules(json_object_get(json, "rules"));
    (void)printf("\n%-13s ", "verdict");
    output_escaped(page_text(json, "verdict"));
    if (rule[0] != '\0') {
        (void)fputs(" (rule ", stdout);
        output_escaped(rule);
        (void)fputs(")", stdout);
    }
    if (would[0] != '\0')
        (void)printf("; mode monitor: would %s", would);
    (void)fputc('\n', stdout);
    print_field("reply", page_text(json, "reply"));
    if (page_text(json, "failure")[0] != '\0')
        (void)printf("the rules could not judge it: %s\n", page_text(json, "failure"));
    print_source(json);
}
