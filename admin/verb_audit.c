/* mailbrake audit: who did what, and what for. */
#include <stdio.h>

#include "admin/dialogue.h"
#include "admin/table.h"
#include "admin/verbs.h"

static void print_entry(const json_t *entry)
{
    const char *user = table_text(entry, "user");
    char uid[32];
    (void)snprintf(uid, sizeof uid, "uid %lld", table_number(entry, "uid"));
    table_instant(table_text(entry, "at"), 12);
    table_cell(user[0] == '\0' ? uid : user, 10);
    table_cell(table_text(entry, "action"), 12);
    table_cell(table_text(entry, "target"), 22);
    table_cell(table_text(entry, "result"), 18);
    table_end(table_text(entry, "purpose"), 21);
}

static void print_audit(const json_t *answer)
{
    size_t i;
    const json_t *entry;
    const json_t *entries = json_object_get(answer, "audit");
    if (json_array_size(entries) == 0) {
        (void)puts("Nothing was done or looked at.");
        return;
    }
    (void)printf("%-12s %-10s %-12s %-22s %-18s %s\n", "WHEN", "WHO", "WHAT", "TARGET",
                 "RESULT", "PURPOSE");
    json_array_foreach(entries, i, entry) print_entry(entry);
}

int verb_audit(int argc, char **argv)
{
    struct dialogue dialogue;
    int result = EXIT_FAILED;
    if (dialogue_parse(&dialogue, argc, argv, DIALOGUE_SINCE) != STATUS_OK)
        return EXIT_USAGE;
    if (dialogue.arguments.word_count > 0) {
        (void)fputs("usage: mailbrake audit [--since 2h]\n", stderr);
        return EXIT_USAGE;
    }
    const char *path = dialogue.since == NULL ? "/v1/audit" : "/v1/audit?since=%s";
    if (dialogue_open(&dialogue))
        result = dialogue_show(&dialogue,
                               dialogue_ask(&dialogue, "GET", path, dialogue.since, NULL),
                               print_audit);
    dialogue_close(&dialogue);
    return result;
}
