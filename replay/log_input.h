/* One log file as lines: plain, or packed by gzip(1) or zstd(1), which its first bytes
 * tell. */
#ifndef REPLAY_LOG_INPUT_H
#define REPLAY_LOG_INPUT_H

#include "base/status.h"
#include "replay/log_slice.h"

enum {
    LOG_LINE_MAX = 64 * 1024, /* bytes; of a longer line the rest is skipped */
};

struct log_input;

/* path "-" is stdin. IO with the file; NOMEM. */
enum status log_input_open(const char *path, struct log_input **out,
                           struct error *error) MUST_CHECK;
void log_input_free(struct log_input *input);

/* The next line without its end, valid until the next call. NOT_FOUND at the end; IO;
 * CONFLICT when what is packed is damaged. */
enum status log_input_line(struct log_input *input, struct log_slice *out,
                           struct error *error) MUST_CHECK;

/* The same for length bytes, whatever they are; those past LOG_LINE_MAX are skipped.
 * NOT_FOUND when there are fewer. */
enum status log_input_bytes(struct log_input *input, uint64_t length,
                            struct log_slice *out, struct error *error) MUST_CHECK;

/* Of the file as it is on disk; size is 0 where nobody knows. */
uint64_t log_input_read_bytes(const struct log_input *input);
uint64_t log_input_size(const struct log_input *input);

/* When it was last written to, ms since 1970; INT64_MAX where nobody knows. */
int64_t log_input_written_ms(const struct log_input *input);

#endif
