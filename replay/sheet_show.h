/* A sheet for people, for programs, and for the wall. */
#ifndef REPLAY_SHEET_SHOW_H
#define REPLAY_SHEET_SHOW_H

#include <jansson.h>

#include "base/text.h"
#include "replay/sheet.h"

/* On stdout, at most 100 wide. configuration: its path. False without memory. */
bool sheet_print(const struct sheet *sheet, const char *configuration);

/* One document, see mailbrake(1); NULL without memory. */
json_t *sheet_json(const struct sheet *sheet, const char *configuration);

/* A picture: SVG, nothing else needed. NOMEM. */
enum status sheet_draw(const struct sheet *sheet, struct text *out) MUST_CHECK;

/* True when every expectation is met. */
bool sheet_is_met(const struct sheet *sheet);

enum { SHEET_NUMBER = 32 };

/* "1,180,000" */
const char *sheet_number(int64_t number, char out[SHEET_NUMBER]);

#endif
