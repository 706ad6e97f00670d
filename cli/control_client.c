/* One table of options for all verbs, of which each takes its own. */
#include "cli/control_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/output.h"
#include "engine/json_output.h"

enum { OPTION_PURPOSE = 256, OPTION_FIRST = 300 };

static const struct {
    unsigned take;
    struct option option;
} options[] = {
    {0, {"purpose", required_argument, NULL, OPTION_PURPOSE}},
    {CONTROL_CLIENT_INCIDENT, {"incident", required_argument, NULL, OPTION_FIRST + 0}},
    {CONTROL_CLIENT_ALL, {"all", no_argument, NULL, OPTION_FIRST + 1}},
    {CONTROL_CLIENT_FOR, {"for", required_argument, NULL, OPTION_FIRST + 2}},
    {CONTROL_CLIENT_ACTION, {"action", required_argument, NULL, OPTION_FIRST + 3}},
    {CONTROL_CLIENT_REASON, {"reason", required_argument, NULL, OPTION_FIRST + 4}},
    {CONTROL_CLIENT_PULL_BACK, {"pull-back", no_argument, NULL, OPTION_FIRST + 5}},
    {CONTROL_CLIENT_SINCE, {"since", required_argument, NULL, OPTION_FIRST + 6}},
};

enum { OPTION_COUNT = sizeof options / sizeof options[0] };

static enum status take(void *context, int val, const char *argument)
{
    struct control_client *client = context;
    switch (val) {
    case OPTION_PURPOSE:
        client->purpose = argument;
        break;
    case OPTION_FIRST + 0:
        client->incident = argument;
        break;
    case OPTION_FIRST + 1:
        client->all = true;
        break;
    case OPTION_FIRST + 2:
        client->duration = argument;
        break;
    case OPTION_FIRST + 3:
        client->action = argument;
        break;
    case OPTION_FIRST + 4:
        client->reason = argument;
        break;
    case OPTION_FIRST + 5:
        client->pull_back = true;
        break;
    case OPTION_FIRST + 6:
        client->since = argument;
        break;
    default:
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

static enum status refuse(const char *text)
{
    output_complaint(text);
    return STATUS_INVALID;
}

/* What can be wrong without anybody being asked. */
static enum status check(const struct control_client *client)
{
    static const char *const actions[] = {"defer", "reject", "quarantine"};
    struct error error = {0};
    int64_t ms;
    const char *since = client->since;
    bool instant =
        since != NULL && since[0] != '\0' && since[strspn(since, "0123456789")] == '\0';
    bool known = client->action == NULL;
    if (client->duration != NULL &&
        (duration_parse(client->duration, &ms, &error) != STATUS_OK || ms <= 0))
        return refuse("--for wants a duration, as in 4h");
    if (since != NULL && !instant && duration_parse(since, &ms, &error) != STATUS_OK)
        return refuse("--since wants a duration, as in 2h");
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        known = known || strcmp(client->action, actions[i]) == 0;
    return known ? STATUS_OK : refuse("--action wants defer, reject or quarantine");
}

enum status control_client_parse(struct control_client *client, int argc, char **argv,
                                 unsigned takes)
{
    struct option list[OPTION_COUNT + 1] = {0};
    size_t count = 0;
    *client = (struct control_client){0};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].take == 0 || (options[i].take & takes) != 0)
            list[count++] = options[i].option;
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

bool control_client_open(struct control_client *client)
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

void control_client_close(struct control_client *client)
{
    remote_free(client->remote);
    client->remote = NULL;
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
