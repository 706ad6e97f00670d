/* A message passes once, from top to bottom; a second time only where what its sender had
 * confirmed is used up. Any doubt ends in the configured action, and failure says why. */
#include "engine/engine.h"

#include <stdlib.h>
#include <strings.h>

#include "base/text.h"
#include "quarantine/hold_header.h"
#include "quarantine/notices/notice_token.h"

/* Fills the facts, or what can be guessed of them when the message can't be understood.
 */
static void gather(const struct engine_input *input, struct judgement *out)
{
    const struct envelope *envelope = input->envelope;
    const struct policy *policy = &input->snapshot->settings->policy;
    out->failure = envelope->failure;
    out->status = STATUS_LIMIT;
    if (out->failure == NULL) {
        out->status =
            facts_gather(envelope, policy, input->snapshot->directory, &out->facts);
        if (out->status == STATUS_OK)
            return;
        out->failure = out->status == STATUS_NOMEM
                           ? "out of memory"
                           : "an address is too long, or there are too many recipients";
    }
    facts_guess(envelope, policy, &out->facts);
}

/* Mailbrake's own notice: from sendmail(1), with the null sender, to the recipients that
 * its token is for. So whoever received one can't use its token from elsewhere. */
static bool is_notice(const struct engine_input *input, const struct facts *facts)
{
    struct text recipients = {0};
    const char *token = input->envelope->token;
    if (token == NULL || input->token_key == NULL || facts->sender.length > 0 ||
        facts->origin != ORIGIN_LOCAL)
        return false;
    for (size_t i = 0; i < facts->recipient_count; i++) {
        text_add_string(&recipients, i > 0 ? " " : "");
        text_add_string(&recipients, facts->recipients[i].address);
    }
    bool valid = !recipients.failed &&
                 notice_token_is_valid(input->token_key, token, text_string(&recipients),
                                       input->now_ms);
    text_clear(&recipients);
    return valid;
}

/* on_failure = "accept" is for a store that is away, not for what a flood or a single
 * message can bring about. */
static void judge_failure(enum on_failure on_failure, struct judgement *out)
{
    out->source = CHARGE_SOURCE_NONE;
    if (out->status != STATUS_UNAVAILABLE) {
        out->failure = out->status == STATUS_LIMIT
                           ? "too many messages wait for the store"
                           : "out of memory";
        out->verdict = judge_doubt(&out->facts, CAUSE_DOUBT);
        return;
    }
    out->failure = "the store did not answer";
    if (on_failure == ON_FAILURE_ACCEPT)
        judge(&out->view, &out->plan, NULL, CHARGE_SOURCE_NONE, &out->verdict);
    else
        out->verdict = judge_doubt(&out->facts, CAUSE_STORE);
}

static void judge_by_rules(enum on_failure on_failure, const struct charger *charger,
                           struct judgement *out)
{
    struct plan *plan = &out->plan;
    struct charge_outcome *outcomes = NULL;
    out->status = plan_make(&out->view, plan);
    if (out->status == STATUS_OK && charger != NULL && plan->charge_count > 0) {
        outcomes = calloc(plan->charge_count, sizeof *outcomes);
        out->status = outcomes == NULL
                          ? STATUS_NOMEM
                          : charger->charge(charger->context, plan, out->view.now_ms,
                                            outcomes, &out->source);
    }
    if (out->status == STATUS_OK)
        judge(&out->view, plan, outcomes, out->source, &out->verdict);
    else
        judge_failure(on_failure, out);
    free(outcomes);
}

void engine_judge(const struct engine_input *input, const struct charger *charger,
                  struct judgement *out)
{
    const struct settings *settings = input->snapshot->settings;
    gather(input, out);
    conversations_join(input->conversations, &out->facts);
    out->plan = (struct plan){0};
    out->source = CHARGE_SOURCE_NONE;
    out->view = (struct view){
        .policy = &settings->policy,
        .directory = input->snapshot->directory,
        .facts = &out->facts,
        .minute_of_week = input->minute_of_week,
        .brakes = input->brakes,
        .now_ms = input->now_ms,
        .notice = is_notice(input, &out->facts),
        .key = input->key,
    };
    if (!judge_early(&out->view, &out->verdict)) {
        judge_by_rules(settings->store.on_failure, charger, out);
        if (out->verdict.used_up) { /* nothing was charged */
            plan_clear(&out->plan);
            out->view.used_up = true;
            judge_by_rules(settings->store.on_failure, charger, out);
        }
    } else if (out->verdict.cause != CAUSE_DOUBT) {
        out->status = STATUS_OK; /* the rules are not needed */
        out->failure = NULL;
    }
}

void judgement_clear(struct judgement *judgement)
{
    plan_clear(&judgement->plan);
    facts_clear(&judgement->facts);
}

bool judgement_only_monitors(const struct judgement *judgement)
{
    const struct verdict *verdict = &judgement->verdict;
    return judgement->view.policy->monitor && verdict->action != ACTION_ACCEPT &&
           verdict->cause != CAUSE_BRAKE;
}

struct verdict judgement_reported(const struct judgement *judgement)
{
    struct verdict reported = judgement->verdict;
    if (judgement_only_monitors(judgement)) {
        reported.action = ACTION_ACCEPT;
        reported.temporary = false;
    }
    return reported;
}

void judgement_remember(const struct judgement *judgement,
                        struct conversations *conversations)
{
    enum action action = judgement_reported(judgement).action;
    if (action == ACTION_ACCEPT || action == ACTION_QUARANTINE)
        conversations_note(conversations, &judgement->facts);
}

void engine_find_own_headers(struct envelope *envelope)
{
    envelope->hold_headers = 0;
    envelope->token = NULL;
    for (size_t i = 0; i < envelope->header_count; i++) {
        const struct header *header = &envelope->headers[i];
        if (strcasecmp(header->name, HOLD_HEADER_FIELD) == 0)
            envelope->hold_headers++;
        else if (strcasecmp(header->name, NOTICE_TOKEN_FIELD) == 0 &&
                 envelope->token == NULL)
            envelope->token = header->value;
    }
}
