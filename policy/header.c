/* Who is shown to whom, what a message answers, and whether it answers by itself. */
#include "policy/header.h"

#include <string.h>
#include <strings.h>

#include "base/intern.h"
#include "policy/address.h"
#include "policy/encoded.h"
#include "policy/shown.h"
#include "policy/syntax.h"

enum field {
    FIELD_TO,
    FIELD_CC,
    FIELD_SUBJECT,
    FIELD_LIST_ID,
    FIELD_REFERENCES,
    FIELD_PRECEDENCE,
    FIELD_MESSAGE_ID,
    FIELD_IN_REPLY_TO,
    FIELD_THREAD_INDEX,
    FIELD_AUTO_SUBMITTED,
    FIELD_OTHER,
};

static enum field field_of(const char *name)
{
    static const struct {
        const char *name;
        size_t length;
    } fields[] = {
        [FIELD_TO] = {"To", 2},
        [FIELD_CC] = {"Cc", 2},
        [FIELD_SUBJECT] = {"Subject", 7},
        [FIELD_LIST_ID] = {"List-Id", 7},
        [FIELD_REFERENCES] = {"References", 10},
        [FIELD_PRECEDENCE] = {"Precedence", 10},
        [FIELD_MESSAGE_ID] = {"Message-ID", 10},
        [FIELD_IN_REPLY_TO] = {"In-Reply-To", 11},
        [FIELD_THREAD_INDEX] = {"Thread-Index", 12},
        [FIELD_AUTO_SUBMITTED] = {"Auto-Submitted", 14},
    };
    size_t length = strlen(name);
    unsigned field = 0;
    while (field < FIELD_OTHER &&
           !(fields[field].length == length && strcasecmp(fields[field].name, name) == 0))
        field++;
    return (enum field)field;
}

bool header_is_wanted(const char *name)
{
    return field_of(name) != FIELD_OTHER;
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
static enum status take_automatic(enum field field, const char *value,
                                  struct header_facts *facts)
{
    struct field_words said;
    enum status status = squeeze(value, &said);
    bool automatic = field == FIELD_LIST_ID;
    if (field == FIELD_AUTO_SUBMITTED)
        automatic = said.text.length > 0 && !says(&said, "no");
    else if (field == FIELD_PRECEDENCE)
        automatic = says(&said, "bulk") || says(&said, "list") || says(&said, "junk");
    facts->automatic = facts->automatic || automatic;
    text_clear(&said.text);
    return status;
}

/* ---- To and Cc ---- */

struct shown_addresses {
    const struct domains *own;
    struct address first;
    bool has_first;
    struct intern *addresses; /* from the second on: all of them; NULL before */
    struct header_facts *facts;
};

/* Most messages show one address: the first one needs no table. */
static enum status note_shown(struct shown_addresses *shown,
                              const struct address *address, bool *out_is_new)
{
    uint32_t id;
    *out_is_new = !shown->has_first;
    if (!shown->has_first) {
        shown->has_first = true;
        address_copy(&shown->first, address);
        return STATUS_OK;
    }
    if (shown->addresses == NULL) {
        shown->addresses = intern_new();
        if (shown->addresses == NULL)
            return STATUS_NOMEM;
        enum status status =
            intern_add(shown->addresses, shown->first.text, shown->first.length, &id);
        if (status != STATUS_OK)
            return status;
    }
    uint32_t before = intern_count(shown->addresses);
    enum status status =
        intern_add(shown->addresses, address->text, address->length, &id);
    *out_is_new = intern_count(shown->addresses) > before;
    return status;
}

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
    bool is_new;
    status = note_shown(shown, &address, &is_new);
    if (status == STATUS_OK && is_new) {
        facts->visible++;
        facts->visible_external += !domains_have_address(shown->own, &address);
    }
    return status;
}

/* ---- threads ---- */

/* The first field of its name that has one counts. */
static enum status take_link(enum field field, const char *value,
                             struct header_facts *facts)
{
    struct thread_links *links = &facts->links;
    enum status status = STATUS_NOT_FOUND;
    bool answers = false;
    if (field == FIELD_REFERENCES) {
        if (links->first[0] == '\0')
            status = thread_find(value, links->first);
    } else if (field == FIELD_IN_REPLY_TO) {
        if (links->parent[0] == '\0')
            status = thread_find_parent(value, links->parent);
    } else if (field == FIELD_MESSAGE_ID) {
        if (links->own[0] == '\0')
            status = thread_find(value, links->own);
    } else if (links->index[0] == '\0') {
        status = thread_find_index(value, links->index, &answers);
    }
    facts->reply = facts->reply || answers;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* It has something in it, whatever that is. */
static enum status take_reply(enum field field, const char *value,
                              struct header_facts *facts)
{
    struct field_words said;
    enum status status = squeeze(value, &said);
    facts->reply = facts->reply || said.text.length > 0;
    text_clear(&said.text);
    return status == STATUS_OK ? take_link(field, value, facts) : status;
}

static enum status take_header(const struct header *header, struct shown_addresses *shown)
{
    enum field field = field_of(header->name);
    const char *value = header->value;
    struct header_facts *facts = shown->facts;
    switch (field) {
    case FIELD_TO:
    case FIELD_CC:
        return shown_each(value, take_shown, shown);
    case FIELD_REFERENCES:
    case FIELD_IN_REPLY_TO:
        return take_reply(field, value, facts);
    case FIELD_MESSAGE_ID:
    case FIELD_THREAD_INDEX:
        return take_link(field, value, facts);
    case FIELD_LIST_ID:
    case FIELD_PRECEDENCE:
    case FIELD_AUTO_SUBMITTED:
        return take_automatic(field, value, facts);
    case FIELD_SUBJECT:
        if (facts->subject == NULL)
            facts->subject = value;
        break;
    case FIELD_OTHER:
        break;
    }
    return STATUS_OK;
}

enum status header_gather(const struct header *headers, size_t count,
                          const struct domains *own, struct header_facts *out)
{
    struct header_facts facts = {0};
    struct shown_addresses shown;
    enum status status = STATUS_OK;
    shown.own = own;
    shown.has_first = false;
    shown.addresses = NULL;
    shown.facts = &facts;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = take_header(&headers[i], &shown);
    intern_free(shown.addresses);
    if (status == STATUS_OK)
        *out = facts;
    return status;
}
