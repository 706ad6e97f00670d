/* What an administrator is shown of a held message. */
#ifndef CONTROL_CONTENT_H
#define CONTROL_CONTENT_H

#include <jansson.h>

#include "conf/mta_settings.h"

enum { CONTENT_TEXT_BYTES = 4096 };

/* {"allowed", "subject"}, with CONTENT_TEXT also "header", "text", "text_type",
 * "text_cut", "attachments", "attachment_count" and "complete": see doc/control-api.md.
 * All of it is readable (base/readable.h). excerpt: what the helper gave. NULL without
 * memory, or when the excerpt is none. */
json_t *content_json(const char *excerpt, enum content content);

#endif
