/* "t=MS h=HASH"; the hash covers the word "notice", so that it can't be another kind's.
 */
#include "quarantine/notices/notice_token.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static bool token_at(const struct digest_key *key, const char *recipients, int64_t at_ms,
                     char out_token[NOTICE_TOKEN_SIZE])
{
    char hash[DIGEST_HEX_SIZE];
    struct text signed_text = {0};
    text_printf(&signed_text, "notice %" PRId64 " ", at_ms);
    text_add_string(&signed_text, recipients);
    bool made = !signed_text.failed;
    digest_hex(key, text_string(&signed_text), signed_text.length, hash);
    (void)snprintf(out_token, NOTICE_TOKEN_SIZE, "t=%" PRId64 " h=%s", at_ms, hash);
    text_clear(&signed_text);
    return made;
}

void notice_token_make(const struct digest_key *key, const char *recipients,
                       int64_t now_ms, char out_token[NOTICE_TOKEN_SIZE])
{
    if (!token_at(key, recipients, now_ms, out_token))
        out_token[0] = '\0';
}

bool notice_token_is_valid(const struct digest_key *key, const char *token,
                           const char *recipients, int64_t now_ms)
{
    char wanted[NOTICE_TOKEN_SIZE];
    int64_t at_ms;
    /* NOLINTNEXTLINE(cert-err34-c): saturates */
    if (sscanf(token, "t=%" SCNd64 " h=", &at_ms) != 1)
        return false;
    if (at_ms > now_ms + NOTICE_TOKEN_LIFE_MS || at_ms < now_ms - NOTICE_TOKEN_LIFE_MS)
        return false;
    /* strcmp is safe: an attacker who could time it could also read the queue. */
    return token_at(key, recipients, at_ms, wanted) && strcmp(token, wanted) == 0;
}
