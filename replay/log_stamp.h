/* The time stamps of log lines. */
#ifndef REPLAY_LOG_STAMP_H
#define REPLAY_LOG_STAMP_H

#include "replay/log_slice.h"

/* The stamps of one log file, which mostly ascend. Zero-initialise and set now_ms. */
struct log_stamps {
    int64_t now_ms;  /* no line is younger by more than a day */
    int64_t last_ms; /* of the latest stamp; 0: none yet */
    int year;        /* of the latest stamp that says none */
    char hour[16];   /* the text of its hour, */
    size_t hour_length;
    int64_t hour_ms; /* and when that began: in UTC, */
    bool zoned;      /* or where an offset follows, at that offset */
};

/* Reads the stamp that a line begins with, and moves past it: RFC 3164 ("Nov 30
 * 13:19:36", local time, its year from those before and from now_ms; when the clocks go
 * back, the hour that follows) or ISO 8601 ("2026-11-30T13:19:36.123456+01:00"; without
 * an offset local time). False, and nothing has changed, for anything else. */
bool log_stamp_read(struct log_stamps *stamps, struct log_slice *line, int64_t *out_ms);

#endif
