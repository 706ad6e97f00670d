"""Orders about what is not ordinary: long queue ids, addresses that look like something
else, the mail of a login or a client, and very many messages at once."""

import os
import pty
import subprocess

from helper import Setting, helped, helper  # noqa: F401, fixtures
from postfix import wait_until
from stores import memory_only
from test_admin import ANN, BOB, CLASS, administered  # noqa: F401, fixtures

ODD = [
    "o'brien@district.example",
    "|x@district.example",
    "a`id`$b@district.example",
    "/tmp/x@district.example",
    '"a b"@district.example',
    '"|sh -c \\"x\\" all"@district.example',
    "jürgen@district.example",
]


def send(mail, frm, to, client="10.1.2.3", login=None):
    """As it is typed, whatever it looks like."""
    session = mail.connect(client, login)
    session.command_encoding = "utf-8"
    words = "" if frm.isascii() else " SMTPUTF8"
    code, text = session.docmd("MAIL", f"FROM:<{frm}>{words}")
    assert code == 250, text
    assert session.docmd("RCPT", f"TO:<{to}>")[0] == 250
    code, text = session.data("Subject: odd\r\n\r\nHello.\r\n")
    session.quit()
    return code


@memory_only
def test_a_long_queue_id_may_have_a_z_in_its_time(administered):  # noqa: F811
    mail = administered()
    with Setting(mail.postfix, "enable_long_queue_ids", "yes", reload=True):
        holds = mail.hold(4)
        queue = mail.postfix.queue / "hold"
        for hold in holds[1:]:  # as in the hours when it has
            old = hold["queue_id"]
            place = old.index("z", 10)
            new = old[:4] + "zZ" + old[6:place] + old[place:]
            os.rename(queue / old, queue / new)
        told = mail.json("quarantine", "sync")
        assert (told["in_queue"], told["failed"], told["failures"]) == (4, 0, [])
        held = {hold["id"]: hold for hold in mail.holds()}
        assert set(held) == {hold["id"] for hold in holds}
        assert sum("zZ" in hold["queue_id"][:10] for hold in held.values()) == 3
        page = mail.ok("quarantine", "show", holds[1]["id"])
        line = f"postcat -c {mail.postfix.config} -q {held[holds[1]['id']]['queue_id']}"
        assert line in page
        mail.ok("quarantine", "release", holds[1]["id"])
        mail.ok("quarantine", "refuse", holds[2]["id"])
        mail.ok("quarantine", "delete", holds[3]["id"])
        assert [hold["id"] for hold in mail.holds()] == [holds[0]["id"]]
        mail.ok("quarantine", "release", holds[0]["id"])
        assert mail.delivered().copies >= 10
        assert mail.held() == []
        shown = subprocess.run(line.split(), capture_output=True, check=False)
        assert shown.returncode != 0  # it is gone


@memory_only
def test_whoever_sent_it_is_told_or_not_and_it_is_gone(administered):  # noqa: F811
    mail = administered()
    for frm in ODD:
        assert send(mail, frm, CLASS) == 250
    mail.held()
    holds = mail.holds()
    assert len(holds) == len(ODD) and all(hold["tell"] for hold in holds)
    for hold in holds:
        mail.ok("quarantine", "refuse", hold["id"])
    assert mail.held() == [] and mail.holds() == []
    told = {r for d in mail.delivered() for r in d.recipients}
    assert told == set(ODD)


@memory_only
def test_who_cannot_be_told_is_refused_without_a_letter(administered):  # noqa: F811
    mail = administered()
    assert send(mail, "jürgen@district.example", CLASS) == 250
    mail.held()
    (hold,) = mail.holds()
    with Setting(mail.postfix, "smtputf8_enable", "no"):
        said = mail.ok("quarantine", "refuse", hold["id"])
    assert "its sender could not be told" in said
    assert mail.held() == [] and mail.delivered() == []
    (entry,) = mail.audit("refuse")
    assert entry["result"] == "ok, but its sender could not be told"


@memory_only
def test_nobody_escapes_a_pull_back(administered):  # noqa: F811
    mail = administered(rules="")
    with Setting(mail.postfix, "defer_transports", "lmtp", reload=True):
        for frm in ODD:
            assert send(mail, frm, "x@elsewhere.example") == 250
        assert send(mail, "x1@elsewhere.example", BOB, login="alice") == 250
        assert send(mail, "x2@elsewhere.example", BOB, login="Alice@district.example") == 250
        assert send(mail, ANN, BOB, client="10.9.8.7") == 250
        assert send(mail, ANN, BOB, client="2001:db8::7") == 250
        assert send(mail, BOB, BOB) == 250
        mail.sendmail(ANN, BOB)
        count = len(ODD) + 6
        wait_until(lambda: len(mail.postfix.mailq()) == count, 10, "no mail")
        for frm in ODD:
            said = mail.ok("brake", "set", f"sender:{frm}", "--pull-back")
            assert "1 message still in the queue was put on hold" in said
        for key, pulled in (
            ("login:alice", 2),
            ("client:10.9.8.0/24", 1),
            ("client:2001:db8::/64", 1),
            ("client:local", 1),
        ):
            answer = mail.json("brake", "set", key, "--pull-back")["pulled_back"]
            assert (answer["held"], answer["failed"]) == (pulled, 0), key
        done = mail.run("brake", "set", f"list:{CLASS}", "--pull-back")
        assert done.returncode == 1 and "login:" in done.stderr
        (left,) = [e for e in mail.postfix.mailq() if e["queue_name"] != "hold"]
        assert left["sender"] == BOB
    holds = mail.holds()
    assert len(holds) == count - 1
    for hold in holds:
        mail.ok("quarantine", "delete", hold["id"])
    mail.postfix._run("postqueue", "-f")
    assert {d.sender for d in mail.delivered()} == {BOB}


def on_terminal(mail, *words):
    """What mailbrake(1) prints to a terminal, and its exit code."""
    main, terminal = pty.openpty()
    command = [mail.command.build.mailbrake, *words, "-c", mail.daemon.config]
    process = subprocess.Popen(
        [str(word) for word in command], stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    data = b""
    try:
        while chunk := os.read(main, 65536):
            data += chunk
    except OSError:  # the other end is closed
        pass
    os.close(main)
    return data.decode(), process.wait(30)


@memory_only
def test_many_at_once_say_how_far_they_are(administered):  # noqa: F811
    mail = administered()
    count = 160
    source = ["smtp-source", "-m", str(count), "-s", "10", "-f", ANN, "-t", CLASS]
    subprocess.run([f"/usr/sbin/{source[0]}", *source[1:], f"127.0.0.1:{mail.postfix.port}"], check=True)
    mail.postfix.wait_idle(30)
    wait_until(lambda: len(mail.holds()) == count, 15, "not all have a record")
    (incident,) = {hold["incident"] for hold in mail.holds()}
    said, code = on_terminal(mail, "quarantine", "release", "--incident", incident)
    assert code == 0 and f" of {count}" in said
    assert f"{count} messages released, 0 failed." in said
    assert mail.delivered().copies == 5 * count
    (entry,) = mail.audit("release")
    assert entry["result"] == f"ok, {count} done"
    quiet = mail.run("quarantine", "sync")
    assert quiet.returncode == 0 and " of " not in quiet.stderr


@memory_only
def test_an_incident_that_is_refused_writes_one_letter(administered):  # noqa: F811
    mail = administered()
    holds = mail.hold(5)
    mail.ok("quarantine", "refuse", "--incident", holds[0]["incident"])
    assert mail.held() == []
    (letter,) = mail.delivered()
    assert letter.recipients == [ANN] and letter.sender == ""
    assert "4 more of your messages" in letter.message.get_payload()


@memory_only
def test_a_batch_answers_each_order(administered):  # noqa: F811
    """To the helper itself: what is no id, another message, and twice the same."""
    mail = administered()
    one, two, three = mail.hold(3)
    checks = {hold["id"]: f"{hold['queue_id']} hold_id={hold['id']}" for hold in (one, two, three)}
    lines = [
        "batch",
        "release ALL hold_id=1",
        f"release {checks[one['id']]}",
        f"release {checks[one['id']]}",
        f"release {two['queue_id']} hold_id={three['id']}",
        f"delete {checks[two['id']]}",
        "release ABCDEF123456 hold_id=1",
        "release - hold_id=1",
        "list",
    ]
    answer = mail.helper.raw("\n".join(lines).encode() + b"\n")
    assert answer.lines == [
        "error not a queue id",
        "ok",
        "missing",
        "missing",
        "error a batch has orders of one kind",
        "missing",
        "error not a queue id",
        "error list is not for a batch",
        "ok 8",
    ]
    assert mail.delivered().copies == 5
    assert {held.id for held in mail.held()} == {two["queue_id"], three["queue_id"]}
    for bad in (b"batch\n", b"batch\nlist", b"batch\n" + b"header ABCDEF1\n" * 101):
        assert mail.helper.raw(bad).last.startswith("error ")
    looks = b"batch\nheader %s\nenvelope %s\n" % (two["queue_id"].encode(), b"ABCDEF1")
    found, other, last = mail.helper.raw(looks).lines
    assert f"id={two['id']} " in found and other.startswith("error ") and last == "ok 2"
