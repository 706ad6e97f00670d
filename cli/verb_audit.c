/* mailbrake audit: who did what, and what for. */
#include <stdio.h>

#include "cli/control_client.h"
#include "cli/page.h"
#include "cli/verbs.h"

/* Of an action on many ids: the first, and the number of others. */
static void add_target(struct text_table *table, const json_t *entry)
{
    char target[100];
    const json_t *done = json_object_get(entry, "ids");
    const json_t *failed = json_object_get(entry, "failed");
    size_t count = json_array_size(done) + json_array_size(failed);
    const char *named = page_text(entry, "target");
    const json_t *first = json_array_get(json_array_size(done) > 0 ? done : failed, 0);
    const char *id = json_is_string(first) ? json_string_value(first) : "";
    (void)snprintf(target, sizeof target, "%.40s and %zu more", id, count - 1);
    if (named[0] == '\0' && count > 0)
        text_table_add(table, count > 1 ? target : id);
    else
        text_table_add(table, named);
}

static void add_user(struct text_table *table, const json_t *entry)
{
    const char *user = page_text(entry, "user");
    const char *via = page_text(entry, "via");
    const char *relay = page_text(entry, "relay");
    char uid[32];
    char who[160];
    (void)snprintf(uid, sizeof uid, "uid %lld", page_number(entry, "uid"));
    (void)snprintf(who, sizeof who, "%.80s%s%.20s%s%.60s", user[0] == '\0' ? uid : user,
                   via[0] == '\0' ? "" : " by ", via, relay[0] == '\0' ? "" : " on ",
                   relay);
    text_table_add(table, who);
}

static const struct page_column columns[] = {
    {"WHEN", TEXT_TABLE_WHOLE, "at", page_cell_instant},
    {"WHO", TEXT_TABLE_TEXT, NULL, add_user},
    {"WHAT", TEXT_TABLE_KEY, "action", NULL},
    {"TARGET", TEXT_TABLE_KEY, NULL, add_target},
    {"PURPOSE", TEXT_TABLE_TEXT, "purpose", NULL},
    {"RESULT", TEXT_TABLE_KEY, "result", NULL},
};

static void print_audit(const json_t *answer)
{
    page_table(json_object_get(answer, "audit"), "Nothing was done or looked at.",
               columns, sizeof columns / sizeof columns[0]);
}

int verb_audit(int argc, char **argv)
{
    static const struct control_action actions[] = {
        {.method = "GET", .path = "/v1/audit", .show = print_audit},
        {.needs = CONTROL_CLIENT_SINCE,
         .method = "GET",
         .path = "/v1/audit?since=%s",
         .show = print_audit},
    };
    static const struct control_verb verb = {"usage: mailbrake audit [--since 2h]\n",
                                             actions, 2};
    return control_client_run(&verb, argc, argv);
}
