/* mailbrake check: the configuration, its lists, and whether the store answers, all as
 * mailbraked will find it. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/folder.h"
#include "base/output.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/as_user.h"
#include "cli/mta/relay.h"
#include "cli/verbs.h"
#include "engine/advice.h"
#include "engine/json_output.h"
#include "lists/snapshot.h"
#include "store/probe.h"

static uint64_t largest_list(const struct snapshot *snapshot)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < directory_list_count(snapshot->directory); i++) {
        uint64_t size = directory_list(snapshot->directory, i)->size;
        if (size > most)
            most = size;
    }
    return most;
}

static void print_summary(const char *config, const struct snapshot *snapshot)
{
    const struct policy *policy = &snapshot->settings->policy;
    uint32_t lists = directory_list_count(snapshot->directory);
    (void)printf("%s: ok: %zu rule%s, %u list%s", config, policy->rule_count,
                 policy->rule_count == 1 ? "" : "s", lists, lists == 1 ? "" : "s");
    if (lists > 0)
        (void)printf(", the largest with %llu persons",
                     (unsigned long long)largest_list(snapshot));
    (void)puts(policy->monitor ? ", mode monitor" : "");
}

/* ---- what the limits come to ----
 *
 * A limit refills while its bucket is drawn from, so more than its N can pass in one
 * period: this says how much. */

static void print_limit(const struct rule *rule, int width)
{
    char period[DURATION_SIZE];
    char whose[64] = "in all";
    char at_once[40] = "";
    if (rule->key == KEY_FROM)
        (void)snprintf(whose, sizeof whose, "for one element of from");
    else if (rule->key != KEY_ALL)
        (void)snprintf(whose, sizeof whose, "for one %s", key_name(rule->key));
    duration_format(rule->limit.period_ms, period);
    if (rule->unit != UNIT_CLIENTS)
        (void)snprintf(at_once, sizeof at_once, " (%lld at once)",
                       (long long)rule->limit.burst);
    (void)printf("  %-*s  at most %lld %s in %s %s%s\n", width, rule->name,
                 (long long)rule_most(rule), unit_name(rule->unit), period, whose,
                 at_once);
}

/* A line for each rule with a limit: the most that it lets pass in one period. */
static void print_limits(const struct snapshot *snapshot)
{
    const struct policy *policy = &snapshot->settings->policy;
    size_t width = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        size_t length = strlen(policy->rules[i].name);
        if (policy->rules[i].has_limit && length > width)
            width = length;
    }
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].has_limit)
            print_limit(&policy->rules[i], (int)width);
    }
}

/* [{"rule", "key", "unit", "burst", "tokens", "period_s", "most"}]; empty for NULL. */
static json_t *limits_json(const struct snapshot *snapshot)
{
    json_t *limits = json_array();
    for (size_t i = 0; snapshot != NULL && i < snapshot->settings->policy.rule_count;
         i++) {
        const struct rule *rule = &snapshot->settings->policy.rules[i];
        if (!rule->has_limit)
            continue;
        (void)json_array_append_new(
            limits,
            json_pack("{s:o, s:s, s:s, s:I, s:I, s:I, s:I}", "rule",
                      json_output_string(rule->name), "key", key_name(rule->key), "unit",
                      unit_name(rule->unit), "burst", (json_int_t)rule->limit.burst,
                      "tokens", (json_int_t)rule->limit.tokens, "period_s",
                      (json_int_t)(rule->limit.period_ms / 1000), "most",
                      (json_int_t)rule_most(rule)));
    }
    return limits;
}

/* ---- as mailbraked's user ---- */

/* The user that the systemd unit runs mailbraked as. */
static const char daemon_user[] = "mailbrake";

/* Root can read everything, mailbraked can't, so check as its user; false if we stay who
 * we are. A draft that its user can't reach, such as in /root, is checked as root. */
static bool become_daemon(const char *config, struct as_user *out_before,
                          struct problems *problems)
{
    if (!as_user_begin(daemon_user, out_before))
        return false;
    if (strcmp(config, ARGUMENTS_CONFIG) == 0 ||
        faccessat(AT_FDCWD, config, R_OK, AT_EACCESS) == 0)
        return true;
    as_user_end(out_before);
    if (access(config, R_OK) == 0)
        problems_warning(problems, config, 0,
                         "the user %s, as which mailbraked runs, can't read it; this did "
                         "not check whether that user can read its lists and keys",
                         daemon_user);
    return false;
}

static void explain_denials(const char *config, struct problems *problems)
{
    bool denied = false;
    for (size_t i = 0; i < problems->count; i++)
        denied = denied || strstr(problems->items[i].text, strerror(EACCES)) != NULL;
    if (denied)
        problems_warning(problems, config, 0,
                         "files were read as the user %s, as which mailbraked runs; to "
                         "let it read one: chgrp %s FILE; chmod g+r FILE",
                         daemon_user, daemon_user);
}

/* It must be able to make its sockets and its state. */
static void check_folder(const char *file, const char *name, const char *config,
                         struct problems *problems)
{
    const char *slash = file == NULL ? NULL : strrchr(file, '/');
    char *folder = slash == NULL ? NULL : strndup(file, (size_t)(slash - file));
    if (folder != NULL && folder[0] != '\0' && folder_exists(file) &&
        faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) != 0)
        problems_warning(problems, config, 0,
                         "%s: the user %s, as which mailbraked runs, can't write to %s",
                         name, daemon_user, folder);
    free(folder);
}

static void check_folders(const struct settings *settings, struct problems *problems)
{
    const char *config = settings->file;
    check_folder(text_after(settings->milter.socket, "unix:"), "milter.socket", config,
                 problems);
    check_folder(settings->control.socket, "control.socket", config, problems);
    check_folder(settings->store.state_file, "store.state_file", config, problems);
}

/* ---- the verb ---- */

enum { OPTION_MTA = 256 };

static enum status take_option(void *context, int val, const char *argument)
{
    bool *mta = context;
    (void)argument;
    *mta = val == OPTION_MTA;
    return STATUS_OK;
}

/* What an earlier error kept from being checked. */
static void check_rest(const char *config, struct problems *problems)
{
    char place[STORE_PLACE_SIZE];
    struct settings settings;
    struct problems known = {0};
    if (settings_load(config, &settings, &known) == STATUS_OK) {
        probe_store(&settings, problems, place);
        settings_clear(&settings);
    } else {
        settings_try_files(config, problems);
    }
    problems_clear(&known);
}

/* Checks all but the mail server. NULL when there is an error. place: the store's. */
static struct snapshot *check_all(const char *config, struct problems *problems,
                                  char place[STORE_PLACE_SIZE])
{
    struct as_user before;
    struct snapshot *snapshot = NULL;
    bool became = become_daemon(config, &before, problems);
    enum status status = snapshot_load(config, NULL, true, problems, &snapshot);
    if (status == STATUS_OK) {
        probe_store(snapshot->settings, problems, place);
        advice_add(snapshot, problems);
        if (became)
            check_folders(snapshot->settings, problems);
    } else if (problems->errors == 0) {
        problems_error(problems, config, 0, "out of memory");
    } else {
        check_rest(config, problems);
    }
    if (became) {
        explain_denials(config, problems);
        as_user_end(&before);
    }
    return snapshot;
}

static bool print_json(const struct problems *problems, const struct snapshot *snapshot,
                       const char *place, bool ok)
{
    return json_output_print(json_pack(
        "{s:b, s:o, s:o, s:o, s:o, s:o}", "ok", ok, "store",
        place[0] == '\0' ? json_null() : json_output_string(place), "errors",
        json_output_problems(problems, false), "warnings",
        json_output_problems(problems, true), "limits", limits_json(snapshot), "servers",
        json_output_lines(snapshot == NULL ? "" : snapshot_summaries(snapshot))));
}

int verb_check(int argc, char **argv)
{
    static const struct option options[] = {{"mta", no_argument, NULL, OPTION_MTA},
                                            {NULL, 0, NULL, 0}};
    bool mta = false;
    const struct arguments_extra extra = {options, take_option, &mta};
    struct arguments arguments;
    struct problems problems = {0};
    if (arguments_parse(argc, argv, &extra, &arguments) != STATUS_OK ||
        arguments.word_count > 0)
        return arguments_usage("usage: mailbrake check [--mta]\n");
    char place[STORE_PLACE_SIZE] = "";
    struct snapshot *snapshot = check_all(arguments.config, &problems, place);
    if (snapshot != NULL && mta)
        relay_check(snapshot, &problems);
    bool ok = problems.errors == 0;
    if (arguments.json)
        ok = print_json(&problems, snapshot, place, ok) && ok;
    else
        output_problems(&problems);
    if (ok && !arguments.json) {
        print_summary(arguments.config, snapshot);
        (void)fputs(snapshot_summaries(snapshot), stdout);
        print_limits(snapshot);
        if (place[0] != '\0')
            (void)printf("  the store is at %s\n", place);
    }
    snapshot_unref(snapshot);
    problems_clear(&problems);
    return ok ? EXIT_DONE : EXIT_FAILED;
}
