/* Reads a rule option by option, then checks which options need or exclude others. */
#include "conf/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/text.h"
#include "conf/options.h"
#include "conf/settings.h"
#include "conf/value.h"
#include "policy/client_set.h"
#include "policy/pairing.h"

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

void rules_surge(struct reader *reader, const struct option *option,
                 const struct node *node, void *field)
{
    struct rule *rule = field;
    value_factor(reader, option, node, &rule->surge.factor);
    rule->has_surge = rule->surge.factor > 0;
    if (rule->has_surge)
        rule->unit = UNIT_RECIPIENTS;
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
    reader_refuse(reader, option, node, "\"%.100s\" is not one of %s", text,
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

/* Likewise of a limit of clients. */
static const char *fault_of_clients(const struct rule *rule)
{
    const struct rate *limit = &rule->limit;
    if (limit->tokens < 1 || limit->tokens > CLIENT_SET_MAX)
        return "N must be from 1 to 256 clients";
    if (rule->key != KEY_SENDER && rule->key != KEY_LOGIN)
        return "the key must be sender or login: whose clients are counted";
    return fault_of_rate(limit);
}

/* One rule being read: its group, and the entries that its checks report. */
struct rule_entry {
    const struct option *option; /* "rules" */
    const struct node *node;
    const struct node *limit, *surge, *floor, *key, *from, *action;
};

/* Options that mean nothing without another one. */
static void check_companions(struct reader *reader, const struct rule_entry *entry,
                             bool clients)
{
    bool limit = entry->limit != NULL;
    bool surge = entry->surge != NULL;
    const struct {
        const char *name;
        bool goes;
        const char *with;
    } companions[] = {
        {"burst", limit && !clients,
         clients ? "a limit of messages or recipients" : "limit"},
        {"window", surge, "surge"},
        {"floor", surge, "surge"},
        {"latch", limit || surge, "limit or surge"},
    };
    for (size_t i = 0; i < sizeof companions / sizeof companions[0]; i++) {
        const char *name = companions[i].name;
        const struct node *node = tree_find(&reader->tree, entry->node, name);
        if (node != NULL && !companions[i].goes)
            problems_error(reader->problems, node->file, node->line,
                           "rules.%s: %s goes with %s only", name, name,
                           companions[i].with);
    }
}

/* What limit and surge require of the rest of the rule. */
static void check_metered(struct reader *reader, const struct rule_entry *entry,
                          const struct option *option, const struct node *node)
{
    bool surge = node == entry->surge;
    if (entry->key == NULL)
        reader_refuse(reader, option, node, "a rule with %s",
                      surge ? "surge must name its key: whose copies it counts"
                            : "limit must name its key: whose bucket it is");
    if (entry->action != NULL && entry->action->kind == NODE_STRING &&
        strcmp(entry->action->string, action_name(ACTION_ACCEPT)) == 0)
        reader_refuse(reader, option, node, "a rule with %s",
                      surge ? "surge can't accept; it stops what is more than usual"
                            : "limit can't accept; it stops what is over the limit");
}

static void check_meters(struct reader *reader, const struct rule_entry *entry,
                         const struct rule *rule)
{
    const struct option limit = {.name = "rules.limit"};
    const struct option surge = {.name = "rules.surge"};
    bool clients = rule->has_limit && rule->unit == UNIT_CLIENTS;
    const char *fault = NULL;
    if (clients)
        fault = fault_of_clients(rule);
    else if (rule->has_limit)
        fault = fault_of_rate(&rule->limit);
    check_companions(reader, entry, clients);
    if (entry->limit != NULL && entry->surge != NULL) {
        reader_refuse(reader, &surge, entry->surge,
                      "a rule has limit or surge, not both; make it two rules");
        return;
    }
    if (entry->limit != NULL)
        check_metered(reader, entry, &limit, entry->limit);
    if (fault != NULL)
        reader_refuse(reader, &limit, entry->limit, "\"%.100s\": %s",
                      entry->limit->string, fault);
    if (entry->surge != NULL)
        check_metered(reader, entry, &surge, entry->surge);
    if (entry->surge != NULL && entry->floor == NULL)
        reader_refuse(reader, &surge, entry->surge,
                      "a rule with surge must name its floor: how many copies in a "
                      "window always pass");
}

/* A key matters without a limit, too: it groups messages into incidents. */
static void check_key(struct reader *reader, const struct rule_entry *entry,
                      const struct rule *rule)
{
    const struct option key = {.name = "rules.key"};
    if (rule->key == KEY_FROM && entry->from == NULL)
        reader_refuse(reader, &key, entry->key,
                      "\"from\" needs from, whose elements are the keys");
}

static void check_name(struct reader *reader, const struct rule_entry *entry,
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
    const struct rule_entry entry = {
        .option = option,
        .node = node,
        .limit = tree_find(tree, node, "limit"),
        .surge = tree_find(tree, node, "surge"),
        .floor = tree_find(tree, node, "floor"),
        .key = tree_find(tree, node, "key"),
        .from = tree_find(tree, node, "from"),
        .action = tree_find(tree, node, "action"),
    };
    struct policy *policy = &reader->settings->policy;
    struct rule *rule = &policy->rules[policy->rule_count++];
    rule_init(rule);
    rule->line = node->line;
    group_read(reader, &options_table, option->name, node, rule);
    check_name(reader, &entry, rule, names);
    check_meters(reader, &entry, rule);
    check_key(reader, &entry, rule);
    if (entry.action == NULL)
        reader_refuse(
            reader, option, node,
            "rule \"%.100s\" has no action: accept, defer, reject, quarantine or "
            "confirm",
            rule->name == NULL ? "" : rule->name);
    rule_seal(rule);
}

void rules_read(struct reader *reader, const struct option *option,
                const struct node *node, void *field)
{
    struct policy *policy = field;
    struct intern *names = intern_new();
    policy->rules = reader_items(reader, option, node, NODE_LIST, RULES_MAX, "rules",
                                 sizeof *policy->rules);
    reader->failed = reader->failed || names == NULL;
    for (size_t i = 0; policy->rules != NULL && names != NULL && i < node->child_count;
         i++)
        add_rule(reader, option, tree_child(&reader->tree, node, i), names);
    intern_free(names);
}

/* True when the rule decides every message that comes to it. */
static bool takes_all(const struct rule *rule)
{
    size_t elements =
        rule->from.count + rule->from_not.count + rule->to.count + rule->to_not.count;
    return elements == 0 && !rule_has_more_conditions(rule) && !rule_is_metered(rule) &&
           !rule->monitor;
}

/* A message costs at least its reach. With key = "list", a bucket is charged only one
 * list's part of it. */
static bool is_always_short(const struct rule *rule)
{
    int64_t reach = rule->over[MEASURE_REACH];
    if (reach < rule->over[MEASURE_EXTERNAL])
        reach = rule->over[MEASURE_EXTERNAL];
    if (reach < rule->over[MEASURE_COPIES])
        reach = rule->over[MEASURE_COPIES];
    return rule->has_limit && rule->unit == UNIT_RECIPIENTS && rule->key != KEY_LIST &&
           reach >= rule->limit.burst;
}

/* True when the rule's conditions exclude every message that has its key. */
static bool excludes_key(const struct rule *rule)
{
    if (!rule_is_metered(rule))
        return false;
    for (size_t i = 0; rule->key == KEY_LIST && i < rule->to_not.count; i++) {
        if (rule->to_not.items[i].kind == ELEMENT_ANY_LIST)
            return true;
    }
    for (size_t i = 0; rule->key == KEY_LOGIN && i < rule->from_not.count; i++) {
        const struct element *element = &rule->from_not.items[i];
        if (element->kind == ELEMENT_LOGIN && strcmp(element->text, "*") == 0)
            return true;
    }
    return false;
}

/* True when everybody in the world shares the rule's topics. */
static bool counts_strangers(const struct rule *rule)
{
    return rule_is_metered(rule) && rule->key == KEY_TOPIC && rule->from.count == 0 &&
           rule->from_not.count == 0;
}

void rules_warn(struct reader *reader)
{
    const struct tree *tree = &reader->tree;
    const struct node *nodes = tree_find(tree, tree_root(tree), "rules");
    const struct policy *policy = &reader->settings->policy;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        const struct node *node = tree_child(tree, nodes, i);
        if (is_always_short(rule))
            problems_warning(reader->problems, node->file, node->line,
                             "rule \"%s\": every message it matches costs more than its "
                             "burst, so it stops them all",
                             rule->name);
        if (excludes_key(rule))
            problems_warning(reader->problems, node->file, node->line,
                             "rule \"%s\": no message it matches has a %s, which is its "
                             "key, so it never fires",
                             rule->name, key_name(rule->key));
        if (counts_strangers(rule))
            problems_warning(reader->problems, node->file, node->line,
                             "rule \"%s\": counts mail from outside, too, so strangers "
                             "can stop your people's under the same subject: name in "
                             "from whose mail it counts",
                             rule->name);
        if (rule->action == ACTION_CONFIRM && policy->confirm.address != NULL &&
            policy->confirm.address[0] == '\0')
            problems_warning(reader->problems, node->file, node->line,
                             "rule \"%s\": confirm.address is not set, so nobody can "
                             "confirm, and it is plain quarantine",
                             rule->name);
        const struct rule *accept = pairing_find(policy, i);
        if (accept != NULL)
            problems_warning(
                reader->problems, node->file, node->line,
                "rule \"%s\": rejects mail from those whom \"%s\" above accepts, if they "
                "add a recipient that it does not name: add its from to from_not here",
                rule->name, accept->name);
        if (takes_all(rule) && i + 1 < policy->rule_count) {
            problems_warning(reader->problems, node->file, node->line,
                             "rule \"%s\": has no condition, so no rule below it is "
                             "ever reached",
                             rule->name);
            return;
        }
    }
}
