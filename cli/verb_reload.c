/* mailbrake reload: reads the configuration again. */
#include <stdio.h>

#include "base/output.h"
#include "cli/control_client.h"
#include "cli/page.h"
#include "cli/verbs.h"
#include "engine/json_output.h"

static void take(struct problems *problems, const json_t *array, bool warnings)
{
    size_t i;
    const json_t *item;
    json_array_foreach(array, i, item)
    {
        const char *file = page_text(item, "file");
        int line = (int)page_number(item, "line");
        const char *text = page_text(item, "text");
        if (warnings)
            problems_warning(problems, file, line, "%s", text);
        else
            problems_error(problems, file, line, "%s", text);
    }
}

/* Prints the daemon's problems as check prints its own. */
static void print_problems(const json_t *answer)
{
    struct problems problems = {0};
    take(&problems, json_object_get(answer, "warnings"), true);
    take(&problems, json_object_get(answer, "errors"), false);
    output_problems(&problems);
    problems_clear(&problems);
}

static int reload(struct control_client *client)
{
    struct error error = {0};
    json_t *answer = NULL;
    const struct remote_call call = {
        .method = "POST", .path = "/v1/reload", .purpose = client->purpose};
    enum status status = remote_ask(client->remote, &call, &answer, &error);
    bool ok = status == STATUS_OK;
    const char *refusal = page_text(answer, "error");
    if (answer == NULL || refusal[0] != '\0') {
        output_complaint(answer == NULL ? error.text : refusal);
        json_decref(answer);
        return EXIT_FAILED;
    }
    if (client->arguments.json)
        return json_output_print(answer) && ok ? EXIT_DONE : EXIT_FAILED;
    print_problems(answer);
    if (ok) {
        (void)puts("Reloaded.");
        page_restart(json_object_get(answer, "restart"));
        const json_t *reading = json_object_get(answer, "reading");
        if (json_array_size(reading) > 0)
            page_strings("being read", reading, (long long)json_array_size(reading));
    } else
        output_complaint("not reloaded: the old rules stay in force");
    json_decref(answer);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

int verb_reload(int argc, char **argv)
{
    static const struct control_action action = {.run = reload};
    static const struct control_verb verb = {"usage: mailbrake reload\n", &action, 1};
    return control_client_run(&verb, argc, argv);
}
