/* Small documents in named collections, shared like the charges: UTF-8 texts, of which
 * the store reads only the terms. Changes are optimistic: read, then change unless
 * somebody else did. Unlike charges, documents have no local share while Redis is away.
 *
 * A document of an indexed collection begins with a line of terms, separated by tabs. The
 * collection's index holds an entry "TERM ID" for each, in byte order, updated together
 * with the document. A term that begins with '=' belongs to one document at a time. Ids
 * there contain no blanks, terms no byte below the blank. */
#ifndef STORE_DOCUMENTS_H
#define STORE_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"
#include "store/collection.h"

enum {
    DOCUMENTS_CHANGES_MAX = 256,
    DOCUMENTS_GET_MAX = 128,
    DOCUMENTS_ID_MAX = 256,                  /* bytes, at least 1 */
    DOCUMENTS_VALUE_MAX = 16 * 1024,         /* bytes, terms included */
    DOCUMENTS_TERMS_MAX = 8,                 /* of one document; others are ignored */
    DOCUMENTS_ENTRY_MAX = 512,               /* bytes; a longer one is left out */
    DOCUMENTS_LISTED_MAX = 200000,           /* of a collection, whoever wrote them */
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

/* Called for one document after another: in a list with its id, in a scan with its entry.
 * Any status but OK ends the call and is its result. */
typedef enum status store_each(void *context, const char *id, const char *value);

/* Deadlines are monotonic, in us, and bound a call alone: timeout_ms does not shorten
 * them. Every call answers UNAVAILABLE while the store is away, at its deadline, and when
 * Redis holds something else where the documents should be; and NOMEM. */

/* Makes all changes at once if every check holds. CONFLICT when one does not, or another
 * document has a term that begins with '='; LIMIT past a number above, or when a
 * collection that grows would pass its own; INVALID when an id is empty or a document is
 * named twice: then nothing was changed. After UNAVAILABLE it may have been. */
enum status store_change(struct store *store, const struct change *changes, size_t count,
                         int64_t deadline_us) MUST_CHECK;

/* A copy of one document, for free(3); NOT_FOUND. Something too long or not text, which
 * others wrote, is shown as a short text that isn't JSON; a change may expect that. */
enum status store_get(struct store *store, enum collection collection, const char *id,
                      int64_t deadline_us, char **out_value) MUST_CHECK;

/* Calls each for those of the ids that exist, in their order; at most DOCUMENTS_GET_MAX
 * (LIMIT). */
enum status store_get_many(struct store *store, enum collection collection,
                           const char *const *ids, size_t count, int64_t deadline_us,
                           store_each *each, void *context) MUST_CHECK;

/* Calls each for every document once, in no order. Nothing is locked or leased meanwhile,
 * so each may use the store; changes made during the call may be missed. LIMIT past
 * DOCUMENTS_LISTED_MAX. For small collections; store/scan.h is for others. */
enum status store_list(struct store *store, enum collection collection,
                       int64_t deadline_us, store_each *each, void *context) MUST_CHECK;

/* While the shared store is away, a document can be put off: it is kept in this process
 * and in the state file until its owner writes it over whatever the store then holds; the
 * store itself does not. value NULL forgets it; expected: only if it is still that, NULL:
 * in any case. */
enum status store_put_off(struct store *store, enum collection collection, const char *id,
                          const char *expected, const char *value) MUST_CHECK;
bool store_is_put_off(struct store *store, enum collection collection, const char *id);

/* As store_list, for what was put off. */
enum status store_list_put_off(struct store *store, enum collection collection,
                               store_each *each, void *context) MUST_CHECK;

/* A text that differs after each change of what administrators see (collection_is_shown),
 * whichever relay made it; "" before the first. */
enum status store_stamp(struct store *store, int64_t deadline_us,
                        char out[DIGEST_ID_SIZE]) MUST_CHECK;

enum status store_count(struct store *store, enum collection collection,
                        int64_t deadline_us, size_t *out_count) MUST_CHECK;

#endif
