/* What would happen to a message, for people, on stdout. */
#ifndef CLI_EXPLANATION_PRINT_H
#define CLI_EXPLANATION_PRINT_H

#include "cli/explanation_print.h"
#include "engine/explanation.h"

void explanation_print(const struct explanation *explanation);

/* The same from the document, which may come from the daemon. */
void explanation_print_json(const json_t *json);

#endif
