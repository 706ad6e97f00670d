/* The facts of a message: what the MTA's side collected, seen through the directory. */
#ifndef POLICY_MESSAGE_H
#define POLICY_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"
#include "policy/address.h"
#include "policy/directory.h"
#include "policy/header.h"
#include "policy/policy.h"

struct envelope_recipient {
    const char *typed;    /* all arguments of RCPT: two that differ are two copies */
    const char *address;  /* {rcpt_addr}, else the first argument */
    const char *argument; /* the first argument, where the address has no domain */
    uint64_t mailboxes;   /* that a log says it was delivered to; else 0 */
};

/* A message as collected; all strings borrowed, NULL where the MTA said nothing. */
struct envelope {
    const char *client;          /* IP address as text, without brackets */
    bool local;                  /* of sendmail(1) */
    const char *login;           /* {auth_authen} */
    const char *sender;          /* {mail_addr}, else the first argument of MAIL */
    const char *sender_argument; /* that argument, where the sender has no domain */
    const struct envelope_recipient *recipients;
    size_t recipient_count;
    const struct header *headers; /* those that header_is_wanted */
    size_t header_count;
    const char *token;    /* the value of its X-Mailbrake-Notice */
    int hold_headers;     /* its X-Mailbrake fields */
    const char *queue_id; /* the MTA's */
    const char *failure;  /* why it could not be collected whole; NULL: it is whole */
};

/* One recipient as addressed. Strings are owned by the facts. */
struct recipient {
    char *address; /* canonical, with its tag */
    char *tagless; /* without its tag; NULL: it has none, or is not ours */
    char *meant;   /* whom that means: another person or list; NULL: the same */
    enum target_kind kind;
    uint32_t list; /* as in struct target */
    uint32_t person;
    uint64_t mailboxes; /* that it was delivered to, where a log says so; else 1 */
    uint64_t copies;    /* what the MTA delivers for all its spellings */
};

/* True when that is its canonical address, with its tag or without, or whom it means. */
bool recipient_is(const struct recipient *recipient, const char *address);

enum { SUBJECT_SIZE = ADDRESS_SIZE + 64, RECIPIENTS_MAX = 50000 };
enum { CONFIRM_IDENTITY_SIZE = SUBJECT_SIZE + ADDRESS_SIZE };

/* Borrows from envelope, policy and directory; cleared before they go. */
struct facts {
    struct address login;                 /* empty: none */
    struct address sender;                /* empty: <> */
    char client[NETWORK_CLIENT_KEY_SIZE]; /* key of the client: IPv6 as its /64; "local";
                                     "unknown" */
    uint8_t client_address[16];           /* as ip_address_parse gives it */
    bool has_client_address;
    bool trusted, relay; /* of the client */
    enum origin origin;
    char identity[SUBJECT_SIZE];
    struct recipient *recipients; /* distinct as addressed */
    size_t recipient_count;
    uint32_t *lists; /* addressed, and in those, ascending; directory's numbers */
    size_t list_count;
    bool unknown;             /* some recipient is an unknown list, or may be one */
    const struct list *grown; /* of lists, the one that has grown most; NULL: none has */
    bool guessed;             /* by facts_guess */
    int hold_headers;
    uint64_t copies;
    int64_t measures[MEASURE_COUNT]; /* by enum measure */
    bool reply, automatic;
    struct thread_links links;
    char thread[THREAD_SIZE]; /* as thread_name gives it; "": the message has none */
    char *campaign;           /* as campaign_make gives it; NULL: none. Never logged */
};

/* At most RECIPIENTS_MAX recipients. NOMEM, or LIMIT when there are more or an address
 * does not fit: then the configured action for doubt, and *out is empty. */
enum status facts_gather(const struct envelope *envelope, const struct policy *policy,
                         const struct directory *directory, struct facts *out) MUST_CHECK;
void facts_clear(struct facts *facts);

/* The Subject's normal form, without the identity (policy/campaign.h); "": the message
 * has none, or nothing that can be read in it. Within campaign. Never logged. */
const char *facts_topic(const struct facts *facts);

/* Who can let go what is held of this message, and whose answer does: its login; else the
 * own-domain sender of a trusted client, with the identity that others may share. False
 * when it proves neither; then nothing is written. */
bool confirm_identity(const struct facts *facts, const struct domains *own,
                      char out[CONFIRM_IDENTITY_SIZE]);

/* The facts of a message whose facts can't be gathered: identity, client and relay, as
 * far as they are known. The rest is empty; nothing to clear. */
void facts_guess(const struct envelope *envelope, const struct policy *policy,
                 struct facts *out);

#endif
