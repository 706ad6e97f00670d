/* Mail addresses in one canonical spelling, so that one mailbox is one key. */
#ifndef POLICY_ADDRESS_H
#define POLICY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { ADDRESS_SIZE = 1024 };

/* text is "local@domain", or "" for the null sender. */
struct address {
    char text[ADDRESS_SIZE];
    size_t length;
    size_t at; /* index of the '@'; length when there is none */
};

/* Parses what RFC 5321 4.1.2 and RFC 5322 3.4 allow, and what arrives instead of it:
 * angle brackets, a source route, comments and white space are removed, needless quotes
 * and backslashes undone, a trailing dot of the domain dropped, ASCII lower-cased, an
 * international domain turned into A-labels. Without a domain the result has none. Bytes
 * that mean nothing stay, so that two different addresses never become one; a NUL becomes
 * its overlong UTF-8 form C0 80. Parsing a result gives the same again. Linear time.
 * LIMIT when it does not fit ADDRESS_SIZE. */
enum status address_parse(const char *raw, size_t length, struct address *out) MUST_CHECK;

/* True for an address as nearly all are, which parsing leaves alone: lower-case ASCII
 * letters, digits, '-', '_', '+' and single dots in the local part, a domain of these. */
bool address_is_plain(const char *raw, size_t length);

/* Lower-cases an address that is plain then; others stay as they are: false. */
bool address_make_plain(char *raw, size_t length);

/* Appends "@domain" when the address has no domain and is not empty. */
enum status address_qualify(struct address *address, const char *domain) MUST_CHECK;

/* Removes "+tag" from the local part; false when there is none. Does not look at whose
 * domain it is. A delimiter in first place does not count. */
bool address_remove_tag(struct address *address, const char *delimiters);

/* The index of the '@' of a canonical address; length when there is none. */
size_t address_find_at(const char *canonical, size_t length);

/* Takes a string that is canonical already, without parsing it. */
void address_take(const char *canonical, struct address *out);

/* Copies the address and only the used part of its text. */
void address_copy(struct address *to, const struct address *from);

/* "" when there is no domain. */
const char *address_domain(const struct address *address);

/* A domain of the form "[1.2.3.4]". */
bool address_is_literal(const struct address *address);

#endif
