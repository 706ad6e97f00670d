/* One entry of lists is a list of its own (file), or has lists by their names. */
#include "conf/sources.h"

#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/text.h"
#include "conf/options.h"
#include "conf/settings.h"

#define REFRESH_MS (INT64_C(5) * 60 * 1000)
#define REFRESH_REMOTE_MS (INT64_C(60) * 60 * 1000)

#define IS(kind) (1U << (kind))

static const struct kind {
    const char *name; /* of the setting */
    enum list_kind kind;
    bool remote;
} kinds[] = {
    {"file", LIST_FILE, false},
    {"aliases", LIST_ALIASES, false},
    {"virtual", LIST_VIRTUAL, false},
    {"folder", LIST_FOLDER, false},
};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

bool sources_is_remote(const struct list_source *source)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (kinds[i].kind == source->kind)
            return kinds[i].remote;
    }
    return false;
}

static void source_clear(struct list_source *source)
{
    free(source->address);
    free(source->path);
    free(source->identity);
    free(source->column);
    domains_clear(&source->domains);
}

void sources_clear(struct settings *settings)
{
    for (size_t i = 0; i < settings->list_count; i++)
        source_clear(&settings->lists[i]);
    free(settings->lists);
    settings->lists = NULL;
    settings->list_count = 0;
}

/* "hash:/etc/postfix/virtual" is how Postfix names a map; what is read is its text. */
static void check_map_name(struct reader *reader, const struct option *option,
                           const struct node *node, const char *name)
{
    const struct node *path = tree_find(&reader->tree, node, name);
    if (path == NULL || path->kind != NODE_STRING)
        return;
    size_t type = strspn(path->string, "abcdefghijklmnopqrstuvwxyz");
    if (type > 0 && path->string[type] == ':')
        reader_refuse(reader, option, path,
                      "\"%.*s:\" belongs to the name of a Postfix map; %s takes only the "
                      "path of its text file",
                      (int)type, path->string, name);
}

/* Which of the kinds the entry names; false, and reported, unless it is exactly one. */
static bool find_kind(struct reader *reader, const struct option *option,
                      const struct node *node, enum list_kind *out)
{
    struct text names = {0};
    size_t found = 0;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (tree_find(&reader->tree, node, kinds[i].name) != NULL) {
            *out = kinds[i].kind;
            found++;
        }
        text_printf(&names, "%s%s",
                    i == 0               ? ""
                    : i < KIND_COUNT - 1 ? ", "
                                         : " and ",
                    kinds[i].name);
    }
    if (found != 1)
        reader_refuse(reader, option, node, "each entry needs exactly one of %s",
                      text_string(&names));
    text_clear(&names);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (!kinds[i].remote)
            check_map_name(reader, option, node, kinds[i].name);
    }
    return found == 1;
}

/* Settings that not every kind has. */
static const struct {
    const char *name;
    unsigned kinds;   /* of IS */
    const char *with; /* these kinds, in words */
} partial[] = {
    {"address", IS(LIST_FILE), "file; the others name their own lists"},
    {"domains", IS(LIST_ALIASES) | IS(LIST_VIRTUAL), "aliases or virtual"},
    {"domain", IS(LIST_FOLDER), "folder"},
    {"column", IS(LIST_FOLDER), "folder"},
};

/* Which settings of an entry go together. */
static void check_entry(struct reader *reader, const struct option *option,
                        const struct node *node, enum list_kind kind)
{
    for (size_t i = 0; i < sizeof partial / sizeof *partial; i++) {
        const struct node *set = tree_find(&reader->tree, node, partial[i].name);
        if (set != NULL && (partial[i].kinds & IS(kind)) == 0)
            reader_refuse(reader, option, set, "%s is allowed only with %s",
                          partial[i].name, partial[i].with);
    }
    if (kind == LIST_FILE && tree_find(&reader->tree, node, "address") == NULL)
        reader_refuse(reader, option, node, "a file needs the list's address");
    if (kind == LIST_FOLDER && tree_find(&reader->tree, node, "domain") == NULL)
        reader_refuse(reader, option, node, "a folder needs the domain of its lists");
}

/* Two files for one list are an error: nobody could tell which one counts. */
static void check_address(struct reader *reader, const struct option *option,
                          const struct node *node, const char *address,
                          struct intern *addresses)
{
    uint32_t id;
    uint32_t before = intern_count(addresses);
    if (intern_add(addresses, address, strlen(address), &id) != STATUS_OK)
        reader->failed = true;
    else if (id < before)
        reader_refuse(reader, option, node, "the list %.200s is given twice", address);
}

static void add_source(struct reader *reader, const struct option *option,
                       const struct node *node, struct intern *addresses)
{
    if (!reader_expect(reader, option, node, NODE_GROUP))
        return;
    struct settings *settings = reader->settings;
    struct list_source *source = &settings->lists[settings->list_count++];
    *source = (struct list_source){.line = node->line, .file = node->file};
    group_read(reader, &options_table, option->name, node, source);
    if (find_kind(reader, option, node, &source->kind))
        check_entry(reader, option, node, source->kind);
    if (source->refresh_ms == 0)
        source->refresh_ms = sources_is_remote(source) ? REFRESH_REMOTE_MS : REFRESH_MS;
    if (source->address != NULL)
        check_address(reader, option, node, source->address, addresses);
}

void sources_read(struct reader *reader, const struct option *option,
                  const struct node *node, void *field)
{
    struct settings *settings = field;
    struct intern *addresses = intern_new();
    settings->lists = reader_items(reader, option, node, NODE_LIST, SOURCES_MAX,
                                   "entries", sizeof *settings->lists);
    reader->failed = reader->failed || addresses == NULL;
    for (size_t i = 0;
         settings->lists != NULL && addresses != NULL && i < node->child_count; i++)
        add_source(reader, option, tree_child(&reader->tree, node, i), addresses);
    intern_free(addresses);
}
