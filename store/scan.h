/* Scans of a collection's index (store/documents.h), page by page: however large it is, a
 * scan holds one page of it. */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include "store/documents.h"

enum {
    SCAN_PAGE_MAX = 500,          /* entries of a page with their documents */
    SCAN_PAGE_BYTES = 256 * 1024, /* of documents; a page ends once it has them */
    SCAN_BARE_MAX = 4000,         /* entries of a page without documents */
    SCAN_TEXT_SIZE = DOCUMENTS_ENTRY_MAX + 2,
};

/* Where a scan is. */
struct scan {
    enum collection collection;
    bool bare;                  /* entries alone; else with their documents */
    bool done;                  /* there are no more */
    char next[SCAN_TEXT_SIZE];  /* where it continues: an entry or its beginning */
    char until[SCAN_TEXT_SIZE]; /* it ends before this */
};

/* For the entries that begin with prefix; with until: from prefix to before until. */
void scan_set(struct scan *scan, enum collection collection, const char *prefix,
              const char *until);

/* The id of an entry's document. Borrowed from the entry. */
const char *scan_id(const char *entry);

/* The next page, in the order of the entries' bytes: calls each for every entry. value is
 * NULL in a bare scan; an entry whose document is gone is skipped. Nothing is locked
 * or leased meanwhile: each may use the store. The scan moves behind each entry for which
 * each returned OK, and stays where it is when the store does not answer. */
enum status scan_page(struct store *store, struct scan *scan, int64_t deadline_us,
                      store_each *each, void *context) MUST_CHECK;

/* Counts the entries from where the scan is. */
enum status scan_count(struct store *store, const struct scan *scan, int64_t deadline_us,
                       size_t *out_count) MUST_CHECK;

#endif
