/* Two tables, hashed, each with its entries in the order of their last use. A link stands
 * there as its keyed digest, since strangers choose links. */
#include "store/conversations.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

enum { NEWEST = 0, OLDEST = 1 };

#define NONE UINT32_MAX /* no entry */

struct link_hash {
    uint8_t bytes[DIGEST_BYTES];
};

struct link_entry {
    struct link_hash link;
    char *thread;
    uint32_t next;         /* of its bucket */
    uint32_t neighbour[2]; /* towards the newest, towards the oldest */
};

struct link_table {
    struct link_entry *entries;
    uint32_t *buckets; /* first entries; as many as there may be entries */
    uint32_t count, max;
    uint32_t ends[2]; /* the newest, the oldest */
};

struct conversations {
    pthread_mutex_t mutex; /* of the tables */
    struct digest_key key;
    struct link_table believed, strange;
};

/* ---- a table ---- */

static bool link_table_init(struct link_table *table, size_t max)
{
    table->max = (uint32_t)max;
    table->entries = calloc(max, sizeof *table->entries);
    table->buckets = malloc(max * sizeof *table->buckets);
    table->ends[NEWEST] = table->ends[OLDEST] = NONE;
    if (table->entries == NULL || table->buckets == NULL)
        return false;
    memset(table->buckets, 0xff, max * sizeof *table->buckets); /* NONE */
    return true;
}

static void link_table_clear(struct link_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        free(table->entries[i].thread);
    free(table->entries);
    free(table->buckets);
}

static uint32_t *bucket_of(struct link_table *table, const struct link_hash *link)
{
    uint32_t part;
    memcpy(&part, link, sizeof part);
    return &table->buckets[part % table->max];
}

static uint32_t link_table_find(struct link_table *table, const struct link_hash *link)
{
    uint32_t at = *bucket_of(table, link);
    while (at != NONE && memcmp(&table->entries[at].link, link, sizeof *link) != 0)
        at = table->entries[at].next;
    return at;
}

static void take_out(struct link_table *table, uint32_t at)
{
    struct link_entry *entry = &table->entries[at];
    for (int side = NEWEST; side <= OLDEST; side++) {
        uint32_t beside = entry->neighbour[side];
        if (beside == NONE)
            table->ends[side] = entry->neighbour[!side];
        else
            table->entries[beside].neighbour[!side] = entry->neighbour[!side];
    }
}

static void put_first(struct link_table *table, uint32_t at)
{
    uint32_t before = table->ends[NEWEST];
    table->entries[at].neighbour[NEWEST] = NONE;
    table->entries[at].neighbour[OLDEST] = before;
    table->ends[NEWEST] = at;
    if (before == NONE)
        table->ends[OLDEST] = at;
    else
        table->entries[before].neighbour[NEWEST] = at;
}

/* A free entry: a new one, else the one that was not used for longest. */
static uint32_t take_entry(struct link_table *table)
{
    if (table->count < table->max)
        return table->count++;
    uint32_t at = table->ends[OLDEST];
    struct link_entry *entry = &table->entries[at];
    uint32_t *from = bucket_of(table, &entry->link);
    while (*from != at)
        from = &table->entries[*from].next;
    *from = entry->next;
    take_out(table, at);
    free(entry->thread);
    return at;
}

/* Without memory it is not remembered. */
static void link_table_add(struct link_table *table, const struct link_hash *link,
                           const char *thread)
{
    char *copy = strdup(thread);
    if (copy == NULL)
        return;
    uint32_t at = take_entry(table);
    struct link_entry *entry = &table->entries[at];
    uint32_t *bucket = bucket_of(table, link);
    entry->link = *link;
    entry->thread = copy;
    entry->next = *bucket;
    *bucket = at;
    put_first(table, at);
}

/* The thread of a link; NULL: it is not known. Borrowed while the mutex is held. */
static const char *link_table_thread(struct link_table *table,
                                     const struct link_hash *link)
{
    uint32_t at = link_table_find(table, link);
    if (at == NONE)
        return NULL;
    take_out(table, at);
    put_first(table, at);
    return table->entries[at].thread;
}

/* ---- conversations ---- */

struct conversations *conversations_new(size_t max)
{
    struct conversations *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    digest_key_random(&made->key);
    if (pthread_mutex_init(&made->mutex, NULL) != 0) {
        free(made);
        return NULL;
    }
    bool whole = link_table_init(&made->believed, max);
    if (link_table_init(&made->strange, max) && whole)
        return made;
    conversations_free(made);
    return NULL;
}

void conversations_free(struct conversations *conversations)
{
    if (conversations == NULL)
        return;
    link_table_clear(&conversations->believed);
    link_table_clear(&conversations->strange);
    (void)pthread_mutex_destroy(&conversations->mutex);
    free(conversations);
}

static bool digest(const struct conversations *conversations, const char *link,
                   struct link_hash *out)
{
    if (link[0] == '\0')
        return false;
    digest_quick(&conversations->key, link, strlen(link), out->bytes);
    return true;
}

static bool is_believed(const struct facts *facts)
{
    return facts->login.length > 0 || facts->trusted || facts->origin == ORIGIN_LOCAL;
}

void conversations_join(struct conversations *conversations, struct facts *facts)
{
    const struct thread_links *links = &facts->links;
    struct link_hash link;
    struct link_hash index;
    if (conversations == NULL)
        return;
    bool refers = links->first[0] != '\0';
    bool linked = digest(conversations, refers ? links->first : links->parent, &link);
    bool indexed = !refers && digest(conversations, links->index, &index);
    if (!linked && !indexed)
        return;
    const char *thread = NULL;
    (void)pthread_mutex_lock(&conversations->mutex);
    if (linked)
        thread = link_table_thread(&conversations->believed, &link);
    if (thread == NULL && linked && !refers)
        thread = link_table_thread(&conversations->strange, &link);
    if (thread == NULL && indexed)
        thread = link_table_thread(&conversations->believed, &index);
    if (thread != NULL)
        memcpy(facts->thread, thread, strlen(thread) + 1);
    (void)pthread_mutex_unlock(&conversations->mutex);
}

void conversations_note(struct conversations *conversations, const struct facts *facts)
{
    const struct thread_links *links = &facts->links;
    struct link_hash own;
    struct link_hash index;
    if (conversations == NULL)
        return;
    bool believed = is_believed(facts);
    bool owned = digest(conversations, links->own, &own);
    bool indexed = believed && digest(conversations, links->index, &index);
    /* Who answers a thread's first message names its id, in References. */
    bool begins =
        owned && links->first[0] == '\0' && links->parent[0] == '\0' && !facts->reply;
    const char *thread = begins ? links->own : facts->thread;
    struct link_table *table =
        believed ? &conversations->believed : &conversations->strange;
    (void)pthread_mutex_lock(&conversations->mutex);
    if (owned && link_table_find(table, &own) == NONE)
        link_table_add(table, &own, thread);
    if (indexed && link_table_find(table, &index) == NONE)
        link_table_add(table, &index, thread);
    (void)pthread_mutex_unlock(&conversations->mutex);
}
