/* By what holds and incidents are found in the store: the terms that begin their
 * documents (store/documents.h). Each follows from the record alone. Times are those of
 * the record in ms, as 16 digits. */
#ifndef QUARANTINE_TERMS_H
#define QUARANTINE_TERMS_H

#include <jansson.h>

#include "quarantine/parties.h"
#include "store/scan.h"

/* Of each record, and held_at or last_at. */
#define TERMS_ALL "all "

/* Of holds. */
#define TERMS_HELD "held "     /* and held_at: those that are not over */
#define TERMS_ENDED "ended "   /* and ended_at: those that are */
#define TERMS_PARTIES "party " /* whose it is, and its relay: those that are not over */

/* Of incidents, and last_at. */
#define TERMS_OPEN "open "       /* not closed: perhaps lapsed */
#define TERMS_CURRENT "current " /* these, and those of which a hold waits */
#define TERMS_OVER "over "       /* all others */
#define TERMS_KEYS "=" /* no time, but a key that the next message joins it by */

enum { TERMS_SIZE = DOCUMENTS_ENTRY_MAX };

/* The stretch of a term's entries before that time. */
void terms_until(const char *term, int64_t before_ms, char out[TERMS_SIZE]);

/* The holds that are not over of a relay; all holds of an incident; both by held_at. The
 * incident that has a key. */
void terms_of_host(const char *host, char out[TERMS_SIZE]);
void terms_of_incident(const char *incident, char out[TERMS_SIZE]);
void terms_of_key(const char *key, char out[TERMS_SIZE]);

/* Whose a hold is, and its relay, by an entry of TERMS_PARTIES; false if it isn't one. */
bool terms_party(const char *entry, struct party *out, char out_host[TERMS_SIZE]);

/* A host as entries have it. */
void terms_host(const char *host, char out[TERMS_SIZE]);

/* A record as a document of its collection, for free(3). NULL without memory. */
char *terms_document(enum collection collection, const json_t *record);

#endif
