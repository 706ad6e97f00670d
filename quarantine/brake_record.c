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

/* An administrator's replaces the one before of the same rule and subject, and none that
 * a sender has by confirming. */
enum status brake_record_allowance_id(const struct allowance *allowance,
                                      char out_id[DOCUMENTS_ID_MAX + 1])
{
    struct text name = {0};
    if (allowance->id != NULL)
        text_printf(&name, "confirmed %s", allowance->id);
    else
        text_printf(&name, "%s:%s", allowance->fingerprint, allowance->subject);
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

json_t *brake_record_new_allowance(const struct allowance *allowance)
{
    json_t *record = json_pack("{s:s, s:s, s:o}", "fingerprint", allowance->fingerprint,
                               "subject", allowance->subject, "until",
                               brake_record_make_until(allowance->until_ms));
    if (allowance->id == NULL)
        return record;
    json_t *confirmed = json_pack(
        "{s:s, s:s, s:I, s:I}", "id", allowance->id, "by", allowance->by, "copies",
        (json_int_t)allowance->rate.burst, "kept", (json_int_t)allowance->rate.period_ms);
    if (confirmed != NULL && json_object_update(record, confirmed) != 0) {
        json_decref(record);
        record = NULL;
    }
    json_decref(confirmed);
    return record;
}

/* Borrowed from the record. */
bool brake_record_read_allowance(const json_t *record, struct allowance *out)
{
    const char *id = record_text(record, "id");
    *out = brakes_borrow_allowance(record_text(record, "fingerprint"),
                                   record_text(record, "subject"), 0);
    if (record == NULL || !brake_record_until(record, &out->until_ms))
        return false;
    if (id[0] == '\0')
        return true;
    out->id = (char *)(uintptr_t)id;
    out->by = (char *)(uintptr_t)record_text(record, "by");
    out->rate = (struct rate){.burst = record_number(record, "copies"),
                              .period_ms = record_number(record, "kept")};
    return rate_is_fixed(&out->rate);
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
