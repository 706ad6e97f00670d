/* A refusal names the role that is missing, and the groups whose members have it. */
#include "control/access.h"

#include <microhttpd.h>

#include "base/text.h"

const char *access_role_name(enum role role)
{
    static const char *const names[] = {
        [ROLE_ADMIN] = "admin", [ROLE_LOOK] = "look",     [ROLE_DECIDE] = "decide",
        [ROLE_BRAKE] = "brake", [ROLE_PERMIT] = "permit", [ROLE_NONE] = "none"};
    return names[role];
}

/* control.group, and the groups of the role; all roles include look. */
static void add_groups(const struct settings *settings, enum role role, struct text *out)
{
    text_add_string(out, settings->control.group);
    for (unsigned i = 0; i < ROLE_COUNT; i++) {
        const struct names *groups = &settings->control.roles[i];
        for (size_t j = 0; j < groups->count && (role == ROLE_LOOK || i == role); j++)
            text_printf(out, " or %s", groups->items[j]);
    }
}

bool access_check(struct request *request, enum role role)
{
    struct text groups = {0};
    const struct peer *peer = &request->peer;
    const char *name = access_role_name(role);
    if (role == ROLE_NONE || (request->roles & 1U << role) != 0)
        return true;
    add_groups(request->settings, role, &groups);
    request_fail(request, MHD_HTTP_FORBIDDEN,
                 "uid %lld (%s) is not allowed: the role %s is missing; only root, "
                 "mailbraked's own user and members of group %s have it",
                 peer->uid == (uid_t)-1 ? -1LL : (long long)peer->uid,
                 peer->name[0] == '\0' ? "no name" : peer->name, name,
                 text_string(&groups));
    if (request->json != NULL)
        (void)json_object_set_new(request->json, "missing", json_string(name));
    text_clear(&groups);
    return false;
}
