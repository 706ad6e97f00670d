/* /v1/progress: how far a request is that is still at work. */
#include <microhttpd.h>

#include "control/api.h"

void api_progress_show(struct request *request)
{
    size_t done, total;
    if (progress_get(request->progress, request->id, &done, &total))
        request_answer(request, json_pack("{s:I, s:I}", "done", (json_int_t)done, "total",
                                          (json_int_t)total));
    else
        request_fail(request, MHD_HTTP_NOT_FOUND, "no task has this token");
}
