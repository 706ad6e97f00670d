/* Parts in a row: literal text, and formulas. */
#include "replay/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum { PARTS_MAX = 40 };

enum part_kind { PART_LITERAL, PART_FORMULA, PART_NAME, PART_RANGE };

struct part {
    enum part_kind kind;
    char *literal;           /* owned */
    struct formula *formula; /* the number; NULL with PART_NAME: n */
    struct formula *last;    /* PART_RANGE */
};

struct template
{
    struct part *parts;
    size_t count;
    bool has_range;
};

void template_free(struct template *template)
{
    if (template == NULL)
        return;
    for (size_t i = 0; i < template->count; i++) {
        free(template->parts[i].literal);
        formula_free(template->parts[i].formula);
        formula_free(template->parts[i].last);
    }
    free(template->parts);
    free(template);
}

static enum status add(struct template *template, struct part **out, struct error *error)
{
    if (template->count == PARTS_MAX)
        return error_set(error, STATUS_INVALID, "more than %d braces in one text",
                         PARTS_MAX / 2);
    if (!array_reserve(&template->parts, template->count, sizeof *template->parts))
        return STATUS_NOMEM;
    *out = &template->parts[template->count++];
    **out = (struct part){0};
    return STATUS_OK;
}

static enum status add_literal(struct template *template, const char *text, size_t length,
                               struct error *error)
{
    struct part *part = NULL;
    if (length == 0)
        return STATUS_OK;
    enum status status = add(template, &part, error);
    if (status == STATUS_OK) {
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): add wrote part */
        part->kind = PART_LITERAL;
        part->literal = strndup(text, length);
        status = part->literal == NULL ? STATUS_NOMEM : STATUS_OK;
    }
    return status;
}

static enum status parse_formula(const char *text, size_t length,
                                 struct variables *variables, struct formula **out,
                                 struct error *error)
{
    enum status status = formula_parse(text, length, variables, out, error);
    if (status == STATUS_OK && formula_has_externals(*out))
        return error_set(error, STATUS_INVALID,
                         "{%.*s}: a variable that is not set above", (int)length, text);
    return status;
}

/* first..last */
static enum status add_range(struct template *template, struct variables *variables,
                             const char *body, size_t length, struct error *error)
{
    struct part *part = NULL;
    const char *dots = memmem(body, length, "..", 2);
    size_t before = (size_t)(dots - body);
    if (template->has_range)
        return error_set(error, STATUS_INVALID, "two ranges in one word");
    enum status status = add(template, &part, error);
    if (status != STATUS_OK)
        return status;
    template->has_range = true;
    part->kind = PART_RANGE;
    status = parse_formula(body, before, variables, &part->formula, error);
    if (status == STATUS_OK)
        status =
            parse_formula(dots + 2, length - before - 2, variables, &part->last, error);
    return status;
}

static enum status add_computed(struct template *template, struct variables *variables,
                                const char *body, size_t length, struct error *error)
{
    struct part *part = NULL;
    bool name = length == 4 && memcmp(body, "name", 4) == 0;
    bool name_of = length > 5 && memcmp(body, "name:", 5) == 0;
    if (!name && !name_of && memmem(body, length, "..", 2) != NULL)
        return add_range(template, variables, body, length, error);
    enum status status = add(template, &part, error);
    if (status != STATUS_OK)
        return status;
    part->kind = name || name_of ? PART_NAME : PART_FORMULA;
    if (name)
        return STATUS_OK;
    size_t skipped = name_of ? 5 : 0;
    return parse_formula(body + skipped, length - skipped, variables, &part->formula,
                         error);
}

static enum status add_braces(struct template *template, struct variables *variables,
                              const char *body, size_t length, struct error *error)
{
    const char *value =
        variables_is_name(body, length) ? variables_find(variables, body, length) : NULL;
    if (value != NULL)
        return add_literal(template, value, strlen(value), error);
    return add_computed(template, variables, body, length, error);
}

enum status template_parse(const char *text, size_t length, struct variables *variables,
                           struct template **out, struct error *error)
{
    const char *end = text + length;
    struct template *template = calloc(1, sizeof *template);
    enum status status = template == NULL ? STATUS_NOMEM : STATUS_OK;
    while (status == STATUS_OK && text < end) {
        const char *open = memchr(text, '{', (size_t)(end - text));
        const char *until = open == NULL ? end : open;
        status = add_literal(template, text, (size_t)(until - text), error);
        text = until;
        if (status != STATUS_OK || open == NULL)
            continue;
        const char *close = memchr(open, '}', (size_t)(end - open));
        if (close == NULL) {
            status = error_set(error, STATUS_INVALID, "a brace does not close");
            continue;
        }
        status =
            add_braces(template, variables, open + 1, (size_t)(close - open - 1), error);
        text = close + 1;
    }
    if (status != STATUS_OK) {
        template_free(template);
        return status;
    }
    *out = template;
    return STATUS_OK;
}

static bool is_constant(const struct part *part)
{
    if (part->kind == PART_LITERAL)
        return true;
    return part->kind == PART_FORMULA && formula_is_constant(part->formula);
}

bool template_is_constant(const struct template *template)
{
    for (size_t i = 0; i < template->count; i++) {
        if (!is_constant(&template->parts[i]))
            return false;
    }
    return true;
}

bool template_has_range(const struct template *template)
{
    return template->has_range;
}

enum status template_range(const struct template *template, struct formula_scope *scope,
                           int64_t *out_first, int64_t *out_last, struct error *error)
{
    int64_t first = 1;
    int64_t last = 1;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < template->count && status == STATUS_OK; i++) {
        const struct part *part = &template->parts[i];
        if (part->kind != PART_RANGE)
            continue;
        status = formula_evaluate(part->formula, scope, &first, error);
        if (status == STATUS_OK)
            status = formula_evaluate(part->last, scope, &last, error);
    }
    if (status == STATUS_OK) {
        *out_first = first;
        *out_last = last;
    }
    return status;
}

/* Three syllables, in an order that looks like none. */
void template_name(int64_t number, struct text *out)
{
    static const char consonants[] = "bcdfghjklmnprstvwxyz";
    static const char vowels[] = "aeiou";
    uint64_t mixed = ((uint64_t)number * 379721 + 514229) % 1000000;
    char name[7];
    for (size_t i = 0; i < 6; i += 2) {
        uint64_t syllable = mixed % 100;
        name[i] = consonants[syllable / 5];
        name[i + 1] = vowels[syllable % 5];
        mixed /= 100;
    }
    name[0] = (char)(name[0] - 'a' + 'A');
    text_add(out, name, 6);
}

/* printf(3) would be the slowest part of a large storm. */
static void add_number(int64_t number, struct text *out)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        digits[--at] = '-';
    text_add(out, digits + at, sizeof digits - at);
}

enum status template_fill(const struct template *template, struct formula_scope *scope,
                          struct text *out, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < template->count && status == STATUS_OK; i++) {
        const struct part *part = &template->parts[i];
        int64_t number = part->kind == PART_RANGE ? scope->k : scope->n;
        if (part->kind == PART_LITERAL) {
            text_add_string(out, part->literal);
            continue;
        }
        if (part->kind != PART_RANGE && part->formula != NULL)
            status = formula_evaluate(part->formula, scope, &number, error);
        if (status == STATUS_OK && part->kind == PART_NAME)
            template_name(number, out);
        else if (status == STATUS_OK)
            add_number(number, out);
    }
    return status;
}
