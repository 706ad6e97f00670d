/* Searched from end to end: it is small, and asked rarely. */
#include "base/recent.h"

#include <string.h>

void recent_init(struct recent *recent, int64_t within_ms)
{
    memset(recent, 0, sizeof *recent);
    recent->within_ms = within_ms;
    digest_key_random(&recent->key);
    (void)pthread_mutex_init(&recent->mutex, NULL);
}

void recent_destroy(struct recent *recent)
{
    (void)pthread_mutex_destroy(&recent->mutex);
}

bool recent_has(struct recent *recent, const char *text, int64_t now_ms)
{
    uint8_t hash[DIGEST_BYTES];
    digest_quick(&recent->key, text, strlen(text), hash);
    (void)pthread_mutex_lock(&recent->mutex);
    struct recent_met *place = &recent->met[0];
    bool has = false;
    for (size_t i = 0; i < RECENT_MAX && !has; i++) {
        struct recent_met *met = &recent->met[i];
        has = met->at_ms > 0 && memcmp(met->hash, hash, sizeof hash) == 0 &&
              now_ms - met->at_ms < recent->within_ms;
        if (met->at_ms < place->at_ms)
            place = met;
    }
    if (!has) {
        memcpy(place->hash, hash, sizeof hash);
        place->at_ms = now_ms;
    }
    (void)pthread_mutex_unlock(&recent->mutex);
    return has;
}
