/* Links a policy: group names are replaced by the groups' elements, each checked against
 * where it is used. Nested groups are walked with a work list and a flag for each group,
 * so that a cycle ends by itself. */
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ELEMENT_SHOWN = 200, PLACE_SHOWN = 200, LINKED_MAX = 1000000 };

/* What an array of elements is about. */
enum role { ROLE_CLIENT, ROLE_SENDER, ROLE_RECIPIENT };

/* A group being expanded, up to its next element. */
struct open_group {
    size_t group, next;
};

/* One policy being linked; pending and seen have room for every group. */
struct linker {
    const struct policy *policy;
    const char *file;
    struct problems *problems;
    struct open_group *pending;
    bool *seen;
    const struct element *reported; /* the last misplaced name: one error is enough */
    size_t linked;                  /* elements in all rules so far */
};

/* An array of elements. */
struct element_place {
    const char *rule; /* NULL: not in a rule */
    const char *option;
    enum role role;
    bool needed; /* must match somebody, if it is set */
};

static bool can_stand(enum element_kind kind, enum role role)
{
    switch (kind) {
    case ELEMENT_CLIENT:
    case ELEMENT_CLIENT_LOCAL:
        return role != ROLE_RECIPIENT;
    case ELEMENT_LOGIN:
    case ELEMENT_NULL_SENDER:
        return role == ROLE_SENDER;
    case ELEMENT_ADDRESS:
    case ELEMENT_DOMAIN:
    case ELEMENT_LIST:
        return role != ROLE_CLIENT;
    case ELEMENT_ANY_LIST:
        return role == ROLE_RECIPIENT;
    case ELEMENT_GROUP:
        break;
    }
    return false;
}

static const char *file_of(const struct linker *linker, const struct element *element)
{
    return element->file == NULL ? linker->file : element->file;
}

/* "rule "x": to", or the option alone. */
static void describe(const struct element_place *place, char out[PLACE_SHOWN])
{
    if (place->rule != NULL)
        (void)snprintf(out, PLACE_SHOWN, "rule \"%.100s\": %s", place->rule,
                       place->option);
    else
        (void)snprintf(out, PLACE_SHOWN, "%.100s", place->option);
}

/* user: the element itself, or the one that names the group from which it comes. */
static void report_misplaced(struct linker *linker, const struct element_place *place,
                             const struct element *user, const struct element *element)
{
    static const char *const reasons[] = {
        [ROLE_CLIENT] = "only client: elements are allowed here",
        [ROLE_SENDER] = "name one list, like \"list:all@example.org\"",
        [ROLE_RECIPIENT] = "it matches senders, never recipients",
    };
    char shown[ELEMENT_SHOWN];
    char where[PLACE_SHOWN];
    char group[PLACE_SHOWN] = "";
    if (linker->reported == user)
        return;
    linker->reported = user;
    describe(place, where);
    element_format(element, shown, sizeof shown);
    if (user != element)
        (void)snprintf(group, sizeof group, "group \"%.100s\" holds ", user->text);
    problems_error(linker->problems, file_of(linker, user), user->line,
                   "%s: %s\"%s\": %s", where, group, shown, reasons[place->role]);
}

static void report_unknown(const struct linker *linker, const struct element_place *place,
                           const struct element *element)
{
    char where[PLACE_SHOWN];
    describe(place, where);
    problems_error(linker->problems, file_of(linker, element), element->line,
                   "%s: there is no group \"%.100s\"", where, element->text);
}

static bool find_group(const struct policy *policy, const char *name, size_t *out)
{
    for (size_t i = 0; i < policy->group_count; i++) {
        if (strcmp(policy->groups[i].name, name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static enum status add_copy(struct linker *linker, struct elements *out,
                            const struct element *element)
{
    struct element copy = *element;
    if (++linker->linked > LINKED_MAX)
        return STATUS_OK; /* reported at the end */
    copy.text = strdup(element->text == NULL ? "" : element->text);
    if (copy.text == NULL)
        return STATUS_NOMEM;
    enum status status = elements_add(out, &copy);
    if (status != STATUS_OK)
        element_clear(&copy);
    return status;
}

static enum status add_checked(struct linker *linker, const struct element_place *place,
                               const struct element *user, const struct element *element,
                               struct elements *out)
{
    if (can_stand(element->kind, place->role))
        return add_copy(linker, out, element);
    report_misplaced(linker, place, user, element);
    return STATUS_OK;
}

static void push_group(struct linker *linker, const char *name, size_t *count)
{
    size_t group;
    if (!find_group(linker->policy, name, &group) || linker->seen[group])
        return;
    linker->seen[group] = true;
    linker->pending[(*count)++] = (struct open_group){group, 0};
}

/* The elements of the group that user names, and of all groups in it, in reading order:
 * the first that matches may be a message's key. */
static enum status expand(struct linker *linker, const struct element_place *place,
                          const struct element *user, struct elements *out)
{
    size_t count = 0;
    push_group(linker, user->text, &count);
    while (count > 0) {
        struct open_group *open_group = &linker->pending[count - 1];
        const struct elements *elements =
            &linker->policy->groups[open_group->group].elements;
        if (open_group->next == elements->count) {
            count--;
            continue;
        }
        const struct element *element = &elements->items[open_group->next++];
        enum status status = STATUS_OK;
        if (element->kind == ELEMENT_GROUP)
            push_group(linker, element->text, &count);
        else
            status = add_checked(linker, place, user, element, out);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status expand_all(struct linker *linker, const struct element_place *place,
                              const struct elements *elements, struct elements *out)
{
    memset(linker->seen, 0, linker->policy->group_count * sizeof *linker->seen);
    for (size_t i = 0; i < elements->count; i++) {
        const struct element *element = &elements->items[i];
        enum status status = STATUS_OK;
        size_t group;
        if (element->kind != ELEMENT_GROUP || place->role == ROLE_CLIENT)
            status = add_checked(linker, place, element, element, out);
        else if (find_group(linker->policy, element->text, &group))
            status = expand(linker, place, element, out);
        else
            report_unknown(linker, place, element);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* An empty condition matches everybody, so a name that matches nobody is an error. After
 * another error, the group may be empty because of that one. */
static void check_somebody(const struct linker *linker, const struct element_place *place,
                           const struct elements *before, const struct elements *after)
{
    if (!place->needed || before->count == 0 || after->count > 0 ||
        linker->linked > LINKED_MAX || linker->problems->errors > 0)
        return;
    const struct element *first = &before->items[0];
    problems_error(linker->problems, file_of(linker, first), first->line,
                   "rule \"%.100s\": %s: the group \"%.100s\" is empty", place->rule,
                   place->option, first->text);
}

static enum status link_elements(struct linker *linker, const struct element_place *place,
                                 struct elements *elements)
{
    struct elements linked = {0};
    linker->reported = NULL;
    enum status status = expand_all(linker, place, elements, &linked);
    if (status != STATUS_OK) {
        elements_clear(&linked);
        return status;
    }
    check_somebody(linker, place, elements, &linked);
    elements_clear(elements);
    *elements = linked;
    return STATUS_OK;
}

static enum status link_rule(struct linker *linker, struct rule *rule)
{
    const struct {
        struct element_place place;
        struct elements *elements;
    } all[] = {
        {{rule->name, "from", ROLE_SENDER, true}, &rule->from},
        {{rule->name, "from_not", ROLE_SENDER, false}, &rule->from_not},
        {{rule->name, "to", ROLE_RECIPIENT, true}, &rule->to},
        {{rule->name, "to_not", ROLE_RECIPIENT, false}, &rule->to_not},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        enum status status = link_elements(linker, &all[i].place, all[i].elements);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status link_all(struct linker *linker, struct policy *policy)
{
    const struct element_place trusted = {NULL, "trusted", ROLE_CLIENT, false};
    const struct element_place relays = {NULL, "relays", ROLE_CLIENT, false};
    enum status status = link_elements(linker, &trusted, &policy->trusted);
    if (status == STATUS_OK)
        status = link_elements(linker, &relays, &policy->relays);
    for (size_t i = 0; i < policy->rule_count && status == STATUS_OK; i++)
        status = link_rule(linker, &policy->rules[i]);
    return status;
}

static int compare_elements(const void *left, const void *right)
{
    const struct elements *a = *(const struct elements *const *)left;
    const struct elements *b = *(const struct elements *const *)right;
    int order = a->count < b->count ? -1 : a->count > b->count;
    for (size_t i = 0; i < a->count && order == 0; i++) {
        order = (int)a->items[i].kind - (int)b->items[i].kind;
        if (order == 0)
            order = strcmp(a->items[i].text, b->items[i].text);
    }
    return order;
}

/* Many rules are about the same senders: equal arrays get the same number, so that a
 * message is asked once. */
static enum status number_sender_sets(struct policy *policy)
{
    struct elements **sets =
        calloc(2 * policy->rule_count + 1, sizeof(struct elements *));
    size_t count = 0;
    if (sets == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < policy->rule_count; i++) {
        struct rule *rule = &policy->rules[i];
        if (rule->from.count > 0)
            sets[count++] = &rule->from;
        if (rule->from_not.count > 0)
            sets[count++] = &rule->from_not;
    }
    qsort(sets, count, sizeof(struct elements *), compare_elements);
    policy->sender_sets = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_elements(&sets[i - 1], &sets[i]) != 0)
            policy->sender_sets++;
        sets[i]->sender_set = policy->sender_sets;
    }
    free(sets);
    return STATUS_OK;
}

/* Groups are checked even if no rule uses them. */
static void check_groups(const struct linker *linker)
{
    for (size_t i = 0; i < linker->policy->group_count; i++) {
        const struct element_group *group = &linker->policy->groups[i];
        char option[PLACE_SHOWN];
        (void)snprintf(option, sizeof option, "groups.%.100s", group->name);
        const struct element_place place = {.option = option};
        for (size_t j = 0; j < group->elements.count; j++) {
            const struct element *element = &group->elements.items[j];
            size_t inner;
            if (element->kind == ELEMENT_GROUP &&
                !find_group(linker->policy, element->text, &inner))
                report_unknown(linker, &place, element);
        }
    }
}

enum status policy_link(struct policy *policy, const char *file,
                        struct problems *problems)
{
    struct linker linker = {.policy = policy, .file = file, .problems = problems};
    linker.pending = calloc(policy->group_count + 1, sizeof *linker.pending);
    linker.seen = calloc(policy->group_count + 1, sizeof *linker.seen);
    enum status status = STATUS_NOMEM;
    if (linker.pending != NULL && linker.seen != NULL) {
        check_groups(&linker);
        status = link_all(&linker, policy);
    }
    if (status == STATUS_OK)
        status = number_sender_sets(policy);
    if (linker.linked > LINKED_MAX)
        problems_error(problems, file, 0,
                       "the groups in all rules together expand to more than %d elements",
                       LINKED_MAX);
    free(linker.pending);
    free(linker.seen);
    return status;
}

void policy_clear(struct policy *policy)
{
    domains_clear(&policy->domains);
    login_forms_clear(&policy->logins);
    elements_clear(&policy->trusted);
    elements_clear(&policy->relays);
    for (size_t i = 0; i < policy->group_count; i++) {
        free(policy->groups[i].name);
        elements_clear(&policy->groups[i].elements);
    }
    for (size_t i = 0; i < policy->rule_count; i++)
        rule_clear(&policy->rules[i]);
    free(policy->groups);
    free(policy->rules);
    free(policy->confirm.address);
    *policy = (struct policy){0};
}

const struct rule *policy_find_rule(const struct policy *policy, const char *fingerprint)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (strcmp(policy->rules[i].fingerprint, fingerprint) == 0)
            return &policy->rules[i];
    }
    return NULL;
}
