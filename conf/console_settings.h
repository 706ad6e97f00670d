/* The group console and control.socket: all of the configuration that
 * mailbrake-console(8) reads. */
#ifndef CONF_CONSOLE_SETTINGS_H
#define CONF_CONSOLE_SETTINGS_H

#include <stddef.h>

#include "base/problems.h"
#include "base/status.h"

#define CONSOLE_SETTINGS_SOCKET                                                          \
    "/run/mailbrake/control.sock" /* control.socket's default */

struct console_settings {
    char *user;        /* of the service: mailbraked believes it who asks */
    char *proxy_user;  /* of the reverse proxy: the service believes it who asks */
    char *user_header; /* in which the proxy says it */
    char **hosts;      /* under which the proxy serves the page */
    size_t host_count;
    char
        *socket; /* control.socket; NULL within struct settings, which has it elsewhere */
};

struct option_table;
extern const struct option_table console_settings_table; /* for conf/, as the other */

/* Reads nothing but these; as mta_settings_load. */
enum status console_settings_load(const char *path, struct console_settings *out,
                                  struct problems *problems) MUST_CHECK;
void console_settings_clear(struct console_settings *settings);

#endif
