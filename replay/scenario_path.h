/* Where a scenario lies that was named on the command line. */
#ifndef REPLAY_SCENARIO_PATH_H
#define REPLAY_SCENARIO_PATH_H

#include "base/text.h"

/* The path of a scenario: named as a file, or, without a '/', as one of those in folder,
 * with or without its ".scenario". NOT_FOUND, NOMEM. */
enum status scenario_path_find(const char *name, const char *folder,
                               struct text *out_path, struct error *error) MUST_CHECK;

#endif
