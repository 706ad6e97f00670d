/* Documents in this process: what change.lua does, in hash tables of fixed width. */
#ifndef STORE_DOCUMENTS_MEMORY_H
#define STORE_DOCUMENTS_MEMORY_H

#include "store/scan.h"

struct documents_memory;

/* NULL without memory. Safe from many threads. */
struct documents_memory *documents_memory_new(void);
void documents_memory_free(struct documents_memory *documents); /* NULL is allowed */

/* These are as store/documents.h says; what reaches them was examined. */
enum status documents_memory_change(struct documents_memory *documents,
                                    const struct change *changes,
                                    size_t count) MUST_CHECK;
enum status documents_memory_get(struct documents_memory *documents,
                                 enum collection collection, const char *id,
                                 char **out_value) MUST_CHECK;
enum status documents_memory_list(struct documents_memory *documents,
                                  enum collection collection, store_each *each,
                                  void *context) MUST_CHECK;

/* As scan_page and scan_count. */
enum status documents_memory_page(struct documents_memory *documents, struct scan *scan,
                                  store_each *each, void *context) MUST_CHECK;
size_t documents_memory_count_entries(struct documents_memory *documents,
                                      const struct scan *scan);
size_t documents_memory_count(struct documents_memory *documents,
                              enum collection collection);

/* Calls each for every document of all collections as they were at one instant. NOMEM. */
enum status documents_memory_export(struct documents_memory *documents,
                                    void (*each)(void *context,
                                                 enum collection collection,
                                                 const char *id, const char *value),
                                    void *context) MUST_CHECK;

/* Grows with every change that was made. */
uint64_t documents_memory_changes(struct documents_memory *documents);

#endif
