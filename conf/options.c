/* All settings, in the order in which they are read: one that others depend on comes
 * first (an address without a domain needs the first of domains). */
#include "conf/options.h"

#include <stdlib.h>
#include <string.h>

#include "conf/policy_value.h"
#include "conf/rules.h"
#include "conf/server.h"
#include "conf/settings.h"
#include "conf/sources.h"
#include "conf/value.h"
#include "conf/value_array.h"

enum {
    ELEMENT_BYTES_MAX = 1000,
    OVER_MAX = 1000000000,
    GROWTH_MAX = 1000000,
    OPTIONS_MAX = 200,
    LDAP_TEXT_MAX = 4095,
    LDAP_NAME_MAX = 100
};

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define DAY_MS (1440 * MINUTE_MS)
#define SIZE_BYTES_MAX (INT64_C(1) << 60)

static const char *const store_types[] = {"redis", "memory", NULL};
static const char *const failures[] = {"local", "tempfail", "accept", NULL};
static const char *const reports[] = {"", "weekly", NULL};
static const char *const privacies[] = {"clear", "hashed", NULL};
static const char *const ldap_schemas[] = {"openldap", "ad", NULL};
static const char *const ldap_sasls[] = {"off", "external", NULL};
static const char *const origins[] = {"smtp", "local", NULL};

#define SETTING(member) .offset = offsetof(struct settings, member)
#define SOURCE(member) .offset = offsetof(struct list_source, member)
#define RULE(member) .offset = offsetof(struct rule, member)

/* clang-format off */
static const struct option options[] = {
    {.name = "domains", .read = value_array_domains, SETTING(policy.domains), .min = 1,
     .max = 255},
    {.name = "relay", .read = value_name, SETTING(relay), .initial = "", .max = 200,
     .restart = true},
    {.name = "recipient_delimiter", .read = policy_value_delimiter, SETTING(policy.domains),
     .initial = "+", .max = 16},
    {.name = "login_domains", .read = value_array_logins, SETTING(policy.logins), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "login_master_separator", .read = value_separator,
     SETTING(policy.logins.master_separator), .initial = "", .max = 1},
    {.name = "trusted", .read = value_array_elements, SETTING(policy.trusted), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "relays", .read = value_array_elements, SETTING(policy.relays), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "mode", .read = value_mode, SETTING(policy.monitor), .initial = "enforce"},
    {.name = "lists_unknown", .read = policy_value_action, SETTING(policy.lists_unknown),
     .initial = "defer"},
    {.name = "lists_grown", .read = policy_value_action, SETTING(policy.lists_grown),
     .initial = "quarantine"},
    {.name = "max_growth", .read = value_growth, SETTING(max_growth), .initial = "2",
     .max = GROWTH_MAX},
    {.name = "growth_floor", .read = value_count, SETTING(growth_floor), .initial = "100",
     .max = OVER_MAX},

    {.name = "milter"},
    {.name = "milter.socket", .read = server_milter, SETTING(milter.socket),
     .initial = "unix:/var/spool/postfix/mailbrake/milter.sock", .min = 1, .max = 400,
     .restart = true},
    {.name = "milter.socket_mode", .read = value_octal, SETTING(milter.socket_mode),
     .initial = "0660", .min = 1, .max = 16, .restart = true},

    {.name = "control"},
    {.name = "control.socket", .read = value_path, SETTING(control.socket),
     .initial = "/run/mailbrake/control.sock", .min = 1, .max = READER_SOCKET_MAX,
     .restart = true},
    {.name = "control.group", .read = value_name, SETTING(control.group),
     .initial = "mailbrake", .min = 1, .max = 32},
    {.name = "control.roles", .read = value_array_roles},
    {.name = "control.roles.look", .read = value_array_names,
     SETTING(control.roles[ROLE_LOOK]), .min = 1, .max = 32},
    {.name = "control.roles.decide", .read = value_array_names,
     SETTING(control.roles[ROLE_DECIDE]), .min = 1, .max = 32},
    {.name = "control.roles.brake", .read = value_array_names,
     SETTING(control.roles[ROLE_BRAKE]), .min = 1, .max = 32},
    {.name = "control.roles.permit", .read = value_array_names,
     SETTING(control.roles[ROLE_PERMIT]), .min = 1, .max = 32},
    {.name = "control.metrics_public", .read = value_bool,
     SETTING(control.metrics_public), .initial = "false"},
    {.name = "control.metrics", .read = server_metrics, SETTING(control.metrics),
     .initial = "", .max = 64, .restart = true},

    {.name = "mta"},
    {.name = "console"},

    {.name = "quarantine"},
    {.name = "quarantine.max_per_incident", .read = value_integer,
     SETTING(quarantine.max_per_incident), .initial = "500", .min = 1, .max = 15000},
    {.name = "quarantine.max_messages", .read = value_integer,
     SETTING(quarantine.max_messages), .initial = "5000", .min = 1, .max = 15000},
    {.name = "quarantine.min_free", .read = value_size,
     SETTING(quarantine.min_free_bytes), .initial = "1G", .max = SIZE_BYTES_MAX},
    {.name = "quarantine.expire", .read = value_duration, SETTING(quarantine.expire_ms),
     .initial = "7d", .min = MINUTE_MS, .max = 3650 * DAY_MS},
    {.name = "quarantine.approve_over", .read = value_integer,
     SETTING(quarantine.approve_over), .initial = "0", .max = OVER_MAX},
    {.name = "quarantine.content", .read = value_word, SETTING(mta.content),
     .initial = "subject", .words = mta_settings_contents},

    {.name = "confirm"},
    {.name = "confirm.address", .read = policy_value_mailbox,
     SETTING(policy.confirm.address), .initial = "", .max = ELEMENT_BYTES_MAX},
    {.name = "confirm.for", .read = value_duration, SETTING(policy.confirm.for_ms),
     .initial = "24h", .min = MINUTE_MS, .max = 30 * DAY_MS},
    {.name = "confirm.max_reach", .read = value_integer,
     SETTING(policy.confirm.max_reach), .initial = "5000", .min = 1, .max = OVER_MAX},

    {.name = "notify"},
    {.name = "notify.to", .read = value_array_notify, .min = 1, .max = ELEMENT_BYTES_MAX},
    {.name = "notify.command", .read = value_string, SETTING(notify.command),
     .initial = "", .max = READER_PATH_MAX},
    {.name = "notify.min_interval", .read = value_duration,
     SETTING(notify.min_interval_ms), .initial = "15m", .max = 366 * DAY_MS},
    {.name = "notify.tell_sender", .read = value_bool, SETTING(notify.tell_sender),
     .initial = "true"},

    {.name = "notify.report", .read = value_word, SETTING(notify.weekly), .initial = "",
     .words = reports},

    {.name = "privacy"},
    {.name = "privacy.addresses", .read = value_word, SETTING(privacy.addresses),
     .initial = "clear", .words = privacies},
    {.name = "privacy.key_file", .read = value_path, SETTING(privacy.key_file),
     .initial = "", .max = READER_PATH_MAX, .restart = true},
    {.name = "privacy.retention", .read = value_duration, SETTING(privacy.retention_ms),
     .initial = "30d", .min = MINUTE_MS, .max = 3650 * DAY_MS},

    {.name = "store"},
    {.name = "store.type", .read = value_word, SETTING(store.type), .initial = "redis",
     .words = store_types, .restart = true},
    {.name = "store.server", .read = server_store, SETTING(store),
     .initial = "tcp:127.0.0.1:6379", .min = 1, .max = 400, .restart = true},
    {.name = "store.sentinels", .read = server_sentinels, SETTING(store.sentinels),
     .min = 1, .max = 400, .restart = true},
    {.name = "store.master", .read = value_name, SETTING(store.master), .initial = "",
     .max = 255, .restart = true},
    {.name = "store.sentinel_password_file", .read = value_path,
     SETTING(store.sentinel_password_file), .initial = "", .max = READER_PATH_MAX,
     .restart = true},
    {.name = "store.username", .read = value_string, SETTING(store.username),
     .initial = "", .max = 256, .restart = true},
    {.name = "store.password_file", .read = value_path, SETTING(store.password_file),
     .initial = "", .max = READER_PATH_MAX, .restart = true},
    {.name = "store.ca_file", .read = value_path, SETTING(store.ca_file), .initial = "",
     .max = READER_PATH_MAX, .restart = true},
    {.name = "store.cert_file", .read = value_path, SETTING(store.cert_file),
     .initial = "", .max = READER_PATH_MAX, .restart = true},
    {.name = "store.cert_key_file", .read = value_path, SETTING(store.cert_key_file),
     .initial = "", .max = READER_PATH_MAX, .restart = true},
    {.name = "store.database", .read = value_integer, SETTING(store.database),
     .initial = "0", .max = 65535, .restart = true},
    {.name = "store.prefix", .read = value_name, SETTING(store.prefix),
     .initial = "mailbrake", .min = 1, .max = 64, .restart = true},
    {.name = "store.timeout_ms", .read = value_integer, SETTING(store.timeout_ms),
     .initial = "250", .min = 10, .max = 10000, .restart = true},
    {.name = "store.connections", .read = value_integer, SETTING(store.connections),
     .initial = "8", .min = 1, .max = 256, .restart = true},
    {.name = "store.state_file", .read = value_path, SETTING(store.state_file),
     .initial = "", .max = READER_PATH_MAX, .restart = true},
    {.name = "store.on_failure", .read = value_word, SETTING(store.on_failure),
     .initial = "local", .words = failures, .restart = true},
    {.name = "store.nodes", .read = value_integer, SETTING(store.nodes), .initial = "1",
     .min = 1, .max = 1000, .restart = true},

    {.name = "lists", .read = sources_read},
    {.name = "lists.address", .read = policy_value_address, SOURCE(address), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "lists.file", .read = value_path, SOURCE(path), .min = 1,
     .max = READER_PATH_MAX},
    {.name = "lists.aliases", .read = value_path, SOURCE(path), .min = 1,
     .max = READER_PATH_MAX},
    {.name = "lists.virtual", .read = value_path, SOURCE(path), .min = 1,
     .max = READER_PATH_MAX},
    {.name = "lists.domains", .read = value_array_domains, SOURCE(domains), .min = 1,
     .max = 255},
    {.name = "lists.folder", .read = value_path, SOURCE(path), .min = 1,
     .max = READER_PATH_MAX},
    {.name = "lists.domain", .read = value_array_domain, SOURCE(domains), .min = 1,
     .max = 255},
    {.name = "lists.column", .read = value_string, SOURCE(column), .initial = "email",
     .min = 1, .max = 100},
    {.name = "lists.ldap", .read = value_array_strings, SOURCE(ldap.servers), .min = 1,
     .max = READER_PATH_MAX},
    {.name = "lists.postfix", .read = value_path, SOURCE(path), .min = 1,
     .max = READER_PATH_MAX},
    {.name = "lists.base", .read = value_string, SOURCE(ldap.base), .max = LDAP_TEXT_MAX},
    {.name = "lists.schema", .read = value_word, SOURCE(ldap.schema),
     .initial = "openldap", .words = ldap_schemas},
    {.name = "lists.filter", .read = value_string, SOURCE(ldap.filter), .min = 1,
     .max = LDAP_TEXT_MAX},
    {.name = "lists.address_attributes", .read = value_array_strings,
     SOURCE(ldap.address_attributes), .min = 1, .max = LDAP_NAME_MAX},
    {.name = "lists.member_attributes", .read = value_array_strings,
     SOURCE(ldap.member_attributes), .min = 1, .max = LDAP_NAME_MAX},
    {.name = "lists.member_address_attribute", .read = value_array_strings,
     SOURCE(ldap.member_address_attributes), .min = 1, .max = LDAP_NAME_MAX},
    {.name = "lists.people_base", .read = value_string, SOURCE(ldap.people_base),
     .max = LDAP_TEXT_MAX},
    {.name = "lists.people_not", .read = value_string, SOURCE(ldap.people_not),
     .max = LDAP_TEXT_MAX},
    {.name = "lists.bind_dn", .read = value_string, SOURCE(ldap.bind_dn),
     .max = LDAP_TEXT_MAX},
    {.name = "lists.password_file", .read = value_path, SOURCE(password_file),
     .max = READER_PATH_MAX},
    {.name = "lists.sasl", .read = value_word, SOURCE(ldap.sasl), .initial = "off",
     .words = ldap_sasls},
    {.name = "lists.start_tls", .read = value_bool, SOURCE(ldap.start_tls),
     .initial = "false"},
    {.name = "lists.ca_file", .read = value_path, SOURCE(ldap.ca_file),
     .max = READER_PATH_MAX},
    {.name = "lists.cert_file", .read = value_path, SOURCE(ldap.cert_file),
     .max = READER_PATH_MAX},
    {.name = "lists.cert_key_file", .read = value_path, SOURCE(ldap.cert_key_file),
     .max = READER_PATH_MAX},
    {.name = "lists.page_size", .read = value_integer, SOURCE(ldap.page_size),
     .initial = "1000", .min = 1, .max = 100000},
    {.name = "lists.mailman", .read = value_string, SOURCE(path), .min = 1,
     .max = READER_PATH_MAX},
    {.name = "lists.user", .read = value_string, SOURCE(user), .initial = "", .max = 256},
    {.name = "lists.request_timeout", .read = value_duration, SOURCE(request_timeout_ms),
     .initial = "15s", .min = SECOND_MS, .max = 10 * MINUTE_MS},
    {.name = "lists.timeout", .read = value_duration, SOURCE(timeout_ms),
     .initial = "2m", .min = SECOND_MS, .max = 60 * MINUTE_MS},
    {.name = "lists.max_age", .read = value_duration, SOURCE(max_age_ms), .initial = "7d",
     .min = SECOND_MS, .max = 3650 * DAY_MS},
    {.name = "lists.refresh", .read = value_duration, SOURCE(refresh_ms),
     .min = SECOND_MS, .max = 366 * DAY_MS},
    {.name = "lists.max_growth", .read = value_growth, SOURCE(max_growth),
     .max = GROWTH_MAX},
    {.name = "lists.growth_floor", .read = value_count, SOURCE(growth_floor),
     .max = OVER_MAX},

    {.name = "groups", .read = value_array_groups, SETTING(policy)},

    {.name = "rules", .read = rules_read, SETTING(policy)},
    {.name = "rules.name", .read = value_name, RULE(name), .min = 1, .max = 64},
    {.name = "rules.from", .read = value_array_somebody, RULE(from), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "rules.from_not", .read = value_array_elements, RULE(from_not), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "rules.to", .read = value_array_somebody, RULE(to), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "rules.to_not", .read = value_array_elements, RULE(to_not), .min = 1,
     .max = ELEMENT_BYTES_MAX},
    {.name = "rules.hours", .read = policy_value_hours, RULE(hours), .min = 1, .max = 1000},
    {.name = "rules.hours_not", .read = policy_value_hours, RULE(hours_not), .min = 1,
     .max = 1000},
    {.name = "rules.origin", .read = value_word, RULE(origin), .min = ORIGIN_SMTP,
     .words = origins},
    {.name = "rules.reply", .read = policy_value_tristate, RULE(reply)},
    {.name = "rules.automatic", .read = policy_value_tristate, RULE(automatic)},
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
    {.name = "rules.action", .read = policy_value_rule_action, RULE(action)},
    {.name = "rules.mode", .read = value_mode, RULE(monitor)},
    {.name = "rules.reason", .read = value_reason, RULE(reason), .min = 1, .max = 200},
};
/* clang-format on */

const struct option_table options_table = {options, sizeof options / sizeof options[0]};

/* All tables, and where in the settings their fields are. */
static const struct {
    const struct option_table *table;
    size_t offset;
} tables[] = {{&options_table, 0},
              {&mta_settings_table, offsetof(struct settings, mta)},
              {&console_settings_table, offsetof(struct settings, console)}};

enum { TABLE_COUNT = sizeof tables / sizeof tables[0] };

/* One of all options, and where in the settings its field is; NULL at the end. */
static const struct option *option_at(size_t i, size_t *out_offset)
{
    for (size_t t = 0; t < TABLE_COUNT; t++) {
        const struct option_table *table = tables[t].table;
        if (i < table->count) {
            *out_offset = tables[t].offset + table->options[i].offset;
            return &table->options[i];
        }
        i -= table->count;
    }
    return NULL;
}

/* ---- what only a restart changes ---- */

static bool is_string(const struct option *option)
{
    return option->read == value_path || option->read == value_name ||
           option->read == value_string || option->read == server_milter ||
           option->read == server_metrics;
}

static bool keep_text(char **field, const char *running, bool *changed)
{
    if (running == NULL ? *field == NULL : *field != NULL && strcmp(*field, running) == 0)
        return true;
    char *copy = running == NULL ? NULL : strdup(running);
    if (running != NULL && copy == NULL)
        return false;
    free(*field);
    *field = copy;
    *changed = true;
    return true;
}

static bool keep_strings(struct strings *field, const struct strings *running,
                         bool *changed)
{
    bool same = field->count == running->count;
    for (size_t i = 0; i < running->count && same; i++)
        same = strcmp(field->items[i], running->items[i]) == 0;
    if (same)
        return true;
    *changed = true;
    strings_clear(field);
    for (size_t i = 0; i < running->count; i++)
        if (strings_add(field, running->items[i]) != STATUS_OK)
            return false;
    return true;
}

/* Ints, and also enums and unsigned. */
static void keep_number(int *field, int running, bool *changed)
{
    *changed = *changed || *field != running;
    *field = running;
}

/* Gives a field the running value; false without memory. */
static bool keep_value(const struct option *option, void *field, const void *running,
                       bool *changed)
{
    if (option->read == server_store) {
        struct store_settings *store = field;
        const struct store_settings *before = running;
        keep_number(&store->port, before->port, changed);
        keep_number(&store->tls, before->tls, changed);
        return keep_text(&store->host, before->host, changed) &&
               keep_text(&store->path, before->path, changed) &&
               keep_strings(&store->seeds, &before->seeds, changed);
    }
    if (option->read == server_sentinels)
        return keep_strings(field, running, changed);
    if (is_string(option))
        return keep_text(field, *(char *const *)running, changed);
    keep_number(field, *(const int *)running, changed);
    return true;
}

enum status settings_keep(struct settings *fresh, const struct settings *running)
{
    size_t offset;
    const struct option *option;
    fresh->restart_count = 0;
    for (size_t i = 0; (option = option_at(i, &offset)) != NULL; i++) {
        bool changed = false;
        if (!option->restart)
            continue;
        if (fresh->restart_count == SETTINGS_RESTART_MAX ||
            !keep_value(option, (char *)fresh + offset, (const char *)running + offset,
                        &changed))
            return STATUS_NOMEM;
        if (changed)
            fresh->restart[fresh->restart_count++] = option->name;
    }
    return STATUS_OK;
}

bool settings_option_restarts(const char *name)
{
    size_t offset;
    const struct option *option;
    for (size_t i = 0; (option = option_at(i, &offset)) != NULL; i++) {
        if (strcmp(option->name, name) == 0)
            return option->restart;
    }
    return false;
}

const char *const *settings_option_names(void)
{
    static const char *names[OPTIONS_MAX + 1]; /* the same whoever fills it */
    size_t offset;
    const struct option *option;
    for (size_t i = 0; i < OPTIONS_MAX && (option = option_at(i, &offset)) != NULL; i++)
        names[i] = option->name;
    return names;
}
