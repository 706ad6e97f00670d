/* The verbs of mailbrake(1). Each takes its own argc and argv (argv[0] is the verb) and
 * returns the exit status: 0 done, 1 failed or found a problem, 2 usage. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

int verb_check(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_lists(int argc, char **argv);
int verb_limits(int argc, char **argv);
int verb_quarantine(int argc, char **argv);
int verb_incidents(int argc, char **argv);
int verb_permit(int argc, char **argv);
int verb_brake(int argc, char **argv);
int verb_reload(int argc, char **argv);
int verb_audit(int argc, char **argv);
int verb_report(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_whoami(int argc, char **argv);
int verb_replay(int argc, char **argv);
int verb_simulate(int argc, char **argv);
int verb_learn(int argc, char **argv);
int verb_console(int argc, char **argv);

#endif
