/* Reading where to listen and whom to connect to. */
#ifndef CONF_SERVER_H
#define CONF_SERVER_H

#include "conf/reader.h"

option_read server_milter;    /* char *: as smfi_setconn(3) wants it, paths absolute */
option_read server_metrics;   /* char *: an address and port, of this machine alone unless
                                 control.metrics_public; "": none */
option_read server_store;     /* struct store_settings: host, port and tls, or path; an
                                 array: seeds */
option_read server_sentinels; /* struct strings: "tcp:HOST:PORT", "tls:HOST:PORT" or
                                 "unix:PATH", its path absolute */

#endif
