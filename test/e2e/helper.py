"""mailbrake-mta under test: started with --listen beside a relay, and the orders one can
give it.

    mail = helped(rules=HOLD_MANY)
    assert mail.helper.order("list").last == "ok 0"
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from mailbraked import SANITIZERS
from postfix import wait_until
from relay import Relay, lists_for_postfix
from stores import MEMORY

USER = "games"  # plays the user mailbrake
OTHER = "nobody"  # has no rights

# What a client under another uid runs: the order is its standard input.
CLIENT = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
try:
    s.sendall(sys.stdin.buffer.read())
    s.shutdown(socket.SHUT_WR)
except OSError:
    pass  # the answer may be there before
sys.stdout.write(s.makefile().read())
"""


class Answer:
    def __init__(self, data):
        text = data.decode()  # strictly
        assert text == "" or text.endswith("\n"), text
        self.lines = text.splitlines()

    @property
    def last(self):
        return self.lines[-1] if self.lines else ""

    @property
    def body(self):
        return self.lines[:-1]

    @property
    def is_error(self):
        return self.last.startswith("error ")

    def __repr__(self):
        return f"<{self.lines}>"


class Helper:
    def __init__(self, build, folder):
        self.build = build
        self.program = build.dir / "helper" / "mailbrake-mta"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="mta-", dir=folder))
        self.dir.chmod(0o755)
        self.socket = self.dir / "mta.sock"
        self.log_path = self.dir / "mta.log"
        self.config = self.dir / "mailbrake.conf"
        self.process = None

    def configure(self, kind, config_directory):
        words = f'type = "{kind}"; config_directory = "{config_directory}"; helper = "{self.socket}";'
        self.config.write_text(f"mta = {{ {words} }};\n")
        return self

    def start(self, *options, before=(), **more):
        """before: words in front of the program's own."""
        options = options or ("--listen", "--user", USER)
        command = [*before, self.program, "-c", self.config, *options]
        environment = {k: v for k, v in os.environ.items() if k != "JOURNAL_STREAM"}
        mark = len(self.text())
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log},
                **{"env": environment, **more},
            )
        wait_until(
            lambda: self.process.poll() is not None or "ready" in self.text()[mark:],
            *(20, "mailbrake-mta does not come up:", self.text),
        )
        return self

    def stop(self):
        """By SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.build.kill(self.process)

    def text(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    # Orders.

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(str(self.socket))
        return connection

    def order(self, line, text=None):
        """A line, and the message text behind it."""
        with self.connect() as connection:
            connection.sendall(line.encode() + b"\n" + (text or "").encode())
            if text is not None:
                with contextlib.suppress(OSError):  # the answer may be there before
                    connection.shutdown(socket.SHUT_WR)
            return read_answer(connection)

    def raw(self, data):
        """Bytes as they are, then the end. The helper may hang up before it has them all."""
        with self.connect() as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return read_answer(connection)

    def order_as(self, user, group, line):
        """The same by another user."""
        client = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
        done = subprocess.run(
            [*client, sys.executable, "-c", CLIENT, self.socket],
            **{"input": line.encode() + b"\n", "capture_output": True, "timeout": 60},
        )
        assert done.returncode == 0, done.stderr
        return Answer(done.stdout)

    def list(self):
        """What is in the queue, by queue id."""
        answer = self.order("list")
        entries = [json.loads(line) for line in answer.body]
        assert answer.last == f"ok {len(entries)}", answer
        return {entry["queue_id"]: entry for entry in entries}


def read_answer(connection):
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return Answer(data)


def hold_id_of(held):
    return f"hold_id={held.brake['id']}"


@pytest.fixture
def helper(build, folder):
    helper = Helper(build, folder)
    yield helper
    helper.kill()
    assert not re.search(SANITIZERS, helper.text()), helper.text()


@pytest.fixture
def helped(postfix, mailbraked, build, helper):
    """A relay with the helper beside it, mail.helper, which mailbraked knows nothing of;
    see Mailbraked.configure."""

    def make(started=True, **configuration):
        lists_for_postfix(postfix, lists=configuration.get("lists"))
        daemon = mailbraked(dict(MEMORY), milter_socket=postfix.milter_socket, **configuration)
        daemon.allow_log(r"mailbrake-mta")
        mail = Relay(postfix, daemon, build)
        mail.helper = helper.configure("postfix", postfix.config)
        if started:
            helper.start()
            assert helper.process.poll() is None, helper.text()
        return mail

    return make


class Setting:
    """A Postfix setting for a while. Commands read it when they start, daemons when told."""

    def __init__(self, postfix, name, value, reload=False):
        self.postfix, self.name, self.value, self.reload = postfix, name, value, reload

    def __enter__(self):
        self._change("-e", f"{self.name}={self.value}")

    def __exit__(self, *_):
        self._change("-X", self.name)

    def _change(self, *words):
        self.postfix._run("postconf", *words)
        if self.reload:
            self.postfix._run("postfix", "reload")
            time.sleep(1)


def age(seconds):
    """Lets mail grow old; Postfix counts whole seconds."""
    time.sleep(seconds)
