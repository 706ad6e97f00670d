/* GET /v1/audit: who did what. */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "control/api.h"

/* ms since 1970, or a duration before now ("2h"). */
static bool parse_since(const char *text, int64_t *out_ms)
{
    int64_t ago_ms;
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0') {
        *out_ms = strtoll(text, NULL, 10);
        return true;
    }
    if (duration_parse(text, &ago_ms, NULL) != STATUS_OK)
        return false;
    *out_ms = clock_wall_ms() - ago_ms;
    return true;
}

void api_audit_show(struct request *request)
{
    struct error error = {0};
    json_t *entries = NULL;
    int64_t since_ms = 0;
    const char *since = request_query(request, "since");
    if (since != NULL && !parse_since(since, &since_ms)) {
        request_fail(request, MHD_HTTP_BAD_REQUEST,
                     "\"since\" is a duration (2h) or ms since 1970");
        return;
    }
    enum status status = audit_read(request->context->audit, since_ms, &entries, &error);
    if (status != STATUS_OK)
        request_fail_status(request, status, &error, "audit");
    else
        request_answer(request, json_pack("{s:o}", "audit", entries));
    request_audit(request, "audit", since == NULL ? "" : since, request_result(request));
}
