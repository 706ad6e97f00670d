/* Holds and incidents as JSON, the way the store keeps them: times in ms, every text
 * valid UTF-8, every document below DOCUMENTS_VALUE_MAX whatever strangers wrote. */
#ifndef QUARANTINE_RECORD_H
#define QUARANTINE_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quarantine/event.h"
#include "quarantine/parties.h"

enum {
    RECORD_TEXT_MAX = 512,          /* bytes of one text that are kept */
    RECORD_TEXTS_BYTES = 2 * 1024,  /* of one array of them, as JSON */
    RECORD_SAMPLES_MAX = 8,         /* windows that a release trains */
    RECORD_PARTIES_MAX = 64,        /* in an incident: those with most held mail */
    RECORD_SENDER_NOTICES_MAX = 20, /* senders of an incident who are told */
    RECORD_SENDER_NOTICES_BYTES = 3 * 1024,
    RECORD_DAYS_MAX = 40,  /* of an incident that are told apart: the last */
    RECORD_TOLD_MAX = 200, /* senders who were told of a refusal */
};

/* Messages that were stopped alike, to be added to an incident. Strings borrowed. */
struct stop {
    /* The first of them, but its copies are those of all, its reach is the largest, and
     * its now_ms is when the last of them came. */
    const struct event *event;
    const char *party; /* whose doing it is, as struct party's own; NULL, "" unknown */
    const char *host;  /* the relay that stopped it; NULL unknown */
    int64_t held, refused, deferred;
    int64_t would; /* they were not stopped, but would have been */
    int64_t first_ms;
};

/* NULL without memory. */
json_t *record_string(const char *text);
json_t *record_new_incident(const char *id, const struct stop *stop);
json_t *record_new_hold(const struct event *event, const char *id, const char *incident,
                        const char *host, const struct party *party);

/* ISO 8601 in UTC, to the second. NULL without memory, or when there is no such year. */
json_t *record_time(int64_t wall_ms);

/* The wall time of such a text in ms; -1 when it is not one, or NULL. */
int64_t record_parse_time(const char *text);

/* Adds to an incident's numbers. False without memory. */
bool record_grow(json_t *incident, const struct stop *stop);

/* Adds all that another record of the same incident counts. False without memory. */
bool record_merge(json_t *incident, const json_t *other);

/* A document's text as an object, with or without its line of terms; NULL when it is not
 * one. */
json_t *record_load(const char *text);

/* 0 and "" when there is none of that name. Numbers are 0 to 2^53. */
int64_t record_number(const json_t *record, const char *name);
const char *record_text(const json_t *record, const char *name);

/* False without memory. A number that more (below 0) takes too much from becomes 0. */
bool record_set_number(json_t *record, const char *name, int64_t number);
bool record_add_number(json_t *record, const char *name, int64_t more);

/* How many of an incident's holds wait for a decision: in all, and of one party. */
int64_t record_waiting(const json_t *incident);
int64_t record_party_waiting(const json_t *incident, const char *party);

/* The notice to that sender of the incident's held mail, borrowed; NULL for none. */
json_t *record_find_sender_notice(const json_t *incident, const char *to);

/* Notes that a sender, by a hash, is told that mail of this incident was refused; false
 * when that was noted before, or without memory. Past RECORD_TOLD_MAX nobody is noted. */
bool record_tell_refusal(json_t *incident, const char *sender);
void record_untell_refusal(json_t *incident, const char *sender);

/* One more of that party waits, or one less. False without memory. */
bool record_add_party(json_t *incident, const char *party, int64_t more);

/* The party of a hold, as record_new_hold wrote it. */
void record_party(const json_t *hold, struct party *out);

/* A hold in that state is over. */
bool record_is_over(const char *state);

/* The hold is one of those that somebody releases slowly. */
bool record_is_paced(const json_t *hold);

/* Its incident's released_reach counts this hold already: it is one that an administrator
 * alone releases, or could not release. */
bool record_is_counted(const json_t *hold);

/* Closes the incident: what comes next opens another one. False without memory. */
bool record_close(json_t *incident);

/* True when what happens at now_ms still belongs to this incident. */
bool record_is_open(const json_t *incident, int64_t now_ms);

/* Makes of a record what is shown outside: *_at as ISO 8601 in UTC, no internal fields,
 * and for an incident how many of its holds wait. False without memory. */
bool record_show(json_t *record);

#endif
