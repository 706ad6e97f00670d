/* The state file is left out: it is the daemon's. */
#include "store/probe.h"

#include "store/subject_key.h"

/* What a store says while it is open; read once its threads have ended. */
struct probe_reports {
    struct problems *problems;
    const char *file;
};

static void take_report(void *context, enum severity severity, const char *text)
{
    struct probe_reports *reports = context;
    if (severity == SEVERITY_INFO)
        return;
    problems_warning(reports->problems, reports->file, 0, "store: %s", text);
}

void probe_store(const struct settings *settings, struct problems *problems,
                 char out_place[STORE_PLACE_SIZE])
{
    struct error error = {0};
    struct digest_key key;
    struct store *store;
    struct problems said = {0};
    struct probe_reports reports = {&said, settings->file};
    struct store_reporter reporter = {.report = take_report, .context = &reports};
    struct store_settings probe = settings->store;
    static char no_state_file[] = "";
    probe.state_file = no_state_file; /* the daemon's, not ours to read or write */
    out_place[0] = '\0';
    if (subject_key_load(settings, &key, &error) != STATUS_OK ||
        store_open(&probe, &key, reporter, &store, &error) != STATUS_OK) {
        problems_take(problems, &error);
        return;
    }
    if (store_state(store) == STORE_STATE_OK)
        (void)store_describe(store, out_place);
    else
        problems_warning(problems, settings->file, 0,
                         "the store does not answer within %d ms",
                         settings->store.timeout_ms);
    store_close(store);
    for (size_t i = 0; i < said.count; i++)
        problems_warning(problems, said.items[i].file, 0, "%s", said.items[i].text);
    problems_clear(&said);
}
