/* mailbraked as a process: starts the parts, reloads, stops. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

/* Blocks the signals that libmilter and we wait for. First thing in main, before any
 * thread: an unblocked TERM would kill the process at once. */
void daemon_block_signals(void);

/* Runs until SIGTERM. The exit status of the process: 0 stopped, 1 could not start. */
int daemon_run(const char *configuration);

#endif
