/* What is known of one message in the queue. */
#ifndef HELPER_MTA_MESSAGE_H
#define HELPER_MTA_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/text.h"

enum {
    MTA_SENDER_SIZE = 1024, /* a longer one is cut, and then matches no address */
    MTA_LOGIN_SIZE = 512,
    MTA_CLIENT_SIZE = 64,
    MTA_HOLD_HEADERS_MAX = 20,       /* X-Mailbrake fields kept; all are counted */
    MTA_HOLD_HEADER_BYTES = 1000,    /* kept of each */
    MTA_LIST_MAX = 64 * 1024 * 1024, /* bytes */
};

/* Zero-initialise; clear when done. */
struct mta_message {
    char queue[16]; /* the MTA's name of the queue it lies in */
    char place[24]; /* Postfix: its folder below the queue's */
    bool held;
    char sender[MTA_SENDER_SIZE]; /* "" for <> */
    char login[MTA_LOGIN_SIZE];   /* who logged in; "": nobody, or it is not known */
    char client[MTA_CLIENT_SIZE]; /* IP address; "": not known */
    bool local;                   /* it came by sendmail(1) */
    json_int_t arrived_s;         /* since 1970 */
    json_int_t size_bytes;        /* only in lists, as recipients */
    json_int_t recipients;
    bool wants_addresses;  /* set by who wants them: */
    struct text addresses; /* whom it is still to be delivered to, one a line */
    bool old;              /* released, the MTA will expand its recipients once more */
    int hold_header_count;
    struct text hold_headers; /* their values, unfolded and printable, one a line */
    bool in_header;
};

/* The next line of the message's header, without its end. */
void mta_message_add_header(struct mta_message *message, const char *line);

/* Whether one of its headers says id=HOLD_ID. */
bool mta_message_bears(const struct mta_message *message, const char *hold_id);

/* Adds what is known of whom it came from, as JSON on one line: see envelope in
 * mailbrake-mta(8). */
void mta_message_envelope(const struct mta_message *message, struct text *out);

/* One more recipient, as the queue's file has it; ignored unless it is wanted. */
void mta_message_add_address(struct mta_message *message, const char *address);

/* Adds its addresses, and whether it is old, as JSON on one line: see recipients in
 * mailbrake-mta(8). */
void mta_message_addresses(const struct mta_message *message, struct text *out);

/* Adds it to a list, as a line of JSON: see list in mailbrake-mta(8). The list has failed
 * when it is longer than MTA_LIST_MAX. */
void mta_message_list(const struct mta_message *message, const char *queue_id,
                      struct text *list);

void mta_message_clear(struct mta_message *message);

#endif
