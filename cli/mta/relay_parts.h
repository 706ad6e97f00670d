/* What the files that look at a relay share. */
#ifndef CLI_RELAY_PARTS_H
#define CLI_RELAY_PARTS_H

#include "cli/mta/postconf.h"
#include "cli/words.h"
#include "lists/snapshot.h"

struct relay {
    const struct settings *settings;
    const struct directory *directory;
    struct problems *problems;
    struct postconf *postconf;
    const char *file; /* of Sendmail, which has no postconf: what is being read */
    int line;
    bool *has_filter; /* some mail is given to a filter, which gives it back */
};

/* One parameter, as one service has it. */
struct relay_setting {
    const struct relay *relay;
    const struct postconf_service *service; /* NULL: all that have none of their own */
    const char *name;
    const char *value;
};

/* The parameter as the service, or else main.cf, has it. */
struct relay_setting relay_setting_of(const struct relay *relay,
                                      const struct postconf_service *service,
                                      const char *name);

/* RELAY_SURE: mail bypasses the brake, an error; RELAY_MAYBE: it may do so, a warning. */
enum relay_severity { RELAY_SURE, RELAY_MAYBE };

/* Reports it at the place where the service, or else main.cf, sets it. What main.cf sets
 * wrong for several services is reported once. */
void relay_say(const struct relay_setting *setting, enum relay_severity severity,
               const char *format, ...) PRINTF_LIKE(3, 4);

/* Reports an error in our own configuration. */
void relay_say_ours(const struct relay *relay, const char *format, ...) PRINTF_LIKE(2, 3);

/* Another parameter as the same service has it. */
const char *relay_beside(const struct relay_setting *setting, const char *name);

/* Findings in one parameter: the first that is wrong, and the first that may be. */
struct relay_findings {
    const struct relay_setting *setting;
    char key[300], value[300];
    uint64_t people;
    size_t count;
    char unclear[300];
};

void relay_find(struct relay_findings *findings, const char *key, const char *value,
                uint64_t people);
void relay_find_unclear(struct relay_findings *findings, const char *value);

/* The service of master.cf that is this transport ("local:", "filter:host") and runs the
 * command; NULL when there is none. */
const struct postconf_service *relay_find_transport(const struct relay *relay,
                                                    const char *transport,
                                                    const char *command);

/* True when one of a list's items is, or begins in braces with, the word. */
bool relay_has_word(const char *list, const char *word);

/* True when both paths lead to one file, or are the same text. */
bool relay_is_same_file(const char *a, const char *b);

/* The list that an address means, also one without a domain; NULL if it isn't one. */
const struct list *relay_find_list(const struct relay *relay, const char *address);

/* A warning when the text of a table is newer than the map that Postfix reads. */
void relay_check_age(const struct relay_setting *setting, const char *table);

/* True when what Postfix calls by this name is our socket. */
bool relay_is_our_milter(const struct relay *relay, bool chrooted, const char *milter);

/* The name of our socket to write into main.cf. */
void relay_our_milter(const struct relay *relay, char *out, size_t size);

/* Did Postfix name other milters when it was last looked at? A warning when they are
 * gone. */
void relay_check_seen(const struct relay *relay);

/* Is all mail shown to our milter, and to it last? */
void relay_check_milters(const struct relay *relay);

/* Judges of one parameter each. */
typedef void relay_judge(const struct relay_setting *setting);
relay_judge relay_judge_domains, relay_judge_aliases, relay_judge_virtual,
    relay_judge_rewriting, relay_judge_canonical, relay_judge_masquerade, relay_judge_bcc,
    relay_judge_always_bcc, relay_judge_luser, relay_judge_notices, relay_judge_forward,
    relay_judge_checks, relay_judge_restrictions, relay_judge_classes,
    relay_judge_transport, relay_judge_transport_maps, relay_judge_filter,
    relay_judge_macros, relay_judge_delimiter;

/* The Sendmail side of it. */
void relay_check_sendmail(struct relay *relay);

/* Our socket: there, and open to the user that Postfix's programs run as. */
void relay_check_socket(const struct relay *relay);

#endif
