/* Each message is judged as live mail is, but at the scenario's time and with a simulated
 * store. Only the report keeps data about it. */
#include "replay/replay.h"

#include "base/clock.h"
#include "replay/scenario_confirm.h"
#include "replay/scenario_permit.h"

/* A replay under way. */
struct run {
    const struct replay *replay;
    struct report *report;
    struct engine_input input; /* but the envelope */
    int64_t minute;            /* that input.minute_of_week belongs to */
    struct brakes own;         /* the scenario's permits, and what senders confirmed */
    struct brakes all;         /* borrowed: own, and what else is set by hand */
    struct asked asked;
};

static void judge_message(struct run *run, const struct generated_message *message,
                          struct judgement *out)
{
    struct envelope envelope = message->envelope;
    struct engine_input input;
    engine_find_own_headers(&envelope);
    if (run->minute != message->at_ms / REPORT_MINUTE_MS) {
        run->minute = message->at_ms / REPORT_MINUTE_MS;
        run->input.minute_of_week = clock_minute_of_week(message->at_ms);
    }
    run->input.now_ms = message->at_ms;
    input = run->input;
    input.envelope = &envelope;
    engine_judge(&input, run->replay->charger, out);
}

static enum status take(struct run *run, const struct generated_message *message,
                        const struct judgement *judgement)
{
    const struct replay *replay = run->replay;
    const struct verdict *verdict = &judgement->verdict;
    struct replay_outcome outcome = {.message = message,
                                     .verdict = verdict,
                                     .decider = report_decider(run->report, verdict),
                                     .copies = (int64_t)judgement->facts.copies};
    struct report_entry entry = {.at_ms = message->at_ms,
                                 .tag = message->tag,
                                 .decider = outcome.decider,
                                 .action = verdict->action,
                                 .copies = outcome.copies};
    if (judgement->status == STATUS_NOMEM)
        return STATUS_NOMEM;
    judgement_remember(judgement, run->input.conversations);
    report_add_would(run->report, &judgement->plan, outcome.copies);
    enum status status = report_add(run->report, &entry);
    if (status == STATUS_OK && replay->scenario->confirm_count > 0)
        status = asked_note(&run->asked, judgement, message->tag);
    if (status != STATUS_OK || replay->each == NULL)
        return status;
    return replay->each(replay->context, &outcome);
}

/* The answers that are due. */
static enum status answer(struct run *run, int64_t now_ms)
{
    const struct scenario *scenario = run->replay->scenario;
    if (run->asked.answered == scenario->confirm_count)
        return STATUS_OK;
    enum status status = asked_answer(&run->asked, scenario, now_ms, &run->own);
    run->all.allowances = run->own.allowances;
    run->all.allowance_count = run->own.allowance_count;
    return status;
}

static enum status play(struct run *run, struct generator *generator, struct error *error)
{
    for (;;) {
        struct generated_message message;
        struct judgement judgement;
        enum status status = generator_next(generator, &message, error);
        if (status != STATUS_OK)
            return status == STATUS_NOT_FOUND ? STATUS_OK : status;
        status = answer(run, message.at_ms);
        if (status != STATUS_OK)
            return status;
        judge_message(run, &message, &judgement);
        status = take(run, &message, &judgement);
        judgement_clear(&judgement);
        if (status != STATUS_OK)
            return status;
    }
}

/* The scenario's permits beside what else is set by hand, which is borrowed. */
static enum status set_permits(struct run *run, struct error *error)
{
    const struct scenario *scenario = run->replay->scenario;
    if (scenario->permit_count + scenario->confirm_count == 0)
        return STATUS_OK;
    enum status status = scenario_permits_add(
        scenario, &run->input.snapshot->settings->policy, &run->own, error);
    if (run->input.brakes != NULL)
        run->all = *run->input.brakes;
    run->all.permits = run->own.permits;
    run->all.permit_count = run->own.permit_count;
    run->input.brakes = &run->all;
    return status;
}

enum status replay_run(const struct replay *replay, struct report *out,
                       struct error *error)
{
    const struct snapshot *snapshot = replay->input.snapshot;
    struct run run = {
        .replay = replay, .report = out, .input = replay->input, .minute = -1};
    enum status status = report_init(out, replay->scenario, &snapshot->settings->policy);
    if (status != STATUS_OK)
        return status;
    struct generator *generator = generator_new(replay->scenario);
    struct conversations *conversations = conversations_new(CONVERSATIONS_MAX);
    run.input.conversations = conversations;
    bool made = generator != NULL && conversations != NULL;
    status = made ? set_permits(&run, error) : STATUS_NOMEM;
    if (status == STATUS_OK)
        status = play(&run, generator, error);
    generator_free(generator);
    conversations_free(conversations);
    brakes_clear(&run.own);
    asked_clear(&run.asked);
    if (status == STATUS_OK)
        status = report_check(out, snapshot->directory, error);
    if (status != STATUS_OK)
        report_clear(out);
    return status;
}
