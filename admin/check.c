/* mailbrake check: the configuration, its lists, and whether the store answers. */
#include <jansson.h>
#include <stdio.h>

#include "admin/arguments.h"
#include "admin/output.h"
#include "admin/relay.h"
#include "admin/verbs.h"
#include "lists/snapshot.h"
#include "quarantine/advice.h"
#include "store/key.h"
#include "store/store.h"

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

/* What a store says while it is open; read once its threads have ended. */
struct reports {
    struct problems *problems;
    const char *file;
};

static void take_report(void *context, enum severity severity, const char *text)
{
    struct reports *reports = context;
    (void)severity;
    problems_warning(reports->problems, reports->file, 0, "store: %s", text);
}

/* A store that is away is a warning: the daemon starts without it. */
static void check_store(const struct settings *settings, struct problems *problems)
{
    struct error error = {0};
    struct digest_key key;
    struct store *store;
    struct problems said = {0};
    struct reports reports = {&said, settings->file};
    struct store_reporter reporter = {.report = take_report, .context = &reports};
    struct store_settings probe = settings->store;
    static char no_state_file[] = "";
    probe.state_file = no_state_file; /* the daemon's, not ours to read or write */
    if (key_load(settings, &key, &error) != STATUS_OK ||
        store_open(&probe, &key, reporter, &store, &error) != STATUS_OK) {
        problems_take(problems, &error);
        return;
    }
    if (store_state(store) != STORE_STATE_OK)
        problems_warning(problems, settings->file, 0,
                         "the store does not answer within %d ms",
                         settings->store.timeout_ms);
    store_close(store);
    for (size_t i = 0; i < said.count; i++)
        problems_warning(problems, said.items[i].file, 0, "%s", said.items[i].text);
    problems_clear(&said);
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

enum { OPTION_MTA = 256 };

static enum status take_option(void *context, int val, const char *argument)
{
    bool *mta = context;
    (void)argument;
    *mta = val == OPTION_MTA;
    return STATUS_OK;
}

int verb_check(int argc, char **argv)
{
    static const struct option options[] = {{"mta", no_argument, NULL, OPTION_MTA},
                                            {NULL, 0, NULL, 0}};
    bool mta = false;
    const struct arguments_extra extra = {options, take_option, &mta};
    struct arguments arguments;
    struct problems problems = {0};
    struct snapshot *snapshot = NULL;
    if (arguments_parse(argc, argv, &extra, &arguments) != STATUS_OK)
        return EXIT_USAGE;
    if (arguments.word_count > 0) {
        (void)fputs("mailbrake: check takes no arguments\n", stderr);
        return EXIT_USAGE;
    }
    enum status status =
        snapshot_load(arguments.config, NULL, true, &problems, &snapshot);
    if (status == STATUS_OK) {
        check_store(snapshot->settings, &problems);
        advice_add(snapshot, &problems);
        if (mta)
            relay_check(snapshot->settings, &problems);
    } else if (problems.errors == 0) {
        problems_error(&problems, arguments.config, 0, "out of memory");
    }
    bool ok = problems.errors == 0;
    if (arguments.json)
        ok = output_json(json_pack("{s:b, s:o, s:o}", "ok", ok, "errors",
                                   output_problem_array(&problems, false), "warnings",
                                   output_problem_array(&problems, true))) &&
             ok;
    else
        output_problems(&problems);
    if (ok && !arguments.json)
        print_summary(arguments.config, snapshot);
    snapshot_unref(snapshot);
    problems_clear(&problems);
    return ok ? EXIT_DONE : EXIT_FAILED;
}
