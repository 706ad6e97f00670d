"""What stands between mailbraked and Redis, and does to the replies what a bad network, or
a bad proxy, would.

    proxy = RedisProxy(redis)
    proxy.fault = late(0.8)              # each reply
    proxy.fault = now_and_then(7, reset) # each seventh
    proxy.fault = None                   # well again
"""

import socket
import struct
import threading
import time

LINGER_RESETS = struct.pack("ii", 1, 0)


# What may become of a reply: each gets the connection and the reply's bytes, and returns
# whether the connection is still of use.


def passes(connection, reply):
    connection.client.sendall(reply)
    return True


def late(seconds):
    def fault(connection, reply):
        time.sleep(seconds)
        return passes(connection, reply)

    return fault


def trickled(connection, reply):
    """One byte each 100 ms."""
    for i in range(len(reply)):
        connection.client.sendall(reply[i : i + 1])
        time.sleep(0.1)
    return True


def truncated(connection, reply):
    """Half of it, and the end."""
    connection.client.sendall(reply[: len(reply) // 2])
    return False


def stalled(connection, reply):
    """Half of it, and silence."""
    connection.client.sendall(reply[: len(reply) // 2])
    connection.client.recv(1)  # until mailbraked gives up
    return False


def lost(connection, reply):
    """Redis has done it, nobody hears of it."""
    return False


def reset(connection, reply):
    connection.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESETS)
    return False


def twice(connection, reply):
    connection.client.sendall(reply + reply)
    return True


def twice_apart(connection, reply):
    """The second after the first was read, perhaps when the next request is on its way."""
    passes(connection, reply)
    time.sleep(0.002)
    return passes(connection, reply)


def one_behind(connection, reply):
    """From the second on, each request gets the reply to the one before it at once."""
    before, connection.before = connection.before, reply
    return passes(connection, before or reply)


def garbled(connection, reply):
    return passes(connection, b"+" + reply[1:])


def now_and_then(each, fault):
    """Befalls one reply in so many."""
    lock, count = threading.Lock(), 0

    def counted(connection, reply):
        nonlocal count
        with lock:
            count += 1
            mine = count % each == 0
        return (fault if mine else passes)(connection, reply)

    return counted


def reply_length(data, at=0):
    """Where the reply ends that begins there; None: it is not whole."""
    end = data.find(b"\r\n", at)
    if end < 0:
        return None
    kind, text, at = data[at : at + 1], data[at + 1 : end], end + 2
    if kind in b"+-:":
        return at
    count = int(text)
    if kind == b"$":
        at += max(count + 2, 0) if count >= 0 else 0
        return at if at <= len(data) else None
    for _ in range(max(count, 0)):
        at = reply_length(data, at)
        if at is None:
            return None
    return at


class _Connection:
    def __init__(self, proxy, client):
        self.proxy, self.client, self.before = proxy, client, None
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server = socket.socket(socket.AF_UNIX)

    def serve(self):
        with self.client, self.server:
            try:
                self.server.connect(str(self.proxy.redis.socket))
                threading.Thread(target=self._pass_requests, daemon=True).start()
                self._pass_replies()
            except OSError:
                pass  # either side is gone

    def _pass_requests(self):
        try:
            while data := self.client.recv(65536):
                self.server.sendall(data)
            self.server.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _pass_replies(self):
        waiting = b""
        while data := self.server.recv(65536):
            waiting += data
            while waiting and (length := reply_length(waiting)):
                reply, waiting = waiting[:length], waiting[length:]
                self.proxy.replies += 1
                if not (self.proxy.fault or passes)(self, reply):
                    return


class RedisProxy:
    def __init__(self, redis):
        self.redis, self.fault = redis, None
        self.replies = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.server = f"tcp:127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=_Connection(self, client).serve, daemon=True).start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)  # close alone leaves accept waiting
        self._listener.close()
