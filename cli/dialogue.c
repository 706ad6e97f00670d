/* One table of options for all verbs, of which each takes its own. */
#include "cli/dialogue.h"

#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "engine/json_output.h"
#include "policy/rule.h"

enum { OPTION_PURPOSE = 256, OPTION_FIRST = 300 };

static const struct {
    unsigned take;
    struct option option;
} options[] = {
    {0, {"purpose", required_argument, NULL, OPTION_PURPOSE}},
    {DIALOGUE_INCIDENT, {"incident", required_argument, NULL, OPTION_FIRST + 0}},
    {DIALOGUE_ALL, {"all", no_argument, NULL, OPTION_FIRST + 1}},
    {DIALOGUE_FOR, {"for", required_argument, NULL, OPTION_FIRST + 2}},
    {DIALOGUE_ACTION, {"action", required_argument, NULL, OPTION_FIRST + 3}},
    {DIALOGUE_REASON, {"reason", required_argument, NULL, OPTION_FIRST + 4}},
    {DIALOGUE_PULL_BACK, {"pull-back", no_argument, NULL, OPTION_FIRST + 5}},
    {DIALOGUE_SINCE, {"since", required_argument, NULL, OPTION_FIRST + 6}},
};

enum { OPTION_COUNT = sizeof options / sizeof options[0] };

static enum status take(void *context, int val, const char *argument)
{
    struct dialogue *dialogue = context;
    switch (val) {
    case OPTION_PURPOSE:
        dialogue->purpose = argument;
        break;
    case OPTION_FIRST + 0:
        dialogue->incident = argument;
        break;
    case OPTION_FIRST + 1:
        dialogue->all = true;
        break;
    case OPTION_FIRST + 2:
        dialogue->duration = argument;
        break;
    case OPTION_FIRST + 3:
        dialogue->action = argument;
        break;
    case OPTION_FIRST + 4:
        dialogue->reason = argument;
        break;
    case OPTION_FIRST + 5:
        dialogue->pull_back = true;
        break;
    case OPTION_FIRST + 6:
        dialogue->since = argument;
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
static enum status check(const struct dialogue *dialogue)
{
    static const char *const actions[] = {"defer", "reject", "quarantine"};
    struct error error = {0};
    int64_t ms;
    const char *since = dialogue->since;
    bool instant =
        since != NULL && since[0] != '\0' && since[strspn(since, "0123456789")] == '\0';
    bool known = dialogue->action == NULL;
    if (dialogue->duration != NULL &&
        (duration_parse(dialogue->duration, &ms, &error) != STATUS_OK || ms <= 0))
        return refuse("--for wants a duration, as in 4h");
    if (since != NULL && !instant && duration_parse(since, &ms, &error) != STATUS_OK)
        return refuse("--since wants a duration, as in 2h");
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        known = known || strcmp(dialogue->action, actions[i]) == 0;
    return known ? STATUS_OK : refuse("--action wants defer, reject or quarantine");
}

enum status dialogue_parse(struct dialogue *dialogue, int argc, char **argv,
                           unsigned takes)
{
    struct option list[OPTION_COUNT + 1] = {0};
    size_t count = 0;
    *dialogue = (struct dialogue){0};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].take == 0 || (options[i].take & takes) != 0)
            list[count++] = options[i].option;
    }
    const struct arguments_extra extra = {
        .list = list, .take = take, .context = dialogue};
    enum status status = arguments_parse(argc, argv, &extra, &dialogue->arguments);
    return status == STATUS_OK ? check(dialogue) : status;
}

const char *dialogue_word(const struct dialogue *dialogue, int index)
{
    if (index >= dialogue->arguments.word_count)
        return NULL;
    return dialogue->arguments.words[index];
}

bool dialogue_open(struct dialogue *dialogue)
{
    struct problems problems = {0};
    char *socket = remote_socket(&dialogue->arguments, &problems);
    if (socket == NULL) {
        output_problems(&problems);
        output_complaint("the control socket is not known; --socket PATH names it");
    } else {
        dialogue->remote = remote_new(socket);
        if (dialogue->remote == NULL)
            output_complaint("out of memory");
    }
    problems_clear(&problems);
    free(socket);
    return dialogue->remote != NULL;
}

void dialogue_close(struct dialogue *dialogue)
{
    remote_free(dialogue->remote);
    dialogue->remote = NULL;
}

json_t *dialogue_ask(struct dialogue *dialogue, const char *method, const char *path,
                     const char *id, const json_t *body)
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
                                     .purpose = dialogue->purpose,
                                     .body = body};
    json_t *answer = NULL;
    if (full.failed)
        output_complaint("out of memory");
    else
        answer = remote_do(dialogue->remote, &call);
    text_clear(&full);
    return answer;
}

int dialogue_show(const struct dialogue *dialogue, json_t *answer,
                  void (*show)(const json_t *answer))
{
    if (answer == NULL)
        return EXIT_FAILED;
    if (dialogue->arguments.json)
        return json_output_print(answer) ? EXIT_DONE : EXIT_FAILED;
    show(answer);
    json_decref(answer);
    return EXIT_DONE;
}
