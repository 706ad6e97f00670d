"""Senders, recipients and purposes that are written to do harm: through a real Postfix into
the hold queue, and from there to everything that people and programs read."""

import json
import os
import re
import socket
import subprocess
import threading
import time

from helper import OTHER, helped, helper  # noqa: F401, fixtures
from postfix import wait_until
from stores import memory_only
from test_admin import ANN, BOB, CLASS, administered  # noqa: F401, a fixture

ADMIN = "postmaster@district.example"
HOLD_ALL = '{ name = "all"; from_not = ["<>"]; reach_over = 0; action = "quarantine"; reason = "<b>No</b>."; }'

LOCAL_PARTS = [
    b'"<script>alert(1)</script>"',
    b'"><img/src=x/onerror=alert(1)>"',
    b'"\x1b[2J\x1b]0;owned\x07"',
    b'"a\xe2\x80\xaegpj.exe"',  # RIGHT-TO-LEFT OVERRIDE
    b'"\xff\xfe\xc3"',
    b'"nul\x00byte"',
    b'"tab\tand%n%s"',
    b"'$(reboot)`id`;|&",
    b"x" * 900,
]


def say(session, line):
    """A command as it is, byte by byte; the reply's code."""
    session.sock.sendall(line + b"\r\n")
    return session.getreply()[0]


def submit(mail, sender, recipients, headers=b""):
    """One message; True when it was accepted."""
    session = mail.connect()
    codes = [say(session, b"MAIL FROM:<" + sender + b"> SMTPUTF8")]
    if codes[0] != 250:
        codes = [say(session, b"MAIL FROM:<" + sender + b">")]
    codes += [say(session, b"RCPT TO:<" + r + b">") for r in recipients]
    accepted = all(code == 250 for code in codes) and say(session, b"DATA") == 354
    if accepted:
        session.sock.sendall(headers + b"\r\nHello.\r\n.\r\n")
        accepted = session.getreply()[0] == 250
    session.quit()
    return accepted


def teacher(number):
    return f"teacher-{number}@district.example"


def submit_all(mail):
    """Each as a sender, then as a recipient beside a list, from a teacher of its own; how many
    came through."""
    mail.postfix.allow_log("Illegal address syntax")
    headers = b"".join(
        name + b": " + local + b"@elsewhere.example\r\n"
        for local in LOCAL_PARTS
        for name in (b"Subject", b"To", b"From", b"References", b"X-Mailbrake")
    )
    through = 0
    for number, local in enumerate(LOCAL_PARTS):
        through += submit(mail, local + b"@elsewhere.example", [CLASS.encode()], headers)
        through += submit(mail, teacher(number).encode(), [local + b"@district.example", CLASS.encode()], headers)
    return through


def harmless(data):
    """Nothing but printable ASCII and line ends."""
    found = re.search(rb"[^\n -~]", data if isinstance(data, bytes) else data.encode())
    return found is None


def assert_harmless(*texts):
    for text in texts:
        assert harmless(text), text


def looked_at(mail):
    """What the administrator's command shows, as text and as JSON."""
    holds = mail.holds()
    incidents = mail.json("incidents")["incidents"]
    words = [["quarantine", "list"], ["incidents"], ["audit"], ["status"], ["brake", "list"], ["lists"]]
    words += [["quarantine", "show", hold["id"]] for hold in holds]
    words += [["incidents", "show", incident["id"]] for incident in incidents]
    texts = [mail.ok(*w) if w[0] != "incidents" else mail.run(*w).stdout for w in words]
    return texts, [mail.ok_json(*w) for w in words]


@memory_only
def test_hostile_words_do_no_harm(administered):  # noqa: F811
    mail = administered(rules=HOLD_ALL, lists={"class": ["p1", "p2"], '"<b>list</b>"': ["p1", "p2"]})
    assert submit_all(mail) >= 10
    assert submit(mail, ANN.encode(), [b'"<b>list</b>"@district.example'])
    mail.run("brake", "set", "all", "--reason", "<script>alert(1)</script> \\ %n", "--for", "1h")
    purpose = b"\x1b[31m<script>\xe2\x80\xae\xff\xfe\n{}"
    holds = mail.holds()
    mail.run("quarantine", "show", holds[0]["id"], "--purpose", purpose)
    mail.run("limits", "show", "sender:<script>\x1b[2J\u202e@x.example")
    mail.run("brake", "clear", "sender:\x1b[2J")
    texts, documents = looked_at(mail)
    assert_harmless(*texts, *documents)
    for document in documents:
        json.loads(document)
    for path in ("/v1/holds", "/v1/incidents", "/v1/audit", "/v1/status", "/metrics"):
        code, answer = mail.api("GET", path)
        assert code == 200
        assert_harmless(answer if isinstance(answer, str) else json.dumps(answer))
    assert_harmless(mail.daemon.text(), mail.audit_file.read_bytes())
    assert all(isinstance(json.loads(line), dict) for line in mail.audit_file.read_text().splitlines())
    table = mail.ok("quarantine", "list").splitlines()
    assert len(table) == 1 + len(holds) + 1  # a line each, head and sum


@memory_only
def test_a_key_that_is_shown_can_be_typed(administered):  # noqa: F811
    mail = administered(rules=HOLD_ALL)
    local = b"a.rather.long.name.of.a.principal.who.writes.to.many.and.has.a.lot.of.titles.too"
    assert submit(mail, local + b"@elsewhere.example", [CLASS.encode()])
    assert submit(mail, b'"two words"@elsewhere.example', [CLASS.encode()])
    table = mail.run("incidents").stdout
    incidents = mail.json("incidents")["incidents"]
    assert [incident["key"] for incident in incidents if incident["key"] not in table] == []
    key = incidents[0]["key"]
    assert local.decode() in key
    mail.run("brake", "set", key, "--for", "1h", "--reason", "No. " * 40)
    assert key in mail.run("brake", "list").stdout
    mail.run("limits", "reset", key)
    assert key in mail.run("audit").stdout
    assert mail.run("brake", "clear", key).returncode == 0


@memory_only
def test_notices_of_hostile_mail_are_plain(administered):  # noqa: F811
    told = {"to": [ADMIN], "tell_sender": True, "command": "COMMAND"}
    mail = administered(rules=HOLD_ALL, notify=told)
    mail.daemon.allow_log("no such program")
    kept = mail.daemon.dir / "noticed"
    command = mail.daemon.dir / "notice"
    command.write_text(f'#!/bin/sh\n{{ printf "%s\\n" "$@"; env | grep -i mailbrake; cat; }} >>{kept}\n')
    command.chmod(0o755)
    text = mail.daemon.config.read_text()
    mail.daemon.config.write_text(text.replace('"COMMAND"', f'"{command}"'))
    mail.ok("reload")
    through = submit_all(mail)
    incidents = mail.json("incidents")["incidents"]
    wait_until(
        lambda: sum(d.recipients == [ADMIN] for d in mail.delivered()) >= min(len(incidents), 10),
        *(40, "too few notices:", mail.daemon.text),
    )
    wait_until(kept.exists, 20, "no command")
    for hold in mail.holds():
        mail.ok("quarantine", "refuse", hold["id"])
    letters = [d for d in mail.delivered() if d.sender == ""]
    refusals = [d for d in letters if d["Subject"] == "Your message was refused"]
    teachers = [[teacher(number)] for number in range(len(LOCAL_PARTS))]
    assert all(d.recipients in teachers for d in refusals) and through > len(refusals) >= 5
    for letter in letters:
        headers = b"".join(letter[name].encode() for name in ("From", "To", "Subject", "Message-ID"))
        assert_harmless(headers, letter.message.get_payload(decode=True))
        assert letter.message.get_content_type() == "text/plain"
        assert letter.recipients in ([ADMIN], *teachers)
    assert_harmless(kept.read_bytes())
    body = "".join(d.message.get_payload() for d in refusals)
    assert "<script>alert(1)</script>" in body and "\\xe2\\x80\\xae" in body


# Rights, strangers' words, and a socket under siege.

AS_NOBODY = ["setpriv", f"--reuid={OTHER}", "--clear-groups", "--regid=nogroup"]

IDLER = """
import socket, sys, time
peers = [socket.socket(socket.AF_UNIX) for _ in range(100)]
for peer in peers:
    peer.connect(sys.argv[1])
print("there", flush=True)
time.sleep(60)
"""


def test_a_peer_without_rights_is_told_and_written_down(administered):
    mail = administered()
    done = subprocess.run(
        [*AS_NOBODY, "curl", "-s", "--unix-socket", mail.socket, "http://x/v1/status", "-w", "%{http_code}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.endswith("403") and "is not allowed" in done.stdout
    (entry,) = mail.audit("connect")
    assert entry["user"] == OTHER and "refused" in entry["result"]


def test_a_hundred_idle_strangers_keep_no_administrator_out(administered):
    mail = administered()
    command = [*AS_NOBODY, "/usr/bin/python3", "-c", IDLER, mail.socket]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as crowd:
        try:
            assert crowd.stdout.readline() == "there\n"
            for _ in range(10):
                begun = time.monotonic()
                mail.ok("status")
                assert time.monotonic() - begun < 5
        finally:
            crowd.kill()


def test_strangers_words_are_harmless(administered):
    mail = administered()
    senders = ['"<script>alert(1)</script>"@elsewhere.example', '"%n\\"x"@elsewhere.example']
    for sender in senders:
        mail.hold(frm=sender)
    outputs = [mail.ok("quarantine", "list"), mail.ok("incidents"), mail.ok_json("quarantine", "list")]
    outputs += [mail.ok("quarantine", "show", hold["id"]) for hold in mail.holds()]
    outputs.append(mail.ok("incidents", "show", mail.holds()[0]["incident"]))
    for output in outputs:
        assert re.fullmatch(r"[\n -~]*", output), output
    for hold in mail.holds():
        mail.ok("quarantine", "release", hold["id"])
    assert mail.delivered().copies == 10


def test_a_siege_of_the_control_socket_leaves_the_daemon_alone(administered):
    mail = administered()
    until = time.monotonic() + 5

    def besiege(data):
        while time.monotonic() < until:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(0.2)
                try:
                    peer.connect(str(mail.socket))
                    peer.sendall(data)
                    peer.recv(100)
                except OSError:
                    pass

    attacks = [
        os.urandom(4096),
        b"GET /v1/status HTTP/1.1\r\nHost",
        b"GET / HTTP/1.1\r\nX: " + b"a" * (1 << 20),
        b"POST /v1/reload HTTP/1.1\r\nContent-Length: 99\r\n\r\n{",
    ]
    threads = [threading.Thread(target=besiege, args=(data,)) for data in attacks]
    for thread in threads:
        thread.start()
    sent = 0
    while time.monotonic() < until:
        assert mail.send(BOB, ANN).accepted
        sent += 1
    for thread in threads:
        thread.join()
    assert sent > 5 and mail.daemon.is_running()
    assert mail.json("status")["verdicts"]["accept"] == sent
