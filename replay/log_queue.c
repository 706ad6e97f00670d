/* Three lists, each in the order of time: messages that a client is still sending, those
 * that were judged, and those that the MTA made itself, some of which turn out to belong
 * to another one. What none of them tells any more of is forgotten after a while. */
#include "replay/log_queue.h"

#include <stdlib.h>

#include "base/digest.h"
#include "base/intern.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };
enum { INTERNAL_MS = 10 * MINUTE_MS }; /* local(8) tells at once what it forwarded */
enum { FIRST_BUCKETS = 4096, QUEUE_BYTES = 48 << 20, STEPS_BACK = 1000 };
enum { HOSTS_MAX = 4096, DEPTH_MAX = 100 };

struct log_list {
    struct log_entry *first, *last;
    int64_t patience_ms; /* for how long an entry that says nothing new may stay */
};

struct log_queue {
    const struct mail_log_reading *reading;
    struct digest_key key;
    struct intern *hosts;
    struct log_entry **buckets;
    size_t bucket_count, entry_count, bytes;
    struct log_list arriving, judged, internal;
    int64_t now_ms;
    uint64_t handed_over, late;
    int64_t last_ms;                       /* of what was handed over */
    struct mail_log_recipient *recipients; /* of the message that is handed over */
    size_t recipient_room;
};

struct log_queue *log_queue_new(const struct mail_log_reading *reading)
{
    struct log_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return NULL;
    queue->reading = reading;
    queue->arriving.patience_ms = DAY_MS;
    queue->judged.patience_ms = HOUR_MS;
    queue->internal.patience_ms = INTERNAL_MS;
    queue->hosts = intern_new();
    queue->bucket_count = FIRST_BUCKETS;
    queue->buckets = calloc(FIRST_BUCKETS, sizeof(struct log_entry *));
    digest_key_random(&queue->key);
    if (queue->hosts == NULL || queue->buckets == NULL) {
        log_queue_free(queue);
        return NULL;
    }
    return queue;
}

/* Lists. */

static void unlink_entry(struct log_entry *entry)
{
    struct log_list *list = entry->list;
    if (list == NULL)
        return;
    *(entry->before != NULL ? &entry->before->after : &list->first) = entry->after;
    *(entry->after != NULL ? &entry->after->before : &list->last) = entry->before;
    entry->before = entry->after = NULL;
    entry->list = NULL;
}

/* By its time, which is mostly at the end; where the log goes back over many messages,
 * its time becomes that of the one before it. */
static void link_entry(struct log_list *list, struct log_entry *entry)
{
    struct log_entry *before;
    unlink_entry(entry);
    before = list->last;
    for (int i = 0; before != NULL && before->at_ms > entry->at_ms; i++) {
        if (i == STEPS_BACK) {
            entry->late = entry->at_ms < before->at_ms - MINUTE_MS;
            entry->at_ms = before->at_ms;
            break;
        }
        before = before->before;
    }
    entry->list = list;
    entry->before = before;
    entry->after = before == NULL ? list->first : before->after;
    *(entry->before != NULL ? &entry->before->after : &list->first) = entry;
    *(entry->after != NULL ? &entry->after->before : &list->last) = entry;
}

/* The table. */

static uint64_t hash_of(const struct log_queue *queue, uint32_t host, struct log_slice id)
{
    char text[QUEUE_ID_MAX + sizeof host];
    uint8_t bytes[DIGEST_BYTES];
    uint64_t hash;
    size_t length = id.length < QUEUE_ID_MAX ? id.length : QUEUE_ID_MAX;
    memcpy(text, &host, sizeof host);
    memcpy(text + sizeof host, id.data, length);
    digest_quick(&queue->key, text, sizeof host + length, bytes);
    memcpy(&hash, bytes, sizeof hash);
    return hash;
}

static struct log_entry **bucket_of(const struct log_queue *queue, uint64_t hash)
{
    return &queue->buckets[hash & (queue->bucket_count - 1)];
}

static void unhash(struct log_queue *queue, struct log_entry *entry)
{
    struct log_entry **at = bucket_of(queue, entry->hash);
    if (!entry->hashed)
        return;
    while (*at != entry)
        at = &(*at)->next_of_hash;
    *at = entry->next_of_hash;
    entry->hashed = false;
}

static void hash_entry(struct log_queue *queue, struct log_entry *entry)
{
    struct log_entry **bucket = bucket_of(queue, entry->hash);
    entry->next_of_hash = *bucket;
    entry->hashed = true;
    *bucket = entry;
}

/* Doubles the table; without memory it stays, and its chains grow longer. */
static void widen(struct log_queue *queue)
{
    size_t count = queue->bucket_count * 2;
    struct log_entry **old = queue->buckets, *next;
    struct log_entry **buckets = calloc(count, sizeof(struct log_entry *));
    if (buckets == NULL)
        return;
    queue->buckets = buckets;
    queue->bucket_count = count;
    for (size_t i = 0; i < count / 2; i++) {
        for (struct log_entry *entry = old[i]; entry != NULL; entry = next) {
            next = entry->next_of_hash;
            hash_entry(queue, entry);
        }
    }
    free(old);
}

struct log_entry *log_queue_find(struct log_queue *queue, const struct log_place *place,
                                 struct log_slice id)
{
    uint64_t hash = hash_of(queue, place->host, id);
    for (struct log_entry *entry = *bucket_of(queue, hash); entry != NULL;
         entry = entry->next_of_hash) {
        if (entry->hash == hash)
            return entry;
    }
    return NULL;
}

/* Memory. */

void log_queue_count(struct log_queue *queue, struct log_entry *entry)
{
    size_t bytes = log_entry_bytes(entry);
    queue->bytes += bytes - entry->counted;
    entry->counted = bytes;
}

static void release(struct log_queue *queue, struct log_entry *entry)
{
    unlink_entry(entry);
    unhash(queue, entry);
    queue->bytes -= entry->counted;
    queue->entry_count--;
    log_entry_free(entry);
}

/* A child, or a child's child, that has none; it has no parent any more. NULL: none. */
static struct log_entry *take_child(struct log_entry *entry,
                                    struct log_entry **out_parent)
{
    struct log_entry *child = entry->children;
    if (child == NULL)
        return NULL;
    while (child->children != NULL)
        child = child->children;
    *out_parent = child->parent;
    child->parent->children = child->sibling;
    return child;
}

static void forget(struct log_queue *queue, struct log_entry *entry)
{
    struct log_entry *child, *parent;
    while ((child = take_child(entry, &parent)) != NULL)
        release(queue, child);
    release(queue, entry);
}

void log_queue_free(struct log_queue *queue)
{
    if (queue == NULL)
        return;
    struct log_list *lists[] = {&queue->arriving, &queue->judged, &queue->internal};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        while (lists[i]->first != NULL)
            forget(queue, lists[i]->first);
    }
    intern_free(queue->hosts);
    free(queue->buckets);
    free(queue->recipients);
    free(queue);
}

/* What lines tell. */

enum status log_queue_host(struct log_queue *queue, struct log_slice name,
                           uint32_t *out_host)
{
    name.length = strnlen(name.data, name.length);
    if (intern_count(queue->hosts) >= HOSTS_MAX) {
        if (!intern_find(queue->hosts, name.data, name.length, out_host))
            *out_host = HOSTS_MAX - 1;
        return STATUS_OK;
    }
    return intern_add(queue->hosts, name.data, name.length, out_host);
}

/* It is found by that id from now on. */
static void set_hash(struct log_queue *queue, const struct log_place *place,
                     struct log_entry *entry, struct log_slice id)
{
    entry->host = place->host;
    entry->hash = hash_of(queue, place->host, id);
    hash_entry(queue, entry);
}

static void note_time(const struct log_queue *queue, struct log_entry *entry,
                      int64_t at_ms)
{
    entry->at_ms = at_ms;
    entry->noted_ms = at_ms > queue->now_ms ? at_ms : queue->now_ms;
}

/* Its id is another message's from now on. It is forgotten with the rest of its list: the
 * line at hand may be about it, or about a child of it. */
static void end_id(struct log_queue *queue, struct log_entry *entry)
{
    entry->finished = true;
    unhash(queue, entry);
}

struct log_entry *log_queue_add(struct log_queue *queue, const struct log_place *place,
                                struct log_slice id)
{
    struct log_entry *old = log_queue_find(queue, place, id);
    struct log_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    if (old != NULL)
        end_id(queue, old);
    if (++queue->entry_count > queue->bucket_count)
        widen(queue);
    memcpy(entry->id, id.data, id.length < QUEUE_ID_MAX ? id.length : QUEUE_ID_MAX);
    set_hash(queue, place, entry, id);
    entry->seed = (uint32_t)entry->hash;
    note_time(queue, entry, place->at_ms);
    link_entry(&queue->internal, entry);
    log_queue_count(queue, entry);
    return entry;
}

void log_queue_rename(struct log_queue *queue, const struct log_place *place,
                      struct log_entry *entry, struct log_slice id)
{
    struct log_entry *old = log_queue_find(queue, place, id);
    if (old == entry)
        return;
    if (old != NULL)
        end_id(queue, old);
    unhash(queue, entry);
    set_hash(queue, place, entry, id);
}

void log_queue_take(struct log_queue *queue, struct log_entry *entry)
{
    entry->taken = true;
    link_entry(&queue->arriving, entry);
}

void log_queue_judge(struct log_queue *queue, struct log_entry *entry, int64_t at_ms)
{
    entry->judged = true;
    note_time(queue, entry, at_ms);
    if (entry->parent == NULL) /* else it counts for that one, which frees it */
        link_entry(&queue->judged, entry);
}

/* Tells those above that it is complete. */
static void report(struct log_entry *entry)
{
    while (entry->parent != NULL && log_entry_is_complete(entry) && !entry->reported) {
        entry->reported = true;
        entry = entry->parent;
        entry->open_children--;
    }
}

bool log_queue_adopt(struct log_entry *parent, uint32_t recipient,
                     struct log_entry *child)
{
    if (child->parent != NULL || child == parent)
        return child->parent == parent;
    int depth = 0;
    for (struct log_entry *above = parent->parent; above != NULL; above = above->parent) {
        if (above == child || ++depth > DEPTH_MAX)
            return false;
    }
    unlink_entry(child);
    child->parent = parent;
    child->parent_recipient = recipient;
    child->sibling = parent->children;
    parent->children = child;
    parent->open_children++;
    report(child);
    return true;
}

/* Handing over. */

/* What the children's recipients are, counts for those of the entry. */
static void count_children(struct log_queue *queue, struct log_entry *entry)
{
    struct log_entry *child, *parent;
    while ((child = take_child(entry, &parent)) != NULL) {
        log_entry_count_child(parent, child);
        release(queue, child);
    }
}

static bool list_recipients(struct log_queue *queue, const struct log_entry *entry)
{
    if (entry->recipient_count > queue->recipient_room) {
        void *grown = realloc(queue->recipients,
                              entry->recipient_count * sizeof *queue->recipients);
        if (grown == NULL)
            return false;
        queue->recipients = grown;
        queue->recipient_room = entry->recipient_count;
    }
    for (uint32_t i = 0; i < entry->recipient_count; i++)
        queue->recipients[i] = (struct mail_log_recipient){
            entry->texts + entry->recipients[i].address, entry->recipients[i].mailboxes};
    return true;
}

static const char *text_or_null(const struct log_entry *entry, uint32_t text)
{
    return text == 0 ? NULL : entry->texts + text;
}

static enum status call(struct log_queue *queue, const struct log_entry *entry,
                        bool whole)
{
    const struct mail_log_message message = {
        .at_ms = queue->last_ms,
        .queue_id = entry->id,
        .host = intern_string(queue->hosts, entry->host),
        .local = entry->local,
        .client = text_or_null(entry, entry->client),
        .login = text_or_null(entry, entry->login),
        .sender = entry->sender == 0 ? "" : entry->texts + entry->sender,
        .recipients = queue->recipients,
        .recipient_count = entry->recipient_count,
        .end = log_entry_end(entry),
        .held = entry->held,
        .whole = whole,
    };
    return queue->reading->each(queue->reading->context, &message);
}

/* True when it is a message that is asked for, and not late. */
static bool is_wanted(struct log_queue *queue, const struct log_entry *entry)
{
    const struct mail_log_reading *reading = queue->reading;
    if (!(entry->active || entry->held || entry->rejected) ||
        (reading->since_ms != 0 && entry->at_ms < reading->since_ms) ||
        (reading->until_ms != 0 && entry->at_ms >= reading->until_ms))
        return false;
    if (entry->late ||
        (queue->handed_over > 0 && entry->at_ms < queue->last_ms - MINUTE_MS)) {
        queue->late++;
        return false;
    }
    return true;
}

/* The entry, which is judged, is gone then. */
static enum status hand_over(struct log_queue *queue, struct log_entry *entry)
{
    enum status status = STATUS_OK;
    bool whole = entry->expected > 0 && entry->seen >= entry->expected && !entry->cut &&
                 entry->open_children == 0;
    count_children(queue, entry);
    if (is_wanted(queue, entry)) {
        if (queue->handed_over++ == 0 || entry->at_ms > queue->last_ms)
            queue->last_ms = entry->at_ms;
        status = list_recipients(queue, entry) ? call(queue, entry, whole) : STATUS_NOMEM;
    }
    release(queue, entry);
    return status;
}

static bool is_stale(const struct log_queue *queue, const struct log_list *list)
{
    return list->first != NULL &&
           list->first->noted_ms < queue->now_ms - list->patience_ms;
}

/* The first message that was judged is handed over when nothing more is to come of it, or
 * given up when it has not got into the queue. */
static bool is_due(const struct log_queue *queue, const struct log_entry *entry)
{
    return log_entry_is_complete(entry) ||
           (entry->ends_ms != 0 && entry->ends_ms < queue->now_ms) ||
           (!entry->active && !entry->held && is_stale(queue, &queue->judged));
}

/* The one that a queue which is too large gives up first. */
static struct log_entry *oldest(const struct log_queue *queue)
{
    struct log_entry *firsts[] = {queue->judged.first, queue->arriving.first,
                                  queue->internal.first};
    struct log_entry *found = NULL;
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        if (firsts[i] != NULL && (found == NULL || firsts[i]->at_ms < found->at_ms))
            found = firsts[i];
    }
    return found;
}

enum status log_queue_settle(struct log_queue *queue, const struct log_place *place,
                             struct log_entry *entry)
{
    enum status status = STATUS_OK;
    struct log_entry *first;
    if (place->at_ms > queue->now_ms)
        queue->now_ms = place->at_ms;
    if (entry != NULL) {
        log_queue_count(queue, entry);
        report(entry);
    }
    while (is_stale(queue, &queue->arriving))
        forget(queue, queue->arriving.first);
    while (is_stale(queue, &queue->internal))
        forget(queue, queue->internal.first);
    while (status == STATUS_OK && (first = queue->judged.first) != NULL &&
           is_due(queue, first))
        status = hand_over(queue, first);
    while (status == STATUS_OK && queue->bytes > QUEUE_BYTES &&
           (first = oldest(queue)) != NULL) {
        if (first->judged)
            status = hand_over(queue, first);
        else
            forget(queue, first);
    }
    return status;
}

enum status log_queue_finish(struct log_queue *queue)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && queue->judged.first != NULL)
        status = hand_over(queue, queue->judged.first);
    return status;
}

uint64_t log_queue_handed_over(const struct log_queue *queue)
{
    return queue->handed_over;
}

uint64_t log_queue_late(const struct log_queue *queue)
{
    return queue->late;
}
