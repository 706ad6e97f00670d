/* Whatever an LDAP server answers: a letter begins an entry and says how it was asked
 * for,
 * "=" an attribute, a blank a value, and "!" fails the first group. */
#include "entries.h"
#include "lists/ldap_flatten.h"
#include "lists/ldap_groups.h"

/* How many ranges the group has that was asked for another one: the last with any. */
static uint32_t ranges_of(const struct ldap_groups *groups)
{
    for (size_t i = groups->group_count; i > 0; i--) {
        if (groups->groups[i - 1].range_count > 0)
            return (uint32_t)groups->groups[i - 1].range_count;
    }
    return 0;
}

static enum status begin(struct ldap_groups *groups, const char *line, size_t length)
{
    static const char letters[] = "LRPFXNU";
    static const enum ldap_role roles[] = {
        LDAP_ROLE_LIST,     LDAP_ROLE_RANGE, LDAP_ROLE_PERSON, LDAP_ROLE_FOUND,
        LDAP_ROLE_EXCLUDED, LDAP_ROLE_NESTS, LDAP_ROLE_UNKNOWN};
    const char *letter =
        length == 0 ? NULL : memchr(letters, line[0], sizeof letters - 1);
    if (letter == NULL)
        return STATUS_OK;
    enum ldap_role role = roles[letter - letters];
    uint32_t ranges = ranges_of(groups);
    if ((role == LDAP_ROLE_RANGE && ranges == 0) ||
        (role == LDAP_ROLE_FOUND && groups->group_count == 0))
        return STATUS_OK;
    enum status status = ldap_groups_end(groups);
    ldap_groups_expect(groups, role, role == LDAP_ROLE_RANGE ? ranges - 1 : 0);
    return status == STATUS_OK ? ldap_groups_entry(groups, line + 1, length - 1) : status;
}

static enum status take(struct ldap_groups *groups, const char *line, size_t length,
                        bool *open)
{
    char name[64];
    if (length > 0 && line[0] == '!')
        return groups->group_count > 0 ? ldap_groups_fail(groups, 0, "so it is")
                                       : STATUS_OK;
    if (length > 0 && line[0] == ' ')
        return *open ? ldap_groups_value(groups, line + 1, length - 1) : STATUS_OK;
    if (length > 0 && line[0] == '=') {
        (void)snprintf(name, sizeof name, "%.*s", (int)(length - 1), line + 1);
        return *open ? ldap_groups_attribute(groups, name) : STATUS_OK;
    }
    enum status status = begin(groups, line, length);
    *open = groups->object_count > 0 && status == STATUS_OK;
    return status == STATUS_INVALID ? STATUS_OK : status; /* of no DN there is no entry */
}

static void flatten(struct ldap_groups *groups)
{
    struct entries entries = {0};
    struct problems problems = {0};
    struct ldap_counts counts;
    enum status status = ldap_flatten(groups, "fuzz", &entries, &problems, &counts);
    claim(status == STATUS_OK || status == STATUS_LIMIT);
    for (size_t i = 0; status == STATUS_OK && i < entries.count; i++)
        check_entry(&entries, i);
    entries_clear(&entries);
    problems_clear(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldap_settings settings = {
        .schema = size > 0 && data[0] == 'A' ? LDAP_SCHEMA_AD : LDAP_SCHEMA_OPENLDAP,
        .base = strdup("dc=x")};
    struct ldap_groups groups;
    const char *next = (const char *)data;
    const char *end = next + size;
    bool open = false;
    claim(ldap_settings_preset(&settings) == STATUS_OK);
    enum status status = ldap_groups_init(&groups, &settings);
    while (status == STATUS_OK && next < end) {
        const char *newline = memchr(next, '\n', (size_t)(end - next));
        const char *line = next;
        next = newline == NULL ? end : newline + 1;
        status = take(&groups, line, (size_t)((newline == NULL ? end : newline) - line),
                      &open);
    }
    if (status == STATUS_OK)
        status = ldap_groups_end(&groups);
    claim(status == STATUS_OK || status == STATUS_LIMIT);
    if (status == STATUS_OK)
        flatten(&groups);
    ldap_groups_clear(&groups);
    ldap_settings_clear(&settings);
    return 0;
}
