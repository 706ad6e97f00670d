/* A rule is read option by option; then what must, and what must not, stand together. */
#include "conf/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/text.h"
#include "conf/options.h"

void rules_limit(struct reader *reader, const struct option *option,
                 const struct node *node, void *field)
{
    struct rule *rule = field;
    struct error error;
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    enum status status = limit_parse(text, &rule->limit, &rule->unit, &error);
    reader_check(reader, option, node, status, &error);
    rule->has_limit = status == STATUS_OK;
}

void rules_key(struct reader *reader, const struct option *option,
               const struct node *node, void *field)
{
    struct text names = {0};
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    for (unsigned i = 0; i <= KEY_ALL; i++) {
        if (strcmp(text, key_name((enum key)i)) == 0) {
            *(enum key *)field = (enum key)i;
            text_clear(&names);
            return;
        }
        text_printf(&names, "%s%s", i == 0 ? "" : ", ", key_name((enum key)i));
    }
    if (strcmp(text, "thread") == 0 || strcmp(text, "campaign") == 0)
        reader_refuse(reader, option, node, "\"%s\" is not supported yet", text);
    else
        reader_refuse(reader, option, node, "\"%.100s\" is none of %s", text,
                      text_string(&names));
    text_clear(&names);
}

/* Why a rate is not valid, NULL when it is. */
static const char *fault_of_rate(const struct rate *rate)
{
    if (rate_is_valid(rate))
        return NULL;
    if (rate->tokens < 1 || rate->tokens > RATE_TOKENS_MAX)
        return "N must be from 1 to 1000000000";
    if (rate->period_ms < RATE_PERIOD_MIN_MS || rate->period_ms > RATE_PERIOD_MAX_MS)
        return "the duration must be from 1s to 366d";
    return "N times the duration is too large (2^53 ms and more)";
}

/* One rule on its way: its group, and the entries that its checks are about. */
struct entry {
    const struct option *option; /* "rules" */
    const struct node *node;
    const struct node *limit, *burst, *key, *action;
};

static void check_limit(struct reader *reader, const struct entry *entry,
                        const struct rule *rule)
{
    const struct option limit = {.name = "rules.limit"};
    const struct option burst = {.name = "rules.burst"};
    if (entry->limit == NULL) {
        if (entry->burst != NULL)
            reader_refuse(reader, &burst, entry->burst, "burst goes with limit only");
        return;
    }
    if (entry->key == NULL)
        reader_refuse(reader, &limit, entry->limit,
                      "a rule with limit must name its key: whose bucket it is");
    if (entry->action != NULL && rule->action == ACTION_ACCEPT &&
        entry->action->kind == NODE_STRING &&
        strcmp(entry->action->string, "accept") == 0)
        reader_refuse(reader, &limit, entry->limit,
                      "a rule with limit can't accept; it stops what is over the limit");
    const char *fault = rule->has_limit ? fault_of_rate(&rule->limit) : NULL;
    if (fault != NULL)
        reader_refuse(reader, &limit, entry->limit, "\"%.100s\": %s",
                      entry->limit->string, fault);
}

static void check_name(struct reader *reader, const struct entry *entry,
                       const struct rule *rule, struct intern *names)
{
    uint32_t id;
    uint32_t before = intern_count(names);
    const struct node *name = tree_find(&reader->tree, entry->node, "name");
    if (name == NULL)
        reader_refuse(reader, entry->option, entry->node, "a rule has no name");
    if (rule->name == NULL)
        return;
    if (intern_add(names, rule->name, strlen(rule->name), &id) != STATUS_OK)
        reader->failed = true;
    else if (id < before)
        reader_refuse(reader, entry->option, name, "two rules have the name \"%s\"",
                      rule->name);
}

static void add_rule(struct reader *reader, const struct option *option,
                     const struct node *node, struct intern *names)
{
    if (!reader_expect(reader, option, node, NODE_GROUP))
        return;
    const struct tree *tree = &reader->tree;
    const struct entry entry = {
        .option = option,
        .node = node,
        .limit = tree_find(tree, node, "limit"),
        .burst = tree_find(tree, node, "burst"),
        .key = tree_find(tree, node, "key"),
        .action = tree_find(tree, node, "action"),
    };
    struct policy *policy = &reader->settings->policy;
    struct rule *rule = &policy->rules[policy->rule_count++];
    rule_init(rule);
    rule->line = node->line;
    options_read(reader, option->name, node, rule);
    check_name(reader, &entry, rule, names);
    check_limit(reader, &entry, rule);
    if (entry.action == NULL)
        reader_refuse(
            reader, option, node,
            "rule \"%.100s\" has no action: accept, defer, reject or quarantine",
            rule->name == NULL ? "" : rule->name);
    rule_seal(rule);
}

void rules_read(struct reader *reader, const struct option *option,
                const struct node *node, void *field)
{
    struct policy *policy = field;
    if (!reader_expect(reader, option, node, NODE_LIST) || node->child_count == 0)
        return;
    if (node->child_count > RULES_MAX) {
        reader_refuse(reader, option, node, "more than %d rules", RULES_MAX);
        return;
    }
    struct intern *names = intern_new();
    policy->rules = calloc(node->child_count, sizeof *policy->rules);
    if (names == NULL || policy->rules == NULL) {
        reader->failed = true;
    } else {
        for (size_t i = 0; i < node->child_count; i++)
            add_rule(reader, option, tree_child(&reader->tree, node, i), names);
    }
    intern_free(names);
}
