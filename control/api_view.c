/* The fields that answers show of a hold and of an incident, in this order. */
#include "control/api_view.h"

#include <stddef.h>

static const char *const hold_fields[] = {
    "id",     "incident", "rule",       "identity",  "sender",
    "client", "lists",    "list_count", "addressed", "addressed_count",
    "reach",  "host",     "queue_id",   "held_at",   "ended_at",
    "state",  "tell",     "restored",   NULL};

static const char *const incident_fields[] = {"id",
                                              "rule",
                                              "key",
                                              "identity",
                                              "sender",
                                              "tell",
                                              "fingerprint",
                                              "held",
                                              "released",
                                              "refused",
                                              "deferred",
                                              "reach",
                                              "copies",
                                              "lists",
                                              "list_count",
                                              "addressed",
                                              "addressed_count",
                                              "limit",
                                              "before",
                                              "opened_at",
                                              "last_at",
                                              "waiting",
                                              "open",
                                              "notices",
                                              "sender_told",
                                              "hosts",
                                              NULL};

/* What a record lacks is null. */
static json_t *take(const json_t *record, const char *const *fields)
{
    json_t *out = json_object();
    for (size_t i = 0; out != NULL && fields[i] != NULL; i++) {
        json_t *value = json_object_get(record, fields[i]);
        int failed = value == NULL ? json_object_set_new(out, fields[i], json_null())
                                   : json_object_set(out, fields[i], value);
        if (failed != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

json_t *api_view_hold(const json_t *record)
{
    return take(record, hold_fields);
}

json_t *api_view_incident(const json_t *record)
{
    return take(record, incident_fields);
}

json_t *api_view_all(const json_t *records, json_t *(*view)(const json_t *record))
{
    size_t i;
    const json_t *record;
    json_t *out = json_array();
    json_array_foreach(records, i, record)
    {
        if (out != NULL && json_array_append_new(out, view(record)) != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}
