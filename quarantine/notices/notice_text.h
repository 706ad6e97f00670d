/* The text of notices, to administrators and to senders. */
#ifndef QUARANTINE_NOTICE_TEXT_H
#define QUARANTINE_NOTICE_TEXT_H

#include <jansson.h>

#include "base/text.h"
#include "conf/settings.h"
#include "lists/jumps.h"

/* All borrowed. */
struct notice_facts {
    const json_t *incident; /* as the ledger keeps it, times in ms */
    const struct settings *settings;
    const char *host;     /* this relay's name */
    const char *answered; /* a sender who has answered, so that he is not asked any more;
                             NULL: none */
};

/* Who and how many, in one line of printable ASCII. */
void notice_subject(const struct notice_facts *facts, struct text *out);

/* Who, what, how many people, since when, how much went out before, the limit, on which
 * relay, what happens if nobody acts, and the commands that apply. */
void notice_body(const struct notice_facts *facts, struct text *out);

/* Of lists that jumped: which, by how much, what happens to their mail, and the commands
 * that accept it. */
void notice_jumps_subject(const struct list_jumps *jumps, struct text *out);
void notice_jumps_body(const struct list_jumps *jumps, const struct settings *settings,
                       const char *host, struct text *out);

/* Local time with its zone, since the reader may be in another. */
void notice_add_time(struct text *out, int64_t wall_ms);

/* To a sender of held mail: sender_record is the incident's record of him, which says
 * nothing about the others'. */
void notice_sender_body(const struct notice_facts *facts, const json_t *sender_record,
                        struct text *out);

/* To a sender who lets go what is held of his by answering. */
void notice_confirm_subject(const struct notice_facts *facts, const json_t *sender_record,
                            struct text *out);
void notice_confirm_body(const struct notice_facts *facts, const json_t *sender_record,
                         struct text *out);

/* Of an answer that did not let go everything: to the sender, and to administrators. */
struct notices_answer;
void notice_answer_sender(const struct notice_facts *facts,
                          const struct notices_answer *answer, struct text *out_subject,
                          struct text *out_body);
void notice_answer(const struct notice_facts *facts, const struct notices_answer *answer,
                   struct text *out_subject, struct text *out_body);

#endif
