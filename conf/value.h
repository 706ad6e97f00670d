/* Reading options that are one value; each comment says what the field is. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "conf/reader.h"

option_read value_string;    /* char *: printable text */
option_read value_name;      /* char *: letters, digits, '.', '_', '-' */
option_read value_reason;    /* char *: printable ASCII */
option_read value_path;      /* char *: absolute; "" stays */
option_read value_separator; /* char *: one character that is in no user name, or "" */
option_read value_integer;   /* int */
option_read value_count;     /* int64_t */
option_read value_factor;    /* int64_t: thousandths; min and max are thousandths */
option_read value_growth;    /* int64_t: a factor in thousandths, 0 or at least 1000 */
option_read value_bool;      /* bool */
option_read value_octal;     /* unsigned: "0660" */
option_read value_duration;  /* int64_t: ms; min and max are ms */
option_read value_size;      /* int64_t: bytes; "1G" */
option_read value_word;      /* an enum: one of words */
option_read value_mode;      /* bool: "monitor" */

#endif
