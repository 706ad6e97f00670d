/* One request of the browser's, from its first line to its answer. */
#ifndef CONSOLE_PAGE_REQUEST_H
#define CONSOLE_PAGE_REQUEST_H

#include <microhttpd.h>
#include <semaphore.h>

#include "base/text.h"
#include "console/server.h"

/* What all requests share. */
struct page_context {
    struct server_args args;
    /* How many more may wait for mailbraked: a page is shown beside long releases. */
    sem_t look_slots, change_slots;
};

struct page_request {
    struct page_context *context;
    struct MHD_Connection *connection;
    const char *method; /* borrowed */
    char *target;       /* as it came: the path and its parameters */
    struct text body;
};

/* target is copied; NULL without memory. */
struct page_request *page_request_new(struct page_context *context, const char *target);
void page_request_free(struct page_request *request);

/* Once its header fields are there: true when the body and page_request_finish are to
 * come. Else *out is the result of the answer that was queued. */
bool page_request_begin(struct page_request *request, enum MHD_Result *out);

/* Once its body is there: answers. */
enum MHD_Result page_request_finish(struct page_request *request);

#endif
