/* What was learnt, rule by rule. */
#include "engine/json_output.h"
#include "logs/learn.h"
#include "logs/log_key.h"
#include "logs/log_views.h"

enum { OUTLIERS_SHOWN = 1000 };

static json_t *make_keys(const struct learned_rule *learned, size_t first, size_t end,
                         const struct digest_key *hash)
{
    json_t *keys = json_array();
    for (size_t i = first; i < end && i < learned->count; i++) {
        char key[SUBJECT_SIZE];
        log_key_show(hash, learned->keys[i].key, key);
        (void)json_array_append_new(
            keys, json_pack("{s:o, s:I}", "key", json_output_string(key), "largest",
                            (json_int_t)learned->keys[i].largest));
    }
    return keys;
}

static json_t *make_rule(const struct learned_rule *learned,
                         const struct digest_key *hash)
{
    const struct rule *rule = learned->rule;
    const struct proposal *proposal = &learned->proposal;
    size_t outliers = proposal->outliers;
    int64_t period_ms = rule->has_limit ? rule->limit.period_ms : rule->surge.window_ms;
    size_t shown = outliers < OUTLIERS_SHOWN ? outliers : OUTLIERS_SHOWN;
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "name",
                     rule->name, "key", key_name(rule->key), "kind",
                     rule->has_limit ? "limit" : "surge", "unit", unit_name(rule->unit),
                     "period_s", (json_int_t)(period_ms / 1000), "limit",
                     (json_int_t)proposal->limit, "burst", (json_int_t)proposal->limit,
                     "largest", (json_int_t)proposal->largest, "keys",
                     (json_int_t)(learned->count + learned->forgotten), "nearest",
                     make_keys(learned, outliers, outliers + LEARN_NEAREST, hash),
                     "outliers", make_keys(learned, 0, shown, hash));
}

/* Those of which something was learnt. */
static json_t *make_rules(const struct learning *learning, const struct digest_key *hash)
{
    json_t *rules = json_array();
    for (size_t i = 0; i < learning->learned_count; i++) {
        const struct learned_rule *learned = &learning->learned[i];
        if (learned->proposal.limit > 0)
            (void)json_array_append_new(rules, make_rule(learned, hash));
    }
    return rules;
}

json_t *learn_json(const struct learning *learning, const struct learn_view *view,
                   const char *configuration)
{
    return json_pack(
        "{s:o, s:I, s:o, s:o, s:o}", "log", log_json(&learning->log, view->hash != NULL),
        "stopped", (json_int_t)learning->stopped, "rules",
        make_rules(learning, view->hash), "unjudged", log_json_unjudged(&learning->rules),
        "configuration", json_output_string(configuration));
}
