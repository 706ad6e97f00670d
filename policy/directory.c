/* Building: strings become numbers at once; what they mean is resolved by the seal, so
 * that the order in which sources are read does not matter. */
#include "policy/directory_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "policy/syntax.h"

struct directory *directory_new(const struct domains *own)
{
    struct directory *directory = calloc(1, sizeof *directory);
    if (directory == NULL)
        return NULL;
    directory->own = own;
    directory->strings = intern_new();
    directory->sources = intern_new();
    if (directory->strings == NULL || directory->sources == NULL) {
        directory_free(directory);
        return NULL;
    }
    return directory;
}

void directory_free(struct directory *directory)
{
    if (directory == NULL)
        return;
    for (uint32_t i = 0; i < directory->node_count; i++) {
        numbers_clear(&directory->nodes[i].members);
        numbers_clear(&directory->nodes[i].parts);
        numbers_clear(&directory->nodes[i].nested);
    }
    for (uint32_t i = 0; i < directory->flat_count; i++) {
        if (directory->flats[i] != NULL)
            roaring_bitmap_free(directory->flats[i]);
    }
    if (directory->external != NULL)
        roaring_bitmap_free(directory->external);
    free(directory->flats);
    free(directory->nodes);
    free(directory->names);
    for (size_t i = 0; i < directory->text_count; i++)
        shared_text_unref(directory->texts[i]);
    free(directory->texts);
    intern_free(directory->strings);
    intern_free(directory->sources);
    free(directory);
}

static enum status intern_text(struct directory *directory,
                               const struct intern_text *text, bool lasting,
                               uint32_t *out_name)
{
    uint32_t count = intern_count(directory->strings);
    if (!array_reserve(&directory->names, count, sizeof *directory->names))
        return STATUS_NOMEM;
    enum status status = intern_add_prepared(directory->strings, text, lasting, out_name);
    if (status == STATUS_LIMIT)
        directory->passed = "too many addresses";
    if (status == STATUS_OK && *out_name == count)
        directory->names[count] = (struct name){.target = DIRECTORY_NONE};
    return status;
}

enum status directory_intern(struct directory *directory, const char *data, size_t length,
                             uint32_t *out_name)
{
    struct intern_text text = {.data = data, .length = length};
    intern_prepare(directory->strings, &text);
    return intern_text(directory, &text, false, out_name);
}

static enum status intern_string_of(struct directory *directory, const char *string,
                                    uint32_t *out_name)
{
    return directory_intern(directory, string, strlen(string), out_name);
}

bool directory_is_external(const struct directory *directory,
                           const struct address *address)
{
    return address->at < address->length &&
           !domains_have_address(directory->own, address);
}

void directory_set_local(struct directory *directory, bool local)
{
    assert(!directory->sealed);
    directory->local = local;
}

static enum status add_node(struct directory *directory, const struct list_node *node,
                            uint32_t *out_list)
{
    if (directory->node_count >= DIRECTORY_LISTS_MAX) {
        directory->passed = "too many lists";
        return STATUS_LIMIT;
    }
    if (!array_reserve(&directory->nodes, directory->node_count,
                       sizeof *directory->nodes))
        return STATUS_NOMEM;
    directory->nodes[directory->node_count] = *node;
    *out_list = directory->node_count++;
    return STATUS_OK;
}

enum status directory_add_list(struct directory *directory, const char *address,
                               const char *source, enum list_state state,
                               int64_t read_at_ms, uint32_t *out_list)
{
    assert(!directory->sealed);
    struct list_node node = {.list = {.state = state, .read_at_ms = read_at_ms},
                             .local = directory->local};
    enum status status = intern_string_of(directory, address, &node.address);
    if (status == STATUS_OK)
        status = intern_add(directory->sources, source, strlen(source), &node.source);
    if (status == STATUS_OK)
        status = add_node(directory, &node, out_list);
    return status;
}

/* The list that joins all lists of one name, made when there is none yet. */
static enum status join(struct directory *directory, uint32_t name, uint32_t *out_list)
{
    uint32_t here = name_list(&directory->names[name]);
    uint32_t target = directory->names[name].target;
    struct list_node node = {.address = name, .joined = true};
    enum status status = STATUS_OK;
    uint32_t list = DIRECTORY_NONE;

    if (here != DIRECTORY_NONE) {
        const struct list_node *old = &directory->nodes[here];
        if (old->joined && old->address == name) {
            *out_list = here;
            return STATUS_OK;
        }
        node.source = old->source;
        node.list.read_at_ms = old->list.read_at_ms;
    } else {
        status = intern_add(directory->sources, "", 0, &node.source);
    }
    if (status == STATUS_OK)
        status = add_node(directory, &node, &list);
    if (status == STATUS_OK && here != DIRECTORY_NONE)
        status = numbers_push(&directory->nodes[list].parts, here);
    if (status == STATUS_OK && target != DIRECTORY_NONE)
        status = numbers_push(&directory->nodes[list].members, target);
    if (status != STATUS_OK)
        return status;
    name_set_list(&directory->names[name], list);
    directory->names[name].target = DIRECTORY_NONE;
    *out_list = list;
    return STATUS_OK;
}

/* Records whether what a name means comes from aliases(5) or elsewhere. */
static void mark_origin(const struct directory *directory, struct name *name)
{
    name->local |= directory->local;
    name->elsewhere |= !directory->local;
}

/* A virtual(5) entry that names itself yields to what comes from aliases(5). */
static void give_way(const struct directory *directory, uint32_t id)
{
    struct name *name = &directory->names[id];
    if (name->target == id && !name->local && directory->local)
        name->target = DIRECTORY_NONE;
}

enum status directory_bind(struct directory *directory, const char *address,
                           uint32_t list)
{
    assert(!directory->sealed && list < directory->node_count);
    uint32_t id;
    enum status status = intern_string_of(directory, address, &id);
    if (status != STATUS_OK)
        return status;
    struct name *name = &directory->names[id];
    give_way(directory, id);
    mark_origin(directory, name);
    if (name_list(name) == list)
        return STATUS_OK;
    if (name_list(name) == DIRECTORY_NONE && name->target == DIRECTORY_NONE) {
        name_set_list(name, list);
        return STATUS_OK;
    }

    uint32_t joined;
    status = join(directory, id, &joined);
    if (status != STATUS_OK)
        return status;
    struct list_node *node = &directory->nodes[joined];
    const struct list *part = &directory->nodes[list].list;
    if (node->parts.count == 0 || part->read_at_ms < node->list.read_at_ms)
        node->list.read_at_ms = part->read_at_ms;
    if (node->parts.count == 0)
        node->source = directory->nodes[list].source;
    return numbers_push(&node->parts, list);
}

enum status directory_redirect(struct directory *directory, const char *address,
                               const char *target)
{
    assert(!directory->sealed);
    uint32_t from;
    uint32_t to;
    uint32_t joined;
    enum status status = intern_string_of(directory, address, &from);
    if (status == STATUS_OK)
        status = intern_string_of(directory, target, &to);
    if (status != STATUS_OK)
        return status;
    struct name *name = &directory->names[from];
    if (from == to && name->local && !name->elsewhere && !directory->local)
        return STATUS_OK;
    give_way(directory, from);
    mark_origin(directory, name);
    if (name->target == to)
        return STATUS_OK;
    if (name_list(name) == DIRECTORY_NONE && name->target == DIRECTORY_NONE) {
        name->target = to;
        return STATUS_OK;
    }
    status = join(directory, from, &joined);
    return status == STATUS_OK ? numbers_push(&directory->nodes[joined].members, to)
                               : status;
}

enum status directory_doubt_domain(struct directory *directory, const char *domain)
{
    assert(!directory->sealed);
    char name[ADDRESS_SIZE] = "@";
    uint32_t id;
    size_t length = strlen(domain);
    if (length >= sizeof name - 1)
        return STATUS_LIMIT;
    memcpy(name + 1, domain, length + 1);
    enum status status = intern_string_of(directory, name, &id);
    if (status == STATUS_OK)
        directory->names[id].doubted = true;
    return status;
}

static enum status add_member(struct directory *directory, uint32_t list,
                              const struct intern_text *text, bool lasting)
{
    assert(!directory->sealed && list < directory->node_count);
    uint32_t name;
    if (directory->member_count >= DIRECTORY_MEMBERS_MAX) {
        directory->passed = "too many members of lists";
        return STATUS_LIMIT;
    }
    enum status status = intern_text(directory, text, lasting, &name);
    if (status == STATUS_OK)
        status = numbers_push(&directory->nodes[list].members, name);
    if (status == STATUS_OK)
        directory->member_count++;
    return status;
}

enum status directory_expect(struct directory *directory, size_t members)
{
    uint32_t count = intern_count(directory->strings);
    return members > count && members <= DIRECTORY_MEMBERS_MAX
               ? intern_reserve(directory->strings, (uint32_t)members)
               : STATUS_OK;
}

enum status directory_add_plain(struct directory *directory, uint32_t list,
                                struct intern_text *addresses, size_t count, bool lasting)
{
    enum status status = STATUS_OK;
    assert(!directory->sealed);
    for (size_t i = 0; i < count; i++)
        intern_prepare(directory->strings, &addresses[i]);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = add_member(directory, list, &addresses[i], lasting);
    return status;
}

/* What is wrong with a member, or NULL. quotes: it was quoted, so odd bytes are meant. */
static const char *fault_of(const struct address *address, bool quotes)
{
    if (address->at == 0)
        return "is not an address";
    const char *local_at = memchr(address->text, '@', address->at);
    if (local_at != NULL)
        return "holds two '@'";
    for (size_t i = 0; address->text[0] == '"' && !quotes && i < address->at - 2; i++) {
        char c = address->text[1 + i];
        if (c != '.' && !syntax_is_atext(c))
            return "is not an address";
    }
    if (address_is_literal(address))
        return NULL;
    for (const char *domain = address_domain(address); *domain != '\0'; domain++) {
        if (*domain != '.' && !syntax_is_atext(*domain))
            return "is not an address";
    }
    return NULL;
}

/* Does not quote the member: the file may be the wrong one, and its contents secret. */
static enum status refuse_member(struct error *error, size_t length, const char *fault)
{
    return error_set(error, STATUS_INVALID, "a member of %zu byte%s %s", length,
                     length == 1 ? "" : "s", fault);
}

enum status directory_add_member(struct directory *directory, uint32_t list,
                                 const char *raw, size_t length,
                                 const char *default_domain, struct error *error)
{
    struct address address;
    if (address_parse(raw, length, &address) != STATUS_OK ||
        (default_domain != NULL &&
         address_qualify(&address, default_domain) != STATUS_OK))
        return refuse_member(error, length, "is too long");
    bool quotes = address.text[0] == '"' &&
                  (memchr(raw, '"', length) != NULL || memchr(raw, '\\', length) != NULL);
    const char *fault = fault_of(&address, quotes);
    if (fault != NULL)
        return refuse_member(error, length, fault);
    struct intern_text text = {.data = address.text, .length = address.length};
    enum status status = directory_add_plain(directory, list, &text, 1, false);
    if (status == STATUS_OK)
        return STATUS_OK;
    return error_set(error, status, "%s",
                     status == STATUS_NOMEM ? "out of memory" : directory->passed);
}

enum status directory_keep(struct directory *directory, struct shared_text *text)
{
    if (!array_reserve(&directory->texts, directory->text_count,
                       sizeof(struct shared_text *))) {
        shared_text_unref(text);
        return STATUS_NOMEM;
    }
    directory->texts[directory->text_count++] = text;
    return STATUS_OK;
}

enum status directory_add_opaque(struct directory *directory, uint32_t list,
                                 const char *raw, size_t length)
{
    struct text member = {0};
    const char mark = OPAQUE;
    text_add(&member, &mark, 1);
    for (size_t i = 0; i < length; i++) {
        if (raw[i] == '\0')
            text_add(&member, "\xc0\x80", 2); /* as in address_parse */
        else
            text_add(&member, raw + i, 1);
    }
    enum status status = STATUS_NOMEM;
    struct intern_text string = {.data = member.data, .length = member.length};
    if (!member.failed)
        status = directory_add_plain(directory, list, &string, 1, false);
    text_clear(&member);
    return status;
}
