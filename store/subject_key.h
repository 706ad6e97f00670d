/* The key of all hashed subjects: relays that share limits must have the same one. */
#ifndef STORE_SUBJECT_KEY_H
#define STORE_SUBJECT_KEY_H

#include "base/digest.h"
#include "base/status.h"
#include "conf/settings.h"

enum { KEY_FILE_BYTES_MIN = 16, KEY_FILE_BYTES_MAX = 4096 };

/* From privacy.key_file, else from store.prefix. IO when the file can't be read, INVALID
 * when it is too short to be a secret. */
enum status subject_key_load(const struct settings *settings, struct digest_key *out_key,
                             struct error *error) MUST_CHECK;

#endif
