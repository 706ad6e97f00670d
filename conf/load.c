/* The one place that knows libconfig. Each file is scanned before libconfig sees it: its
 * scanner ends the process on what it can't read, and wraps numbers past 32 bits. */
#include "conf/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <libconfig.h>

#include "base/text.h"
#include "conf/scan.h"

/* A line that holds a number which libconfig would wrap. */
struct wide {
    const char *file;
    int line;
};

enum { WIDE_MAX = 64 };

struct loader {
    const char *path;
    char *folder;     /* what @include is relative to, as the path was given */
    struct text text; /* of the configuration itself */
    struct tree tree;
    struct wide wide[WIDE_MAX];
    size_t wide_count;
    config_t config;
    config_setting_t **sources; /* of each node */
    struct problems *problems;
};

/* The name of an included file for fopen and for messages. */
static enum status name_include(struct loader *loader, const char *name, size_t length,
                                const char **out_file)
{
    struct text path = {0};
    if (strcmp(loader->folder, ".") != 0)
        text_printf(&path, "%s/", loader->folder);
    text_add(&path, name, length);
    enum status status = STATUS_NOMEM;
    if (!path.failed)
        status = tree_name_file(&loader->tree, text_string(&path), out_file);
    text_clear(&path);
    return status;
}

static enum status read_stream(FILE *stream, struct text *out)
{
    char buffer[16384];
    size_t length;
    while ((length = fread(buffer, 1, sizeof buffer, stream)) > 0) {
        text_add(out, buffer, length);
        if (out->length > LOAD_BYTES_MAX)
            return STATUS_LIMIT;
    }
    if (ferror(stream))
        return STATUS_IO;
    return out->failed ? STATUS_NOMEM : STATUS_OK;
}

static enum status read_file(struct loader *loader, const char *file, struct text *out)
{
    enum status status = STATUS_IO;
    FILE *stream = fopen(file, "re");
    if (stream != NULL) {
        status = read_stream(stream, out);
        int error = errno;
        (void)fclose(stream);
        errno = error;
    }
    if (status == STATUS_IO)
        problems_error(loader->problems, file, 0, "can't be read: %s", strerror(errno));
    else if (status == STATUS_LIMIT)
        problems_error(loader->problems, file, 0, "is larger than %d bytes",
                       LOAD_BYTES_MAX);
    return status;
}

/* An included file must be a plain one: libconfig would wait for a pipe, and end the
 * process on a folder. */
static enum status add_include(struct loader *loader, const char *from,
                               const struct scan *scan)
{
    const char *file;
    struct stat info;
    enum status status = name_include(loader, scan->token, scan->length, &file);
    if (status == STATUS_LIMIT)
        problems_error(loader->problems, from, scan->line, "more than %d files included",
                       TREE_FILES_MAX - 1);
    if (status != STATUS_OK)
        return status;
    if (stat(file, &info) != 0) {
        problems_error(loader->problems, from, scan->line, "can't include %s: %s", file,
                       strerror(errno));
        return STATUS_INVALID;
    }
    if (!S_ISREG(info.st_mode)) {
        problems_error(loader->problems, from, scan->line,
                       "can't include %s: it is no plain file", file);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

static enum status scan_text(struct loader *loader, const char *file,
                             const struct text *text)
{
    struct scan scan = scan_of(text_string(text), text->length);
    for (;;) {
        enum status status = STATUS_OK;
        switch (scan_next(&scan)) {
        case SCAN_END:
            return STATUS_OK;
        case SCAN_NUL:
            problems_error(loader->problems, file, scan.line, "holds a NUL byte");
            return STATUS_INVALID;
        case SCAN_INCLUDE:
            status = add_include(loader, file, &scan);
            break;
        case SCAN_TOO_LARGE:
            if (loader->wide_count < WIDE_MAX)
                loader->wide[loader->wide_count++] = (struct wide){file, scan.line};
            break;
        }
        if (status != STATUS_OK)
            return status;
    }
}

/* The tree's files are the work list: each include adds one, once. */
static enum status scan_files(struct loader *loader)
{
    const char *file;
    enum status status = tree_name_file(&loader->tree, loader->path, &file);
    if (status == STATUS_OK)
        status = read_file(loader, file, &loader->text);
    if (status == STATUS_OK)
        status = scan_text(loader, file, &loader->text);
    for (size_t i = 1; status == STATUS_OK && i < loader->tree.file_count; i++) {
        struct text text = {0};
        file = loader->tree.files[i];
        status = read_file(loader, file, &text);
        if (status == STATUS_OK)
            status = scan_text(loader, file, &text);
        text_clear(&text);
    }
    return status;
}

static enum status place_of(struct loader *loader, const char *libconfig_name,
                            const char **out_file)
{
    if (libconfig_name == NULL)
        return tree_name_file(&loader->tree, loader->path, out_file);
    return name_include(loader, libconfig_name, strlen(libconfig_name), out_file);
}

static enum status parse(struct loader *loader)
{
    static const char syntax[] = "syntax error";
    const char *file;
    config_set_include_dir(&loader->config, loader->folder);
    if (config_read_string(&loader->config, text_string(&loader->text)) == CONFIG_TRUE)
        return STATUS_OK;
    enum status status = place_of(loader, config_error_file(&loader->config), &file);
    if (status != STATUS_OK)
        return status;
    const char *text = config_error_text(&loader->config);
    problems_error(loader->problems, file, config_error_line(&loader->config), "%s%s",
                   text == NULL ? syntax : text,
                   text != NULL && strcmp(text, syntax) == 0
                       ? ", here or just before (a missing quote, comma or bracket?)"
                       : "");
    return STATUS_INVALID;
}

static bool is_wide(const struct loader *loader, const struct node *node)
{
    for (size_t i = 0; i < loader->wide_count; i++) {
        if (loader->wide[i].file == node->file && loader->wide[i].line == node->line)
            return true;
    }
    return false;
}

/* Room for the children of the nodes before. */
static enum status add_children(struct loader *loader, struct node *node,
                                config_setting_t *setting)
{
    size_t first;
    size_t count = (size_t)config_setting_length(setting);
    size_t index = (size_t)(node - loader->tree.nodes);
    enum status status = tree_grow(&loader->tree, count, &first);
    if (status != STATUS_OK)
        return status;
    loader->tree.nodes[index].first_child = first;
    loader->tree.nodes[index].child_count = count;
    if (count == 0)
        return STATUS_OK;
    config_setting_t **sources =
        realloc(loader->sources, loader->tree.capacity * sizeof(config_setting_t *));
    if (sources == NULL)
        return STATUS_NOMEM;
    loader->sources = sources;
    for (size_t i = 0; i < count; i++)
        sources[first + i] = config_setting_get_elem(setting, (unsigned)i);
    return STATUS_OK;
}

static enum status keep_string(const char *string, char **out)
{
    if (string == NULL)
        return STATUS_OK;
    char *copy = strdup(string);
    if (copy == NULL)
        return STATUS_NOMEM;
    *out = copy;
    return STATUS_OK;
}

static enum status fill_value(struct loader *loader, struct node *node,
                              config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        node->kind = is_wide(loader, node) ? NODE_BROKEN : NODE_INTEGER;
        node->integer = config_setting_get_int64(setting);
        return STATUS_OK;
    case CONFIG_TYPE_BOOL:
        node->kind = NODE_BOOL;
        node->integer = config_setting_get_bool(setting) == CONFIG_TRUE;
        return STATUS_OK;
    case CONFIG_TYPE_STRING:
        node->kind = NODE_STRING;
        return keep_string(config_setting_get_string(setting), &node->string);
    case CONFIG_TYPE_FLOAT:
        node->kind = NODE_FLOAT;
        node->fraction = config_setting_get_float(setting);
        return STATUS_OK;
    case CONFIG_TYPE_GROUP:
        node->kind = NODE_GROUP;
        return add_children(loader, node, setting);
    case CONFIG_TYPE_ARRAY:
        node->kind = NODE_ARRAY;
        return add_children(loader, node, setting);
    case CONFIG_TYPE_LIST:
        node->kind = NODE_LIST;
        return add_children(loader, node, setting);
    default:
        return STATUS_OK;
    }
}

static enum status fill_node(struct loader *loader, size_t i)
{
    config_setting_t *setting = loader->sources[i];
    struct node *node = &loader->tree.nodes[i];
    node->line = (int)config_setting_source_line(setting);
    enum status status =
        place_of(loader, config_setting_source_file(setting), &node->file);
    if (status == STATUS_OK)
        status = keep_string(config_setting_name(setting), &node->name);
    return status == STATUS_OK ? fill_value(loader, node, setting) : status;
}

/* Children are added behind all nodes there are, so one pass fills the whole tree. */
static enum status build(struct loader *loader)
{
    size_t root;
    enum status status = tree_grow(&loader->tree, 1, &root);
    if (status != STATUS_OK)
        return status;
    loader->sources = malloc(loader->tree.capacity * sizeof(config_setting_t *));
    if (loader->sources == NULL)
        return STATUS_NOMEM;
    loader->sources[root] = config_root_setting(&loader->config);
    for (size_t i = 0; status == STATUS_OK && i < loader->tree.count; i++)
        status = fill_node(loader, i);
    if (status == STATUS_LIMIT)
        problems_error(loader->problems, loader->path, 0, "has more than %d values",
                       TREE_NODES_MAX);
    return status;
}

static enum status find_folder(struct loader *loader)
{
    const char *slash = strrchr(loader->path, '/');
    if (slash == NULL)
        loader->folder = strdup(".");
    else if (slash == loader->path)
        loader->folder = strdup("/");
    else
        loader->folder = strndup(loader->path, (size_t)(slash - loader->path));
    return loader->folder == NULL ? STATUS_NOMEM : STATUS_OK;
}

static void report_wide(const struct loader *loader)
{
    for (size_t i = 0; i < loader->wide_count; i++)
        problems_error(loader->problems, loader->wide[i].file, loader->wide[i].line,
                       "a number is larger than any that can stand here (2147483647)");
}

enum status load_tree(const char *path, struct tree *out, struct problems *problems)
{
    struct loader loader = {.path = path, .problems = problems};
    config_init(&loader.config);
    enum status status = find_folder(&loader);
    if (status == STATUS_OK)
        status = scan_files(&loader);
    if (status == STATUS_OK)
        status = parse(&loader);
    if (status == STATUS_OK)
        status = build(&loader);
    if (status == STATUS_OK) {
        report_wide(&loader);
        *out = loader.tree;
        loader.tree = (struct tree){0};
    }
    config_destroy(&loader.config);
    tree_clear(&loader.tree);
    text_clear(&loader.text);
    free(loader.sources);
    free(loader.folder);
    return status;
}
