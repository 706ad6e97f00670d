/* GET /v1/holds/ID/content: of all looks the one that shows what somebody wrote. */
#include <microhttpd.h>
#include <string.h>

#include "control/api.h"
#include "control/content/content.h"

static bool is_said(const char *purpose)
{
    return purpose[strspn(purpose, " ")] != '\0';
}

/* Answers with what may be shown of a hold. */
static void show(struct request *request, const json_t *hold)
{
    struct text excerpt = {0};
    struct error error = {0};
    enum status status = actions_content(request->context->actions, request->settings,
                                         hold, &excerpt, &error);
    if (status == STATUS_OK) {
        json_t *shown =
            content_json(text_string(&excerpt), request->settings->mta.content);
        if (shown != NULL)
            (void)json_object_set_new(shown, "id", json_string(request->id));
        request_answer(request, shown);
    } else {
        request_fail_status(request, status, &error, request->id);
    }
    text_clear(&excerpt);
}

void api_content_show(struct request *request)
{
    json_t *hold = NULL;
    enum content content = request->settings->mta.content;
    enum status status = ledger_find_hold(request->context->ledger, request->id,
                                          request_deadline_us(), &hold);
    if (content == CONTENT_NONE)
        request_fail(request, MHD_HTTP_FORBIDDEN,
                     "nobody may read held mail here: quarantine.content is \"none\"");
    else if (content == CONTENT_TEXT && !is_said(request->purpose))
        request_fail(request, MHD_HTTP_BAD_REQUEST,
                     "reading a message needs a purpose (--purpose, X-Purpose)");
    else if (status == STATUS_NOT_FOUND)
        request_fail(request, MHD_HTTP_NOT_FOUND, "there is no held message %s",
                     request->id);
    else if (status != STATUS_OK)
        request_fail_status(request, status, NULL, request->id);
    else
        show(request, hold);
    json_decref(hold);
    request_audit(request, "content", request->id, request_result(request));
}
