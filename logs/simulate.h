/* Old mail logs, judged message by message by the rules of now, on the log's clock. */
#ifndef LOGS_SIMULATE_H
#define LOGS_SIMULATE_H

#include <jansson.h>

#include "logs/log_rules.h"
#include "logs/stopped_keys.h"
#include "replay/mail_log.h"
#include "replay/report.h"

/* Borrows from what it was made from, and points into itself. */
struct simulation {
    struct log_rules rules;
    struct scenario scenario; /* of the report: only its title and start */
    struct report report;
    struct stopped_keys stopped;
    struct mail_log_statistics log;
    int64_t partial; /* messages of which the log does not name all recipients */
};

/* reading: but for each and context, which progress gets, too. title is that of the
 * report, borrowed. Errors as of mail_log_read; *out is empty then. */
enum status simulate_run(const struct mail_log_reading *reading, const char *title,
                         const struct snapshot *snapshot, struct simulation *out,
                         struct error *error) MUST_CHECK;
void simulate_clear(struct simulation *simulation);

/* On stdout, at most 100 wide. configuration: its path. hash: keys are shown hashed by
 * it; NULL: as they are. False without memory. */
bool simulate_print(const struct simulation *simulation, const char *configuration,
                    const struct digest_key *hash);

/* One document, see mailbrake(1); NULL without memory. */
json_t *simulate_json(const struct simulation *simulation, const char *configuration,
                      const struct digest_key *hash);

#endif
