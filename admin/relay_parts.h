/* What the files that look at a relay share. */
#ifndef ADMIN_RELAY_PARTS_H
#define ADMIN_RELAY_PARTS_H

#include "admin/postconf.h"
#include "admin/words.h"
#include "conf/settings.h"

struct relay {
    const struct settings *settings;
    struct problems *problems;
    struct postconf *postconf;
    bool has_filter; /* some smtpd gives its mail to a filter, which gives it back */
};

/* True when both paths lead to one file, or are the same text. */
bool relay_is_same_file(const char *a, const char *b);

/* Our socket: there, and open to the user that Postfix's programs run as. */
void relay_check_socket(const struct relay *relay);

#endif
