/* What would happen to a message, for people, on stdout. */
#ifndef CLI_EXPLANATION_PRINT_H
#define CLI_EXPLANATION_PRINT_H

#include <jansson.h>

/* explanation_json's document, of this process or of the daemon. */
void explanation_print(const json_t *json);

#endif
