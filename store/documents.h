/* Small documents in named collections, shared like the charges: texts (JSON, UTF-8) that
 * the store does not look into, but for their terms. Changes are optimistic: read, then
 * change if nobody else did. Unlike charges, documents have no local share while Redis is
 * away.
 *
 * In an indexed collection a document begins with a line of terms, separated by tabs. Its
 * entries "TERM ID" stand in the collection's index, in the order of their bytes, from
 * the instant at which the document is written. A term that begins with '=' belongs to
 * one document at a time. Ids there have no blanks, terms no byte below the blank. */
#ifndef STORE_DOCUMENTS_H
#define STORE_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "store/collection.h"

enum {
    DOCUMENTS_CHANGES_MAX = 256,
    DOCUMENTS_GET_MAX = 128,
    DOCUMENTS_ID_MAX = 256,                  /* bytes, at least 1 */
    DOCUMENTS_VALUE_MAX = 16 * 1024,         /* bytes, terms included */
    DOCUMENTS_TERMS_MAX = 8,                 /* of one document; more are passed over */
    DOCUMENTS_ENTRY_MAX = 512,               /* bytes; what is longer has no entry */
    DOCUMENTS_LISTED_MAX = 200000,           /* that somebody else put there are listed */
    DOCUMENTS_BYTES_MAX = 128 * 1024 * 1024, /* of a collection, in memory */
};

/* One document's part in a change. Borrowed. */
struct change {
    enum collection collection;
    const char *id;
    bool check;
    const char *expected; /* with check: what it is now; NULL: none */
    const char *value;    /* what it becomes; NULL: it is deleted */
};

struct store;

/* Is given documents one by one: in a list by their ids, in a scan by their entries. What
 * it returns ends the call unless it is OK, and is then the call's result. */
typedef enum status store_each(void *context, const char *id, const char *value);

/* All deadlines are monotonic, and the only bound of a call's time: timeout_ms does not
 * shorten them. All calls answer UNAVAILABLE while the store is away, at the deadline,
 * and when Redis holds something else where the documents should be; NOMEM too. */

/* Makes all changes at one instant if every check holds. CONFLICT when one does not, or
 * when another document has a term that begins with '='; LIMIT past a number
 * above or when a collection that grows would pass its own, INVALID when an id is empty
 * or a document is named twice: then nothing was changed. After UNAVAILABLE it may have
 * been. */
enum status store_change(struct store *store, const struct change *changes, size_t count,
                         int64_t deadline_us) MUST_CHECK;

/* A copy of one document, for free(3); NOT_FOUND. What is no document (too long, or no
 * text, since somebody else wrote it) is shown as a short text that isn't JSON, and may
 * be expected in a change. */
enum status store_get(struct store *store, enum collection collection, const char *id,
                      int64_t deadline_us, char **out_value) MUST_CHECK;

/* Calls each for those of the documents that there are, in the order of ids, of which
 * there are at most DOCUMENTS_GET_MAX (LIMIT). */
enum status store_get_many(struct store *store, enum collection collection,
                           const char *const *ids, size_t count, int64_t deadline_us,
                           store_each *each, void *context) MUST_CHECK;

/* Calls each for every document, in no order, an id never twice. Nothing is locked or
 * leased meanwhile: each may use the store. What changes during the call may be seen or
 * not. LIMIT past DOCUMENTS_LISTED_MAX. For small collections: store/scan.h is for
 * others.
 */
enum status store_list(struct store *store, enum collection collection,
                       int64_t deadline_us, store_each *each, void *context) MUST_CHECK;

/* While the shared store is away, a document can be put off: it stays in this process,
 * and in the state file, until it is written over whatever is there then. value NULL: it
 * is not put off any more; expected: only when it is still that, NULL: whatever it is.
 * The store itself writes nothing; who puts off sees to it. */
enum status store_put_off(struct store *store, enum collection collection, const char *id,
                          const char *expected, const char *value) MUST_CHECK;
bool store_is_put_off(struct store *store, enum collection collection, const char *id);

/* As store_list, of what was put off. */
enum status store_list_put_off(struct store *store, enum collection collection,
                               store_each *each, void *context) MUST_CHECK;

enum status store_count(struct store *store, enum collection collection,
                        int64_t deadline_us, size_t *out_count) MUST_CHECK;

#endif
