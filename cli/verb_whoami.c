/* mailbrake whoami: as whom mailbraked sees this user, and what it may do. */
#include "base/text.h"
#include "cli/control_client.h"
#include "cli/page.h"
#include "cli/verbs.h"

static void print_whoami(const json_t *answer)
{
    size_t i;
    const json_t *role;
    struct text roles = {0};
    json_array_foreach(json_object_get(answer, "roles"), i, role)
        text_printf(&roles, "%s%s", i == 0 ? "" : ", ", json_string_value(role));
    page_field("user", page_text(answer, "user"));
    page_field("roles", roles.length > 0 ? text_string(&roles) : "none (control.roles)");
    text_clear(&roles);
}

int verb_whoami(int argc, char **argv)
{
    static const struct control_action action = {
        .method = "GET", .path = "/v1/whoami", .show = print_whoami};
    static const struct control_verb verb = {"usage: mailbrake whoami\n", &action, 1};
    return control_client_run(&verb, argc, argv);
}
