/* mailbrake quarantine: held messages, shown and decided about. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/output.h"
#include "cli/control_client.h"
#include "cli/page.h"
#include "cli/verbs.h"
#include "engine/json_output.h"

/* True for an id as the ledger makes them; nothing else (ALL, -, a path) is sent. */
static bool is_id(const char *text)
{
    return strlen(text) == DIGEST_ID_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == DIGEST_ID_SIZE - 1;
}

/* False, after a message on stderr, for anything else. */
static bool expect_id(const char *text)
{
    char line[200];
    if (is_id(text))
        return true;
    (void)snprintf(line, sizeof line, "\"%.100s\" is not the id of a held message", text);
    output_complaint(line);
    return false;
}

/* ---- looking ---- */

/* HELD ON is shown only if several relays hold messages, STATE only if some message is no
 * longer held, or was approved by somebody: who that was comes behind it. */
static const struct page_column columns[] = {
    {"ID", TEXT_TABLE_KEY, "id", NULL},
    {"HELD", TEXT_TABLE_WHOLE, "held_at", page_cell_instant},
    {"RULE", TEXT_TABLE_TEXT, "rule", NULL},
    {"REACH", TEXT_TABLE_NUMBER, "reach", page_cell_reach},
    {"INCIDENT", TEXT_TABLE_KEY, "incident", NULL},
    {"FROM", TEXT_TABLE_TEXT, "identity", NULL},
    {"LISTS", TEXT_TABLE_TEXT, NULL, page_cell_lists},
};
static const struct page_column host_column = {"HELD ON", TEXT_TABLE_TEXT, "host", NULL};
static const struct page_column state_columns[] = {
    {"STATE", TEXT_TABLE_TEXT, "state", NULL},
    {"APPROVED BY", TEXT_TABLE_TEXT, NULL, page_cell_approved},
};

enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };

static void print_rows(const json_t *holds, const char *none, bool with_host,
                       bool with_state, bool with_approved)
{
    struct page_column shown[COLUMN_COUNT + 3];
    size_t count = COLUMN_COUNT;
    memcpy(shown, columns, sizeof columns);
    if (with_host)
        shown[count++] = host_column;
    if (with_state || with_approved)
        shown[count++] = state_columns[0];
    if (with_approved)
        shown[count++] = state_columns[1];
    page_table(holds, none, shown, count);
}

static bool is_held(const json_t *hold)
{
    return strcmp(page_text(hold, "state"), "held") == 0;
}

static void print_table(const json_t *answer, const char *none)
{
    size_t i;
    const json_t *hold;
    size_t held = 0;
    long long reach = 0;
    bool known = true;
    bool approved = false;
    bool several = false;
    const json_t *holds = json_object_get(answer, "holds");
    json_array_foreach(holds, i, hold)
    {
        held += is_held(hold);
        reach += is_held(hold) ? page_number(hold, "reach") : 0;
        known = known && (!is_held(hold) || page_knows_reach(hold));
        approved = approved || json_is_array(json_object_get(hold, "approved_by"));
        several = several || strcmp(page_text(hold, "host"),
                                    page_text(json_array_get(holds, 0), "host")) != 0;
    }
    if (json_array_size(holds) > 0)
        print_rows(holds, none, several, held < json_array_size(holds), approved);
    if (held == 0)
        (void)puts(none);
    else if (!known && reach == 0)
        (void)printf("%zu %s held; how many copies %s would be is not known.\n", held,
                     page_plural((long long)held, "message is", "messages are"),
                     page_plural((long long)held, "it", "they"));
    else
        (void)printf("%zu %s held; released, %s would be %s%lld %s of mail.\n", held,
                     page_plural((long long)held, "message is", "messages are"),
                     page_plural((long long)held, "it", "they"), known ? "" : "at least ",
                     reach, page_plural(reach, "copy", "copies"));
}

static void print_holds(const json_t *answer)
{
    print_table(answer, "No message is held.");
}

/* The incident's id may be mistyped. */
static void print_holds_of_incident(const json_t *answer)
{
    print_table(answer, "No message of this incident is held.");
}

/* The command that shows the whole message on the relay that holds it. */
static void print_command(const json_t *hold)
{
    const char *command = page_text(hold, "command");
    if (command[0] != '\0')
        page_field("to read it", command);
}

static void print_whole_hold(const json_t *hold)
{
    const json_t *release = json_object_get(hold, "release");
    const char *sender = page_text(hold, "sender");
    page_field("message", page_text(hold, "id"));
    page_field("state", page_text(hold, "state"));
    page_instant("held since", page_text(hold, "held_at"));
    page_field("rule", page_text(hold, "rule"));
    page_field("incident", page_text(hold, "incident"));
    page_field("identity", page_text(hold, "identity"));
    page_field("MAIL FROM", sender[0] == '\0' ? "<>" : sender);
    page_strings("addressed to", json_object_get(hold, "addressed"),
                 page_number(hold, "addressed_count"));
    page_strings("lists", json_object_get(hold, "lists"),
                 page_number(hold, "list_count"));
    if (page_knows_reach(hold))
        (void)printf("%-14s %lld %s\n", "reach", page_number(hold, "reach"),
                     page_plural(page_number(hold, "reach"), "mailbox", "mailboxes"));
    else
        page_field("reach", "not known: it was accepted before and pulled back");
    output_line("%-14s %s of %s", "queue", page_text(hold, "queue_id"),
                page_text(hold, "host"));
    print_command(hold);
    if (json_is_array(json_object_get(hold, "approved_by")))
        page_strings("approved by", json_object_get(hold, "approved_by"),
                     (long long)json_array_size(json_object_get(hold, "approved_by")));
    page_field("if refused", json_is_true(json_object_get(hold, "tell"))
                                 ? "the sender is told"
                                 : "nobody is told: the sender may be forged, or "
                                   "can't be written to");
    page_field("if released", page_text(release, "text"));
}

static void print_attachments(const json_t *content)
{
    size_t i;
    const json_t *attachment;
    const json_t *attachments = json_object_get(content, "attachments");
    json_array_foreach(attachments, i, attachment)
    {
        struct text line = {0};
        const char *name = page_text(attachment, "name");
        text_printf(&line, "%s, %s, %lld bytes", name[0] == '\0' ? "(no name)" : name,
                    page_text(attachment, "type"), page_number(attachment, "size"));
        page_readable(i == 0 ? "attached" : "", text_string(&line));
        text_clear(&line);
    }
    long long count = page_number(content, "attachment_count");
    if (count > (long long)json_array_size(attachments))
        (void)printf("%-14s and %lld more\n", "",
                     count - (long long)json_array_size(attachments));
}

static void print_header(const json_t *content)
{
    size_t i;
    const json_t *field;
    json_array_foreach(json_object_get(content, "header"), i, field)
    {
        struct text line = {0};
        text_printf(&line, "%s: %s", page_text(field, "name"), page_text(field, "value"));
        page_readable(i == 0 ? "header" : "", text_string(&line));
        text_clear(&line);
    }
}

static void print_content(const json_t *content)
{
    bool named = json_is_string(json_object_get(content, "subject"));
    page_readable("subject", named ? page_text(content, "subject") : "(none)");
    if (strcmp(page_text(content, "allowed"), "text") != 0)
        return;
    print_attachments(content);
    if (json_is_false(json_object_get(content, "complete")))
        page_field("", "the message is long: there may be more attachments");
    print_header(content);
    page_readable("text", page_text(content, "text"));
    if (json_is_true(json_object_get(content, "text_cut")))
        page_field("", "(cut here)");
}

static void print_hold_and_content(const json_t *hold)
{
    print_whole_hold(hold);
    if (json_object_get(hold, "content") != NULL)
        print_content(json_object_get(hold, "content"));
}

/* The content is asked for first: where that is refused, nothing else is written down. */
static int show(struct control_client *client)
{
    const char *id = control_client_word(client, 1);
    json_t *content = NULL;
    if (!expect_id(id))
        return EXIT_FAILED;
    if ((client->given & CONTROL_CLIENT_CONTENT) != 0) {
        content = control_client_ask(client, "GET", "/v1/holds/%s/content", id, NULL);
        if (content == NULL)
            return EXIT_FAILED;
    }
    json_t *hold = control_client_ask(client, "GET", "/v1/holds/%s", id, NULL);
    if (hold != NULL && content != NULL)
        (void)json_object_set(hold, "content", content);
    json_decref(content);
    return control_client_show(client, hold, print_hold_and_content);
}

/* ---- deciding ---- */

/* What a release says beside the ids; NULL: nothing. */
static json_t *make_body(const struct control_client *client)
{
    json_t *body = json_object();
    if (client->reach != NULL) /* NOLINTNEXTLINE(cert-err34-c): it was checked */
        (void)json_object_set_new(body, "reach", json_integer(atoll(client->reach)));
    if (client->pace != NULL)
        (void)json_object_set_new(body, "pace", json_output_string(client->pace));
    return body;
}

/* One message; an error is its result. */
static json_t *decide_one(struct control_client *client, const char *verb)
{
    const char *id = control_client_word(client, 1);
    struct error error = {0};
    struct text path = {0};
    json_t *answer = NULL;
    text_add_string(&path, "/v1/holds/");
    remote_add_escaped(&path, id);
    text_printf(&path, "/%s", verb);
    json_t *body = make_body(client);
    const struct remote_call call = {.method = "POST",
                                     .path = text_string(&path),
                                     .purpose = client->purpose,
                                     .body = body};
    bool ok = remote_ask(client->remote, &call, &answer, &error) == STATUS_OK;
    const json_t *needs = json_object_get(answer, "needs");
    const json_t *approved_by =
        needs == NULL ? NULL : json_object_get(answer, "approved_by");
    json_decref(body);
    text_clear(&path);
    const char *said = page_text(answer, "error");
    json_t *result =
        ok ? json_pack("{s:o, s:b, s:O*, s:O*, s:O*}", "id", json_output_string(id), "ok",
                       1, "untold", json_object_get(answer, "untold"), "approved_by",
                       approved_by, "needs", needs)
           : json_pack("{s:o, s:b, s:o}", "id", json_output_string(id), "ok", 0, "error",
                       json_output_string(said[0] != '\0' ? said : error.text));
    json_t *shown = json_pack("{s:[o], s:i, s:i, s:O*, s:O*}", "results", result, "done",
                              ok && needs == NULL, "failed", !ok, "approved_by",
                              approved_by, "needs", needs);
    json_decref(answer);
    return shown;
}

/* Several in one request, so that it is one action in the audit. NULL after a message on
 * stderr. */
static json_t *decide_many(struct control_client *client, const char *verb)
{
    const char *id;
    struct text path = {0};
    json_t *body = make_body(client);
    json_t *ids = json_array();
    for (int i = 1; (id = control_client_word(client, i)) != NULL; i++)
        (void)json_array_append_new(ids, json_output_string(id));
    (void)json_object_set_new(body, "ids", ids);
    text_printf(&path, "/v1/holds/%s", verb);
    json_t *answer = control_client_ask(client, "POST", text_string(&path), NULL, body);
    json_decref(body);
    text_clear(&path);
    return answer;
}

/* The words, or all of an incident. */
static json_t *decide_all(struct control_client *client, const char *verb)
{
    struct text path = {0};
    if (client->incident == NULL && client->arguments.word_count == 2)
        return decide_one(client, verb);
    if (client->incident == NULL)
        return decide_many(client, verb);
    text_printf(&path, "/v1/incidents/%%s/%s", verb);
    json_t *body = make_body(client);
    json_t *answer =
        control_client_ask(client, "POST", text_string(&path), client->incident, body);
    json_decref(body);
    text_clear(&path);
    return answer;
}

static void print_pace(const json_t *pace)
{
    long long messages = page_number(pace, "messages");
    output_line("%lld %s of incident %s %s released slowly, %s.", messages,
                page_plural(messages, "message", "messages"), page_text(pace, "incident"),
                page_plural(messages, "is", "are"), page_text(pace, "pace"));
    output_line("`mailbrake incidents show %s` shows how far it is, and with --stop "
                "stops it.",
                page_text(pace, "incident"));
}

static void print_sum(const json_t *answer, const char *past)
{
    long long done = page_number(answer, "done");
    long long failed = page_number(answer, "failed");
    long long waiting =
        (long long)json_array_size(json_object_get(answer, "results")) - done - failed;
    (void)printf("%lld %s %s, %lld failed", done,
                 page_plural(done, "message", "messages"), past, failed);
    if (waiting > 0)
        (void)printf(", %lld %s one more", waiting,
                     page_plural(waiting, "needs", "need"));
    (void)puts(".");
}

/* One line for each, failures to stderr. */
static void print_results(const json_t *answer, const char *past)
{
    size_t i;
    const json_t *result;
    const json_t *results = json_object_get(answer, "results");
    json_array_foreach(results, i, result)
    {
        if (!json_is_true(json_object_get(result, "ok"))) {
            output_complaint(page_text(result, "error"));
            continue;
        }
        if (json_object_get(result, "needs") != NULL) {
            const json_t *names = json_object_get(result, "approved_by");
            const char *name = json_string_value(json_array_get(names, 0));
            output_line("%s needs one more: approved by %s", page_text(result, "id"),
                        name == NULL ? "" : name);
            continue;
        }
        bool untold = json_is_true(json_object_get(result, "untold"));
        output_line("%s %s%s", page_text(result, "id"), past,
                    untold ? ", but its sender could not be told" : "");
    }
    const json_t *pace = json_object_get(answer, "pace");
    if (json_is_object(pace))
        print_pace(pace);
    else if (json_array_size(results) == 0)
        (void)puts("Nothing of this incident is held.");
    else if (json_array_size(results) > 1)
        print_sum(answer, past);
}

/* If any argument isn't a valid id, nothing is done. */
static bool are_ids(const struct control_client *client)
{
    const char *id;
    bool valid = true;
    for (int i = 1; (id = control_client_word(client, i)) != NULL; i++) {
        if (!expect_id(id))
            valid = false;
    }
    return valid;
}

static int decide(struct control_client *client)
{
    const char *verb = control_client_word(client, 0);
    if (!are_ids(client))
        return EXIT_FAILED;
    json_t *answer = decide_all(client, verb);
    if (answer == NULL)
        return EXIT_FAILED;
    bool failed = page_number(answer, "failed") > 0;
    if (!client->arguments.json) {
        print_results(answer, strcmp(verb, "release") == 0  ? "released"
                              : strcmp(verb, "refuse") == 0 ? "refused"
                                                            : "deleted");
        json_decref(answer);
    } else if (!json_output_print(answer)) {
        failed = true;
    }
    return failed ? EXIT_FAILED : EXIT_DONE;
}

/* Prints messages that could not be read to stderr. */
static void print_failures(const json_t *answer)
{
    size_t i;
    const json_t *failure;
    const json_t *failures = json_object_get(answer, "failures");
    json_array_foreach(failures, i, failure)
    {
        const char *id = page_text(failure, "queue_id");
        const char *why = page_text(failure, "error");
        char line[600];
        bool named = strncmp(why, id, strlen(id)) == 0;
        (void)snprintf(line, sizeof line, "%s%s%s", named ? "" : id, named ? "" : ": ",
                       why);
        output_complaint(line);
    }
    long long failed = page_number(answer, "failed");
    if (failed > (long long)json_array_size(failures)) {
        (void)fflush(stdout);
        (void)fprintf(stderr, "mailbrake: and %lld more\n",
                      failed - (long long)json_array_size(failures));
    }
}

static void print_sync(const json_t *answer)
{
    long long ended = page_number(answer, "ended");
    (void)printf("%lld on hold in the queue: %lld known, %lld newly recorded, %lld not "
                 "Mailbrake's, %lld failed.\n%lld %s ended: no longer on hold.\n",
                 page_number(answer, "in_queue"), page_number(answer, "known"),
                 page_number(answer, "restored"), page_number(answer, "foreign"),
                 page_number(answer, "failed"), ended,
                 page_plural(ended, "record", "records"));
    print_failures(answer);
    long long kept = page_number(answer, "kept");
    if (kept > 0)
        (void)printf("%lld %s left alone: not on hold here, but perhaps on another relay "
                     "of this name.\n",
                     kept, page_plural(kept, "record", "records"));
}

static int sync(struct control_client *client)
{
    json_t *answer = control_client_ask(client, "POST", "/v1/sync", NULL, NULL);
    bool complete = page_number(answer, "failed") == 0;
    int result = control_client_show(client, answer, print_sync);
    return complete ? result : EXIT_FAILED;
}

int verb_quarantine(int argc, char **argv)
{
    enum {
        ALL = CONTROL_CLIENT_ALL,
        INCIDENT = CONTROL_CLIENT_INCIDENT,
        REACH = CONTROL_CLIENT_REACH,
        PACE = CONTROL_CLIENT_PACE,
        CONTENT = CONTROL_CLIENT_CONTENT
    };
    static const struct control_action actions[] = {
        {"list", .method = "GET", .path = "/v1/holds", .show = print_holds},
        {"list", .needs = ALL, .method = "GET", .path = "/v1/holds?all=1",
         .show = print_holds},
        {"list", .needs = INCIDENT, .method = "GET", .path = "/v1/holds?incident=%s",
         .show = print_holds_of_incident},
        {"list", .needs = ALL | INCIDENT, .method = "GET",
         .path = "/v1/holds?all=1&incident=%s", .show = print_holds_of_incident},
        {"show", 1, 1, .takes = CONTENT, .run = show},
        {"release", 1, INT_MAX, .takes = REACH, .run = decide},
        {"release", .needs = INCIDENT, .takes = REACH | PACE, .run = decide},
        {"refuse", 1, INT_MAX, .run = decide},
        {"refuse", .needs = INCIDENT, .run = decide},
        {"delete", 1, INT_MAX, .run = decide},
        {"delete", .needs = INCIDENT, .run = decide},
        {"sync", .run = sync},
    };
    static const struct control_verb verb = {
        "usage: mailbrake quarantine list [--incident I] [--all]\n"
        "       mailbrake quarantine show ID [--content]\n"
        "       mailbrake quarantine release ID... [--reach N]\n"
        "       mailbrake quarantine release --incident I [--reach N] [--pace 60/m]\n"
        "       mailbrake quarantine refuse|delete ID... | --incident I\n"
        "       mailbrake quarantine sync\n",
        actions, sizeof actions / sizeof actions[0]};
    return control_client_run(&verb, argc, argv);
}
