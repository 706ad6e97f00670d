/* What the tests of the directory and of reach share: one directory, built in one line
 * each. Own domains are own and too, the delimiter is '+'. */
#ifndef TEST_DIRECTORY_FIXTURE_H
#define TEST_DIRECTORY_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "policy/directory.h"

static struct domains own;
static struct directory *directory;
static struct problems problems;

static inline void directory_begin(void)
{
    ck_assert_int_eq(domains_add(&own, "own", NULL), STATUS_OK);
    ck_assert_int_eq(domains_add(&own, "too", NULL), STATUS_OK);
    ck_assert_int_eq(domains_set_delimiters(&own, "+"), STATUS_OK);
    directory = directory_new(&own);
    ck_assert_ptr_nonnull(directory);
}

static inline void directory_end(void)
{
    directory_free(directory);
    directory = NULL;
    domains_clear(&own);
    problems_clear(&problems);
}

static inline uint32_t list_in_state(const char *address, const char *members,
                                     enum list_state state)
{
    uint32_t list;
    ck_assert_int_eq(directory_add_list(directory, address, "/lists", state, 1, &list),
                     STATUS_OK);
    ck_assert_int_eq(directory_bind(directory, address, list), STATUS_OK);
    while (*members != '\0') {
        size_t length = strcspn(members, " ");
        ck_assert_int_eq(
            directory_add_member(directory, list, members, length, "own", NULL),
            STATUS_OK);
        members += length + (members[length] == ' ' ? 1 : 0);
    }
    return list;
}

/* A list that answers at its address; members are separated by blanks. */
static inline uint32_t list_of(const char *address, const char *members)
{
    return list_in_state(address, members, LIST_OK);
}

static inline void bind_list(const char *address, uint32_t list)
{
    ck_assert_int_eq(directory_bind(directory, address, list), STATUS_OK);
}

static inline void redirect(const char *address, const char *target)
{
    ck_assert_int_eq(directory_redirect(directory, address, target), STATUS_OK);
}

static inline void doubt(const char *domain)
{
    ck_assert_int_eq(directory_doubt_domain(directory, domain), STATUS_OK);
}

static inline void seal(void)
{
    ck_assert_int_eq(directory_seal(directory, &problems), STATUS_OK);
    ck_assert_uint_eq(problems.errors, 0);
}

static inline struct address canonical(const char *text)
{
    struct address address;
    ck_assert_int_eq(address_parse(text, strlen(text), &address), STATUS_OK);
    return address;
}

static inline struct target find(const char *text)
{
    struct address address = canonical(text);
    struct target target;
    memset(&target, 0x5a, sizeof target);
    directory_find(directory, &address, &target);
    ck_assert_uint_eq(strlen(target.address.text), target.address.length);
    return target;
}

static inline bool is_member(uint32_t list, const char *text)
{
    struct address address = canonical(text);
    return directory_is_member(directory, list, &address);
}

static inline uint64_t size_of(uint32_t list)
{
    return directory_list(directory, list)->size;
}

static inline void expect_list(const char *address, uint32_t list)
{
    struct target target = find(address);
    ck_assert_msg(target.kind == TARGET_LIST && target.list == list,
                  "%s is kind %d, list %u", address, (int)target.kind, target.list);
    ck_assert_str_eq(target.address.text, directory_list(directory, list)->address);
    ck_assert_uint_eq(target.person, DIRECTORY_NONE);
}

static inline void expect_person(const char *address, const char *person)
{
    struct target target = find(address);
    ck_assert_msg(target.kind == TARGET_PERSON, "%s is kind %d", address,
                  (int)target.kind);
    ck_assert_str_eq(target.address.text, person);
    ck_assert_uint_eq(target.list, DIRECTORY_NONE);
}

static inline void expect_unknown(const char *address, uint32_t list)
{
    struct target target = find(address);
    ck_assert_msg(target.kind == TARGET_UNKNOWN && target.list == list,
                  "%s is kind %d, list %u", address, (int)target.kind, target.list);
}

static inline void expect_nested(uint32_t outer, size_t count, const uint32_t *lists)
{
    size_t found;
    const uint32_t *nested = directory_nested(directory, outer, &found);
    ck_assert_uint_eq(found, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_uint_eq(nested[i], lists[i]);
}

/* Lists l0 to l(count - 1), each in the one before; the last holds one person. */
static inline void chain_of(unsigned lists)
{
    char address[32];
    char next[32];
    for (unsigned i = 0; i < lists; i++) {
        (void)snprintf(address, sizeof address, "l%u@own", i);
        (void)snprintf(next, sizeof next, "l%u@own", i + 1);
        (void)list_of(address, next);
    }
}

#endif
