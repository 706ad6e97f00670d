/* The daemon's answer counts only if it runs the named file: to try out another file, its
 * own rules are needed, not those in force. */
#include "cli/explain_live.h"

#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "cli/page.h"
#include "cli/remote.h"

enum { TIMEOUT_S = 15 };

/* The daemon runs the file that was named. */
static bool is_same(const struct arguments *arguments, const json_t *answer)
{
    char *ours = realpath(arguments->config, NULL);
    bool same = ours != NULL && strcmp(ours, page_text(answer, "configuration")) == 0;
    free(ours);
    return arguments->socket != NULL || same;
}

static enum status ask(const struct arguments *arguments, struct remote *remote,
                       const struct remote_call *call, json_t **out)
{
    struct error error = {0};
    json_t *answer = NULL;
    enum status status = remote_ask(remote, call, &answer, &error);
    if (status == STATUS_OK && !is_same(arguments, answer))
        status = STATUS_UNAVAILABLE;
    else if (status == STATUS_INVALID)
        output_complaint(page_text(answer, "error"));
    else if (status != STATUS_OK && arguments->socket != NULL)
        output_complaint(error.text);
    if (status == STATUS_OK)
        *out = json_incref(answer);
    json_decref(answer);
    if (status == STATUS_OK || arguments->socket == NULL)
        return status == STATUS_OK ? status : STATUS_UNAVAILABLE;
    return STATUS_INVALID;
}

enum status explain_live(const struct arguments *arguments, const char *purpose,
                         const json_t *body, json_t **out)
{
    struct problems problems = {0};
    char *socket = remote_socket(arguments, &problems);
    struct remote *remote = socket == NULL ? NULL : remote_new(socket);
    enum status status = STATUS_UNAVAILABLE;
    const struct remote_call call = {.method = "POST",
                                     .path = "/v1/explain",
                                     .purpose = purpose,
                                     .body = body,
                                     .timeout_s = TIMEOUT_S};
    if (remote != NULL)
        status = ask(arguments, remote, &call, out);
    remote_free(remote);
    free(socket);
    problems_clear(&problems); /* explain without the daemon reports them */
    return status;
}
