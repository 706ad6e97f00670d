/* The reason is shown to senders' administrators and in mail, so it is plain. */
#include "control/by_hand.h"

#include <microhttpd.h>
#include <string.h>

#include "policy/brake.h"

/* Without memory: 500. */
static bool take(struct request *request, char *copy, char **out)
{
    *out = copy;
    if (copy == NULL)
        request_answer(request, NULL);
    return copy != NULL;
}

bool by_hand_reason(struct request *request, char **out)
{
    const json_t *given = json_object_get(request->body, "reason");
    bool none = given == NULL || json_is_null(given);
    const char *reason = none ? "" : json_string_value(given);
    bool plain = reason != NULL && strlen(reason) <= BRAKE_REASON_MAX;
    for (const char *c = reason; plain && *c != '\0'; c++)
        plain = *c >= ' ' && *c <= '~';
    if (!plain) {
        request_fail(request, MHD_HTTP_BAD_REQUEST,
                     "\"reason\" is one line of printable ASCII, at most %d characters",
                     BRAKE_REASON_MAX);
        return false;
    }
    return take(request, strdup(reason), out);
}

bool by_hand_author(struct request *request, char **out)
{
    char user[REQUEST_USER_SIZE];
    request_user(request, user);
    return take(request, strdup(user), out);
}
