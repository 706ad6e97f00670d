/* Dijkstra's shunting yard without recursion: a stack of values, and one of operators
 * that wait for their right side. Formulas are short, so the text itself is evaluated
 * each time. */
#include "replay/formula.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 64, ARGUMENT_MAX = 300 };

/* On the stack of operators beside + - * / %. */
enum {
    OPEN = '(',
    OPEN_CALL = '[', /* of min and max, until the comma */
    MIN = 'm',
    MAX = 'M',
};

struct machine {
    const char *next, *end;
    const struct formula_scope *scope; /* NULL: only the syntax is checked */
    int64_t values[DEPTH_MAX];
    size_t value_count;
    char operators[DEPTH_MAX];
    size_t operator_count;
    bool wants_value; /* a value comes next, else an operator */
    enum formula_kind kind;
    struct error *error;
};

static enum status fail(const struct machine *machine, const char *why)
{
    return error_set(machine->error, STATUS_INVALID, "%s", why);
}

static enum status push_value(struct machine *machine, int64_t value)
{
    if (machine->value_count == DEPTH_MAX)
        return fail(machine, "the formula is too long");
    machine->values[machine->value_count++] = value;
    machine->wants_value = false;
    return STATUS_OK;
}

static enum status push_operator(struct machine *machine, char operator)
{
    if (machine->operator_count == DEPTH_MAX)
        return fail(machine, "the formula is too long");
    machine->operators[machine->operator_count++] = operator;
    machine->wants_value = true;
    return STATUS_OK;
}

static char top(const struct machine *machine)
{
    return machine->operator_count == 0 ? '\0'
                                        : machine->operators[machine->operator_count - 1];
}

/* *a = *a OPERATOR b; false past 63 bits. */
static bool compute(char operator, int64_t * a, int64_t b)
{
    switch (operator) {
    case '+':
        return !__builtin_add_overflow(*a, b, a);
    case '-':
        return !__builtin_sub_overflow(*a, b, a);
    case '*':
        return !__builtin_mul_overflow(*a, b, a);
    case '/':
        if (b == -1) /* INT64_MIN / -1 does not fit */
            return !__builtin_mul_overflow(*a, -1, a);
        *a /= b;
        return true;
    case '%':
        *a = b == -1 ? 0 : *a % b;
        return true;
    case MIN:
        *a = *a < b ? *a : b;
        return true;
    default:
        *a = *a > b ? *a : b;
        return true;
    }
}

/* Takes the operator on top and its two values off, and puts the result there. */
static enum status apply_top(struct machine *machine)
{
    char operator= machine->operators[--machine->operator_count];
    int64_t b = machine->values[--machine->value_count];
    int64_t *a = &machine->values[machine->value_count - 1];
    if (machine->scope == NULL)
        return STATUS_OK;
    if (b == 0 && (operator== '/' || operator== '%'))
        return fail(machine, "division by 0");
    return compute(operator, a, b) ? STATUS_OK : fail(machine, "a number is too large");
}

static int rank(char operator)
{
    static const int ranks[128] = {['+'] = 1, ['-'] = 1, ['*'] = 2, ['/'] = 2, ['%'] = 2};
    return ranks[operator & 127];
}

/* Operators that bind at least as tightly come first. */
static enum status apply_down_to(struct machine *machine, int least)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && rank(top(machine)) >= least)
        status = apply_top(machine);
    return status;
}

/* ---- values ---- */

static enum status take_number(struct machine *machine)
{
    int64_t number = 0;
    for (; machine->next < machine->end && *machine->next >= '0' && *machine->next <= '9';
         machine->next++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *machine->next - '0', &number))
            return fail(machine, "a number is too large");
    }
    return push_value(machine, number);
}

static enum status take_external(struct machine *machine, const char *name,
                                 const char *argument)
{
    const struct formula_scope *scope = machine->scope;
    int64_t value = 1;
    machine->kind = FORMULA_EXTERNAL;
    if (scope != NULL) {
        enum status status =
            scope->lookup == NULL
                ? error_set(machine->error, STATUS_INVALID, "there is no %s", name)
                : scope->lookup(scope->context, name, argument, &value, machine->error);
        if (status != STATUS_OK)
            return status;
    }
    return push_value(machine, value);
}

/* name(...): min and max of two values, or an argument that only the caller understands.
 */
static enum status take_call(struct machine *machine, const char *name)
{
    char argument[ARGUMENT_MAX];
    const char *open = machine->next++;
    if (strcmp(name, "min") == 0 || strcmp(name, "max") == 0) {
        enum status status = push_operator(machine, name[1] == 'i' ? MIN : MAX);
        return status == STATUS_OK ? push_operator(machine, OPEN_CALL) : status;
    }
    const char *close = memchr(open, ')', (size_t)(machine->end - open));
    if (close == NULL)
        return fail(machine, "a parenthesis is not closed");
    if (close - open > ARGUMENT_MAX)
        return fail(machine, "the formula is too long");
    (void)snprintf(argument, sizeof argument, "%.*s", (int)(close - open - 1), open + 1);
    machine->next = close + 1;
    return take_external(machine, name, argument);
}

static bool is(const char *name, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(name, word, length) == 0;
}

static enum status take_name(struct machine *machine, size_t length)
{
    static const struct formula_scope any = {.n = 1, .run = 1, .k = 1};
    const struct formula_scope *scope = machine->scope == NULL ? &any : machine->scope;
    const char *text = machine->next;
    const int64_t *value = is(text, length, "n")     ? &scope->n
                           : is(text, length, "run") ? &scope->run
                           : is(text, length, "k")   ? &scope->k
                                                     : NULL;
    machine->next += length;
    bool call = machine->next < machine->end && *machine->next == '(';
    if (value == NULL || call) { /* the only names that are copied: they are rare */
        char name[VARIABLES_NAME_MAX + 1];
        (void)snprintf(name, sizeof name, "%.*s", (int)length, text);
        return call ? take_call(machine, name) : take_external(machine, name, "");
    }
    if (machine->kind == FORMULA_CONSTANT)
        machine->kind = FORMULA_SCOPED;
    return push_value(machine, *value);
}

static enum status take_value(struct machine *machine)
{
    char c = *machine->next;
    size_t length = variables_name(machine->next, machine->end);
    if (c >= '0' && c <= '9')
        return take_number(machine);
    if (length > 0)
        return take_name(machine, length);
    if (c != '(')
        return error_set(machine->error, STATUS_INVALID,
                         "a number is missing before '%c'", c);
    machine->next++;
    return push_operator(machine, OPEN);
}

/* ---- operators ---- */

static enum status take_close(struct machine *machine)
{
    enum status status = apply_down_to(machine, 1);
    if (status != STATUS_OK)
        return status;
    if (top(machine) == OPEN_CALL)
        return fail(machine, "min and max take two numbers");
    if (top(machine) != OPEN)
        return fail(machine, "a closing parenthesis has no opening one");
    machine->operator_count--;
    bool call = top(machine) == MIN || top(machine) == MAX;
    return call ? apply_top(machine) : STATUS_OK;
}

static enum status take_comma(struct machine *machine)
{
    enum status status = apply_down_to(machine, 1);
    if (status != STATUS_OK)
        return status;
    if (top(machine) != OPEN_CALL)
        return fail(machine, "a comma is not expected here");
    machine->operators[machine->operator_count - 1] = OPEN;
    machine->wants_value = true;
    return STATUS_OK;
}

static enum status take_operator(struct machine *machine)
{
    char c = *machine->next++;
    if (c == ')')
        return take_close(machine);
    if (c == ',')
        return take_comma(machine);
    if (rank(c) == 0)
        return error_set(machine->error, STATUS_INVALID, "'%c' is not an operator", c);
    enum status status = apply_down_to(machine, rank(c));
    return status == STATUS_OK ? push_operator(machine, c) : status;
}

/* Reads the whole text. The stacks are left as they are: to clear them would take longer
 * than most formulas. */
static enum status run(struct machine *machine, const char *text, size_t length,
                       const struct formula_scope *scope, struct error *error)
{
    enum status status = STATUS_OK;
    machine->next = text;
    machine->end = text + length;
    machine->scope = scope;
    machine->value_count = machine->operator_count = 0;
    machine->wants_value = true;
    machine->kind = FORMULA_CONSTANT;
    machine->error = error;
    while (status == STATUS_OK && machine->next < machine->end) {
        if (*machine->next == ' ' || *machine->next == '\t')
            machine->next++;
        else if (machine->wants_value)
            status = take_value(machine);
        else
            status = take_operator(machine);
    }
    if (status == STATUS_OK && machine->wants_value)
        status = fail(machine, "a number is missing at the end");
    if (status == STATUS_OK)
        status = apply_down_to(machine, 1);
    if (status == STATUS_OK && machine->operator_count > 0)
        status = fail(machine, "a parenthesis is not closed");
    return status;
}

enum status formula_evaluate(const char *text, size_t length,
                             const struct formula_scope *scope, int64_t *out,
                             struct error *error)
{
    struct machine machine;
    enum status status = run(&machine, text, length, scope, error);
    if (status == STATUS_OK)
        *out = machine.values[0];
    return status;
}

/* ---- variables ---- */

/* Adds the name at *at or its variable's number; an argument stays as it is. */
static enum status expand_name(const char **at, const char *end, size_t length,
                               struct variables *variables, struct text *out,
                               struct error *error)
{
    int64_t number;
    const char *name = *at;
    *at += length;
    if (*at < end && **at == '(') {
        bool pair = is(name, length, "min") || is(name, length, "max");
        const char *close = pair ? NULL : memchr(*at, ')', (size_t)(end - *at));
        if (close != NULL)
            *at = close;
        text_add(out, name, (size_t)(*at - name));
        return STATUS_OK;
    }
    const char *value = variables_find(variables, name, length);
    if (value != NULL && !variables_number(value, &number))
        return error_set(error, STATUS_INVALID, "%.*s is not a number: %.60s",
                         (int)length, name, value);
    if (value != NULL)
        text_add_string(out, value);
    else
        text_add(out, name, length);
    return STATUS_OK;
}

enum status formula_expand(const char *text, size_t length, struct variables *variables,
                           struct text *out, enum formula_kind *out_kind,
                           struct error *error)
{
    const char *end = text + length;
    size_t before = out->length;
    enum status status = STATUS_OK;
    if (length > FORMULA_TEXT_MAX)
        return error_set(error, STATUS_INVALID, "the formula is too long");
    while (text < end && status == STATUS_OK) {
        bool digit = out->length > before && strchr("0123456789", text[-1]) != NULL;
        size_t name = digit ? 0 : variables_name(text, end);
        if (name > 0)
            status = expand_name(&text, end, name, variables, out, error);
        else
            text_add(out, text++, 1);
    }
    if (status != STATUS_OK || out->failed)
        return status != STATUS_OK ? status : STATUS_NOMEM;
    struct machine machine;
    status = run(&machine, text_string(out) + before, out->length - before, NULL, error);
    if (status == STATUS_OK)
        *out_kind = machine.kind;
    return status;
}
