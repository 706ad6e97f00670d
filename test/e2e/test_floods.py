"""What must not break a quarantine: floods of mail, strangers at the control socket, and
Mailbrake's own notices."""

import collections
import json
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

import pytest

import milter
from helper import helper  # noqa: F401, a fixture
from mailbraked import Command, people
from postfix import wait_until
from stores import MEMORY, memory_only, redis_only, redis_settings
from test_admin import ANN, BOB, CLASS, HOLD_MANY, STRANGER, administered  # noqa: F401

ADMIN, DEPUTY = "postmaster@district.example", "deputy@school.example"
TELL_ADMIN = {"to": [ADMIN], "tell_sender": False}
# Postfix looks at the clock once a second, a tmpfs more often.
HURRIED = "file system clock is 1 seconds ahead|resetting file time stamps"
NOTICE_S = 12  # a notice is looked for every 5 s; the rest is for a slow machine


class Connection:
    """SMTP as a script speaks it: all it has in one piece, one answer awaited a message."""

    def __init__(self, port, client="10.1.2.3"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.stream = self.socket.makefile("rb")
        self._answer()
        # Postfix 3.9 hangs up on a client that doesn't wait for the answer to EHLO.
        for command in ("EHLO x", f"XCLIENT ADDR={client} NAME=[UNAVAILABLE]", "EHLO x"):
            self._say(f"{command}\r\n", 1)

    def _answer(self):
        line = self.stream.readline().decode()
        while line[3:4] == "-":
            line = self.stream.readline().decode()
        if not line:
            raise ConnectionError("hung up")
        return line.rstrip()

    def _say(self, text, answers):
        self.socket.sendall(text.encode())
        return [self._answer() for _ in range(answers)]

    def send(self, frm, to, subject):
        """The answer: "250 ..."."""
        answers = self._say(f"MAIL FROM:<{frm}>\r\nRCPT TO:<{to}>\r\nDATA\r\n", 3)
        bad = [a for a in answers if a[0] not in "23"]
        if bad:
            return bad[0]
        text = f"From: {frm}\r\nTo: {to}\r\nSubject: {subject}.\r\n\r\nHello.\r\n.\r\n"
        return self._say(text, 1)[0]

    def close(self):
        self.stream.close()
        self.socket.close()


class Script(threading.Thread):
    """Sends from its own connection until there is nothing more; answers by subject."""

    def __init__(self, port, mails):
        super().__init__(daemon=True)
        self.port, self.mails = port, mails
        self.answers = {}

    def run(self):
        connection = None
        for frm, to, subject in self.mails:
            try:
                connection = connection or Connection(self.port)
                answer = connection.send(frm, to, subject)
            except OSError:
                answer = "000 no answer"
            self.answers[subject] = answer
            if answer.startswith(("0", "421", "451")):  # this session's milter is lost
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.02)
        if connection:
            connection.close()


def send_all(mail, subjects, connections):
    """The answers by subject, all sent at once."""
    mail.postfix.allow_log(HURRIED)
    scripts = [
        Script(mail.postfix.port, [(ANN, CLASS, subject) for subject in subjects[n::connections]])
        for n in range(connections)
    ]
    for script in scripts:
        script.start()
    for script in scripts:
        script.join(120)
    answers = {subject: answer for script in scripts for subject, answer in script.answers.items()}
    assert len(answers) == len(subjects)
    return answers


def blast(mail, count, connections=16):
    """The answers to so many messages of one script, all at once."""
    return list(send_all(mail, [f"s{n}" for n in range(count)], connections).values())


def blast_until_decided(mail, count, connections=16):
    """The same, where a look at the queue decides: mail is deferred while a busy machine has no
    time for one, and comes again, as a mail server's does. The last answers, and how many
    were deferred."""
    answers, deferred, again = {}, 0, [f"s{n}" for n in range(count)]
    while again:
        answers |= send_all(mail, again, connections)
        again = [subject for subject in again if answers[subject].startswith("451 4.7.1")]
        deferred += len(again)
        assert deferred < count, mail.daemon.text()
    if deferred:
        mail.daemon.expect_log("the queue could not be looked at in time")
    return list(answers.values()), deferred


def held_files(postfix):
    """What is in the hold queue, read from its files, which hold header fields as plain
    text: subject and the fields of X-Mailbrake by queue id. A postcat each is too slow."""
    out = {}
    for path in (postfix.queue / "hold").iterdir():
        data = path.read_bytes().decode("ascii", "replace")
        fields = re.findall(r"X-Mailbrake: (id=[a-z0-9=. -]+)", data)
        assert len(fields) == 1, (path, fields)
        subject = re.search(r"Subject: ([\w-]+)\.", data)[1]
        out[path.name] = subject, dict(re.findall(r"(\w+)=(\S+)", fields[0]))
    return out


def notices(mail, recipient):
    return [d for d in mail.postfix.sink.kept() if d.sender == "" and recipient in d.recipients]


def wait_for_notices(mail, recipient):
    wait_until(lambda: notices(mail, recipient), NOTICE_S, "no notice", mail.daemon.text)
    return notices(mail, recipient)


# Floods.


def check_flood(mail, answers, limit):
    """So many of one incident are held, the rest is refused by its name."""
    codes = collections.Counter(answer[:9] for answer in answers)
    assert codes == {"250 2.0.0": limit, "550 5.7.1": len(answers) - limit}, codes
    (incident,) = mail.json("incidents")["incidents"]
    refusals = [answer for answer in answers if answer.startswith("550")]
    assert all(f"[mailbrake many {incident['id']}]" in answer for answer in refusals), refusals[:3]
    files = held_files(mail.postfix)
    assert len(files) == limit
    assert {header["incident"] for _, header in files.values()} == {incident["id"]}
    assert {hold["id"] for hold in mail.holds()} == {header["id"] for _, header in files.values()}
    return incident


def test_two_thousand_blasts_are_one_incident(administered):  # noqa: F811
    mail = administered(quarantine={"max_per_incident": 500}, notify=TELL_ADMIN)
    answers, deferred = blast_until_decided(mail, 2000)
    first = check_flood(mail, answers, 500)
    wait_for_notices(mail, ADMIN)
    wait_until(
        lambda: mail.json("incidents", "show", first["id"])["refused"] == 1500,
        *(5, "not all refusals are counted", lambda: mail.ok_json("incidents")),
    )
    incident = mail.json("incidents", "show", first["id"])
    assert (incident["held"], incident["refused"], incident["deferred"]) == (500, 1500, deferred)
    assert incident["copies"] == (2000 + deferred) * 5
    assert mail.json("status")["incidents"] == 1
    sent = mail.delivered()
    assert {d.sender for d in sent} == {""} and 1 <= len(sent) <= 2
    assert first["id"] in sent[0].message.get_payload()
    assert len(mail.daemon.lines()) < 2200


def test_past_max_messages_mail_is_deferred(administered):  # noqa: F811
    """Each has a fifth of it at most; five of them fill it."""
    mail = administered(quarantine={"max_messages": 20})
    mail.daemon.allow_log("suppressed|has a fifth|could not be looked at in time")
    answers = blast(mail, 60, connections=6)
    codes = collections.Counter(answer[:9] for answer in answers)
    assert codes == {"250 2.0.0": 4, "451 4.7.1": 56}, codes
    for person in range(1, 6):  # the last finds no room
        for _ in range(5):
            mail.send(f"p{person}@district.example", CLASS, client=f"10.1.3.{person}")
    assert len(mail.held()) == 20 and len(mail.holds()) == 20
    mail.expect_log(r"error: the quarantine or its disk is full")
    assert mail.send(BOB, ANN).accepted
    mail.ok("quarantine", "delete", mail.holds()[0]["id"])
    wait_until(lambda: mail.send(ANN, CLASS).accepted, 5, "there is no room again")
    assert mail.send(ANN, CLASS).code == 451
    assert len(mail.held()) == 20


LIST_RATE = (
    f'{{ name = "rate"; to = ["list:{CLASS}"]; key = "list"; limit = "2 messages per 1d";'
    ' latch = "1h"; action = "quarantine"; }'
)


@memory_only
def test_a_stranger_mutes_no_list(administered):  # noqa: F811
    mail = administered(rules=LIST_RATE, quarantine={"max_per_incident": 3})
    mail.daemon.allow_log("suppressed")
    codes = [mail.send(f"s{n}@else.example", CLASS, client="203.0.113.9").code for n in range(7)]
    assert codes == [250] * 5 + [550] * 2, codes
    for teacher in ("ann", "bob"):
        assert mail.send(f"{teacher}@district.example", CLASS, client="10.1.2.3").accepted
    assert mail.send("cy@district.example", CLASS, client="203.0.113.9", login="cy").accepted
    assert mail.send("parent@else.example", CLASS, client="203.0.113.10").accepted
    counts = []

    def counted():
        (incident,) = mail.json("incidents")["incidents"]
        counts.append((incident["held"], incident["refused"]))
        return counts[-1] == (7, 2)

    wait_until(counted, 5, "not all are counted", lambda: counts)


@memory_only
def test_what_was_removed_by_hand_fills_nothing(administered):  # noqa: F811
    mail = administered(quarantine={"max_per_incident": 3})
    mail.daemon.allow_log("not be looked at|gone|seems full")
    mail.hold(3)
    assert mail.send(ANN, CLASS).code == 550
    mail.postfix._run("postsuper", "-d", "ALL")
    time.sleep(1.2)  # a full incident is known as such for a second
    codes = []

    def accepted():
        codes.append(mail.send(ANN, CLASS).code)
        return codes[-1] == 250

    wait_until(accepted, 10, "it is full of nothing", lambda: codes)
    assert set(codes) <= {451, 250}, codes
    assert [hold["state"] for hold in mail.holds("--all")].count("gone") == 3
    mail.postfix._run("postsuper", "-d", "ALL")
    time.sleep(1.2)
    assert mail.json("quarantine", "sync")["ended"] == 1
    assert mail.hold(3)


@memory_only
def test_nobody_is_refused_while_nobody_can_look(administered):  # noqa: F811
    mail = administered(quarantine={"max_per_incident": 1})
    mail.daemon.allow_log("queue could not|seems full|suppressed")
    mail.hold()
    mail.helper.stop()
    assert mail.send(ANN, CLASS).code == 451
    mail.helper.start()
    wait_until(lambda: mail.send(ANN, CLASS).code == 550, 15, "it is not full")


def test_without_room_on_the_disk_mail_is_deferred(administered):  # noqa: F811
    mail = administered(quarantine={"min_free": "1000000G"})
    mail.expect_log(r"error: the queue's disk has less than quarantine\.min_free left")
    mail.daemon.allow_log("the quarantine or its disk is full|suppressed")
    wait_until(lambda: "min_free left" in mail.daemon.text(), 15, "nothing is said")
    reply = mail.send(ANN, CLASS)
    assert reply.code == 451 and reply.text.startswith("4.7.1"), reply
    assert mail.send(BOB, ANN).accepted
    assert mail.held() == [] and mail.holds() == [] and mail.delivered().copies == 1


@redis_only
def test_what_nobody_decides_is_refused(administered, redis):  # noqa: F811
    mail = administered(quarantine={"expire": "7d"})
    old, young = mail.hold(2)
    age_record(redis, old["id"], days=8)
    mail.daemon.kill()
    mail.daemon.start()
    (notice,) = wait_for_notices(mail, ANN)
    assert old["id"] in notice.message.get_payload()
    mail.expect_log(f"hold {old['id']} expired and was refused")
    assert [hold["id"] for hold in mail.holds()] == [young["id"]]
    states = {hold["id"]: hold["state"] for hold in mail.holds("--all")}
    assert states[old["id"]] == "refused"
    assert len(mail.held()) == 1 and mail.delivered().copies == 1


def age_record(redis, hold, days):
    """Lets a hold's record be so much older."""
    key = "{mailbrake}:holds-by-id"
    terms, record = redis.command("HGET", key, hold).split("\n")
    record = json.loads(record)
    then = record["held_at"]
    record["held_at"] -= days * 24 * 3600 * 1000
    aged = terms.replace(f"{then:016}", f"{record['held_at']:016}")
    redis.command("ZREM", key + ":index", *(f"{term} {hold}" for term in terms.split("\t")))
    redis.command("HSET", key, hold, aged + "\n" + json.dumps(record))
    for term in aged.split("\t"):
        redis.command("ZADD", key + ":index", 0, f"{term} {hold}")


# Brakes over two relays.


def judged(build, daemon, frm=ANN):
    """What becomes of one message on a relay that has no Postfix."""
    step = milter.client(build, daemon.milter, milter.HELLO + milter.message(frm, BOB))
    return milter.ends(step)[0].reply


def seconds_until(done, timeout):
    started = time.monotonic()
    wait_until(done, timeout, "it did not happen")
    return time.monotonic() - started


@pytest.fixture
def frozen(redis):
    """Freezes the Redis of the run until the test's end."""
    yield redis.freeze
    redis.thaw()


@pytest.mark.timing
@redis_only
def test_a_brake_holds_on_every_relay(administered, mailbraked, build, redis, frozen):  # noqa: F811
    first = administered(rules="")
    second = mailbraked(redis_settings(redis), rules="")
    for daemon in (first.daemon, second):
        daemon.allow_log(r"(?i)redis|store|suppressed|notices|records")
    assert first.send(ANN, BOB).accepted and judged(build, second) == "continue"

    lasts_s = 6
    first.ok("brake", "set", f"sender:{ANN}", "--for", f"{lasts_s}s", "--action", "reject")
    set_at = time.monotonic()
    took = seconds_until(lambda: judged(build, second) != "continue", 5)
    assert took < 1 + build.slack_ms / 1000
    assert first.send(ANN, BOB).code == 550
    assert judged(build, second, frm=BOB) == "continue"

    frozen()
    while time.monotonic() < set_at + lasts_s - 1.5:
        assert judged(build, second) != "continue" and first.send(ANN, BOB).code == 550
        time.sleep(0.3)
    seconds_until(lambda: judged(build, second) == "continue", 5)
    assert lasts_s - 0.5 < time.monotonic() - set_at < lasts_s + 1 + build.slack_ms / 1000
    assert first.send(ANN, BOB).accepted
    redis.thaw()
    wait_until(lambda: first.json("brake", "list")["brakes"] == [], 5, "the brake is still there")


# Monitor mode.


@memory_only
def test_monitor_holds_refuses_and_tells_nothing(administered):  # noqa: F811
    mail = administered(
        mode="monitor",
        rules=f'{{ name = "odd"; from = ["odd@*.example"]; action = "reject"; }}, {HOLD_MANY}',
        notify={"to": [ADMIN], "tell_sender": True},
    )
    for _ in range(12):
        assert mail.send("odd@elsewhere.example", BOB).accepted
    for _ in range(3):
        assert mail.send(ANN, CLASS).accepted
    status = mail.json("status")
    assert status["mode"] == "monitor" and (status["holds"], status["incidents"]) == (0, 0)
    assert status["verdicts"]["accept"] == 15 == sum(status["verdicts"].values())
    assert (status["would"]["reject"], status["would"]["quarantine"]) == (12, 3)
    would = re.search(r"would have .*", mail.ok("status"))[0]
    assert "3 held" in would and "12 rejected" in would

    time.sleep(6)  # a round of notices
    copies = collections.Counter(d.sender for d in mail.delivered())
    assert copies == {"odd@elsewhere.example": 12, ANN: 3} and mail.held() == []

    mail.ok("brake", "set", f"sender:{ANN}", "--for", "1h", "--action", "quarantine")
    assert mail.send(ANN, BOB).accepted and len(mail.held()) == 1
    mail.ok("brake", "set", f"sender:{ANN}", "--for", "1h", "--action", "reject")
    assert mail.send(ANN, BOB).code == 550
    mail.ok("brake", "clear", f"sender:{ANN}")
    assert mail.send(ANN, BOB).accepted


# Notices.

REFUSE_ALL = '{ name = "all"; action = "reject"; }'


@redis_only
def test_notices_pass_every_rule_and_give_no_pass(administered):  # noqa: F811
    mail = administered(
        rules=f"{HOLD_MANY}, {REFUSE_ALL}",
        notify={"to": ["Postmaster@District.Example", DEPUTY], "tell_sender": True},
    )
    holds = mail.hold(3)
    assert mail.send(ANN, BOB).code == 550
    (told,) = wait_for_notices(mail, ANN)
    (notice,) = wait_for_notices(mail, ADMIN)
    assert notices(mail, DEPUTY)
    for letter in (told, notice):
        assert letter["Auto-Submitted"] == "auto-generated"
        assert holds[0]["incident"] in letter.message.get_payload()
    assert not [member for member in people(5) if member in told.message.as_string()]

    seal = {"X-Mailbrake-Notice": told["X-Mailbrake-Notice"]}
    for frm, to in ((ANN, ANN), (ANN, BOB), ("", BOB), ("", [ANN, BOB]), (STRANGER, ANN)):
        assert mail.send(frm, to, headers=seal).code == 550, (frm, to)
    assert mail.send("", CLASS, headers=seal).accepted  # held: it is no notice
    more = mail.hold(2)
    assert {hold["incident"] for hold in more} == {holds[0]["incident"]}
    time.sleep(6)  # another round: nobody is told again, and no notice is held
    assert len(notices(mail, ANN)) == 1
    first = [n for n in notices(mail, ADMIN) if holds[0]["incident"] in n.message.get_payload()]
    assert len(first) == 1 and len(notices(mail, ADMIN)) == 2  # mail of <> is another incident
    assert {hold["rule"] for hold in mail.holds()} == {"many"}
    assert [d for d in mail.delivered() if d.sender != ""] == []


@memory_only
def test_refusals_are_told_from_the_tenth_on(administered):  # noqa: F811
    mail = administered(rules=REFUSE_ALL, notify=TELL_ADMIN)
    first = [mail.send(BOB, ANN) for _ in range(9)]
    first += [mail.send(ANN, BOB) for _ in range(10)]
    assert {reply.code for reply in first} == {550}
    (notice,) = wait_for_notices(mail, ADMIN)
    incidents = {i["key"]: i for i in mail.json("incidents")["incidents"]}
    few, many = incidents[f"sender:{BOB}"], incidents[f"sender:{ANN}"]
    assert (few["refused"], many["refused"]) == (9, 10)
    assert many["id"] in notice.message.get_payload()
    assert len(notices(mail, ADMIN)) == 1  # none of the few

    later = mail.send(BOB, ANN)
    assert f"[mailbrake all {few['id']}]" in later.text


# A siege.

SPELL_S = 0.25

ATTACKER = """
import itertools, os, socket, sys, time

def connect(timeout):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(timeout)
    try:
        peer.connect(sys.argv[1])
    except OSError:
        pass  # turned away
    return peer

attacks = [
    os.urandom(4096),
    b"GET /v1/status HTTP/1.1\\r\\nHost",
    b"GET /v1/status HTTP/1.1\\r\\nX: " + b"a" * (1 << 20),
    b"POST /v1/reload HTTP/1.1\\r\\nContent-Length: 99\\r\\n\\r\\n{",
]
print("begun", flush=True)
while True:
    crowd = [connect(0) for _ in range(2000)]
    time.sleep(0.1)
    crowd.clear()
    for number in range(100):
        crowd.append(connect(0.02))
        try:
            crowd[-1].sendall(attacks[number % len(attacks)])
        except OSError:
            pass
        if len(crowd) > 32:
            crowd.pop(0).close()
        time.sleep(0.01)
"""


@pytest.fixture
def attackers():
    """Strangers at a socket, in a process of their own: attackers(path), at rest until told."""
    started = []

    def start(path):
        command = [sys.executable, "-c", ATTACKER, path]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "begun\n"
        started[-1].send_signal(signal.SIGSTOP)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def messages_a_second(build, daemon, count):
    result = milter.load(build, daemon.milter, messages=count, connections=4)
    assert result["accept"] == count, result
    return count * 1e6 / result["elapsed_us"]


@pytest.mark.timing
def test_a_siege_of_the_control_socket_costs_no_mail(mailbraked, build, attackers):
    """Short spells of siege and of peace in turn, since the machine has its moods, and more
    of them while it is moody. The attackers mostly wait: what they cost a small machine by
    their own work is no fault of ours."""
    rate = '{ name = "rate"; key = "sender"; limit = "100000000 messages per 1d"; action = "reject"; }'
    daemon = mailbraked(MEMORY, rules=rate)
    crowd = attackers(daemon.dir / "control.sock")
    count = int(messages_a_second(build, daemon, 2000) * SPELL_S)
    siege, peace = [], []
    while len(siege) < 40:
        for speeds in (siege, peace, peace, siege):
            crowd.send_signal(signal.SIGCONT if speeds is siege else signal.SIGSTOP)
            speeds.append(messages_a_second(build, daemon, count))
        ratio = statistics.median(siege) / statistics.median(peace)
        if len(siege) >= 12 and ratio > 0.9:
            break
    print(f"mail under siege: {ratio:.2f} of {statistics.median(peace):.0f}/s in peace")
    assert ratio > (0.9 if build.release else 0.5), (siege, peace)
    crowd.kill()
    status = json.loads(Command(build, daemon.config).run("status", "--json").stdout)
    assert status["verdicts"]["accept"] == 2000 + 2 * len(siege) * count
