"""mailbrake-mta on a real Postfix: what it does to a held message, and that nothing else
in the queue ever moves."""

import os
import pwd
import signal
import socket
import subprocess
import threading
import time

import pytest

from helper import OTHER, USER, Setting, age, helped, helper, hold_id_of  # noqa: F401, fixtures
from mailbraked import people
from postfix import wait_until

GROUP = pwd.getpwnam(USER).pw_gid
ANN, EVE = "ann@district.example", "eve@district.example"
HOLD_MANY = '{ name = "many"; reach_over = 2; action = "quarantine"; }'
NOTICE = f"From: <>\nTo: {ANN}\nSubject: returned\nAuto-Submitted: auto-replied\n\nSorry.\n"


def queue_of(mail):
    return {(e["queue_id"], e["queue_name"], e["arrival_time"]) for e in mail.postfix.mailq()}


def hold(mail, count=1, frm=ANN):
    """Held messages, the one that a test is about first."""
    before = {held.id for held in mail.held()}
    for i in range(count):
        assert mail.send(frm, people(3), headers={"Subject": f"number {i}"}).accepted
    return [held for held in mail.held() if held.id not in before]


def give_back(mail, held):
    """Into the deferred queue, where Postfix leaves it for minutes."""
    mail.postfix._run("postsuper", "-H", held.id)


@pytest.fixture
def held_mail(helped):  # noqa: F811
    """A relay, and a bystander in its hold queue that no test may touch."""
    mail = helped(rules=HOLD_MANY)
    (mail.bystander,) = hold(mail, frm=EVE)
    yield mail
    assert mail.helper.process.poll() is None, mail.helper.text()
    assert mail.bystander.id in [entry["queue_id"] for entry in mail.postfix.held()]


# Seeing.


def test_list_shows_the_queue(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    listed = mail.helper.list()
    assert set(listed) == {held.id, mail.bystander.id}
    (entry,) = [e for e in mail.postfix.mailq() if e["queue_id"] == held.id]
    assert listed[held.id] == {
        "queue_name": "hold",
        "queue_id": held.id,
        "arrival_time": entry["arrival_time"],
        "size": entry["message_size"],
        "sender": ANN,
        "recipients": 3,
    }


def test_list_counts_recipients_in_a_long_line(helped):
    mail = helped(rules=HOLD_MANY, lists={"all": people(3000)})
    assert mail.helper.order("list").lines == ["ok 0"]
    assert mail.helper.order("queue").lines == [f"{mail.postfix.dir}/queue", "ok"]
    assert mail.send("", "all@district.example").accepted
    (held,) = mail.held()
    entry = mail.helper.list()[held.id]
    assert (entry["recipients"], entry["sender"]) == (3000, "")
    assert mail.helper.order(f"release {held.id} sender=<>").last == "ok"
    assert mail.delivered().copies == 3000


@pytest.mark.parametrize(
    "sender",
    [
        b'"<script>alert(1)</script>"@x.example',
        b'"a\\"queue_id\\": \\"b{[}"@x.example',
        b'"\\\\\\""@x.example',
        b'"\xe2\x80\xae\xff\xfe\xed\xa0\x80"@x.example',
        b'"\x1b[2J\x7f\x01"@x.example',
        b"%n%s@x.example",
    ],
    ids=["script", "json", "quotes", "utf-8", "escape", "percent"],
)
def test_list_is_sound_whatever_a_sender_calls_himself(held_mail, sender):
    mail = held_mail
    command = ["/usr/sbin/sendmail", "-C", mail.postfix.config, "-f", sender, "-i", "--"]
    subprocess.run([*command, *people(3)], input=b"Subject: x\n\nx\n", check=True, timeout=30)
    mail.log(2)
    mail.postfix.wait_idle(20)
    mail.daemon.allow_log(r"could not be judged")
    answer = mail.helper.order("list")
    assert answer.last == "ok 2"
    assert all(line.isprintable() for line in answer.lines if "\u202e" not in line)
    listed = mail.helper.list()
    (held,) = set(listed) - {mail.bystander.id}
    assert listed[held]["queue_name"] == "hold" and listed[held]["recipients"] == 3
    (value,) = mail.helper.order(f"header {held}").body
    assert "rule=many" in value
    (check,) = [f"hold_id={word[3:]}" for word in value.split() if word.startswith("id=")]
    assert mail.helper.order(f"delete {held} {check}").last == "ok"


def test_header_shows_our_hold_header_alone(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    answer = mail.helper.order(f"header {held.id}")
    assert answer.lines == [held.headers["X-Mailbrake"], "ok"]
    assert mail.helper.order("header ABCDEF123456").lines == ["missing"]


def test_header_finds_the_hold_header_behind_a_long_header(held_mail):
    mail = held_mail
    long = [(f"X-Filler-{i}", "x" * 900) for i in range(100)]
    assert mail.send(ANN, people(3), headers=[*long, ("Subject", "x")]).accepted
    (held,) = [h for h in mail.held() if h.id != mail.bystander.id]
    assert mail.helper.order(f"header {held.id}").lines == [held.headers["X-Mailbrake"], "ok"]


# Doing.


def test_release_delivers_once_within_five_seconds(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    started = time.monotonic()
    assert mail.helper.order(f"release {held.id} {hold_id_of(held)}").lines == ["ok"]
    copies = mail.delivered(timeout=5)
    assert time.monotonic() - started < 5
    assert copies.by_recipient() == dict.fromkeys(people(3), 1)
    started = time.monotonic()
    again = mail.helper.order(f"release {held.id} {hold_id_of(held)}")
    assert again.lines == ["missing"]
    assert time.monotonic() - started < 0.9  # postcat(1) would sleep for a second
    assert len(mail.log()) == 2  # the bystander and this one, each judged once


def test_a_double_release_delivers_once(held_mail):
    mail = held_mail
    for held in hold(mail, 5):
        answers = []
        line = f"release {held.id} {hold_id_of(held)}"
        both = [
            threading.Thread(target=lambda: answers.append(mail.helper.order(line)))
            for _ in range(2)
        ]
        for one in both:
            one.start()
        for one in both:
            one.join()
        lasts = sorted(answer.last for answer in answers)
        assert "ok" in lasts and lasts != ["ok", "ok"], lasts
        mail.postfix.wait_idle(20)
    assert mail.delivered().by_recipient() == dict.fromkeys(people(3), 5)


def test_old_mail_is_released_with_a_new_life(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    age(3)
    with Setting(mail.postfix, "maximal_queue_lifetime", "4s"):
        started = time.monotonic()
        assert mail.helper.order(f"release {held.id} {hold_id_of(held)}").lines == ["ok"]
        copies = mail.delivered(timeout=5)
    assert time.monotonic() - started < 5
    assert copies.by_recipient() == dict.fromkeys(people(3), 1)
    requeued = f"{held.id}: requeued"
    wait_until(lambda: requeued in mail.postfix.log(), 10, "postlogd does not write it")
    assert len(mail.log()) == 2


def test_delete_removes_it(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    assert mail.helper.order(f"delete {held.id} {hold_id_of(held)}").lines == ["ok"]
    assert [h.id for h in mail.held()] == [mail.bystander.id]
    assert mail.delivered() == []
    assert mail.helper.order(f"delete {held.id} {hold_id_of(held)}").lines == ["missing"]


def test_refuse_tells_the_sender_and_deletes(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    assert mail.helper.order(f"refuse {held.id} {hold_id_of(held)} {ANN}", NOTICE).lines == ["ok"]
    (notice,) = mail.delivered()
    assert (notice.sender, notice.recipients) == ("", [ANN])
    assert notice["Subject"] == "returned"
    assert [h.id for h in mail.held()] == [mail.bystander.id]
    again = mail.helper.order(f"refuse {held.id} {hold_id_of(held)} {ANN}", NOTICE)
    assert again.lines == ["missing"]
    assert len(mail.delivered()) == 1


def test_refuse_without_a_notice(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    assert mail.helper.order(f"refuse {held.id} {hold_id_of(held)} -", "").lines == ["ok"]
    assert [h.id for h in mail.held()] == [mail.bystander.id]
    assert mail.delivered() == []


def test_what_cannot_be_told_is_not_deleted(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    before = queue_of(mail)
    assert mail.helper.order(f"refuse {held.id} {hold_id_of(held)} {ANN}", "").is_error
    with Setting(mail.postfix, "message_size_limit", "2000"):
        answer = mail.helper.order(f"refuse {held.id} {hold_id_of(held)} {ANN}", NOTICE * 40)
    assert answer.is_error and "too big" in answer.last
    mail.postfix.allow_log(r"too (big|large)|close error")
    assert queue_of(mail) == before
    assert mail.delivered() == []


def test_notice_goes_to_each(held_mail):
    mail = held_mail
    assert mail.helper.order(f"notice {ANN} {EVE}", NOTICE).lines == ["ok"]
    (notice,) = mail.delivered()
    assert (notice.sender, sorted(notice.recipients)) == ("", [ANN, EVE])
    assert mail.helper.order(f"notice {ANN}", "").is_error
    assert mail.helper.order(f"notice {ANN}", "x" * 65537).is_error
    assert len(mail.delivered()) == 1


def test_hold_stops_what_waits_in_the_queue(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    assert mail.helper.order(f"hold {held.id} sender={ANN}").is_error  # it is held
    give_back(mail, held)
    assert mail.helper.list()[held.id]["queue_name"] == "deferred"
    assert mail.helper.order(f"release {held.id} {hold_id_of(held)}").is_error  # it is not
    assert mail.helper.order(f"delete {held.id} {hold_id_of(held)}").is_error
    assert mail.helper.order(f"hold {held.id} sender={EVE}").last == "missing"
    assert mail.helper.list()[held.id]["queue_name"] == "deferred"
    assert mail.helper.order(f"hold {held.id} sender=Ann@District.example").lines == ["ok"]
    assert mail.helper.list()[held.id]["queue_name"] == "hold"
    assert mail.helper.order("hold ABCDEF123456 sender=<>").lines == ["missing"]
    assert mail.helper.order(f"release {held.id} sender={ANN}").lines == ["ok"]
    assert mail.delivered().copies == 3


# What it must not do.


def test_what_is_no_queue_id_moves_nothing(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    give_back(mail, held)
    before = queue_of(mail)
    check = hold_id_of(mail.bystander)
    inside = [f"hold/{mail.bystander.id}", f"{mail.bystander.id}*"]
    for queue_id in ["ALL", "-", "", "--help", "-d", "../x", *inside]:
        lines = [f"{verb} {queue_id} {check}" for verb in ("release", "delete", "hold")]
        answers = [mail.helper.order(line) for line in [*lines, f"header {queue_id}"]]
        answers.append(mail.helper.order(f"refuse {queue_id} {check} -", ""))
        assert {answer.last for answer in answers} == {"error not a queue id"}
    assert queue_of(mail) == before
    mail.postfix._run("postsuper", "-d", held.id)


@pytest.mark.parametrize("verb", ["release", "delete", "refuse"])
def test_another_message_of_that_id_does_not_move(held_mail, verb):
    """As if the id had been used again for the bystander."""
    mail = held_mail
    (held,) = hold(mail)
    before = queue_of(mail)
    more, text = (" " + ANN, NOTICE) if verb == "refuse" else ("", None)
    for check in (hold_id_of(held), "hold_id=0", f"sender={ANN}", "sender=<>"):
        assert mail.helper.order(f"{verb} {mail.bystander.id} {check}{more}", text).lines == [
            "missing"
        ]
    assert mail.helper.order(f"{verb} ABCDEF123456 {hold_id_of(held)}{more}", text).lines == [
        "missing"
    ]
    assert queue_of(mail) == before
    assert mail.delivered() == []
    assert "it has another hold id" in mail.helper.text()


def test_a_message_without_a_hold_header_or_with_two_does_not_move(helped):  # noqa: F811
    """Mail that is not judged here, held by Postfix itself."""
    mail = helped(rules=HOLD_MANY, relays=["client:10.9.9.9"])
    two = [("X-Mailbrake", "id=aa rule=x"), ("X-Mailbrake", "id=bb rule=x")]
    with Setting(mail.postfix, "header_checks", "regexp:{ {/^X-Hold:/ HOLD} }", reload=True):
        for hold_headers in ([], two):
            headers = [("X-Hold", "please"), *hold_headers]
            assert mail.send(ANN, EVE, client="10.9.9.9", headers=headers).accepted
        held = mail.held()
    before = queue_of(mail)
    assert len(before) == 2
    said = {mail.helper.order(f"release {h.id} hold_id=aa").last for h in held}
    assert said == {
        "error the message has no X-Mailbrake field",
        "error the message has more than one X-Mailbrake field",
    }
    assert [mail.helper.order(f"header {h.id}").lines[:-1] for h in held if h.headers["X-Mailbrake"]]
    assert queue_of(mail) == before
    assert mail.helper.order(f"delete {held[0].id} sender={ANN}").last == "ok"


# Who may, and what may come.


def test_others_are_refused_and_logged(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    before = queue_of(mail)
    line = f"delete {held.id} {hold_id_of(held)}"
    assert mail.helper.order_as(OTHER, GROUP, line).lines == ["error not allowed"]
    assert mail.helper.order_as(OTHER, GROUP, "list").lines == ["error not allowed"]
    assert queue_of(mail) == before
    assert "uid 65534 is not allowed" in mail.helper.text()
    assert mail.helper.order_as(USER, GROUP, line).lines == ["ok"]


def test_the_socket_is_for_the_group_alone(held_mail):
    info = os.stat(held_mail.helper.socket)
    assert (info.st_mode & 0o777, info.st_uid) == (0o660, 0)
    assert info.st_gid == GROUP


def test_each_order_is_logged(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    mail.helper.order(f"release {held.id} {hold_id_of(held)}")
    mail.helper.order(f"notice {ANN}", NOTICE)
    mail.helper.order("release ALL hold_id=1")
    log = mail.helper.text()
    assert f"uid=0 order=release qid={held.id} {hold_id_of(held)} result=ok" in log
    assert "order=notice result=ok" in log
    assert 'result="error not a queue id"' in log
    assert ANN not in log
    mail.delivered()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"list",
        b"list\nlist\n",
        b"\0" * 100 + b"\n",
        b"list\r\n",
        b"x" * 8193 + b"\n",
        b"x" * (1 << 20),
        b"header " + b"A" * (1 << 20) + b"\n",
        os.urandom(5000) + b"\n",
        b"\xff\xfe{}\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=range(12),
)
def test_nonsense_is_refused(held_mail, data):
    mail = held_mail
    before = queue_of(mail)
    assert mail.helper.raw(data).last.startswith("error ")
    assert mail.helper.order("list").last == "ok 1"
    assert queue_of(mail) == before


def test_silence_is_cut_short(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    with mail.helper.connect() as half:
        half.sendall(f"delete {held.id} {hold_id_of(held)}".encode())
        started = time.monotonic()
        assert mail.helper.order("list").last == "ok 2"  # waits its turn
        assert 4 < time.monotonic() - started < 9
        assert half.recv(1000) == b"error the order did not come in time\n"
    assert held.id in mail.helper.list()


def test_who_hangs_up_has_given_up_the_order(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    mail.helper.process.send_signal(signal.SIGSTOP)
    with mail.helper.connect() as connection:
        connection.sendall(f"delete {held.id} {hold_id_of(held)}\n".encode())
    mail.helper.process.send_signal(signal.SIGCONT)
    assert held.id in mail.helper.list()
    assert "the peer has hung up" in mail.helper.text()


# Its life.


def test_sigterm_waits_for_the_order(held_mail):
    mail = held_mail
    (held,) = hold(mail)
    with mail.helper.connect() as connection:
        connection.sendall(b"delete ")
        time.sleep(0.3)
        mail.helper.process.send_signal(signal.SIGTERM)
        connection.sendall(f"{held.id} {hold_id_of(held)}\n".encode())
        assert connection.recv(1000) == b"ok\n"
    assert mail.helper.process.wait(10) == 0
    assert not mail.helper.socket.exists()
    mail.helper.start()


def test_it_runs_without_standard_files(helped):  # noqa: F811
    mail = helped(started=False, rules=HOLD_MANY)
    closed = ["/bin/sh", "-c", 'exec "$@" <&- >&-', "sh"]
    mail.helper.start("--listen", "--user", USER, before=closed)
    (held,) = hold(mail)
    assert mail.helper.order(f"refuse {held.id} {hold_id_of(held)} {ANN}", NOTICE).lines == ["ok"]
    (notice,) = mail.delivered()
    assert notice["Subject"] == "returned"


def test_one_listens_and_a_stale_socket_is_removed(held_mail):
    helper = held_mail.helper  # noqa: F811
    options = ["-c", helper.config, "--listen", "--user", USER]
    second = subprocess.run([helper.program, *options], capture_output=True, text=True, timeout=20)
    assert second.returncode == 1 and "another program is listening there" in second.stderr
    assert helper.order("list").last == "ok 1"
    helper.kill()
    assert helper.socket.exists()
    helper.start()
    assert helper.order("list").last == "ok 1"
    assert helper.stop() == 0
    helper.socket.write_text("not a socket")
    helper.start()
    assert helper.process.wait(10) == 1
    assert helper.socket.read_text() == "not a socket"
    helper.socket.unlink()
    helper.start()


def test_systemd_hands_over_the_socket(helped):  # noqa: F811
    mail = helped(started=False, rules=HOLD_MANY)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(mail.helper.socket))
        listening.listen()
        mail.helper.start(
            "--user",
            USER,
            before=["/bin/sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "sh"],
            pass_fds=[3],
            preexec_fn=lambda: os.dup2(listening.fileno(), 3),
        )
    assert mail.helper.order("list").last == "ok 0"
    assert mail.helper.stop() == 0
    assert mail.helper.socket.exists()  # it is systemd's
    mail.helper.start("--user", USER)
    assert mail.helper.process.wait(10) == 1
    assert "use --listen" in mail.helper.text()


def test_a_bad_configuration_is_told(helper):  # noqa: F811
    config = helper.config
    config.write_text('rules = 7;\nmta = { helper = 3;\n type = "exim"; };\n')
    helper.start("--listen")
    assert helper.process.wait(10) == 1
    assert f"{config}:2: " in helper.text() and f"{config}:3: " in helper.text()
    assert f"{config}:1: " not in helper.text()  # rules are mailbraked's alone
    config.write_text("mta = { helper = ; };\n")
    helper.start("--listen")
    assert helper.process.wait(10) == 1
    assert f"{config}:1: syntax error" in helper.text()
