/* A bounce by the MTA would list every member of a list; this names the list. */
#include "quarantine/refusal.h"

#include <string.h>

#include "base/smtp_address.h"
#include "quarantine/notices/notice_mail.h"
#include "quarantine/notices/notice_text.h"
#include "quarantine/record.h"

enum { ADDRESS_SHOWN = 300, NAME_SHOWN = 100 };

static void add_escaped(struct text *body, const char *value, size_t max)
{
    text_add_escaped(body, value, strlen(value), max);
}

static void add_addressed(struct text *body, const json_t *hold)
{
    size_t i;
    const json_t *address;
    const json_t *addressed = json_object_get(hold, "addressed");
    int64_t count = record_number(hold, "addressed_count");
    int64_t named = (int64_t)json_array_size(addressed);
    json_array_foreach(addressed, i, address)
    {
        const char *text = json_string_value(address);
        text_add_string(body, "    ");
        add_escaped(body, text == NULL ? "" : text, ADDRESS_SHOWN);
        text_add_string(body, "\n");
    }
    if (count > named)
        text_printf(body, "    and %lld more\n", (long long)(count - named));
}

/* count: the number of messages refused together. */
static void add_body(struct text *body, const json_t *hold, size_t count,
                     const struct domains *own)
{
    const char *domain = domains_first(own);
    int64_t reach = record_number(hold, "reach");
    int64_t held_ms = record_parse_time(record_text(hold, "held_at"));
    text_add_string(body, "Your message");
    if (held_ms >= 0) {
        text_add_string(body, " of ");
        notice_add_time(body, held_ms);
    }
    if (json_array_size(json_object_get(hold, "addressed")) > 0) {
        text_add_string(body, " to\n\n");
        add_addressed(body, hold);
        text_add_string(body, "\n");
    } else {
        text_add_string(body, " ");
    }
    text_add_string(body, "was held by the mail relay");
    if (domain != NULL)
        text_printf(body, " of %s", domain);
    text_add_string(body, " before any copy was\ndelivered. It has now been refused: by "
                          "an administrator, or because nobody\nreleased it in time. "
                          "Nobody has received it.\n\n");
    if (reach > 0)
        text_printf(body, "It would have reached %lld mailbox%s. ", (long long)reach,
                    reach == 1 ? "" : "es");
    text_add_string(body, "The rule that stopped it is \"");
    add_escaped(body, record_text(hold, "rule"), NAME_SHOWN);
    text_add_string(body, "\"\n(incident ");
    add_escaped(body, record_text(hold, "incident"), NAME_SHOWN);
    text_add_string(body, ", message ");
    add_escaped(body, record_text(hold, "id"), NAME_SHOWN);
    text_add_string(body, ").\n");
    if (count > 1)
        text_printf(body,
                    "%zu more of your messages, stopped for the same reason, %s refused "
                    "with it.\n",
                    count - 1, count == 2 ? "is" : "are");
    text_add_string(body,
                    "If more of your messages of this incident are refused, you will\n"
                    "not be told again.\n");
    if (domain != NULL)
        text_printf(body, "\nIf you think this is a mistake, write to postmaster@%s.\n",
                    domain);
}

bool refusal_is_told(const json_t *hold)
{
    return json_is_true(json_object_get(hold, "tell")) &&
           smtp_address_is_valid(record_text(hold, "sender"));
}

enum status refusal_make(const json_t *hold, size_t count, const struct digest_key *key,
                         const struct domains *own, int64_t now_ms, struct refusal *out)
{
    struct refusal refusal = {0};
    const char *sender = record_text(hold, "sender");
    bool tell = refusal_is_told(hold);
    struct text body = {0};
    add_body(&body, hold, count, own);
    const struct notice_mail notice = {.recipients = &sender,
                                       .recipient_count = 1,
                                       .subject = "Your message was refused",
                                       .body = text_string(&body)};
    enum status status = body.failed ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK && tell)
        status = notice_mail_make(&notice, key, own, now_ms, &refusal.message,
                                  &refusal.address);
    else
        text_add_string(&refusal.address, "-");
    text_clear(&body);
    if (status != STATUS_OK || refusal.address.failed) {
        refusal_clear(&refusal);
        return STATUS_NOMEM;
    }
    *out = refusal;
    return STATUS_OK;
}

void refusal_silence(struct refusal *refusal)
{
    text_reset(&refusal->address);
    text_add_string(&refusal->address, "-");
    text_reset(&refusal->message);
}

void refusal_clear(struct refusal *refusal)
{
    text_clear(&refusal->message);
    text_clear(&refusal->address);
}
