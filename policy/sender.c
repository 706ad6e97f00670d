/* Both schemes write into the local part, from left to right, '=' between the pieces.
 * Addresses are in lower case here. */
#include "policy/sender.h"

#include <string.h>

#include "base/text.h"

/* The piece of a local part between `from` and the next `end`; false when it is empty, or
 * no such byte comes before the '@'. */
static bool take_piece(const struct address *address, size_t from, const char *end,
                       size_t *out_after)
{
    size_t at = from;
    size_t length = strlen(end);
    while (at < address->at && strncmp(address->text + at, end, length) != 0)
        at++;
    if (at == from || at + length >= address->at)
        return false;
    *out_after = at + length;
    return true;
}

/* A tag's letters and digits, from `from` up to `end`. */
static bool is_tag(const struct address *address, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        char c = address->text[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return end > from;
}

/* Where the user begins after BATV's signature; 0: there is none. */
static size_t find_user(const struct address *address)
{
    size_t after;
    if (text_after(address->text, "prvs=") != NULL && take_piece(address, 5, "=", &after))
        return is_tag(address, 5, after - 1) ? after : 0;
    if (text_after(address->text, "btv1==") != NULL &&
        take_piece(address, 6, "==", &after))
        return is_tag(address, 6, after - 2) ? after : 0;
    return 0;
}

/* srs0 and srs1, with any of the separators that SRS allows after it. */
static bool is_srs(const struct address *address, char digit)
{
    return address->at > 5 && strncmp(address->text, "srs", 3) == 0 &&
           address->text[3] == digit && strchr("=+-", address->text[4]) != NULL;
}

/* False when BATV has not signed it. */
static bool remove_signature(struct address *address)
{
    struct address plain;
    size_t user = find_user(address);
    if (user == 0 ||
        address_parse(address->text + user, address->length - user, &plain) !=
            STATUS_OK ||
        plain.at == 0)
        return false;
    *address = plain;
    return true;
}

/* Each pass makes the address shorter; a result is left as it is. */
void sender_simplify(struct address *address, const struct domains *own)
{
    while (remove_signature(address))
        ;
    bool forwarded = is_srs(address, '0') || is_srs(address, '1');
    if (domains_have_address(own, address) && !forwarded) /* "srs0+..." has no tag */
        (void)address_remove_tag(address, own->delimiters);
}

/* Finds the original domain and user in a rewritten address; false when it was not
 * rewritten. */
static bool find_first(const struct address *address, size_t *out_domain,
                       size_t *out_user)
{
    size_t at = 5; /* the hash */
    if (is_srs(address, '1')) {
        /* SRS1=HASH=FORWARDER=, and what follows the "SRS0" that the forwarder wrote */
        if (!take_piece(address, at, "=", &at) || !take_piece(address, at, "=", &at) ||
            strchr("=+-", address->text[at]) == NULL)
            return false;
        at++;
    } else if (!is_srs(address, '0')) {
        return false;
    }
    return take_piece(address, at, "=", &at) &&
           take_piece(address, at, "=", out_domain) &&
           take_piece(address, *out_domain, "=", out_user);
}

/* "srs=domain=user@forwarder", without hash and day, so it isn't SRS. */
static void name_nobody(struct address *address, size_t domain)
{
    static const char mark[] = "srs=";
    size_t length = sizeof mark - 1;
    memcpy(address->text, mark, length);
    memmove(address->text + length, address->text + domain, address->length - domain + 1);
    address->length -= domain - length;
    address->at -= domain - length;
}

/* Undoes the rewriting of one forwarder. */
static bool go_back(struct address *address, const struct domains *own)
{
    size_t domain;
    size_t user;
    struct address first;
    struct address named;
    if (!find_first(address, &domain, &user))
        return false;
    named.at = address->at - user;
    memcpy(named.text, address->text + user, named.at);
    named.text[named.at] = '@';
    memcpy(named.text + named.at + 1, address->text + domain, user - 1 - domain);
    named.length = named.at + user - domain;
    if (address_parse(named.text, named.length, &first) == STATUS_OK && first.at > 0 &&
        first.at < first.length && !domains_have_address(own, &first))
        *address = first;
    else
        name_nobody(address, domain);
    return true;
}

bool sender_was_forwarded(const struct address *address, const struct domains *own,
                          struct address *out)
{
    struct address first;
    if (!is_srs(address, '0') && !is_srs(address, '1'))
        return false;
    address_copy(&first, address);
    if (!go_back(&first, own))
        return false;
    do {
        sender_simplify(&first, own);
    } while (go_back(&first, own));
    *out = first;
    return true;
}
