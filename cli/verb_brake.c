/* mailbrake brake: stops mail by hand, before all rules. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/output.h"
#include "cli/control_client.h"
#include "cli/page.h"
#include "cli/verbs.h"
#include "engine/json_output.h"

static void add_until(struct text_table *table, const json_t *value)
{
    if (json_string_length(value) > 0)
        page_cell_instant(table, value);
    else
        text_table_add(table, "cleared");
}

static const struct page_column columns[] = {
    {"KEY", TEXT_TABLE_KEY, "key", NULL},
    {"ACTION", TEXT_TABLE_TEXT, "action", NULL},
    {"UNTIL", TEXT_TABLE_WHOLE, "until", add_until},
    {"BY", TEXT_TABLE_TEXT, "by", NULL},
    {"REASON", TEXT_TABLE_TEXT, "reason", NULL},
};

static void print_brakes(const json_t *answer)
{
    page_table(json_object_get(answer, "brakes"), "No brake is set.", columns,
               sizeof columns / sizeof columns[0]);
}

static void print_set(const json_t *answer)
{
    const json_t *brake = json_object_get(answer, "brake");
    const json_t *pulled = json_object_get(answer, "pulled_back");
    char local[INSTANT_SIZE];
    const char *until = page_text(brake, "until");
    instant_local(until, clock_wall_ms(), local);
    output_line("Brake on %s, %s, until %s.", page_text(brake, "key"),
                page_text(brake, "action"), until[0] == '\0' ? "it is cleared" : local);
    if (json_is_true(json_object_get(brake, "pending")))
        (void)puts("The store is away: the brake acts on this relay alone, and on the "
                   "others\nonce the store is back.");
    if (pulled == NULL)
        return;
    long long held = page_number(pulled, "held");
    (void)printf("%lld %s still in the queue %s put on hold.\n", held,
                 page_plural(held, "message", "messages"),
                 page_plural(held, "was", "were"));
    long long unrecorded = page_number(pulled, "unrecorded");
    if (unrecorded > 0)
        (void)printf("%lld more %s put on hold, but not recorded yet: run `mailbrake "
                     "quarantine sync`.\n",
                     unrecorded, page_plural(unrecorded, "was", "were"));
}

static void print_cleared(const json_t *answer)
{
    output_line("Brake on %s cleared.", page_text(answer, "key"));
}

/* NULL without memory. */
static json_t *make_body(const struct control_client *client, const char *key)
{
    return json_pack("{s:o, s:s*, s:s*, s:o*, s:b}", "key", json_output_string(key),
                     "for", client->duration, "action", client->action, "reason",
                     client->reason == NULL ? NULL : json_output_string(client->reason),
                     "pull_back", (client->given & CONTROL_CLIENT_PULL_BACK) != 0);
}

static int set(struct control_client *client)
{
    json_t *body = make_body(client, control_client_word(client, 1));
    json_t *answer =
        body == NULL ? NULL : control_client_ask(client, "PUT", "/v1/brakes", NULL, body);
    json_decref(body);
    const json_t *pulled = json_object_get(answer, "pulled_back");
    bool complete = page_text(pulled, "error")[0] == '\0' &&
                    page_number(pulled, "failed") == 0 &&
                    page_number(pulled, "unrecorded") == 0;
    if (!complete)
        output_complaint(page_text(pulled, "error")[0] == '\0'
                             ? "not all that was queued could be pulled back"
                             : page_text(pulled, "error"));
    int result = control_client_show(client, answer, print_set);
    return complete ? result : EXIT_FAILED;
}

int verb_brake(int argc, char **argv)
{
    static const struct control_action actions[] = {
        {"list", .method = "GET", .path = "/v1/brakes", .show = print_brakes},
        {"set", 1, 1,
         .takes = CONTROL_CLIENT_FOR | CONTROL_CLIENT_ACTION | CONTROL_CLIENT_REASON |
                  CONTROL_CLIENT_PULL_BACK,
         .run = set},
        {"clear", 1, 1, .method = "DELETE", .path = "/v1/brakes?key=%s",
         .show = print_cleared},
    };
    static const struct control_verb verb = {
        "usage: mailbrake brake list\n"
        "       mailbrake brake set KEY [--for 4h] [--action defer|reject|"
        "quarantine]\n"
        "                           [--reason TEXT] [--pull-back]\n"
        "       mailbrake brake clear KEY\n"
        "KEY is login:A, sender:A, client:ADDRESS, list:A, domain:D or all\n",
        actions, sizeof actions / sizeof actions[0]};
    return control_client_run(&verb, argc, argv);
}
