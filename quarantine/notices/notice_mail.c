/* Headers by RFC 5322 and RFC 3834 5, so that no vacation program answers. */
#include "quarantine/notices/notice_mail.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "quarantine/notices/notice_token.h"

static int compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void add_date(struct text *message, int64_t now_ms)
{
    char date[64];
    struct tm utc;
    time_t seconds = (time_t)(now_ms / 1000);
    if (gmtime_r(&seconds, &utc) == NULL)
        return;
    /* The C locale is never changed in our programs, so these are English names. */
    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &utc);
    text_printf(message, "Date: %s\n", date);
}

static void join(const char *const *recipients, size_t count, const char *between,
                 struct text *out)
{
    for (size_t i = 0; i < count; i++) {
        text_add_string(out, i > 0 ? between : "");
        text_add_string(out, recipients[i]);
    }
}

enum status notice_mail_make(const struct notice_mail *mail, const struct digest_key *key,
                             const struct domains *own, int64_t now_ms,
                             struct text *out_message, struct text *out_addresses)
{
    const char *sorted[NOTICE_MAIL_RECIPIENTS_MAX];
    const char *domain = domains_first(own) == NULL ? "localhost" : domains_first(own);
    char token[NOTICE_TOKEN_SIZE];
    char id[DIGEST_ID_SIZE];
    if (mail->recipient_count > NOTICE_MAIL_RECIPIENTS_MAX)
        return STATUS_LIMIT;
    for (size_t i = 0; i < mail->recipient_count; i++)
        sorted[i] = mail->recipients[i];
    qsort(sorted, mail->recipient_count, sizeof sorted[0], compare);
    join(sorted, mail->recipient_count, " ", out_addresses);
    notice_token_make(key, text_string(out_addresses), now_ms, token);
    digest_random_id(id);
    if (mail->id != NULL)
        (void)snprintf(id, sizeof id, "%s", mail->id);

    text_printf(out_message, "From: Mailbrake <postmaster@%s>\nTo: ", domain);
    join(sorted, mail->recipient_count, ",\n ", out_message);
    if (mail->reply_to != NULL)
        text_printf(out_message, "\nReply-To: %s", mail->reply_to);
    text_printf(out_message, "\nSubject: %s\n", mail->subject);
    add_date(out_message, now_ms);
    text_printf(out_message,
                "Message-ID: <%s@mailbrake.%s>\nAuto-Submitted: auto-generated\n"
                "Precedence: bulk\nMIME-Version: 1.0\n"
                "Content-Type: text/plain; charset=us-ascii\n" NOTICE_TOKEN_FIELD
                ": %s\n\n",
                id, domain, token);
    text_add_string(out_message, mail->body);
    return out_message->failed || out_addresses->failed ? STATUS_NOMEM : STATUS_OK;
}
