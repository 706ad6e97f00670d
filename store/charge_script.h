/* The text of charge.lua, built in, and its SHA-1 as EVALSHA wants it. */
#ifndef STORE_CHARGE_SCRIPT_H
#define STORE_CHARGE_SCRIPT_H

#include <stddef.h>

extern const char charge_script[];
extern const size_t charge_script_length;
extern const char charge_script_sha1[];

#endif
