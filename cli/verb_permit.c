/* mailbrake permit: lets an announced mailing pass. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/output.h"
#include "cli/control_client.h"
#include "cli/page.h"
#include "cli/verbs.h"
#include "engine/json_output.h"

static void add_left(struct text_table *table, const json_t *item)
{
    char text[48];
    if (json_is_integer(json_object_get(item, "left")))
        (void)snprintf(text, sizeof text, "%lld of %lld", page_number(item, "left"),
                       page_number(item, "copies"));
    else
        (void)snprintf(text, sizeof text, "? of %lld", page_number(item, "copies"));
    text_table_add(table, text);
}

static const struct page_column columns[] = {
    {"ID", TEXT_TABLE_KEY, "id", NULL},
    {"KEY", TEXT_TABLE_KEY, "key", NULL},
    {"LEFT", TEXT_TABLE_WHOLE, NULL, add_left},
    {"STATE", TEXT_TABLE_TEXT, "state", NULL},
    {"FROM", TEXT_TABLE_WHOLE, "from", page_cell_instant},
    {"UNTIL", TEXT_TABLE_WHOLE, "until", page_cell_instant},
    {"BY", TEXT_TABLE_TEXT, "by", NULL},
    {"REASON", TEXT_TABLE_TEXT, "reason", NULL},
};

static void print_permits(const json_t *answer)
{
    page_table(json_object_get(answer, "permits"), "No permit is set.", columns,
               sizeof columns / sizeof columns[0]);
}

static void print_permit(const json_t *permit)
{
    const json_t *to = json_object_get(permit, "to");
    char left[24];
    char copies[24];
    (void)snprintf(left, sizeof left, "%lld", page_number(permit, "left"));
    (void)snprintf(copies, sizeof copies, "%lld", page_number(permit, "copies"));
    page_field("permit", page_text(permit, "id"));
    page_field("key", page_text(permit, "key"));
    if (json_array_size(to) > 0)
        page_strings("to", to, (long long)json_array_size(to));
    else
        page_field("to", "anybody");
    page_field("copies", copies);
    page_field("left",
               json_is_integer(json_object_get(permit, "left")) ? left : "not known");
    page_instant("from", page_text(permit, "from"));
    page_instant("until", page_text(permit, "until"));
    page_field("state", page_text(permit, "state"));
    if (page_text(permit, "ended_at")[0] != '\0')
        page_instant("ended at", page_text(permit, "ended_at"));
    if (page_text(permit, "ended_by")[0] != '\0')
        page_field("ended by", page_text(permit, "ended_by"));
    page_field("by", page_text(permit, "by"));
    if (page_text(permit, "reason")[0] != '\0')
        page_field("reason", page_text(permit, "reason"));
}

static void print_set(const json_t *permit)
{
    char from[INSTANT_SIZE];
    char until[INSTANT_SIZE];
    int64_t now_ms = clock_wall_ms();
    instant_local(page_text(permit, "from"), now_ms, from);
    instant_local(page_text(permit, "until"), now_ms, until);
    long long copies = page_number(permit, "copies");
    output_line("Permit %s: %lld %s of %s %s, from %s until %s.", page_text(permit, "id"),
                copies, page_plural(copies, "copy", "copies"), page_text(permit, "key"),
                page_plural(copies, "passes", "pass"), from, until);
    if (json_is_true(json_object_get(permit, "pending")))
        (void)puts("The store is away: the permit is valid on this relay alone, and on "
                   "the others\nonce the store is back.");
}

static void print_ended(const json_t *answer)
{
    output_line("Permit %s ended.", page_text(answer, "id"));
}

/* NULL without memory. */
static json_t *make_body(const struct control_client *client, const char *key)
{
    int64_t from_ms;
    char from[INSTANT_SIZE];
    json_t *to = json_array();
    for (size_t i = 0; i < client->to_count; i++)
        (void)json_array_append_new(to, json_output_string(client->to[i]));
    if (client->from != NULL && instant_parse_local(client->from, &from_ms))
        instant_format(from_ms, from);
    return json_pack("{s:o, s:o, s:I, s:s*, s:s, s:o*}", "key", json_output_string(key),
                     "to", to, "copies", (json_int_t)strtoll(client->copies, NULL, 10),
                     "from", client->from == NULL ? NULL : from, "for", client->duration,
                     "reason",
                     client->reason == NULL ? NULL : json_output_string(client->reason));
}

static int set(struct control_client *client)
{
    json_t *body = make_body(client, control_client_word(client, 1));
    json_t *answer = body == NULL
                         ? NULL
                         : control_client_ask(client, "POST", "/v1/permits", NULL, body);
    json_decref(body);
    return control_client_show(client, answer, print_set);
}

static int list(struct control_client *client)
{
    bool all = (client->given & CONTROL_CLIENT_ALL) != 0;
    const char *path = all ? "/v1/permits?all=1" : "/v1/permits";
    return control_client_show(
        client, control_client_ask(client, "GET", path, NULL, NULL), print_permits);
}

int verb_permit(int argc, char **argv)
{
    static const struct control_action actions[] = {
        {"list", .takes = CONTROL_CLIENT_ALL, .run = list},
        {"set", 1, 1, .needs = CONTROL_CLIENT_COPIES | CONTROL_CLIENT_FOR,
         .takes = CONTROL_CLIENT_TO | CONTROL_CLIENT_FROM | CONTROL_CLIENT_REASON,
         .run = set},
        {"show", 1, 1, .method = "GET", .path = "/v1/permits/%s", .show = print_permit},
        {"end", 1, 1, .method = "DELETE", .path = "/v1/permits/%s", .show = print_ended},
    };
    static const struct control_verb verb = {
        "usage: mailbrake permit list [--all]\n"
        "       mailbrake permit set KEY --copies N --for 2h [--to ADDRESS]...\n"
        "                            [--from \"2026-12-01 08:00\"] [--reason TEXT]\n"
        "       mailbrake permit show ID\n"
        "       mailbrake permit end ID\n"
        "KEY is login:A, sender:A, client:ADDRESS, list:A or domain:D\n",
        actions, sizeof actions / sizeof actions[0]};
    return control_client_run(&verb, argc, argv);
}
