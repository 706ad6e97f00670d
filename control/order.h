/* An order to another relay on behalf of a request's person (store/orders.h). */
#ifndef CONTROL_ORDER_H
#define CONTROL_ORDER_H

#include "control/request.h"
#include "store/orders.h"

/* Sends it; takes body over. As orders_send. */
enum status order_send(const struct request *request, const char *host, const char *what,
                       const char *target, json_t *body, struct sent_order *out,
                       struct error *error) MUST_CHECK;

/* Waits for it. OK with what the relay answers, for json_decref; UNAVAILABLE when it does
 * not, or what it failed with. */
enum status order_await(const struct request *request, const struct sent_order *sent,
                        json_t **out, struct error *error) MUST_CHECK;

/* The failure behind an HTTP status of an answer. */
enum status order_status(json_int_t code);

#endif
