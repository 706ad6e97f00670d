/* From the envelope as typed to facts: who sends, from where, to whom, reaching how many.
 */
#include "policy/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ip_address.h"
#include "base/text.h"
#include "policy/campaign.h"
#include "policy/match.h"
#include "policy/numbers.h"
#include "policy/reach.h"
#include "policy/sender.h"

/* A MAIL or RCPT address: an own domain's tag is its user's own business. Sendmail names
 * local users without their domain: it is the one in the command if that is ours, and the
 * first if it is another name of the host. */
static enum status take_address(const char *raw, const char *argument,
                                const struct domains *own, struct address *out)
{
    struct address said;
    enum status status = address_parse(raw, strlen(raw), out);
    if (status != STATUS_OK || domains_first(own) == NULL)
        return status;
    if (argument != NULL && out->at == out->length &&
        address_parse(argument, strlen(argument), &said) == STATUS_OK &&
        domains_have_address(own, &said))
        return address_qualify(out, address_domain(&said));
    return address_qualify(out, domains_first(own));
}

static void take_client(const struct envelope *envelope, struct facts *facts)
{
    facts->origin = envelope->local ? ORIGIN_LOCAL : ORIGIN_SMTP;
    facts->has_client_address = envelope->client != NULL &&
                                ip_address_parse(envelope->client, facts->client_address);
    if (envelope->local)
        text_join(facts->client, sizeof facts->client, "local", "");
    else if (facts->has_client_address)
        network_client_key(facts->client_address, facts->client);
    else
        text_join(facts->client, sizeof facts->client, "unknown", "");
}

static void take_identity(const struct domains *own, struct facts *facts)
{
    struct address first; /* sender, where a forwarder rewrote it */
    const size_t size = sizeof facts->identity;
    if (facts->login.length > 0)
        text_join(facts->identity, size, "login:", facts->login.text);
    else if (facts->origin == ORIGIN_LOCAL || facts->sender.length == 0)
        text_join(facts->identity, size, "client:", facts->client);
    else
        text_join(facts->identity, size, "sender:",
                  sender_was_forwarded(&facts->sender, own, &first) ? first.text
                                                                    : facts->sender.text);
}

/* Postfix drops a recipient typed twice, whatever its case, and no other spelling:
 * another spelling, or other DSN arguments, are further copies. */
static int compare_typed(const void *left, const void *right)
{
    const struct envelope_recipient *a = *(const struct envelope_recipient *const *)left;
    const struct envelope_recipient *b = *(const struct envelope_recipient *const *)right;
    return strcasecmp(a->typed, b->typed);
}

static int compare_address(const void *left, const void *right)
{
    const struct recipient *a = left;
    const struct recipient *b = right;
    return strcmp(a->address, b->address);
}

/* The recipients that are distinct as typed, each as canonical address. */
static enum status take_typed(const struct envelope *envelope, const struct domains *own,
                              struct facts *facts)
{
    size_t count = envelope->recipient_count;
    if (count == 0)
        return STATUS_OK;
    const struct envelope_recipient **typed = malloc(count * sizeof *typed);
    facts->recipients = malloc(count * sizeof *facts->recipients);
    if (typed == NULL || facts->recipients == NULL) {
        free(typed);
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < count; i++)
        typed[i] = &envelope->recipients[i];
    qsort(typed, count, sizeof(const struct envelope_recipient *), compare_typed);

    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct address address;
        if (i > 0 && strcasecmp(typed[i]->typed, typed[i - 1]->typed) == 0)
            continue;
        status = take_address(typed[i]->address, typed[i]->argument, own, &address);
        if (status != STATUS_OK)
            break;
        char *text = strdup(address.text);
        if (text == NULL)
            status = STATUS_NOMEM;
        else
            facts->recipients[facts->recipient_count++] = (struct recipient){
                .address = text,
                .mailboxes = typed[i]->mailboxes > 1 ? typed[i]->mailboxes : 1,
                .copies = 1};
    }
    free(typed);
    return status;
}

/* Spellings of one address become one recipient with as many copies. */
static void merge_spellings(struct facts *facts)
{
    struct recipient *recipients = facts->recipients;
    size_t kept = 0;
    if (facts->recipient_count < 2)
        return;
    qsort(recipients, facts->recipient_count, sizeof *recipients, compare_address);
    for (size_t i = 1; i < facts->recipient_count; i++) {
        if (strcmp(recipients[i].address, recipients[kept].address) == 0) {
            recipients[kept].copies++;
            free(recipients[i].address);
        } else {
            recipients[++kept] = recipients[i];
        }
    }
    facts->recipient_count = kept + 1;
}

static enum status take_tagless(const struct address *address, const struct domains *own,
                                struct recipient *recipient)
{
    struct address tagless = *address;
    if (!domains_have_address(own, &tagless) ||
        !address_remove_tag(&tagless, own->delimiters))
        return STATUS_OK;
    recipient->tagless = strdup(tagless.text);
    return recipient->tagless == NULL ? STATUS_NOMEM : STATUS_OK;
}

static enum status look_up(const struct directory *directory, const struct domains *own,
                           struct recipient *recipient, struct reach *reach)
{
    struct address address;
    struct target target;
    enum status status =
        address_parse(recipient->address, strlen(recipient->address), &address);
    if (status != STATUS_OK)
        return status;
    status = take_tagless(&address, own, recipient);
    if (status != STATUS_OK)
        return status;
    directory_find(directory, &address, &target);
    recipient->kind = target.kind;
    recipient->list = target.list;
    recipient->person = target.person;
    recipient->copies *= target.list == DIRECTORY_NONE
                             ? recipient->mailboxes
                             : directory_list(directory, target.list)->size;
    if (strcmp(target.address.text, recipient->address) != 0) {
        recipient->meant = strdup(target.address.text);
        if (recipient->meant == NULL)
            return STATUS_NOMEM;
    }
    return reach_add(reach, &target);
}

/* Persons behind an address that is no list we know, but was one when it was logged. */
static uint64_t count_hidden(const struct recipient *recipient)
{
    return recipient->list == DIRECTORY_NONE ? recipient->mailboxes - 1 : 0;
}

static enum status look_up_all(const struct directory *directory,
                               const struct domains *own, struct facts *facts)
{
    enum status status = STATUS_OK;
    uint64_t hidden = 0;
    struct reach *reach = reach_new(directory);
    if (reach == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < facts->recipient_count && status == STATUS_OK; i++) {
        struct recipient *recipient = &facts->recipients[i];
        status = look_up(directory, own, recipient, reach);
        facts->copies += recipient->copies;
        facts->unknown = facts->unknown || recipient->kind == TARGET_UNKNOWN;
        hidden += count_hidden(recipient);
    }
    facts->measures[MEASURE_REACH] = (int64_t)(reach_total(reach) + hidden);
    facts->measures[MEASURE_COPIES] = (int64_t)facts->copies;
    facts->measures[MEASURE_EXTERNAL] = (int64_t)reach_external(reach);
    reach_free(reach);
    return status;
}

static int compare_number(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static void sort_unique(struct numbers *numbers)
{
    size_t kept = 0;
    if (numbers->count < 2)
        return;
    qsort(numbers->items, numbers->count, sizeof *numbers->items, compare_number);
    for (size_t i = 1; i < numbers->count; i++) {
        if (numbers->items[i] != numbers->items[kept])
            numbers->items[++kept] = numbers->items[i];
    }
    numbers->count = kept + 1;
}

/* The list that grew by most, be it addressed or within one that is: either way the mail
 * reaches its new members. */
static const struct list *find_grown(const struct directory *directory,
                                     const struct facts *facts)
{
    const struct list *grown = NULL;
    for (size_t i = 0; i < facts->list_count; i++) {
        const struct list *list = directory_list(directory, facts->lists[i]);
        if (list->state == LIST_GROWN &&
            (grown == NULL || list->size - list->was > grown->size - grown->was))
            grown = list;
    }
    return grown;
}

static enum status push_with_nested(const struct directory *directory, uint32_t list,
                                    struct numbers *lists)
{
    size_t count;
    const uint32_t *nested = directory_nested(directory, list, &count);
    enum status status = numbers_push(lists, list);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = numbers_push(lists, nested[i]);
    return status;
}

/* The lists addressed and those in them, each once. A list is looked into once, however
 * many of its tags were addressed. */
static enum status take_lists(const struct directory *directory, struct facts *facts)
{
    struct numbers addressed = {0};
    struct numbers lists = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < facts->recipient_count && status == STATUS_OK; i++) {
        if (facts->recipients[i].list != DIRECTORY_NONE)
            status = numbers_push(&addressed, facts->recipients[i].list);
    }
    sort_unique(&addressed);
    for (size_t i = 0; i < addressed.count && status == STATUS_OK; i++)
        status = push_with_nested(directory, addressed.items[i], &lists);
    sort_unique(&lists);
    numbers_clear(&addressed);
    if (status != STATUS_OK) {
        numbers_clear(&lists);
        return status;
    }
    facts->lists = lists.items;
    facts->list_count = lists.count;
    facts->grown = find_grown(directory, facts);
    return STATUS_OK;
}

static enum status take_sender(const struct envelope *envelope,
                               const struct policy *policy, struct facts *facts)
{
    const struct domains *own = &policy->domains;
    enum status status =
        login_parse(envelope->login, &policy->logins, own, &facts->login);
    if (status != STATUS_OK)
        return status;
    status = take_address(envelope->sender == NULL ? "" : envelope->sender,
                          envelope->sender_argument, own, &facts->sender);
    if (status != STATUS_OK)
        return status;
    sender_simplify(&facts->sender, own);
    take_client(envelope, facts);
    take_identity(own, facts);
    facts->trusted = match_client(facts, &policy->trusted);
    facts->relay = match_client(facts, &policy->relays);
    return STATUS_OK;
}

static enum status take_recipients(const struct envelope *envelope,
                                   const struct policy *policy,
                                   const struct directory *directory, struct facts *facts)
{
    if (envelope->recipient_count > RECIPIENTS_MAX)
        return STATUS_LIMIT;
    enum status status = take_typed(envelope, &policy->domains, facts);
    if (status != STATUS_OK)
        return status;
    merge_spellings(facts);
    status = look_up_all(directory, &policy->domains, facts);
    if (status != STATUS_OK)
        return status;
    return take_lists(directory, facts);
}

static enum status take_headers(const struct envelope *envelope,
                                const struct domains *own, struct facts *facts)
{
    struct header_facts shown;
    enum status status =
        header_gather(envelope->headers, envelope->header_count, own, &shown);
    if (status != STATUS_OK)
        return status;
    facts->links = shown.links;
    text_join(facts->thread, sizeof facts->thread, thread_name(&shown.links), "");
    facts->measures[MEASURE_VISIBLE] = (int64_t)shown.visible;
    facts->measures[MEASURE_VISIBLE_EXTERNAL] = (int64_t)shown.visible_external;
    facts->reply = shown.reply;
    facts->automatic = shown.automatic;
    return campaign_make(facts->identity, shown.subject, &facts->campaign);
}

enum status facts_gather(const struct envelope *envelope, const struct policy *policy,
                         const struct directory *directory, struct facts *out)
{
    *out = (struct facts){.hold_headers = envelope->hold_headers};
    enum status status = take_sender(envelope, policy, out);
    if (status == STATUS_OK)
        status = take_recipients(envelope, policy, directory, out);
    if (status == STATUS_OK)
        status = take_headers(envelope, &policy->domains, out);
    if (status != STATUS_OK)
        facts_clear(out);
    return status;
}

void facts_guess(const struct envelope *envelope, const struct policy *policy,
                 struct facts *out)
{
    *out = (struct facts){.guessed = true, .hold_headers = envelope->hold_headers};
    if (take_sender(envelope, policy, out) == STATUS_OK)
        return;
    take_client(envelope, out);
    out->relay = match_client(out, &policy->relays);
    text_join(out->identity, sizeof out->identity, "client:", out->client);
}

void facts_clear(struct facts *facts)
{
    for (size_t i = 0; i < facts->recipient_count; i++) {
        free(facts->recipients[i].address);
        free(facts->recipients[i].tagless);
        free(facts->recipients[i].meant);
    }
    free(facts->recipients);
    free(facts->lists);
    free(facts->campaign);
    *facts = (struct facts){0};
}

const char *facts_topic(const struct facts *facts)
{
    return facts->campaign == NULL ? "" : facts->campaign + strlen(facts->identity) + 1;
}

bool confirm_identity(const struct facts *facts, const struct domains *own,
                      char out[CONFIRM_IDENTITY_SIZE])
{
    if (facts->login.length > 0) {
        text_join(out, CONFIRM_IDENTITY_SIZE, facts->identity, "");
        return true;
    }
    if (!facts->trusted || !domains_have_address(own, &facts->sender))
        return false;
    (void)snprintf(out, CONFIRM_IDENTITY_SIZE, "%s %s", facts->identity,
                   facts->sender.text);
    return true;
}

bool recipient_is(const struct recipient *recipient, const char *address)
{
    return strcmp(recipient->address, address) == 0 ||
           (recipient->tagless != NULL && strcmp(recipient->tagless, address) == 0) ||
           (recipient->meant != NULL && strcmp(recipient->meant, address) == 0);
}
