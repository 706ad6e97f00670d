/* One log file as records: lines of syslog, or entries of a journal as `journalctl -o
 * export` writes them. */
#ifndef REPLAY_LOG_SOURCE_H
#define REPLAY_LOG_SOURCE_H

#include "base/status.h"
#include "replay/log_slice.h"

/* Valid until the source's next one. */
struct log_record {
    int64_t at_ms;
    struct log_slice host;
    struct log_slice program; /* "postfix/smtpd"; empty: it names none */
    uint32_t pid;             /* 0: it says none */
    struct log_slice text;
};

struct log_source;

/* now_ms as in struct mail_log_reading. path is borrowed, "-" is stdin. IO with the file;
 * NOMEM. */
enum status log_source_open(const char *path, int64_t now_ms, struct log_source **out,
                            struct error *error) MUST_CHECK;
void log_source_free(struct log_source *source);

/* The next record. INVALID when the line is none: the next call goes on behind it.
 * NOT_FOUND at the end; IO, and CONFLICT when what is packed is damaged, with the file.
 */
enum status log_source_next(struct log_source *source, struct log_record *out,
                            struct error *error) MUST_CHECK;

/* The line that was read last: where, and what it was. */
uint64_t log_source_line(const struct log_source *source, struct log_slice *out);

/* Bytes of the file, and how many of them were read. */
uint64_t log_source_size(const struct log_source *source);
uint64_t log_source_read_bytes(const struct log_source *source);

#endif
