/* The seal: members are resolved to persons and lists; lists that hold each other become
 * one component; and since every component comes after those it holds, one pass of unions
 * is enough. */
#include "policy/directory_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/graph.h"

/* The most memory that the flattened lists may take, about; in bytes. */
#define FLAT_BYTES_MAX (UINT64_C(4) << 30)

enum { CYCLE_SHOWN_MAX = 20 }; /* lists named in a warning */

#define NONE DIRECTORY_NONE

/* What a member means: the same in all lists that have it. */
struct member_target {
    uint32_t person; /* where a list stands: the mailbox of that name */
    uint32_t list;   /* or NONE */
    bool known;      /* worked out already */
    bool literal;    /* may be lists of any own domain */
    bool doubtful;   /* it may mean more */
};

/* What is asked of the domain of each address; most are of a few domains. */
enum { DOMAIN_ANSWERS = 64 };
struct domain_answer {
    const char *domain; /* with its '@', borrowed from a string */
    bool has_entry;     /* "@domain" is a catch-all, renamed or doubted */
    bool external;
};

struct component {
    roaring_bitmap_t *inside; /* all lists in it and below, NULL when it is one leaf */
    uint32_t depth;           /* levels of lists below */
    uint32_t merged_by;       /* the last component that took it in */
    bool unknown;
};

struct flattener {
    struct directory *directory;
    struct problems *problems;
    struct member_target
        *member_targets[2]; /* of the names there were at the start; the second
                             * in aliases(5), NULL before it is needed */
    size_t member_target_count;
    struct numbers edges;
    size_t *starts;
    struct graph graph;
    uint32_t *component_of; /* by list */
    uint32_t *order;        /* lists by component */
    struct component *components;
    uint32_t component_count;
    uint64_t bytes;
    struct domain_answer answers[DOMAIN_ANSWERS];
    uint32_t looked_at; /* names so far */
    struct numbers external;
};

static const struct list_node *node_of(const struct flattener *flattener, uint32_t list)
{
    return &flattener->directory->nodes[list];
}

/* ---- which addresses are simply persons, and which are external ---- */

/* domain begins with an '@', or is "". */
static const struct domain_answer *ask_domain(struct flattener *flattener,
                                              const char *domain, size_t length)
{
    const struct directory *directory = flattener->directory;
    uint32_t name;
    size_t sum = length;
    for (size_t i = 1; i < length && i < 8; i++)
        sum = sum * 31 + (unsigned char)domain[i];
    struct domain_answer *answer = &flattener->answers[sum % DOMAIN_ANSWERS];
    if (answer->domain == NULL || strcmp(answer->domain, domain) != 0)
        *answer = (struct domain_answer){
            .domain = domain,
            .has_entry = intern_find(directory->strings, domain, length, &name),
            .external = length > 0 && !domains_have(directory->own, domain + 1)};
    return answer;
}

static bool has_tag(const struct directory *directory, const char *local, size_t length)
{
    const char *delimiter = directory->own->delimiters;
    while (delimiter != NULL && *delimiter != '\0') {
        if (memchr(local, *delimiter++, length) != NULL)
            return true;
    }
    return false;
}

/* Looks at the names that are new. A member is simply that person, as most are, when it
 * has no entry and no tag, is no literal, and its domain has no entry. */
static enum status look_at_names(struct flattener *flattener)
{
    struct directory *directory = flattener->directory;
    uint32_t count = intern_count(directory->strings);
    for (; flattener->looked_at < count; flattener->looked_at++) {
        struct name *name = &directory->names[flattener->looked_at];
        const char *string = intern_string(directory->strings, flattener->looked_at);
        name->person = string[0] == OPAQUE;
        if (name->person)
            continue;
        size_t length = strlen(string);
        size_t at = address_find_at(string, length);
        const struct domain_answer *answer =
            ask_domain(flattener, string + at, length - at);
        name->person = name_list(name) == NONE && name->target == NONE &&
                       !answer->has_entry && !has_tag(directory, string, at) &&
                       (at == length || string[at + 1] != '[');
        if (answer->external &&
            numbers_push(&flattener->external, flattener->looked_at) != STATUS_OK)
            return STATUS_NOMEM;
    }
    return STATUS_OK;
}

/* ---- members: persons stay in the list, lists become edges of the graph ---- */

/* True when list is the holder, alone or joined with others at its address. */
static bool is_itself(const struct flattener *flattener, uint32_t holder, uint32_t list)
{
    const struct list_node *node = node_of(flattener, list);
    for (size_t i = 0; i < node->parts.count; i++) {
        if (node->parts.items[i] == holder)
            return true;
    }
    return list == holder;
}

static void mark_unknown(struct flattener *flattener, uint32_t list)
{
    flattener->directory->nodes[list].list.state = LIST_UNKNOWN;
}

/* All lists that a literal may be, since only the MTA knows which; else the person. */
static enum status add_literal(struct flattener *flattener, uint32_t holder,
                               uint32_t person, uint32_t *out_person)
{
    const struct directory *directory = flattener->directory;
    struct address address;
    struct target target;
    *out_person = person;
    address_take(intern_string(directory->strings, person), &address);
    for (size_t i = 0; i < directory->own->count; i++) {
        directory_find_in_own(directory, &address, i, &target);
        if (target.kind == TARGET_UNKNOWN && target.list == NONE)
            mark_unknown(flattener, holder);
        if (target.list == NONE || is_itself(flattener, holder, target.list))
            continue;
        *out_person = NONE;
        if (numbers_push(&flattener->edges, target.list) != STATUS_OK)
            return STATUS_NOMEM;
    }
    return STATUS_OK;
}

static enum status resolve_name(struct flattener *flattener, uint32_t name, bool local,
                                struct member_target *resolved)
{
    struct directory *directory = flattener->directory;
    struct address address;
    struct target target;
    address_take(intern_string(directory->strings, name), &address);
    (void)directory_follow(directory, &address, local, &target);
    resolved->known = true;
    resolved->list = target.list;
    resolved->literal = target.list == NONE && address_is_literal(&target.address);
    resolved->doubtful = target.list == NONE && target.kind == TARGET_UNKNOWN;
    return directory_intern(directory, target.address.text, target.address.length,
                            &resolved->person);
}

/* Resolves a member: an edge is added and *out_person is NONE, or it is a person. */
static enum status resolve_member(struct flattener *flattener, uint32_t holder,
                                  uint32_t name, uint32_t *out_person)
{
    *out_person = name;
    if (flattener->directory->names[name].person)
        return STATUS_OK;
    bool local = node_of(flattener, holder)->local;
    struct member_target **member_targets = &flattener->member_targets[local];
    enum status status = STATUS_OK;
    if (*member_targets == NULL)
        *member_targets = calloc(flattener->member_target_count, sizeof **member_targets);
    if (*member_targets == NULL)
        return STATUS_NOMEM;
    struct member_target *resolved = &(*member_targets)[name];
    if (!resolved->known)
        status = resolve_name(flattener, name, local, resolved);
    if (status != STATUS_OK)
        return status;
    if (resolved->doubtful)
        mark_unknown(flattener, holder);
    if (resolved->literal)
        return add_literal(flattener, holder, resolved->person, out_person);
    *out_person = resolved->person;
    if (resolved->list == NONE || is_itself(flattener, holder, resolved->list))
        return STATUS_OK;
    *out_person = NONE;
    return numbers_push(&flattener->edges, resolved->list);
}

static enum status resolve_list(struct flattener *flattener, uint32_t list)
{
    struct list_node *node = &flattener->directory->nodes[list];
    size_t kept = 0;
    for (size_t i = 0; i < node->members.count; i++) {
        uint32_t person;
        enum status status =
            resolve_member(flattener, list, node->members.items[i], &person);
        if (status != STATUS_OK)
            return status;
        if (person != NONE)
            node->members.items[kept++] = person;
    }
    node->members.count = kept;
    for (size_t i = 0; i < node->parts.count; i++) {
        uint32_t part = node->parts.items[i];
        if (numbers_push(&flattener->edges, part) != STATUS_OK)
            return STATUS_NOMEM;
        if (node_of(flattener, part)->list.state > node->list.state)
            node->list.state = node_of(flattener, part)->list.state;
    }
    return STATUS_OK;
}

static void clear_member_targets(struct flattener *flattener)
{
    for (size_t i = 0; i < 2; i++) {
        free(flattener->member_targets[i]);
        flattener->member_targets[i] = NULL;
    }
}

static enum status resolve_lists(struct flattener *flattener)
{
    uint32_t count = flattener->directory->node_count;
    flattener->member_target_count =
        (size_t)intern_count(flattener->directory->strings) + 1;
    flattener->starts = calloc((size_t)count + 1, sizeof *flattener->starts);
    if (flattener->starts == NULL)
        return STATUS_NOMEM;
    for (uint32_t list = 0; list < count; list++) {
        flattener->starts[list] = flattener->edges.count;
        enum status status = resolve_list(flattener, list);
        if (status != STATUS_OK)
            return status;
    }
    flattener->starts[count] = flattener->edges.count;
    flattener->graph = (struct graph){
        .starts = flattener->starts, .edges = flattener->edges.items, .count = count};
    clear_member_targets(flattener);
    return STATUS_OK;
}

/* ---- strings are final now ---- */

static enum status set_external(struct flattener *flattener)
{
    struct directory *directory = flattener->directory;
    enum status status = look_at_names(flattener);
    if (status != STATUS_OK)
        return status;
    directory->external =
        roaring_bitmap_of_ptr(flattener->external.count, flattener->external.items);
    numbers_clear(&flattener->external);
    if (directory->external == NULL)
        return STATUS_NOMEM;
    (void)roaring_bitmap_run_optimize(directory->external);
    return STATUS_OK;
}

static void name_lists(struct directory *directory)
{
    for (uint32_t i = 0; i < directory->node_count; i++) {
        struct list_node *node = &directory->nodes[i];
        node->list.address = intern_string(directory->strings, node->address);
        node->list.source = intern_string(directory->sources, node->source);
    }
}

/* ---- components ---- */

/* Sorts the lists by component; *out_starts is the caller's. */
static enum status sort_lists(struct flattener *flattener, uint32_t **out_starts)
{
    uint32_t count = flattener->graph.count;
    uint32_t *starts = calloc((size_t)flattener->component_count + 2, sizeof *starts);
    flattener->order = calloc((size_t)count + 1, sizeof *flattener->order);
    if (starts == NULL || flattener->order == NULL) {
        free(starts);
        return STATUS_NOMEM;
    }
    for (uint32_t list = 0; list < count; list++)
        starts[flattener->component_of[list] + 2]++;
    for (uint32_t i = 2; i < flattener->component_count + 2; i++)
        starts[i] += starts[i - 1];
    for (uint32_t list = 0; list < count; list++)
        flattener->order[starts[flattener->component_of[list] + 1]++] = list;
    *out_starts = starts;
    return STATUS_OK;
}

static enum status warn_of_cycle(struct flattener *flattener, uint32_t list)
{
    struct numbers path = {0};
    struct text text = {0};
    enum status status =
        graph_cycle(&flattener->graph, flattener->component_of, list, &path);
    for (size_t i = 0; i < path.count && status == STATUS_OK; i++) {
        const char *address = node_of(flattener, path.items[i])->list.address;
        if (i >= CYCLE_SHOWN_MAX && i + 1 < path.count)
            continue;
        text_add_string(&text, i == 0 ? "" : " -> ");
        if (i + 1 == path.count && i > CYCLE_SHOWN_MAX)
            text_add_string(&text, "... -> ");
        text_add_escaped(&text, address, strlen(address), ADDRESS_SIZE);
    }
    if (status == STATUS_OK)
        problems_warning(flattener->problems, node_of(flattener, list)->list.source, 0,
                         "lists contain each other: %s", text_string(&text));
    numbers_clear(&path);
    text_clear(&text);
    return status;
}

/* Merges the components that a list of this component contains, each once. */
static void merge_below(struct flattener *flattener, uint32_t into, uint32_t list)
{
    struct component *component = &flattener->components[into];
    const struct graph *graph = &flattener->graph;
    for (size_t i = graph->starts[list]; i < graph->starts[list + 1]; i++) {
        uint32_t below = flattener->component_of[graph->edges[i]];
        struct component *other = &flattener->components[below];
        if (below == into || other->merged_by == into)
            continue;
        other->merged_by = into;
        roaring_bitmap_or_inplace(flattener->directory->flats[into],
                                  flattener->directory->flats[below]);
        if (other->inside == NULL)
            roaring_bitmap_add(component->inside, graph->edges[i]);
        else
            roaring_bitmap_or_inplace(component->inside, other->inside);
        if (other->depth + 1 > component->depth)
            component->depth = other->depth + 1;
        component->unknown = component->unknown || other->unknown;
    }
}

/* The lists below each list of a component, without itself. */
static enum status list_nested(struct flattener *flattener, uint32_t list,
                               const roaring_bitmap_t *inside)
{
    struct numbers *nested = &flattener->directory->nodes[list].nested;
    size_t count = (size_t)roaring_bitmap_get_cardinality(inside);
    uint32_t *items = calloc(count, sizeof *items);
    if (items == NULL)
        return STATUS_NOMEM;
    roaring_bitmap_to_uint32_array(inside, items);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i] != list)
            items[kept++] = items[i];
    }
    *nested = (struct numbers){.items = items, .count = kept};
    flattener->bytes += count * sizeof *items;
    return STATUS_OK;
}

static bool has_edges(const struct flattener *flattener, const uint32_t *lists,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (flattener->starts[lists[i]] < flattener->starts[lists[i] + 1])
            return true;
    }
    return false;
}

static enum status over(struct flattener *flattener, uint32_t list, const char *what)
{
    const struct list *outer = &node_of(flattener, list)->list;
    struct text text = {0};
    text_add_escaped(&text, outer->address, strlen(outer->address), ADDRESS_SIZE);
    problems_error(flattener->problems, outer->source, 0, "%s: %s", text_string(&text),
                   what);
    text_clear(&text);
    return STATUS_LIMIT;
}

/* The union of the component's own persons and all that it holds. */
static enum status gather(struct flattener *flattener, uint32_t number,
                          const uint32_t *lists, uint32_t count)
{
    struct directory *directory = flattener->directory;
    struct component *component = &flattener->components[number];
    roaring_bitmap_t *persons = directory->flats[number] = roaring_bitmap_create();
    if (persons == NULL)
        return STATUS_NOMEM;
    if (has_edges(flattener, lists, count)) {
        component->inside = roaring_bitmap_create();
        if (component->inside == NULL)
            return STATUS_NOMEM;
        roaring_bitmap_add_many(component->inside, count, lists);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct list_node *node = &directory->nodes[lists[i]];
        roaring_bitmap_add_many(persons, node->members.count, node->members.items);
        numbers_clear(&node->members);
        component->unknown = component->unknown || node->list.state == LIST_UNKNOWN;
        merge_below(flattener, number, lists[i]);
    }
    (void)roaring_bitmap_run_optimize(persons);
    (void)roaring_bitmap_shrink_to_fit(persons);
    flattener->bytes += roaring_bitmap_size_in_bytes(persons);
    return STATUS_OK;
}

static enum status flatten_component(struct flattener *flattener, uint32_t number,
                                     const uint32_t *lists, uint32_t count)
{
    struct directory *directory = flattener->directory;
    const struct component *component = &flattener->components[number];
    enum status status = gather(flattener, number, lists, count);
    if (status == STATUS_OK && count > 1)
        status = warn_of_cycle(flattener, lists[0]);
    if (status == STATUS_OK && component->depth > DIRECTORY_DEPTH_MAX)
        status = over(flattener, lists[0], "lists are nested too deeply");
    if (status != STATUS_OK)
        return status;

    const roaring_bitmap_t *persons = directory->flats[number];
    uint64_t size = roaring_bitmap_get_cardinality(persons);
    uint64_t external = roaring_bitmap_and_cardinality(persons, directory->external);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        struct list_node *node = &directory->nodes[lists[i]];
        node->flat = number;
        node->list.size = node->list.was = size;
        node->list.external = external;
        if (component->unknown)
            node->list.state = LIST_UNKNOWN;
        if (component->inside != NULL)
            status = list_nested(flattener, lists[i], component->inside);
        if (status == STATUS_OK && flattener->bytes > FLAT_BYTES_MAX)
            status =
                over(flattener, lists[i], "the flattened lists take too much memory");
    }
    return status;
}

static enum status flatten_components(struct flattener *flattener)
{
    struct directory *directory = flattener->directory;
    uint32_t count = flattener->component_count;
    uint32_t *starts = NULL;
    enum status status = STATUS_NOMEM;
    flattener->components = calloc((size_t)count + 1, sizeof *flattener->components);
    directory->flats = calloc((size_t)count + 1, sizeof(roaring_bitmap_t *));
    if (flattener->components == NULL || directory->flats == NULL)
        return STATUS_NOMEM;
    directory->flat_count = count;
    for (uint32_t i = 0; i < count; i++)
        flattener->components[i].merged_by = NONE;
    status = sort_lists(flattener, &starts);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): starts is freed below */
        status = flatten_component(flattener, i, flattener->order + starts[i],
                                   starts[i + 1] - starts[i]);
    free(starts);
    return status;
}

static enum status flatten_lists(struct flattener *flattener)
{
    struct directory *directory = flattener->directory;
    name_lists(directory);
    flattener->component_of =
        calloc((size_t)directory->node_count + 1, sizeof *flattener->component_of);
    if (flattener->component_of == NULL)
        return STATUS_NOMEM;
    enum status status = graph_components(&flattener->graph, flattener->component_of,
                                          &flattener->component_count);
    return status == STATUS_OK ? flatten_components(flattener) : status;
}

static void clear(struct flattener *flattener)
{
    for (uint32_t i = 0; i < flattener->component_count; i++) {
        if (flattener->components != NULL && flattener->components[i].inside != NULL)
            roaring_bitmap_free(flattener->components[i].inside);
    }
    free(flattener->components);
    free(flattener->order);
    free(flattener->component_of);
    free(flattener->starts);
    clear_member_targets(flattener);
    numbers_clear(&flattener->edges);
    numbers_clear(&flattener->external);
}

enum status directory_seal(struct directory *directory, struct problems *problems)
{
    struct flattener flattener = {.directory = directory, .problems = problems};
    assert(!directory->sealed);
    enum status status = directory->passed != NULL ? STATUS_LIMIT : STATUS_OK;
    if (status == STATUS_OK)
        status = look_at_names(&flattener);
    if (status == STATUS_OK)
        status = resolve_lists(&flattener);
    if (status == STATUS_OK)
        status = set_external(&flattener);
    if (status == STATUS_OK)
        status = flatten_lists(&flattener);
    clear(&flattener);
    if (status == STATUS_LIMIT && directory->passed != NULL)
        problems_error(problems, "", 0, "lists: %s", directory->passed);
    directory->sealed = status == STATUS_OK;
    return status;
}

void directory_set_was(struct directory *directory, uint32_t list, uint64_t was,
                       bool grown)
{
    assert(directory->sealed);
    directory->nodes[list].list.was = was;
    if (grown)
        directory->nodes[list].list.state = LIST_GROWN;
}
