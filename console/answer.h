/* Answers to the browser, each with the header fields that keep the page to itself. */
#ifndef CONSOLE_ANSWER_H
#define CONSOLE_ANSWER_H

#include <microhttpd.h>

#include "base/status.h"
#include "console/app_files.h"
#include "console/upstream.h"

/* Each queues one answer; MHD_NO ends the connection, also without memory. */
enum MHD_Result answer_file(struct MHD_Connection *connection,
                            const struct app_file *file);

/* What mailbraked said; may take its text over. */
enum MHD_Result answer_upstream(struct MHD_Connection *connection,
                                struct upstream_answer *answer);

/* {"error": text}: ASCII without quotes and backslashes. */
enum MHD_Result answer_error(struct MHD_Connection *connection, unsigned code,
                             const char *format, ...) PRINTF_LIKE(3, 4);

/* 405: the path takes other methods, "GET, HEAD". */
enum MHD_Result answer_method(struct MHD_Connection *connection, const char *allowed);

/* 204, with this Set-Cookie. */
enum MHD_Result answer_cookie(struct MHD_Connection *connection, const char *cookie);

#endif
