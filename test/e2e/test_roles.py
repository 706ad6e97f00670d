"""Who may what: each role does its part and is told what else is missing, and metrics are
for everybody. With users and groups that every Debian has."""

import json
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from helper import helper  # noqa: F401, a fixture
from stores import redis_only
from test_admin import CLASS, administered  # noqa: F401, a fixture

# user: the role that control.roles gives its group
PEOPLE = {"news": "look", "uucp": "decide", "proxy": "brake", "backup": "permit"}
ROLES = {role: [user] for user, role in PEOPLE.items()}
LIMIT = '{ name = "rate"; key = "sender"; limit = "90 messages per 1d"; action = "defer"; },\n'
HOLD_MANY = LIMIT + '{ name = "many"; reach_over = 2; action = "quarantine"; }'


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def relay(administered):  # noqa: F811
    def make(**control):
        return administered(rules=HOLD_MANY, control=control)

    return make


def as_user(user, *words):
    who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
    return subprocess.run([*who, *map(str, words)], capture_output=True, text=True, timeout=60)


def verb(mail, user, *words):
    return as_user(user, mail.command.build.mailbrake, *words, "--socket", mail.socket)


def get(mail, user, path):
    done = as_user(user, "curl", "-s", "--unix-socket", mail.socket, f"http://x{path}")
    return done.stdout


# What each role adds to a look.
PARTS = {
    "decide": [["quarantine", "sync"], ["quarantine", "release", "HOLD"]],
    "brake": [["brake", "set", "login:eve"], ["brake", "clear", "login:eve"]],
    "permit": [
        ["permit", "set", "login:eve", "--copies", "9", "--for", "1h"],
        ["limits", "reset", "login:eve"],
    ],
    "admin": [["reload"]],
}
LOOKS = [
    ["status"],
    ["lists", CLASS],
    ["limits", "show", "login:eve"],
    ["quarantine", "list"],
    ["quarantine", "show", "HOLD"],
    ["incidents"],
    ["brake", "list"],
    ["permit", "list"],
    ["explain", "--from", "ann@district.example", "--to", CLASS],
    ["audit"],
]


@redis_only
def test_each_role_does_its_part_and_is_told_of_the_rest(relay):
    mail = relay(roles=ROLES)
    (hold,) = mail.hold()
    words = lambda line: [hold["id"] if word == "HOLD" else word for word in line]  # noqa: E731
    for user, role in PEOPLE.items():
        who = json.loads(get(mail, user, "/v1/whoami"))
        page = verb(mail, user, "whoami").stdout.split()
        assert page == ["user", user, "roles", *", ".join(who["roles"]).split()]
        assert who["user"] == user and who["roles"] == sorted({"look", role}, key=["look", role].index)
        for line in LOOKS:
            done = verb(mail, user, *words(line))
            assert done.returncode == 0, (user, line, done.stderr)
        for other in PARTS:
            for line in PARTS[other] if other != role else []:
                done = verb(mail, user, *words(line))
                assert done.returncode == 1, (user, line)
                assert f"the role {other} is missing" in done.stderr, (user, line, done.stderr)
    assert [h["state"] for h in mail.holds()] == ["held"]  # nothing was done by the others
    for user, role in PEOPLE.items():
        for line in PARTS.get(role, []):
            done = verb(mail, user, *words(line))
            assert done.returncode == 0, (user, line, done.stderr)
    assert mail.holds() == []
    (release,) = mail.audit("release")
    assert release["user"] == "uucp" and release["result"] == "ok"
    refused = [(e["user"], e["target"], e["result"]) for e in mail.audit("connect")]
    assert ("news", "POST /v1/sync", "refused: the role decide is missing") in refused


@redis_only
def test_a_stranger_gets_metrics_and_nothing_else(relay):
    mail = relay(roles=ROLES)
    (hold,) = mail.hold()
    assert json.loads(get(mail, "games", "/v1/whoami"))["roles"] == []
    assert verb(mail, "games", "whoami").stdout.splitlines()[1] == "roles          none (control.roles)"
    assert 'mailbrake_messages_total{rule="many",verdict="quarantine"} 1' in get(mail, "games", "/metrics")
    assert json.loads(get(mail, "games", "/healthz"))["ok"] is True
    refusal = json.loads(get(mail, "games", "/v1/holds"))
    assert refusal["missing"] == "look" and "is not allowed" in refusal["error"]
    for group in ("mailbrake", "news", "uucp", "proxy", "backup"):
        assert group in refusal["error"]
    assert hold["id"] not in get(mail, "games", f"/v1/holds/{hold['id']}")


@redis_only
def test_roles_change_with_a_reload(relay):
    mail = relay(roles={"look": ["news"]})
    assert verb(mail, "uucp", "status").returncode == 1
    config = mail.daemon.config
    config.write_text(config.read_text().replace('"news"', '"uucp"'))
    mail.ok("reload")
    assert verb(mail, "uucp", "status").returncode == 0
    assert verb(mail, "news", "status").returncode == 1


@redis_only
def test_the_administrators_group_may_everything(relay):
    mail = relay(group="uucp", roles={"look": ["news"]})
    assert json.loads(get(mail, "uucp", "/v1/whoami"))["roles"] == ["look", "decide", "brake", "permit", "admin"]
    assert verb(mail, "uucp", "reload").returncode == 0


@redis_only
def test_metrics_over_tcp(relay):
    port = free_port()
    mail = relay(metrics=f"127.0.0.1:{port}")
    mail.hold()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    assert "mailbrake_holds 1" in text and "district.example" not in text
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/holds", timeout=30)
    assert refused.value.code == 404
    assert mail.audit("connect") == []


@redis_only
def test_a_port_that_is_taken_stops_no_mail(relay):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        mail = relay(metrics=f"127.0.0.1:{port}")
        mail.daemon.allow_log("no metrics at")
        assert f"no metrics at 127.0.0.1:{port}" in mail.daemon.text()
        mail.hold()
