/* What Postfix does to recipients after our milter: each judge asks whether a setting can
 * turn one into a list. Maps are read where their text can be. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "cli/mta/postmap.h"
#include "cli/mta/relay_parts.h"

static const struct domains *own_domains(const struct relay *relay)
{
    return &relay->settings->policy.domains;
}

static uint64_t size_of(const struct relay *relay, const char *address)
{
    const struct list *list = relay_find_list(relay, address);
    return list == NULL ? 0 : list->size;
}

/* ---- what a map makes of an address ---- */

/* An address with parts that are only known when mail comes: in another domain it is one
 * copy that goes out. */
static bool may_be_ours(const struct relay *relay, const char *value)
{
    char domain[300];
    const char *at = strrchr(value, '@');
    if (at == NULL || strchr(at, '$') != NULL)
        return true;
    (void)snprintf(domain, sizeof domain, "%s", at + 1);
    text_lower_all(domain, strlen(domain));
    return domains_have(own_domains(relay), domain);
}

/* Every list of one domain must be known in the other as well. */
static void judge_rename(struct relay_findings *findings, const char *from,
                         const char *to)
{
    const struct relay *relay = findings->setting->relay;
    uint32_t count = directory_list_count(relay->directory);
    for (uint32_t i = 0; i < count; i++) {
        char before[700];
        char after[700];
        const char *address = directory_list(relay->directory, i)->address;
        int length = (int)strcspn(address, "@");
        if (length == 0 || length > 300)
            continue;
        (void)snprintf(before, sizeof before, "%.*s@%.300s", length, address, from);
        (void)snprintf(after, sizeof after, "%.*s@%.300s", length, address, to);
        uint64_t people = size_of(relay, after);
        if (people > size_of(relay, before))
            relay_find(findings, before, after, people);
    }
}

/* One address becomes one other. */
static void take_rewriting(void *context, const struct postmap_entry *entry)
{
    struct relay_findings *findings = context;
    const struct relay *relay = findings->setting->relay;
    const char *key = entry->key == NULL ? "every address" : entry->key;
    bool plain = entry->key != NULL && !entry->pattern;
    char value[700];
    words_first(entry->value, value, sizeof value);
    if (text_after(value, "%1@") != NULL) /* Sendmail's "@domain" */
        memmove(value, value + 2, strlen(value + 2) + 1);
    if (entry->pattern && strchr(value, '$') != NULL) {
        if (may_be_ours(relay, value))
            relay_find_unclear(findings, value);
    } else if (value[0] == '@' && plain && key[0] == '@') {
        judge_rename(findings, key + 1, value + 1);
    } else if (value[0] == '@') {
        if (may_be_ours(relay, value))
            relay_find_unclear(findings, value);
    } else {
        uint64_t people = size_of(relay, value);
        if (people > (plain && key[0] != '@' ? size_of(relay, key) : 0))
            relay_find(findings, key, value, people);
    }
}

/* A copy more for one address. */
static void take_copy(void *context, const struct postmap_entry *entry)
{
    struct relay_findings *findings = context;
    const struct relay *relay = findings->setting->relay;
    char value[700];
    words_first(entry->value, value, sizeof value);
    uint64_t people = size_of(relay, value);
    if (entry->pattern && strchr(value, '$') != NULL && may_be_ours(relay, value))
        relay_find_unclear(findings, value);
    else if (people > 0)
        relay_find(findings, entry->key == NULL ? "everybody" : entry->key, value,
                   people);
}

/* Hands the entries of each table in the value to take; others are skipped. */
static void read_tables(const struct relay_setting *setting,
                        void (*take)(void *context, const struct postmap_entry *entry),
                        struct relay_findings *findings,
                        void (*complain)(const struct relay_setting *setting,
                                         const char *unknown))
{
    struct words words = words_of(setting->value);
    char unknown[WORDS_ITEM_SIZE];
    const char *table;
    while ((table = words_next(&words)) != NULL) {
        if (!postmap_is_table(table))
            continue;
        relay_check_age(setting, table);
        if (!postmap_read(table, take, findings, unknown, sizeof unknown) &&
            complain != NULL)
            complain(setting, unknown);
    }
}

static void say_unknown(const struct relay_setting *setting, const char *unknown)
{
    relay_say(
        setting, RELAY_MAYBE,
        "Mailbrake cannot read %.200s: an address that it turns into a list, or adds "
        "one to, counts as one recipient; put only maps into %s that can be read as "
        "text, and make sure that they name mailboxes",
        unknown, setting->name);
}

/* Also of Sendmail's virtusertable. */
void relay_judge_rewriting(const struct relay_setting *setting)
{
    struct relay_findings findings = {.setting = setting};
    read_tables(setting, take_rewriting, &findings, say_unknown);
    if (findings.count > 0)
        relay_say(setting, RELAY_SURE,
                  "%s becomes the list %s (%llu people) after Mailbrake has looked, and "
                  "counts as one recipient (%zu such lines); write into a virtual(5) "
                  "file that lists names: %s %s",
                  findings.key, findings.value, (unsigned long long)findings.people,
                  findings.count, findings.key, findings.value);
    if (findings.unclear[0] != '\0')
        relay_say(
            setting, RELAY_MAYBE,
            "addresses become %s after Mailbrake has looked, which may be lists, and "
            "count as one recipient; write those lists into a virtual(5) file that "
            "lists names: OLD-ADDRESS NEW-ADDRESS",
            findings.unclear);
}

void relay_judge_canonical(const struct relay_setting *setting)
{
    const char *classes = strcmp(setting->name, "canonical_maps") == 0
                              ? "canonical_classes"
                              : "recipient_canonical_classes";
    if (relay_has_word(relay_beside(setting, classes), "envelope_recipient"))
        relay_judge_rewriting(setting);
}

/* user@host.domain becomes user@domain for every host. */
void relay_judge_masquerade(const struct relay_setting *setting)
{
    struct words words = words_of(setting->value);
    const char *item;
    if (!relay_has_word(relay_beside(setting, "masquerade_classes"),
                        "envelope_recipient"))
        return;
    struct relay_findings findings = {.setting = setting};
    while ((item = words_next(&words)) != NULL) {
        char domain[300];
        char below[320];
        words_first(item, domain, sizeof domain);
        if (domain[0] == '!')
            continue;
        (void)snprintf(below, sizeof below, "HOST.%s", domain);
        judge_rename(&findings, below, domain);
    }
    if (findings.count > 0)
        relay_say(setting, RELAY_SURE,
                  "%s becomes the list %s (%llu people) after Mailbrake has looked, and "
                  "counts as one recipient; take envelope_recipient out of "
                  "masquerade_classes",
                  findings.key, findings.value, (unsigned long long)findings.people);
}

/* ---- copies ---- */

static void say_copies(const struct relay_findings *findings)
{
    const struct relay_setting *setting = findings->setting;
    if (findings->count > 0)
        relay_say(
            setting, RELAY_SURE,
            "mail of or to %s also goes to the list %s (%llu people), which Mailbrake "
            "does not count (%zu such lines); name a mailbox there",
            findings->key, findings->value, (unsigned long long)findings->people,
            findings->count);
    if (findings->unclear[0] != '\0')
        relay_say(
            setting, RELAY_MAYBE,
            "copies go to %s, which may be a list, and Mailbrake does not count it; "
            "name a mailbox there",
            findings->unclear);
}

void relay_judge_bcc(const struct relay_setting *setting)
{
    struct relay_findings findings = {.setting = setting};
    read_tables(setting, take_copy, &findings, say_unknown);
    say_copies(&findings);
}

/* A parameter that names one address; lists of up to people_max do no harm. */
static void judge_address(const struct relay_setting *setting,
                          enum relay_severity severity, uint64_t people_max,
                          const char *what)
{
    const struct list *list = relay_find_list(setting->relay, setting->value);
    if (list != NULL && list->size > people_max)
        relay_say(setting, severity,
                  "%s the list %s (%llu people), which Mailbrake does not count; name a "
                  "mailbox: %s = ...",
                  what, setting->value, (unsigned long long)list->size, setting->name);
}

void relay_judge_always_bcc(const struct relay_setting *setting)
{
    judge_address(setting, RELAY_SURE, 0, "each message also goes to");
}

/* Postfix shows no milter the mail that it makes itself. A few notices to postmasters
 * aren't a storm. */
void relay_judge_notices(const struct relay_setting *setting)
{
    enum { POSTMASTERS_MAX = 20 };
    judge_address(setting, RELAY_MAYBE, POSTMASTERS_MAX,
                  "what Postfix sends there by itself, unseen by Mailbrake, goes to");
}

/* Mail to unknown users. */
void relay_judge_luser(const struct relay_setting *setting)
{
    if (strchr(setting->value, '$') == NULL)
        judge_address(setting, RELAY_SURE, 0, "mail to unknown users goes to");
    else if (may_be_ours(setting->relay, setting->value))
        relay_say(setting, RELAY_MAYBE,
                  "mail to unknown users goes to %s, which may be a list, and "
                  "Mailbrake counts one recipient; name a mailbox: luser_relay = ...",
                  setting->value);
}

/* ---- actions of header_checks(5) and access(5) ---- */

/* The address behind "REDIRECT" or "BCC"; NULL when the action is another. */
static const char *action_address(const char *value)
{
    static const char *const actions[] = {"REDIRECT ", "BCC "};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        size_t length = strlen(actions[i]);
        if (strncasecmp(value, actions[i], length) == 0)
            return value + length + strspn(value + length, " ");
    }
    return NULL;
}

static void take_action(void *context, const struct postmap_entry *entry)
{
    const struct relay_findings *findings = context;
    const char *address = action_address(entry->value);
    const struct postmap_entry copy = {entry->key, address, entry->pattern};
    if (strncasecmp(entry->value, "FILTER ", strlen("FILTER ")) == 0)
        *findings->setting->relay->has_filter = true;
    if (address != NULL)
        take_copy(context, &copy);
}

static void say_actions(const struct relay_findings *findings)
{
    const struct relay_setting *setting = findings->setting;
    if (findings->count > 0)
        relay_say(setting, RELAY_SURE,
                  "%s: REDIRECT or BCC sends mail to the list %s (%llu people) after "
                  "Mailbrake has looked (%zu such lines); name a mailbox there",
                  findings->key, findings->value, (unsigned long long)findings->people,
                  findings->count);
    if (findings->unclear[0] != '\0')
        relay_say(setting, RELAY_MAYBE,
                  "REDIRECT or BCC sends mail to %s after Mailbrake has looked, and that "
                  "may be a list; name a mailbox there",
                  findings->unclear);
}

/* An unreadable map is not reported: its actions are unlikely to name a list. */
static void read_actions(const struct relay_setting *setting,
                         struct relay_findings *findings)
{
    read_tables(setting, take_action, findings, NULL);
}

void relay_judge_checks(const struct relay_setting *setting)
{
    struct relay_findings findings = {.setting = setting};
    read_actions(setting, &findings);
    say_actions(&findings);
}

/* Tables stand among the restrictions' names, also in braces. */
void relay_judge_restrictions(const struct relay_setting *setting)
{
    struct words words = words_of(setting->value);
    struct relay_findings findings = {.setting = setting};
    while (words_next(&words) != NULL) {
        struct relay_setting inner = *setting;
        size_t length = strlen(words.item);
        if (words.item[0] != '{' || words.item[length - 1] != '}')
            continue;
        words.item[length - 1] = '\0';
        inner.value = words.item + 1;
        read_actions(&inner, &findings);
    }
    read_actions(setting, &findings);
    say_actions(&findings);
}

/* Each class is a parameter of its own name. */
void relay_judge_classes(const struct relay_setting *setting)
{
    struct words words = words_of(setting->value);
    const char *item;
    while ((item = words_next(&words)) != NULL) {
        char name[300];
        struct relay_setting class = *setting;
        words_first(item, name, sizeof name);
        class.name = name;
        class.value = relay_beside(setting, name);
        relay_judge_restrictions(&class);
    }
}

/* ---- filters, macros ---- */

/* A program that gets mail from pipe(8) gives it back with sendmail(1) as a rule. */
void relay_judge_filter(const struct relay_setting *setting)
{
    const struct postconf_service *service =
        relay_find_transport(setting->relay, setting->value, "pipe");
    if (service != NULL)
        relay_say(setting, RELAY_MAYBE,
                  "what the program of %s gives back with sendmail(1) is judged and "
                  "charged again; let it give mail back by SMTP to a port of its own, "
                  "with: -o receive_override_options=no_milters",
                  service->name);
}

/* A macro that Postfix makes up is the identity of all who have none. */
void relay_judge_macros(const struct relay_setting *setting)
{
    static const char *const names[] = {"auth_authen", "mail_addr", "rcpt_addr",
                                        "mail_mailer"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strstr(setting->value, names[i]) != NULL)
            relay_say(
                setting, RELAY_SURE,
                "a default for {%s} makes mail look as if it came from somebody, or "
                "went to somebody, else; take it out of milter_macro_defaults",
                names[i]);
    }
}
