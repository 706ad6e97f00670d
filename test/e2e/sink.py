"""The far end of all mail: an LMTP server on a unix socket that keeps every message with
its envelope, so that a test can count copies. Fast enough for 10,000 recipients. It has
nobody whose name begins with nobody-, and while it is_busy it defers later-."""

import collections
import contextlib
import email
import os
import pathlib
import socketserver
import sys
import threading


class Delivery:
    """One message as it arrived: sender, recipients (one entry a copy) and headers."""

    def __init__(self, sender, recipients, data):
        self.sender = sender
        self.recipients = recipients
        self.message = email.message_from_bytes(data)

    def __getitem__(self, header):
        return self.message[header]

    def __repr__(self):
        return f"<{self.sender} to {len(self.recipients)}: {self['Subject']}>"


class Deliveries(list):
    @property
    def copies(self):
        return sum(len(delivery.recipients) for delivery in self)

    def by_recipient(self):
        """How many copies each address got."""
        return collections.Counter(r for d in self for r in d.recipients)


def _address(line):
    """What stands between the angle brackets of MAIL FROM:<a@b> SIZE=1."""
    return line[line.index(b"<") + 1 : line.rindex(b">")].decode("utf-8", "replace")


class _Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.sender, self.recipients, self.in_data = None, [], False
        self.body = []
        self.replies = [b"220 sink LMTP\r\n"]
        rest, open_ = b"", True
        while open_:
            self.request.sendall(b"".join(self.replies))
            self.replies.clear()
            chunk = self.request.recv(1 << 18)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\r\n")
            for line in lines:
                open_ = self._data_line(line) if self.in_data else self._command(line)
        self.request.sendall(b"".join(self.replies))

    def _say(self, text):
        self.replies.append(text + b"\r\n")

    def _command(self, line):
        verb = line[:4].upper()
        if verb == b"RCPT":
            self._recipient(_address(line))
        elif verb == b"MAIL":
            self.sender, self.recipients, self.body = _address(line), [], []
            self._say(b"250 2.1.0 ok")
        elif verb == b"DATA":
            self.in_data = bool(self.recipients)
            self._say(b"354 go on" if self.recipients else b"503 5.5.1 no recipients")
        elif verb == b"LHLO":
            self._say(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8")
        else:
            self._say(b"221 bye" if verb == b"QUIT" else b"250 ok")
        return verb != b"QUIT"

    def _recipient(self, address):
        if address.startswith("nobody-"):
            self._say(b"550 5.1.1 no such user")
        elif address.startswith("later-") and self.server.is_busy:
            self._say(b"451 4.3.0 later")
        else:
            self.recipients.append(address)
            self._say(b"250 2.1.5 ok")

    def _data_line(self, line):
        if line != b".":
            self.body.append(line[1:] if line.startswith(b".") else line)
            return True
        self.in_data = False
        self.server.keep(Delivery(self.sender, self.recipients, b"\n".join(self.body)))
        self.replies += [b"250 2.0.0 kept\r\n"] * len(self.recipients)
        return True


class Sink(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path):
        self._lock = threading.Lock()
        self._kept = Deliveries()
        self.is_busy = False
        super().__init__(path, _Handler)
        self.socket.setblocking(False)  # whoever knocked may be gone by the time of accept
        os.chmod(path, 0o666)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def away(self):
        """What comes meanwhile waits in the queue, until it is flushed."""
        path = pathlib.Path(self.server_address)
        hidden = path.with_name("sink-away")
        path.rename(hidden)
        try:
            yield
        finally:
            hidden.rename(path)

    def handle_error(self, request, client_address):
        """Postfix may leave without waiting for the answer to QUIT."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def keep(self, delivery):
        with self._lock:
            self._kept.append(delivery)

    def kept(self):
        with self._lock:
            return Deliveries(self._kept)

    def clear(self):
        with self._lock:
            self._kept = Deliveries()

    def stop(self):
        self.shutdown()
        self.server_close()
