/* Any Subject: what comes out is short and valid, and the same when the subject comes
 * encoded, or as a reply. */
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "policy/campaign.h"
#include "policy/encoded.h"

static void add_base64(struct text *text, const char *data, size_t length)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < length; i++) {
        bits = bits << 8 | (unsigned char)data[i];
        for (count += 8; count >= 6; count -= 6)
            text_add(text, &digits[bits >> (count - 6) & 63], 1);
    }
    if (count > 0)
        text_add(text, &digits[bits << (6 - count) & 63], 1);
}

static char *campaign_of(const char *subject)
{
    char *campaign;
    claim(campaign_make("x", subject, &campaign) == STATUS_OK);
    claim(strlen(campaign) <= CAMPAIGN_SUBJECT_MAX + 2);
    claim(utf8_is_valid(campaign, strlen(campaign)));
    claim(strpbrk(campaign, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n\t\x7f") == NULL ||
          strstr(campaign, "...") != NULL);
    return campaign;
}

/* Another spelling of a subject with that campaign. */
static void expect_same(const char *campaign, const char *subject)
{
    char *other = campaign_of(subject);
    claim(strcmp(other, campaign) == 0);
    free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text decoded = {0};
    struct text other = {0};
    encoded_decode((const char *)data, size, &decoded);
    claim(utf8_is_valid(text_string(&decoded), decoded.length));

    text_add(&other, (const char *)data, size);
    char *campaign = campaign_of(text_string(&other));
    if (strlen(text_string(&other)) == size) {
        text_reset(&other);
        text_add_string(&other, "=?utf-8?b?");
        add_base64(&other, text_string(&decoded), decoded.length);
        text_add_string(&other, "?=");
        expect_same(campaign, text_string(&other));

        text_reset(&other);
        text_add_string(&other, "RE[3]: ");
        text_add(&other, (const char *)data, size);
        expect_same(campaign, text_string(&other));
    }
    free(campaign);
    text_clear(&decoded);
    text_clear(&other);
    return 0;
}
