"""Lists of a real Mailman 3, read through its REST API as it is, cut off, hanging or
answering something else."""

import http.server
import json
import pathlib
import re
import ssl
import threading
import time
import urllib.error
import urllib.request

import pytest

from mailbraked import Command, Mailbraked, people
from mailman import PASSWORD, USER, Mailman
from postfix import wait_until
from slapd import Authority
from stores import MEMORY, memory_only

ANN = "ann@district.example"
CLASS = "class@district.example"
BIG = "big@lists.district.example"
CAP_10 = '{ name = "small"; reach_over = 10; action = "reject"; }'


@pytest.fixture(scope="module")
def mailman(folder):
    server = Mailman(folder / "mailman").start()
    server.make_list(CLASS, people(14))
    server.make_list(CLASS, ["head@district.example", "p1@district.example"], "owner")
    server.make_list(CLASS, ["head@district.example", "p2@district.example"], "moderator")
    server.set(CLASS, "p3@district.example", delivery_mode="plaintext_digests")
    server.set(CLASS, "p4@district.example", delivery_status="by_user")
    server.set(CLASS, "p5@district.example", delivery_status="by_bounces")
    yield server
    server.stop()


class Between(http.server.ThreadingHTTPServer):
    """Passes requests on to Mailman, each only once, and gives its answers. left: bytes of
    all answers together, with their headers, until the connection is lost, when cut is set;
    fault: what each answer is instead; measured: whether answers say how long they are."""

    daemon_threads = True

    def __init__(self, mailman):
        super().__init__(("127.0.0.1", 0), Handler)
        self.mailman, self.left, self.fault, self.sent = mailman, None, None, 0
        self.measured, self.cut, self.answers = True, threading.Event(), {}
        self.url = f"http://127.0.0.1:{self.server_port}/3.1"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def cut_after(self, count):
        self.cut.clear()
        self.left = count
        self.measured = count % 2 == 0


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.server.fault == "hang":
            time.sleep(5)
            return
        if self.server.fault is not None:
            self.answer(*self.server.fault)
            return
        if self.path not in self.server.answers:
            self.server.answers[self.path] = self.ask()
        self.answer(*self.server.answers[self.path])

    def ask(self):
        url = f"http://127.0.0.1:{self.server.mailman.port}{self.path}"
        request = urllib.request.Request(url, headers={"Authorization": self.headers["Authorization"]})
        try:
            with urllib.request.urlopen(request, timeout=20) as passed:
                return passed.status, passed.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def answer(self, code, body):
        length = f"Content-Length: {len(body)}\r\n" if self.server.measured else ""
        answer = f"HTTP/1.0 {code} Answer\r\n{length}\r\n".encode() + body
        left = self.server.left
        if left is not None:
            self.server.left -= min(left, len(answer))
        self.server.sent += len(answer[:left])
        self.wfile.write(answer[:left])
        if left is not None and left < len(answer):
            self.server.cut.set()


@pytest.fixture
def between(mailman):
    server = Between(mailman)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def source(between, folder):
    password = folder / "mailman.password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    return {
        "mailman": between.url,
        "user": USER,
        "password_file": str(password),
        "request_timeout": "1s",
        "refresh": "1s",
    }


@memory_only
def test_a_post_to_a_list_of_mailman_counts_whom_it_is_delivered_to(relay, source):
    mail = relay(rules=CAP_10, sources=[source], postfix_lists={"lists": {"class": people(14)}})
    mail.daemon.allow_log("being read for the first time")
    mail.expect_log("was read: 1 list with 12 members in")
    wait_until(lambda: mail.explain(ANN, CLASS)["reach"] == 12, 20, "Mailman is not read")
    refused = mail.send(ANN, CLASS)  # p3 in a digest, but neither p4 nor p5
    assert refused.code == 550 and "(reach 12, limit 10)" in refused.text
    owners = mail.explain(ANN, "class-owner@district.example")
    assert owners["reach"] == 3  # head, p1, p2


def test_whatever_mailman_fails_at_makes_no_list_smaller(mailbraked, build, between, source):
    daemon = mailbraked(dict(MEMORY), rules=CAP_10, sources=[source])
    command = Command(build, daemon.config)

    def listed():
        lists = json.loads(command.run("lists", "--json").stdout)["lists"]
        return {entry["address"]: (entry["size"], entry["state"]) for entry in lists}.get(CLASS)

    wait_until(lambda: listed() == (12, "ok"), 20, "Mailman is not read")
    daemon.allow_log(re.escape(between.url))
    for fault, words in (
        ((401, b"{}"), "doesn't accept this user and password"),
        ((500, b"Traceback"), "the server answers 500 to /lists"),
        ((200, b"<html>"), "is not JSON"),
        ((200, b'{"start": 0, "total_size": 1}'), "entries are missing"),
        ("hang", "no complete answer within 1.0 s"),
    ):
        between.fault = fault
        wait_until(lambda: listed() == (12, "stale"), 20, "not read, but not stale")
        (unread,) = json.loads(command.run("status", "--json").stdout)["lists"]["unread"]
        assert unread.startswith(between.url) and "never" not in unread
        assert words in command.check().stderr
    between.fault = None
    wait_until(lambda: listed() == (12, "ok"), 20, "it does not come back by itself")
    failures = [line for line in daemon.lines() if "last read successfully" in line]
    assert "(401)" in failures[0]
    assert len(failures) == len(set(failures))  # one line for each reason, however often


@memory_only
def test_a_server_that_was_never_read_is_named(relay, source, between):
    between.fault = (500, b"")
    mail = relay(rules=CAP_10, sources=[source])
    mail.daemon.allow_log(re.escape(between.url))
    why = f"{between.url}: the server answers 500 to /lists"
    wait_until(lambda: why in mail.command.run("status").stdout, 20, "no word of it in status")
    assert "never read, so its lists are unknown" in mail.command.run("status").stdout
    assert mail.send(ANN, CLASS).code == 450


def test_a_password_that_anybody_can_read_is_warned_of(build, folder, source):
    path = folder / "open-mailman"
    path.mkdir()
    daemon = Mailbraked(build, path)
    daemon.configure(dict(MEMORY), sources=[source])
    command = Command(build, daemon.config)
    password = pathlib.Path(source["password_file"])
    password.chmod(0o644)
    checked = command.check()
    assert f"{password}: warning: anybody on this machine can read" in checked.stderr
    assert checked.returncode == 0 and "1 list with 12 members in" in checked.stdout


def test_a_certificate_that_nobody_vouches_for_is_refused(build, folder, between, source):
    path = folder / "strange-mailman"
    path.mkdir()
    certificate, key = Authority(path / "ca").sign("mailman")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    between.socket = context.wrap_socket(between.socket, server_side=True)
    url = between.url.replace("http:", "https:")
    daemon = Mailbraked(build, path)
    daemon.configure(dict(MEMORY), sources=[{**source, "mailman": url}])
    checked = Command(build, daemon.config).check()
    assert checked.returncode == 1 and not between.sent
    assert f"{url}: its certificate is not accepted: " in checked.stderr
    assert "unable to get local issuer certificate" in checked.stderr


def test_a_read_that_is_cut_anywhere_makes_no_list_smaller(mailbraked, build, mailman, between, source):
    mailman.fill(BIG, 1100)  # two pages
    daemon = mailbraked(dict(MEMORY), rules=CAP_10, sources=[{**source, "request_timeout": "15s"}])
    command = Command(build, daemon.config)
    whole = {CLASS: 12, "class-owner@district.example": 3, BIG: 1100}

    def listed():
        lists = json.loads(command.run("lists", "--json").stdout)["lists"]
        return {entry["address"]: entry["size"] for entry in lists}

    wait_until(lambda: listed() == whole, 60, "Mailman is not read")
    assert any("page=2" in path for path in between.answers)
    daemon.allow_log(re.escape(between.url))
    total = sum(len(body) for _, body in between.answers.values())
    for count in [*range(0, 60, 9), *range(99, total, total // 35)]:
        between.cut_after(count)
        assert command.run("reload").returncode == 0
        assert between.cut.wait(20), count
        assert listed() == whole, count
    check = command.check()
    assert check.returncode == 1 and between.url in check.stderr
    between.left = None
    wait_until(lambda: "stale" not in command.run("lists").stdout, 20, "it does not come back by itself")
    assert listed() == whole
