/* "t=MS h=HASH"; the hash covers a word of its own, so that it is no subject's. */
#include "quarantine/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static bool seal_at(const struct digest_key *key, const char *recipients, int64_t at_ms,
                    char out_seal[SEAL_SIZE])
{
    char hash[DIGEST_HEX_SIZE];
    struct text sealed = {0};
    text_printf(&sealed, "notice %" PRId64 " ", at_ms);
    text_add_string(&sealed, recipients);
    bool made = !sealed.failed;
    digest_hex(key, text_string(&sealed), sealed.length, hash);
    (void)snprintf(out_seal, SEAL_SIZE, "t=%" PRId64 " h=%s", at_ms, hash);
    text_clear(&sealed);
    return made;
}

void seal_make(const struct digest_key *key, const char *recipients, int64_t now_ms,
               char out_seal[SEAL_SIZE])
{
    if (!seal_at(key, recipients, now_ms, out_seal))
        out_seal[0] = '\0';
}

bool seal_is_valid(const struct digest_key *key, const char *seal, const char *recipients,
                   int64_t now_ms)
{
    char wanted[SEAL_SIZE];
    int64_t at_ms;
    /* NOLINTNEXTLINE(cert-err34-c): saturates */
    if (sscanf(seal, "t=%" SCNd64 " h=", &at_ms) != 1)
        return false;
    if (at_ms > now_ms + SEAL_LIFE_MS || at_ms < now_ms - SEAL_LIFE_MS)
        return false;
    /* Whoever could time a comparison of strings here could also read the queue. */
    return seal_at(key, recipients, at_ms, wanted) && strcmp(seal, wanted) == 0;
}
