/* Most values come from strangers: all are escaped, and a command contains only what is
 * safe to paste into a shell. */
#include "quarantine/notices/notice_text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "quarantine/notices/notices.h"
#include "quarantine/pending_counts.h"
#include "quarantine/record.h"

enum { SHOWN = 200, SUBJECT_SHOWN = 100, NAMES_SHOWN = 5, JUMPS_SHOWN = 50 };

static void add_escaped(struct text *out, const char *value, size_t max)
{
    text_add_escaped(out, value, strlen(value), max);
}

static const char *plural(int64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

void notice_add_time(struct text *out, int64_t wall_ms)
{
    char text[60];
    struct tm local;
    time_t seconds = (time_t)(wall_ms / 1000);
    if (localtime_r(&seconds, &local) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M %Z", &local) > 0)
        add_escaped(out, text, sizeof text);
}

/* ---- who ---- */

/* True if the key names one person, machine or domain. */
static bool is_of_one(const char *key)
{
    return text_after(key, "login:") != NULL || text_after(key, "sender:") != NULL ||
           text_after(key, "client:") != NULL || text_after(key, "domain:") != NULL;
}

/* The number of senders whose mail is held; refused mail is not counted by sender. */
static int64_t count_senders(const json_t *incident)
{
    size_t parties = json_object_size(json_object_get(incident, "parties"));
    return parties > 1 ? (int64_t)parties : 1;
}

static void add_who(const json_t *incident, struct text *out, size_t max)
{
    const char *key = record_text(incident, "key");
    const char *identity = record_text(incident, "identity");
    int64_t others = count_senders(incident) - 1;
    if (strcmp(key, PENDING_COUNTS_MANY) == 0) {
        text_add_string(out, "many senders");
        return;
    }
    add_escaped(out, is_of_one(key) ? key : identity, max);
    if (is_of_one(key))
        return;
    if (others > 0)
        text_printf(out, " and %" PRId64 " more", others);
    else if (record_number(incident, "refused") + record_number(incident, "deferred") > 1)
        text_add_string(out, " and possibly others");
}

/* ---- the lines ---- */

static void begin_line(struct text *out, const char *label)
{
    text_printf(out, "  %-12s ", label);
}

static void add_what(const json_t *incident, struct text *out)
{
    int64_t held = record_number(incident, "held");
    int64_t waiting = record_waiting(incident);
    int64_t refused = record_number(incident, "refused");
    int64_t deferred = record_number(incident, "deferred");
    const char *between = "";
    if (held > 0) {
        text_printf(out, "%" PRId64 " %s held", held,
                    plural(held, "message", "messages"));
        if (waiting == held)
            text_add_string(out, ", waiting for your decision");
        else
            text_printf(out, ", %" PRId64 " still waiting for your decision", waiting);
        between = "; ";
    }
    if (refused > 0) {
        text_printf(out, "%s%" PRId64 " refused", between, refused);
        between = "; ";
    }
    if (deferred > 0)
        text_printf(out, "%s%" PRId64 " %s deferred", between, deferred,
                    plural(deferred, "time", "times"));
}

static void add_names(const json_t *names, int64_t count, struct text *out)
{
    size_t i;
    const json_t *name;
    json_array_foreach(names, i, name)
    {
        const char *address = json_string_value(name);
        if (i == NAMES_SHOWN)
            break;
        begin_line(out, i == 0 ? "to" : "");
        add_escaped(out, address == NULL ? "" : address, SHOWN);
        text_add_string(out, "\n");
    }
    if (count > (int64_t)i && i > 0) {
        begin_line(out, "");
        text_printf(out, "and %" PRId64 " more\n", count - (int64_t)i);
    }
}

/* What the first message was addressed to: its lists, else its recipients. */
static void add_addressed(const json_t *incident, struct text *out)
{
    const json_t *lists = json_object_get(incident, "lists");
    bool has_lists = json_array_size(lists) > 0;
    add_names(has_lists ? lists : json_object_get(incident, "addressed"),
              record_number(incident, has_lists ? "list_count" : "addressed_count"), out);
}

static void add_people(const json_t *incident, struct text *out)
{
    int64_t reach = record_number(incident, "reach");
    int64_t copies = record_number(incident, "copies");
    begin_line(out, "people");
    if (!json_is_integer(json_object_get(incident, "reach")))
        text_add_string(out, "not known: it had been accepted, and was pulled back");
    else
        text_printf(out, "%" PRId64 " reached by the largest message", reach);
    if (copies > 0) /* 0 for what sync restored */
        text_printf(out, "; %" PRId64 " %s in all", copies,
                    plural(copies, "copy", "copies"));
    text_add_string(out, "\n");
}

/* The relays that stopped it, where it must be decided: they need not include this one.
 * Records of older versions don't name them. */
static void add_relays(const struct notice_facts *facts, struct text *out)
{
    size_t i;
    const json_t *host;
    const json_t *hosts = json_object_get(facts->incident, "hosts");
    begin_line(out, "relay");
    if (json_array_size(hosts) == 0)
        add_escaped(out, facts->host, SHOWN);
    json_array_foreach(hosts, i, host)
    {
        const char *name = json_string_value(host);
        text_add_string(out, i == 0 ? "" : ", ");
        add_escaped(out, name == NULL ? "" : name, SHOWN);
    }
    text_add_string(out, "\n");
}

/* What a limit counts, in words, by how it is written. */
static const char *counted(const char *limit, int64_t count)
{
    if (strstr(limit, " clients per ") != NULL)
        return plural(count, "client that sent", "clients that sent");
    if (strstr(limit, " messages per ") != NULL)
        return plural(count, "message", "messages");
    return plural(count, "copy", "copies");
}

static void add_before(const json_t *incident, struct text *out)
{
    const json_t *before = json_object_get(incident, "before");
    const char *limit = record_text(incident, "limit");
    int64_t count = record_number(incident, "before");
    const json_t *permit = json_object_get(incident, "permit");
    begin_line(out, "went out");
    if (json_is_integer(before))
        text_printf(out, "%" PRId64 " %s before this, as the limit counts\n", count,
                    counted(limit, count));
    else
        text_add_string(out, "not counted by this rule\n");
    begin_line(out, "limit");
    add_escaped(out, limit[0] == '\0' ? "not known" : limit, SHOWN);
    text_add_string(out, "\n");
    if (json_is_object(permit)) {
        begin_line(out, "permit");
        add_escaped(out, record_text(permit, "id"), SHOWN);
        text_printf(out, ": too little was left, %" PRId64 " of %" PRId64 " copies\n",
                    record_number(permit, "left"), record_number(permit, "copies"));
    }
}

/* ---- what happens next, and commands ---- */

/* Who can let go what is his by answering a letter, and until when. */
static void add_asked(const struct notice_facts *facts, struct text *out)
{
    size_t i;
    const json_t *letter;
    const json_t *first = NULL;
    size_t count = 0;
    const struct confirm_settings *confirm = &facts->settings->policy.confirm;
    json_array_foreach(json_object_get(facts->incident, "letters"), i, letter)
    {
        const char *to = record_text(letter, "to");
        if (record_text(letter, "confirmed_by")[0] == '\0' ||
            (facts->answered != NULL && strcmp(facts->answered, to) == 0))
            continue;
        first = first == NULL ? letter : first;
        count++;
    }
    if (count == 0 || confirm->address == NULL || confirm->address[0] == '\0')
        return;
    text_add_string(out, "\n");
    if (count == 1) {
        add_escaped(out, record_text(first, "to"), SHOWN);
        text_add_string(out, " has been asked by letter whether this is right,\nand can "
                             "release it by answering, until ");
    } else {
        text_printf(
            out,
            "%zu senders have been asked by letter whether this is right, and can "
            "each\nrelease their own mail by answering, the first until ",
            count);
    }
    notice_add_time(out, record_number(first, "since") + confirm->for_ms);
    text_add_string(out, ".\n");
}

static void add_future(const struct notice_facts *facts, struct text *out)
{
    const json_t *incident = facts->incident;
    const struct settings *settings = facts->settings;
    if (record_waiting(incident) > 0)
        add_asked(facts, out);
    text_add_string(out, "\nIf nobody does anything");
    if (record_waiting(incident) > 0) {
        text_add_string(out, ", held mail will be refused from ");
        notice_add_time(out, record_number(incident, "opened_at") +
                                 settings->quarantine.expire_ms);
        text_add_string(out, " on,\nand its senders told where that is possible.\n");
    } else if (record_number(incident, "deferred") > 0) {
        text_add_string(out, ", the senders' servers will try again for some days.\n");
    } else {
        text_add_string(out, ", nothing more happens: the mail was refused, and its\n"
                             "senders know from the reply.\n");
    }
}

/* True if a stranger's word can be pasted into a shell as it is. */
static bool is_shell_word(const char *word)
{
    for (const char *c = word; *c != '\0'; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        bool digit = *c >= '0' && *c <= '9';
        if (!letter && !digit && strchr("@._:/+-", *c) == NULL)
            return false;
    }
    return word[0] != '\0' && strlen(word) <= 300;
}

/* There is no brake on a thread, a campaign or a topic, and braking whoever happened to
 * be last would be unfair. */
static bool has_brake(const char *key)
{
    return (is_of_one(key) || text_after(key, "list:") != NULL) && is_shell_word(key);
}

static void add_commands(const json_t *incident, struct text *out)
{
    const char *id = record_text(incident, "id");
    const char *key = record_text(incident, "key");
    bool braked = strcmp(record_text(incident, "rule"), "brake") == 0;
    bool grown = strcmp(record_text(incident, "rule"), "lists_grown") == 0 &&
                 text_after(key, "list:") != NULL;
    bool waits = record_waiting(incident) > 0;
    text_add_string(out, "\nOn the relay, type one of these:\n\n");
    if (waits)
        text_printf(out,
                    "  mailbrake quarantine release --incident %s   # deliver it all\n"
                    "  mailbrake quarantine refuse --incident %s    # refuse it all\n",
                    id, id);
    else
        text_printf(out, "  mailbrake incidents show %s\n", id);
    if (!waits && braked && is_shell_word(key))
        text_printf(out, "  mailbrake brake clear %s   # let such mail pass again\n",
                    key);
    else if (!waits && !braked && !grown && has_brake(key))
        text_printf(out, "  mailbrake brake set %s --for 4h   # stop all such mail\n",
                    key);
    else if (!waits && strcmp(key, PENDING_COUNTS_MANY) == 0)
        text_add_string(out,
                        "  mailbrake brake set all --for 1h   # stop all mail to more "
                        "than one\n");
    else if (!waits && !grown)
        text_printf(
            out, "  mailbrake incidents allow %s --for 4h   # let such mail pass\n", id);
    if (grown && is_shell_word(key))
        text_printf(out, "  mailbrake lists accept %s   # its size is right\n",
                    key + strlen("list:"));
    if (waits)
        text_printf(out, "\nTo see more: `mailbrake incidents show %s`\n", id);
}

/* ---- */

void notice_subject(const struct notice_facts *facts, struct text *out)
{
    const json_t *incident = facts->incident;
    static const char *const done[] = {"held", "refused", "deferred"};
    int64_t reach = record_number(incident, "reach");
    char between = ':';
    text_add_string(out, "Mailbrake: ");
    add_who(incident, out, SUBJECT_SHOWN);
    for (size_t i = 0; i < sizeof done / sizeof done[0]; i++) {
        int64_t count = record_number(incident, done[i]);
        if (count == 0)
            continue;
        text_printf(out, "%c %" PRId64 " %s", between, count, done[i]);
        between = ',';
    }
    if (json_is_integer(json_object_get(incident, "reach")))
        text_printf(out, ", to %" PRId64 " %s", reach, plural(reach, "person", "people"));
}

void notice_body(const struct notice_facts *facts, struct text *out)
{
    const json_t *incident = facts->incident;
    text_add_string(out, "Mailbrake has stopped mail under the rule ");
    add_escaped(out, record_text(incident, "rule"), SHOWN);
    text_add_string(out, ".\n\n");
    begin_line(out, "who");
    add_who(incident, out, SHOWN);
    text_add_string(out, "\n");
    begin_line(out, "what");
    add_what(incident, out);
    text_add_string(out, "\n");
    add_addressed(incident, out);
    add_people(incident, out);
    begin_line(out, "since");
    notice_add_time(out, record_number(incident, "opened_at"));
    text_add_string(out, ", most recently ");
    notice_add_time(out, record_number(incident, "last_at"));
    text_add_string(out, "\n");
    add_before(incident, out);
    add_relays(facts, out);
    add_future(facts, out);
    add_commands(incident, out);
}

void notice_sender_body(const struct notice_facts *facts, const json_t *sender_record,
                        struct text *out)
{
    int64_t reach = record_number(sender_record, "reach");
    int64_t since_ms = record_number(sender_record, "since");
    const char *domain = domains_first(&facts->settings->policy.domains);
    text_add_string(
        out, "Your message has not been delivered yet. Because it would reach so "
             "many people,\nor because so much mail was sent in a short time, your "
             "mail administrators will\nreview it first.\n\n");
    add_names(json_object_get(sender_record, "names"),
              record_number(sender_record, "count"), out);
    if (reach > 0) {
        begin_line(out, "people");
        text_printf(out, "%" PRId64 "\n", reach);
    }
    begin_line(out, "since");
    notice_add_time(out, since_ms);
    text_add_string(out, "\n");
    add_relays(facts, out);
    text_add_string(out, "\nYou need not send it again. If nobody has decided by ");
    notice_add_time(out, since_ms + facts->settings->quarantine.expire_ms);
    text_add_string(out,
                    ",\nit will be refused, and you will be told. More of your messages "
                    "may be held for\nthe same reason; you will not get a notice about "
                    "each of them.\n\nIf it was sent by mistake, or is urgent, ");
    if (domain == NULL)
        text_add_string(out, "ask your administrators");
    else
        text_printf(out, "write to postmaster@%s", domain);
    text_printf(out, "\nand mention the incident %s.\n",
                record_text(facts->incident, "id"));
}

/* ---- lists that jumped ---- */

static void add_jump(const struct list_jump *jump, struct text *out, size_t max)
{
    add_escaped(out, jump->address, max);
    text_add_string(out, jump->grown ? " has grown from " : " has lost many of its ");
    text_add_grouped(out, jump->was);
    if (jump->grown) {
        text_add_string(out, " to ");
        text_add_grouped(out, jump->size);
    }
    text_add_string(out, " members");
}

void notice_jumps_subject(const struct list_jumps *jumps, struct text *out)
{
    text_add_string(out, "Mailbrake: ");
    if (jumps->count > 0)
        add_jump(&jumps->items[0], out, SUBJECT_SHOWN);
    if (jumps->count > 1)
        text_printf(out, ", and %zu more %s", jumps->count - 1,
                    plural((int64_t)jumps->count - 1, "list", "lists"));
}

static void add_jumps(const struct list_jumps *jumps, struct text *out)
{
    for (size_t i = 0; i < jumps->count && i < JUMPS_SHOWN; i++) {
        text_add_string(out, "  ");
        add_jump(&jumps->items[i], out, SHOWN);
        text_add_string(out, "\n");
    }
    if (jumps->count > JUMPS_SHOWN)
        text_printf(out, "  and %zu more: see mailbrake lists\n",
                    jumps->count - JUMPS_SHOWN);
}

void notice_jumps_body(const struct list_jumps *jumps, const struct settings *settings,
                       const char *host, struct text *out)
{
    bool grown = false;
    bool shrunk = false;
    for (size_t i = 0; i < jumps->count; i++) {
        grown |= jumps->items[i].grown;
        shrunk |= !jumps->items[i].grown;
    }
    text_add_string(out, "Mailing lists have suddenly changed their size:\n\n");
    add_jumps(jumps, out);
    text_add_string(out, "\n");
    begin_line(out, "relay");
    add_escaped(out, host, SHOWN);
    text_add_string(out, "\n\nIf nobody does anything:\n");
    if (grown)
        text_printf(out,
                    "mail to a list that has grown gets the action \"%s\" "
                    "(lists_grown);\n",
                    action_name(settings->policy.lists_grown));
    if (shrunk)
        text_add_string(out,
                        "the members that a list had count, too, until max_age of its "
                        "source is over.\n");
    text_add_string(out, "\nIf the new size is right, type on the relay:\n\n");
    if (jumps->count == 1 && is_shell_word(jumps->items[0].address))
        text_printf(out, "  mailbrake lists accept %s\n", jumps->items[0].address);
    else
        text_add_string(out, "  mailbrake lists                 # what has jumped\n"
                             "  mailbrake lists accept ADDRESS  # one of them\n"
                             "  mailbrake lists accept --all    # all of them\n");
}

/* ---- letters that can be answered ---- */

/* Of many small messages: all that came so far, if nobody else has mail in it. */
static bool is_many(const json_t *incident)
{
    return json_object_size(json_object_get(incident, "parties")) == 1 &&
           record_number(incident, "held") > 1;
}

/* How many people his mail would reach. */
static int64_t count_people(const json_t *incident, const json_t *sender_record)
{
    int64_t reach = record_number(sender_record, "reach");
    int64_t copies = record_number(incident, "copies");
    return is_many(incident) && copies > reach ? copies : reach;
}

static void add_count(struct text *out, int64_t people)
{
    text_add_grouped(out, (uint64_t)people);
    text_add_string(out, plural(people, " person", " people"));
}

void notice_confirm_subject(const struct notice_facts *facts, const json_t *sender_record,
                            struct text *out)
{
    text_add_string(out, "Your mail to ");
    add_count(out, count_people(facts->incident, sender_record));
    text_add_string(out, " waits for your answer");
}

/* What he may send, or usually does. */
static void add_measure(const json_t *incident, const json_t *sender_record,
                        struct text *out)
{
    const char *limit = record_text(incident, "limit");
    int64_t usual = record_number(sender_record, "usual");
    if (usual > 0) {
        begin_line(out, "usual");
        add_count(out, usual);
        text_add_string(out, "\n");
    }
    if (limit[0] == '\0')
        return;
    begin_line(out, strstr(limit, " over ") == NULL ? "allowed" : "held for");
    add_escaped(out, limit, SHOWN);
    text_add_string(out, "\n");
}

static void add_question(const struct notice_facts *facts, const json_t *sender_record,
                         struct text *out)
{
    const json_t *incident = facts->incident;
    int64_t usual = record_number(sender_record, "usual");
    const char *domain = domains_first(&facts->settings->policy.domains);
    text_add_string(out, "Your mail ");
    if (is_many(incident)) {
        text_add_string(out, "(");
        text_add_grouped(out, (uint64_t)record_number(incident, "held"));
        text_add_string(out, " messages so far) ");
    }
    text_add_string(out, "would reach ");
    add_count(out, count_people(incident, sender_record));
    if (usual > 0) {
        text_add_string(out, "; it usually reaches ");
        text_add_grouped(out, (uint64_t)usual);
    }
    text_add_string(out,
                    ".\nIt has not been delivered yet.\n\n"
                    "If this is right, answer this letter, and it will be delivered, "
                    "with all\nother mail of yours that is held for the same reason. "
                    "You need not write\nanything. If it is a mistake, do nothing. If "
                    "you have not sent such mail,\nsomebody else may know your "
                    "password: don't answer, but tell\n");
    if (domain == NULL)
        text_add_string(out, "your mail administrators.\n\n");
    else
        text_printf(out, "postmaster@%s.\n\n", domain);
}

void notice_confirm_body(const struct notice_facts *facts, const json_t *sender_record,
                         struct text *out)
{
    int64_t since_ms = record_number(sender_record, "since");
    add_question(facts, sender_record, out);
    add_names(json_object_get(sender_record, "names"),
              record_number(sender_record, "count"), out);
    begin_line(out, "people");
    text_add_grouped(out, (uint64_t)count_people(facts->incident, sender_record));
    text_add_string(out, "\n");
    add_measure(facts->incident, sender_record, out);
    begin_line(out, "since");
    notice_add_time(out, since_ms);
    text_add_string(out, "\n");
    add_relays(facts, out);
    text_add_string(out, "\nYour answer counts once, until ");
    notice_add_time(out, since_ms + facts->settings->policy.confirm.for_ms);
    text_add_string(
        out, ", and only\nif you send it from the same account, or program, as the "
             "message. Until you\nanswer, your mail administrators may decide; "
             "what nobody decides about by\n");
    notice_add_time(out, since_ms + facts->settings->quarantine.expire_ms);
    text_printf(out, " will be refused. The incident is %s.\n",
                record_text(facts->incident, "id"));
}

/* ---- an answer that did not let go everything ---- */

void notice_answer_sender(const struct notice_facts *facts,
                          const struct notices_answer *answer, struct text *out_subject,
                          struct text *out_body)
{
    text_add_string(out_subject, answer->over ? "Your answer came too late"
                                              : "Your mail is still held");
    text_printf(
        out_body,
        "Your answer has arrived, but it has not let go all of your mail:\n%s.\n\n"
        "%sYou need not answer or send it again.\n\n",
        answer->plain,
        answer->over ? ""
                     : "Your mail administrators decide about what is still held.\n");
    begin_line(out_body, "incident");
    text_printf(out_body, "%s\n", record_text(facts->incident, "id"));
    add_relays(facts, out_body);
}

void notice_answer(const struct notice_facts *facts, const struct notices_answer *answer,
                   struct text *out_subject, struct text *out_body)
{
    text_add_string(out_subject, "Mailbrake: still held, though ");
    add_escaped(out_subject, answer->to, SUBJECT_SHOWN);
    text_add_string(out_subject, " confirmed it");
    add_escaped(out_body, answer->to, SHOWN);
    text_add_string(out_body, " has answered that this mail is right, but not all of it "
                              "was\nreleased: ");
    add_escaped(out_body, answer->why, 300);
    text_add_string(out_body, ".\n\n");
    const struct notice_facts rest = {facts->incident, facts->settings, facts->host,
                                      answer->to};
    notice_body(&rest, out_body);
}
