/* The milters of each service: is ours among them, the last, and asked about all mail? */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/mta/postmap.h"
#include "cli/mta/relay_parts.h"

/* The part behind "unix:", "local:" or "inet:"; the kind in *out_unix. NULL: another. */
static const char *endpoint(const char *milter, bool *out_unix)
{
    const char *rest = text_after(milter, "unix:");
    if (rest == NULL)
        rest = text_after(milter, "local:");
    *out_unix = rest != NULL;
    return rest != NULL ? rest : text_after(milter, "inet:");
}

/* True when what Postfix calls by this name is our socket. */
bool relay_is_our_milter(const struct relay *relay, bool chrooted, const char *milter)
{
    bool theirs_unix;
    bool ours_unix;
    char path[WORDS_ITEM_SIZE];
    const char *theirs = endpoint(milter, &theirs_unix);
    const char *ours = endpoint(relay->settings->milter.socket, &ours_unix);
    if (theirs == NULL || ours == NULL || theirs_unix != ours_unix)
        return false;
    if (!ours_unix) { /* host:port there, port@host here */
        const char *port = strrchr(theirs, ':');
        size_t length = strcspn(ours, "@");
        return port != NULL && strlen(port + 1) == length &&
               strncmp(port + 1, ours, length) == 0;
    }
    bool inside = theirs[0] != '/' || chrooted;
    (void)snprintf(path, sizeof path, "%s%s%s",
                   inside ? postconf_get(relay->postconf, "queue_directory") : "",
                   theirs[0] == '/' ? "" : "/", theirs);
    return relay_is_same_file(path, ours);
}

/* Our place in a list of milters. */
enum place { PLACE_NONE, PLACE_EARLIER, PLACE_LAST, PLACE_TWICE };

static enum place find_place(const struct relay *relay, bool chrooted, const char *list)
{
    struct words words = words_of(list);
    enum place place = PLACE_NONE;
    const char *item;
    while ((item = words_next(&words)) != NULL) {
        char milter[WORDS_ITEM_SIZE];
        words_first(item, milter, sizeof milter);
        if (relay_is_our_milter(relay, chrooted, milter))
            place = place == PLACE_NONE ? PLACE_LAST : PLACE_TWICE;
        else if (place == PLACE_LAST)
            place = PLACE_EARLIER;
    }
    return place;
}

/* The name to write into main.cf. */
void relay_our_milter(const struct relay *relay, char *out, size_t size)
{
    const char *socket = relay->settings->milter.socket;
    const char *path = text_after(socket, "unix:");
    const char *inside =
        path == NULL ? NULL
                     : text_after(path, postconf_get(relay->postconf, "queue_directory"));
    const char *at = strchr(socket, '@');
    if (inside != NULL && inside[0] == '/')
        (void)snprintf(out, size, "unix:%s", inside + 1);
    else if (path == NULL && at != NULL)
        (void)snprintf(out, size, "inet:%s:%.*s", at + 1,
                       (int)(at - socket - (ptrdiff_t)strlen("inet:")),
                       socket + strlen("inet:"));
    else
        (void)snprintf(out, size, "%s", socket);
}

static void check_place(const struct relay_setting *setting)
{
    char ours[600];
    const char *name = setting->name;
    const char *list = setting->value;
    enum place place = find_place(setting->relay, setting->service->chrooted, list);
    relay_our_milter(setting->relay, ours, sizeof ours);
    if (place == PLACE_NONE)
        relay_say(setting, RELAY_SURE,
                  "this mail is not shown to Mailbrake; write: %s = %.400s%s%s", name,
                  list, list[0] == '\0' ? "" : ", ", ours);
    else if (place == PLACE_TWICE)
        relay_say(setting, RELAY_SURE,
                  "Mailbrake is listed here twice, so each message is judged and charged "
                  "twice; write %s once, as the last: %s = %.400s",
                  ours, name, list);
    else if (place == PLACE_EARLIER)
        relay_say(
            setting, RELAY_SURE,
            "Mailbrake must come last, since later milters don't see a message that "
            "it holds; write: %s = ..., %s",
            name, ours);
}

static bool is_loopback(const struct postconf_service *service)
{
    const char *name = service->name;
    return text_after(name, "127.") != NULL || text_after(name, "localhost:") != NULL ||
           text_after(name, "[::1]:") != NULL;
}

/* "{ OURS, default_action = accept }": of another milter it is its own affair. */
static bool passes_when_away(const struct relay *relay, bool chrooted, const char *list)
{
    struct words words = words_of(list);
    const char *item;
    while ((item = words_next(&words)) != NULL) {
        char milter[WORDS_ITEM_SIZE];
        char dense[WORDS_ITEM_SIZE];
        size_t used = 0;
        words_first(item, milter, sizeof milter);
        if (!relay_is_our_milter(relay, chrooted, milter))
            continue;
        for (const char *c = item; *c != '\0'; c++) {
            if (*c != ' ' && *c != '\t')
                dense[used++] = *c;
        }
        dense[used] = '\0';
        if (strstr(dense, "default_action=accept") != NULL)
            return true;
    }
    return false;
}

static void check_action(const struct relay_setting *milters)
{
    const struct relay_setting action =
        relay_setting_of(milters->relay, milters->service, "milter_default_action");
    if (strcmp(action.value, "accept") == 0)
        relay_say(
            &action, RELAY_SURE,
            "while mailbraked is away all mail passes; write: milter_default_action = "
            "tempfail");
    if (passes_when_away(milters->relay, milters->service->chrooted, milters->value))
        relay_say(milters, RELAY_SURE,
                  "default_action=accept in braces: while mailbraked is away all mail "
                  "passes; write: default_action=tempfail");
}

/* ---- smtpd_milter_maps ---- */

struct milter_map {
    struct relay_findings hidden; /* whose mail is not shown to us */
    struct relay_findings passed; /* whose mail passes while we are away */
};

static bool is_local(const char *key)
{
    return text_after(key, "127.") != NULL || text_after(key, "::1") != NULL ||
           text_after(key, "[::1]") != NULL || strcmp(key, "localhost") == 0;
}

/* What a filter gives back, and what is a relay of ours, may pass. */
static bool may_pass(const struct relay *relay, const char *key)
{
    struct network client;
    const struct elements *relays = &relay->settings->policy.relays;
    if (*relay->has_filter && is_local(key))
        return true;
    if (network_parse(key, &client, NULL) != STATUS_OK)
        return false;
    for (size_t i = 0; i < relays->count; i++) {
        const struct element *element = &relays->items[i];
        if (element->kind == ELEMENT_CLIENT && client.prefix >= element->network.prefix &&
            network_has(&element->network, client.bytes))
            return true;
    }
    return false;
}

static void take_milters(void *context, const struct postmap_entry *entry)
{
    struct milter_map *map = context;
    const struct relay_setting *setting = map->hidden.setting;
    const struct relay *relay = setting->relay;
    bool chrooted = setting->service->chrooted;
    const char *key = entry->key == NULL ? "everybody" : entry->key;
    if (find_place(relay, chrooted, entry->value) != PLACE_LAST && !may_pass(relay, key))
        relay_find(&map->hidden, key, entry->value, 0);
    if (passes_when_away(relay, chrooted, entry->value))
        relay_find(&map->passed, key, entry->value, 0);
}

static void check_milter_map(const struct relay_setting *setting, const char *table)
{
    char unknown[WORDS_ITEM_SIZE];
    char ours[600];
    struct milter_map map = {{.setting = setting}, {.setting = setting}};
    relay_our_milter(setting->relay, ours, sizeof ours);
    relay_check_age(setting, table);
    if (!postmap_read(table, take_milters, &map, unknown, sizeof unknown))
        relay_say(
            setting, RELAY_MAYBE,
            "Mailbrake cannot read %.200s: clients for which it says DISABLE, or other "
            "milters, are not judged; its values must end in %s",
            unknown, ours);
    if (map.hidden.count > 0)
        relay_say(
            setting, RELAY_SURE,
            "mail of %s is not shown to Mailbrake (%.200s says %s; %zu such lines); "
            "write there: %s %s",
            map.hidden.key, table, map.hidden.value, map.hidden.count, map.hidden.key,
            ours);
    if (map.passed.count > 0)
        relay_say(setting, RELAY_SURE,
                  "default_action=accept in %.200s: while mailbraked is away all mail of "
                  "%s passes (%zu such lines); write there: default_action=tempfail",
                  table, map.passed.key, map.passed.count);
}

static void check_milter_maps(const struct relay *relay,
                              const struct postconf_service *service)
{
    const struct relay_setting setting =
        relay_setting_of(relay, service, "smtpd_milter_maps");
    struct words words = words_of(setting.value);
    const char *table;
    while ((table = words_next(&words)) != NULL)
        check_milter_map(&setting, table);
}

/* ---- services ---- */

/* False, and reported, where mail passes unjudged. */
static bool asks_milters(const struct relay *relay,
                         const struct postconf_service *service)
{
    const struct relay_setting setting =
        relay_setting_of(relay, service, "receive_override_options");
    if (!relay_has_word(setting.value, "no_milters"))
        return true;
    relay_say(&setting, RELAY_SURE, "no_milters lets mail pass unjudged; remove it");
    return false;
}

/* What a filter gives back over the loopback was judged before the filter. */
static void check_return(const struct relay_setting *milters)
{
    const struct postconf_service *service = milters->service;
    if (!relay_has_word(relay_beside(milters, "receive_override_options"),
                        "no_milters") &&
        find_place(milters->relay, service->chrooted, milters->value) != PLACE_NONE)
        problems_error(milters->relay->problems, milters->relay->postconf->master, 0,
                       "%s: mail that comes back from the filter is judged and charged "
                       "again; write: -o receive_override_options=no_milters",
                       service->name);
}

static void check_smtpd(const struct relay *relay, const struct postconf_service *service)
{
    const struct relay_setting milters =
        relay_setting_of(relay, service, "smtpd_milters");
    const struct relay_setting proxy =
        relay_setting_of(relay, service, "smtpd_proxy_filter");
    if (*relay->has_filter && is_loopback(service)) {
        check_return(&milters);
    } else {
        if (asks_milters(relay, service)) {
            check_place(&milters);
            check_milter_maps(relay, service);
        }
        if (proxy.value[0] != '\0')
            relay_say(&proxy, RELAY_SURE,
                      "a milter is not shown the content of mail before a proxy filter, "
                      "and never its end; use content_filter instead: smtpd_proxy_filter "
                      "=");
    }
    check_action(&milters);
}

/* Mail that comes in by another way than SMTP meets the milters in cleanup. */
static void check_cleanup(const struct relay *relay,
                          const struct postconf_service *service)
{
    const struct relay_setting milters =
        relay_setting_of(relay, service, "non_smtpd_milters");
    check_place(&milters);
    check_action(&milters);
}

static bool runs(const struct postconf_service *service, const char *command)
{
    return strcmp(service->command, command) == 0;
}

void relay_check_milters(const struct relay *relay)
{
    const struct postconf *postconf = relay->postconf;
    for (size_t i = 0; i < postconf->service_count; i++) {
        const struct postconf_service *service = &postconf->services[i];
        if (runs(service, "smtpd") &&
            (postconf_seen_by(postconf, service, "content_filter")[0] != '\0' ||
             postconf_seen_by(postconf, service, "smtpd_proxy_filter")[0] != '\0'))
            *relay->has_filter = true;
    }
    for (size_t i = 0; i < postconf->service_count; i++) {
        const struct postconf_service *service = &postconf->services[i];
        if (runs(service, "smtpd"))
            check_smtpd(relay, service);
        else if (runs(service, "cleanup"))
            check_cleanup(relay, service);
        else if (runs(service, "pickup") || runs(service, "qmqpd"))
            (void)asks_milters(relay, service);
    }
}
