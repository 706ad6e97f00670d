/* What can stand in a configuration, in the order in which it is read: what others depend
 * on comes first (an address without a domain needs the first of domains). */
#include "conf/options.h"

#include <stdlib.h>
#include <string.h>

#include "conf/array.h"
#include "conf/rules.h"
#include "conf/server.h"
#include "conf/sources.h"
#include "conf/value.h"

enum { PATH_BYTES_MAX = 4095, ELEMENT_BYTES_MAX = 1000, OVER_MAX = 1000000000 };

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define DAY_MS (1440 * MINUTE_MS)
#define SIZE_BYTES_MAX (INT64_C(1) << 60)

static const char *const mta_types[] = {"postfix", "sendmail", NULL};
static const char *const store_types[] = {"redis", "memory", NULL};
static const char *const failures[] = {"local", "tempfail", "accept", NULL};
static const char *const privacies[] = {"clear", "hashed", NULL};
static const char *const origins[] = {"smtp", "local", NULL};

#define SETTING(member) .offset = offsetof(struct settings, member)
#define SOURCE(member) .offset = offsetof(struct list_source, member)
#define RULE(member) .offset = offsetof(struct rule, member)

/* clang-format off */
static const struct option options[] = {
    {.name = "domains", .read = array_domains, SETTING(policy.domains), .min = 1,
     .max = 255},
    {.name = "recipient_delimiter", .read = value_delimiter, SETTING(policy.domains),
     .initial = "+", .max = 16},
    {.name = "login_domains", .read = array_logins, SETTING(policy.logins), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "login_master_separator", .read = value_separator,
     SETTING(policy.logins.master_separator), .initial = "", .max = 1},
    {.name = "trusted", .read = array_elements, SETTING(policy.trusted), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "relays", .read = array_elements, SETTING(policy.relays), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "mode", .read = value_mode, SETTING(policy.monitor), .initial = "enforce"},
    {.name = "lists_unknown", .read = value_action, SETTING(policy.lists_unknown),
     .initial = "defer"},

    {.name = "milter"},
    {.name = "milter.socket", .read = server_milter, SETTING(milter.socket),
     .initial = "unix:/var/spool/postfix/mailbrake/milter.sock", .min = 1, .max = 400,
     .restart = true},
    {.name = "milter.socket_mode", .read = value_octal, SETTING(milter.socket_mode),
     .initial = "0660", .min = 1, .max = 16, .restart = true},

    {.name = "control"},
    {.name = "control.socket", .read = value_path, SETTING(control.socket),
     .initial = "/run/mailbrake/control.sock", .min = 1, .max = SERVER_PATH_MAX,
     .restart = true},
    {.name = "control.group", .read = value_name, SETTING(control.group),
     .initial = "mailbrake", .min = 1, .max = 32},

    {.name = "mta"},
    {.name = "mta.type", .read = value_word, SETTING(mta.type), .initial = "postfix",
     .words = mta_types, .restart = true},
    {.name = "mta.config_directory", .read = value_path, SETTING(mta.config_directory),
     .initial = "/etc/postfix", .min = 1, .max = PATH_BYTES_MAX, .restart = true},
    {.name = "mta.helper", .read = value_path, SETTING(mta.helper),
     .initial = "/run/mailbrake/mta.sock", .min = 1, .max = SERVER_PATH_MAX,
     .restart = true},

    {.name = "quarantine"},
    {.name = "quarantine.max_per_incident", .read = value_integer,
     SETTING(quarantine.max_per_incident), .initial = "500", .min = 1, .max = 15000},
    {.name = "quarantine.max_messages", .read = value_integer,
     SETTING(quarantine.max_messages), .initial = "5000", .min = 1, .max = 15000},
    {.name = "quarantine.min_free", .read = value_size,
     SETTING(quarantine.min_free_bytes), .initial = "1G", .max = SIZE_BYTES_MAX},
    {.name = "quarantine.expire", .read = value_duration, SETTING(quarantine.expire_ms),
     .initial = "7d", .min = MINUTE_MS, .max = 3650 * DAY_MS},

    {.name = "notify"},
    {.name = "notify.to", .read = array_notify, .min = 1, .max = ELEMENT_BYTES_MAX},
    {.name = "notify.command", .read = value_string, SETTING(notify.command),
     .initial = "", .max = PATH_BYTES_MAX},
    {.name = "notify.min_interval", .read = value_duration,
     SETTING(notify.min_interval_ms), .initial = "15m", .max = 366 * DAY_MS},
    {.name = "notify.tell_sender", .read = value_bool, SETTING(notify.tell_sender),
     .initial = "true"},

    {.name = "privacy"},
    {.name = "privacy.addresses", .read = value_word, SETTING(privacy.addresses),
     .initial = "clear", .words = privacies},
    {.name = "privacy.key_file", .read = value_path, SETTING(privacy.key_file),
     .initial = "", .max = PATH_BYTES_MAX, .restart = true},
    {.name = "privacy.retention", .read = value_duration, SETTING(privacy.retention_ms),
     .initial = "30d", .min = MINUTE_MS, .max = 3650 * DAY_MS},

    {.name = "store"},
    {.name = "store.type", .read = value_word, SETTING(store.type), .initial = "redis",
     .words = store_types, .restart = true},
    {.name = "store.server", .read = server_store, SETTING(store),
     .initial = "tcp:127.0.0.1:6379", .min = 1, .max = 400, .restart = true},
    {.name = "store.username", .read = value_string, SETTING(store.username),
     .initial = "", .max = 256, .restart = true},
    {.name = "store.password_file", .read = value_path, SETTING(store.password_file),
     .initial = "", .max = PATH_BYTES_MAX, .restart = true},
    {.name = "store.database", .read = value_integer, SETTING(store.database),
     .initial = "0", .max = 65535, .restart = true},
    {.name = "store.prefix", .read = value_name, SETTING(store.prefix),
     .initial = "mailbrake", .min = 1, .max = 64, .restart = true},
    {.name = "store.timeout_ms", .read = value_integer, SETTING(store.timeout_ms),
     .initial = "250", .min = 10, .max = 10000, .restart = true},
    {.name = "store.connections", .read = value_integer, SETTING(store.connections),
     .initial = "8", .min = 1, .max = 256, .restart = true},
    {.name = "store.state_file", .read = value_path, SETTING(store.state_file),
     .initial = "", .max = PATH_BYTES_MAX, .restart = true},
    {.name = "store.on_failure", .read = value_word, SETTING(store.on_failure),
     .initial = "local", .words = failures, .restart = true},
    {.name = "store.nodes", .read = value_integer, SETTING(store.nodes), .initial = "1",
     .min = 1, .max = 1000, .restart = true},

    {.name = "lists", .read = sources_read},
    {.name = "lists.address", .read = value_address, SOURCE(address), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "lists.file", .read = value_path, SOURCE(path), .min = 1,
     .max = PATH_BYTES_MAX},
    {.name = "lists.aliases", .read = value_path, SOURCE(path), .min = 1,
     .max = PATH_BYTES_MAX},
    {.name = "lists.virtual", .read = value_path, SOURCE(path), .min = 1,
     .max = PATH_BYTES_MAX},
    {.name = "lists.domains", .read = array_domains, SOURCE(domains), .min = 1,
     .max = 255},
    {.name = "lists.max_age", .read = value_duration, SOURCE(max_age_ms), .initial = "7d",
     .min = SECOND_MS, .max = 3650 * DAY_MS},
    {.name = "lists.refresh", .read = value_duration, SOURCE(refresh_ms), .initial = "5m",
     .min = SECOND_MS, .max = 366 * DAY_MS},

    {.name = "groups", .read = array_groups, SETTING(policy)},

    {.name = "rules", .read = rules_read, SETTING(policy)},
    {.name = "rules.name", .read = value_name, RULE(name), .min = 1, .max = 64},
    {.name = "rules.from", .read = array_somebody, RULE(from), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "rules.from_not", .read = array_elements, RULE(from_not), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "rules.to", .read = array_somebody, RULE(to), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "rules.to_not", .read = array_elements, RULE(to_not), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "rules.hours", .read = value_hours, RULE(hours), .min = 1, .max = 1000},
    {.name = "rules.hours_not", .read = value_hours, RULE(hours_not), .min = 1,
     .max = 1000},
    {.name = "rules.origin", .read = value_word, RULE(origin), .min = ORIGIN_SMTP,
     .words = origins},
    {.name = "rules.reply", .read = value_tristate, RULE(reply)},
    {.name = "rules.automatic", .read = value_tristate, RULE(automatic)},
    {.name = "rules.reach_over", .read = value_count, RULE(over[MEASURE_REACH]),
     .max = OVER_MAX},
    {.name = "rules.copies_over", .read = value_count, RULE(over[MEASURE_COPIES]),
     .max = OVER_MAX},
    {.name = "rules.external_over", .read = value_count, RULE(over[MEASURE_EXTERNAL]),
     .max = OVER_MAX},
    {.name = "rules.visible_over", .read = value_count, RULE(over[MEASURE_VISIBLE]),
     .max = OVER_MAX},
    {.name = "rules.visible_external_over", .read = value_count,
     RULE(over[MEASURE_VISIBLE_EXTERNAL]), .max = OVER_MAX},
    {.name = "rules.key", .read = rules_key, RULE(key), .min = 1},
    {.name = "rules.limit", .read = rules_limit, .min = 1},
    {.name = "rules.burst", .read = value_count, RULE(limit.burst), .min = 1,
     .max = RATE_TOKENS_MAX},
    {.name = "rules.surge", .read = rules_surge, .min = SURGE_FACTOR_MIN,
     .max = SURGE_FACTOR_MAX},
    {.name = "rules.window", .read = value_duration, RULE(surge.window_ms),
     .initial = "1d", .min = SECOND_MS, .max = 366 * DAY_MS},
    {.name = "rules.floor", .read = value_count, RULE(surge.floor), .min = 1,
     .max = SURGE_FLOOR_MAX},
    {.name = "rules.latch", .read = value_duration, RULE(latch_ms), .min = SECOND_MS,
     .max = 366 * DAY_MS},
    {.name = "rules.action", .read = value_action, RULE(action)},
    {.name = "rules.mode", .read = value_mode, RULE(monitor)},
    {.name = "rules.reason", .read = value_reason, RULE(reason), .min = 1, .max = 200},
};
/* clang-format on */

enum { OPTION_COUNT = sizeof options / sizeof options[0] };

/* The name within a scope, NULL when the dotted name is of another one. */
static const char *within(const char *scope, const char *name)
{
    size_t length = strlen(scope);
    const char *rest = name;
    if (length > 0) {
        if (strncmp(name, scope, length) != 0 || name[length] != '.')
            return NULL;
        rest = name + length + 1;
    }
    return strchr(rest, '.') == NULL ? rest : NULL;
}

static bool is_known(const char *scope, const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *own = within(scope, options[i].name);
        if (own != NULL && strcmp(own, name) == 0)
            return true;
    }
    return false;
}

static void check_unknown(struct reader *reader, const char *scope,
                          const struct node *node)
{
    for (size_t i = 0; i < node->child_count; i++) {
        const struct node *child = tree_child(&reader->tree, node, i);
        if (is_known(scope, child->name))
            continue;
        problems_error(reader->problems, child->file, child->line,
                       "%s%s%.100s: there is no such setting", scope,
                       scope[0] == '\0' ? "" : ".", child->name);
    }
}

/* A default goes the way of any other value. */
static void read_initial(struct reader *reader, const struct option *option, void *field)
{
    char *string = strdup(option->initial);
    struct node node = {.kind = NODE_STRING, .string = string, .file = ""};
    if (string == NULL) {
        reader->failed = true;
        return;
    }
    if (option->read == value_integer) {
        node.kind = NODE_INTEGER;
        node.integer = strtoll(string, NULL, 10);
    } else if (option->read == value_bool) {
        node.kind = NODE_BOOL;
        node.integer = strcmp(string, "true") == 0;
    }
    option->read(reader, option, &node, field);
    free(string);
}

void options_read(struct reader *reader, const char *scope, const struct node *node,
                  void *base)
{
    if (node != NULL)
        check_unknown(reader, scope, node);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &options[i];
        const char *name = within(scope, option->name);
        if (name == NULL || option->read == NULL)
            continue;
        const struct node *child = tree_find(&reader->tree, node, name);
        void *field = (char *)base + option->offset;
        if (child != NULL)
            option->read(reader, option, child, field);
        else if (option->initial != NULL)
            read_initial(reader, option, field);
    }
}

/* ---- what only a restart changes ---- */

static bool is_string(const struct option *option)
{
    return option->read == value_path || option->read == value_name ||
           option->read == value_string || option->read == server_milter;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same(const struct option *option, const void *a, const void *b)
{
    if (option->read == server_store) {
        const struct store_settings *x = a;
        const struct store_settings *y = b;
        return is_same_text(x->host, y->host) && is_same_text(x->path, y->path) &&
               x->port == y->port;
    }
    if (is_string(option))
        return is_same_text(*(char *const *)a, *(char *const *)b);
    return *(const int *)a == *(const int *)b; /* also enums, and unsigned */
}

static bool copy_text(char **field, const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);
    if (text != NULL && copy == NULL)
        return false;
    free(*field);
    *field = copy;
    return true;
}

static bool copy(const struct option *option, void *to, const void *from)
{
    if (option->read == server_store) {
        struct store_settings *store = to;
        const struct store_settings *running = from;
        store->port = running->port;
        return copy_text(&store->host, running->host) &&
               copy_text(&store->path, running->path);
    }
    if (is_string(option))
        return copy_text(to, *(char *const *)from);
    *(int *)to = *(const int *)from;
    return true;
}

enum status settings_keep(struct settings *fresh, const struct settings *running)
{
    fresh->restart_count = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &options[i];
        if (!option->restart)
            continue;
        void *field = (char *)fresh + option->offset;
        const void *before = (const char *)running + option->offset;
        if (is_same(option, field, before))
            continue;
        if (fresh->restart_count == SETTINGS_RESTART_MAX || !copy(option, field, before))
            return STATUS_NOMEM;
        fresh->restart[fresh->restart_count++] = option->name;
    }
    return STATUS_OK;
}

bool settings_option_restarts(const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].name, name) == 0)
            return options[i].restart;
    }
    return false;
}

const char *const *settings_option_names(void)
{
    static const char *names[OPTION_COUNT + 1]; /* the same whoever fills it */
    for (size_t i = 0; i < OPTION_COUNT; i++)
        names[i] = options[i].name;
    return names;
}
