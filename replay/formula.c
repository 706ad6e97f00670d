/* Dijkstra's shunting yard: the text becomes steps for a stack machine, without
 * recursion. */
#include "replay/formula.h"

#include <stdlib.h>
#include <string.h>

enum { EXTERNALS_MAX = 8 };

enum step_kind {
    STEP_NUMBER,
    STEP_N,
    STEP_RUN,
    STEP_K,
    STEP_EXTERNAL,
    STEP_ADD,
    STEP_SUBTRACT,
    STEP_MULTIPLY,
    STEP_DIVIDE,
    STEP_MODULO,
    STEP_MIN,
    STEP_MAX,
    STEP_RANDOM,
    STEP_OPEN, /* only while parsing: a parenthesis */
};

struct step {
    enum step_kind kind;
    int64_t number; /* or the index of what is asked */
};

struct external {
    char *name, *argument; /* owned */
};

struct formula {
    struct step steps[FORMULA_STEPS_MAX];
    size_t count;
    struct external externals[EXTERNALS_MAX];
    size_t external_count;
};

struct parser {
    const char *next, *end;
    struct variables *variables;
    struct formula *formula;
    struct step stack[FORMULA_STEPS_MAX]; /* operators that wait */
    size_t depth;
    bool wants_value; /* a value is due next, else an operator */
    struct error *error;
};

static const struct {
    const char *name;
    enum step_kind kind;
} pairs[] = {{"min", STEP_MIN}, {"max", STEP_MAX}, {"random", STEP_RANDOM}};

static enum status refuse(const struct parser *parser, const char *why)
{
    return error_set(parser->error, STATUS_INVALID, "%s", why);
}

static enum status emit(struct parser *parser, enum step_kind kind, int64_t number)
{
    struct formula *formula = parser->formula;
    if (formula->count == FORMULA_STEPS_MAX)
        return refuse(parser, "the formula is too long");
    formula->steps[formula->count++] = (struct step){kind, number};
    return STATUS_OK;
}

/* number: with STEP_OPEN, how many values are still due behind commas. */
static enum status push(struct parser *parser, enum step_kind kind, int64_t number)
{
    if (parser->depth == FORMULA_STEPS_MAX)
        return refuse(parser, "the formula is too long");
    parser->stack[parser->depth++] = (struct step){kind, number};
    return STATUS_OK;
}

static int rank(enum step_kind kind)
{
    if (kind == STEP_ADD || kind == STEP_SUBTRACT)
        return 1;
    return kind == STEP_MULTIPLY || kind == STEP_DIVIDE || kind == STEP_MODULO ? 2 : 0;
}

/* Operators that bind at least as tightly come first. */
static enum status pop(struct parser *parser, int least)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && parser->depth > 0 &&
           rank(parser->stack[parser->depth - 1].kind) >= least)
        status = emit(parser, parser->stack[--parser->depth].kind, 0);
    return status;
}

static enum status take_number(struct parser *parser)
{
    char digits[20] = "";
    int64_t number;
    size_t length = strspn(parser->next, "0123456789");
    if (length >= sizeof digits)
        return refuse(parser, "a number is too large");
    memcpy(digits, parser->next, length);
    digits[length] = '\0';
    if (!variables_number(digits, &number))
        return refuse(parser, "a number is too large");
    parser->next += length;
    parser->wants_value = false;
    return emit(parser, STEP_NUMBER, number);
}

static enum status add_external(struct parser *parser, const char *name, size_t length,
                                const char *argument, size_t argument_length)
{
    struct formula *formula = parser->formula;
    if (formula->external_count == EXTERNALS_MAX)
        return refuse(parser, "the formula is too long");
    struct external *external = &formula->externals[formula->external_count++];
    external->name = strndup(name, length);
    external->argument = strndup(argument, argument_length);
    if (external->name == NULL || external->argument == NULL)
        return STATUS_NOMEM;
    parser->wants_value = false;
    return emit(parser, STEP_EXTERNAL, (int64_t)formula->external_count - 1);
}

/* name(...): of two values, or of a text that only the caller understands. */
static enum status take_call(struct parser *parser, const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (strlen(pairs[i].name) != length || memcmp(pairs[i].name, name, length) != 0)
            continue;
        parser->next++;
        enum status status = push(parser, pairs[i].kind, 0);
        return status == STATUS_OK ? push(parser, STEP_OPEN, 1) : status;
    }
    const char *argument = parser->next + 1;
    const char *close = memchr(parser->next, ')', (size_t)(parser->end - parser->next));
    if (close == NULL)
        return refuse(parser, "a parenthesis does not close");
    parser->next = close + 1;
    return add_external(parser, name, length, argument, (size_t)(close - argument));
}

static enum status take_name(struct parser *parser)
{
    static const struct {
        const char *name;
        enum step_kind kind;
    } numbers[] = {{"n", STEP_N}, {"run", STEP_RUN}, {"k", STEP_K}};
    int64_t number;
    size_t length = 1;
    const char *name = parser->next;
    while (name + length < parser->end && variables_is_name(name, length + 1))
        length++;
    parser->next += length;
    if (parser->next < parser->end && *parser->next == '(')
        return take_call(parser, name, length);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strlen(numbers[i].name) == length &&
            memcmp(numbers[i].name, name, length) == 0) {
            parser->wants_value = false;
            return emit(parser, numbers[i].kind, 0);
        }
    }
    const char *value = variables_find(parser->variables, name, length);
    if (value == NULL)
        return add_external(parser, name, length, "", 0);
    parser->wants_value = false;
    if (!variables_number(value, &number))
        return error_set(parser->error, STATUS_INVALID, "%.*s is no number: %.60s",
                         (int)length, name, value);
    return emit(parser, STEP_NUMBER, number);
}

static enum status take_value(struct parser *parser)
{
    char c = *parser->next;
    if (c >= '0' && c <= '9')
        return take_number(parser);
    if (c == '(') {
        parser->next++;
        return push(parser, STEP_OPEN, 0);
    }
    if (variables_is_name(parser->next, 1))
        return take_name(parser);
    return error_set(parser->error, STATUS_INVALID, "a number is missing before '%c'", c);
}

static enum status take_close(struct parser *parser)
{
    enum status status = pop(parser, 1);
    if (status != STATUS_OK)
        return status;
    if (parser->depth == 0)
        return refuse(parser, "a parenthesis closes that was not opened");
    if (parser->stack[--parser->depth].number != 0)
        return refuse(parser, "min, max and random take two numbers");
    bool call = parser->depth > 0 && parser->stack[parser->depth - 1].kind >= STEP_MIN &&
                parser->stack[parser->depth - 1].kind <= STEP_RANDOM;
    return call ? emit(parser, parser->stack[--parser->depth].kind, 0) : STATUS_OK;
}

static enum status take_comma(struct parser *parser)
{
    enum status status = pop(parser, 1);
    if (status != STATUS_OK)
        return status;
    if (parser->depth == 0 || parser->stack[parser->depth - 1].number == 0)
        return refuse(parser, "a comma stands where none belongs");
    parser->stack[parser->depth - 1].number--;
    parser->wants_value = true;
    return STATUS_OK;
}

static enum status take_operator(struct parser *parser)
{
    static const char signs[] = "+-*/%";
    char c = *parser->next++;
    const char *sign = strchr(signs, c);
    if (c == ')')
        return take_close(parser);
    if (c == ',')
        return take_comma(parser);
    if (sign == NULL)
        return error_set(parser->error, STATUS_INVALID, "'%c' is not an operator", c);
    enum step_kind kind = (enum step_kind)(STEP_ADD + (sign - signs));
    enum status status = pop(parser, rank(kind));
    parser->wants_value = true;
    return status == STATUS_OK ? push(parser, kind, 0) : status;
}

static enum status parse(struct parser *parser)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && parser->next < parser->end) {
        if (*parser->next == ' ' || *parser->next == '\t')
            parser->next++;
        else if (parser->wants_value)
            status = take_value(parser);
        else
            status = take_operator(parser);
    }
    if (status == STATUS_OK && parser->wants_value)
        status = refuse(parser, "a number is missing at the end");
    if (status == STATUS_OK)
        status = pop(parser, 1);
    if (status == STATUS_OK && parser->depth > 0)
        status = refuse(parser, "a parenthesis does not close");
    return status;
}

enum status formula_parse(const char *text, size_t length, struct variables *variables,
                          struct formula **out, struct error *error)
{
    char copy[FORMULA_TEXT_MAX + 1];
    if (length > FORMULA_TEXT_MAX)
        return error_set(error, STATUS_INVALID, "the formula is too long");
    memcpy(copy, text, length);
    copy[length] = '\0';
    struct formula *formula = calloc(1, sizeof *formula);
    if (formula == NULL)
        return STATUS_NOMEM;
    struct parser parser = {.next = copy,
                            .end = copy + strlen(copy),
                            .variables = variables,
                            .formula = formula,
                            .wants_value = true,
                            .error = error};
    enum status status = parse(&parser);
    if (status != STATUS_OK) {
        formula_free(formula);
        return status;
    }
    *out = formula;
    return STATUS_OK;
}

void formula_free(struct formula *formula)
{
    if (formula == NULL)
        return;
    for (size_t i = 0; i < formula->external_count; i++) {
        free(formula->externals[i].name);
        free(formula->externals[i].argument);
    }
    free(formula);
}

bool formula_is_constant(const struct formula *formula)
{
    for (size_t i = 0; i < formula->count; i++) {
        enum step_kind kind = formula->steps[i].kind;
        if (kind == STEP_N || kind == STEP_RUN || kind == STEP_K ||
            kind == STEP_EXTERNAL || kind == STEP_RANDOM)
            return false;
    }
    return true;
}

bool formula_has_externals(const struct formula *formula)
{
    return formula->external_count > 0;
}

/* splitmix64 (Steele, Lea, Flood, 2014). */
int64_t formula_draw(uint64_t *state, int64_t low, int64_t high)
{
    uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    mixed ^= mixed >> 31;
    uint64_t width = (uint64_t)high - (uint64_t)low + 1;
    return (int64_t)((uint64_t)low + (width == 0 ? mixed : mixed % width));
}

static enum status apply(enum step_kind kind, int64_t *a, int64_t b, uint64_t *random,
                         struct error *error)
{
    bool over = false;
    switch (kind) {
    case STEP_ADD:
        over = __builtin_add_overflow(*a, b, a);
        break;
    case STEP_SUBTRACT:
        over = __builtin_sub_overflow(*a, b, a);
        break;
    case STEP_MULTIPLY:
        over = __builtin_mul_overflow(*a, b, a);
        break;
    case STEP_DIVIDE:
    case STEP_MODULO:
        if (b == 0)
            return error_set(error, STATUS_INVALID, "a division by 0");
        if (b == -1) /* INT64_MIN / -1 has no place */
            over = __builtin_mul_overflow(kind == STEP_DIVIDE ? *a : 0, -1, a);
        else
            *a = kind == STEP_DIVIDE ? *a / b : *a % b;
        break;
    case STEP_MIN:
        *a = *a < b ? *a : b;
        break;
    case STEP_MAX:
        *a = *a > b ? *a : b;
        break;
    case STEP_RANDOM:
        if (*a > b)
            return error_set(error, STATUS_INVALID,
                             "random takes the smaller number first");
        *a = formula_draw(random, *a, b);
        break;
    case STEP_NUMBER:
    case STEP_N:
    case STEP_RUN:
    case STEP_K:
    case STEP_EXTERNAL:
    case STEP_OPEN:
        break;
    }
    return over ? error_set(error, STATUS_INVALID, "a number is too large") : STATUS_OK;
}

static enum status lookup(const struct external *external,
                          const struct formula_scope *scope, int64_t *out,
                          struct error *error)
{
    if (scope->lookup == NULL)
        return error_set(error, STATUS_INVALID, "there is no %.60s%s here",
                         external->name, external->argument[0] == '\0' ? "" : "()");
    return scope->lookup(scope->context, external->name, external->argument, out, error);
}

enum status formula_evaluate(const struct formula *formula, struct formula_scope *scope,
                             int64_t *out, struct error *error)
{
    int64_t stack[FORMULA_STEPS_MAX] = {0};
    size_t depth = 0;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < formula->count && status == STATUS_OK; i++) {
        const struct step *step = &formula->steps[i];
        if (step->kind >= STEP_ADD) {
            depth--;
            status =
                apply(step->kind, &stack[depth - 1], stack[depth], &scope->random, error);
        } else if (step->kind == STEP_EXTERNAL) {
            status =
                lookup(&formula->externals[step->number], scope, &stack[depth++], error);
        } else {
            stack[depth++] = step->kind == STEP_NUMBER ? step->number
                             : step->kind == STEP_N    ? scope->n
                             : step->kind == STEP_RUN  ? scope->run
                                                       : scope->k;
        }
    }
    if (status == STATUS_OK)
        *out = stack[0];
    return status;
}
