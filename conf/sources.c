/* One entry of lists is a list of its own (file), or has lists by their names. */
#include "conf/sources.h"

#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/text.h"
#include "conf/options.h"
#include "conf/settings.h"

#define REFRESH_MS (INT64_C(5) * 60 * 1000)
#define REFRESH_REMOTE_MS (INT64_C(60) * 60 * 1000)

#define IS(kind) (1U << (kind))
#define SERVERS (IS(LIST_LDAP) | IS(LIST_POSTFIX) | IS(LIST_MAILMAN))

static const struct kind {
    const char *name; /* of the setting */
    enum list_kind kind;
    bool remote;
} kinds[] = {
    {"file", LIST_FILE, false},       {"aliases", LIST_ALIASES, false},
    {"virtual", LIST_VIRTUAL, false}, {"folder", LIST_FOLDER, false},
    {"ldap", LIST_LDAP, true},        {"postfix", LIST_POSTFIX, true},
    {"mailman", LIST_MAILMAN, true},
};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

bool sources_is_remote(const struct list_source *source)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (kinds[i].kind == source->kind)
            return kinds[i].remote;
    }
    return false;
}

static void source_clear(struct list_source *source)
{
    free(source->address);
    free(source->path);
    free(source->identity);
    free(source->column);
    free(source->user);
    free(source->password_file);
    ldap_settings_clear(&source->ldap);
    domains_clear(&source->domains);
}

void sources_clear(struct settings *settings)
{
    for (size_t i = 0; i < settings->list_count; i++)
        source_clear(&settings->lists[i]);
    free(settings->lists);
    settings->lists = NULL;
    settings->list_count = 0;
}

/* "hash:/etc/postfix/virtual" is how Postfix names a map; what is read is its text. */
static void check_map_name(struct reader *reader, const struct option *option,
                           const struct node *node, const char *name)
{
    const struct node *path = tree_find(&reader->tree, node, name);
    if (path == NULL || path->kind != NODE_STRING)
        return;
    size_t type = strspn(path->string, "abcdefghijklmnopqrstuvwxyz");
    if (type > 0 && path->string[type] == ':')
        reader_refuse(reader, option, path,
                      "\"%.*s:\" belongs to the name of a Postfix map; %s takes only the "
                      "path of its text file",
                      (int)type, path->string, name);
}

/* Which of the kinds the entry names; false, and reported, unless it is exactly one. */
static bool find_kind(struct reader *reader, const struct option *option,
                      const struct node *node, enum list_kind *out)
{
    struct text names = {0};
    size_t found = 0;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (tree_find(&reader->tree, node, kinds[i].name) != NULL) {
            *out = kinds[i].kind;
            found++;
        }
        text_printf(&names, "%s%s",
                    i == 0               ? ""
                    : i < KIND_COUNT - 1 ? ", "
                                         : " and ",
                    kinds[i].name);
    }
    if (found != 1)
        reader_refuse(reader, option, node, "each entry needs exactly one of %s",
                      text_string(&names));
    text_clear(&names);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (!kinds[i].remote)
            check_map_name(reader, option, node, kinds[i].name);
    }
    return found == 1;
}

/* Settings that not every kind has. */
static const struct {
    const char *name;
    unsigned kinds;   /* of IS */
    const char *with; /* these kinds, in words */
} partial[] = {
    {"address", IS(LIST_FILE), "file; the others name their own lists"},
    {"domain", IS(LIST_FOLDER), "folder"},
    {"column", IS(LIST_FOLDER), "folder"},
    {"domains", ~(IS(LIST_FILE) | IS(LIST_FOLDER)), "sources of many lists"},
    {"user", IS(LIST_MAILMAN), "mailman"},
    {"password_file", IS(LIST_LDAP) | IS(LIST_MAILMAN), "ldap or mailman"},
    {"request_timeout", SERVERS, "servers"},
    {"timeout", SERVERS, "servers"},
    {"base", IS(LIST_LDAP), "ldap"},
    {"schema", IS(LIST_LDAP), "ldap"},
    {"filter", IS(LIST_LDAP), "ldap"},
    {"address_attributes", IS(LIST_LDAP), "ldap"},
    {"member_attributes", IS(LIST_LDAP), "ldap"},
    {"member_address_attribute", IS(LIST_LDAP), "ldap"},
    {"people_base", IS(LIST_LDAP), "ldap"},
    {"people_not", IS(LIST_LDAP), "ldap"},
    {"bind_dn", IS(LIST_LDAP), "ldap"},
    {"sasl", IS(LIST_LDAP), "ldap"},
    {"start_tls", IS(LIST_LDAP), "ldap"},
    {"ca_file", IS(LIST_LDAP), "ldap"},
    {"cert_file", IS(LIST_LDAP), "ldap"},
    {"cert_key_file", IS(LIST_LDAP), "ldap"},
    {"page_size", IS(LIST_LDAP), "ldap"},
};

/* The name by which the source is shown, and what its kept members belong to: where its
 * lists are and which, but not how they are read. */
static void name_ldap(struct reader *reader, struct list_source *source)
{
    const struct ldap_settings *ldap = &source->ldap;
    struct text path = {0};
    struct text identity = {0};
    text_printf(&path, "ldap:%s", ldap->base);
    text_printf(&identity, "%s\n%d\n%s", ldap->base, (int)ldap->schema, ldap->filter);
    if (text_take(&path, STATUS_OK, &source->path) != STATUS_OK ||
        text_take(&identity, STATUS_OK, &source->identity) != STATUS_OK)
        reader->failed = true;
}

/* The network's part of an entry: servers, and how to bind to them. */
static void check_ldap(struct reader *reader, const struct option *option,
                       const struct node *node, struct list_source *source)
{
    struct ldap_settings *ldap = &source->ldap;
    const char *password = source->password_file;
    bool secret = password != NULL && password[0] != '\0';
    bool named = ldap->bind_dn != NULL && ldap->bind_dn[0] != '\0';
    for (size_t i = 0; i < ldap->servers.count; i++) {
        const char *url = ldap->servers.items[i];
        if (text_after(url, "ldap://") == NULL && text_after(url, "ldaps://") == NULL &&
            text_after(url, "ldapi://") == NULL)
            reader_refuse(reader, option, node,
                          "\"%.100s\" is not ldap://HOST, ldaps://HOST or ldapi://PATH",
                          url);
        else if (ldap->start_tls && text_after(url, "ldap://") == NULL)
            reader_refuse(reader, option, node, "start_tls needs ldap://, not \"%.100s\"",
                          url);
    }
    if (ldap->servers.count == 0 || ldap->base == NULL)
        reader_refuse(reader, option, node, "ldap needs a server and the base");
    else if (named != secret)
        reader_refuse(reader, option, node, "bind_dn and password_file go together");
    else if (named && ldap->sasl != LDAP_SASL_OFF)
        reader_refuse(reader, option, node,
                      "sasl takes neither bind_dn nor password_file");
    else if (ldap_settings_preset(ldap) != STATUS_OK)
        reader->failed = true;
    else
        name_ldap(reader, source);
}

/* A URL of http, to which paths are added. */
static void check_mailman(struct reader *reader, const struct option *option,
                          const struct node *node, struct list_source *source)
{
    const char *password = source->password_file;
    char *url = source->path;
    if (url == NULL)
        return;
    const char *rest = text_after(url, "http://");
    if (rest == NULL)
        rest = text_after(url, "https://");
    if (rest == NULL || strpbrk(rest, "@?# ") != NULL)
        reader_refuse(reader, option, node,
                      "mailman is not an address like http://127.0.0.1:8001/3.1");
    else if ((source->user[0] != '\0') != (password != NULL && password[0] != '\0'))
        reader_refuse(reader, option, node, "user and password_file go together");
    for (size_t length = strlen(url); length > 0 && url[length - 1] == '/'; length--)
        url[length - 1] = '\0';
}

/* Which settings of an entry go together. */
static void check_entry(struct reader *reader, const struct option *option,
                        const struct node *node, struct list_source *source)
{
    enum list_kind kind = source->kind;
    for (size_t i = 0; i < sizeof partial / sizeof *partial; i++) {
        const struct node *set = tree_find(&reader->tree, node, partial[i].name);
        if (set != NULL && (partial[i].kinds & IS(kind)) == 0)
            reader_refuse(reader, option, set, "%s is allowed only with %s",
                          partial[i].name, partial[i].with);
    }
    if (kind == LIST_FILE && tree_find(&reader->tree, node, "address") == NULL)
        reader_refuse(reader, option, node, "a file needs the list's address");
    if (kind == LIST_FOLDER && tree_find(&reader->tree, node, "domain") == NULL)
        reader_refuse(reader, option, node, "a folder needs the domain of its lists");
    if (kind == LIST_LDAP)
        check_ldap(reader, option, node, source);
    if (kind == LIST_MAILMAN)
        check_mailman(reader, option, node, source);
}

/* Two files for one list are an error: nobody could tell which one counts. */
static void check_address(struct reader *reader, const struct option *option,
                          const struct node *node, const char *address,
                          struct intern *addresses)
{
    uint32_t id;
    uint32_t before = intern_count(addresses);
    if (intern_add(addresses, address, strlen(address), &id) != STATUS_OK)
        reader->failed = true;
    else if (id < before)
        reader_refuse(reader, option, node, "the list %.200s is given twice", address);
}

/* Two directories may have the same base: each further one has a number in its identity.
 */
static void number_identity(struct reader *reader, struct list_source *source,
                            struct intern *identities)
{
    uint32_t id;
    for (int number = 2;; number++) {
        uint32_t before = intern_count(identities);
        struct text next = {0};
        if (intern_add(identities, source->identity, strlen(source->identity), &id) !=
            STATUS_OK) {
            reader->failed = true;
            return;
        }
        if (id == before)
            return;
        text_printf(&next, "%s\n%d", source->identity, number);
        free(source->identity);
        if (text_take(&next, STATUS_OK, &source->identity) != STATUS_OK) {
            source->identity = NULL;
            reader->failed = true;
            return;
        }
    }
}

/* names: addresses and identities so far; only the latter hold a newline. */
static void add_source(struct reader *reader, const struct option *option,
                       const struct node *node, struct intern *names)
{
    if (!reader_expect(reader, option, node, NODE_GROUP))
        return;
    struct settings *settings = reader->settings;
    struct list_source *source = &settings->lists[settings->list_count++];
    *source = (struct list_source){.line = node->line,
                                   .file = node->file,
                                   .max_growth = settings->max_growth,
                                   .growth_floor = settings->growth_floor};
    group_read(reader, &options_table, option->name, node, source);
    if (find_kind(reader, option, node, &source->kind))
        check_entry(reader, option, node, source);
    if (source->refresh_ms == 0)
        source->refresh_ms = sources_is_remote(source) ? REFRESH_REMOTE_MS : REFRESH_MS;
    if (source->address != NULL)
        check_address(reader, option, node, source->address, names);
    if (source->identity != NULL)
        number_identity(reader, source, names);
}

void sources_read(struct reader *reader, const struct option *option,
                  const struct node *node, void *field)
{
    struct settings *settings = field;
    struct intern *names = intern_new();
    settings->lists = reader_items(reader, option, node, NODE_LIST, SOURCES_MAX,
                                   "entries", sizeof *settings->lists);
    reader->failed = reader->failed || names == NULL;
    for (size_t i = 0; settings->lists != NULL && names != NULL && i < node->child_count;
         i++)
        add_source(reader, option, tree_child(&reader->tree, node, i), names);
    intern_free(names);
}
