/* Reading options that are one value of policy/; each comment says what the field is. */
#ifndef CONF_POLICY_VALUE_H
#define CONF_POLICY_VALUE_H

#include "conf/reader.h"

option_read policy_value_delimiter; /* struct domains */
option_read policy_value_address;   /* char *: canonical, with a domain */
option_read policy_value_tristate;  /* enum tristate */
option_read policy_value_mailbox;   /* char *: as above, an own one, or "" */
option_read policy_value_action;    /* enum action, but confirm */
option_read policy_value_rule_action;
option_read policy_value_hours; /* struct hours */

#endif
