/* None of these is an error: mailbraked starts all the same, or reports why it can't. */
#include "engine/advice.h"

#include "base/folder.h"
#include "base/text.h"

enum { MESSAGE_SIZE = 1000 };

/* Settings without which nothing is braked. */
static void advise_policy(const struct snapshot *snapshot, struct problems *problems)
{
    const struct settings *settings = snapshot->settings;
    if (settings->policy.domains.count == 0)
        problems_warning(problems, settings->file, 0,
                         "domains: none are set, so no address is yours, and names "
                         "without a domain in aliases and virtual are not lists");
    if (settings->policy.rule_count == 0)
        problems_warning(problems, settings->file, 0,
                         "rules: none are set, so every message is accepted");
    if (settings->list_count == 0)
        problems_warning(problems, settings->file, 0,
                         "lists: none are set, so each address counts as one person");
    else if (directory_list_count(snapshot->directory) == 0)
        problems_warning(
            problems, settings->file, 0,
            "lists: the sources contain no list, so each address counts as one person");
}

/* The audit lies beside the state file. */
static void advise_audit(const struct settings *settings, struct problems *problems)
{
    if (settings->store.state_file[0] == '\0')
        problems_warning(problems, settings->file, 0,
                         "store.state_file: is not set, so there is no audit file: what "
                         "administrators do is only in the log");
}

static void advise_socket(const struct settings *settings, const char *name,
                          const char *path, const char *owners, struct problems *problems)
{
    char text[MESSAGE_SIZE];
    if (folder_exists(path))
        return;
    folder_explain(path, owners, text, sizeof text);
    problems_warning(problems, settings->file, 0, "%s: %s", name, text);
}

static void advise_sockets(const struct settings *settings, struct problems *problems)
{
    const char *milter = text_after(settings->milter.socket, "unix:");
    bool postfix = settings->mta.type == MTA_POSTFIX;
    if (milter != NULL)
        advise_socket(settings, "milter.socket", milter,
                      postfix ? "mailbrake:postfix" : "mailbrake", problems);
    advise_socket(settings, "control.socket", settings->control.socket, "mailbrake",
                  problems);
}

void advice_add(const struct snapshot *snapshot, struct problems *problems)
{
    const struct settings *settings = snapshot->settings;
    advise_policy(snapshot, problems);
    advise_audit(settings, problems);
    advise_sockets(settings, problems);
}
