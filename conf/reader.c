/* Reporting and checking that every kind of option needs. */
#include "conf/reader.h"

#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/load.h"

/* The absolute folder of the configuration, so that paths in it don't depend on the
 * working directory. */
static void find_folder(struct reader *reader, const char *path)
{
    char *copy = strdup(path);
    if (copy != NULL)
        reader->folder = realpath(dirname(copy), NULL);
    if (reader->folder == NULL)
        reader->failed = true;
    free(copy);
}

enum status reader_open(struct reader *reader, const char *path)
{
    enum status status = load_tree(path, &reader->tree, reader->problems);
    if (status == STATUS_OK || reader->tree.count > 0)
        find_folder(reader, path);
    if (status == STATUS_OK && reader->failed)
        return STATUS_NOMEM;
    return status == STATUS_LIMIT ? STATUS_INVALID : status;
}

void reader_close(struct reader *reader)
{
    tree_clear(&reader->tree);
    free(reader->folder);
    reader->folder = NULL;
}

void reader_refuse(struct reader *reader, const struct option *option,
                   const struct node *node, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        text = NULL;
    problems_error(reader->problems, node->file, node->line, "%s: %s", option->name,
                   text == NULL ? "is wrong" : text);
    free(text);
}

void reader_check(struct reader *reader, const struct option *option,
                  const struct node *node, enum status status, const struct error *error)
{
    if (status == STATUS_NOMEM)
        reader->failed = true;
    else if (status != STATUS_OK)
        reader_refuse(reader, option, node, "%s", error->text);
}

bool reader_expect(struct reader *reader, const struct option *option,
                   const struct node *node, enum node_kind kind)
{
    if (node->kind == kind)
        return true;
    if (node->kind != NODE_BROKEN)
        reader_refuse(reader, option, node, "expected %s, found %s", node_kind_name(kind),
                      node_kind_name(node->kind));
    return false;
}

void *reader_items(struct reader *reader, const struct option *option,
                   const struct node *node, enum node_kind kind, size_t max,
                   const char *what, size_t size)
{
    if (!reader_expect(reader, option, node, kind) || node->child_count == 0)
        return NULL;
    if (node->child_count > max) {
        reader_refuse(reader, option, node, "more than %zu %s", max, what);
        return NULL;
    }
    void *items = calloc(node->child_count, size);
    reader->failed = reader->failed || items == NULL;
    return items;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    }
    return false;
}

const char *reader_text(struct reader *reader, const struct option *option,
                        const struct node *node)
{
    if (!reader_expect(reader, option, node, NODE_STRING))
        return NULL;
    size_t length = strlen(node->string);
    if (has_control(node->string))
        reader_refuse(reader, option, node,
                      "the text contains a line break or another control character");
    else if (length == 0 && option->min > 0)
        reader_refuse(reader, option, node, "must not be empty");
    else if (option->max > 0 && length > (size_t)option->max)
        reader_refuse(reader, option, node, "is longer than %d bytes", (int)option->max);
    else
        return node->string;
    return NULL;
}

void reader_keep(struct reader *reader, char **field, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL) {
        reader->failed = true;
        return;
    }
    free(*field);
    *field = copy;
}
