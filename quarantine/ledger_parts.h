/* The ledger's inside, for the files that share its work: ledger.c (reading, writing),
 * ledger_hold.c and ledger_count.c (stopping mail), ledger_move.c (what becomes of a
 * hold), ledger_restore.c, ledger_incident.c and ledger_upkeep.c. */
#ifndef QUARANTINE_LEDGER_PARTS_H
#define QUARANTINE_LEDGER_PARTS_H

#include <stdatomic.h>

#include "quarantine/ledger.h"
#include "quarantine/look.h"
#include "quarantine/parties.h"
#include "quarantine/pending_counts.h"
#include "quarantine/pending_holds.h"
#include "quarantine/record.h"

enum { LEDGER_HOST_MAX = 100 };

struct ledger {
    struct store *store;
    struct digest_key key;
    char host[LEDGER_HOST_MAX];
    struct pending_counts *counts;
    struct pending_holds *pending_holds;
    struct parties *parties;
    struct look *look;
    atomic_bool has_room;
    atomic_size_t held;  /* in the store, when last measured */
    atomic_size_t added; /* by this process since */
    atomic_size_t late;  /* as ledger_late has it */
    atomic_bool unrecorded;
    atomic_bool asks;
};

/* A document as it was read, and its record as it is to become. Zero-initialise. */
struct ledger_document {
    enum collection collection;
    char id[DOCUMENTS_ID_MAX + 1];
    char *text;     /* NULL: there is none */
    json_t *record; /* NULL: there is none, or it is damaged */
};

/* Reads one. OK without text when there is none. */
enum status ledger_read(struct ledger *ledger, enum collection collection, const char *id,
                        int64_t deadline_us, struct ledger_document *out) MUST_CHECK;

/* One that is there and sound; NOT_FOUND. */
enum status ledger_read_sound(struct ledger *ledger, enum collection collection,
                              const char *id, int64_t deadline_us,
                              struct ledger_document *out) MUST_CHECK;

/* The incident that has the key, perhaps lapsed by now; OK without text when there is
 * none. */
enum status ledger_read_open(struct ledger *ledger, enum collection collection,
                             const char *open_key, int64_t deadline_us,
                             struct ledger_document *out) MUST_CHECK;

/* One that is not there yet. record, which may be NULL without memory, is taken over. */
struct ledger_document ledger_new_document(enum collection collection, const char *id,
                                           json_t *record);
void ledger_document_clear(struct ledger_document *document);

/* Writes those documents that have a record, at one instant, if none of them has changed
 * since it was read; CONFLICT. A text without a record is left alone. */
enum status ledger_write(struct ledger *ledger,
                         const struct ledger_document *const *documents, size_t count,
                         int64_t deadline_us) MUST_CHECK;

/* The incident of a hold; as ledger_read. */
enum status ledger_read_incident_of(struct ledger *ledger, const json_t *hold,
                                    int64_t deadline_us,
                                    struct ledger_document *out) MUST_CHECK;

/* Changes a hold's state, and what its incident counts: how many of its holds are over,
 * and how many were released. What is held again waits again. incident NULL: it is gone,
 * or is not concerned. False without memory. */
bool ledger_change_state(json_t *hold, json_t *incident, const char *to);

/* Adds stop to the open incident where it belongs to that, else to a new one in *fresh,
 * which takes over the key from open. Writes the incident's id. NOMEM. */
enum status ledger_add_stop(struct ledger_document *open, const char *open_key,
                            const struct stop *stop, struct ledger_document *fresh,
                            char incident[DIGEST_ID_SIZE]) MUST_CHECK;

/* Gives the key to fresh, a new incident; open, if there is one, gives it up. NOMEM. */
enum status ledger_take_key(struct ledger_document *open, const char *open_key,
                            struct ledger_document *fresh) MUST_CHECK;

/* How many entries a term has, from that entry on; NULL: all. */
enum status ledger_count_entries(struct ledger *ledger, enum collection collection,
                                 const char *term, const char *from, int64_t deadline_us,
                                 size_t *out) MUST_CHECK;

/* Takes count off the holds that this process added; never below 0. */
void ledger_subtract(struct ledger *ledger, size_t count);

#endif
