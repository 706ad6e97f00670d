/* Everyday mail. */
#ifndef REPLAY_BACKGROUND_TRAFFIC_H
#define REPLAY_BACKGROUND_TRAFFIC_H

#include "replay/message_builder.h"

/* Builds one message of an ordinary series, as doc/mailbrake-scenario.5 describes.
 * INVALID, NOMEM. */
enum status background_traffic_make(const struct series *series,
                                    struct message_builder *builder) MUST_CHECK;

#endif
