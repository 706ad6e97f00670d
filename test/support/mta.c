/* A milter packet is a 4-byte length, a command byte and data. Steps that expect no reply
 * are buffered and go out with the next one that does, so a message costs the milter one
 * read and the MTA one wait. */
#include "support/mta.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum { PACKET_MAX_BYTES = 1 << 20, FLUSH_BYTES = 1 << 16, HEAD_BYTES = 5 };

struct mta {
    int fd; /* -1: closed */
    int timeout_ms;
    bool negotiated;
    struct mta_terms terms;
    struct text out; /* not yet sent */
    struct text in;  /* received; in_at: what was read of it */
    size_t in_at;
    unsigned replies;
    struct mta_change changes[MTA_CHANGES_MAX];
    size_t change_count;
};

/* Which steps a command answers to: not to be sent at all, or sent without a reply. */
static const struct {
    char command;
    uint32_t no_send, no_reply;
    int stage; /* SMFIM_*, -1: has no macros of its own */
} commands[] = {
    {SMFIC_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN, SMFIM_CONNECT},
    {SMFIC_HELO, SMFIP_NOHELO, SMFIP_NR_HELO, SMFIM_HELO},
    {SMFIC_MAIL, SMFIP_NOMAIL, SMFIP_NR_MAIL, SMFIM_ENVFROM},
    {SMFIC_RCPT, SMFIP_NORCPT, SMFIP_NR_RCPT, SMFIM_ENVRCPT},
    {SMFIC_DATA, SMFIP_NODATA, SMFIP_NR_DATA, SMFIM_DATA},
    {SMFIC_HEADER, SMFIP_NOHDRS, SMFIP_NR_HDR, -1},
    {SMFIC_EOH, SMFIP_NOEOH, SMFIP_NR_EOH, SMFIM_EOH},
    {SMFIC_BODY, SMFIP_NOBODY, SMFIP_NR_BODY, -1},
    {SMFIC_BODYEOB, 0, 0, SMFIM_EOM},
    {SMFIC_UNKNOWN, SMFIP_NOUNKNOWN, SMFIP_NR_UNKN, -1},
};

static const struct {
    char kind;
    const char *name;
} kinds[] = {
    {0, "none"},
    {SMFIR_ACCEPT, "accept"},
    {SMFIR_CONTINUE, "continue"},
    {SMFIR_REJECT, "reject"},
    {SMFIR_TEMPFAIL, "tempfail"},
    {SMFIR_DISCARD, "discard"},
    {SMFIR_REPLYCODE, "replycode"},
    {SMFIR_SKIP, "skip"},
    {SMFIR_CONN_FAIL, "conn_fail"},
    {SMFIR_SHUTDOWN, "shutdown"},
    {SMFIR_ADDHEADER, "addheader"},
    {SMFIR_CHGHEADER, "chgheader"},
    {SMFIR_INSHEADER, "insheader"},
    {SMFIR_QUARANTINE, "quarantine"},
    {SMFIR_ADDRCPT, "addrcpt"},
    {SMFIR_ADDRCPT_PAR, "addrcpt"},
    {SMFIR_DELRCPT, "delrcpt"},
    {SMFIR_CHGFROM, "chgfrom"},
    {SMFIR_REPLBODY, "replbody"},
};

const char *mta_kind_name(char kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].kind == kind)
            return kinds[i].name;
    }
    return "other";
}

static void forget_changes(struct mta *mta)
{
    for (size_t i = 0; i < mta->change_count; i++) {
        free(mta->changes[i].name);
        free(mta->changes[i].value);
    }
    mta->change_count = 0;
    mta->replies = 0;
}

struct mta *mta_new(int timeout_ms)
{
    struct mta *mta = calloc(1, sizeof *mta);
    if (mta == NULL)
        return NULL;
    mta->fd = -1;
    mta->timeout_ms = timeout_ms;
    return mta;
}

void mta_close(struct mta *mta)
{
    if (mta->fd >= 0)
        close(mta->fd);
    mta->fd = -1;
    mta->negotiated = false;
    mta->terms = (struct mta_terms){0};
    text_reset(&mta->out);
    text_reset(&mta->in);
    mta->in_at = 0;
}

void mta_free(struct mta *mta)
{
    if (mta == NULL)
        return;
    mta_close(mta);
    forget_changes(mta);
    text_clear(&mta->out);
    text_clear(&mta->in);
    free(mta);
}

static enum status open_unix(struct mta *mta, const char *path, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(error, STATUS_INVALID, "socket path too long: %s", path);
    memcpy(address.sun_path, path, strlen(path));
    mta->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (mta->fd < 0 ||
        connect(mta->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return error_set(error, STATUS_UNAVAILABLE, "connect: %s", strerror(errno));
    return STATUS_OK;
}

static enum status open_inet(struct mta *mta, const char *place, struct error *error)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char *end;
    unsigned long port = strtoul(place, &end, 10);
    if (*end != '@' || port == 0 || port > UINT16_MAX ||
        inet_pton(AF_INET, end + 1, &address.sin_addr) != 1)
        return error_set(error, STATUS_INVALID, "not PORT@ADDRESS: %s", place);
    address.sin_port = htons((uint16_t)port);
    mta->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (mta->fd < 0 ||
        connect(mta->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return error_set(error, STATUS_UNAVAILABLE, "connect: %s", strerror(errno));
    int on = 1;
    if (setsockopt(mta->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        return error_set(error, STATUS_IO, "TCP_NODELAY: %s", strerror(errno));
    return STATUS_OK;
}

enum status mta_open(struct mta *mta, const char *socket, struct error *error)
{
    enum status status;
    mta_close(mta);
    if (strncmp(socket, "unix:", 5) == 0)
        status = open_unix(mta, socket + 5, error);
    else if (strncmp(socket, "inet:", 5) == 0)
        status = open_inet(mta, socket + 5, error);
    else
        return error_set(error, STATUS_INVALID, "neither unix: nor inet: in %s", socket);
    if (status != STATUS_OK)
        mta_close(mta);
    return status;
}

static enum status wait_for(const struct mta *mta, short events, int64_t deadline_us,
                            struct error *error)
{
    struct pollfd poller = {.fd = mta->fd, .events = events};
    int ready;
    do {
        ready = poll(&poller, 1, clock_left_ms(deadline_us));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0)
        return error_set(error, STATUS_UNAVAILABLE, "no answer in time");
    if (ready < 0)
        return error_set(error, STATUS_IO, "poll: %s", strerror(errno));
    return STATUS_OK;
}

static int64_t deadline_of(const struct mta *mta)
{
    return clock_monotonic_us() + (int64_t)mta->timeout_ms * 1000;
}

enum status mta_raw(struct mta *mta, const void *data, size_t length, struct error *error)
{
    const char *bytes = data;
    int64_t deadline_us = deadline_of(mta);
    if (mta->fd < 0)
        return error_set(error, STATUS_UNAVAILABLE, "not connected");
    while (length > 0) {
        ssize_t sent = send(mta->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return error_set(error, STATUS_UNAVAILABLE, "closed: %s", strerror(errno));
        if (sent < 0) {
            enum status status = wait_for(mta, POLLOUT, deadline_us, error);
            if (status != STATUS_OK)
                return status;
            continue;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
    return STATUS_OK;
}

enum status mta_flush(struct mta *mta, struct error *error)
{
    if (mta->out.failed)
        return error_set(error, STATUS_NOMEM, "out of memory");
    if (mta->out.length == 0)
        return STATUS_OK;
    enum status status = mta_raw(mta, mta->out.data, mta->out.length, error);
    text_reset(&mta->out);
    return status;
}

static enum status put_packet(struct mta *mta, char command, const void *data,
                              size_t length, struct error *error)
{
    if (mta->fd < 0)
        return error_set(error, STATUS_UNAVAILABLE, "not connected");
    if (length >= PACKET_MAX_BYTES)
        return error_set(error, STATUS_LIMIT, "packet too long");
    uint32_t size = htonl((uint32_t)length + 1);
    text_add(&mta->out, (const char *)&size, sizeof size);
    text_add(&mta->out, &command, 1);
    text_add(&mta->out, data, length);
    if (mta->out.length < FLUSH_BYTES && !mta->out.failed)
        return STATUS_OK;
    return mta_flush(mta, error);
}

/* Makes sure that wanted bytes are there to be read. */
static enum status fill(struct mta *mta, size_t wanted, int64_t deadline_us,
                        struct error *error)
{
    char chunk[8192];
    while (mta->in.length - mta->in_at < wanted) {
        enum status status = wait_for(mta, POLLIN, deadline_us, error);
        if (status != STATUS_OK)
            return status;
        ssize_t got = recv(mta->fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            return error_set(error, STATUS_UNAVAILABLE, "closed: %s",
                             got == 0 ? "end of file" : strerror(errno));
        text_add(&mta->in, chunk, (size_t)got);
        if (mta->in.failed)
            return error_set(error, STATUS_NOMEM, "out of memory");
    }
    return STATUS_OK;
}

struct packet {
    char command;
    const char *data; /* in mta->in, until the next one is read */
    size_t length;
};

static enum status get_packet(struct mta *mta, int64_t deadline_us,
                              struct packet *out_packet, struct error *error)
{
    uint32_t size;
    if (mta->fd < 0)
        return error_set(error, STATUS_UNAVAILABLE, "not connected");
    if (mta->in_at == mta->in.length) {
        text_reset(&mta->in);
        mta->in_at = 0;
    }
    enum status status = fill(mta, HEAD_BYTES, deadline_us, error);
    if (status != STATUS_OK)
        return status;
    memcpy(&size, mta->in.data + mta->in_at, sizeof size);
    size = ntohl(size);
    if (size == 0 || size > PACKET_MAX_BYTES)
        return error_set(error, STATUS_INVALID, "packet of %u bytes", size);
    status = fill(mta, sizeof size + size, deadline_us, error);
    if (status != STATUS_OK)
        return status;
    const char *packet = mta->in.data + mta->in_at + sizeof size;
    *out_packet = (struct packet){packet[0], packet + 1, size - 1};
    mta->in_at += sizeof size + size;
    return STATUS_OK;
}

static uint32_t number_at(const char *data)
{
    uint32_t number;
    memcpy(&number, data, sizeof number);
    return ntohl(number);
}

/* After version, actions and steps: stage numbers, each with its list of macros. */
static enum status read_symbols(struct mta_terms *terms, const char *data, size_t length,
                                struct error *error)
{
    while (length > 4) {
        uint32_t stage = number_at(data);
        size_t size = strnlen(data + 4, length - 4);
        if (stage >= MTA_STAGES || size >= length - 4 || size >= MTA_SYMBOLS_BYTES)
            return error_set(error, STATUS_INVALID, "bad list of macros");
        terms->has_symbols[stage] = true;
        memcpy(terms->symbols[stage], data + 4, size + 1);
        data += 4 + size + 1;
        length -= 4 + size + 1;
    }
    return STATUS_OK;
}

enum status mta_negotiate(struct mta *mta, uint32_t actions, uint32_t steps,
                          struct error *error)
{
    uint32_t offer[3] = {htonl(SMFI_PROT_VERSION), htonl(actions), htonl(steps)};
    struct packet packet = {0};
    struct mta_terms terms = {0};

    enum status status = put_packet(mta, SMFIC_OPTNEG, offer, sizeof offer, error);
    if (status == STATUS_OK)
        status = mta_flush(mta, error);
    if (status == STATUS_OK)
        status = get_packet(mta, deadline_of(mta), &packet, error);
    if (status != STATUS_OK)
        return status;
    if (packet.command != SMFIC_OPTNEG || packet.length < sizeof offer)
        return error_set(error, STATUS_INVALID, "negotiation answered by %c",
                         packet.command);
    terms.version = number_at(packet.data);
    terms.actions = number_at(packet.data + 4);
    terms.steps = number_at(packet.data + 8);
    if ((terms.actions & ~actions) != 0 || (terms.steps & ~steps) != 0)
        return error_set(error, STATUS_INVALID, "asked for what was not offered");
    status = read_symbols(&terms, packet.data + sizeof offer,
                          packet.length - sizeof offer, error);
    if (status != STATUS_OK)
        return status;
    mta->terms = terms;
    mta->negotiated = true;
    return STATUS_OK;
}

const struct mta_terms *mta_terms(const struct mta *mta)
{
    return &mta->terms;
}

static size_t command_index(char command)
{
    size_t i = 0;
    while (i < sizeof commands / sizeof commands[0] && commands[i].command != command)
        i++;
    return i;
}

/* Does the milter want this macro at this stage? */
static bool wants(const struct mta *mta, int stage, const char *name)
{
    if (stage < 0 || !mta->terms.has_symbols[stage])
        return true;
    size_t length = strlen(name);
    const char *at = mta->terms.symbols[stage];
    while (*at != '\0') {
        size_t word = strcspn(at, " ,");
        if (word == length && memcmp(at, name, length) == 0)
            return true;
        at += word;
        at += strspn(at, " ,");
    }
    return false;
}

enum status mta_macros(struct mta *mta, char command, const char *const *pairs,
                       struct error *error)
{
    struct text data = {0};
    size_t i = command_index(command);
    int stage = i < sizeof commands / sizeof commands[0] ? commands[i].stage : -1;

    text_add(&data, &command, 1);
    for (; pairs[0] != NULL && pairs[1] != NULL; pairs += 2) {
        if (!wants(mta, stage, pairs[0]))
            continue;
        text_add(&data, pairs[0], strlen(pairs[0]) + 1);
        text_add(&data, pairs[1], strlen(pairs[1]) + 1);
    }
    enum status status =
        data.failed ? error_set(error, STATUS_NOMEM, "out of memory")
                    : put_packet(mta, SMFIC_MACRO, data.data, data.length, error);
    text_clear(&data);
    return status;
}

/* index (4 bytes), name and value, as far as the kind has them. */
static enum status keep_change(struct mta *mta, const struct packet *packet,
                               struct error *error)
{
    const char *data = packet->data, *end = packet->data + packet->length;
    struct mta_change change = {.kind = packet->command};
    bool has_index = change.kind == SMFIR_CHGHEADER || change.kind == SMFIR_INSHEADER;
    bool has_name = has_index || change.kind == SMFIR_ADDHEADER;

    if (mta->change_count == MTA_CHANGES_MAX)
        return error_set(error, STATUS_LIMIT, "too many modifications");
    if (packet->length < (has_index ? 5U : 1U) || end[-1] != '\0')
        return error_set(error, STATUS_INVALID, "modification %c is cut", change.kind);
    if (has_index) {
        change.index = number_at(data);
        data += 4;
    }
    const char *name = has_name ? data : "";
    if (has_name)
        data += strlen(data) + 1;
    change.name = strdup(name);
    change.value = strdup(data < end ? data : "");
    if (change.name == NULL || change.value == NULL) {
        free(change.name);
        free(change.value);
        return error_set(error, STATUS_NOMEM, "out of memory");
    }
    mta->changes[mta->change_count++] = change;
    return STATUS_OK;
}

static bool is_change(char kind)
{
    return kind != 0 && strchr("hiqm+2-eb", kind) != NULL;
}

static bool is_final(char kind)
{
    return kind != 0 && strchr("actrdysf4", kind) != NULL;
}

static enum status get_reply(struct mta *mta, char command, struct mta_reply *out_reply,
                             struct error *error)
{
    struct mta_reply reply = {0};
    struct packet packet = {.command = SMFIR_PROGRESS};
    int64_t deadline_us = deadline_of(mta);
    enum status status = STATUS_OK;

    while (status == STATUS_OK && !is_final(packet.command)) {
        status = get_packet(mta, deadline_us, &packet, error);
        if (status != STATUS_OK || packet.command == SMFIR_PROGRESS)
            continue;
        if (is_change(packet.command) && command == SMFIC_BODYEOB)
            status = keep_change(mta, &packet, error);
        else if (!is_final(packet.command))
            status = error_set(error, STATUS_INVALID, "%c answered by %c", command,
                               packet.command);
    }
    if (status != STATUS_OK)
        return status;
    reply.kind = packet.command;
    size_t length =
        packet.length < sizeof reply.text ? packet.length : sizeof reply.text - 1;
    if (length > 0)
        memcpy(reply.text, packet.data, length);
    mta->replies++;
    *out_reply = reply;
    return STATUS_OK;
}

enum status mta_command(struct mta *mta, char command, const void *data, size_t length,
                        struct mta_reply *out_reply, struct error *error)
{
    size_t i = command_index(command);
    bool answers = i < sizeof commands / sizeof commands[0];
    uint32_t steps = mta->negotiated ? mta->terms.steps : 0;

    if (command == SMFIC_MAIL)
        forget_changes(mta);
    if (answers && (steps & commands[i].no_send) != 0) {
        *out_reply = (struct mta_reply){0};
        return STATUS_OK;
    }
    enum status status = put_packet(mta, command, data, length, error);
    if (status != STATUS_OK)
        return status;
    if (!answers || (steps & commands[i].no_reply) != 0) {
        *out_reply = (struct mta_reply){0};
        return STATUS_OK;
    }
    status = mta_flush(mta, error);
    if (status != STATUS_OK)
        return status;
    return get_reply(mta, command, out_reply, error);
}

enum status mta_connect(struct mta *mta, const char *host, const char *address,
                        struct mta_reply *out_reply, struct error *error)
{
    struct text data = {0};
    uint16_t port = htons(25000);
    char family = address == NULL                ? SMFIA_UNKNOWN
                  : strchr(address, ':') != NULL ? SMFIA_INET6
                                                 : SMFIA_INET;

    text_add(&data, host, strlen(host) + 1);
    text_add(&data, &family, 1);
    if (address != NULL) {
        text_add(&data, (const char *)&port, sizeof port);
        text_add(&data, address, strlen(address) + 1);
    }
    enum status status = data.failed ? error_set(error, STATUS_NOMEM, "out of memory")
                                     : mta_command(mta, SMFIC_CONNECT, data.data,
                                                   data.length, out_reply, error);
    text_clear(&data);
    return status;
}

enum status mta_strings(struct mta *mta, char command, const char *const *strings,
                        struct mta_reply *out_reply, struct error *error)
{
    struct text data = {0};
    for (; *strings != NULL; strings++)
        text_add(&data, *strings, strlen(*strings) + 1);
    enum status status =
        data.failed ? error_set(error, STATUS_NOMEM, "out of memory")
                    : mta_command(mta, command, data.data, data.length, out_reply, error);
    text_clear(&data);
    return status;
}

enum status mta_wait_closed(struct mta *mta, struct error *error)
{
    char chunk[512];
    int64_t deadline_us = deadline_of(mta);
    while (mta->fd >= 0) {
        enum status status = wait_for(mta, POLLIN, deadline_us, error);
        if (status != STATUS_OK)
            return status;
        ssize_t got = recv(mta->fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            mta_close(mta);
    }
    return STATUS_OK;
}

unsigned mta_replies(const struct mta *mta)
{
    return mta->replies;
}

size_t mta_change_count(const struct mta *mta)
{
    return mta->change_count;
}

const struct mta_change *mta_change_at(const struct mta *mta, size_t i)
{
    return &mta->changes[i];
}
