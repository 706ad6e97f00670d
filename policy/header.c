/* Who is shown to whom, what a message answers, and whether it answers by itself. */
#include "policy/header.h"

#include <string.h>
#include <strings.h>

#include "base/intern.h"
#include "policy/address.h"
#include "policy/addrlist.h"

static const char *const wanted[] = {
    "To",         "Cc",      "In-Reply-To", "References", "Auto-Submitted",
    "Precedence", "List-Id", "Message-ID",  "Subject",
};

bool header_is_wanted(const char *name)
{
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (strcasecmp(name, wanted[i]) == 0)
            return true;
    }
    return false;
}

/* The first word of a field's value: up to a blank, ';' or '('. */
static bool word_is(const char *value, const char *word)
{
    value += strspn(value, " \t\r\n");
    size_t length = strcspn(value, " \t\r\n;(");
    return length == strlen(word) && strncasecmp(value, word, length) == 0;
}

static bool is_empty(const char *value)
{
    return value[strspn(value, " \t\r\n")] == '\0';
}

/* RFC 3834 5, and what lists and vacation programs really send. */
static bool says_automatic(const struct header *header)
{
    if (strcasecmp(header->name, "Auto-Submitted") == 0)
        return !is_empty(header->value) && !word_is(header->value, "no");
    if (strcasecmp(header->name, "Precedence") == 0)
        return word_is(header->value, "bulk") || word_is(header->value, "list") ||
               word_is(header->value, "junk");
    return strcasecmp(header->name, "List-Id") == 0;
}

/* Counts the addresses of one To or Cc that no earlier one has shown. One that is too
 * long to be a mailbox is still shown to everybody: a stranger's, each a new one. */
static enum status add_visible(const struct header *header, const struct domains *own,
                               struct intern *seen, struct header_facts *facts)
{
    struct addrlist list = addrlist_of(header->value, strlen(header->value));
    const char *raw;
    size_t length;
    while (addrlist_next(&list, &raw, &length)) {
        struct address address;
        enum status status = address_parse(raw, length, &address);
        if (status == STATUS_OK && domains_first(own) != NULL)
            status = address_qualify(&address, domains_first(own));
        if (status == STATUS_LIMIT) {
            facts->visible++;
            facts->visible_external++;
            continue;
        }
        if (status != STATUS_OK)
            return status;
        if (address.length == 0)
            continue;
        if (address_is_own(&address, own))
            (void)address_remove_tag(&address, own->delimiters);
        uint32_t before = intern_count(seen);
        uint32_t id;
        status = intern_add(seen, address.text, address.length, &id);
        if (status != STATUS_OK)
            return status;
        if (intern_count(seen) > before) {
            facts->visible++;
            facts->visible_external += !address_is_own(&address, own);
        }
    }
    return STATUS_OK;
}

/* Which field a thread's id is from, the better the higher. */
enum origin_of_thread {
    THREAD_UNKNOWN,
    THREAD_OWN,
    THREAD_ANSWERED,
    THREAD_REFERRED,
};

/* The first field of the best kind that names an id. */
static enum status take_thread(const struct header *header, enum origin_of_thread origin,
                               enum origin_of_thread *known, struct header_facts *facts)
{
    if (origin <= *known)
        return STATUS_OK;
    enum status status = thread_find(header->value, facts->thread);
    if (status == STATUS_OK)
        *known = origin;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum origin_of_thread thread_origin(const char *name)
{
    if (strcasecmp(name, "References") == 0)
        return THREAD_REFERRED;
    if (strcasecmp(name, "In-Reply-To") == 0)
        return THREAD_ANSWERED;
    return strcasecmp(name, "Message-ID") == 0 ? THREAD_OWN : THREAD_UNKNOWN;
}

enum status header_gather(const struct header *headers, size_t count,
                          const struct domains *own, struct header_facts *out)
{
    struct header_facts facts = {0};
    enum origin_of_thread known = THREAD_UNKNOWN;
    enum status status = STATUS_OK;
    struct intern *seen = intern_new();
    if (seen == NULL)
        return STATUS_NOMEM;

    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct header *header = &headers[i];
        enum origin_of_thread origin = thread_origin(header->name);
        if (strcasecmp(header->name, "To") == 0 || strcasecmp(header->name, "Cc") == 0)
            status = add_visible(header, own, seen, &facts);
        else if (origin != THREAD_UNKNOWN)
            status = take_thread(header, origin, &known, &facts);
        else if (strcasecmp(header->name, "Subject") != 0)
            facts.automatic = facts.automatic || says_automatic(header);
        else if (facts.subject == NULL)
            facts.subject = header->value;
        facts.reply = facts.reply || (origin > THREAD_OWN && !is_empty(header->value));
    }
    intern_free(seen);
    if (status == STATUS_OK)
        *out = facts;
    return status;
}
