/* A table, read from the top: two dozen routes need no more. */
#include "control/routes.h"

#include <stdio.h>
#include <string.h>

#include "control/api.h"

static const struct route routes[] = {
    {"GET", "/healthz", ROLE_NONE, api_status_health, 0},
    {"GET", "/v1/whoami", ROLE_NONE, api_whoami_show, 0},
    {"GET", "/metrics", ROLE_NONE, api_metrics_show, 0},
    {"GET", "/v1/status", ROLE_LOOK, api_status_show, 0},
    {"GET", "/v1/events", ROLE_LOOK, api_events_show, 0},
    {"GET", "/v1/lists", ROLE_LOOK, api_lists_show, 0},
    {"POST", "/v1/lists/accept", ROLE_PERMIT, api_lists_accept, 0},
    {"GET", "/v1/holds", ROLE_LOOK, api_holds_list, 0},
    {"GET", "/v1/holds/*", ROLE_LOOK, api_holds_show, 0},
    {"GET", "/v1/holds/*/content", ROLE_DECIDE, api_content_show, 0},
    {"POST", "/v1/holds/review", ROLE_LOOK, api_holds_review, 0},
    {"POST", "/v1/holds/release", ROLE_DECIDE, api_holds_decide_many, ACTIONS_RELEASE},
    {"POST", "/v1/holds/refuse", ROLE_DECIDE, api_holds_decide_many, ACTIONS_REFUSE},
    {"POST", "/v1/holds/delete", ROLE_DECIDE, api_holds_decide_many, ACTIONS_DELETE},
    {"POST", "/v1/holds/*/release", ROLE_DECIDE, api_holds_decide, ACTIONS_RELEASE},
    {"POST", "/v1/holds/*/refuse", ROLE_DECIDE, api_holds_decide, ACTIONS_REFUSE},
    {"POST", "/v1/holds/*/delete", ROLE_DECIDE, api_holds_decide, ACTIONS_DELETE},
    {"POST", "/v1/sync", ROLE_DECIDE, api_holds_sync, 0},
    {"GET", "/v1/incidents", ROLE_LOOK, api_incidents_list, 0},
    {"GET", "/v1/incidents/*", ROLE_LOOK, api_incidents_show, 0},
    {"POST", "/v1/incidents/*/release", ROLE_DECIDE, api_incidents_decide,
     ACTIONS_RELEASE},
    {"POST", "/v1/incidents/*/refuse", ROLE_DECIDE, api_incidents_decide, ACTIONS_REFUSE},
    {"POST", "/v1/incidents/*/delete", ROLE_DECIDE, api_incidents_decide, ACTIONS_DELETE},
    {"POST", "/v1/incidents/*/stop", ROLE_DECIDE, api_incidents_stop, 0},
    {"POST", "/v1/incidents/*/close", ROLE_DECIDE, api_incidents_close, 0},
    {"POST", "/v1/incidents/*/allow", ROLE_DECIDE, api_incidents_allow, 0},
    {"GET", "/v1/brakes", ROLE_LOOK, api_brakes_list, 0},
    {"PUT", "/v1/brakes", ROLE_BRAKE, api_brakes_set, 0},
    {"DELETE", "/v1/brakes", ROLE_BRAKE, api_brakes_clear, 0},
    {"GET", "/v1/permits", ROLE_LOOK, api_permits_list, 0},
    {"POST", "/v1/permits", ROLE_PERMIT, api_permits_set, 0},
    {"GET", "/v1/permits/*", ROLE_LOOK, api_permits_show, 0},
    {"DELETE", "/v1/permits/*", ROLE_PERMIT, api_permits_end, 0},
    {"GET", "/v1/report", ROLE_LOOK, api_report_show, 0},
    {"GET", "/v1/top", ROLE_LOOK, api_top_show, 0},
    {"GET", "/v1/limits/top", ROLE_LOOK, api_limits_top, 0},
    {"GET", "/v1/limits", ROLE_LOOK, api_limits_show, 0},
    {"DELETE", "/v1/limits", ROLE_PERMIT, api_limits_reset, 0},
    {"POST", "/v1/explain", ROLE_LOOK, api_explain_run, 0},
    {"POST", "/v1/reload", ROLE_ADMIN, api_reload_run, 0},
    {"GET", "/v1/audit", ROLE_LOOK, api_audit_show, 0},
    {"GET", "/v1/progress/*", ROLE_LOOK, api_progress_show, 0},
};

/* "*" takes one part of the path, which is not empty. */
static bool matches(const char *pattern, const char *path, char id[REQUEST_ID_SIZE])
{
    const char *star = strchr(pattern, '*');
    id[0] = '\0';
    if (star == NULL)
        return strcmp(pattern, path) == 0;
    size_t head = (size_t)(star - pattern);
    if (strncmp(pattern, path, head) != 0)
        return false;
    size_t length = strcspn(path + head, "/");
    if (length == 0 || strcmp(star + 1, path + head + length) != 0)
        return false;
    (void)snprintf(id, REQUEST_ID_SIZE, "%.*s", (int)length, path + head);
    return true;
}

const struct route *routes_find(const char *method, const char *path,
                                char out_id[REQUEST_ID_SIZE], bool *out_known)
{
    char id[REQUEST_ID_SIZE];
    *out_known = false;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!matches(routes[i].pattern, path, id))
            continue;
        *out_known = true;
        if (strcmp(routes[i].method, method) == 0) {
            memcpy(out_id, id, sizeof id);
            return &routes[i];
        }
    }
    return NULL;
}
