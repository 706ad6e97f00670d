/* A message of a scenario, built part by part; valid until the next one begins. */
#ifndef REPLAY_MESSAGE_BUILDER_H
#define REPLAY_MESSAGE_BUILDER_H

#include "base/arena.h"
#include "policy/message.h"
#include "replay/series.h"
#include "replay/template.h"

/* Zero-initialise; clear when done. */
struct message_builder {
    struct arena arena;
    struct text scratch, shown; /* shown: of the field To or Cc */
    struct formula_scope scope;
    uint64_t random; /* state of random_draw */
    struct envelope_recipient *recipients;
    size_t recipient_count;
    struct header *headers;
    size_t header_count;
    struct envelope envelope;
    struct error *error;
};

void message_builder_clear(struct message_builder *builder);

/* The text of a template for this scope. INVALID, NOMEM. */
enum status message_builder_fill(struct message_builder *builder, const char *template,
                                 size_t length, const char **out) MUST_CHECK;

/* Adds the recipients of one word, several if it has a range. INVALID, NOMEM. */
enum status message_builder_add_recipients(struct message_builder *builder,
                                           const char *word, size_t length) MUST_CHECK;

/* Adds a recipient, also to shown; address must live until the next message. INVALID past
 * RECIPIENTS_MAX, NOMEM. */
enum status message_builder_add_recipient(struct message_builder *builder,
                                          const char *address) MUST_CHECK;

/* value is copied, name borrowed. NOMEM. */
enum status message_builder_add_header(struct message_builder *builder, const char *name,
                                       const struct text *value) MUST_CHECK;

#endif
