/* mailbrake quarantine: what is held, and what becomes of it. */
#include <stdio.h>
#include <string.h>

#include "admin/dialogue.h"
#include "admin/output.h"
#include "admin/table.h"
#include "admin/verbs.h"
#include "base/digest.h"

static int usage(void)
{
    (void)fputs("usage: mailbrake quarantine list [--incident I] [--all]\n"
                "       mailbrake quarantine show ID\n"
                "       mailbrake quarantine release|refuse|delete ID... | --incident I\n"
                "       mailbrake quarantine sync\n",
                stderr);
    return EXIT_USAGE;
}

/* As the ledger makes them; anything else (ALL, -, a path) is not even asked for. */
static bool is_id(const char *text)
{
    return strlen(text) == DIGEST_ID_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == DIGEST_ID_SIZE - 1;
}

/* ---- looking ---- */

static void print_hold(const json_t *hold)
{
    const char *state = table_text(hold, "state");
    table_cell(table_text(hold, "id"), 16);
    table_instant(table_text(hold, "held_at"), 12);
    table_cell(table_text(hold, "rule"), 16);
    table_count(table_number(hold, "reach"), 7);
    table_cell(table_text(hold, "incident"), 16);
    if (strcmp(state, "held") != 0)
        table_cell(state, 9);
    table_end(table_text(hold, "identity"), strcmp(state, "held") != 0 ? 18 : 28);
}

static void print_holds(const json_t *answer)
{
    size_t i;
    const json_t *hold;
    long long held = 0;
    long long reach = 0;
    const json_t *holds = json_object_get(answer, "holds");
    if (json_array_size(holds) > 0)
        (void)printf("%-16s %-12s %-16s %7s %-16s %s\n", "ID", "HELD", "RULE", "REACH",
                     "INCIDENT", "FROM");
    json_array_foreach(holds, i, hold)
    {
        print_hold(hold);
        if (strcmp(table_text(hold, "state"), "held") == 0) {
            held++;
            reach += table_number(hold, "reach");
        }
    }
    if (held == 0)
        (void)puts("No message is held.");
    else
        (void)printf("%lld %s held; released, they would be %lld %s of mail.\n", held,
                     table_plural(held, "message is", "messages are"), reach,
                     table_plural(reach, "copy", "copies"));
}

static int list(struct dialogue *dialogue)
{
    const char *path =
        dialogue->all ? "/v1/holds?all=1&incident=%s" : "/v1/holds?incident=%s";
    if (dialogue->incident == NULL)
        path = dialogue->all ? "/v1/holds?all=1" : "/v1/holds";
    return dialogue_show(dialogue,
                         dialogue_ask(dialogue, "GET", path, dialogue->incident, NULL),
                         print_holds);
}

static void print_whole_hold(const json_t *hold)
{
    const json_t *release = json_object_get(hold, "release");
    const char *sender = table_text(hold, "sender");
    table_field("message", table_text(hold, "id"));
    table_field("state", table_text(hold, "state"));
    (void)printf("%-14s ", "held since");
    table_instant(table_text(hold, "held_at"), 20);
    (void)fputc('\n', stdout);
    table_field("rule", table_text(hold, "rule"));
    table_field("incident", table_text(hold, "incident"));
    table_field("identity", table_text(hold, "identity"));
    table_field("MAIL FROM", sender[0] == '\0' ? "<>" : sender);
    table_strings("addressed to", json_object_get(hold, "addressed"),
                  table_number(hold, "addressed_count"));
    table_strings("lists", json_object_get(hold, "lists"),
                  table_number(hold, "list_count"));
    (void)printf("%-14s %lld %s\n", "reach", table_number(hold, "reach"),
                 table_plural(table_number(hold, "reach"), "mailbox", "mailboxes"));
    (void)printf("%-14s %s of ", "queue", table_text(hold, "queue_id"));
    output_escaped(table_text(hold, "host"));
    (void)fputc('\n', stdout);
    table_field("if refused", json_is_true(json_object_get(hold, "tell"))
                                  ? "the sender is told"
                                  : "nobody is told: the sender may be forged");
    table_field("if released", table_text(release, "text"));
}

static int show(struct dialogue *dialogue)
{
    const char *id = dialogue_word(dialogue, 1);
    if (!is_id(id)) {
        output_complaint("this is no id of a held message");
        return EXIT_FAILED;
    }
    return dialogue_show(dialogue,
                         dialogue_ask(dialogue, "GET", "/v1/holds/%s", id, NULL),
                         print_whole_hold);
}

/* ---- deciding ---- */

/* {"id", "ok"} or {"id", "ok", "error"} */
static json_t *decide_one(struct dialogue *dialogue, const char *verb, const char *id)
{
    struct error error = {0};
    struct text path = {0};
    json_t *answer = NULL;
    text_add_string(&path, "/v1/holds/");
    remote_add_escaped(&path, id);
    text_printf(&path, "/%s", verb);
    const struct remote_call call = {
        .method = "POST", .path = text_string(&path), .purpose = dialogue->purpose};
    enum status status = is_id(id) ? remote_ask(dialogue->remote, &call, &answer, &error)
                                   : error_set(&error, STATUS_NOT_FOUND,
                                               "\"%s\" is no id of a held message", id);
    text_clear(&path);
    const char *said = table_text(answer, "error");
    json_t *result =
        status == STATUS_OK
            ? json_pack("{s:o, s:b}", "id", output_string(id), "ok", 1)
            : json_pack("{s:o, s:b, s:o}", "id", output_string(id), "ok", 0, "error",
                        output_string(said[0] != '\0' ? said : error.text));
    json_decref(answer);
    return result;
}

static json_t *decide_each(struct dialogue *dialogue, const char *verb)
{
    const char *id;
    long long done = 0;
    long long failed = 0;
    json_t *results = json_array();
    for (int i = 1; (id = dialogue_word(dialogue, i)) != NULL; i++) {
        json_t *result = decide_one(dialogue, verb, id);
        bool ok = json_is_true(json_object_get(result, "ok"));
        done += ok;
        failed += !ok;
        (void)json_array_append_new(results, result);
    }
    return json_pack("{s:o, s:I, s:I}", "results", results, "done", (json_int_t)done,
                     "failed", (json_int_t)failed);
}

/* One line for each, failures to stderr. */
static void print_results(const json_t *answer, const char *past)
{
    size_t i;
    const json_t *result;
    const json_t *results = json_object_get(answer, "results");
    json_array_foreach(results, i, result)
    {
        const char *id = table_text(result, "id");
        if (!json_is_true(json_object_get(result, "ok"))) {
            output_complaint(table_text(result, "error"));
            continue;
        }
        output_escaped(id);
        (void)printf(" %s\n", past);
    }
    long long done = table_number(answer, "done");
    if (json_array_size(results) != 1)
        (void)printf("%lld %s %s, %lld failed.\n", done,
                     table_plural(done, "message", "messages"), past,
                     table_number(answer, "failed"));
}

static const char *const decisions[][2] = {
    {"release", "released"}, {"refuse", "refused"}, {"delete", "deleted"}};

static int decide(struct dialogue *dialogue, const char *const decision[2])
{
    struct text path = {0};
    json_t *answer;
    if (dialogue->incident == NULL) {
        answer = decide_each(dialogue, decision[0]);
    } else {
        text_printf(&path, "/v1/incidents/%%s/%s", decision[0]);
        answer =
            dialogue_ask(dialogue, "POST", text_string(&path), dialogue->incident, NULL);
        text_clear(&path);
    }
    if (answer == NULL)
        return EXIT_FAILED;
    bool failed = table_number(answer, "failed") > 0;
    if (!dialogue->arguments.json) {
        print_results(answer, decision[1]);
        json_decref(answer);
    } else if (!output_json(answer)) {
        failed = true;
    }
    return failed ? EXIT_FAILED : EXIT_DONE;
}

static void print_sync(const json_t *answer)
{
    (void)printf("%lld on hold in the queue: %lld known, %lld recorded anew, %lld not "
                 "Mailbrake's, %lld failed.\n%lld %s of messages that are gone ended.\n",
                 table_number(answer, "in_queue"), table_number(answer, "known"),
                 table_number(answer, "restored"), table_number(answer, "foreign"),
                 table_number(answer, "failed"), table_number(answer, "ended"),
                 table_plural(table_number(answer, "ended"), "record", "records"));
}

static int run(struct dialogue *dialogue, const char *what)
{
    if (strcmp(what, "list") == 0)
        return list(dialogue);
    if (strcmp(what, "show") == 0)
        return show(dialogue);
    if (strcmp(what, "sync") == 0)
        return dialogue_show(
            dialogue, dialogue_ask(dialogue, "POST", "/v1/sync", NULL, NULL), print_sync);
    for (size_t i = 0; i < sizeof decisions / sizeof decisions[0]; i++) {
        if (strcmp(what, decisions[i][0]) == 0)
            return decide(dialogue, decisions[i]);
    }
    return usage();
}

/* The words that each needs. */
static bool is_complete(const struct dialogue *dialogue, const char *what)
{
    int words = dialogue->arguments.word_count;
    if (strcmp(what, "list") == 0 || strcmp(what, "sync") == 0)
        return words == 1;
    if (strcmp(what, "show") == 0)
        return words == 2;
    return dialogue->incident == NULL ? words > 1 : words == 1;
}

int verb_quarantine(int argc, char **argv)
{
    struct dialogue dialogue;
    if (dialogue_parse(&dialogue, argc, argv, DIALOGUE_INCIDENT | DIALOGUE_ALL) !=
        STATUS_OK)
        return EXIT_USAGE;
    const char *what = dialogue_word(&dialogue, 0);
    if (what == NULL || !is_complete(&dialogue, what))
        return usage();
    int result = dialogue_open(&dialogue) ? run(&dialogue, what) : EXIT_FAILED;
    dialogue_close(&dialogue);
    return result;
}
