/* POST /v1/reload: the configuration anew, or all that is wrong with it. */
#include <microhttpd.h>

#include "conf/sources.h"
#include "control/api.h"
#include "engine/json_output.h"

/* The servers' lists, which the reload did not wait for. */
static json_t *reading(const struct settings *settings)
{
    json_t *names = json_array();
    for (size_t i = 0; i < settings->list_count; i++) {
        if (sources_is_remote(&settings->lists[i]))
            (void)json_array_append_new(names,
                                        json_output_string(settings->lists[i].path));
    }
    return names;
}

void api_reload_run(struct request *request)
{
    const struct control_context *context = request->context;
    struct problems problems = {0};
    if (!request_begin(request, "reload", "", NULL))
        return;
    /* The old snapshot is freed by the reload: it must not wait for us. */
    snapshot_unref(request->snapshot);
    (void)pthread_mutex_lock(request->reloading);
    enum status status = context->reload(context->reload_context, &problems);
    (void)pthread_mutex_unlock(request->reloading);
    request->snapshot = current_snapshot_get(context->snapshots);
    request->settings = request->snapshot->settings;
    bool ok = status == STATUS_OK;
    if (!ok && problems.errors == 0)
        problems_error(&problems, "", 0, "not reloaded");
    request_answer(request, json_pack("{s:b, s:o, s:o, s:o, s:o}", "ok", ok, "errors",
                                      json_output_problems(&problems, false), "warnings",
                                      json_output_problems(&problems, true), "restart",
                                      json_output_restart(request->settings), "reading",
                                      ok ? reading(request->settings) : json_array()));
    if (!ok && request->code == MHD_HTTP_OK)
        request->code = MHD_HTTP_UNPROCESSABLE_CONTENT;
    problems_clear(&problems);
    request_end(request, ok ? "ok" : "errors, the old rules stay in force");
}
