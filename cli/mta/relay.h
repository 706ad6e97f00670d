/* The relay that Mailbrake is plugged into: does its MTA ask us about all mail, and
 * does it know the same domains and lists? */
#ifndef CLI_RELAY_H
#define CLI_RELAY_H

#include "lists/snapshot.h"

/* Adds what is wrong to problems, each with the line to change: in main.cf or master.cf
 * for the MTA's part, in the configuration's own file for ours. */
void relay_check(const struct snapshot *snapshot, struct problems *problems);

#endif
