"""A private redis-server on a unix socket, and the few commands that tests say to it. Where
MAILBRAKE_REDIS_SERVER names another one, such as valkey-server, it is that."""

import os
import pathlib
import signal
import socket
import subprocess

from postfix import wait_until


class RedisError(Exception):
    pass


class Redis:
    def __init__(self, folder, port=0, words=(), tls=()):
        """port: listens there, too, and with tls, words about certificates, by TLS alone;
        words: more of its command line."""
        self.dir = pathlib.Path(folder)
        self.socket = self.dir / "redis.sock"
        self.port = port
        ports = ["--port", "0", "--tls-port", str(port), *tls] if tls else ["--port", str(port)]
        self._words = [*ports, *words]
        self._process = None

    def start(self):
        self.dir.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [os.environ.get("MAILBRAKE_REDIS_SERVER", "redis-server")]
            + ["--bind", "127.0.0.1", "--unixsocket", self.socket, "--dir", self.dir]
            + ["--save", "", "--appendonly", "no", "--logfile", self.dir / "redis.log"]
            + ["--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0", "--daemonize", "no", *self._words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, 10, "Redis does not answer")

    def is_started(self):
        return self._process is not None

    def kill(self):
        """As by the out-of-memory killer: nothing is saved, everything forgotten."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self.socket.unlink(missing_ok=True)

    def freeze(self):
        """Still connected and accepting, but never answering."""
        self._signal(signal.SIGSTOP)

    def thaw(self):
        self._signal(signal.SIGCONT)

    def stop(self):
        if self._process.poll() is None:
            self._signal(signal.SIGCONT)
            self.kill()

    def _signal(self, number):
        os.kill(self._process.pid, number)

    def _answers(self):
        try:
            return self.command("PING") == "PONG"
        except (OSError, RedisError):
            return False

    def command(self, *words):
        """One command; replies as str, int, None or list. Errors raise RedisError."""
        return talk(str(self.socket), words)

    def keys(self):
        return self.command("KEYS", "*")

    def flush(self):
        self.command("FLUSHALL")


def talk(address, *commands):
    """Commands over one connection, to a unix socket's path or (host, port); the last
    one's reply."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(5)
        connection.connect(address)
        with connection.makefile("rb") as stream:
            for words in commands:
                encoded = [str(word).encode() for word in words]
                request = b"*%d\r\n" % len(encoded)
                request += b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
                connection.sendall(request)
                reply = _reply(stream)
            return reply


def _reply(stream):
    line = stream.readline().rstrip(b"\r\n").decode("utf-8", "replace")
    kind, value = line[:1], line[1:]
    if kind == "-":
        raise RedisError(value)
    if kind == "+":
        return value
    if kind == ":":
        return int(value)
    if kind == "$":
        return None if value == "-1" else stream.read(int(value) + 2)[:-2].decode("utf-8", "replace")
    if kind == "*":
        return [_reply(stream) for _ in range(int(value))]
    raise OSError("Redis hung up")
