/* One table of options for all verbs, of which each takes its own. */
#include "cli/control_client.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/instant.h"
#include "base/output.h"
#include "engine/json_output.h"

enum { OPTION_FIRST = 256 };

#define FIELD(member) offsetof(struct control_client, member)

static const struct {
    enum control_client_option option;
    size_t field; /* a const char *; unused without an argument */
    const char *name;
    int has_argument;
} options[] = {
    {CONTROL_CLIENT_PURPOSE, FIELD(purpose), "purpose", required_argument},
    {CONTROL_CLIENT_INCIDENT, FIELD(incident), "incident", required_argument},
    {CONTROL_CLIENT_ALL, 0, "all", no_argument},
    {CONTROL_CLIENT_FOR, FIELD(duration), "for", required_argument},
    {CONTROL_CLIENT_ACTION, FIELD(action), "action", required_argument},
    {CONTROL_CLIENT_REASON, FIELD(reason), "reason", required_argument},
    {CONTROL_CLIENT_PULL_BACK, 0, "pull-back", no_argument},
    {CONTROL_CLIENT_CONTENT, 0, "content", no_argument},
    {CONTROL_CLIENT_SINCE, FIELD(since), "since", required_argument},
    {CONTROL_CLIENT_REACH, FIELD(reach), "reach", required_argument},
    {CONTROL_CLIENT_PACE, FIELD(pace), "pace", required_argument},
    {CONTROL_CLIENT_STOP, 0, "stop", no_argument},
    {CONTROL_CLIENT_WOULD, 0, "would", no_argument},
    {CONTROL_CLIENT_RULE, FIELD(rule), "rule", required_argument},
    {CONTROL_CLIENT_COPIES, FIELD(copies), "copies", required_argument},
    {CONTROL_CLIENT_TO, 0, "to", required_argument},
    {CONTROL_CLIENT_FROM, FIELD(from), "from", required_argument},
};

enum { OPTION_COUNT = sizeof options / sizeof options[0] };

static enum status invalid(const char *text)
{
    output_complaint(text);
    return STATUS_INVALID;
}

static enum status take(void *context, int val, const char *argument)
{
    struct control_client *client = context;
    size_t i = (size_t)(val - OPTION_FIRST);
    client->given |= options[i].option;
    if (options[i].option == CONTROL_CLIENT_TO) {
        if (client->to_count == CONTROL_CLIENT_TO_MAX)
            return invalid("too many --to");
        client->to[client->to_count++] = argument;
    } else if (options[i].has_argument == required_argument)
        *(const char **)((char *)client + options[i].field) = argument;
    return STATUS_OK;
}

static bool is_number(const char *text, size_t digits_max)
{
    size_t length = strlen(text);
    return length > 0 && length <= digits_max && text[strspn(text, "0123456789")] == '\0';
}

/* Checks what can be checked without the daemon. */
static enum status check(const struct control_client *client)
{
    static const char *const actions[] = {"defer", "reject", "quarantine"};
    struct error error = {0};
    int64_t ms;
    const char *since = client->since;
    bool instant = since != NULL && is_number(since, 18);
    bool known = client->action == NULL;
    if (client->duration != NULL &&
        (duration_parse(client->duration, &ms, &error) != STATUS_OK || ms <= 0))
        return invalid("--for needs a duration, as in 4h");
    if (since != NULL && !instant && duration_parse(since, &ms, &error) != STATUS_OK)
        return invalid("--since needs a duration, as in 2h");
    if (client->reach != NULL && !is_number(client->reach, 9))
        return invalid("--reach needs a number of people, as in 412");
    if (client->copies != NULL && !is_number(client->copies, 18))
        return invalid("--copies needs a number");
    if (client->from != NULL && !instant_parse_local(client->from, &ms))
        return invalid("--from needs a local time, as in \"2026-12-01 08:00\"");
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        known = known || strcmp(client->action, actions[i]) == 0;
    return known ? STATUS_OK : invalid("--action needs defer, reject or quarantine");
}

static enum status parse(struct control_client *client, const struct control_verb *verb,
                         int argc, char **argv)
{
    struct option list[OPTION_COUNT + 1] = {0};
    unsigned takes = CONTROL_CLIENT_PURPOSE;
    size_t count = 0;
    for (size_t i = 0; i < verb->count; i++)
        takes |= verb->actions[i].needs | verb->actions[i].takes;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((options[i].option & takes) != 0)
            list[count++] = (struct option){options[i].name, options[i].has_argument,
                                            NULL, OPTION_FIRST + (int)i};
    }
    const struct arguments_extra extra = {.list = list, .take = take, .context = client};
    enum status status = arguments_parse(argc, argv, &extra, &client->arguments);
    return status == STATUS_OK ? check(client) : status;
}

const char *control_client_word(const struct control_client *client, int index)
{
    if (index >= client->arguments.word_count)
        return NULL;
    return client->arguments.words[index];
}

/* Finds the way to mailbraked; false after a message on stderr. */
static bool find_remote(struct control_client *client)
{
    struct problems problems = {0};
    char *socket = remote_socket(&client->arguments, &problems);
    if (socket == NULL) {
        output_problems(&problems);
        output_complaint("the control socket is not known; give it with --socket PATH");
    } else {
        client->remote = remote_new(socket);
        if (client->remote == NULL)
            output_complaint("out of memory");
    }
    problems_clear(&problems);
    free(socket);
    return client->remote != NULL;
}

json_t *control_client_ask(struct control_client *client, const char *method,
                           const char *path, const char *id, const json_t *body)
{
    struct text full = {0};
    const char *place = strstr(path, "%s");
    if (id == NULL || place == NULL) {
        text_add_string(&full, path);
    } else {
        text_add(&full, path, (size_t)(place - path));
        remote_add_escaped(&full, id);
        text_add_string(&full, place + 2);
    }
    const struct remote_call call = {.method = method,
                                     .path = text_string(&full),
                                     .purpose = client->purpose,
                                     .body = body};
    json_t *answer = NULL;
    if (full.failed)
        output_complaint("out of memory");
    else
        answer = remote_do(client->remote, &call);
    text_clear(&full);
    return answer;
}

int control_client_show(const struct control_client *client, json_t *answer,
                        void (*show)(const json_t *answer))
{
    if (answer == NULL)
        return EXIT_FAILED;
    if (client->arguments.json)
        return json_output_print(answer) ? EXIT_DONE : EXIT_FAILED;
    show(answer);
    json_decref(answer);
    return EXIT_DONE;
}

static bool fits(const struct control_client *client, const struct control_action *action)
{
    const char *name = control_client_word(client, 0);
    int words = client->arguments.word_count - (action->name != NULL);
    unsigned given = client->given & ~(unsigned)CONTROL_CLIENT_PURPOSE;
    return (action->name == NULL || (name != NULL && strcmp(name, action->name) == 0)) &&
           words >= action->least && words <= action->most &&
           (action->needs & ~given) == 0 &&
           (given & ~(action->needs | action->takes)) == 0;
}

static int run(struct control_client *client, const struct control_action *action)
{
    const char *id = control_client_word(client, action->name != NULL);
    id = client->incident != NULL ? client->incident : id;
    id = client->since != NULL ? client->since : id;
    if (action->run != NULL)
        return action->run(client);
    return control_client_show(
        client, control_client_ask(client, action->method, action->path, id, NULL),
        action->show);
}

int control_client_run(const struct control_verb *verb, int argc, char **argv)
{
    struct control_client client = {0};
    int result = EXIT_FAILED;
    size_t i = 0;
    if (parse(&client, verb, argc, argv) != STATUS_OK)
        return arguments_usage(verb->usage);
    while (i < verb->count && !fits(&client, &verb->actions[i]))
        i++;
    if (i == verb->count)
        return arguments_usage(verb->usage);
    if (find_remote(&client))
        result = run(&client, &verb->actions[i]);
    remote_free(client.remote);
    return result;
}
