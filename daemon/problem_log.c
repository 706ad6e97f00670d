/* The severity says whether it is a warning, so the text does not. */
#include "daemon/problem_log.h"

#include "base/log.h"

enum { PROBLEM_SIZE = 1000 };

void problem_log_one(const struct problem *problem)
{
    char text[PROBLEM_SIZE];
    struct problem bare = *problem;
    bare.warning = false;
    problem_format(&bare, text, sizeof text);
    log_print(problem->warning ? SEVERITY_WARNING : SEVERITY_ERROR, "%s", text);
}

void problem_log(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        problem_log_one(&problems->items[i]);
}

void problem_log_error(const struct error *error)
{
    struct problems problems = {0};
    problems_take(&problems, error);
    problem_log(&problems);
    problems_clear(&problems);
}
