/* Brakes and allowances as documents of the store. */
#ifndef QUARANTINE_BRAKE_RECORD_H
#define QUARANTINE_BRAKE_RECORD_H

#include <jansson.h>

#include "policy/brake.h"
#include "store/documents.h"

/* The document's id of a brake's key, or of an allowance. NOMEM. */
void brake_record_id(const char *text, char out_id[DOCUMENTS_ID_MAX + 1]);
enum status brake_record_allowance_id(const struct allowance *allowance,
                                      char out_id[DOCUMENTS_ID_MAX + 1]) MUST_CHECK;

/* A brake; takes until over: a wall time in ms as brake_record_make_until makes it, or a
 * text for people. NULL without memory. */
json_t *brake_record_new(const struct brake *brake, json_t *until);
json_t *brake_record_make_until(int64_t until_ms);

/* An allowance; NULL without memory. And what such a record says, borrowed; false when it
 * says of no time when it ends. */
json_t *brake_record_new_allowance(const struct allowance *allowance);
bool brake_record_read_allowance(const json_t *record, struct allowance *out);

/* The document's text, for free(3). Takes the record over; NULL without memory. */
char *brake_record_write(json_t *record);

/* False when a brake can't have that action, or a record does not say when it ends. */
bool brake_record_action(const char *name, enum action *out);
bool brake_record_until(const json_t *record, int64_t *out);

#endif
