/* Sendmail. One line says who sent a message, others how it went with its recipients; of
 * these, it shows in brackets what RCPT said, and without them the members of a list. The
 * list itself is named only from LogLevel 11 on; else each member stands for itself. No
 * line says that it was the last. */
#include "replay/sendmail_log.h"

#include <stdio.h>
#include <stdlib.h>

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };
enum { SILENCE_MS = 30 * MINUTE_MS }; /* after which no delivery is to come */
enum { LOGINS = 1024, LOGIN_SIZE = 129, CLIENT_SIZE = 64 };

/* A login: "AUTH=server, relay=..., authid=..." of the process that serves the client. */
struct login {
    uint32_t host, pid;
    int64_t used_ms;
    char client[CLIENT_SIZE];
    char name[LOGIN_SIZE];
};

struct sendmail_log {
    struct log_queue *queue;
    struct login logins[LOGINS]; /* by pid */
};

/* A line about a message. */
struct about {
    struct sendmail_log *log;
    const struct log_line *line;
    struct log_slice id;
    struct log_entry *entry; /* or NULL */
    struct log_slice text;   /* after the id */
};

struct sendmail_log *sendmail_log_new(struct log_queue *queue)
{
    struct sendmail_log *log = calloc(1, sizeof *log);
    if (log != NULL)
        log->queue = queue;
    return log;
}

void sendmail_log_free(struct sendmail_log *log)
{
    free(log);
}

bool sendmail_log_is_by(struct log_slice program)
{
    return log_slice_skip(&program, LOG_SLICE("sendmail")) ||
           log_slice_skip(&program, LOG_SLICE("sm-"));
}

/* Logins. */

static struct log_slice slice_of(const char *text)
{
    return (struct log_slice){text, strlen(text)};
}

static void note_login(struct sendmail_log *log, const struct log_line *line)
{
    struct login *login = &log->logins[line->pid % LOGINS];
    struct log_slice relay, name, client;
    if (!log_slice_field(line->text, LOG_SLICE(", relay="), &relay) ||
        !log_slice_field(line->text, LOG_SLICE(", authid="), &name))
        return;
    client = log_slice_client(relay);
    login->host = line->place.host;
    login->pid = line->pid;
    login->used_ms = line->place.at_ms;
    (void)snprintf(login->client, sizeof login->client, "%.*s", (int)client.length,
                   client.data);
    (void)snprintf(login->name, sizeof login->name, "%.*s", (int)name.length, name.data);
}

/* The login of whom that process serves, or NULL. Another process may have its number
 * later, so the client must be the same. */
static struct login *find_login(const struct about *about, struct log_slice client)
{
    const struct log_line *line = about->line;
    struct login *login = &about->log->logins[line->pid % LOGINS];
    if (login->pid != line->pid || login->host != line->place.host || line->pid == 0 ||
        !log_slice_is(client, slice_of(login->client)) ||
        line->place.at_ms > login->used_ms + HOUR_MS)
        return NULL;
    login->used_ms = line->place.at_ms;
    return login;
}

/* Messages. */

static enum status keep(struct log_entry *entry, struct log_slice text, uint32_t *out)
{
    return log_entry_keep(entry, text, out) ? STATUS_OK : STATUS_NOMEM;
}

/* Reads "ID: " and moves past it. */
static bool read_id(struct log_slice *text, struct log_slice *out)
{
    struct log_slice rest = *text, id = log_slice_until(&rest, ':');
    char copy[QUEUE_ID_MAX + 1];
    if (id.length >= sizeof copy || !log_slice_skip(&rest, LOG_SLICE(" ")))
        return false;
    memcpy(copy, id.data, id.length);
    copy[id.length] = '\0';
    if (memchr(copy, '\0', id.length) != NULL || !queue_id_is_sendmail(copy))
        return false;
    *text = rest;
    *out = id;
    return true;
}

/* RCPT may have told of aliases before. */
static struct log_entry *find_or_add(struct about *about)
{
    if (about->entry == NULL)
        about->entry = log_queue_add(about->log->queue, &about->line->place, about->id);
    return about->entry;
}

/* Without proto it is of sendmail(1), which passes it on by SMTP: then it comes again,
 * and to the milters. Without a single byte it was given up before DATA. */
static bool is_message(struct log_slice line)
{
    struct log_slice ignored;
    return log_slice_field(line, LOG_SLICE(", proto="), &ignored) &&
           (log_slice_field(line, LOG_SLICE(", msgid="), &ignored) ||
            !log_slice_find(&line, LOG_SLICE(", size=0, ")));
}

/* from=<ann@x.org>, size=75, class=0, nrcpts=3, msgid=<1@x.org>, proto=ESMTP, daemon=MTA,
 * relay=home.example [10.1.2.3]; sendmail(1) comes from 127.0.0.1 or ::1 (msp.m4), SMTP
 * on standard input to no daemon */
static enum status read_sender(struct about *about)
{
    struct log_slice line = about->text, sender, count, ignored, relay, client;
    struct log_entry *entry;
    uint32_t expected;
    if (!log_slice_address(&about->text, &sender))
        sender = log_slice_until(&about->text, ',');
    if (!log_slice_field(line, LOG_SLICE(", nrcpts="), &count) ||
        !log_slice_number(&count, &expected) ||
        !log_slice_field(line, LOG_SLICE(", relay="), &relay))
        return STATUS_INVALID;
    if (!is_message(line) || expected == 0)
        return STATUS_OK;
    entry = find_or_add(about);
    if (entry == NULL)
        return STATUS_NOMEM;
    if (entry->taken)
        return STATUS_OK;
    log_queue_take(about->log->queue, entry);
    log_queue_judge(about->log->queue, entry, about->line->place.at_ms);
    entry->active = true;
    entry->expected = expected;
    client = log_slice_client(relay);
    entry->local = !log_slice_field(line, LOG_SLICE(", daemon="), &ignored) ||
                   log_slice_is(client, LOG_SLICE("127.0.0.1")) ||
                   log_slice_is(client, LOG_SLICE("::1"));
    const struct login *login = find_login(about, client);
    if ((!entry->local && client.length > 0 &&
         keep(entry, client, &entry->client) != STATUS_OK) ||
        (login != NULL && keep(entry, slice_of(login->name), &entry->login) != STATUS_OK))
        return STATUS_NOMEM;
    return keep(entry, sender, &entry->sender);
}

/* Recipients. */

/* What comes before the next comma that is not in quotes; *rest moves past it. */
static struct log_slice take_item(struct log_slice *rest)
{
    struct log_slice item = *rest;
    bool quoted = false;
    size_t at = 0;
    for (; at < item.length && (quoted || item.data[at] != ','); at++)
        quoted ^= item.data[at] == '"';
    if (at == item.length && quoted) /* it is in quotes by half */
        return log_slice_until(rest, ',');
    item.length = at;
    rest->data += at + (at < rest->length);
    rest->length -= at + (at < rest->length);
    return item;
}

/* In members, a member's mailboxes are the number of its list, and this, once it was
 * delivered to. */
static const uint64_t COUNTED = 1ull << 32;

/* The number of the recipient, which is counted in seen when it is new. */
static bool name_recipient(struct log_entry *entry, struct log_slice address,
                           uint32_t *out_number)
{
    uint32_t before = entry->recipient_count;
    if (!log_entry_add(entry, address, 0, out_number))
        return false;
    entry->seen += entry->recipient_count - before;
    return true;
}

/* alias <all@x.org> => bob, more; alias more => eve */
static enum status read_alias(struct about *about)
{
    struct log_entry *entry = find_or_add(about);
    struct log_slice rest = about->text, name;
    bool addressed = log_slice_address(&rest, &name);
    uint32_t list = 0, number;
    if (entry == NULL)
        return STATUS_NOMEM;
    if (!addressed)
        name = (struct log_slice){rest.data, 0};
    if (!log_slice_find(&rest, LOG_SLICE(" => ")))
        return STATUS_INVALID;
    if (!addressed) {
        name.length = (size_t)(rest.data - name.data) - 4;
        if (entry->members != NULL && log_entry_find(entry->members, name, &list))
            list = (uint32_t)entry->members->recipients[list].mailboxes;
    } else if (!name_recipient(entry, name, &list)) {
        return STATUS_NOMEM;
    }
    entry->last_list = list;
    while (rest.length > 0) {
        (void)log_slice_skip(&rest, LOG_SLICE(" "));
        struct log_slice member = take_item(&rest);
        if (!log_entry_add_member(entry, member, list, &number))
            return STATUS_NOMEM;
    }
    return STATUS_OK;
}

/* What a list's member got counts for the list, once. */
static bool count_member(struct log_entry *entry, struct log_slice member)
{
    uint32_t number, list;
    if (!log_entry_add_member(entry, member, entry->last_list, &number))
        return false;
    uint64_t *known = &entry->members->recipients[number].mailboxes;
    list = (uint32_t)*known;
    if ((*known & COUNTED) == 0 && list < entry->recipient_count)
        entry->recipients[list].mailboxes++;
    *known |= COUNTED;
    return true;
}

/* delivered: or tried. */
static bool count_recipient(struct log_entry *entry, struct log_slice address,
                            bool bracketed, bool delivered)
{
    uint32_t number;
    if (!bracketed && entry->members != NULL)
        return !delivered || count_member(entry, address);
    if (bracketed ? !name_recipient(entry, address, &number)
                  : !log_entry_add(entry, address, 0, &number))
        return false;
    if (delivered && entry->recipients[number].mailboxes == 0) {
        entry->recipients[number].mailboxes = 1;
        entry->tried += bracketed;
    }
    return true;
}

/* <bob@x.org>,<eve@x.org>,joe, delay=00:00:00 */
static bool count_recipients(struct log_entry *entry, struct log_slice rest,
                             bool delivered)
{
    while (rest.length > 0 && rest.data[0] != ' ') {
        struct log_slice address;
        bool bracketed = log_slice_address(&rest, &address);
        if (bracketed)
            (void)log_slice_skip(&rest, LOG_SLICE(","));
        else
            address = take_item(&rest);
        if (address.length > 0 && !count_recipient(entry, address, bracketed, delivered))
            return false;
    }
    return true;
}

/* to=..., mailer=local, relay=localhost, dsn=2.0.0, stat=Sent */
static enum status read_delivery(struct about *about)
{
    struct log_entry *entry = about->entry;
    struct log_slice status = about->text;
    bool sent, deferred, waits, delivered;
    if (!log_slice_find(&status, LOG_SLICE(", stat=")))
        return STATUS_INVALID;
    if (entry == NULL || !entry->taken || entry->finished)
        return STATUS_OK;
    sent = log_slice_skip(&status, LOG_SLICE("Sent"));
    deferred = log_slice_skip(&status, LOG_SLICE("Deferred"));
    waits = log_slice_skip(&status, LOG_SLICE("quarantined")) ||
            log_slice_skip(&status, LOG_SLICE("queued"));
    delivered = !waits && !entry->rejected;
    if (!count_recipients(entry, about->text, delivered))
        return STATUS_NOMEM;
    entry->active |= delivered;
    if (delivered)
        entry->results[sent ? LOG_SENT : deferred ? LOG_DEFERRED : LOG_BOUNCED]++;
    entry->finished = (entry->rejected ? entry->seen : entry->tried) >= entry->expected &&
                      entry->members == NULL;
    return STATUS_OK;
}

/* A list with an owner gets a queue id of its own, "ID2: clone: owner=bob"; lines about
 * it are about the first one. */
static enum status read_clone(struct about *about)
{
    struct log_slice id;
    struct log_entry *clone;
    if (about->entry == NULL || !read_id(&about->text, &id) ||
        !log_slice_skip(&about->text, LOG_SLICE("clone: ")))
        return STATUS_OK;
    clone = log_queue_add(about->log->queue, &about->line->place, id);
    if (clone == NULL)
        return STATUS_NOMEM;
    clone->finished = true;
    (void)log_queue_adopt(about->entry, 0, clone);
    return STATUS_OK;
}

static enum status read_milter(struct about *about)
{
    struct log_entry *entry = about->entry;
    struct log_slice text = about->text;
    if (entry == NULL || !entry->taken)
        return STATUS_OK;
    if (log_slice_find(&text, LOG_SLICE(", quarantine="))) {
        entry->held = true;
        entry->active = false;
    } else if (log_slice_find(&text, LOG_SLICE(", reject=")) ||
               log_slice_find(&text, LOG_SLICE(", discard")) ||
               log_slice_find(&text, LOG_SLICE(", tempfail"))) {
        entry->rejected = true;
    }
    return STATUS_OK;
}

static enum status read_text(struct about *about)
{
    struct log_slice *text = &about->text;
    if (log_slice_skip(text, LOG_SLICE("to=")))
        return read_delivery(about);
    if (log_slice_skip(text, LOG_SLICE("from=")))
        return read_sender(about);
    if (log_slice_skip(text, LOG_SLICE("alias ")))
        return read_alias(about);
    if (log_slice_skip(text, LOG_SLICE("Milter: data")) ||
        log_slice_skip(text, LOG_SLICE("milter=")))
        return read_milter(about);
    return read_clone(about);
}

enum status sendmail_log_line(struct sendmail_log *log, const struct log_line *line,
                              bool *out_cut)
{
    struct about about = {.log = log, .line = line, .text = line->text};
    enum status status;
    if (log_slice_skip(&about.text, LOG_SLICE("AUTH=server")))
        note_login(log, line);
    if (!read_id(&about.text, &about.id))
        return STATUS_OK; /* about no message */
    about.entry = log_queue_find(log->queue, &line->place, about.id);
    while (about.entry != NULL && about.entry->parent != NULL)
        about.entry = about.entry->parent;
    status = read_text(&about);
    *out_cut = status == STATUS_INVALID;
    if (status != STATUS_OK && status != STATUS_INVALID)
        return status;
    if (about.entry != NULL) {
        bool waits = about.entry->held && !about.entry->active;
        about.entry->ends_ms = waits ? 0 : line->place.at_ms + SILENCE_MS;
    }
    return log_queue_settle(log->queue, &line->place, about.entry);
}
