/* The milters of each service: is ours among them, the last, and asked about all mail? */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/postmap.h"
#include "cli/relay_parts.h"

/* Says it where a service, or else main.cf, sets it. */
static void say(const struct relay *relay, const struct postconf_service *service,
                const char *name, const char *text)
{
    const struct relay_setting setting = {relay, service, name, ""};
    relay_say(&setting, RELAY_SURE, "%s", text);
}

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

static void check_place(const struct relay *relay, const struct postconf_service *service,
                        const char *name, const char *list)
{
    char ours[600];
    char text[1400];
    enum place place = find_place(relay, service->chrooted, list);
    relay_our_milter(relay, ours, sizeof ours);
    if (place == PLACE_LAST)
        return;
    if (place == PLACE_NONE)
        (void)snprintf(text, sizeof text,
                       "this mail is not shown to Mailbrake; write: %s = %.400s%s%s",
                       name, list, list[0] == '\0' ? "" : ", ", ours);
    else if (place == PLACE_TWICE)
        (void)snprintf(text, sizeof text,
                       "Mailbrake is listed here twice, so each message is judged and "
                       "charged twice; write %s once, as the last: %s = %.400s",
                       ours, name, list);
    else
        (void)snprintf(text, sizeof text,
                       "Mailbrake must come last, since later milters don't see a "
                       "message that it holds; write: %s = ..., %s",
                       name, ours);
    say(relay, service, name, text);
}

static bool skips_milters(const struct relay *relay,
                          const struct postconf_service *service)
{
    return relay_has_word(
        postconf_seen_by(relay->postconf, service, "receive_override_options"),
        "no_milters");
}

static bool is_loopback(const struct postconf_service *service)
{
    const char *name = service->name;
    return text_after(name, "127.") != NULL || text_after(name, "localhost:") != NULL ||
           text_after(name, "[::1]:") != NULL;
}

/* Mail comes back over the loopback from a filter that we were asked before. */
static bool takes_mail_back(const struct relay *relay,
                            const struct postconf_service *service)
{
    return is_loopback(service) && *relay->has_filter;
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

static void check_action(const struct relay *relay,
                         const struct postconf_service *service, const char *name)
{
    const char *milters = postconf_seen_by(relay->postconf, service, name);
    const char *action =
        postconf_seen_by(relay->postconf, service, "milter_default_action");
    if (strcmp(action, "accept") == 0)
        say(relay, service, "milter_default_action",
            "while mailbraked is away all mail passes; write: milter_default_action = "
            "tempfail");
    if (passes_when_away(relay, service->chrooted, milters))
        say(relay, service, name,
            "default_action=accept in braces: while mailbraked is away all mail passes; "
            "write: default_action=tempfail");
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
    const char *maps = postconf_seen_by(relay->postconf, service, "smtpd_milter_maps");
    const struct relay_setting setting = {relay, service, "smtpd_milter_maps", maps};
    struct words words = words_of(maps);
    const char *table;
    while ((table = words_next(&words)) != NULL)
        check_milter_map(&setting, table);
}

/* ---- services ---- */

static void check_smtpd(const struct relay *relay, const struct postconf_service *service)
{
    const struct postconf *postconf = relay->postconf;
    const char *milters = postconf_seen_by(postconf, service, "smtpd_milters");
    const char *proxy = postconf_seen_by(postconf, service, "smtpd_proxy_filter");
    bool skips = skips_milters(relay, service);
    if (takes_mail_back(relay, service)) {
        if (!skips && find_place(relay, service->chrooted, milters) != PLACE_NONE)
            problems_error(relay->problems, postconf_master(postconf), 0,
                           "%s: mail that comes back from the filter is judged and "
                           "charged again; write: -o "
                           "receive_override_options=no_milters",
                           service->name);
        return;
    }
    if (skips)
        say(relay, service, "receive_override_options",
            "no_milters lets mail pass unjudged; remove it");
    else
        check_place(relay, service, "smtpd_milters", milters);
    if (!skips)
        check_milter_maps(relay, service);
    if (proxy[0] != '\0')
        say(relay, service, "smtpd_proxy_filter",
            "a milter is not shown the content of mail before a proxy filter, and never "
            "its end; use content_filter instead: smtpd_proxy_filter =");
}

static bool runs(const struct postconf_service *service, const char *command)
{
    return strcmp(service->command, command) == 0;
}

static bool gives_to_filter(const struct relay *relay,
                            const struct postconf_service *service)
{
    static const char *const names[] = {"content_filter", "smtpd_proxy_filter"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (postconf_seen_by(relay->postconf, service, names[i])[0] != '\0')
            return true;
    }
    return false;
}

/* Mail that comes in by another way than SMTP meets the milters in cleanup. */
static void check_cleanup(const struct relay *relay,
                          const struct postconf_service *service)
{
    check_place(relay, service, "non_smtpd_milters",
                postconf_seen_by(relay->postconf, service, "non_smtpd_milters"));
    check_action(relay, service, "non_smtpd_milters");
}

static void check_pickup(const struct relay *relay,
                         const struct postconf_service *service)
{
    if (skips_milters(relay, service))
        say(relay, service, "receive_override_options",
            "no_milters lets mail pass unjudged; remove it");
}

void relay_check_milters(const struct relay *relay)
{
    size_t count;
    const struct postconf_service *services = postconf_services(relay->postconf, &count);
    for (size_t i = 0; i < count; i++)
        *relay->has_filter = *relay->has_filter || (runs(&services[i], "smtpd") &&
                                                    gives_to_filter(relay, &services[i]));
    for (size_t i = 0; i < count; i++) {
        const struct postconf_service *service = &services[i];
        if (runs(service, "smtpd")) {
            check_smtpd(relay, service);
            check_action(relay, service, "smtpd_milters");
        } else if (runs(service, "cleanup")) {
            check_cleanup(relay, service);
        } else if (runs(service, "pickup") || runs(service, "qmqpd")) {
            check_pickup(relay, service);
        }
    }
}
