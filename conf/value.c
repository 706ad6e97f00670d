/* Reads a node into one value. The table of options says which values are valid. */
#include "conf/value.h"

#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"

void value_string(struct reader *reader, const struct option *option,
                  const struct node *node, void *field)
{
    const char *text = reader_text(reader, option, node);
    if (text != NULL)
        reader_keep(reader, field, text);
}

void value_name(struct reader *reader, const struct option *option,
                const struct node *node, void *field)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    if (text[strspn(text, allowed)] != '\0')
        reader_refuse(reader, option, node,
                      "\"%.100s\" may contain only letters, digits, '.', '_' and '-'",
                      text);
    else
        reader_keep(reader, field, text);
}

void value_reason(struct reader *reader, const struct option *option,
                  const struct node *node, void *field)
{
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p > 0x7e) {
            reader_refuse(reader, option, node,
                          "is part of SMTP replies and may contain only plain ASCII");
            return;
        }
    }
    reader_keep(reader, field, text);
}

void value_path(struct reader *reader, const struct option *option,
                const struct node *node, void *field)
{
    struct text path = {0};
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    if (text[0] != '/' && text[0] != '\0')
        text_printf(&path, "%s/", reader->folder);
    text_add_string(&path, text);
    if (path.failed)
        reader->failed = true;
    else if (path.length > (size_t)option->max)
        reader_refuse(reader, option, node, "the path %.100s... is longer than %d bytes",
                      text_string(&path), (int)option->max);
    else
        reader_keep(reader, field, text_string(&path));
    text_clear(&path);
}

void value_separator(struct reader *reader, const struct option *option,
                     const struct node *node, void *field)
{
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    if (text[0] != '\0' && strchr("!#$&'*+,/:;<=>?^`{|}~", text[0]) == NULL)
        reader_refuse(reader, option, node,
                      "\"%s\" can be part of a login, so it can't separate two", text);
    else
        reader_keep(reader, field, text);
}

/* An integer within the option's bounds. */
static bool take_integer(struct reader *reader, const struct option *option,
                         const struct node *node, int64_t *out)
{
    if (!reader_expect(reader, option, node, NODE_INTEGER))
        return false;
    if (node->integer < option->min || node->integer > option->max) {
        reader_refuse(reader, option, node, "%lld is not between %lld and %lld",
                      (long long)node->integer, (long long)option->min,
                      (long long)option->max);
        return false;
    }
    *out = node->integer;
    return true;
}

void value_integer(struct reader *reader, const struct option *option,
                   const struct node *node, void *field)
{
    int64_t integer;
    if (take_integer(reader, option, node, &integer))
        *(int *)field = (int)integer;
}

void value_count(struct reader *reader, const struct option *option,
                 const struct node *node, void *field)
{
    int64_t integer;
    if (take_integer(reader, option, node, &integer))
        *(int64_t *)field = integer;
}

/* 2 and 2.0 are the same. The value is rounded to thousandths by integer arithmetic,
 * since i386 rounds fractions in its own way. The bounds are checked first, so that
 * rounding moves nothing into them, and infinity fails. */
void value_factor(struct reader *reader, const struct option *option,
                  const struct node *node, void *field)
{
    double least = (double)option->min / 1000;
    double most = (double)option->max / 1000;
    double value = (double)node->integer;
    if (node->kind == NODE_FLOAT)
        value = node->fraction;
    else if (node->kind != NODE_INTEGER) {
        if (node->kind != NODE_BROKEN)
            reader_refuse(
                reader, option, node,
                "expected a number, with decimals or without (2.5, 2), found %s",
                node_kind_name(node->kind));
        return;
    }
    if (value >= least && value <= most)
        *(int64_t *)field = ((int64_t)(value * 1e9 + 0.5) + 500000) / 1000000;
    else
        reader_refuse(reader, option, node, "%.15g is not between %g and %g", value,
                      least, most);
}

void value_growth(struct reader *reader, const struct option *option,
                  const struct node *node, void *field)
{
    int64_t factor = 0;
    value_factor(reader, option, node, &factor);
    if (factor > 0 && factor < 1000)
        reader_refuse(reader, option, node, "is 0, or at least 1");
    *(int64_t *)field = factor;
}

void value_bool(struct reader *reader, const struct option *option,
                const struct node *node, void *field)
{
    if (reader_expect(reader, option, node, NODE_BOOL))
        *(bool *)field = node->integer != 0;
}

void value_octal(struct reader *reader, const struct option *option,
                 const struct node *node, void *field)
{
    unsigned value = 0;
    const char *text = reader_text(reader, option, node);
    if (text == NULL)
        return;
    size_t digits = strspn(text, "01234567");
    for (size_t i = 0; i < digits && value <= 0777; i++)
        value = value * 8 + (unsigned)(text[i] - '0');
    if (text[digits] != '\0' || value > 0777)
        reader_refuse(reader, option, node,
                      "\"%.100s\" is not a file mode, like \"0660\", up to \"0777\"",
                      text);
    else
        *(unsigned *)field = value;
}

void value_duration(struct reader *reader, const struct option *option,
                    const struct node *node, void *field)
{
    struct error error;
    int64_t ms;
    const char *text = reader_text(reader, &(struct option){.name = option->name}, node);
    if (text == NULL)
        return;
    enum status status = duration_parse(text, &ms, &error);
    reader_check(reader, option, node, status, &error);
    if (status != STATUS_OK)
        return;
    if (ms < option->min || ms > option->max)
        reader_refuse(reader, option, node, "\"%.100s\" is not between %lld s and %lld d",
                      text, (long long)(option->min / 1000),
                      (long long)(option->max / 86400 / 1000));
    else
        *(int64_t *)field = ms;
}

static int size_shift(const char *unit)
{
    static const char *const units[] = {"", "K", "M", "G", "T"};
    for (int i = 0; i < 5; i++) {
        if (strcmp(unit, units[i]) == 0)
            return i * 10;
    }
    return -1;
}

void value_size(struct reader *reader, const struct option *option,
                const struct node *node, void *field)
{
    int64_t value = 0;
    const char *text = reader_text(reader, &(struct option){.name = option->name}, node);
    if (text == NULL)
        return;
    const char *unit = text;
    int shift = text_take_number(&unit, &value) ? size_shift(unit) : -1;
    if (shift < 0) {
        reader_refuse(
            reader, option, node,
            "\"%.100s\" is not a size: a whole number and K, M, G or T, like \"1G\"",
            text);
        return;
    }
    if (value > option->max >> shift)
        reader_refuse(reader, option, node, "\"%.100s\" is too large", text);
    else
        *(int64_t *)field = value << shift;
}

/* "a, b or c" of the words. */
static void refuse_word(struct reader *reader, const struct option *option,
                        const struct node *node, const char *const *words)
{
    struct text list = {0};
    for (size_t i = 0; words[i] != NULL; i++) {
        const char *gap = words[i + 1] == NULL ? " or " : ", ";
        text_printf(&list, "%s\"%s\"", i == 0 ? "" : gap, words[i]);
    }
    reader_refuse(reader, option, node, "\"%.100s\" is not %s", node->string,
                  text_string(&list));
    text_clear(&list);
}

/* The index of a word. */
static bool take_word(struct reader *reader, const struct option *option,
                      const struct node *node, const char *const *words, size_t *out)
{
    const char *text = reader_text(reader, &(struct option){.name = option->name}, node);
    if (text == NULL)
        return false;
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return true;
        }
    }
    refuse_word(reader, option, node, words);
    return false;
}

/* Enums without negative values are unsigned, with gcc and clang. */
void value_word(struct reader *reader, const struct option *option,
                const struct node *node, void *field)
{
    size_t word;
    if (take_word(reader, option, node, option->words, &word))
        *(unsigned *)field = (unsigned)word + (unsigned)option->min;
}

void value_mode(struct reader *reader, const struct option *option,
                const struct node *node, void *field)
{
    static const char *const words[] = {"enforce", "monitor", NULL};
    size_t word;
    if (take_word(reader, option, node, words, &word))
        *(bool *)field = word == 1;
}
