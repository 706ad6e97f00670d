/* Who is shown to whom, what a message answers, and whether it answers by itself. */
#include "policy/header.h"

#include <string.h>
#include <strings.h>

#include "base/intern.h"
#include "policy/address.h"
#include "policy/encoded.h"
#include "policy/shown.h"
#include "policy/syntax.h"

static const char *const wanted[] = {
    "To",         "Cc",      "In-Reply-To", "References", "Auto-Submitted",
    "Precedence", "List-Id", "Message-ID",  "Subject",    "Thread-Index",
};

bool header_is_wanted(const char *name)
{
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (strcasecmp(name, wanted[i]) == 0)
            return true;
    }
    return false;
}

/* A field's words without comments, blanks and folds. */
struct field_words {
    struct text text;
    size_t word; /* the length of the first one */
};

/* Encoded words are decoded. */
static enum status squeeze(const char *value, struct field_words *out)
{
    struct text decoded = {0};
    size_t length;
    const char *at = encoded_text(value, &decoded, &length);
    const char *end = at + length;
    bool open_comment = false;
    *out = (struct field_words){.word = SIZE_MAX};
    while (at < end) {
        const char *after = NULL;
        if (*at == '(' && !open_comment) {
            after = syntax_skip_comment(at, end);
            open_comment = after == NULL;
        }
        if (after == NULL && !syntax_is_space(*at))
            text_add_byte(&out->text, *at);
        else if (out->text.length > 0 && out->word == SIZE_MAX)
            out->word = out->text.length;
        at = after == NULL ? at + 1 : after;
    }
    bool failed = decoded.failed || out->text.failed;
    text_clear(&decoded);
    return failed ? STATUS_NOMEM : STATUS_OK;
}

/* Up to a ';', the first word or (it may be folded in its middle) all of it. */
static bool says(const struct field_words *words, const char *word)
{
    const char *text = text_string(&words->text);
    size_t length = strlen(word);
    size_t whole = strcspn(text, ";");
    return (whole == length || (words->word == length && length < whole)) &&
           strncasecmp(text, word, length) == 0;
}

/* RFC 3834 5, and what lists and vacation programs really send. */
static enum status take_automatic(const struct header *header, struct header_facts *facts)
{
    struct field_words said;
    enum status status = squeeze(header->value, &said);
    bool automatic = false;
    if (strcasecmp(header->name, "Auto-Submitted") == 0)
        automatic = said.text.length > 0 && !says(&said, "no");
    else if (strcasecmp(header->name, "Precedence") == 0)
        automatic = says(&said, "bulk") || says(&said, "list") || says(&said, "junk");
    else if (strcasecmp(header->name, "List-Id") == 0)
        automatic = true;
    facts->automatic = facts->automatic || automatic;
    text_clear(&said.text);
    return status;
}

/* ---- To and Cc ---- */

struct shown_addresses {
    const struct domains *own;
    struct intern *addresses;
    struct header_facts *facts;
};

/* In a display name, "joe@school.example" is an address, "Lunch@noon" is not. */
static bool is_meant(const struct address *address, const struct domains *own)
{
    return strchr(address_domain(address), '.') != NULL || address_is_literal(address) ||
           domains_have_address(own, address);
}

/* Counts each distinct address. One that is too long to be a mailbox is still visible to
 * everybody, so it counts as a new one outside. */
static enum status take_shown(void *context, enum shown_place place, const char *raw,
                              size_t length)
{
    struct shown_addresses *shown = context;
    struct header_facts *facts = shown->facts;
    struct address address;
    enum status status = address_parse(raw, length, &address);
    if (status == STATUS_OK && place == SHOWN_IN_TEXT && !is_meant(&address, shown->own))
        return STATUS_OK;
    if (status == STATUS_OK && domains_first(shown->own) != NULL)
        status = address_qualify(&address, domains_first(shown->own));
    if (status == STATUS_LIMIT) {
        facts->visible++;
        facts->visible_external++;
        return STATUS_OK;
    }
    if (status != STATUS_OK || address.length == 0)
        return status;
    if (domains_have_address(shown->own, &address))
        (void)address_remove_tag(&address, shown->own->delimiters);
    uint32_t before = intern_count(shown->addresses);
    uint32_t id;
    status = intern_add(shown->addresses, address.text, address.length, &id);
    if (status == STATUS_OK && intern_count(shown->addresses) > before) {
        facts->visible++;
        facts->visible_external += !domains_have_address(shown->own, &address);
    }
    return status;
}

/* ---- threads ---- */

/* The first field of its name that has one counts. */
static enum status take_link(const struct header *header, struct header_facts *facts)
{
    struct thread_links *links = &facts->links;
    enum status status = STATUS_NOT_FOUND;
    bool answers = false;
    if (strcasecmp(header->name, "References") == 0) {
        if (links->first[0] == '\0')
            status = thread_find(header->value, links->first);
    } else if (strcasecmp(header->name, "In-Reply-To") == 0) {
        if (links->parent[0] == '\0')
            status = thread_find_parent(header->value, links->parent);
    } else if (strcasecmp(header->name, "Message-ID") == 0) {
        if (links->own[0] == '\0')
            status = thread_find(header->value, links->own);
    } else if (links->index[0] == '\0') {
        status = thread_find_index(header->value, links->index, &answers);
    }
    facts->reply = facts->reply || answers;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* It has something in it, whatever that is. */
static enum status take_reply(const struct header *header, struct header_facts *facts)
{
    struct field_words said;
    enum status status = squeeze(header->value, &said);
    facts->reply = facts->reply || said.text.length > 0;
    text_clear(&said.text);
    return status == STATUS_OK ? take_link(header, facts) : status;
}

static enum status take_header(const struct header *header, struct shown_addresses *shown)
{
    const char *name = header->name;
    struct header_facts *facts = shown->facts;
    if (strcasecmp(name, "To") == 0 || strcasecmp(name, "Cc") == 0)
        return shown_each(header->value, take_shown, shown);
    if (strcasecmp(name, "References") == 0 || strcasecmp(name, "In-Reply-To") == 0)
        return take_reply(header, facts);
    if (strcasecmp(name, "Message-ID") == 0 || strcasecmp(name, "Thread-Index") == 0)
        return take_link(header, facts);
    if (strcasecmp(name, "Subject") != 0)
        return take_automatic(header, facts);
    if (facts->subject == NULL)
        facts->subject = header->value;
    return STATUS_OK;
}

enum status header_gather(const struct header *headers, size_t count,
                          const struct domains *own, struct header_facts *out)
{
    struct header_facts facts = {0};
    struct shown_addresses shown = {
        .own = own, .addresses = intern_new(), .facts = &facts};
    enum status status = shown.addresses == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = take_header(&headers[i], &shown);
    intern_free(shown.addresses);
    if (status == STATUS_OK)
        *out = facts;
    return status;
}
