/* What is asked of another relay, as obey.c reads it, and what comes back. */
#include "control/order.h"

#include <stdlib.h>

#include "base/clock.h"
#include "quarantine/record.h"

enum { SEND_MS = 5000 };

/* The text of an order; takes body over. For free(3); NULL without memory. */
static char *write_order(const struct request *request, const char *what,
                         const char *target, json_t *body)
{
    json_t *order =
        json_pack("{s:s, s:s, s:I, s:o, s:s, s:o, s:s, s:o}", "do", what, "from",
                  request->context->host, "uid", (json_int_t)request->peer.uid, "user",
                  record_string(request->peer.name), "via",
                  request->via == NULL ? "" : request->via, "purpose",
                  record_string(request->purpose), "target", target, "body", body);
    char *text =
        order == NULL ? NULL : json_dumps(order, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(order);
    return text;
}

enum status order_send(const struct request *request, const char *host, const char *what,
                       const char *target, json_t *body, struct sent_order *out,
                       struct error *error)
{
    char *text = write_order(request, what, target, body);
    enum status status = text == NULL
                             ? error_set(error, STATUS_NOMEM, "out of memory")
                             : orders_send(request->context->orders, host, text,
                                           clock_deadline_us(SEND_MS), out, error);
    free(text);
    return status;
}

enum status order_status(json_int_t code)
{
    return code == 200   ? STATUS_OK
           : code == 400 ? STATUS_INVALID
           : code == 404 ? STATUS_NOT_FOUND
           : code == 409 ? STATUS_CONFLICT
           : code == 503 ? STATUS_UNAVAILABLE
                         : STATUS_IO;
}

enum status order_await(const struct request *request, const struct sent_order *sent,
                        json_t **out, struct error *error)
{
    char *text = NULL;
    enum status status = orders_await(request->context->orders, sent, &text, error);
    if (status != STATUS_OK) /* a conflict is one about a message */
        return status == STATUS_NOMEM ? status : STATUS_UNAVAILABLE;
    json_t *json = json_loads(text, 0, NULL);
    json_t *answer = json_object_get(json, "answer");
    status = order_status(json_integer_value(json_object_get(json, "code")));
    free(text);
    if (!json_is_object(answer))
        status = error_set(error, STATUS_IO, "%s: its answer is damaged", sent->host);
    else if (status != STATUS_OK)
        (void)error_set(error, status, "%s", record_text(answer, "error"));
    else
        *out = json_incref(answer);
    json_decref(json);
    return status;
}
