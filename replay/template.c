/* A template is parsed each time it is used, part by part: literal text, or the inside of
 * a pair of braces. */
#include "replay/template.h"

#include <string.h>

enum part_kind { PART_LITERAL, PART_FORMULA, PART_NAME, PART_RANGE };

struct part {
    enum part_kind kind;
    const char *text; /* without its braces */
    size_t length;
    const char *dots; /* of PART_RANGE */
};

/* The next part, and *at behind it. A brace that does not close is literal. */
static bool next_part(const char **at, const char *end, struct part *out)
{
    const char *text = *at;
    if (text == end)
        return false;
    const char *open = memchr(text, '{', (size_t)(end - text));
    const char *close = open == text ? memchr(text, '}', (size_t)(end - text)) : NULL;
    if (close == NULL) {
        *at = open == NULL || open == text ? end : open;
        *out = (struct part){PART_LITERAL, text, (size_t)(*at - text), NULL};
        return true;
    }
    size_t length = (size_t)(close - text) - 1;
    const char *dots = memchr(text + 1, '.', length);
    bool name = length == 4 && memcmp(text + 1, "name", 4) == 0;
    bool range = dots != NULL && dots[1] == '.';
    enum part_kind kind = range ? PART_RANGE : name ? PART_NAME : PART_FORMULA;
    *out = (struct part){kind, text + 1, length, dots};
    *at = close + 1;
    return true;
}

static size_t before_dots(const struct part *part)
{
    return (size_t)(part->dots - part->text);
}

static size_t after_dots(const struct part *part)
{
    return part->length - before_dots(part) - 2;
}

/* ---- reading ---- */

static enum status expand_formula(const char *text, size_t length,
                                  struct variables *variables, struct text *out,
                                  enum formula_kind *out_kind, struct error *error)
{
    enum status status = formula_expand(text, length, variables, out, out_kind, error);
    if (status == STATUS_OK && *out_kind == FORMULA_EXTERNAL)
        return error_set(error, STATUS_INVALID, "{%.*s}: no such variable is set above",
                         (int)length, text);
    return status;
}

static void add_number(int64_t number, struct text *out)
{
    /* printf(3) would be the slowest part of a large storm */
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

/* {first..last} */
static enum status expand_range(const struct part *part, struct variables *variables,
                                struct text *out, struct error *error)
{
    enum formula_kind kind;
    text_add_string(out, "{");
    enum status status =
        expand_formula(part->text, before_dots(part), variables, out, &kind, error);
    text_add_string(out, "..");
    if (status == STATUS_OK)
        status = expand_formula(part->dots + 2, after_dots(part), variables, out, &kind,
                                error);
    text_add_string(out, "}");
    return status;
}

/* Becomes a number when it is one already. */
static enum status expand_braces(const struct part *part, struct variables *variables,
                                 struct text *out, struct error *error)
{
    static const struct formula_scope nothing = {0};
    struct text formula = {0};
    enum formula_kind kind;
    int64_t number = 0;
    const char *value = variables_is_name(part->text, part->length)
                            ? variables_find(variables, part->text, part->length)
                            : NULL;
    if (value != NULL) {
        text_add_string(out, value);
        return STATUS_OK;
    }
    enum status status =
        expand_formula(part->text, part->length, variables, &formula, &kind, error);
    if (status == STATUS_OK && kind == FORMULA_CONSTANT) {
        status = formula_evaluate(text_string(&formula), formula.length, &nothing,
                                  &number, error);
        add_number(number, out);
    } else if (status == STATUS_OK) {
        text_printf(out, "{%s}", text_string(&formula));
    }
    text_clear(&formula);
    return status;
}

enum status template_expand(const char *text, size_t length, struct variables *variables,
                            struct text *out, struct error *error)
{
    struct part part;
    bool range = false;
    enum status status = STATUS_OK;
    for (const char *at = text;
         status == STATUS_OK && next_part(&at, text + length, &part);) {
        if (part.kind == PART_LITERAL && part.text[0] == '{')
            return error_set(error, STATUS_INVALID, "a brace is not closed");
        if (part.kind == PART_RANGE && range)
            return error_set(error, STATUS_INVALID, "two ranges in one word");
        range = range || part.kind == PART_RANGE;
        if (part.kind == PART_LITERAL)
            text_add(out, part.text, part.length);
        else if (part.kind == PART_NAME)
            text_add_string(out, "{name}");
        else if (part.kind == PART_RANGE)
            status = expand_range(&part, variables, out, error);
        else
            status = expand_braces(&part, variables, out, error);
    }
    return status == STATUS_OK && out->failed ? STATUS_NOMEM : status;
}

const char *template_word(const char **at, size_t *out_length)
{
    const char *word = *at + strspn(*at, " \t,");
    size_t length = 0;
    for (bool inside = false; word[length] != '\0'; length++) {
        if (word[length] == '{' || word[length] == '}')
            inside = word[length] == '{';
        else if (!inside && strchr(" \t,", word[length]) != NULL)
            break;
    }
    *at = word + length;
    *out_length = length;
    return length == 0 ? NULL : word;
}

/* ---- filling in ---- */

static bool find_range(const char *text, size_t length, struct part *out)
{
    for (const char *at = text; next_part(&at, text + length, out);) {
        if (out->kind == PART_RANGE)
            return true;
    }
    return false;
}

bool template_has_range(const char *text, size_t length)
{
    struct part part;
    return find_range(text, length, &part);
}

enum status template_range(const char *text, size_t length,
                           const struct formula_scope *scope, int64_t max,
                           int64_t *out_first, int64_t *out_count, struct error *error)
{
    struct part part;
    int64_t first = 1;
    int64_t last = 1;
    int64_t beyond;
    enum status status = STATUS_OK;
    if (find_range(text, length, &part)) {
        status = formula_evaluate(part.text, before_dots(&part), scope, &first, error);
        if (status == STATUS_OK)
            status =
                formula_evaluate(part.dots + 2, after_dots(&part), scope, &last, error);
    }
    if (status != STATUS_OK)
        return status;
    if (last >= first && (__builtin_sub_overflow(last, first, &beyond) || beyond >= max))
        return error_set(error, STATUS_INVALID, "a range of more than %lld numbers",
                         (long long)max);
    *out_first = first;
    *out_count = last < first ? 0 : last - first + 1;
    return STATUS_OK;
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

enum status template_fill(const char *text, size_t length,
                          const struct formula_scope *scope, struct text *out,
                          struct error *error)
{
    struct part part;
    enum status status = STATUS_OK;
    for (const char *at = text;
         status == STATUS_OK && next_part(&at, text + length, &part);) {
        int64_t number = scope->k;
        if (part.kind == PART_LITERAL)
            text_add(out, part.text, part.length);
        else if (part.kind == PART_NAME)
            template_name(scope->n, out);
        else if (part.kind == PART_FORMULA)
            status = formula_evaluate(part.text, part.length, scope, &number, error);
        if (status == STATUS_OK && (part.kind == PART_FORMULA || part.kind == PART_RANGE))
            add_number(number, out);
    }
    return status;
}
