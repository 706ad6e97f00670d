/* What is said of a relay, and what several of its checks ask. */
#include "cli/mta/relay_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "cli/mta/postmap.h"

enum { TEXT_SIZE = 2000 };

static bool was_said(const struct problems *problems, const char *text)
{
    for (size_t i = 0; i < problems->count; i++) {
        if (strcmp(problems->items[i].text, text) == 0)
            return true;
    }
    return false;
}

static void PRINTF_LIKE(5, 6) add(const struct relay *relay, enum relay_severity severity,
                                  const char *file, int line, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (was_said(relay->problems, text))
        return;
    if (severity == RELAY_SURE)
        problems_error(relay->problems, file, line, "%s", text);
    else
        problems_warning(relay->problems, file, line, "%s", text);
}

void relay_say(const struct relay_setting *setting, enum relay_severity severity,
               const char *format, ...)
{
    const struct relay *relay = setting->relay;
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (relay->postconf == NULL)
        add(relay, severity, relay->file, relay->line, "%s", text);
    else if (postconf_is_own(relay->postconf, setting->service, setting->name))
        add(relay, severity, relay->postconf->master, 0, "%s (%s): %s",
            setting->service->name, setting->name, text);
    else
        add(relay, severity, relay->postconf->main,
            postconf_line(relay->postconf, setting->name), "%s", text);
}

void relay_say_ours(const struct relay *relay, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add(relay, RELAY_SURE, relay->settings->file, 0, "%s", text);
}

struct relay_setting relay_setting_of(const struct relay *relay,
                                      const struct postconf_service *service,
                                      const char *name)
{
    return (struct relay_setting){relay, service, name,
                                  postconf_seen_by(relay->postconf, service, name)};
}

const char *relay_beside(const struct relay_setting *setting, const char *name)
{
    return postconf_seen_by(setting->relay->postconf, setting->service, name);
}

const struct postconf_service *relay_find_transport(const struct relay *relay,
                                                    const char *transport,
                                                    const char *command)
{
    size_t length = strcspn(transport, ":");
    for (size_t i = 0; i < relay->postconf->service_count; i++) {
        const struct postconf_service *service = &relay->postconf->services[i];
        if (strcmp(service->command, command) == 0 && strlen(service->name) == length &&
            strncmp(service->name, transport, length) == 0)
            return service;
    }
    return NULL;
}

bool relay_has_word(const char *list, const char *word)
{
    struct words words = words_of(list);
    const char *item;
    while ((item = words_next(&words)) != NULL) {
        char first[WORDS_ITEM_SIZE];
        words_first(item, first, sizeof first);
        if (strcmp(first, word) == 0)
            return true;
    }
    return false;
}

bool relay_is_same_file(const char *a, const char *b)
{
    struct stat first;
    struct stat second;
    if (strcmp(a, b) == 0)
        return true;
    return stat(a, &first) == 0 && stat(b, &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

const struct list *relay_find_list(const struct relay *relay, const char *text)
{
    struct address address;
    struct target target;
    const char *domain = domains_first(&relay->settings->policy.domains);
    if (address_parse(text, strlen(text), &address) != STATUS_OK || address.length == 0 ||
        address.at == 0)
        return NULL;
    if (address.at == address.length &&
        (domain == NULL || address_qualify(&address, domain) != STATUS_OK))
        return NULL;
    directory_find(relay->directory, &address, &target);
    return target.list == DIRECTORY_NONE ? NULL
                                         : directory_list(relay->directory, target.list);
}

void relay_check_age(const struct relay_setting *setting, const char *table)
{
    char compiled[WORDS_ITEM_SIZE];
    const char *text = postmap_text(table);
    struct text command = {0};
    if (setting->relay->postconf == NULL)
        text_add_string(&command, "newaliases; make -C /etc/mail");
    else
        text_printf(&command, "%s %s",
                    strcmp(setting->name, "alias_maps") == 0 ? "postalias" : "postmap",
                    table);
    enum postmap_age age = postmap_age(table, compiled, sizeof compiled);
    if (text != NULL && age == POSTMAP_STALE)
        relay_say(setting, RELAY_MAYBE,
                  "%s is newer than %s, so the MTA still uses the old contents; run: %s",
                  text, compiled, text_string(&command));
    text_clear(&command);
}

void relay_find(struct relay_findings *findings, const char *key, const char *value,
                uint64_t people)
{
    if (findings->count++ > 0)
        return;
    (void)snprintf(findings->key, sizeof findings->key, "%.299s", key);
    (void)snprintf(findings->value, sizeof findings->value, "%.299s", value);
    findings->people = people;
}

void relay_find_unclear(struct relay_findings *findings, const char *value)
{
    if (findings->unclear[0] == '\0')
        (void)snprintf(findings->unclear, sizeof findings->unclear, "%.299s", value);
}
