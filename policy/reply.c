/* Codes by RFC 5321 4.2 and RFC 3463: 5.7.1 and 4.7.1, delivery not authorised. */
#include "policy/reply.h"

#include <stdio.h>

static const char *default_reason(const struct verdict *verdict)
{
    if (verdict->temporary)
        return "This message can't be checked at the moment, please try again later.";
    if (verdict->cause == CAUSE_BRAKE)
        return verdict->brake->reason[0] != '\0'
                   ? verdict->brake->reason
                   : "The administrators have stopped mail like this for now.";
    if (verdict->cause == CAUSE_UNKNOWN)
        return "A mailing list in this message can't be expanded at the moment.";
    if (verdict->cause == CAUSE_GROWN)
        return "A mailing list in this message has suddenly grown.";
    if (verdict->cause == CAUSE_FORGED)
        return "Too many X-Mailbrake header fields.";
    if (verdict->cause == CAUSE_TOO_MANY)
        return "Too many lists in one message.";
    const struct charge *charge = verdict->charge;
    if (charge != NULL && charge->clients && verdict->cause == CAUSE_LIMIT)
        return "This account has sent from too many different addresses.";
    if (charge != NULL && charge->surge == NULL && charge->cost > verdict->outcome.burst)
        return "More recipients than are allowed at once.";
    if (verdict->cause == CAUSE_LATCH)
        return "Mail like this is stopped for a while, since it exceeded its limit.";
    if (charge != NULL && charge->surge != NULL)
        return "More recipients than usual for mail like this.";
    if (charge != NULL)
        return "The sending limit has been reached.";
    if (verdict->over < 0)
        return "This mail is not allowed.";
    if (verdict->measure == MEASURE_VISIBLE ||
        verdict->measure == MEASURE_VISIBLE_EXTERNAL)
        return "Too many addresses are visible in To and Cc.";
    return "Too many recipients.";
}

/* The numbers in brackets; "" where a verdict has none. */
static void format_numbers(const struct verdict *verdict, char *out, size_t size)
{
    out[0] = '\0';
    if (verdict->charge != NULL && verdict->charge->clients)
        (void)snprintf(out, size, " (clients %lld, limit %lld)",
                       (long long)(verdict->outcome.burst - verdict->outcome.left + 1),
                       (long long)verdict->outcome.burst);
    else if (verdict->charge != NULL)
        (void)snprintf(out, size, " (cost %lld, left %lld of %lld)",
                       (long long)verdict->charge->cost, (long long)verdict->outcome.left,
                       (long long)verdict->outcome.burst);
    else if (verdict->cause == CAUSE_TOO_MANY)
        (void)snprintf(out, size, " (lists %lld, limit %lld)", (long long)verdict->value,
                       (long long)verdict->over);
    else if (verdict->cause == CAUSE_GROWN)
        (void)snprintf(out, size, " (from %llu to %llu)",
                       (unsigned long long)verdict->grown->was,
                       (unsigned long long)verdict->grown->size);
    else if (verdict->cause == CAUSE_FORGED)
        (void)snprintf(out, size, " (%lld, limit %lld)", (long long)verdict->value,
                       (long long)verdict->over);
    else if (verdict->cause == CAUSE_RULE && verdict->over >= 0)
        (void)snprintf(out, size, " (%s %lld, limit %lld)",
                       measure_name(verdict->measure), (long long)verdict->value,
                       (long long)verdict->over);
    else if (verdict->cause == CAUSE_RULE)
        (void)snprintf(out, size, " (reach %lld)", (long long)verdict->value);
}

void reply_make(const struct verdict *verdict, const char *incident, struct reply *out)
{
    *out = (struct reply){.code = 250, .enhanced = ""};
    if (verdict->action == ACTION_REJECT) {
        out->code = 550;
        out->enhanced = "5.7.1";
    } else if (verdict->action == ACTION_DEFER) {
        out->code = verdict->temporary ? 451 : 450;
        out->enhanced = "4.7.1";
    } else {
        return;
    }
    char numbers[120];
    const char *reason = default_reason(verdict);
    if (verdict->rule != NULL && verdict->rule->reason != NULL)
        reason = verdict->rule->reason;
    format_numbers(verdict, numbers, sizeof numbers);
    (void)snprintf(out->text, sizeof out->text, "%s%s [mailbrake %s%s%s]", reason,
                   numbers, judge_decider(verdict), incident == NULL ? "" : " ",
                   incident == NULL ? "" : incident);
}

void reply_format(const struct reply *reply, char *out, size_t size)
{
    if (reply->code == 250)
        (void)snprintf(out, size, "250 accepted");
    else
        (void)snprintf(out, size, "%d %s %s", reply->code, reply->enhanced, reply->text);
}
