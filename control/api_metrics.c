/* GET /metrics, in Prometheus's text format: no addresses in it. */
#include "base/log.h"
#include "control/api.h"
#include "control/overview.h"

static void head(struct text *out, const char *name, const char *type, const char *help)
{
    text_printf(out, "# HELP mailbrake_%s %s\n# TYPE mailbrake_%s %s\n", name, help, name,
                type);
}

static void single(struct text *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    head(out, name, type, help);
    text_printf(out, "mailbrake_%s %llu\n", name, (unsigned long long)value);
}

/* A label; characters that would need quoting become '_'. */
static void add_label(struct text *out, const char *name, const char *value)
{
    text_printf(out, "%s=\"", name);
    for (const char *c = value; *c != '\0'; c++) {
        bool plain = *c >= ' ' && *c <= '~' && *c != '"' && *c != '\\';
        text_add(out, plain ? c : "_", 1);
    }
    text_add_string(out, "\"");
}

static void add_verdicts(struct text *out, const struct counters_totals *totals,
                         bool would)
{
    const char *name = would ? "would_total" : "messages_total";
    head(out, name, "counter",
         would ? "Messages that a rule in monitor mode would have stopped."
               : "Messages judged, by deciding rule and verdict.");
    for (size_t i = 0; i < totals->count; i++) {
        const struct counter *item = &totals->items[i];
        if (item->would != would)
            continue;
        text_printf(out, "mailbrake_%s{", name);
        add_label(out, "rule", item->rule);
        text_add_string(out, ",");
        add_label(out, "verdict", item->verdict);
        text_printf(out, "} %llu\n", (unsigned long long)item->count);
    }
}

/* scale: what a bound and the sum are divided by, a power of ten. */
static void add_histogram(struct text *out, const char *name,
                          const struct histogram *histogram, int64_t scale)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= histogram->bound_count; i++) {
        total += histogram->counts[i];
        text_printf(out, "mailbrake_%s_bucket{le=\"", name);
        if (i == histogram->bound_count)
            text_add_string(out, "+Inf");
        else
            text_printf(out, "%.10g", (double)histogram->bounds[i] / (double)scale);
        text_printf(out, "\"} %llu\n", (unsigned long long)total);
    }
    text_printf(out, "mailbrake_%s_sum %.17g\nmailbrake_%s_count %llu\n", name,
                (double)histogram->sum / (double)scale, name, (unsigned long long)total);
}

static void add_counters(struct text *out, const struct counters_totals *totals)
{
    add_verdicts(out, totals, false);
    add_verdicts(out, totals, true);
    head(out, "reach", "histogram", "Distinct persons that a message would reach.");
    add_histogram(out, "reach", &totals->reach, 1);
    head(out, "decision_seconds", "histogram", "Time from end of message to verdict.");
    add_histogram(out, "decision_seconds", &totals->took_us, 1000000);
}

static void add_store(struct text *out, const struct overview *overview)
{
    static const enum store_state states[] = {STORE_STATE_OK, STORE_STATE_LOCAL,
                                              STORE_STATE_DOWN};
    head(out, "store_state", "gauge", "1 for the state that the store is in.");
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        const char *name = overview_store_state(states[i]);
        text_printf(out, "mailbrake_store_state{type=\"%s\",state=\"%s\"} %d\n",
                    overview->store_type, name, overview->store_state == name);
    }
}

static void add_lists(struct text *out, const struct overview *overview)
{
    head(out, "lists", "gauge", "Mailing lists, by the state of their members.");
    text_printf(
        out,
        "mailbrake_lists{state=\"ok\"} %zu\nmailbrake_lists{state=\"stale\"} %zu\n"
        "mailbrake_lists{state=\"shrunk\"} %zu\nmailbrake_lists{state=\"grown\"} %zu\n"
        "mailbrake_lists{state=\"unknown\"} %zu\n",
        overview->lists_ok, overview->lists_stale, overview->lists_shrunk,
        overview->lists_grown, overview->lists_unknown);
    single(out, "list_size_max", "gauge", "Persons on the largest list.",
           overview->largest_list);
    single(out, "list_age_seconds_max", "gauge", "Age of the oldest list members in use.",
           (uint64_t)overview->oldest_read_s);
}

void api_metrics_show(struct request *request)
{
    struct overview overview;
    struct counters_totals totals;
    struct text *out = &request->text;
    overview_read(request, &overview);
    if (counters_read(request->context->counters, &totals) != STATUS_OK) {
        request_answer(request, NULL);
        return;
    }
    head(out, "build_info", "gauge", "1; the version is in the label.");
    text_printf(out, "mailbrake_build_info{version=\"%s\"} 1\n", MAILBRAKE_VERSION);
    single(out, "uptime_seconds", "gauge", "Since mailbraked started.",
           (uint64_t)overview.uptime_s);
    single(out, "monitor", "gauge", "1 in mode monitor.",
           request->settings->policy.monitor);
    add_counters(out, &totals);
    counters_clear(&totals);
    add_store(out, &overview);
    single(out, "store_unanswered_total", "counter",
           "Requests that the store left unanswered while it was not away.",
           store_silences(request->context->store).count);
    add_lists(out, &overview);
    single(out, "brakes", "gauge", "Brakes in force.", overview.brakes);
    single(out, "permits", "gauge", "Permits in force, or to come.", overview.permits);
    if (overview.known) {
        single(out, "holds", "gauge", "Messages held.", overview.numbers.holds);
        single(out, "incidents_open", "gauge", "Incidents that still grow.",
               overview.numbers.incidents_open);
    }
    single(out, "log_suppressed_total", "counter", "Log lines kept back.",
           log_suppressed());
}
