/* What the schemas preset: Active Directory, and what OpenLDAP's own schema files call
 * groups. */
#include "conf/ldap_settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum status strings_add(struct strings *strings, const char *string)
{
    char *copy = strdup(string);
    if (copy == NULL ||
        !array_reserve(&strings->items, strings->count, sizeof *strings->items)) {
        free(copy);
        return STATUS_NOMEM;
    }
    strings->items[strings->count++] = copy;
    return STATUS_OK;
}

void strings_first(struct strings *strings)
{
    char *first = strings->items[strings->count - 1];
    strings->items[strings->count - 1] = strings->items[0];
    strings->items[0] = first;
}

bool strings_has(const struct strings *strings, const char *string)
{
    for (size_t i = 0; i < strings->count; i++) {
        if (strcasecmp(strings->items[i], string) == 0)
            return true;
    }
    return false;
}

void strings_clear(struct strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct strings){0};
}

static const struct preset {
    const char *filter, *people;
    const char *addresses[3], *members[5], *member_address;
} presets[] = {
    [LDAP_SCHEMA_OPENLDAP] = {.filter = "(|(objectClass=groupOfNames)"
                                        "(objectClass=groupOfUniqueNames)"
                                        "(objectClass=posixGroup)"
                                        "(objectClass=groupOfURLs))",
                              .people = "(|(mail=*)(uid=*)(objectClass=person))",
                              .addresses = {"mail"},
                              .members = {"member", "uniqueMember", "memberUid",
                                          "memberURL"},
                              .member_address = "mail"},
    [LDAP_SCHEMA_AD] = {.filter = "(objectClass=group)",
                        .people = "(|(objectClass=person)(mail=*)(primaryGroupID=*))",
                        .addresses = {"mail", "proxyAddresses"},
                        .members = {"member"},
                        .member_address = "mail"},
};

static bool fill(struct strings *strings, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strings_add(strings, words[i]) != STATUS_OK)
            return false;
    }
    return true;
}

static bool set(char **field, const char *text)
{
    if (*field != NULL && **field != '\0')
        return true;
    free(*field);
    *field = strdup(text);
    return *field != NULL;
}

enum status ldap_settings_preset(struct ldap_settings *settings)
{
    const struct preset *preset = &presets[settings->schema];
    const char *const address[] = {preset->member_address, NULL};
    bool done =
        set(&settings->filter, preset->filter) &&
        set(&settings->people, preset->people) &&
        set(&settings->people_base, settings->base == NULL ? "" : settings->base) &&
        (settings->address_attributes.count > 0 ||
         fill(&settings->address_attributes, preset->addresses)) &&
        (settings->member_attributes.count > 0 ||
         fill(&settings->member_attributes, preset->members)) &&
        (settings->member_address_attributes.count > 0 ||
         fill(&settings->member_address_attributes, address));
    return done ? STATUS_OK : STATUS_NOMEM;
}

void ldap_settings_clear(struct ldap_settings *settings)
{
    strings_clear(&settings->servers);
    strings_clear(&settings->address_attributes);
    strings_clear(&settings->member_attributes);
    strings_clear(&settings->member_address_attributes);
    if (settings->password != NULL)
        explicit_bzero(settings->password, strlen(settings->password));
    char *const owned[] = {settings->base,       settings->people_base,
                           settings->filter,     settings->people,
                           settings->people_not, settings->bind_dn,
                           settings->password,   settings->ca_file,
                           settings->cert_file,  settings->cert_key_file};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    *settings = (struct ldap_settings){0};
}
