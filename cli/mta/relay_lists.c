/* Are Postfix's domains, delimiter and lists the ones that we know? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/mta/postmap.h"
#include "cli/mta/relay_parts.h"
#include "lists/file.h"
#include "lists/lines.h"

void relay_judge_delimiter(const struct relay_setting *setting)
{
    const struct relay *relay = setting->relay;
    const char *theirs = setting->value;
    const char *ours = relay->settings->policy.domains.delimiters;
    if (strspn(theirs, ours) == strlen(theirs) && strspn(ours, theirs) == strlen(ours))
        return;
    relay_say_ours(relay,
                   "Postfix removes tags at \"%s\", we at \"%s\"; write: "
                   "recipient_delimiter = \"%s\";",
                   theirs, ours, theirs);
}

/* ---- mydestination ---- */

static void judge_domain(const struct relay_setting *setting, const char *name)
{
    char domain[300];
    (void)snprintf(domain, sizeof domain, "%s", name);
    text_lower_all(domain, strlen(domain));
    if (domain[0] == '\0' || domain[0] == '.' || strpbrk(domain, "/:[") != NULL ||
        domains_have(&setting->relay->settings->policy.domains, domain))
        return;
    relay_say_ours(setting->relay,
                   "the MTA expands lists in %s too (%s); add \"%s\" to domains", domain,
                   setting->name, domain);
}

struct domain_table {
    const struct relay_setting *setting;
    bool unclear;
};

/* Only keys count: values are ignored. */
static void take_domain(void *context, const struct postmap_entry *entry)
{
    struct domain_table *table = context;
    if (entry->key == NULL || entry->pattern)
        table->unclear = true;
    else
        judge_domain(table->setting, entry->key);
}

static void judge_domain_table(const struct relay_setting *setting, const char *name)
{
    char unknown[WORDS_ITEM_SIZE];
    struct domain_table table = {.setting = setting};
    relay_check_age(setting, name);
    if (!postmap_read(name, take_domain, &table, unknown, sizeof unknown) ||
        table.unclear)
        relay_say(
            setting, RELAY_MAYBE,
            "Mailbrake cannot tell which domains are in %.200s, and the MTA expands "
            "lists in all of them; name each in domains, and in mydestination",
            unknown);
}

static void judge_domain_words(const struct relay_setting *setting, const char *list,
                               bool files);

/* A file that holds what could stand in main.cf instead. */
static void judge_domain_file(const struct relay_setting *setting, const char *path)
{
    struct file file = {0};
    struct error error = {0};
    struct line line;
    if (file_read(path, FILE_BYTES_MAX, &file, &error) != STATUS_OK) {
        relay_say(setting, RELAY_MAYBE,
                  "Mailbrake cannot read %.200s, and the MTA expands lists in the "
                  "domains in it; make sure that domains names them all",
                  path);
        return;
    }
    struct lines lines = lines_of(file.data, file.length);
    while (lines_next(&lines, &line)) {
        line.text[line.length] = '\0';
        line.text[strcspn(line.text, "#")] = '\0';
        judge_domain_words(setting, line.text, false);
    }
    file_clear(&file);
}

static void judge_domain_words(const struct relay_setting *setting, const char *list,
                               bool files)
{
    struct words words = words_of(list);
    const char *word;
    while ((word = words_next(&words)) != NULL) {
        if (word[0] == '!')
            continue;
        if (word[0] == '/' && files)
            judge_domain_file(setting, word);
        else if (postmap_is_table(word))
            judge_domain_table(setting, word);
        else
            judge_domain(setting, word);
    }
}

void relay_judge_domains(const struct relay_setting *setting)
{
    judge_domain_words(setting, setting->value, true);
}

/* ---- what else local(8) delivers: it asks aliases(5) for the user in any domain ---- */

static void take_transport(void *context, const struct postmap_entry *entry)
{
    struct domain_table *table = context;
    const struct relay *relay = table->setting->relay;
    char user[300];
    if (relay_find_transport(relay, entry->value, "local") == NULL)
        return;
    const char *key = entry->key;
    bool plain = key != NULL && !entry->pattern && key[0] != '.' && key[0] != '*';
    size_t length = plain ? strcspn(key, "@") : 0;
    if (!plain) {
        table->unclear = true;
    } else if (key[length] == '\0') {
        judge_domain(table->setting, key);
    } else {
        (void)snprintf(user, sizeof user, "%.*s", (int)length, key);
        if (relay_find_list(relay, user) != NULL && relay_find_list(relay, key) == NULL)
            judge_domain(table->setting, key + length + 1);
    }
}

static void say_any_domain(const struct relay_setting *setting)
{
    relay_say(setting, RELAY_MAYBE,
              "%s: local(8) delivers mail of more domains than Mailbrake can tell, and "
              "expands lists in all of them; make sure that domains names them all",
              setting->name);
}

/* An unreadable map is not reported: it is unlikely to name local(8). */
void relay_judge_transport_maps(const struct relay_setting *setting)
{
    struct domain_table table = {.setting = setting};
    struct words words = words_of(setting->value);
    char unknown[WORDS_ITEM_SIZE];
    const char *name;
    while ((name = words_next(&words)) != NULL)
        (void)postmap_read(name, take_transport, &table, unknown, sizeof unknown);
    if (table.unclear)
        say_any_domain(setting);
}

void relay_judge_transport(const struct relay_setting *setting)
{
    struct relay_setting domains = *setting;
    if (relay_find_transport(setting->relay, setting->value, "local") == NULL)
        return;
    if (strcmp(setting->name, "default_transport") == 0) {
        say_any_domain(setting);
        return;
    }
    domains.name = strcmp(setting->name, "relay_transport") == 0
                       ? "relay_domains"
                       : "virtual_mailbox_domains";
    domains.value = relay_beside(setting, domains.name);
    relay_judge_domains(&domains);
}

/* ---- alias_maps, virtual_alias_maps ---- */

static bool is_read(const struct relay *relay, enum list_kind kind, const char *path)
{
    const struct settings *settings = relay->settings;
    for (size_t i = 0; i < settings->list_count; i++) {
        if (settings->lists[i].kind == kind &&
            relay_is_same_file(settings->lists[i].path, path))
            return true;
    }
    return false;
}

/* Of a table that lists can't name: does it make many of one? */
static void take_expansion(void *context, const struct postmap_entry *entry)
{
    struct relay_findings *findings = context;
    struct words words = words_of(entry->value);
    size_t count = 0;
    while (words_next(&words) != NULL)
        count++;
    if (entry->pattern && strchr(entry->value, '$') != NULL)
        relay_find_unclear(findings, entry->value);
    if (count >= 2 || text_after(entry->value, ":include:") != NULL ||
        relay_find_list(findings->setting->relay, entry->value) != NULL)
        relay_find(findings, entry->key == NULL ? "every address" : entry->key,
                   entry->value, 0);
}

static void judge_other_table(const struct relay_setting *setting, const char *table)
{
    char unknown[WORDS_ITEM_SIZE];
    struct relay_findings findings = {.setting = setting};
    bool known = postmap_read(table, take_expansion, &findings, unknown, sizeof unknown);
    if (findings.count > 0)
        relay_say(setting, RELAY_SURE,
                  "the MTA expands %s in %.200s, which Mailbrake counts as one recipient "
                  "(%zu such lines); move them to a file that lists can name: hash:/PATH",
                  findings.key, table, findings.count);
    if (!known || findings.unclear[0] != '\0')
        relay_say(setting, RELAY_MAYBE,
                  "%s: Mailbrake cannot read %.200s: mail to a list in it counts as one "
                  "recipient",
                  setting->name, unknown);
}

static void take_bare_list(void *context, const struct postmap_entry *entry)
{
    struct relay_findings *findings = context;
    if (entry->key != NULL && strchr(entry->key, '@') == NULL &&
        relay_find_list(findings->setting->relay, entry->key) != NULL)
        relay_find(findings, entry->key, "", 0);
}

/* virtual(5) expands a list without domain in myorigin, too. */
static void judge_origin(const struct relay_setting *setting, const char *table)
{
    char unknown[WORDS_ITEM_SIZE];
    struct relay_findings findings = {.setting = setting};
    struct relay_setting origin = *setting;
    if (setting->relay->postconf == NULL)
        return;
    (void)postmap_read(table, take_bare_list, &findings, unknown, sizeof unknown);
    origin.name = "myorigin";
    origin.value = relay_beside(setting, origin.name);
    if (findings.count > 0)
        relay_judge_domains(&origin);
}

/* An LDAP map is read as Postfix's own file says. */
static void judge_ldap(const struct relay_setting *setting, const char *path)
{
    if (!is_read(setting->relay, LIST_POSTFIX, path))
        relay_say_ours(setting->relay,
                       "the MTA expands the lists in LDAP that %s names (%s); add to "
                       "lists: { postfix = \"%s\"; }",
                       path, setting->name, path);
}

static void judge_table(const struct relay_setting *setting, enum list_kind kind,
                        const char *table)
{
    char compiled[WORDS_ITEM_SIZE];
    const char *path = postmap_text(table);
    bool aliases = kind == LIST_ALIASES;
    const char *bare = text_after(table, "proxy:");
    const char *ldap = text_after(bare == NULL ? table : bare, "ldap:");
    if (ldap != NULL && ldap[0] == '/') {
        judge_ldap(setting, ldap);
        return;
    }
    if (path == NULL) {
        judge_other_table(setting, table);
        return;
    }
    if (access(path, F_OK) == 0 && !is_read(setting->relay, kind, path))
        relay_say_ours(setting->relay,
                       "the MTA expands the lists in %s (%s); add to lists: { %s = "
                       "\"%s\"; }",
                       path, setting->name, aliases ? "aliases" : "virtual", path);
    if (postmap_age(table, compiled, sizeof compiled) == POSTMAP_WITHOUT_TEXT)
        relay_say(
            setting, RELAY_MAYBE,
            "there is no text file %s beside %s that Mailbrake could read; restore it",
            path, compiled);
    relay_check_age(setting, table);
    if (!aliases)
        judge_origin(setting, table);
}

/* Also those in unionmap:{ }, of which Postfix takes all. */
static void judge_lists(const struct relay_setting *setting, enum list_kind kind)
{
    enum { PROXY_LENGTH = 6 };
    static const char nested[] = "unionmap:";
    char *all = strdup(setting->value);
    if (all == NULL)
        return;
    for (char *at = strstr(all, nested); at != NULL; at = strstr(at, nested)) {
        char *close = strchr(at, '}');
        if (at - all >= PROXY_LENGTH &&
            strncmp(at - PROXY_LENGTH, "proxy:", PROXY_LENGTH) == 0)
            memset(at - PROXY_LENGTH, ' ', PROXY_LENGTH);
        memset(at, ' ', sizeof nested - 1);
        if (at[strcspn(at, "{")] == '{')
            at[strcspn(at, "{")] = ' ';
        if (close != NULL)
            *close = ' ';
    }
    struct words words = words_of(all);
    const char *table;
    while ((table = words_next(&words)) != NULL)
        judge_table(setting, kind, table);
    free(all);
}

void relay_judge_aliases(const struct relay_setting *setting)
{
    judge_lists(setting, LIST_ALIASES);
}

void relay_judge_virtual(const struct relay_setting *setting)
{
    judge_lists(setting, LIST_VIRTUAL);
}
