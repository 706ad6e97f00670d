/* The handlers of the control API, by noun: routes.c maps paths to them, and
 * doc/control-api.md describes their answers. */
#ifndef CONTROL_API_H
#define CONTROL_API_H

#include "control/request.h"

void api_whoami_show(struct request *request);
void api_events_show(struct request *request);
void api_status_health(struct request *request);
void api_status_show(struct request *request);
void api_metrics_show(struct request *request);
void api_lists_show(struct request *request);
void api_lists_accept(struct request *request);

void api_holds_list(struct request *request);
void api_holds_show(struct request *request);
void api_content_show(struct request *request);
void api_holds_decide(struct request *request);      /* by its verb */
void api_holds_decide_many(struct request *request); /* by its verb */
void api_holds_review(struct request *request);
void api_holds_sync(struct request *request);

void api_incidents_list(struct request *request);
void api_incidents_show(struct request *request);
void api_incidents_decide(struct request *request); /* by its verb */
void api_incidents_stop(struct request *request);
void api_incidents_close(struct request *request);
void api_incidents_allow(struct request *request);

void api_brakes_list(struct request *request);
void api_brakes_set(struct request *request);
void api_brakes_pull_back(struct request *request); /* by order of another relay */
void api_brakes_clear(struct request *request);

void api_permits_list(struct request *request);
void api_permits_show(struct request *request);
void api_permits_set(struct request *request);
void api_permits_end(struct request *request);

void api_report_show(struct request *request);
void api_top_show(struct request *request);

void api_limits_show(struct request *request);
void api_limits_top(struct request *request);
void api_limits_reset(struct request *request);

void api_explain_run(struct request *request);
void api_reload_run(struct request *request);
void api_audit_show(struct request *request);
void api_progress_show(struct request *request);

#endif
