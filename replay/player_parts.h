/* What makes a message of a scenario: for player.c and crowd.c. */
#ifndef REPLAY_PLAYER_PARTS_H
#define REPLAY_PLAYER_PARTS_H

#include "base/arena.h"
#include "base/text.h"
#include "replay/player.h"

/* A message being made. */
struct making {
    struct arena arena;
    struct text scratch, shown; /* shown: of the field To or Cc */
    struct formula_scope scope;
    struct envelope_recipient *recipients;
    size_t recipient_count, recipient_capacity;
    struct header *headers;
    size_t header_count, header_capacity;
    struct envelope envelope;
    struct error *error;
};

/* A template's text, good until the next message. INVALID, NOMEM. */
enum status making_fill(struct making *making, const struct template *template,
                        const char **out) MUST_CHECK;

/* LIMIT past RECIPIENTS_MAX; address is good until the next message. */
enum status making_recipient(struct making *making, const char *address) MUST_CHECK;

/* value is copied, name borrowed. */
enum status making_header(struct making *making, const char *name,
                          const struct text *value) MUST_CHECK;

/* A message of everyday mail, as doc/mailbrake-scenario.5 says of ordinary. */
enum status crowd_make(const struct series *series, struct making *making) MUST_CHECK;

#endif
