/* mailbrake incidents: what was stopped, grouped by cause. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/output.h"
#include "cli/control_client.h"
#include "cli/page.h"
#include "cli/verbs.h"

enum { HOLDS_SHOWN = 20 };

static void add_open(struct text_table *table, const json_t *value)
{
    text_table_add(table, json_is_true(value) ? "open" : "");
}

static const struct page_column columns[] = {
    {"ID", TEXT_TABLE_KEY, "id", NULL},
    {"", TEXT_TABLE_TEXT, "open", add_open},
    {"LAST", TEXT_TABLE_WHOLE, "last_at", page_cell_instant},
    {"RULE", TEXT_TABLE_TEXT, "rule", NULL},
    {"HELD", TEXT_TABLE_NUMBER, "waiting", NULL},
    {"REFUSED", TEXT_TABLE_NUMBER, "refused", NULL},
    {"DEFERRED", TEXT_TABLE_NUMBER, "deferred", NULL},
    {"REACH", TEXT_TABLE_NUMBER, "reach", page_cell_reach},
    {"KEY", TEXT_TABLE_KEY, "key", NULL},
    {"APPROVED BY", TEXT_TABLE_TEXT, NULL, page_cell_approved},
};

enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };

/* APPROVED BY is shown only if somebody approved one. */
static void print_some(const json_t *answer, const char *none)
{
    size_t i;
    const json_t *incident;
    long long open = 0;
    long long waiting = 0;
    bool approved = false;
    const json_t *incidents = json_object_get(answer, "incidents");
    size_t count = json_array_size(incidents);
    json_array_foreach(incidents, i, incident)
    {
        open += json_is_true(json_object_get(incident, "open"));
        waiting += page_number(incident, "waiting");
        approved = approved || json_is_array(json_object_get(incident, "approved_by"));
    }
    page_table(incidents, none, columns, approved ? COLUMN_COUNT : COLUMN_COUNT - 1);
    if (count > 0)
        (void)printf("%zu %s, %lld open; %lld %s for a decision. REACH: persons, by the "
                     "largest message.\n",
                     count, page_plural((long long)count, "incident", "incidents"), open,
                     waiting, page_plural(waiting, "message waits", "messages wait"));
}

static void print_current(const json_t *answer)
{
    print_some(answer,
               "No incident is open, and no message waits. --all shows what is over.");
}

static void print_all(const json_t *answer)
{
    print_some(answer, "There are no incidents.");
}

static void print_would(const json_t *answer)
{
    static const struct page_column would[] = {
        {"ID", TEXT_TABLE_KEY, "id", NULL},
        {"LAST", TEXT_TABLE_WHOLE, "last_at", page_cell_instant},
        {"RULE", TEXT_TABLE_TEXT, "rule", NULL},
        {"ACTION", TEXT_TABLE_TEXT, "action", NULL},
        {"WOULD", TEXT_TABLE_NUMBER, "would", NULL},
        {"COPIES", TEXT_TABLE_NUMBER, "copies", NULL},
        {"REACH", TEXT_TABLE_NUMBER, "reach", page_cell_reach},
        {"KEY", TEXT_TABLE_KEY, "key", NULL},
    };
    const json_t *incidents = json_object_get(answer, "incidents");
    page_table(incidents, "Nothing would have been stopped.", would,
               sizeof would / sizeof would[0]);
    if (json_array_size(incidents) > 0)
        (void)puts("WOULD: messages that would have been stopped; they were delivered.");
}

static void print_held(const json_t *holds)
{
    static const struct page_column held[] = {
        {"ID", TEXT_TABLE_KEY, "id", NULL},
        {"HELD", TEXT_TABLE_WHOLE, "held_at", page_cell_instant},
        {"REACH", TEXT_TABLE_NUMBER, "reach", page_cell_reach},
        {"FROM", TEXT_TABLE_TEXT, "identity", NULL},
        {"LISTS", TEXT_TABLE_TEXT, NULL, page_cell_lists},
    };
    size_t count = json_array_size(holds);
    (void)printf("%-14s %zu\n", "held now", count);
    if (count > 0)
        page_rows(holds, HOLDS_SHOWN, 15, held, sizeof held / sizeof held[0]);
    if (count > HOLDS_SHOWN)
        (void)printf("%-14s and %zu more: mailbrake quarantine list --incident\n", "",
                     count - HOLDS_SHOWN);
}

static void print_count(const json_t *incident, const char *name, const char *one,
                        const char *many)
{
    long long count = page_number(incident, name);
    (void)printf("%-14s %lld %s\n", name, count, page_plural(count, one, many));
}

/* How it is released slowly, if it is. */
static void print_pace(const json_t *pace)
{
    const char *why = page_text(pace, "stopped");
    if (!json_is_object(pace))
        return;
    output_line("%-14s %s, by %s: %lld of %lld %s; --stop ends it", "released slowly",
                page_text(pace, "pace"), page_text(pace, "by"),
                page_number(pace, "released"), page_number(pace, "messages"),
                page_plural(page_number(pace, "messages"), "message", "messages"));
    if (why[0] != '\0')
        page_field("stopped", why);
}

/* The permit that was exceeded. */
static void print_permit(const json_t *permit)
{
    char text[120];
    if (!json_is_object(permit))
        return;
    (void)snprintf(text, sizeof text, "%.40s: too little was left, %lld of %lld copies",
                   page_text(permit, "id"), page_number(permit, "left"),
                   page_number(permit, "copies"));
    page_field("permit", text);
}

static void print_whole_incident(const json_t *incident)
{
    const json_t *approved_by = json_object_get(incident, "approved_by");
    bool open = json_is_true(json_object_get(incident, "open"));
    page_field("incident", page_text(incident, "id"));
    page_field("state",
               open ? "open: what its rule stops for its key is added to it" : "closed");
    page_field("rule", page_text(incident, "rule"));
    page_field("key", page_text(incident, "key"));
    page_field("identity", page_text(incident, "identity"));
    page_field("limit", page_text(incident, "limit"));
    print_permit(json_object_get(incident, "permit"));
    page_strings("lists", json_object_get(incident, "lists"),
                 page_number(incident, "list_count"));
    page_instant("first", page_text(incident, "opened_at"));
    page_instant("last", page_text(incident, "last_at"));
    if (page_number(incident, "would") > 0)
        output_line("%-14s %lld %s: %s", "would have", page_number(incident, "would"),
                    page_plural(page_number(incident, "would"), "message", "messages"),
                    page_text(incident, "action"));
    print_count(incident, "held", "message was held", "messages were held");
    print_count(incident, "released", "of them was released", "of them were released");
    print_count(incident, "refused", "message was refused at once",
                "messages were refused at once");
    print_count(incident, "deferred", "time a message was deferred",
                "times a message was deferred");
    if (page_knows_reach(incident))
        print_count(incident, "reach", "person, by the largest message",
                    "persons, by the largest message");
    else
        page_field("reach", "not known: its mail was accepted before and pulled back");
    bool delivered = page_number(incident, "would") > 0;
    print_count(incident, "copies",
                delivered ? "copy in all" : "copy in all that was not delivered at once",
                delivered ? "copies in all"
                          : "copies in all that were not delivered at once");
    print_count(incident, "notices", "went to administrators", "went to administrators");
    page_field("sender", json_is_true(json_object_get(incident, "sender_told"))
                             ? "was told that mail is held"
                             : "was not told");
    if (json_is_array(approved_by))
        page_strings("approved by", approved_by, (long long)json_array_size(approved_by));
    print_pace(json_object_get(incident, "pace"));
    if (page_text(incident, "expires_at")[0] != '\0')
        page_instant("refused at", page_text(incident, "expires_at"));
    print_held(json_object_get(incident, "holds"));
}

static void print_stopped(const json_t *answer)
{
    output_line("%s is not released slowly any more.", page_text(answer, "id"));
    (void)puts("What is being released now still goes; the rest stays held.");
}

static void print_closed(const json_t *answer)
{
    (void)printf("%s closed, its latch is cleared.\nThe counts of its rule remain: "
                 "`mailbrake limits reset KEY` resets them.\n",
                 page_text(answer, "id"));
}

static void print_allowed(const json_t *answer)
{
    char until[INSTANT_SIZE];
    instant_local(page_text(answer, "until"), clock_wall_ms(), until);
    output_line("Until %s rule %s is skipped for %s.", until, page_text(answer, "rule"),
                page_text(answer, "key"));
}

static int allow(struct control_client *client)
{
    json_t *body = json_pack("{s:s}", "for", client->duration);
    json_t *answer = control_client_ask(client, "POST", "/v1/incidents/%s/allow",
                                        control_client_word(client, 1), body);
    json_decref(body);
    return control_client_show(client, answer, print_allowed);
}

int verb_incidents(int argc, char **argv)
{
    enum { ALL = CONTROL_CLIENT_ALL, WOULD = CONTROL_CLIENT_WOULD };
    static const char open[] = "/v1/incidents";
    static const char all[] = "/v1/incidents?all=1";
    static const char would[] = "/v1/incidents?would=1";
    static const struct control_action actions[] = {
        {NULL, .method = "GET", .path = open, .show = print_current},
        {NULL, .needs = ALL, .method = "GET", .path = all, .show = print_all},
        {"list", .method = "GET", .path = open, .show = print_current},
        {"list", .needs = ALL, .method = "GET", .path = all, .show = print_all},
        {NULL, .needs = WOULD, .method = "GET", .path = would, .show = print_would},
        {"list", .needs = WOULD, .method = "GET", .path = would, .show = print_would},
        {"show", 1, 1, .method = "GET", .path = "/v1/incidents/%s",
         .show = print_whole_incident},
        {"show", 1, 1, .needs = CONTROL_CLIENT_STOP, .method = "POST",
         .path = "/v1/incidents/%s/stop", .show = print_stopped},
        {"close", 1, 1, .method = "POST", .path = "/v1/incidents/%s/close",
         .show = print_closed},
        {"allow", 1, 1, .needs = CONTROL_CLIENT_FOR, .run = allow},
    };
    static const struct control_verb verb = {
        "usage: mailbrake incidents [list] [--all | --would]\n"
        "       mailbrake incidents show I [--stop]\n"
        "       mailbrake incidents close I\n"
        "       mailbrake incidents allow I --for 4h\n",
        actions, sizeof actions / sizeof actions[0]};
    return control_client_run(&verb, argc, argv);
}
