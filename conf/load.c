/* The one place that knows libconfig. Each file is scanned before libconfig sees it: its
 * scanner ends the process on what it can't read, wraps numbers past 32 bits, and joins
 * strings that stand beside each other. */
#include "conf/load.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <libconfig.h>

#include "base/text.h"
#include "conf/scan.h"

/* DEPTH_MAX: more than the files that libconfig opens within each other. */
enum { WIDE_MAX = 64, DEPTH_MAX = 16 };

/* A file in the middle of which another one is read. */
struct level {
    const char *file;
    struct text text;
    struct scan scan;
};

struct loader {
    const char *path;
    char *folder;     /* what @include is relative to, as the path was given */
    struct text text; /* of the configuration itself */
    struct tree tree;
    struct place wide[WIDE_MAX]; /* where a number is that libconfig would wrap */
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
static enum status find_include(struct loader *loader, const struct level *level,
                                const char **out_file)
{
    const char *file;
    const char *from = level->file;
    const struct scan *scan = &level->scan;
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
                       "can't include %s: it is not a regular file", file);
        return STATUS_INVALID;
    }
    *out_file = file;
    return STATUS_OK;
}

static bool has_place(const struct place *places, size_t count, const char *file,
                      int line)
{
    for (size_t i = 0; i < count; i++) {
        if (places[i].file == file && places[i].line == line)
            return true;
    }
    return false;
}

/* A file that is included twice brings each place twice. */
static void note_place(struct place *places, size_t *count, size_t max,
                       const struct level *level)
{
    if (*count < max && !has_place(places, *count, level->file, level->scan.line))
        places[(*count)++] = (struct place){level->file, level->scan.line};
}

/* UTF-8's byte order mark, which some editors write; libconfig takes it for an error. */
static bool begins_with_mark(const struct text *text)
{
    return text->length >= 3 && memcmp(text_string(text), "\xef\xbb\xbf", 3) == 0;
}

/* Opens a file whose text stands where the one before says @include. */
static enum status enter(struct loader *loader, struct level *level, const char *file,
                         enum scan_last last)
{
    *level = (struct level){.file = file};
    enum status status = read_file(loader, file, &level->text);
    if (status == STATUS_OK && begins_with_mark(&level->text)) {
        problems_error(loader->problems, file, 1,
                       "begins with a byte order mark, which an included file can't "
                       "have: save it without one");
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK)
        level->scan = scan_of(text_string(&level->text), level->text.length, last);
    else
        text_clear(&level->text);
    return status;
}

/* The next include of a level, as the level above it. */
static enum status enter_include(struct loader *loader, struct level *levels,
                                 size_t *depth)
{
    const char *file;
    struct level *level = &levels[*depth - 1];
    enum status status = find_include(loader, level, &file);
    if (status == STATUS_OK)
        status = enter(loader, &levels[*depth], file, level->scan.last);
    if (status == STATUS_OK)
        (*depth)++;
    return status;
}

/* One step in the innermost file; at its end, back to the one that includes it. */
static enum status scan_step(struct loader *loader, struct level *levels, size_t *depth)
{
    struct level *level = &levels[*depth - 1];
    switch (scan_next(&level->scan)) {
    case SCAN_INCLUDE:
        return enter_include(loader, levels, depth);
    case SCAN_NUL:
        problems_error(loader->problems, level->file, level->scan.line,
                       "contains a NUL byte");
        return STATUS_INVALID;
    case SCAN_TOO_LARGE:
        note_place(loader->wide, &loader->wide_count, WIDE_MAX, level);
        return STATUS_OK;
    case SCAN_JOINED:
        note_place(loader->tree.joints, &loader->tree.joint_count, TREE_JOINTS_MAX,
                   level);
        return STATUS_OK;
    case SCAN_END:
        break;
    }
    text_clear(&level->text);
    if (--*depth > 0)
        levels[*depth - 1].scan.last = level->scan.last;
    return STATUS_OK;
}

/* All files in the order in which libconfig will read them. */
static enum status scan_files(struct loader *loader)
{
    const char *file;
    struct level levels[DEPTH_MAX];
    size_t depth = 0;
    enum status status = tree_name_file(&loader->tree, loader->path, &file);
    if (status == STATUS_OK)
        status = read_file(loader, file, &loader->text);
    if (status != STATUS_OK)
        return status;
    if (begins_with_mark(&loader->text))
        memcpy(loader->text.data, "   ", 3);
    levels[depth++] =
        (struct level){.file = file,
                       .scan = scan_of(text_string(&loader->text), loader->text.length,
                                       SCAN_LAST_OTHER)};
    while (status == STATUS_OK && depth > 0 && depth < DEPTH_MAX)
        status = scan_step(loader, levels, &depth);
    while (depth > 0)
        text_clear(&levels[--depth].text);
    return status;
}

static enum status place_of(struct loader *loader, const char *libconfig_name,
                            const char **out_file)
{
    if (libconfig_name == NULL)
        return tree_name_file(&loader->tree, loader->path, out_file);
    if (LIBCONFIG_VER_MINOR >= 7) /* returns the name that it opened */
        return tree_name_file(&loader->tree, libconfig_name, out_file);
    return name_include(loader, libconfig_name, strlen(libconfig_name), out_file);
}

static enum status parse(struct loader *loader)
{
    static const char syntax[] = "syntax error";
    const char *file;
    if (strcmp(loader->folder, ".") != 0)
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
    *out = strdup(string);
    return *out == NULL ? STATUS_NOMEM : STATUS_OK;
}

static enum status fill_value(struct loader *loader, struct node *node,
                              config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        node->kind = has_place(loader->wide, loader->wide_count, node->file, node->line)
                         ? NODE_BROKEN
                         : NODE_INTEGER;
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

/* Children are added after all existing nodes, so one pass fills the whole tree. */
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
    char *copy = strdup(loader->path);
    if (copy != NULL)
        loader->folder = strdup(dirname(copy));
    free(copy);
    return loader->folder == NULL ? STATUS_NOMEM : STATUS_OK;
}

static void report_wide(const struct loader *loader)
{
    for (size_t i = 0; i < loader->wide_count; i++)
        problems_error(loader->problems, loader->wide[i].file, loader->wide[i].line,
                       "a number is larger than the maximum here (2147483647)");
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
    bool partial = status == STATUS_INVALID && build(&loader) == STATUS_OK;
    if (status == STATUS_OK)
        status = build(&loader);
    if (status == STATUS_OK)
        report_wide(&loader);
    if (status == STATUS_OK || partial) {
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
