/* Peers are Mailbrake or root, but none may delay the others: silence, slowness and size
 * are limited. */
#include "helper/mta_peer.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { SILENCE_S = 5, DRAIN_READS = 64 };

enum status mta_peer_init(struct mta_peer *peer, int fd, int64_t deadline_us)
{
    const struct timeval silence = {.tv_sec = SILENCE_S};
    struct ucred who;
    socklen_t size = sizeof who;
    *peer = (struct mta_peer){.fd = fd, .deadline_us = deadline_us};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof silence) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
        return STATUS_IO;
    peer->uid = who.uid;
    return STATUS_OK;
}

enum status mta_peer_read(struct mta_peer *peer, bool all, size_t max,
                          struct error *error)
{
    char data[4096];
    struct text *received = &peer->received;
    while (all || memchr(text_string(received), '\n', received->length) == NULL) {
        ssize_t n = recv(peer->fd, data, sizeof data, 0);
        if (n < 0 || clock_left_ms(peer->deadline_us) == 0)
            return error_set(error, STATUS_UNAVAILABLE, "the order did not come in time");
        if (n == 0)
            return all ? STATUS_OK
                       : error_set(error, STATUS_INVALID, "the line has no end");
        text_add(received, data, (size_t)n);
        if (received->failed)
            return error_set(error, STATUS_NOMEM, "out of memory");
        if (received->length > max)
            return error_set(error, STATUS_INVALID, "the %s is too long",
                             all ? "message text" : "line");
    }
    return STATUS_OK;
}

bool mta_peer_waits(const struct mta_peer *peer)
{
    struct pollfd state = {.fd = peer->fd};
    return poll(&state, 1, 0) >= 0 && (state.revents & (POLLHUP | POLLERR)) == 0;
}

void mta_peer_send(const struct mta_peer *peer, const struct text *reply)
{
    size_t sent = 0;
    ssize_t n = 1;
    while (n > 0 && sent < reply->length && clock_left_ms(peer->deadline_us) > 0) {
        n = send(peer->fd, reply->data + sent, reply->length - sent, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
    }
}

/* Unread input would make the peer's last read fail (ECONNRESET), so it is drained. */
void mta_peer_clear(struct mta_peer *peer)
{
    char data[16384];
    int reads = 0;
    while (recv(peer->fd, data, sizeof data, MSG_DONTWAIT) > 0 && reads < DRAIN_READS)
        reads++;
    (void)close(peer->fd);
    text_clear(&peer->received);
}
