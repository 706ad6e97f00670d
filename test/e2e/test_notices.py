"""Notices go to people who may be written to, can't be forged, and can be pasted from."""

import hashlib
import http.server
import json
import pathlib
import subprocess
import threading
import time

import pytest

from conftest import ROOT
from helper import helped, helper  # noqa: F401, fixtures
from postfix import wait_until
from stores import memory_only
from test_admin import ANN, CLASS, administered  # noqa: F401, a fixture

ADMIN = "postmaster@district.example"
TELL = {"to": [ADMIN], "tell_sender": True}
STRANGER = "10.99.1.2"  # not trusted


def letters(mail, to):
    return [d for d in mail.delivered() if d.sender == "" and to in d.recipients]


def wait_for(mail, to):
    wait_until(lambda: letters(mail, to), 15, f"no notice to {to}:", mail.daemon.text)
    return letters(mail, to)[0]


@memory_only
def test_only_a_sender_who_is_the_login_is_told(administered):  # noqa: F811
    """A list, or a stranger, as MAIL FROM of a login gets nothing: neither while it is held
    nor when it is refused."""
    mail = administered(notify=TELL)
    (list_hold,) = mail.hold(frm=CLASS, login="bob", client=STRANGER)
    (victim_hold,) = mail.hold(frm="victim@gmail.example", login="bob", client=STRANGER)
    (own,) = mail.hold(login=ANN.split("@")[0], client=STRANGER)
    assert "held" in wait_for(mail, ANN)["Subject"]
    for hold in (list_hold, victim_hold, own):
        mail.ok("quarantine", "refuse", hold["id"])
    wait_until(lambda: len(letters(mail, ANN)) == 2, 10, "no refusal")
    written_to = {r for d in mail.delivered() for r in d.recipients}
    assert written_to == {ANN, ADMIN}


@memory_only
def test_a_seal_cannot_be_made_from_the_prefix(administered):  # noqa: F811
    """Without a key_file the hash key comes from store.prefix, which anybody can guess."""
    mail = administered(rules='{ name = "all"; action = "reject"; }')
    key = hashlib.blake2b(b"mailbrake", digest_size=32).digest()
    now = int(time.time() * 1000)
    sealed = f"notice {now} {ANN}".encode()
    digest = hashlib.blake2b(sealed, digest_size=16, key=key).hexdigest()
    headers = {"X-Mailbrake-Notice": f"t={now} h={digest}"}
    assert mail.send("", ANN, headers=headers).code == 550
    verdict = mail.sendmail("<>", ANN, headers=headers)
    assert (verdict.verdict, verdict.rule) == ("reject", "all")


@memory_only
def test_a_strangers_words_are_no_command(administered):  # noqa: F811
    mail = administered(notify=TELL)
    mail.hold(frm="\"x'|reboot|'\"@evil.example", client=STRANGER)
    text = wait_for(mail, ADMIN).message.get_payload()
    assert "mailbrake incidents show" in text
    assert "brake set" not in text


@memory_only
def test_a_notice_that_could_not_go_out_goes_later(administered):  # noqa: F811
    mail = administered(notify=TELL)
    mail.daemon.allow_log("notices:")
    mail.helper.stop()
    mail.hold()
    mail.daemon.expect_log("notices:", timeout=15)
    assert letters(mail, ADMIN) == []
    assert letters(mail, ANN) == []
    mail.helper.start()
    wait_until(
        lambda: letters(mail, ADMIN) and letters(mail, ANN), 75, "no notice:", mail.daemon.text
    )
    assert len(letters(mail, ADMIN)) == len(letters(mail, ANN)) == 1


@memory_only
def test_a_hundred_incidents_are_no_hundred_notices(administered):  # noqa: F811
    mail = administered(notify=TELL, quarantine={"max_per_incident": 500})
    for i in range(25):
        assert mail.send(f"s{i}@else.example", CLASS, client=STRANGER).accepted
    wait_until(
        lambda: any("more incidents" in n["Subject"] for n in letters(mail, ADMIN)), 20, "no sum"
    )
    time.sleep(6)
    assert len(letters(mail, ADMIN)) == 11
    assert len(mail.json("incidents")["incidents"]) == 25


@memory_only
def test_what_was_released_makes_room(administered):  # noqa: F811
    mail = administered(quarantine={"max_per_incident": 3})
    holds = mail.hold(3)
    assert mail.send(ANN, CLASS).code == 550
    for hold in holds:
        mail.ok("quarantine", "release", hold["id"])
    time.sleep(1.2)  # a full incident is known as such for a second
    mail.hold(1)
    (incident,) = mail.json("incidents")["incidents"]
    assert (incident["held"], incident["released"], incident["waiting"]) == (4, 3, 1)


class Chat(http.server.BaseHTTPRequestHandler):
    """What an incoming webhook takes."""

    posts = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posts.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def chat():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat) as server:
        Chat.posts.clear()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@memory_only
def test_a_notice_is_posted_to_a_chat(administered, chat, folder):  # noqa: F811
    """By the example, as it is shipped."""
    webhook = pathlib.Path(folder) / "chat-webhook"
    webhook.write_text(f'url = "http://127.0.0.1:{chat.server_port}/hooks/abc"\n')
    script = ROOT / "doc" / "examples" / "notify-chat.sh"
    command = f"MAILBRAKE_WEBHOOK={webhook} {script}"
    mail = administered(notify={"command": command, "tell_sender": False})
    mail.daemon.allow_log("notify.command: there is no such program")
    (hold,) = mail.hold(frm='"@here <!channel ``` x"@elsewhere.example', client=STRANGER)
    wait_until(lambda: Chat.posts, 15, "nothing was posted", mail.daemon.text)
    ((path, kind, body),) = Chat.posts
    assert (path, kind, list(body)) == ("/hooks/abc", "application/json", ["text"])
    assert f"mailbrake quarantine release --incident {hold['incident']}" in body["text"]
    assert body["text"].startswith("```\n") and body["text"].endswith("\n```")
    assert body["text"].count("`") == 6 and "<" not in body["text"] and "!channel" in body["text"]
    assert subprocess.run([script], input="{}", text=True, env={"MAILBRAKE_WEBHOOK": "/no"}).returncode == 1


@memory_only
def test_a_brake_outlives_a_crash(administered):  # noqa: F811
    mail = administered()
    mail.ok("brake", "set", f"sender:{ANN}", "--for", "1h")
    mail.daemon.kill()
    mail.daemon.start()
    assert mail.send(ANN, "bob@district.example").code == 450
