/* Postfix. smtpd(8) or pickup(8) takes a message, cleanup(8) has the milters judge it,
 * qmgr(8) says how many recipients it has now that lists of virtual(5) are expanded, and
 * who delivers to one says what it was addressed as. */
#include "replay/postfix_log.h"

/* A line about a message. */
struct about {
    struct log_queue *queue;
    const struct log_line *line;
    struct log_slice id;
    struct log_entry *entry; /* or NULL */
    struct log_slice text;   /* after the id */
};

bool postfix_log_is_by(struct log_slice program)
{
    return memchr(program.data, '/', program.length) != NULL;
}

/* The program's name without its instance's. */
static bool is_by(const struct about *about, struct log_slice name)
{
    struct log_slice program = about->line->program;
    if (program.length <= name.length)
        return false;
    struct log_slice end = {program.data + program.length - name.length, name.length};
    return end.data[-1] == '/' && log_slice_is(end, name);
}

/* Reads "ID: " and moves past it. */
static bool read_id(struct log_slice *text, struct log_slice *out)
{
    struct log_slice rest = *text, id = log_slice_until(&rest, ':');
    char copy[QUEUE_ID_MAX + 1];
    if (id.length >= sizeof copy || rest.length == 0 ||
        !log_slice_skip(&rest, LOG_SLICE(" ")))
        return false;
    memcpy(copy, id.data, id.length);
    copy[id.length] = '\0';
    if (memchr(copy, '\0', id.length) != NULL || !queue_id_is_postfix(copy))
        return false;
    *text = rest;
    *out = id;
    return true;
}

static enum status keep(struct log_entry *entry, struct log_slice text, uint32_t *out)
{
    return log_entry_keep(entry, text, out) ? STATUS_OK : STATUS_NOMEM;
}

/* client=name[address], sasl_method=PLAIN, sasl_username=ann */
static enum status read_client(struct about *about)
{
    struct log_slice name = about->text, login, client;
    enum status status = STATUS_OK;
    struct log_entry *entry;
    if (memchr(name.data, ']', name.length) == NULL)
        return STATUS_INVALID;
    entry = log_queue_add(about->queue, &about->line->place, about->id);
    if (entry == NULL)
        return STATUS_NOMEM;
    about->entry = entry;
    log_queue_take(about->queue, entry);
    if (log_slice_find(&name, LOG_SLICE(", ")))
        name =
            (struct log_slice){about->text.data, (size_t)(name.data - about->text.data)};
    client = log_slice_client(name);
    if (client.length > 0)
        status = keep(entry, client, &entry->client);
    if (status == STATUS_OK &&
        log_slice_field(about->text, LOG_SLICE(", sasl_username="), &login))
        status = keep(entry, login, &entry->login);
    return status;
}

/* uid=0 from=<root>, and orig_id=ID of what postsuper -r has in the queue again */
static enum status read_submission(struct about *about)
{
    struct log_slice sender, old = about->text;
    if (!log_slice_find(&about->text, LOG_SLICE(" from=")) ||
        !log_slice_address(&about->text, &sender))
        return STATUS_INVALID;
    if (log_slice_find(&old, LOG_SLICE("> orig_id="))) {
        about->entry = log_queue_find(about->queue, &about->line->place, old);
        if (about->entry != NULL)
            log_queue_rename(about->queue, &about->line->place, about->entry, about->id);
        return STATUS_OK;
    }
    about->entry = log_queue_add(about->queue, &about->line->place, about->id);
    if (about->entry == NULL)
        return STATUS_NOMEM;
    about->entry->local = true;
    log_queue_take(about->queue, about->entry);
    return keep(about->entry, sender, &about->entry->sender);
}

/* Its header has come: unless a milter says more of it, that is when it is judged. */
static enum status read_message_id(struct about *about)
{
    struct log_entry *entry = about->entry;
    if (entry == NULL) /* a bounce, or what local(8) forwards */
        about->entry = log_queue_add(about->queue, &about->line->place, about->id);
    else if (entry->taken && !entry->judged)
        log_queue_judge(about->queue, entry, about->line->place.at_ms);
    return about->entry == NULL ? STATUS_NOMEM : STATUS_OK;
}

/* "...; from=<a> to=<b> proto=ESMTP helo=<c>" of a message that goes no further for now:
 * of its recipients, one is named. */
static enum status read_stopped(struct about *about, bool held)
{
    struct log_entry *entry = about->entry;
    struct log_slice rest = about->text, address;
    enum status status = STATUS_OK;
    uint32_t number;
    if (entry == NULL || !entry->taken || entry->active)
        return STATUS_OK;
    entry->held |= held;
    entry->rejected |= !held;
    entry->finished |= !held;
    log_queue_judge(about->queue, entry, about->line->place.at_ms);
    if (!log_slice_find(&rest, LOG_SLICE("; from=")))
        return STATUS_OK;
    if (!log_slice_address(&rest, &address))
        return STATUS_INVALID;
    status = keep(entry, address, &entry->sender);
    if (status == STATUS_OK && log_slice_skip(&rest, LOG_SLICE(" to=")) &&
        log_slice_address(&rest, &address) && !log_entry_add(entry, address, 0, &number))
        return STATUS_NOMEM;
    return status;
}

/* smtpd(8) may refuse a single recipient of it. */
static enum status read_refused(struct about *about)
{
    struct log_slice text = about->text;
    bool whole = is_by(about, LOG_SLICE("cleanup")) ||
                 log_slice_skip(&text, LOG_SLICE("END-OF-MESSAGE")) ||
                 log_slice_skip(&text, LOG_SLICE("DATA"));
    return whole ? read_stopped(about, false) : STATUS_OK;
}

/* from=<ann@district.example>, size=427, nrcpt=1 (queue active) */
static enum status read_active(struct about *about)
{
    struct log_entry *entry = about->entry;
    struct log_slice sender, count;
    uint32_t expected;
    if (!log_slice_address(&about->text, &sender))
        return STATUS_INVALID;
    if (log_slice_skip(&about->text, LOG_SLICE(", status="))) { /* too old */
        if (entry != NULL)
            entry->finished = true;
        return STATUS_OK;
    }
    if (!log_slice_field(about->text, LOG_SLICE(", nrcpt="), &count) ||
        !log_slice_number(&count, &expected) || !log_slice_skip(&count, LOG_SLICE(" (")))
        return STATUS_INVALID;
    if (entry == NULL)
        return STATUS_OK;
    if (entry->active) { /* the second attempt: each recipient was tried */
        entry->finished = true;
        return STATUS_OK;
    }
    entry->active = true;
    entry->expected = expected;
    log_entry_forget_recipients(entry);
    if (entry->taken && !entry->judged)
        log_queue_judge(about->queue, entry, about->line->place.at_ms);
    return keep(entry, sender, &entry->sender);
}

/* A content filter that is a client here. */
static bool is_of_filter(const struct log_entry *entry)
{
    if (!entry->taken || entry->client == 0)
        return false;
    const char *client = entry->texts + entry->client;
    return strncmp(client, "127.", 4) == 0 || strcmp(client, "::1") == 0;
}

/* What the recipient got may have a queue id of its own here, "... as ID)": local(8) has
 * forwarded it, or a content filter brought it back. got: the address to which it went.
 */
static enum status count_mailboxes(struct about *about, struct log_slice status,
                                   uint32_t recipient, struct log_slice got)
{
    bool sent = log_slice_skip(&status, LOG_SLICE("sent "));
    bool forwarded = sent && log_slice_find(&status, LOG_SLICE("(forwarded as "));
    struct log_entry *child = NULL;
    uint32_t number;
    if (forwarded || (sent && log_slice_find(&status, LOG_SLICE(" queued as "))))
        child = log_queue_find(about->queue, &about->line->place,
                               log_slice_until(&status, ')'));
    about->entry->recipients[recipient].mailboxes += !forwarded;
    if (child == NULL || (!forwarded && !is_of_filter(child)) ||
        !log_queue_adopt(about->entry, recipient, child) || forwarded)
        return STATUS_OK;
    child->is_passed_on = true;
    if (!log_entry_add_member(child, got, recipient, &number))
        return STATUS_NOMEM;
    log_queue_count(about->queue, child);
    return STATUS_OK;
}

/* False when it is none of Postfix's words. */
static bool read_result(struct log_slice status, enum log_result *out)
{
    static const struct {
        struct log_slice word;
        enum log_result result;
    } WORDS[] = {
        {{"sent", 4}, LOG_SENT},
        {{"deferred", 8}, LOG_DEFERRED},
        {{"bounced", 7}, LOG_BOUNCED},
        {{"expired", 7}, LOG_BOUNCED},
        {{"deliverable", 11}, LOG_SENT},
        {{"undeliverable", 13}, LOG_BOUNCED},
        {{"SOFTBOUNCE", 10}, LOG_DEFERRED},
    };
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (log_slice_skip(&status, WORDS[i].word)) {
            *out = WORDS[i].result;
            return true;
        }
    }
    return false;
}

/* to=<a>, orig_to=<b>, relay=..., status=sent (250 2.0.0 Ok) */
static enum status read_delivery(struct about *about)
{
    struct log_entry *entry = about->entry;
    struct log_slice got, address, status = about->text;
    enum log_result result;
    uint32_t number;
    if (!log_slice_address(&status, &got))
        return STATUS_INVALID;
    address = got;
    if (log_slice_skip(&status, LOG_SLICE(", orig_to=")) &&
        !log_slice_address(&status, &address))
        return STATUS_INVALID;
    if (!log_slice_find(&status, LOG_SLICE(", status=")) || !read_result(status, &result))
        return STATUS_INVALID;
    if (entry == NULL || entry->finished)
        return STATUS_OK;
    entry->active = true;
    if (!log_entry_add(entry, address, 0, &number))
        return STATUS_NOMEM;
    entry->results[result]++;
    entry->seen++;
    /* Else qmgr(8) says when it is done: local(8) may say more of one recipient. */
    entry->finished = entry->seen >= entry->expected && entry->results[LOG_DEFERRED] > 0;
    return count_mailboxes(about, status, number, got);
}

static enum status read_text(struct about *about)
{
    struct log_slice *text = &about->text;
    if (log_slice_skip(text, LOG_SLICE("to=")))
        return read_delivery(about);
    if (log_slice_skip(text, LOG_SLICE("client=")))
        return read_client(about);
    if (log_slice_skip(text, LOG_SLICE("message-id=")))
        return read_message_id(about);
    if (log_slice_skip(text, LOG_SLICE("from=")))
        return read_active(about);
    if (log_slice_is(*text, LOG_SLICE("removed"))) {
        if (about->entry != NULL)
            about->entry->finished = true;
        return STATUS_OK;
    }
    if (log_slice_skip(text, LOG_SLICE("uid=")))
        return read_submission(about);
    if (log_slice_skip(text, LOG_SLICE("milter-hold: ")) ||
        log_slice_skip(text, LOG_SLICE("hold: ")))
        return read_stopped(about, true);
    if (log_slice_skip(text, LOG_SLICE("milter-reject: ")) ||
        log_slice_skip(text, LOG_SLICE("milter-discard: ")) ||
        log_slice_skip(text, LOG_SLICE("reject: ")) ||
        log_slice_skip(text, LOG_SLICE("discard: ")))
        return read_refused(about);
    return STATUS_OK;
}

enum status postfix_log_line(struct log_queue *queue, const struct log_line *line,
                             bool *out_cut)
{
    struct about about = {.queue = queue, .line = line, .text = line->text};
    enum status status;
    if (!read_id(&about.text, &about.id))
        return STATUS_OK; /* about no message */
    about.entry = log_queue_find(queue, &line->place, about.id);
    status = read_text(&about);
    *out_cut = status == STATUS_INVALID;
    if (status != STATUS_OK && status != STATUS_INVALID)
        return status;
    return log_queue_settle(queue, &line->place, about.entry);
}
