/* A report as text, as JSON and as a picture. */
#ifndef REPLAY_REPORT_VIEWS_H
#define REPLAY_REPORT_VIEWS_H

#include <jansson.h>

#include "base/text.h"
#include "replay/report.h"

/* On stdout, at most 100 wide. configuration: its path. False without memory. */
bool report_print(const struct report *report, const char *configuration);

/* One document, see mailbrake(1); NULL without memory. */
json_t *report_json(const struct report *report, const char *configuration);

/* A picture: SVG, nothing else needed. NOMEM. */
enum status report_svg(const struct report *report, struct text *out) MUST_CHECK;

/* True when every expectation is met. */
bool report_is_met(const struct report *report);

#endif
