/* A line of a log without its head. */
#ifndef REPLAY_LOG_LINE_H
#define REPLAY_LOG_LINE_H

#include "replay/log_queue.h"

struct log_line {
    struct log_place place;
    struct log_slice program; /* "postfix/smtpd", "sm-mta" */
    uint32_t pid;             /* 0: the line says none */
    struct log_slice text;
};

#endif
