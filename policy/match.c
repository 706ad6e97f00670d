/* Conditions, one function each kind. An element that is about a sender never looks at
 * recipients, and vice versa: policy_link has checked where each is used. */
#include "policy/match.h"

#include <string.h>

#include "base/text.h"

/* A glob without a domain matches the user part: a name stands for own users only, a
 * pattern with '*' for anybody's, in any realm. There is no '@' to stop at in a user
 * part, or else one that contains it would match nothing. */
static bool is_login(const struct view *view, const char *glob)
{
    const struct facts *facts = view->facts;
    char user[ADDRESS_SIZE];
    if (facts->login.length == 0 || (glob[0] != '*' && glob[0] != facts->login.text[0]))
        return false;
    if (strcmp(glob, "*") == 0)
        return true;
    if (strchr(glob, '@') != NULL)
        return text_matches(glob, facts->login.text, '@');
    bool realm = facts->login.at < facts->login.length;
    if (realm && strchr(glob, '*') == NULL &&
        !domains_have_address(&view->policy->domains, &facts->login))
        return false;
    memcpy(user, facts->login.text, facts->login.at);
    user[facts->login.at] = '\0';
    return text_matches(glob, user, '\0');
}

static bool is_address(const struct element *element, const struct address *address)
{
    if (address->length == 0)
        return false;
    if (element->kind == ELEMENT_DOMAIN)
        return strcmp(element->text, address_domain(address)) == 0;
    return text_matches(element->text, address->text, '@');
}

/* A login with a tag is the same person as without. */
static bool login_is_address(const struct view *view, const struct element *element)
{
    const struct address *login = &view->facts->login;
    const struct domains *own = &view->policy->domains;
    if (!domains_have_address(own, login))
        return false;
    if (is_address(element, login))
        return true;
    if (own->delimiters == NULL || strpbrk(login->text, own->delimiters) == NULL)
        return false;
    struct address tagless = *login;
    return address_remove_tag(&tagless, own->delimiters) && is_address(element, &tagless);
}

/* A MAIL FROM of an own domain is believed from its login, or from a trusted client. */
static bool sender_is_address(const struct view *view, const struct element *element)
{
    const struct facts *facts = view->facts;
    const struct domains *own = &view->policy->domains;
    if (login_is_address(view, element))
        return true;
    bool believed = facts->trusted || !domains_have_address(own, &facts->sender);
    return believed && is_address(element, &facts->sender);
}

static bool find_list(const struct directory *directory, const char *text,
                      uint32_t *out_list)
{
    struct address address;
    struct target target;
    if (address_parse(text, strlen(text), &address) != STATUS_OK)
        return false;
    directory_find(directory, &address, &target);
    if (target.list == DIRECTORY_NONE)
        return false;
    *out_list = target.list;
    return true;
}

static bool sender_is_member(const struct view *view, const struct element *element)
{
    const struct facts *facts = view->facts;
    uint32_t list;
    if (!find_list(view->directory, element->text, &list))
        return false;
    if (facts->login.length > 0 &&
        directory_is_member(view->directory, list, &facts->login))
        return true;
    return facts->trusted && facts->sender.length > 0 &&
           directory_is_member(view->directory, list, &facts->sender);
}

static bool client_is(const struct facts *facts, const struct element *element)
{
    if (element->kind == ELEMENT_CLIENT_LOCAL)
        return facts->origin == ORIGIN_LOCAL;
    return facts->origin != ORIGIN_LOCAL && facts->has_client_address &&
           network_has(&element->network, facts->client_address);
}

bool match_client(const struct facts *facts, const struct elements *elements)
{
    for (size_t i = 0; i < elements->count; i++) {
        if (client_is(facts, &elements->items[i]))
            return true;
    }
    return false;
}

static bool sender_is(const struct view *view, const struct element *element)
{
    switch (element->kind) {
    case ELEMENT_LOGIN:
        return is_login(view, element->text);
    case ELEMENT_CLIENT:
    case ELEMENT_CLIENT_LOCAL:
        return client_is(view->facts, element);
    case ELEMENT_NULL_SENDER:
        return view->facts->login.length == 0 && view->facts->sender.length == 0;
    case ELEMENT_ADDRESS:
    case ELEMENT_DOMAIN:
        return sender_is_address(view, element);
    case ELEMENT_LIST:
        return sender_is_member(view, element);
    case ELEMENT_GROUP:
    case ELEMENT_ANY_LIST:
        break;
    }
    return false;
}

/* The index of the first element that matches; their count when none does. */
static size_t find_sender(const struct view *view, const struct elements *elements)
{
    size_t i = 0;
    while (i < elements->count && !sender_is(view, &elements->items[i]))
        i++;
    return i;
}

const struct element *match_sender(const struct view *view,
                                   const struct elements *elements)
{
    bool remembers = view->memo != NULL && elements->sender_set > 0;
    size_t unknown = 0;
    size_t *answer =
        remembers ? &view->memo->senders[elements->sender_set - 1] : &unknown;
    if (*answer == 0)
        *answer = 1 + find_sender(view, elements);
    return *answer > elements->count ? NULL : &elements->items[*answer - 1];
}

static bool is_spelling(const struct element *element, const char *text)
{
    if (text == NULL)
        return false;
    if (element->kind == ELEMENT_ADDRESS)
        return text_matches(element->text, text, '@');
    const char *at = strrchr(text, '@');
    return element->kind == ELEMENT_DOMAIN && at != NULL &&
           strcmp(element->text, at + 1) == 0;
}

/* The recipient as addressed, without its tag, or as the person or list it means. */
static bool recipient_is_address(const struct element *element,
                                 const struct recipient *recipient)
{
    return is_spelling(element, recipient->address) ||
           is_spelling(element, recipient->tagless) ||
           is_spelling(element, recipient->meant);
}

static bool recipient_is_list(const struct view *view, const struct element *element,
                              const struct recipient *recipient, bool deep)
{
    uint32_t list;
    if (recipient->list == DIRECTORY_NONE ||
        !find_list(view->directory, element->text, &list))
        return false;
    return deep ? directory_contains(view->directory, recipient->list, list)
                : recipient->list == list;
}

/* True when an element of to matches the recipient. deep: list:ADDRESS also matches a
 * list that contains it. */
static bool matches_recipient(const struct view *view, const struct elements *elements,
                              const struct recipient *recipient, bool deep)
{
    for (size_t i = 0; i < elements->count; i++) {
        const struct element *element = &elements->items[i];
        bool matches = false;
        if (element->kind == ELEMENT_ANY_LIST)
            matches = recipient->list != DIRECTORY_NONE;
        else if (element->kind == ELEMENT_LIST)
            matches = recipient_is_list(view, element, recipient, deep);
        else
            matches = recipient_is_address(element, recipient);
        if (matches)
            return true;
    }
    return false;
}

static size_t count_recipients(const struct view *view, const struct elements *elements,
                               bool deep)
{
    size_t count = 0;
    for (size_t i = 0; i < view->facts->recipient_count; i++)
        count += matches_recipient(view, elements, &view->facts->recipients[i], deep);
    return count;
}

/* A right to post to a list is no right to post to a larger list that contains it, so
 * under accept every recipient must match by itself. */
static bool to_holds(const struct view *view, const struct rule *rule)
{
    if (rule->to.count == 0)
        return true;
    if (rule->action == ACTION_ACCEPT)
        return count_recipients(view, &rule->to, false) == view->facts->recipient_count;
    return count_recipients(view, &rule->to, true) > 0;
}

static bool tristate_holds(enum tristate wanted, bool is)
{
    return wanted == ANY || (wanted == YES) == is;
}

static bool over_holds(const struct rule *rule, const struct facts *facts)
{
    for (size_t i = 0; i < MEASURE_COUNT; i++) {
        if (rule->over[i] >= 0 && facts->measures[i] <= rule->over[i])
            return false;
    }
    return true;
}

static bool has_subject(const struct view *view, const struct rule *rule)
{
    const struct facts *facts = view->facts;
    if (!rule_is_metered(rule))
        return true;
    switch (rule->key) {
    case KEY_LOGIN:
        return facts->login.length > 0;
    case KEY_SENDER_DOMAIN:
        return address_domain(&facts->sender)[0] != '\0';
    case KEY_LIST:
        for (size_t i = 0; i < facts->recipient_count; i++) {
            if (match_charged_list(view, rule, &facts->recipients[i]))
                return true;
        }
        return false;
    case KEY_THREAD:
        return facts->thread[0] != '\0';
    case KEY_CAMPAIGN:
        return facts->campaign != NULL;
    case KEY_TOPIC:
        return facts_topic(facts)[0] != '\0';
    case KEY_SENDER:
    case KEY_CLIENT:
    case KEY_FROM: /* without from it would not have been read */
    case KEY_ALL:
        break;
    }
    return true;
}

bool match_charged_list(const struct view *view, const struct rule *rule,
                        const struct recipient *recipient)
{
    return recipient->list != DIRECTORY_NONE &&
           (rule->to.count == 0 || matches_recipient(view, &rule->to, recipient, true));
}

/* From cheap to dear, but in the order in which people read a rule. */
enum condition match_rule(const struct view *view, const struct rule *rule)
{
    const struct facts *facts = view->facts;
    if (rule->from.count > 0 && match_sender(view, &rule->from) == NULL)
        return CONDITION_FROM;
    if (match_sender(view, &rule->from_not) != NULL)
        return CONDITION_FROM_NOT;
    if (!to_holds(view, rule))
        return CONDITION_TO;
    if (rule->to_not.count > 0 && count_recipients(view, &rule->to_not, true) > 0)
        return CONDITION_TO_NOT;
    if (rule->hours.count > 0 && !hours_have(&rule->hours, view->minute_of_week))
        return CONDITION_HOURS;
    if (rule->hours_not.count > 0 && hours_have(&rule->hours_not, view->minute_of_week))
        return CONDITION_HOURS_NOT;
    if (rule->origin != ORIGIN_ANY && rule->origin != facts->origin)
        return CONDITION_ORIGIN;
    if (!tristate_holds(rule->reply, facts->reply))
        return CONDITION_REPLY;
    if (!tristate_holds(rule->automatic, facts->automatic))
        return CONDITION_AUTOMATIC;
    if (!over_holds(rule, facts))
        return CONDITION_OVER;
    if (!has_subject(view, rule))
        return CONDITION_KEY;
    return CONDITION_NONE;
}

bool match_may_tell(const struct view *view)
{
    const struct facts *facts = view->facts;
    struct target target;
    bool is_login = strcmp(facts->sender.text, facts->login.text) == 0;
    bool is_trusted = facts->trusted && facts->login.length == 0 &&
                      domains_have_address(&view->policy->domains, &facts->sender);
    if (facts->sender.length == 0 || !(is_login || is_trusted))
        return false;
    directory_find(view->directory, &facts->sender, &target);
    return target.kind == TARGET_PERSON;
}
