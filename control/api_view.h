/* Records as the control API shows them (doc/control-api.md): the ledger's own fields are
 * left out. */
#ifndef CONTROL_API_VIEW_H
#define CONTROL_API_VIEW_H

#include <jansson.h>

/* A record with the documented fields alone; the caller owns it. NULL without memory. */
json_t *api_view_hold(const json_t *record);
json_t *api_view_incident(const json_t *record);

/* The same for each of an array. */
json_t *api_view_all(const json_t *records, json_t *(*view)(const json_t *record));

#endif
