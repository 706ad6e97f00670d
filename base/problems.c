/* A bounded list of errors and warnings, in the order in which they were found. */
#include "base/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* Forgets the last warning, so that many of them never hide an error. */
static void drop_warning(struct problems *problems)
{
    size_t last = problems->count;
    while (last > 0 && !problems->items[last - 1].warning)
        last--;
    if (last == 0)
        return;
    free(problems->items[last - 1].file);
    free(problems->items[last - 1].text);
    problems->count--;
    memmove(&problems->items[last - 1], &problems->items[last],
            (problems->count - (last - 1)) * sizeof *problems->items);
}

static void keep(struct problems *problems, bool warning, const char *file, int line,
                 char *text)
{
    if (text != NULL && !warning && problems->count >= PROBLEMS_MAX)
        drop_warning(problems);
    if (text == NULL || problems->count >= PROBLEMS_MAX) {
        free(text);
        return;
    }
    char *name = strdup(file == NULL ? "" : file);
    if (name == NULL ||
        !array_reserve(&problems->items, problems->count, sizeof *problems->items)) {
        free(name);
        free(text);
        return;
    }
    problems->items[problems->count++] =
        (struct problem){.warning = warning, .line = line, .file = name, .text = text};
}

static void PRINTF_LIKE(5, 0)
    add(struct problems *problems, bool warning, const char *file, int line,
        const char *format, va_list args)
{
    char *text = NULL;
    if (warning)
        problems->warnings++;
    else
        problems->errors++;
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    keep(problems, warning, file, line, text);
}

void problems_error(struct problems *problems, const char *file, int line,
                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(problems, false, file, line, format, args);
    va_end(args);
}

void problems_warning(struct problems *problems, const char *file, int line,
                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(problems, true, file, line, format, args);
    va_end(args);
}

void problems_take(struct problems *problems, const struct error *error)
{
    problems_error(problems, error->file, error->line, "%s", error->text);
}

void problems_add(struct problems *problems, const struct problems *more)
{
    size_t errors = problems->errors + more->errors;
    size_t warnings = problems->warnings + more->warnings;
    for (size_t i = 0; i < more->count; i++) {
        const struct problem *item = &more->items[i];
        char *text = strdup(item->text);
        keep(problems, item->warning, item->file, item->line, text);
    }
    problems->errors = errors; /* also those that were not kept */
    problems->warnings = warnings;
}

/* The length of a number that stands alone, 0 for other text; at: where a word begins. */
static size_t lone_number(const char *at)
{
    size_t length = strspn(at, "0123456789,.");
    if (at[0] < '0' || at[0] > '9' || strchr(" ;:)", at[length]) == NULL)
        return 0;
    return length;
}

bool problem_texts_match(const char *a, const char *b)
{
    bool begins = true; /* a word */
    for (;; a++, b++) {
        size_t length = begins ? lone_number(a) : 0;
        size_t other = begins ? lone_number(b) : 0;
        if (length > 0 && other > 0) {
            a += length;
            b += other;
        }
        if (*a != *b || *a == '\0')
            return *a == *b;
        begins = *a == ' ' || *a == '(';
    }
}

bool problems_have(const struct problems *problems, const struct problem *problem)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *item = &problems->items[i];
        if (item->line == problem->line && strcmp(item->file, problem->file) == 0 &&
            problem_texts_match(item->text, problem->text))
            return true;
    }
    return false;
}

void problem_format(const struct problem *problem, char *out, size_t size)
{
    const char *kind = problem->warning ? "warning: " : "";
    if (problem->file[0] == '\0')
        (void)snprintf(out, size, "%s%s", kind, problem->text);
    else if (problem->line == 0)
        (void)snprintf(out, size, "%s: %s%s", problem->file, kind, problem->text);
    else
        (void)snprintf(out, size, "%s:%d: %s%s", problem->file, problem->line, kind,
                       problem->text);
}

void problems_clear(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->items[i].file);
        free(problems->items[i].text);
    }
    free(problems->items);
    *problems = (struct problems){0};
}
