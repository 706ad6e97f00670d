"""LDAP's own bytes (RFC 4511), as far as Active Directory's ranges of members want it: a
proxy that makes Samba answer as Windows does, and a server that answers what was recorded
behind it."""

import base64
import contextlib
import json
import re
import select
import socket
import ssl

from between import Listener

BIND, BOUND, UNBIND, SEARCH, ENTRY, DONE = 0x60, 0x61, 0x42, 0x63, 0x64, 0x65
PAGED = b"1.2.840.113556.1.4.319"
OTHER = 80


def element(data, at=0):
    """Tag, contents and where the next one begins; None: it isn't whole."""
    if len(data) < at + 2:
        return None
    tag, length, at = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        if len(data) < at + size:
            return None
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
    return (tag, data[at : at + length], at + length) if len(data) >= at + length else None


def elements(data):
    found, at = [], 0
    while at < len(data):
        tag, contents, at = element(data, at)
        found.append((tag, contents))
    return found


def encode(tag, *parts):
    contents = b"".join(parts)
    length = len(contents)
    if length < 128:
        return bytes([tag, length]) + contents
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + contents


def text(word):
    return encode(4, word if isinstance(word, bytes) else word.encode())


class Messages:
    """Splits what comes on a connection."""

    def __init__(self, connection):
        self.connection, self.data = connection, b""

    def read(self):
        """Those that are whole by now; None at the end."""
        try:
            came = self.connection.recv(65536)
            while getattr(self.connection, "pending", int)() > 0:
                came += self.connection.recv(65536)
        except OSError:
            came = b""
        if not came:
            return None
        self.data += came
        whole = []
        while (one := element(self.data)) is not None:
            (_, number), (tag, contents), *controls = elements(one[1])
            whole.append((number, tag, contents, controls))
            self.data = self.data[one[2] :]
        return whole


def message(number, tag, contents, controls=()):
    return encode(0x30, encode(2, number), encode(tag, contents),
                  *(encode(*control) for control in controls))


def search_key(parts):
    """What tells one search from another: its base, scope and filter, and in which range."""
    asked = [contents.decode() for _, contents in elements(parts[7][1])]
    ranges = [name for name in asked if ";range=" in name]
    return {"base": parts[0][1].decode().lower(), "scope": parts[1][1][0],
            "filter": encode(*parts[6]).hex(), "range": ranges[0] if ranges else ""}


class Ranges(Listener):
    """Before Samba, which gives a range of members only to whoever asks for one: at most
    `size` members an answer, as Windows does (MaxValRange), beside a plain `member` that is
    empty. Samba itself cuts the ranges."""

    def __init__(self, server, size=1500):
        self.server, self.size, self.record = server, size, []
        super().__init__()

    def _serve(self, client):
        anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        with client, contextlib.suppress(OSError):
            with socket.create_connection((self.server, 636)) as plain, \
                    anyone.wrap_socket(plain) as server:
                self._pass(client, server)

    def _pass(self, client, server):
        asked, incoming = {}, {client: Messages(client), server: Messages(server)}
        while True:
            for one in select.select([client, server], [], [])[0]:
                messages = incoming[one].read()
                if messages is None:
                    return
                change = self._ask if one is client else self._answer
                to = server if one is client else client
                to.sendall(b"".join(change(asked, *each) for each in messages))

    def _in_range(self, name):
        begin = re.fullmatch(rb"member(?:;range=(\d+)-\*)?", name, re.IGNORECASE)
        if begin is None:
            return name
        first = int(begin[1] or 0)
        return b"member;range=%d-%d" % (first, first + self.size - 1)

    def _ask(self, asked, number, tag, contents, controls):
        if tag == SEARCH:
            parts = elements(contents)
            asked[number] = {**search_key(parts), "entries": []}
            self.record.append(asked[number])
            names = [text(self._in_range(name)) for _, name in elements(parts[7][1])]
            contents = b"".join(encode(*part) for part in parts[:7]) + encode(0x30, *names)
        return message(number, tag, contents, controls)

    def _answer(self, asked, number, tag, contents, controls):
        if tag == ENTRY:
            (_, dn), (_, attributes) = elements(contents)
            pairs = [(name, [value for _, value in elements(values)]) for name, values in
                     ([c for _, c in elements(one)] for _, one in elements(attributes))]
            whole = b"member;range=0-*"
            pairs = [(b"member" if name == whole else name, values) for name, values in pairs]
            if any(name.startswith(b"member;range=0-") for name, _ in pairs):
                pairs.insert(0, (b"member", []))
            asked[number]["entries"].append(
                [dn.decode(), [[name.decode(), [shown(v) for v in values]] for name, values in pairs]])
            contents = entry(dn, pairs)
        elif tag == DONE:
            asked[number]["result"] = elements(contents)[0][1][0]
        return message(number, tag, contents, controls)


def entry(dn, pairs):
    return text(dn) + encode(
        0x30, *(encode(0x30, text(name), encode(0x31, *map(text, values))) for name, values in pairs))


def shown(value):
    """A value in JSON: as text where it is some."""
    if re.fullmatch(rb"[ -~]*", value) and not value.startswith(b"base64:"):
        return value.decode()
    return "base64:" + base64.b64encode(value).decode()


def value_of(word):
    return base64.b64decode(word[7:]) if word.startswith("base64:") else word.encode()


class Recorded(Listener):
    """Answers each search as it was answered when it was recorded, and no other."""

    def __init__(self, path):
        self.searches = json.loads(path.read_text())
        self.unknown = []
        super().__init__()

    def _serve(self, client):
        with client:
            incoming = Messages(client)
            while (messages := incoming.read()) is not None:
                for one in messages:
                    client.sendall(self._answer(*one))

    def _answer(self, number, tag, contents, controls):
        if tag == BIND:
            return message(number, BOUND, encode(10, b"\0") + text("") + text(""))
        if tag != SEARCH:
            return b""
        key = search_key(elements(contents))
        found = [one for one in self.searches if key.items() <= one.items()]
        if not found:
            self.unknown.append(key)
            return message(number, DONE, encode(10, bytes([OTHER])) + text("") + text("not recorded"))
        entries = [message(number, ENTRY, entry(dn, [(n, map(value_of, v)) for n, v in pairs]))
                   for dn, pairs in found[0]["entries"]]
        no_more = encode(0x30, text(PAGED), text(encode(0x30, encode(2, b"\0"), text(""))))
        result = encode(10, bytes([found[0]["result"]])) + text("") + text("")
        return b"".join(entries) + message(number, DONE, result, [(0xA0, no_more)] if controls else ())
