/* Chained hash tables under one lock, with an index beside those that have one. A
 * document never changes: a new one takes its place. So readers count a reference under
 * the lock and read without it, and a snapshot is an array of references. */
#include "store/documents_memory.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/index.h"

enum { CHAINS = 8192 }; /* of each collection */

struct document {
    struct document *next; /* in its chain, under the lock */
    atomic_uint references;
    enum collection collection;
    size_t bytes;      /* of id and value */
    const char *value; /* in text, behind the id */
    char text[];       /* the id, NUL, the value, NUL */
};

struct size {
    size_t count, bytes;
};

struct table {
    struct document *chains[CHAINS];
    struct index index;
    struct size size;
};

struct documents_memory {
    pthread_mutex_t mutex;
    unsigned char key[crypto_shorthash_KEYBYTES]; /* nobody can aim for one chain */
    uint64_t changes;
    struct table tables[COLLECTIONS];
};

struct snapshot {
    struct document **documents;
    size_t count;
};

/* A document about to be stored, and its entries. */
struct arrival {
    struct document *document; /* NULL: what is there is deleted */
    struct index_entry *entries[DOCUMENTS_TERMS_MAX];
    size_t count;
};

struct documents_memory *documents_memory_new(void)
{
    struct documents_memory *documents = calloc(1, sizeof *documents);
    if (documents == NULL)
        return NULL;
    if (pthread_mutex_init(&documents->mutex, NULL) != 0) {
        free(documents);
        return NULL;
    }
    crypto_shorthash_keygen(documents->key);
    return documents;
}

static void free_documents(struct table *table)
{
    for (int i = 0; i < CHAINS && table->size.count > 0; i++)
        while (table->chains[i] != NULL) {
            struct document *document = table->chains[i];
            table->chains[i] = document->next;
            free(document);
        }
}

void documents_memory_free(struct documents_memory *documents)
{
    if (documents == NULL)
        return;
    for (int i = 0; i < COLLECTIONS; i++)
        free_documents(&documents->tables[i]);
    for (int i = 0; i < COLLECTIONS; i++)
        index_clear(&documents->tables[i].index);
    (void)pthread_mutex_destroy(&documents->mutex);
    free(documents);
}

static struct document *new_document(const struct change *change)
{
    size_t id_size = strlen(change->id) + 1;
    size_t value_size = strlen(change->value) + 1;
    struct document *document = malloc(sizeof *document + id_size + value_size);
    if (document == NULL)
        return NULL;
    document->next = NULL;
    atomic_init(&document->references, 1);
    document->collection = change->collection;
    document->bytes = id_size + value_size - 2;
    document->value = document->text + id_size;
    memcpy(document->text, change->id, id_size);
    memcpy(document->text + id_size, change->value, value_size);
    return document;
}

static void unref(struct document *document)
{
    if (document != NULL && atomic_fetch_sub(&document->references, 1) == 1)
        free(document);
}

/* Where the document hangs, or would: its link is then NULL. Under the lock. */
static struct document **find(struct documents_memory *documents,
                              enum collection collection, const char *id)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint32_t hash;
    (void)crypto_shorthash(out, (const unsigned char *)id, strlen(id), documents->key);
    memcpy(&hash, out, sizeof hash);
    struct document **link = &documents->tables[collection].chains[hash % CHAINS];
    while (*link != NULL && strcmp((*link)->text, id) != 0)
        link = &(*link)->next;
    return link;
}

static bool check_holds(const struct change *change, const struct document *document)
{
    if (!change->check)
        return true;
    if (change->expected == NULL || document == NULL)
        return change->expected == NULL && document == NULL;
    return strcmp(change->expected, document->value) == 0;
}

static void add_size(struct size *size, const struct document *document)
{
    if (document != NULL) {
        size->count++;
        size->bytes += document->bytes;
    }
}

static void subtract_size(struct size *size, const struct document *document)
{
    if (document != NULL) {
        size->count--;
        size->bytes -= document->bytes;
    }
}

/* ---- terms ---- */

/* The next term of the line at *at; false at its end. */
static bool next_term(const char **at, const char **out_term, size_t *out_length)
{
    const char *line = *at;
    size_t length = strcspn(line, "\t\n");
    if (line[length] == '\0') /* no line: the document has no terms */
        return false;
    *out_term = line;
    *out_length = length;
    *at = line + length + (line[length] == '\t');
    return length > 0;
}

static bool has_entry(const char *id, size_t length)
{
    return length + 1 + strlen(id) <= DOCUMENTS_ENTRY_MAX;
}

/* Whether the first line of a document's value has that term. */
static bool has_term(const struct document *document, const char *term, size_t length)
{
    const char *at = document->value;
    const char *other;
    size_t other_length;
    while (next_term(&at, &other, &other_length))
        if (other_length == length && memcmp(other, term, length) == 0)
            return true;
    return false;
}

static void clear_arrival(struct arrival *arrival)
{
    for (size_t i = 0; i < arrival->count; i++)
        index_entry_free(arrival->entries[i]);
    unref(arrival->document);
}

static bool is_repeated(const struct arrival *arrival, const char *term, size_t length)
{
    for (size_t i = 0; i < arrival->count; i++)
        if (strncmp(arrival->entries[i]->text, term, length) == 0 &&
            arrival->entries[i]->text[length] == ' ')
            return true;
    return false;
}

/* False without memory. */
static bool prepare(const struct change *change, struct arrival *out)
{
    const char *at, *term;
    size_t length;
    if (change->value == NULL)
        return true;
    out->document = new_document(change);
    if (out->document == NULL)
        return false;
    at = out->document->value;
    while (collection_is_indexed(change->collection) &&
           out->count < DOCUMENTS_TERMS_MAX && next_term(&at, &term, &length)) {
        if (!has_entry(change->id, length) || is_repeated(out, term, length))
            continue;
        out->entries[out->count] =
            index_entry_new(term, length, change->id, out->document);
        if (out->entries[out->count] == NULL)
            return false;
        out->count++;
    }
    return true;
}

/* Takes a document's entries out of its index. */
static void remove_entries(struct index *index, const struct document *document)
{
    char text[DOCUMENTS_ENTRY_MAX + 1];
    const char *term;
    const char *at = document->value;
    size_t length;
    while (next_term(&at, &term, &length)) {
        if (!has_entry(document->text, length))
            continue;
        (void)snprintf(text, sizeof text, "%.*s %s", (int)length, term, document->text);
        index_remove(index, text);
    }
}

/* The document that replaces this one in these changes; itself when none does. */
static const struct document *after(const struct change *changes, size_t count,
                                    const struct arrival *arrivals,
                                    const struct document *document)
{
    for (size_t i = 0; i < count; i++)
        if (changes[i].collection == document->collection &&
            strcmp(changes[i].id, document->text) == 0)
            return arrivals[i].document;
    return document;
}

/* True if another document would have the same term that begins with '='. */
static bool is_taken(struct documents_memory *documents, const struct change *changes,
                     size_t count, const struct arrival *arrivals, size_t which)
{
    for (size_t i = 0; i < arrivals[which].count; i++) {
        const char *text = arrivals[which].entries[i]->text;
        size_t length = (size_t)(strrchr(text, ' ') - text);
        char start[DOCUMENTS_ENTRY_MAX + 1];
        if (text[0] != '=')
            continue;
        (void)snprintf(start, sizeof start, "%.*s ", (int)length, text);
        const struct index_entry *entry =
            index_seek(&documents->tables[changes[which].collection].index, start);
        if (entry == NULL || strncmp(entry->text, start, length + 1) != 0)
            continue;
        const struct document *other = after(changes, count, arrivals, entry->owner);
        if (other != NULL && other != arrivals[which].document &&
            has_term(other, text, length))
            return true;
    }
    return false;
}

/* ---- changing ---- */

/* OK if the checks hold and the collections have room. arrivals is by change. */
static enum status examine(struct documents_memory *documents,
                           const struct change *changes, size_t count,
                           const struct arrival *arrivals)
{
    struct size sizes[COLLECTIONS];
    for (int i = 0; i < COLLECTIONS; i++)
        sizes[i] = documents->tables[i].size;
    for (size_t i = 0; i < count; i++) {
        enum collection collection = changes[i].collection;
        const struct document *old = *find(documents, collection, changes[i].id);
        if (!check_holds(&changes[i], old) ||
            is_taken(documents, changes, count, arrivals, i))
            return STATUS_CONFLICT;
        add_size(&sizes[collection], arrivals[i].document);
        subtract_size(&sizes[collection], old);
    }
    for (int i = 0; i < COLLECTIONS; i++) {
        bool grows = sizes[i].count > documents->tables[i].size.count;
        if ((grows && sizes[i].count > collection_max((enum collection)i)) ||
            sizes[i].bytes > DOCUMENTS_BYTES_MAX)
            return STATUS_LIMIT;
    }
    return STATUS_OK;
}

/* Replaces the old document, which is then in arrival. */
static void replace(struct documents_memory *documents, const struct change *change,
                    struct arrival *arrival)
{
    struct document *new = arrival->document;
    struct table *table = &documents->tables[change->collection];
    struct document **link = find(documents, change->collection, change->id);
    struct document *old = *link;
    struct document *rest = old == NULL ? NULL : old->next;
    if (old != NULL && collection_is_indexed(change->collection))
        remove_entries(&table->index, old);
    for (size_t i = 0; i < arrival->count; i++)
        index_add(&table->index, arrival->entries[i]);
    if (new != NULL)
        new->next = rest;
    add_size(&table->size, new);
    subtract_size(&table->size, old);
    *link = new != NULL ? new : rest;
    *arrival = (struct arrival){.document = old};
}

enum status documents_memory_change(struct documents_memory *documents,
                                    const struct change *changes, size_t count)
{
    enum status status = STATUS_OK;
    struct arrival *arrivals = calloc(count, sizeof *arrivals);
    if (arrivals == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = prepare(&changes[i], &arrivals[i]) ? STATUS_OK : STATUS_NOMEM;
    if (status == STATUS_OK) {
        (void)pthread_mutex_lock(&documents->mutex);
        status = examine(documents, changes, count, arrivals);
        for (size_t i = 0; i < count && status == STATUS_OK; i++)
            replace(documents, &changes[i], &arrivals[i]);
        if (status == STATUS_OK)
            documents->changes++;
        (void)pthread_mutex_unlock(&documents->mutex);
    }
    for (size_t i = 0; i < count; i++)
        clear_arrival(&arrivals[i]);
    free(arrivals);
    return status;
}

enum status documents_memory_get(struct documents_memory *documents,
                                 enum collection collection, const char *id,
                                 char **out_value)
{
    (void)pthread_mutex_lock(&documents->mutex);
    struct document *document = *find(documents, collection, id);
    if (document != NULL)
        atomic_fetch_add(&document->references, 1);
    (void)pthread_mutex_unlock(&documents->mutex);
    if (document == NULL)
        return STATUS_NOT_FOUND;
    char *value = strdup(document->value);
    unref(document);
    if (value == NULL)
        return STATUS_NOMEM;
    *out_value = value;
    return STATUS_OK;
}

/* Under the lock. */
static void refer_to(const struct table *table, struct snapshot *snapshot)
{
    for (int i = 0; i < CHAINS && table->size.count > 0; i++)
        for (struct document *at = table->chains[i]; at != NULL; at = at->next) {
            atomic_fetch_add(&at->references, 1);
            snapshot->documents[snapshot->count++] = at;
        }
}

/* References to what is in the collections first to last at one instant. */
static enum status take_snapshot(struct documents_memory *documents,
                                 enum collection first, enum collection last,
                                 struct snapshot *out)
{
    size_t count = 0;
    struct snapshot snapshot = {0};
    (void)pthread_mutex_lock(&documents->mutex);
    for (enum collection i = first; i <= last; i++)
        count += documents->tables[i].size.count;
    snapshot.documents = calloc(count + 1, sizeof(struct document *));
    for (enum collection i = first; i <= last && snapshot.documents != NULL; i++)
        refer_to(&documents->tables[i], &snapshot);
    (void)pthread_mutex_unlock(&documents->mutex);
    if (snapshot.documents == NULL)
        return STATUS_NOMEM;
    *out = snapshot;
    return STATUS_OK;
}

static void clear_snapshot(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->count; i++)
        unref(snapshot->documents[i]);
    free(snapshot->documents);
}

enum status documents_memory_list(struct documents_memory *documents,
                                  enum collection collection, store_each *each,
                                  void *context)
{
    struct snapshot snapshot;
    enum status status = take_snapshot(documents, collection, collection, &snapshot);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < snapshot.count && status == STATUS_OK; i++)
        status = each(context, snapshot.documents[i]->text, snapshot.documents[i]->value);
    clear_snapshot(&snapshot);
    return status;
}

/* ---- scans ---- */

/* A page as it was under the lock. */
struct page {
    struct document *documents[SCAN_PAGE_MAX];
    char (*entries)[DOCUMENTS_ENTRY_MAX + 1];
    size_t count, bytes;
};

/* Under the lock. True when it is the last page. */
static bool take_page(const struct index *index, const struct scan *scan,
                      struct page *page)
{
    const struct index_entry *entry = index_seek(index, scan->next);
    for (; entry != NULL && strcmp(entry->text, scan->until) < 0;
         entry = index_next(entry)) {
        struct document *document = entry->owner;
        if (page->count == SCAN_PAGE_MAX || page->bytes >= SCAN_PAGE_BYTES)
            return false;
        atomic_fetch_add(&document->references, 1);
        page->documents[page->count] = document;
        page->bytes += scan->bare ? 0 : document->bytes;
        (void)snprintf(page->entries[page->count++], sizeof page->entries[0], "%s",
                       entry->text);
    }
    return true;
}

enum status documents_memory_page(struct documents_memory *documents, struct scan *scan,
                                  store_each *each, void *context)
{
    enum status status = STATUS_OK;
    struct page page = {.entries = calloc(SCAN_PAGE_MAX, sizeof page.entries[0])};
    if (page.entries == NULL)
        return STATUS_NOMEM;
    (void)pthread_mutex_lock(&documents->mutex);
    scan->done = take_page(&documents->tables[scan->collection].index, scan, &page);
    (void)pthread_mutex_unlock(&documents->mutex);
    for (size_t i = 0; i < page.count; i++) {
        const char *value = scan->bare ? NULL : page.documents[i]->value;
        if (status == STATUS_OK)
            status = each(context, page.entries[i], value);
        unref(page.documents[i]);
    }
    if (page.count > 0)
        (void)snprintf(scan->next, sizeof scan->next, "%s\x01",
                       page.entries[page.count - 1]);
    free(page.entries);
    return status;
}

size_t documents_memory_count_entries(struct documents_memory *documents,
                                      const struct scan *scan)
{
    size_t count = 0;
    (void)pthread_mutex_lock(&documents->mutex);
    const struct index_entry *entry =
        index_seek(&documents->tables[scan->collection].index, scan->next);
    for (; entry != NULL && strcmp(entry->text, scan->until) < 0;
         entry = index_next(entry))
        count++;
    (void)pthread_mutex_unlock(&documents->mutex);
    return count;
}

size_t documents_memory_count(struct documents_memory *documents,
                              enum collection collection)
{
    (void)pthread_mutex_lock(&documents->mutex);
    size_t count = documents->tables[collection].size.count;
    (void)pthread_mutex_unlock(&documents->mutex);
    return count;
}

enum status documents_memory_export(struct documents_memory *documents,
                                    void (*each)(void *context,
                                                 enum collection collection,
                                                 const char *id, const char *value),
                                    void *context)
{
    struct snapshot snapshot;
    enum status status =
        take_snapshot(documents, COLLECTION_HOLDS, COLLECTION_OLD_HOLDS, &snapshot);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < snapshot.count; i++) {
        const struct document *document = snapshot.documents[i];
        each(context, document->collection, document->text, document->value);
    }
    clear_snapshot(&snapshot);
    return STATUS_OK;
}

uint64_t documents_memory_changes(struct documents_memory *documents)
{
    (void)pthread_mutex_lock(&documents->mutex);
    uint64_t changes = documents->changes;
    (void)pthread_mutex_unlock(&documents->mutex);
    return changes;
}
