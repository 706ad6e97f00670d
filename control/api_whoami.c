/* GET /v1/whoami: the peer and its roles, also when it has none. */
#include "control/access.h"
#include "control/api.h"
#include "engine/json_output.h"

void api_whoami_show(struct request *request)
{
    static const enum role shown[] = {ROLE_LOOK, ROLE_DECIDE, ROLE_BRAKE, ROLE_PERMIT,
                                      ROLE_ADMIN};
    char user[REQUEST_USER_SIZE];
    json_t *roles = json_array();
    request_user(request, user);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        if ((request->roles & 1U << shown[i]) != 0)
            (void)json_array_append_new(roles, json_string(access_role_name(shown[i])));
    }
    request_answer(request,
                   json_pack("{s:o, s:I, s:o}", "user", json_output_string(user), "uid",
                             (json_int_t)request->peer.uid, "roles", roles));
}
