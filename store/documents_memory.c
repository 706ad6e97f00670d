/* Chained hash tables under one lock. A document never changes: a new one takes its
 * place. So readers count a reference under the lock and read without it, and a snapshot
 * is an array of references. */
#include "store/documents_memory.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

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

/* Whether the checks hold and the collections would have room. new is by change. */
static enum status examine(struct documents_memory *documents,
                           const struct change *changes, size_t count,
                           struct document *const *new)
{
    struct size sizes[COLLECTIONS];
    for (int i = 0; i < COLLECTIONS; i++)
        sizes[i] = documents->tables[i].size;
    for (size_t i = 0; i < count; i++) {
        enum collection collection = changes[i].collection;
        const struct document *old = *find(documents, collection, changes[i].id);
        if (!check_holds(&changes[i], old))
            return STATUS_CONFLICT;
        add_size(&sizes[collection], new[i]);
        subtract_size(&sizes[collection], old);
    }
    for (int i = 0; i < COLLECTIONS; i++)
        if (sizes[i].count > DOCUMENTS_MAX || sizes[i].bytes > DOCUMENTS_BYTES_MAX)
            return STATUS_LIMIT;
    return STATUS_OK;
}

/* Puts new in the place of what is there, which is returned. Either may be NULL. */
static struct document *replace(struct documents_memory *documents,
                                const struct change *change, struct document *new)
{
    struct table *table = &documents->tables[change->collection];
    struct document **link = find(documents, change->collection, change->id);
    struct document *old = *link;
    struct document *rest = old == NULL ? NULL : old->next;
    if (new != NULL)
        new->next = rest;
    add_size(&table->size, new);
    subtract_size(&table->size, old);
    *link = new != NULL ? new : rest;
    return old;
}

enum status documents_memory_change(struct documents_memory *documents,
                                    const struct change *changes, size_t count)
{
    /* New documents; after the changes are made, those that they replaced. */
    struct document *others[DOCUMENTS_CHANGES_MAX] = {NULL};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (changes[i].value != NULL)
            others[i] = new_document(&changes[i]);
        if (changes[i].value != NULL && others[i] == NULL)
            status = STATUS_NOMEM;
    }
    if (status == STATUS_OK) {
        (void)pthread_mutex_lock(&documents->mutex);
        status = examine(documents, changes, count, others);
        for (size_t i = 0; i < count && status == STATUS_OK; i++)
            others[i] = replace(documents, &changes[i], others[i]);
        if (status == STATUS_OK)
            documents->changes++;
        (void)pthread_mutex_unlock(&documents->mutex);
    }
    for (size_t i = 0; i < count; i++)
        unref(others[i]);
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

enum status documents_memory_list(
    struct documents_memory *documents, enum collection collection,
    enum status (*each)(void *context, const char *id, const char *value), void *context)
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
        take_snapshot(documents, COLLECTION_HOLDS, COLLECTION_META, &snapshot);
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
