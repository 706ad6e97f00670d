/* Replay's document, and what a log adds to it. */
#include "engine/json_output.h"
#include "logs/log_key.h"
#include "logs/log_views.h"
#include "logs/simulate.h"
#include "replay/report_views.h"

static json_t *make_stopped(const struct simulation *simulation,
                            const struct digest_key *hash)
{
    json_t *stopped = json_array();
    for (size_t i = 0; i < simulation->stopped.count; i++) {
        const struct stopped_key *item = &simulation->stopped.items[i];
        const char *rule = simulation->report.deciders[item->decider].name;
        char key[SUBJECT_SIZE];
        log_key_show(hash, item->key, key);
        (void)json_array_append_new(
            stopped,
            json_pack("{s:s, s:o, s:I, s:I, s:o, s:b}", "rule", rule, "key",
                      json_output_string(key), "messages", (json_int_t)item->sum.messages,
                      "copies", (json_int_t)item->sum.copies, "first",
                      json_output_instant(item->first_ms), "monitor", item->monitor));
    }
    return stopped;
}

json_t *simulate_json(const struct simulation *simulation, const char *configuration,
                      const struct digest_key *hash)
{
    json_t *document = report_json(&simulation->report, configuration);
    if (document == NULL)
        return NULL;
    (void)json_object_set_new(document, "log", log_json(&simulation->log, hash != NULL));
    (void)json_object_set_new(document, "partial",
                              json_integer((json_int_t)simulation->partial));
    (void)json_object_set_new(document, "would_stop", make_stopped(simulation, hash));
    (void)json_object_set_new(document, "unjudged",
                              log_json_unjudged(&simulation->rules));
    return document;
}
