/* The texts of the Lua scripts, built in, and their SHA-1 as EVALSHA wants it. */
#ifndef STORE_SCRIPTS_H
#define STORE_SCRIPTS_H

#include <stddef.h>

struct script_text {
    const char *text;
    size_t length;
    const char *sha1;
};

/* limiter_window.lua and limiter_state.lua stand above the first three. */
extern const struct script_text scripts_charge;  /* charge.lua */
extern const struct script_text scripts_amend;   /* amend.lua */
extern const struct script_text scripts_restore; /* restore.lua */
extern const struct script_text scripts_epoch;   /* epoch.lua */
extern const struct script_text scripts_change;  /* change.lua */
extern const struct script_text scripts_read;    /* read.lua */

#endif
