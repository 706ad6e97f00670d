/* What an address means, in the order of virtual(5): whole, without its tag, by its
 * domain; again for each redirection. Nothing here allocates. */
#include "policy/directory_parts.h"

#include <string.h>

enum found { FOUND_NOTHING, FOUND_LIST, FOUND_REDIRECT };

static const struct name *name_at(const struct directory *directory, const char *text,
                                  size_t length, uint32_t *out_id)
{
    if (!intern_find(directory->strings, text, length, out_id))
        return NULL;
    return &directory->names[*out_id];
}

static enum found kind_of(const struct name *name)
{
    if (name == NULL)
        return FOUND_NOTHING;
    if (name_list(name) != DIRECTORY_NONE)
        return FOUND_LIST;
    return name->target != DIRECTORY_NONE ? FOUND_REDIRECT : FOUND_NOTHING;
}

/* Follows a redirection; "@b" changes the domain only. */
static void redirect(const struct directory *directory, const struct name *name,
                     struct address *address)
{
    struct address target;
    address_take(intern_string(directory->strings, name->target), &target);
    if (target.at > 0 || address->at == 0) {
        address_copy(address, &target);
        return;
    }
    if (address->at + target.length >= sizeof address->text)
        return; /* the same address again: ends like a circle */
    memcpy(address->text + address->at, target.text, target.length + 1);
    address->length = address->at + target.length;
}

/* The state of a walk along redirections. */
struct walk {
    const struct directory *directory;
    struct address here;
    char tag[ADDRESS_SIZE]; /* with its delimiter, as a redirection took it off: Postfix
                             * takes it along (propagate_unmatched_extensions) */
    size_t tag_length;
    const struct name *name;   /* what was found */
    const struct name *domain; /* here's "@domain", once nothing was found; NULL: none */
};

static enum found find_at_name(struct walk *walk, const struct address *address,
                               size_t from)
{
    uint32_t id;
    walk->name =
        name_at(walk->directory, address->text + from, address->length - from, &id);
    return kind_of(walk->name);
}

/* The entry of the address with the tag that was taken along. */
static enum found find_tagged(struct walk *walk)
{
    const struct address *here = &walk->here;
    struct address tagged;
    size_t tag = walk->tag_length;
    if (tag == 0 || here->at == 0 || here->text[0] == '"' ||
        here->length + tag >= sizeof tagged.text)
        return FOUND_NOTHING;
    memcpy(tagged.text, here->text, here->at);
    memcpy(tagged.text + here->at, walk->tag, tag);
    memcpy(tagged.text + here->at + tag, here->text + here->at,
           here->length - here->at + 1);
    tagged.at = here->at + tag;
    tagged.length = here->length + tag;
    enum found found = find_at_name(walk, &tagged, 0);
    if (found == FOUND_NOTHING)
        return found;
    walk->tag_length = 0;
    address_copy(&walk->here, &tagged);
    return found;
}

/* The entry of the address without its tag, which is then taken along. */
static enum found find_tagless(struct walk *walk)
{
    struct address *here = &walk->here;
    struct address tagless;
    address_copy(&tagless, here);
    if (!address_remove_tag(&tagless, walk->directory->own->delimiters))
        return FOUND_NOTHING;
    enum found found = find_at_name(walk, &tagless, 0);
    if (found == FOUND_NOTHING)
        return found;
    bool bare = here->text[0] != '"' && tagless.text[0] != '"';
    walk->tag_length = bare ? here->at - tagless.at : 0;
    memcpy(walk->tag, here->text + tagless.at, walk->tag_length);
    address_copy(here, &tagless);
    return found;
}

/* One step: the entry of the address. For a list, here becomes the list's address; for a
 * redirection, its target. */
static enum found take_step(struct walk *walk)
{
    struct address *here = &walk->here;
    enum found found = find_tagged(walk);
    if (found == FOUND_NOTHING)
        found = find_at_name(walk, here, 0);
    if (found == FOUND_NOTHING)
        found = find_tagless(walk);
    if (found == FOUND_NOTHING) {
        uint32_t id;
        walk->domain =
            name_at(walk->directory, here->text + here->at, here->length - here->at, &id);
        if (here->at > 0 && here->at < here->length) {
            walk->name = walk->domain;
            found = kind_of(walk->name);
        }
    }
    if (found == FOUND_REDIRECT)
        redirect(walk->directory, walk->name, here);
    return found;
}

/* The person of out->address. */
static void answer_person(const struct directory *directory, struct target *out)
{
    out->kind = TARGET_PERSON;
    out->list = DIRECTORY_NONE;
    if (domains_have_address(directory->own, &out->address))
        (void)address_remove_tag(&out->address, directory->own->delimiters);
    if (!intern_find(directory->strings, out->address.text, out->address.length,
                     &out->person))
        out->person = DIRECTORY_NONE;
}

static void answer_list(const struct directory *directory, uint32_t list,
                        const struct address *address, struct target *out)
{
    out->kind =
        directory->nodes[list].list.state == LIST_UNKNOWN ? TARGET_UNKNOWN : TARGET_LIST;
    out->list = list;
    out->person = DIRECTORY_NONE;
    address_copy(&out->address, address);
}

static bool is_same(const struct address *a, const struct address *b)
{
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* True when only virtual(5) redirects this address. */
static bool is_rewritten(const struct name *name)
{
    return name->elsewhere && !name->local;
}

bool directory_follow(const struct directory *directory, const struct address *address,
                      bool local, struct target *out)
{
    struct walk walk;
    struct address last;
    bool has_mailbox = false; /* out->address is where local(8) ends, without a list */
    struct address before; /* met here again, the redirections run in a circle (Brent) */
    walk.directory = directory;
    walk.tag_length = 0;
    address_copy(&walk.here, address);
    address_copy(&before, address);
    for (unsigned step = 1; step <= DIRECTORY_DEPTH_MAX + 1; step++) {
        address_copy(&last, &walk.here);
        enum found found = take_step(&walk);
        if (found == FOUND_LIST) {
            answer_list(directory, name_list(walk.name), &walk.here, out);
            return step > 1;
        }
        if (found == FOUND_REDIRECT && local && !has_mailbox && is_rewritten(walk.name)) {
            address_copy(&out->address, &last);
            has_mailbox = true;
        }
        local |= found == FOUND_REDIRECT && walk.name->local;
        bool itself = found == FOUND_REDIRECT && is_same(&walk.here, &last);
        bool circle = found == FOUND_REDIRECT && is_same(&walk.here, &before);
        if (found == FOUND_NOTHING || itself || circle) {
            const struct address *end = circle && !itself ? address : &walk.here;
            if (!has_mailbox)
                address_copy(&out->address, end);
            answer_person(directory, out);
            if (found == FOUND_NOTHING && walk.domain != NULL && walk.domain->doubted)
                out->kind = TARGET_UNKNOWN;
            return step > 1 || found == FOUND_REDIRECT;
        }
        if ((step & (step - 1)) == 0)
            address_copy(&before, &walk.here);
    }
    address_copy(&out->address, address);
    answer_person(directory, out);
    out->kind = TARGET_UNKNOWN;
    return true;
}

void directory_find_in_own(const struct directory *directory,
                           const struct address *address, size_t domain,
                           struct target *out)
{
    struct address own;
    address_copy(&own, address);
    own.text[own.at] = '\0';
    own.length = own.at;
    if (address_qualify(&own, directory->own->names[domain]) == STATUS_OK) {
        (void)directory_follow(directory, &own, false, out);
    } else {
        address_copy(&out->address, address);
        answer_person(directory, out);
    }
}

/* How much a target says about a literal: an unknown list most, then any unknown, then
 * lists by size. */
static uint64_t weight_of(const struct directory *directory, const struct target *target)
{
    if (target->kind == TARGET_UNKNOWN)
        return target->list != DIRECTORY_NONE ? UINT64_MAX : UINT64_MAX - 1;
    if (target->kind == TARGET_LIST)
        return directory->nodes[target->list].list.size + 1;
    return 0;
}

/* An address literal is one of our own hosts, but only the MTA knows which domains that
 * host serves. */
static void find_literal(const struct directory *directory, struct target *out)
{
    struct address literal;
    struct target target;
    uint64_t best = 0;
    address_copy(&literal, &out->address);
    for (size_t i = 0; i < directory->own->count; i++) {
        directory_find_in_own(directory, &literal, i, &target);
        uint64_t weight = weight_of(directory, &target);
        if (weight <= best)
            continue;
        best = weight;
        out->kind = target.kind;
        out->list = target.list;
        out->person = target.person;
        address_copy(&out->address, &target.address);
    }
}

void directory_find(const struct directory *directory, const struct address *address,
                    struct target *out)
{
    (void)directory_follow(directory, address, false, out);
    if (out->list == DIRECTORY_NONE && address_is_literal(&out->address))
        find_literal(directory, out);
    if (out->list != DIRECTORY_NONE)
        address_take(directory->nodes[out->list].list.address, &out->address);
}

uint32_t directory_list_count(const struct directory *directory)
{
    return directory->node_count;
}

const struct list *directory_list(const struct directory *directory, uint32_t list)
{
    return &directory->nodes[list].list;
}

const roaring_bitmap_t *directory_persons(const struct directory *directory,
                                          uint32_t list)
{
    return directory->flats[directory->nodes[list].flat];
}

bool directory_is_local(const struct directory *directory, uint32_t list)
{
    const struct list_node *node = &directory->nodes[list];
    for (size_t i = 0; i < node->parts.count; i++)
        if (directory->nodes[node->parts.items[i]].local)
            return true;
    return node->local;
}

bool directory_is_member(const struct directory *directory, uint32_t list,
                         const struct address *member)
{
    struct target target;
    uint32_t person;
    bool found = false;
    bool redirected = true;
    /* Where a list stands, a member of that name is the mailbox of the same name. As a
     * member of aliases(5) somebody may be another than as a member of virtual(5). */
    for (unsigned local = 0; local <= 1 && redirected && !found; local++) {
        redirected = directory_follow(directory, member, local == 1, &target);
        found = intern_find(directory->strings, target.address.text,
                            target.address.length, &person) &&
                roaring_bitmap_contains(directory_persons(directory, list), person);
    }
    return found;
}

bool directory_contains(const struct directory *directory, uint32_t outer, uint32_t inner)
{
    const struct numbers *nested = &directory->nodes[outer].nested;
    size_t low = 0;
    size_t high = nested->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (nested->items[middle] < inner)
            low = middle + 1;
        else
            high = middle;
    }
    return outer == inner || (low < nested->count && nested->items[low] == inner);
}

const uint32_t *directory_nested(const struct directory *directory, uint32_t outer,
                                 size_t *out_count)
{
    const struct numbers *nested = &directory->nodes[outer].nested;
    *out_count = nested->count;
    return nested->items;
}
