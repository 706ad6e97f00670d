/* What replay does with a scenario's messages, done with a log's. */
#include "logs/simulate.h"

#include "logs/log_judge.h"
#include "replay/simulated.h"

/* A simulation under way. */
struct run {
    struct simulation *simulation;
    struct log_judge judge;
    const struct mail_log_reading *reading;
};

static enum status take(struct simulation *simulation,
                        const struct mail_log_message *message,
                        const struct judgement *judgement)
{
    struct report *report = &simulation->report;
    const struct report_entry entry = {.at_ms = message->at_ms,
                                       .tag = SCENARIO_ALL,
                                       .decider =
                                           report_decider(report, &judgement->verdict),
                                       .action = judgement->verdict.action,
                                       .copies = (int64_t)judgement->facts.copies};
    if (report->messages == 0)
        simulation->scenario.start_ms = message->at_ms;
    simulation->partial += !message->whole;
    report_add_would(report, &judgement->plan, entry.copies);
    enum status status = report_add(report, &entry);
    if (status == STATUS_OK)
        status = stopped_keys_add(&simulation->stopped, report, judgement);
    return status;
}

static enum status each(void *context, const struct mail_log_message *message)
{
    struct run *run = context;
    struct judgement judgement;
    enum status status = log_judge_message(&run->judge, message, &judgement);
    if (status != STATUS_OK)
        return status;
    status = take(run->simulation, message, &judgement);
    judgement_clear(&judgement);
    return status;
}

static void progress(void *context, const struct mail_log_statistics *sofar)
{
    const struct run *run = context;
    run->reading->progress(run->reading->context, sofar);
}

static enum status init(struct simulation *simulation, const char *title,
                        const struct snapshot *snapshot)
{
    static char all[] = "all";
    static char *tags[] = {all};
    *simulation = (struct simulation){.partial = 0};
    simulation->scenario = (struct scenario){.tags = tags, .tag_count = 1};
    enum status status = log_rules_init(&simulation->rules, snapshot);
    if (status == STATUS_OK)
        status = report_init(&simulation->report, &simulation->scenario,
                             &simulation->rules.settings.policy);
    if (status == STATUS_OK)
        status = stopped_keys_init(&simulation->stopped);
    simulation->report.past = title;
    return status;
}

enum status simulate_run(const struct mail_log_reading *reading, const char *title,
                         const struct snapshot *snapshot, struct simulation *out,
                         struct error *error)
{
    struct simulated *simulated = simulated_new();
    enum status status = init(out, title, snapshot);
    if (status == STATUS_OK && simulated == NULL)
        status = STATUS_NOMEM;
    if (status == STATUS_OK) {
        const struct charger charger = simulated_charger(simulated);
        struct run run = {.simulation = out,
                          .judge = {.snapshot = &out->rules.snapshot,
                                    .charger = &charger,
                                    .minute = -1},
                          .reading = reading};
        struct mail_log_reading judging = *reading;
        judging.each = each;
        judging.progress = reading->progress == NULL ? NULL : progress;
        judging.context = &run;
        status = mail_log_read(&judging, &out->log, error);
        log_judge_clear(&run.judge);
    }
    simulated_free(simulated);
    stopped_keys_sort(&out->stopped);
    if (status != STATUS_OK)
        simulate_clear(out);
    return status;
}

void simulate_clear(struct simulation *simulation)
{
    stopped_keys_clear(&simulation->stopped);
    report_clear(&simulation->report);
    log_rules_clear(&simulation->rules);
    *simulation = (struct simulation){.partial = 0};
}
