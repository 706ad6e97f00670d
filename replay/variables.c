/* There are few names, so a plain array suffices. */
#include "replay/variables.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum { DIGITS_MAX = 15 };

/* Names that mean something else between braces. */
static const char *const taken[] = {"n", "run", "k", "name", "min", "max"};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

size_t variables_name(const char *text, const char *end)
{
    const char *at = text;
    while (at < end && at - text < VARIABLES_NAME_MAX &&
           (is_letter(*at) || (at > text && *at >= '0' && *at <= '9')))
        at++;
    return (size_t)(at - text);
}

bool variables_is_name(const char *text, size_t length)
{
    return length > 0 && variables_name(text, text + length) == length;
}

static struct variable *find(const struct variables *variables, const char *name,
                             size_t length)
{
    for (size_t i = 0; i < variables->count; i++) {
        struct variable *variable = &variables->items[i];
        if (strlen(variable->name) == length && memcmp(variable->name, name, length) == 0)
            return variable;
    }
    return NULL;
}

static enum status check_name(const char *name, struct error *error)
{
    if (!variables_is_name(name, strlen(name)))
        return error_set(error, STATUS_INVALID,
                         "a variable's name is letters, digits and _, not '%.60s'", name);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (strcmp(name, taken[i]) == 0)
            return error_set(error, STATUS_INVALID, "%s is reserved", name);
    }
    return STATUS_OK;
}

static enum status add(struct variables *variables, const char *name,
                       struct variable **out, struct error *error)
{
    if (variables->count == VARIABLES_MAX)
        return error_set(error, STATUS_LIMIT, "more than %d variables", VARIABLES_MAX);
    if (!array_reserve(&variables->items, variables->count, sizeof *variables->items))
        return STATUS_NOMEM;
    char *copy = strdup(name);
    if (copy == NULL)
        return STATUS_NOMEM;
    *out = &variables->items[variables->count++];
    **out = (struct variable){.name = copy};
    return STATUS_OK;
}

enum status variables_set(struct variables *variables, const char *name,
                          const char *value, bool fixed, struct error *error)
{
    enum status status = check_name(name, error);
    if (status != STATUS_OK)
        return status;
    if (strchr(value, '{') != NULL)
        return error_set(error, STATUS_INVALID, "a value can't hold a brace: %.60s",
                         value);
    struct variable *variable = find(variables, name, strlen(name));
    if (variable == NULL) {
        status = add(variables, name, &variable, error);
        if (status != STATUS_OK)
            return status;
    } else if (variable->fixed && !fixed) {
        variable->used = true;
        return STATUS_OK;
    }
    char *copy = strdup(value);
    if (copy == NULL)
        return STATUS_NOMEM;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): add wrote variable */
    free(variable->value);
    variable->value = copy;
    variable->fixed = fixed;
    return STATUS_OK;
}

const char *variables_find(struct variables *variables, const char *name, size_t length)
{
    struct variable *variable = find(variables, name, length);
    if (variable == NULL)
        return NULL;
    variable->used = true;
    return variable->value == NULL ? "" : variable->value;
}

bool variables_number(const char *text, int64_t *out)
{
    int64_t number = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > DIGITS_MAX || text[digits] != '\0')
        return false;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (text[i] - '0');
    *out = number;
    return true;
}

void variables_clear(struct variables *variables)
{
    for (size_t i = 0; i < variables->count; i++) {
        free(variables->items[i].name);
        free(variables->items[i].value);
    }
    free(variables->items);
    *variables = (struct variables){0};
}
