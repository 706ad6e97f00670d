/* A table, read from the top: two dozen routes need no more. */
#include "control/routes.h"

#include <stdio.h>
#include <string.h>

#include "control/api.h"

static const struct route routes[] = {
    {"GET", "/healthz", api_status_health},
    {"GET", "/metrics", api_metrics_show},
    {"GET", "/v1/status", api_status_show},
    {"GET", "/v1/lists", api_lists_show},
    {"GET", "/v1/holds", api_holds_list},
    {"GET", "/v1/holds/*", api_holds_show},
    {"POST", "/v1/holds/release", api_holds_release_many},
    {"POST", "/v1/holds/refuse", api_holds_refuse_many},
    {"POST", "/v1/holds/delete", api_holds_delete_many},
    {"POST", "/v1/holds/*/release", api_holds_release},
    {"POST", "/v1/holds/*/refuse", api_holds_refuse},
    {"POST", "/v1/holds/*/delete", api_holds_delete},
    {"POST", "/v1/sync", api_holds_sync},
    {"GET", "/v1/incidents", api_incidents_list},
    {"GET", "/v1/incidents/*", api_incidents_show},
    {"POST", "/v1/incidents/*/release", api_incidents_release},
    {"POST", "/v1/incidents/*/refuse", api_incidents_refuse},
    {"POST", "/v1/incidents/*/delete", api_incidents_delete},
    {"POST", "/v1/incidents/*/close", api_incidents_close},
    {"POST", "/v1/incidents/*/allow", api_incidents_allow},
    {"GET", "/v1/brakes", api_brakes_list},
    {"PUT", "/v1/brakes", api_brakes_set},
    {"DELETE", "/v1/brakes", api_brakes_clear},
    {"GET", "/v1/limits", api_limits_show},
    {"DELETE", "/v1/limits", api_limits_reset},
    {"POST", "/v1/explain", api_explain_run},
    {"POST", "/v1/reload", api_reload_run},
    {"GET", "/v1/audit", api_audit_show},
    {"GET", "/v1/progress/*", api_progress_show},
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
