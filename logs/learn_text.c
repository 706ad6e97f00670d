/* A block for the configuration: everything but the rules is a comment in it. */
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/output.h"
#include "conf/load.h"
#include "conf/rule_text.h"
#include "logs/learn.h"
#include "logs/log_key.h"
#include "replay/timeline.h"

enum { OUTLIERS_SHOWN = 10, LIMIT_SIZE = 80 };

/* "1h" of "500 recipients per 1h", or the window of a surge. */
static void format_period(const struct rule *rule, char out[DURATION_SIZE])
{
    duration_format(rule->has_limit ? rule->limit.period_ms : rule->surge.window_ms, out);
}

static void add_key(struct text *out, const struct learn_view *view,
                    const struct usage_key *key)
{
    char shown[SUBJECT_SIZE];
    char number[TEXT_GROUPED_SIZE];
    char at[TIMELINE_LABEL];
    log_key_show(view->hash, key->key, shown);
    timeline_format(timeline_local_ms(key->at_ms), "%d %b %Y %H:%M", at);
    text_printf(out, "  # %12s  ", text_grouped(key->largest, number));
    output_add_clean(out, shown);
    text_printf(out, "  (%s)\n", at);
}

static void add_present(struct text *out, const struct rule *rule)
{
    char period[DURATION_SIZE];
    format_period(rule, period);
    text_add_string(out, "  # The rule has ");
    if (rule->has_surge)
        text_printf(out, "floor = %lld", (long long)rule->surge.floor);
    else
        text_printf(out, "limit = \"%lld %s per %s\"", (long long)rule->limit.tokens,
                    unit_name(rule->unit), period);
    if (rule->has_limit && rule->unit != UNIT_CLIENTS)
        text_printf(out, ", burst = %lld", (long long)rule->limit.burst);
    text_add_string(out, ".\n");
}

static void add_doubts(struct text *out, const struct learned_rule *learned, size_t count)
{
    const char *doubt = log_rules_doubt(learned->rule);
    if (doubt != NULL)
        text_printf(out, "  # %s.\n", doubt);
    if (count == 1)
        text_add_string(out, "  # There is nothing to compare it with: was that day an "
                             "ordinary one?\n");
    if (learned->proposal.largest > learned->proposal.limit)
        text_printf(out,
                    "  # No limit can be over %lld: this one would stop some of "
                    "its mail.\n",
                    (long long)learned->proposal.limit);
}

/* What it was learnt from, and why that many. */
static void add_reason(struct text *out, const struct learned_rule *learned)
{
    const struct rule *rule = learned->rule;
    const char *unit = unit_name(rule->unit);
    const int64_t most = rule->unit == UNIT_CLIENTS ? USAGE_CLIENTS_MAX : 0;
    char keys[TEXT_GROUPED_SIZE];
    char largest[TEXT_GROUPED_SIZE];
    char period[DURATION_SIZE];
    size_t count = learned->count + learned->forgotten;
    format_period(rule, period);
    text_printf(out, "  # %s: %s key%s; the most that one %s in %s%s: %s %.*s%s.\n",
                rule->name, text_grouped((int64_t)count, keys), count == 1 ? "" : "s",
                rule->unit == UNIT_CLIENTS ? "had" : "did", period,
                rule->has_surge ? ", but for what its past allows" : "",
                text_grouped(learned->proposal.largest, largest),
                (int)strlen(unit) - (learned->proposal.largest == 1), unit,
                learned->proposal.largest == most ? " or more" : "");
    add_present(out, rule);
    add_doubts(out, learned, count);
}

static void add_keys(struct text *out, const struct learn_view *view,
                     const struct learned_rule *learned)
{
    size_t outliers = learned->proposal.outliers;
    size_t end = outliers + LEARN_NEAREST;
    for (size_t i = outliers; i < learned->count && i < end; i++)
        add_key(out, view, &learned->keys[i]);
    if (outliers == 0)
        return;
    text_add_string(out, "  # Left out, but for what they did in other periods, as "
                         "hardly any other key did as much:\n");
    for (size_t i = 0; i < outliers && i < OUTLIERS_SHOWN; i++)
        add_key(out, view, &learned->keys[i]);
    if (outliers > OUTLIERS_SHOWN)
        text_printf(out, "  #   and %zu more\n", outliers - OUTLIERS_SHOWN);
}

/* Its node in the configuration, which was read before; NULL: it has changed since. */
static const struct node *find_node(const struct tree *tree, const char *name)
{
    const struct node *rules = tree_find(tree, tree_root(tree), "rules");
    for (size_t i = 0; rules != NULL && i < rules->child_count; i++) {
        const struct node *rule = tree_child(tree, rules, i);
        const struct node *own = tree_find(tree, rule, "name");
        if (own != NULL && own->kind == NODE_STRING && strcmp(own->string, name) == 0)
            return rule;
    }
    return NULL;
}

static void add_changed(struct text *out, const struct tree *tree,
                        const struct learned_rule *learned)
{
    const struct rule *rule = learned->rule;
    const struct node *node = find_node(tree, rule->name);
    char period[DURATION_SIZE];
    char limit[LIMIT_SIZE];
    struct rule_change changes[3] = {{"mode", "monitor", 0}};
    size_t count = 1;
    if (learned->proposal.limit > 0 && rule->has_surge) {
        changes[count++] = (struct rule_change){"floor", NULL, learned->proposal.limit};
    } else if (learned->proposal.limit > 0) {
        format_period(rule, period);
        (void)snprintf(limit, sizeof limit, "%lld %s per %s",
                       (long long)learned->proposal.limit, unit_name(rule->unit), period);
        changes[count++] = (struct rule_change){"limit", limit, 0};
        changes[count++] = (struct rule_change){"burst", NULL, -1};
    }
    if (node != NULL)
        rule_text_add(out, tree, node, changes, count);
}

static void add_rule(struct text *out, const struct learn_view *view,
                     const struct tree *tree, const struct learned_rule *learned)
{
    if (learned->why != NULL) {
        text_printf(out, "\n  # %s: not learnt. %s.\n", learned->rule->name,
                    learned->why);
    } else if (learned->proposal.limit == 0) {
        text_printf(out, "\n  # %s: not learnt, as no mail in the log met it.\n",
                    learned->rule->name);
    } else {
        text_add_byte(out, '\n');
        add_reason(out, learned);
        add_keys(out, view, learned);
    }
    add_changed(out, tree, learned);
}

static void add_head(struct text *out, const struct learning *learning,
                     const struct learn_view *view)
{
    char number[TEXT_GROUPED_SIZE];
    char first[TIMELINE_LABEL];
    char last[TIMELINE_LABEL];
    timeline_format(timeline_local_ms(learning->first_ms), "%a %d %b %Y", first);
    timeline_format(timeline_local_ms(learning->last_ms), "%a %d %b %Y", last);
    text_add_string(out, "# ");
    output_add_clean(out, view->title);
    text_printf(out, ": %s messages, %s to %s.\n",
                text_grouped((int64_t)learning->log.messages, number), first, last);
    if (learning->stopped > 0)
        text_printf(out,
                    "# Of these, %s teach%s nothing: held, refused, or stopped by a rule "
                    "without a limit.\n",
                    text_grouped(learning->stopped, number),
                    learning->stopped == 1 ? "es" : "");
    text_add_string(out,
                    "# Each limit is half as much again as the most that one key did, or "
                    "at least five more.\n# Put these rules in place of those of the "
                    "same names. They only monitor: when a week of\n# mailbrake report "
                    "shows nothing that should pass, remove their mode.\n");
    int64_t missed = usage_table_missed(learning->table);
    if (missed > 0)
        text_printf(out,
                    "# There were too many keys or clients: %s messages were not "
                    "counted.\n",
                    text_grouped(missed, number));
}

enum status learn_write(const struct learning *learning, const struct learn_view *view,
                        struct text *out, struct problems *problems)
{
    struct tree tree = {0};
    enum status status = load_tree(view->configuration, &tree, problems);
    if (status != STATUS_OK) {
        tree_clear(&tree);
        return status;
    }
    add_head(out, learning, view);
    text_add_string(out, "rules = (");
    for (size_t i = 0; i < learning->learned_count; i++) {
        add_rule(out, view, &tree, &learning->learned[i]);
        text_add_string(out, i + 1 < learning->learned_count ? ",\n" : "\n");
    }
    text_add_string(out, ");\n");
    tree_clear(&tree);
    return out->failed ? STATUS_NOMEM : STATUS_OK;
}
