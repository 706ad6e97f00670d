/* mailbrake brake: stops mail by hand, before all rules. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/output.h"
#include "base/text_table.h"
#include "cli/control_client.h"
#include "cli/page.h"
#include "cli/verbs.h"
#include "engine/json_output.h"

static const struct text_table_column columns[] = {
    {"KEY", TEXT_TABLE_KEY}, {"ACTION", TEXT_TABLE_TEXT}, {"UNTIL", TEXT_TABLE_TEXT},
    {"BY", TEXT_TABLE_TEXT}, {"REASON", TEXT_TABLE_TEXT},
};

static void add_brake(struct text_table *table, const json_t *brake)
{
    const char *until = page_text(brake, "until");
    text_table_add(table, page_text(brake, "key"));
    text_table_add(table, page_text(brake, "action"));
    if (until[0] == '\0')
        text_table_add(table, "cleared");
    else
        text_table_add_instant(table, until);
    text_table_add(table, page_text(brake, "by"));
    text_table_add(table, page_text(brake, "reason"));
}

static void print_brakes(const json_t *answer)
{
    page_table(json_object_get(answer, "brakes"), "No brake is set.", columns,
               sizeof columns / sizeof columns[0], add_brake);
}

static void print_until(const json_t *brake)
{
    char local[INSTANT_SIZE];
    const char *until = page_text(brake, "until");
    instant_local(until, clock_wall_ms(), local);
    output_escaped(until[0] == '\0' ? "it is cleared" : local);
}

static void print_set(const json_t *answer)
{
    const json_t *brake = json_object_get(answer, "brake");
    const json_t *pulled = json_object_get(answer, "pulled_back");
    (void)fputs("Brake on ", stdout);
    output_escaped(page_text(brake, "key"));
    (void)printf(", %s, until ", page_text(brake, "action"));
    print_until(brake);
    (void)puts(".");
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
    (void)fputs("Brake on ", stdout);
    output_escaped(page_text(answer, "key"));
    (void)puts(" cleared.");
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
