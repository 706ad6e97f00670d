/* What stands before the colon says of what kind a key is, and names nobody. */
#include "logs/log_key.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

void log_key_show(const struct digest_key *hash, const char *key, char out[SUBJECT_SIZE])
{
    char digest[DIGEST_HEX_SIZE];
    const char *colon = strchr(key, ':');
    if (hash == NULL || strcmp(key, "all") == 0) {
        text_join(out, SUBJECT_SIZE, key, "");
        return;
    }
    const char *name = colon == NULL ? key : colon + 1;
    digest_hex(hash, name, strlen(name), digest);
    (void)snprintf(out, SUBJECT_SIZE, "%.*s%s", (int)(name - key), key, digest);
}
