/* What makes a message of a scenario: for generator.c and background_traffic.c. */
#ifndef REPLAY_MESSAGE_BUILDER_H
#define REPLAY_MESSAGE_BUILDER_H

#include "base/arena.h"
#include "base/text.h"
#include "replay/generator.h"

/* A message being built. */
struct message_builder {
    struct arena arena;
    struct text scratch, shown; /* shown: of the field To or Cc */
    struct formula_scope scope;
    struct envelope_recipient *recipients;
    size_t recipient_count;
    struct header *headers;
    size_t header_count;
    struct envelope envelope;
    struct error *error;
};

/* A template's text, good until the next message. INVALID, NOMEM. */
enum status message_builder_fill(struct message_builder *builder,
                                 const struct template *template,
                                 const char **out) MUST_CHECK;

/* LIMIT past RECIPIENTS_MAX; address is good until the next message. */
enum status message_builder_add_recipient(struct message_builder *builder,
                                          const char *address) MUST_CHECK;

/* value is copied, name borrowed. */
enum status message_builder_add_header(struct message_builder *builder, const char *name,
                                       const struct text *value) MUST_CHECK;

/* A message of everyday mail, as doc/mailbrake-scenario.5 says of ordinary. */
enum status background_traffic_make(const struct series *series,
                                    struct message_builder *builder) MUST_CHECK;

#endif
