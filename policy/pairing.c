/* Compares elements: does one match everything that another matches? */
#include "policy/pairing.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "policy/address.h"

static bool is_same(const struct element *a, const struct element *b)
{
    return a->kind == b->kind && strcmp(a->text, b->text) == 0;
}

static bool covers_network(const struct network *outer, const struct network *inner)
{
    return outer->prefix <= inner->prefix && network_has(outer, inner->bytes);
}

/* A pattern without a domain is anybody's; a name without one is ours (match.c). */
static bool covers_login(const char *outer, const char *inner)
{
    char whole[ADDRESS_SIZE + 2];
    if ((strchr(outer, '@') == NULL) == (strchr(inner, '@') == NULL))
        return text_matches(outer, inner, '@');
    if (strchr(outer, '@') != NULL || strchr(outer, '*') == NULL)
        return false;
    (void)snprintf(whole, sizeof whole, "%s@*", outer);
    return text_matches(whole, inner, '@');
}

/* Only the directory knows which addresses are lists, but lists are at home. */
static bool may_be_list(const struct domains *own, const struct element *element)
{
    const char *at = strrchr(element->text, '@');
    if (element->kind == ELEMENT_DOMAIN)
        return domains_have(own, element->text);
    if (element->kind == ELEMENT_ADDRESS)
        return at != NULL && (strchr(at, '*') != NULL || domains_have(own, at + 1));
    return element->kind == ELEMENT_LIST;
}

/* True when outer matches everything that inner matches. */
static bool covers(const struct domains *own, const struct element *outer,
                   const struct element *inner)
{
    const char *at = strrchr(inner->text, '@');
    if (is_same(outer, inner))
        return true;
    if (outer->kind == ELEMENT_DOMAIN && inner->kind == ELEMENT_ADDRESS)
        return at != NULL && strcmp(outer->text, at + 1) == 0;
    if (outer->kind == ELEMENT_ANY_LIST)
        return may_be_list(own, inner);
    if (outer->kind != inner->kind)
        return false;
    if (outer->kind == ELEMENT_CLIENT)
        return covers_network(&outer->network, &inner->network);
    if (outer->kind == ELEMENT_LOGIN)
        return covers_login(outer->text, inner->text);
    return outer->kind == ELEMENT_ADDRESS && text_matches(outer->text, inner->text, '@');
}

/* A list is also written as its address. */
static bool meets(const struct domains *own, const struct element *a,
                  const struct element *b)
{
    bool list_by_address = (a->kind == ELEMENT_LIST && b->kind == ELEMENT_ADDRESS) ||
                           (a->kind == ELEMENT_ADDRESS && b->kind == ELEMENT_LIST);
    return covers(own, a, b) || covers(own, b, a) ||
           (list_by_address && strcmp(a->text, b->text) == 0);
}

static bool covered(const struct domains *own, const struct elements *elements,
                    const struct element *element)
{
    for (size_t i = 0; i < elements->count; i++) {
        if (covers(own, &elements->items[i], element))
            return true;
    }
    return false;
}

static bool met(const struct domains *own, const struct elements *elements,
                const struct element *element)
{
    for (size_t i = 0; i < elements->count; i++) {
        if (meets(own, &elements->items[i], element))
            return true;
    }
    return false;
}

/* Some list that the accept names is one that the reject is about. */
static bool shares_lists(const struct domains *own, const struct rule *accept,
                         const struct rule *reject)
{
    for (size_t i = 0; i < accept->to.count; i++) {
        const struct element *element = &accept->to.items[i];
        bool about = reject->to.count == 0 || met(own, &reject->to, element);
        if (about && !covered(own, &reject->to_not, element))
            return true;
    }
    return false;
}

static bool takes_senders(const struct domains *own, const struct rule *accept,
                          const struct rule *reject)
{
    for (size_t i = 0; i < accept->from.count; i++) {
        const struct element *element = &accept->from.items[i];
        bool about = reject->from.count == 0 || met(own, &reject->from, element);
        if (about && !covered(own, &reject->from_not, element))
            return true;
    }
    return false;
}

/* A right to lists that hangs on nothing but who writes. With a further condition, a
 * reject below may be meant for when it does not hold. */
static bool is_right(const struct rule *rule)
{
    return rule->action == ACTION_ACCEPT && !rule->monitor && rule->from.count > 0 &&
           rule->to.count > 0 && !rule_has_more_conditions(rule);
}

const struct rule *pairing_find(const struct policy *policy, size_t index)
{
    const struct domains *own = &policy->domains;
    const struct rule *reject = &policy->rules[index];
    if (reject->action != ACTION_REJECT || reject->monitor)
        return NULL;
    for (size_t i = 0; i < index; i++) {
        const struct rule *accept = &policy->rules[i];
        if (is_right(accept) && shares_lists(own, accept, reject) &&
            takes_senders(own, accept, reject))
            return accept;
    }
    return NULL;
}
