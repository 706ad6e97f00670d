/* Each finding is a way in which mail gets round the brake, or is counted wrongly; what
 * Postfix thinks is asked of postconf(1), never guessed. */
#include "admin/relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/postconf.h"
#include "admin/relay_parts.h"
#include "base/text.h"

/* What main.cf says is wrong for several services is said once. */
static bool was_said(const struct problems *problems, const char *text)
{
    for (size_t i = 0; i < problems->count; i++) {
        if (strcmp(problems->items[i].text, text) == 0)
            return true;
    }
    return false;
}

/* Says it where a service, or else main.cf, sets it. */
static void say(const struct relay *relay, const struct postconf_service *service,
                const char *name, const char *text)
{
    bool own = service != NULL && postconf_is_own(relay->postconf, service, name);
    if (own)
        problems_error(relay->problems, postconf_master(relay->postconf), 0,
                       "%s (%s): %s", service->name, name, text);
    else if (!was_said(relay->problems, text))
        problems_error(relay->problems, postconf_main(relay->postconf),
                       postconf_line(relay->postconf, name), "%s", text);
}

/* ---- milters ---- */

static bool has_word(const char *list, const char *word)
{
    struct words words = words_of(list);
    const char *at;
    size_t length;
    while (words_next(&words, &at, &length)) {
        if (length == strlen(word) && strncmp(at, word, length) == 0)
            return true;
    }
    return false;
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
static bool is_ours(const struct relay *relay, bool chrooted, const char *milter)
{
    bool theirs_unix;
    bool ours_unix;
    char path[4200];
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

/* Our place in a list of milters: 0 none, 1 somewhere, 2 last. */
enum place { PLACE_NONE, PLACE_EARLIER, PLACE_LAST };

static enum place find_place(const struct relay *relay, bool chrooted, const char *list)
{
    struct words words = words_of(list);
    enum place place = PLACE_NONE;
    const char *at;
    size_t length;
    while (words_next(&words, &at, &length)) {
        char milter[4200];
        words_first(at, length, milter, sizeof milter);
        if (is_ours(relay, chrooted, milter))
            place = PLACE_LAST;
        else if (place == PLACE_LAST)
            place = PLACE_EARLIER;
    }
    return place;
}

/* The name to write into main.cf. */
static void our_name(const struct relay *relay, char *out, size_t size)
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
    our_name(relay, ours, sizeof ours);
    if (place == PLACE_LAST)
        return;
    if (place == PLACE_NONE)
        (void)snprintf(text, sizeof text,
                       "this mail is not shown to Mailbrake; write: %s = %.400s%s%s",
                       name, list, list[0] == '\0' ? "" : ", ", ours);
    else
        (void)snprintf(text, sizeof text,
                       "Mailbrake must come last, for a message that it holds is shown "
                       "to none after it; write: %s = ..., %s",
                       name, ours);
    say(relay, service, name, text);
}

static bool skips_milters(const struct relay *relay,
                          const struct postconf_service *service)
{
    return has_word(
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
    return is_loopback(service) && relay->has_filter;
}

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
            "no_milters lets mail pass that nobody judged; take it out");
    else
        check_place(relay, service, "smtpd_milters", milters);
    if (proxy[0] != '\0')
        say(relay, service, "smtpd_proxy_filter",
            "a milter is not shown the content of mail before a proxy filter, and never "
            "its end; use content_filter instead: smtpd_proxy_filter =");
}

static void check_action(const struct relay *relay,
                         const struct postconf_service *service)
{
    const char *milters = postconf_seen_by(relay->postconf, service, "smtpd_milters");
    const char *action =
        postconf_seen_by(relay->postconf, service, "milter_default_action");
    if (strcmp(action, "accept") == 0)
        say(relay, service, "milter_default_action",
            "while mailbraked is away all mail passes; write: milter_default_action = "
            "tempfail");
    if (strstr(milters, "default_action=accept") != NULL ||
        strstr(milters, "default_action = accept") != NULL)
        say(relay, service, "smtpd_milters",
            "default_action=accept in braces: while that milter is away all mail passes; "
            "write: default_action=tempfail");
}

static bool is_smtpd(const struct postconf_service *service)
{
    return strcmp(service->command, "smtpd") == 0;
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

static void check_services(struct relay *relay)
{
    size_t count;
    const struct postconf_service *services = postconf_services(relay->postconf, &count);
    for (size_t i = 0; i < count; i++)
        relay->has_filter = relay->has_filter || (is_smtpd(&services[i]) &&
                                                  gives_to_filter(relay, &services[i]));
    for (size_t i = 0; i < count; i++) {
        const struct postconf_service *service = &services[i];
        if (is_smtpd(service)) {
            check_smtpd(relay, service);
            check_action(relay, service);
        } else if (strcmp(service->command, "cleanup") == 0) {
            check_place(relay, service, "non_smtpd_milters",
                        postconf_seen_by(relay->postconf, service, "non_smtpd_milters"));
        }
    }
}

/* ---- settings of one word ---- */

static void check_words(const struct relay *relay)
{
    static const struct {
        const char *name, *wrong, *text;
    } words[] = {
        {"enable_long_queue_ids", "no",
         "short queue ids are used again and again, and logs and held mail are mistaken "
         "for one another; write: enable_long_queue_ids = yes"},
        {"smtpd_forbid_bare_newline", "no",
         "a message may smuggle another one past every filter (CVE-2023-51764); write: "
         "smtpd_forbid_bare_newline = yes"},
        {"milter_protocol", "2",
         "too old to hold mail; take milter_protocol out (the default is 6)"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(postconf_get(relay->postconf, words[i].name), words[i].wrong) == 0)
            say(relay, NULL, words[i].name, words[i].text);
    }
}

/* ---- domains and lists ---- */

static void check_delimiter(const struct relay *relay)
{
    const char *theirs = postconf_get(relay->postconf, "recipient_delimiter");
    const char *ours = relay->settings->policy.domains.delimiters;
    if (strspn(theirs, ours) == strlen(theirs) && strspn(ours, theirs) == strlen(ours))
        return;
    problems_error(relay->problems, relay->settings->file, 0,
                   "Postfix cuts tags off at \"%s\", we at \"%s\"; write: "
                   "recipient_delimiter = \"%s\";",
                   theirs, ours, theirs);
}

static void check_domains(const struct relay *relay)
{
    struct words words = words_of(postconf_get(relay->postconf, "mydestination"));
    const char *at;
    size_t length;
    while (words_next(&words, &at, &length)) {
        char domain[300];
        words_first(at, length, domain, sizeof domain);
        text_lower_all(domain, strlen(domain));
        if (domain[0] == '\0' || strpbrk(domain, "/:") != NULL ||
            domains_have(&relay->settings->policy.domains, domain))
            continue;
        problems_error(relay->problems, relay->settings->file, 0,
                       "Postfix expands lists in %s too (mydestination); add \"%s\" to "
                       "domains",
                       domain, domain);
    }
}

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

/* One table of alias_maps or virtual_alias_maps. */
static void check_table(const struct relay *relay, enum list_kind kind, const char *name,
                        const char *table)
{
    static const char *const with_text[] = {
        "hash:", "btree:", "dbm:", "cdb:", "lmdb:", "texthash:", NULL};
    const char *rest = text_after(table, "proxy:");
    const char *whole = rest == NULL ? table : rest;
    const char *path = NULL;
    for (size_t i = 0; with_text[i] != NULL && path == NULL; i++)
        path = text_after(whole, with_text[i]);
    if (path == NULL) {
        problems_warning(relay->problems, postconf_main(relay->postconf),
                         postconf_line(relay->postconf, name),
                         "%s: Mailbrake cannot read %.200s: mail to a list in it counts "
                         "as one recipient",
                         name, table);
    } else if (access(path, F_OK) == 0 && !is_read(relay, kind, path)) {
        problems_error(relay->problems, relay->settings->file, 0,
                       "Postfix expands the lists in %s (%s); add to lists: { %s = "
                       "\"%s\"; }",
                       path, name, kind == LIST_ALIASES ? "aliases" : "virtual", path);
    }
}

static void check_tables(const struct relay *relay, enum list_kind kind, const char *name)
{
    struct words words = words_of(postconf_get(relay->postconf, name));
    const char *at;
    size_t length;
    while (words_next(&words, &at, &length)) {
        char table[4200];
        words_first(at, length, table, sizeof table);
        check_table(relay, kind, name, table);
    }
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

void relay_check(const struct settings *settings, struct problems *problems)
{
    struct error error = {0};
    struct relay relay = {.settings = settings, .problems = problems};
    if (settings->mta.type != MTA_POSTFIX) {
        problems_warning(problems, settings->file, 0,
                         "--mta looks at Postfix only; see README for Sendmail's lines");
        return;
    }
    if (postconf_load(settings->mta.config_directory, &relay.postconf, &error) !=
        STATUS_OK) {
        problems_error(problems, settings->file, 0, "mta.config_directory: %s",
                       error.text);
        return;
    }
    check_services(&relay);
    check_words(&relay);
    check_delimiter(&relay);
    check_domains(&relay);
    check_tables(&relay, LIST_ALIASES, "alias_maps");
    check_tables(&relay, LIST_VIRTUAL, "virtual_alias_maps");
    relay_check_socket(&relay);
    postconf_free(relay.postconf);
}
