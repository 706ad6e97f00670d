"""mailbrake-console under test: the page's process, for one person or behind a proxy, and a
browser that says exactly what a story wants said.

    page = console(mail)
    assert page.enter() == 204
    assert page.get("/v1/status").status == 200
"""

import gzip
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from conftest import ROOT
from mailbraked import SANITIZERS
from postfix import wait_until

APP = ROOT / "console" / "app"

# systemd's part: the socket is descriptor 3.
INHERIT = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execvp(sys.argv[2], sys.argv[2:])
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def as_user(user):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []


class Answer:
    def __init__(self, answer):
        self.status = answer.status
        self.headers = answer.headers
        self.bytes = answer.read()
        packed = answer.headers["Content-Encoding"] == "gzip"
        self.text = (gzip.decompress(self.bytes) if packed else self.bytes).decode()

    @property
    def json(self):
        return json.loads(self.text)


class Process:
    """The program, its log, and what a sanitizer says at its end."""

    def __init__(self, build, folder, words, user=None, **more):
        self.log = pathlib.Path(folder) / f"console-{os.urandom(4).hex()}.log"
        # It lets nobody trace it, and so no LeakSanitizer, but root's.
        options = {"ASAN_OPTIONS": "detect_leaks=0"} if user else {}
        environment = {k: v for k, v in os.environ.items() if k != "JOURNAL_STREAM"} | options
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*as_user(user), *words],
                **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "env": environment},
                **more,
            )

    def text(self):
        return self.log.read_text(errors="replace")

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(20)
        assert not re.search(SANITIZERS, self.text()), self.text()
        return code


def reachable(build, folder):
    """The program and the page where any user can read them, even if this tree lies in root's home."""
    place = pathlib.Path(folder) / "console"
    if not place.exists():
        shutil.copytree(APP, place / "app")
        shutil.copy(build.dir / "console" / "mailbrake-console", place)
    return [place / "mailbrake-console", "--app", place / "app"]


class Console(Process):
    """For whoever starts it: user, or root."""

    def __init__(self, build, folder, socket, user=None, idle=None):
        self.port = free_port()
        words = ["--port", str(self.port), "--socket", str(socket)]
        words += ["--idle", idle] if idle else []
        super().__init__(build, folder, [*reachable(build, pathlib.Path(socket).parent), *words], user)
        wait_until(lambda: "#" in self.text(), 20, "no address:", self.text)
        self.url = self.text().splitlines()[0]
        self.token = self.url.partition("#")[2]
        self.host = f"127.0.0.1:{self.port}"
        self.cookie = None

    def ask(self, method, path, body=None, **headers):
        """Only the headers that are named, with - for _; host, cookie unless said to be None."""
        said = {"host": self.host, "cookie": self.cookie, **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        if data is not None:
            said.setdefault("content_length", str(len(data)))
        for name, value in said.items():
            if value is not None:
                connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(data)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    @property
    def marks(self):
        """What our own page says with a change."""
        return {"origin": f"http://{self.host}", "x_mailbrake": "1"}

    def enter(self, token=None):
        answer = self.ask("POST", "/api/session", **self.marks, x_token=self.token if token is None else token)
        if answer.status == 204:
            self.set_cookie = answer.headers["Set-Cookie"]
            self.cookie = self.set_cookie.partition(";")[0]
        return answer.status

    def get(self, path, **headers):
        return self.ask("GET", f"/api{path}", **headers)

    def change(self, method, path, body=None, **headers):
        return self.ask(method, f"/api{path}", body, **{**self.marks, **headers})


class Service(Process):
    """Behind a proxy, as the user console.user."""

    def __init__(self, build, folder, config, user):
        self.socket = pathlib.Path(folder) / f"page-{os.urandom(4).hex()}.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.socket))
        self.socket.chmod(0o666)
        listener.listen(64)
        words = [*reachable(build, folder), "--service", "-c", str(config)]
        inherit = [sys.executable, "-c", INHERIT, str(listener.fileno())]
        super().__init__(build, folder, [*inherit, *words], user, pass_fds=[listener.fileno()])
        listener.close()

    def curl(self, proxy, path, *words):
        """What the proxy's user gets, status and text; a request that is cut off is 0."""
        done = subprocess.run(
            [*as_user(proxy), "curl", "-s", "-w", "\n%{http_code}", "--unix-socket", self.socket]
            + [f"http://mail.district.example{path}", *words],
            **{"capture_output": True, "text": True, "timeout": 60},
        )
        text, _, status = done.stdout.rpartition("\n")
        return int(status), text


@pytest.fixture
def console(build, tmp_path):
    """console(mail, user=None, idle=None)"""
    started = []

    def start(mail, *how, **more):
        started.append(Console(build, tmp_path, mail.socket, *how, **more))
        return started[-1]

    yield start
    codes = [(process.stop(), process.text()) for process in started]
    assert all(code in (0, -signal.SIGKILL) for code, _ in codes), codes


@pytest.fixture
def service(build, folder):
    """service(mail, user)"""
    started = []

    def start(mail, user):
        started.append(Service(build, mail.daemon.dir, mail.daemon.config, user))
        return started[-1]

    yield start
    assert [process.stop() for process in started] == [0 for _ in started], started[0].text()
