/* A report as a picture in a file. */
#ifndef CLI_PICTURE_H
#define CLI_PICTURE_H

#include "replay/report.h"

/* False, with the reason on stderr, when it can't be written. */
bool picture_write(const struct report *report, const char *path) MUST_CHECK;

#endif
