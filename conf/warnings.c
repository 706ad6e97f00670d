/* Warnings that have a line in the configuration. Each names the setting, says what will
 * happen, and is no reason not to start. */
#include "conf/warnings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/account.h"
#include "base/folder.h"
#include "base/ip_address.h"
#include "base/text.h"
#include "conf/rules.h"
#include "conf/settings.h"
#include "policy/judge.h"

enum { MESSAGE_SIZE = 1000 };

/* A warning at an option's line, or about the whole file when it is not there. */
static void warn(struct reader *reader, const char *section, const char *name,
                 const char *text, const char *what)
{
    const struct tree *tree = &reader->tree;
    const struct node *node =
        tree_find(tree, tree_find(tree, tree_root(tree), section), name);
    problems_warning(reader->problems, node == NULL ? reader->settings->file : node->file,
                     node == NULL ? 0 : node->line, "%s.%s: %s%s", section, name, text,
                     what);
}

/* False only when the group certainly does not exist. */
static bool has_group(const char *name)
{
    gid_t gid;
    return account_find_group(name, &gid) != STATUS_NOT_FOUND;
}

static void warn_of_folder(struct reader *reader, const char *section, const char *name,
                           const char *file)
{
    char text[MESSAGE_SIZE];
    if (file[0] == '\0' || folder_exists(file))
        return;
    folder_explain(file, "mailbrake", text, sizeof text);
    warn(reader, section, name, text, "");
}

/* A device gives other bytes each time, a pipe gives them once. */
static void warn_of_kind(struct reader *reader, const char *section, const char *name,
                         const char *file)
{
    struct stat info;
    if (file[0] != '\0' && stat(file, &info) == 0 && !S_ISREG(info.st_mode))
        warn(reader, section, name, "is not a regular file: ", file);
}

static bool has_tls(const struct strings *servers)
{
    for (size_t i = 0; i < servers->count; i++)
        if (text_after(servers->items[i], "tls:") != NULL)
            return true;
    return false;
}

/* Who sets one of these thinks that the connection is encrypted. */
static void warn_of_clear_text(struct reader *reader)
{
    const struct store_settings *store = &reader->settings->store;
    const char *name = store->ca_file[0] != '\0'     ? "ca_file"
                       : store->cert_file[0] != '\0' ? "cert_file"
                                                     : NULL;
    bool encrypted = store->sentinels.count > 0 ? has_tls(&store->sentinels)
                                                : store->tls || has_tls(&store->seeds);
    if (name != NULL && !encrypted)
        warn(reader, "store", name,
             "is not used, since no server is written \"tls:HOST:PORT\": nothing is "
             "encrypted",
             "");
}

static void warn_of_files(struct reader *reader)
{
    const struct settings *settings = reader->settings;
    const struct store_settings *store = &settings->store;
    if (settings->privacy.key_file[0] == '\0')
        warn(reader, "privacy", "key_file",
             "is not set, so anybody who knows store.prefix can compute the hashes of "
             "addresses, and whoever can write to the store can give relays orders",
             "");
    warn_of_kind(reader, "privacy", "key_file", settings->privacy.key_file);
    warn_of_kind(reader, "store", "password_file", store->password_file);
    warn_of_kind(reader, "store", "sentinel_password_file",
                 store->sentinel_password_file);
    warn_of_kind(reader, "store", "state_file", store->state_file);
    warn_of_kind(reader, "store", "ca_file", store->ca_file);
    warn_of_kind(reader, "store", "cert_file", store->cert_file);
    warn_of_kind(reader, "store", "cert_key_file", store->cert_key_file);
    warn_of_clear_text(reader);
    warn_of_folder(reader, "mta", "helper", settings->mta.helper);
    warn_of_folder(reader, "store", "state_file", store->state_file);
}

/* ---- the milter's socket ---- */

static bool is_loopback(const char *host)
{
    uint8_t bytes[16];
    struct network loopback4, loopback6;
    char address[64] = "";
    size_t length = strlen(host);
    bool brackets = length > 2 && host[0] == '[' && host[length - 1] == ']';
    if (strcmp(host, "localhost") == 0)
        return true;
    if (length >= sizeof address ||
        network_parse("127.0.0.0/8", &loopback4, NULL) != STATUS_OK ||
        network_parse("::1", &loopback6, NULL) != STATUS_OK)
        return false;
    memcpy(address, host + brackets, length - 2 * (size_t)brackets);
    return ip_address_parse(address, bytes) &&
           (network_has(&loopback4, bytes) || network_has(&loopback6, bytes));
}

static void warn_of_milter(struct reader *reader)
{
    const struct settings *settings = reader->settings;
    const char *socket = settings->milter.socket;
    const char *at = strchr(socket, '@');
    unsigned mode = settings->milter.socket_mode;
    if (text_after(socket, "unix:") == NULL) {
        if (at != NULL && is_loopback(at + 1))
            warn(reader, "milter", "socket",
                 "every user of this machine can connect there and pose as any login; a "
                 "unix: socket is for the mail server alone",
                 "");
        else
            warn(reader, "milter", "socket",
                 "whoever reaches this port over the network can pose as any login; let "
                 "only the mail server reach it, or use a unix: socket",
                 "");
    } else if ((mode & 0222) == 0 ||
               (settings->mta.type == MTA_POSTFIX && (mode & 0022) == 0)) {
        warn(reader, "milter", "socket_mode", "the mail server can't connect: only root",
             (mode & 0200) != 0 ? " and mailbraked's own user could" : " could");
    }
}

/* ---- trusted clients ---- */

/* Larger than any network of one organisation: 10.0.0.0/8, fc00::/7. */
static bool is_everybody(const struct network *network)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool ipv4 =
        network->prefix >= 96 && memcmp(network->bytes, mapped, sizeof mapped) == 0;
    return network->prefix < (ipv4 ? 96 + 8 : 7);
}

static void warn_of_clients(struct reader *reader, const char *name,
                            const struct elements *elements, const char *effect)
{
    for (size_t i = 0; i < elements->count; i++) {
        const struct element *element = &elements->items[i];
        if (element->kind == ELEMENT_CLIENT && is_everybody(&element->network))
            problems_warning(
                reader->problems,
                element->file == NULL ? reader->settings->file : element->file,
                element->line, "%s: client:%s contains most of the internet: %s", name,
                element->text, effect);
    }
}

static void warn_of_names(struct reader *reader)
{
    const struct tree *tree = &reader->tree;
    const struct node *nodes = tree_find(tree, tree_root(tree), "rules");
    const struct policy *policy = &reader->settings->policy;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct node *node = tree_child(tree, nodes, i);
        const char *name = policy->rules[i].name;
        for (size_t k = 0; judge_other_deciders[k] != NULL; k++) {
            if (strcmp(name, judge_other_deciders[k]) == 0)
                problems_warning(reader->problems, node->file, node->line,
                                 "rule \"%s\": the log and incidents use that name for "
                                 "something other than a rule; choose another",
                                 name);
        }
    }
}

/* A folder's lists answer in no other domain, so a misspelled one has no mail at all. */
static void warn_of_list_domains(struct reader *reader)
{
    const struct settings *settings = reader->settings;
    for (size_t i = 0; i < settings->list_count; i++) {
        const struct list_source *source = &settings->lists[i];
        const char *domain = domains_first(&source->domains);
        if (source->kind == LIST_FOLDER && domain != NULL &&
            !domains_have(&settings->policy.domains, domain))
            problems_warning(reader->problems,
                             source->file == NULL ? settings->file : source->file,
                             source->line, "lists: %s is none of your domains", domain);
    }
}

/* ---- notify.command ---- */

/* True for what the shell interprets itself, so no file of that name is missing. */
static bool is_of_shell(const char *word)
{
    static const char *const words[] = {"case",  "cd",    "eval", "export", "for",
                                        "if",    "set",   "trap", "ulimit", "umask",
                                        "unset", "until", "wait", "while"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i]) == 0)
            return true;
    }
    return word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789._+/- ")] != '\0' ||
           strcmp(word, ".") == 0;
}

static bool can_run(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
           faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* Looks for a program as the shell of mailbraked.service would. */
static bool is_found(const char *word)
{
    static const char *const folders[] = {
        "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};
    bool found = false;
    if (word[0] == '/')
        return can_run(word);
    for (size_t i = 0; i < sizeof folders / sizeof *folders && !found; i++) {
        struct text path = {0};
        text_printf(&path, "%s/%s", folders[i], word);
        found = path.failed || can_run(text_string(&path));
        text_clear(&path);
    }
    return found;
}

/* The next word of a line for the shell, without quotes around all of it; NULL at the
 * end. May be empty. */
static char *next_word(char **rest)
{
    char *begin = *rest;
    char *end = begin != NULL && (begin[0] == '\'' || begin[0] == '"')
                    ? strchr(begin + 1, begin[0])
                    : NULL;
    if (end == NULL)
        return strsep(rest, " ;|&<>");
    *end = '\0';
    *rest = end + 1;
    return begin + 1;
}

/* True for a program that runs the script named after it. */
static bool is_interpreter(const char *program)
{
    static const char *const names[] = {"sh", "bash", "dash", "perl", "python3"};
    const char *slash = strrchr(program, '/');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(slash == NULL ? program : slash + 1, names[i]) == 0)
            return true;
    }
    return false;
}

/* The command of a shell line if it does not exist: the first word after NAME=value and
 * exec, or the script of an interpreter. NULL when it exists, or nobody can tell. */
static const char *find_missing(char *line)
{
    char *rest = line;
    const char *word;
    do
        word = next_word(&rest);
    while (word != NULL && (word[0] == '\0' || strchr(word, '=') != NULL ||
                            strcmp(word, "exec") == 0 || strcmp(word, "command") == 0));
    if (word == NULL || is_of_shell(word))
        return NULL;
    if (!is_found(word))
        return word;
    const char *script = is_interpreter(word) ? next_word(&rest) : NULL;
    while (script != NULL && script[0] == '\0')
        script = next_word(&rest);
    bool missing = script != NULL && script[0] == '/' && !is_of_shell(script) &&
                   access(script, F_OK) != 0;
    return missing ? script : NULL;
}

static void warn_of_command(struct reader *reader)
{
    char *copy = strdup(reader->settings->notify.command);
    if (copy == NULL) {
        reader->failed = true;
        return;
    }
    const char *missing = find_missing(copy);
    if (missing != NULL)
        warn(reader, "notify", "command", "there is no such program: ", missing);
    free(copy);
}

/* ---- groups of the system ---- */

/* A role of a group that isn't there is nobody's. */
static void warn_of_groups(struct reader *reader)
{
    const struct settings *settings = reader->settings;
    if (!has_group(settings->control.group))
        warn(reader, "control", "group",
             "there is no such group: ", settings->control.group);
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        const struct names *groups = &settings->control.roles[i];
        for (size_t j = 0; j < groups->count; j++) {
            if (!has_group(groups->items[j]))
                warn(reader, "control", "roles",
                     "there is no such group: ", groups->items[j]);
        }
    }
}

/* The web page behind a proxy needs both users. */
static void warn_of_console(struct reader *reader)
{
    const struct console_settings *console = &reader->settings->console;
    uid_t uid;
    gid_t gid;
    if (console->host_count == 0)
        return;
    if (account_find_uid(console->user, &uid, &gid) == STATUS_NOT_FOUND)
        warn(reader, "console", "user", "there is no such user: ", console->user);
    if (account_find_uid(console->proxy_user, &uid, &gid) == STATUS_NOT_FOUND)
        warn(reader, "console", "proxy_user",
             "there is no such user: ", console->proxy_user);
}

/* ---- all of them ---- */

static bool has_surge(const struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].has_surge)
            return true;
    }
    return false;
}

void warnings_add(struct reader *reader)
{
    const struct settings *settings = reader->settings;
    warn_of_files(reader);
    warn_of_groups(reader);
    warn_of_console(reader);
    if (settings->store.type == STORE_TYPE_MEMORY &&
        settings->store.state_file[0] == '\0' && has_surge(&settings->policy))
        warn(reader, "store", "state_file",
             "is not set, so what surge learns is lost at each restart", "");
    warn_of_milter(reader);
    warn_of_clients(reader, "trusted", &settings->policy.trusted,
                    "anybody there can send as anybody");
    warn_of_clients(reader, "relays", &settings->policy.relays,
                    "no mail from there is judged");
    warn_of_command(reader);
    warn_of_names(reader);
    warn_of_list_domains(reader);
    rules_warn(reader);
}
