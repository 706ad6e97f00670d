/* Brakes and allowances as JSON, under their keys: setting one again replaces it. */
#include "quarantine/brake_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/text.h"
#include "quarantine/record.h"

/* As written; what is too long for an id by its hash, which needs no secret: the document
 * itself says what it is. */
void brake_record_id(const char *text, char out_id[DOCUMENTS_ID_MAX + 1])
{
    static const struct digest_key key;
    char hash[DIGEST_HEX_SIZE];
    if (strlen(text) <= DOCUMENTS_ID_MAX) {
        (void)snprintf(out_id, DOCUMENTS_ID_MAX + 1, "%s", text);
        return;
    }
    digest_hex(&key, text, strlen(text), hash);
    (void)snprintf(out_id, DOCUMENTS_ID_MAX + 1, "%s", hash);
}

enum status brake_record_allowance_id(const char *fingerprint, const char *subject,
                                      char out_id[DOCUMENTS_ID_MAX + 1])
{
    struct text name = {0};
    text_printf(&name, "%s:%s", fingerprint, subject);
    if (!name.failed)
        brake_record_id(name.data, out_id);
    text_clear(&name);
    return name.failed ? STATUS_NOMEM : STATUS_OK;
}

json_t *brake_record_make_until(int64_t until_ms)
{
    return until_ms == INT64_MAX ? json_null() : json_integer(until_ms);
}

/* NULL without memory. until is taken over. */
json_t *brake_record_new(const struct brake *brake, json_t *until)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "key", brake->key.text, "action",
                     action_name(brake->action), "until", until, "by",
                     record_string(brake->by == NULL ? "" : brake->by), "reason",
                     record_string(brake->reason == NULL ? "" : brake->reason));
}

/* Takes the record over; NULL without memory. */
char *brake_record_write(json_t *record)
{
    char *text = json_dumps(record, JSON_COMPACT);
    json_decref(record);
    return text;
}

bool brake_record_action(const char *name, enum action *out)
{
    static const enum action actions[] = {ACTION_DEFER, ACTION_REJECT, ACTION_QUARANTINE};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(action_name(actions[i]), name) == 0) {
            *out = actions[i];
            return true;
        }
    }
    return false;
}

/* False when it says of no time when it ends. */
bool brake_record_until(const json_t *record, int64_t *out)
{
    const json_t *until = json_object_get(record, "until");
    if (json_is_null(until))
        *out = INT64_MAX;
    else if (json_is_integer(until))
        *out = json_integer_value(until);
    return json_is_null(until) || json_is_integer(until);
}
