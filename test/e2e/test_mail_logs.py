"""Old mail logs: what the real Postfix and Sendmail wrote of a story's mail is read back to
exactly the messages that were sent."""

import collections
import contextlib
import gzip
import json
import os
import random
import re
import subprocess
import time

import pytest

from mailbraked import people
from postfix import wait_until
from sendmail import sendmail_program, sendmail_relay  # noqa: F401, fixtures
from stores import memory_only
from test_oracle import AliasCase, MixedCase, VirtualCase

ANN, BOB = "ann@district.example", "bob@district.example"
HOLD_MANY = '{ name = "many"; reach_over = 6; action = "quarantine"; }'
COARSE = 5  # CLOCK_REALTIME_COARSE, which time(2) reads: up to 10 ms behind
REFUSE_FIVE = '{ name = "five"; reach_over = 4; action = "reject"; }'


def read_log(build, *paths, **more):
    """The messages in these logs, and what is said of the reading."""
    more = {"capture_output": True, "text": True, "timeout": 60, **more}
    done = subprocess.run([build.read_log, *paths], **more)
    assert done.returncode == 0, done.stderr
    *messages, reading = [json.loads(line) for line in done.stdout.splitlines()]
    assert reading["messages"] == len(messages)
    return messages, reading


class Story:
    """Messages as they were sent, in order; each is in the log as told here."""

    def __init__(self, mail):
        self.mail, self.sent = mail, []

    @contextlib.contextmanager
    def message(self, frm, recipients, **more):
        """recipients: how many mailboxes each of them has."""
        started = int(time.clock_gettime(COARSE))
        before = len(self.mail.log())
        yield [*recipients]
        verdict = self.mail.log(at_least=before + 1)[-1]
        usual = {"local": False, "client": "10.1.2.3", "login": None, "end": "sent"}
        told = {**usual, "held": False, "whole": True, **more}
        told = {**told, "sender": frm, "recipients": recipients, "queue_id": verdict.qid}
        self.sent.append((started, int(time.time()), told))

    def send(self, frm, recipients, client="10.1.2.3", login=None, sends_login=None, **more):
        with self.message(frm, recipients, client=client, login=login, **more) as to:
            reply = self.mail.send(frm, to, client=client, login=login or sends_login)
            assert reply.accepted or more.get("end") == "rejected", reply

    def is_told_by(self, messages):
        for (started, ended, told), message in zip(self.sent, messages, strict=True):
            assert started * 1000 <= message.pop("at_ms") <= ended * 1000 + 999, (told, message)
            assert message.pop("host") == "relay"
            assert message == told


def log_of(postfix, folder):
    """This test's part of the log. postlogd writes it in order, but may be behind."""
    end = "the story ends here"
    part = lambda: postfix.log()[postfix._log_start :]  # noqa: E731
    postfix._run("postlog", end)
    wait_until(lambda: end in part(), 10, "postlogd does not write")
    *lines, _ = part().partition(end)[0].splitlines(keepends=True)
    path = folder / "mail.log"
    path.write_text("".join(lines))
    return path


@contextlib.contextmanager
def main_cf(postfix, **settings):
    """As long as it lasts; each setting was there before, or is empty or no otherwise."""
    before = {name: postfix._run("postconf", "-h", name).stdout.strip() for name in settings}
    postfix.set_main(**settings)
    try:
        yield
    finally:
        postfix.set_main(**before)


def postsuper(postfix, *words):
    postfix._run("postsuper", *words)

    def looks():  # once a minute else; a reload may just be ending it
        with contextlib.suppress(subprocess.CalledProcessError):
            return postfix._run("postkick", "public", "pickup", "W")

    wait_until(looks, 10, "pickup can't be woken")


def waiting(postfix):
    return [entry for entry in postfix.mailq() if entry["queue_name"] == "deferred"]


LISTS = {
    "lists": {"staff": people(4), "many": people(8)},
    "virtual": f"info@district.example {BOB}\nmixed@district.example al-team@district.example\n"
    "shut@district.example closed-1@away.example\n",
    "aliases": "al-team: p1, p2, far@away.example\nal-all: al-team, p3\nal-one: p1\n",
}


def tell(story, mail, postfix):
    story.send(ANN, {BOB: 1, "eve@school.example": 1, "far@away.example": 1})
    story.send(ANN, {BOB: 1}, login="ann", client="2001:db8::7")
    story.send("", {BOB: 1})
    with story.message(ANN, {BOB: 1, "far@away.example": 1}, local=True, client=None) as to:
        mail.sendmail(ANN, to)
    story.send(ANN, {"staff@district.example": 4, BOB: 1})
    story.send(ANN, {"info@district.example": 1})
    story.send(ANN, {"al-team@district.example": 3})
    story.send(ANN, {"al-all@district.example": 4, "al-one@district.example": 1})
    story.send(ANN, {"mixed@district.example": 3, "far@away.example": 1})
    story.send(ANN, {"dropped-1@away.example": 1})
    story.send(ANN, {"nobody-1@away.example": 1, "shut@district.example": 1}, end="bounced")
    story.send(ANN, {"nobody-1@away.example": 1, BOB: 1})


def tell_of_what_waits(story, mail, postfix):
    postfix.sink.is_busy = True
    story.send(ANN, {"later-1@away.example": 1}, end="deferred")
    story.send(ANN, {"later-2@away.example": 1, BOB: 1})
    wait_until(lambda: len(waiting(postfix)) == 2, 10, "nothing is deferred")
    postfix.sink.is_busy = False
    postfix._run("postqueue", "-f")
    story.send(ANN, {"many@district.example": 8, BOB: 1}, held=True)
    story.send(ANN, {"many@district.example": 8, "far@away.example": 1}, held=True)
    story.send(ANN, {BOB: 1})
    (first, second) = [told["queue_id"] for _, _, told in story.sent if told["held"]]
    wait_until(lambda: len(postfix.held()) == 2, 10, "they are not held")
    postfix.release(first)
    postsuper(postfix, "-r", second)  # it goes under another id
    mail.delivered()
    story.send(ANN, {"many@district.example": 0}, held=True, end="held", whole=False)


@memory_only
@pytest.mark.parametrize("long_ids", ["no", "yes"])
def test_postfix_log_tells_what_was_sent(relay, postfix, build, folder, long_ids):
    mail = relay(rules=HOLD_MANY, **LISTS)
    story = Story(mail)
    with main_cf(postfix, enable_long_queue_ids=long_ids):
        tell(story, mail, postfix)
        tell_of_what_waits(story, mail, postfix)
        session = mail.connect()
        for frm in (ANN, BOB):
            with story.message(frm, {BOB: 1}) as to:
                session.message(frm, to)
        session.vanish()
        mail.delivered()
        log = log_of(postfix, folder)
        postfix.clean()  # ids of the other kind are changed
    messages, reading = read_log(build, log)
    story.is_told_by(messages)
    assert reading["unread"] == 0, reading
    packed = folder / "mail.log.1.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    again = read_log(build, packed)
    assert len(again[0]) == len(messages)
    with open(log, encoding="utf-8") as file:
        assert read_log(build, "-", stdin=file) == again
    assert read_log(build, "-", input=log.read_text()) == again


@memory_only
def test_what_a_content_filter_brings_back_is_told_once(relay, postfix, build, folder):
    """A filter that does nothing: Postfix itself, by another port, where no milter asks."""
    mail = relay(rules=HOLD_MANY, **LISTS)
    story = Story(mail)
    with main_cf(postfix, content_filter=f"smtp:[127.0.0.1]:{postfix.inner_port}"):
        tell(story, mail, postfix)
        mail.delivered()
    messages, reading = read_log(build, log_of(postfix, folder))
    for _, _, told in story.sent:
        told["end"] = "sent"  # to the filter
    story.is_told_by(messages)
    assert reading["unread"] == 0, reading


@memory_only
def test_postfix_log_tells_how_many_mailboxes_it_delivered_to(relay, postfix, build, folder):
    """Many lists in lists, in virtual(5) and in aliases(5), with what arrived as the judge."""
    rng = random.Random(15)
    cases = [kind(rng, i) for i in range(25) for kind in (VirtualCase, AliasCase, MixedCase)]
    mail = relay(
        rules="",
        virtual="".join(str(c) if isinstance(c, VirtualCase) else getattr(c, "virtual", "") for c in cases),
        aliases="".join(str(c) for c in cases if isinstance(c, AliasCase)),
    )
    queued = {}
    session = mail.connect()
    asked = [asked for case in cases for asked in case.asked]
    for number, to in enumerate(asked):
        reply = session.message(ANN, to, {"X-Case": str(number)})
        assert reply.accepted, reply
        queued[reply.text.split()[-1]] = number
    session.quit()
    arrived = collections.Counter()
    for delivery in mail.delivered(60):
        arrived[int(delivery["X-Case"])] += len(delivery.recipients)
    messages, reading = read_log(build, log_of(postfix, folder))
    assert reading["unread"] == 0, reading
    assert [queued[m["queue_id"]] for m in messages] == list(range(len(asked)))
    for message, to in zip(messages, asked):
        number = queued[message["queue_id"]]
        told = message["recipients"]
        assert set(told) <= set(to), (message, to)
        assert sum(told.values()) == arrived[number], (message, to)


def test_sendmail_log_tells_what_was_sent(sendmail_relay, build, folder):
    """Of aliases(5), with LogLevel 11. It does not tell of a login that no AUTH gave."""
    mail = sendmail_relay(
        rules=f"{HOLD_MANY}, {REFUSE_FIVE}",
        aliases=f"three: p1, p2, p3\nnest: three, x@far.example\nten: {', '.join(f'q{i}' for i in range(10))}\n"
        f"five: a, b, c, d, e\nowner-team: ann\nteam: p4, p5\ninfo: bob\n",
    )
    story = Story(mail)
    usual = {"client": "127.1.2.3"}
    story.send(ANN, {BOB: 1, "eve@school.example": 1, "far@away.example": 1}, **usual)
    story.send(ANN, {BOB: 1}, sends_login="alice", **usual)
    story.send("", {BOB: 1}, **usual)
    with story.message(ANN, {BOB: 1, "three@district.example": 3}, client=None, local=True) as to:
        mail.sendmail(ANN, to)
    with story.message(ANN, {BOB: 1}, client=None, local=True) as to:
        with mail.mta.on_standard_input() as session:
            session.sendmail(ANN, to, b"Subject: x\r\n\r\nhi\r\n")
    story.send(ANN, {"three@district.example": 3, "far@away.example": 1}, **usual)
    story.send(ANN, {"nest@district.example": 4}, **usual)
    story.send(ANN, {"team@district.example": 2, "far@away.example": 1}, **usual)
    story.send(ANN, {"info@district.example": 1}, **usual)
    story.send(ANN, {"nobody-1@away.example": 1}, end="bounced", **usual)
    story.send(ANN, {"five@district.example": 0}, end="rejected", **usual)
    mail.held()
    mail.mta.sink.is_busy = True
    story.send(ANN, {"later-1@away.example": 1}, end="deferred", **usual)
    wait_until(mail.mta.waiting, 10, "nothing is deferred")
    mail.mta.sink.is_busy = False
    mail.mta.run("-q")
    story.send(ANN, {"ten@district.example": 10, "far@away.example": 1}, held=True, **usual)
    (held,) = mail.held()
    story.send(ANN, {BOB: 1}, **usual)
    mail.mta.release(held.id)
    mail.delivered()
    many = {f"{name}@a-domain-of-some-length.example": 0 for name in people(20)}
    many = {address.replace("@district.example", ""): 0 for address in many}
    story.send(ANN, many, held=True, end="held", **usual)
    messages, reading = read_log(build, mail.mta.mail_log)
    for message in messages:
        message["recipients"] = dict(sorted(message["recipients"].items()))
    story.is_told_by(messages)
    assert reading["unread"] == 0, reading


MESSAGE = """{at} relay postfix/pickup[1]: {id}: uid=0 from=<ann>
{at} relay postfix/cleanup[1]: {id}: message-id=<>
{at} relay postfix/qmgr[1]: {id}: from=<{ann}>, size=4, nrcpt=1 (queue active)
{at} relay postfix/lmtp[1]: {id}: to=<{bob}>, relay=x, status=sent (250 ok)
{at} relay postfix/qmgr[1]: {id}: removed
"""


def message_at(at, number):
    return MESSAGE.format(at=at, id=f"{number:08X}64290", ann=ANN, bob=BOB)


@memory_only
def test_a_log_that_goes_back_in_time_is_read_as_far_as_it_can_be(relay, folder):
    mail = relay(rules=HOLD_MANY)
    young, old = message_at("Nov 22 12:00:00", 1), message_at("Nov 21 12:00:00", 2)
    (folder / "young.log").write_text(young)
    (folder / "old.log").write_text(old)
    (folder / "joined.log").write_text(young + old)
    both = mail.command.run("simulate", "--log", folder / "young.log", folder / "old.log", "--json")
    assert json.loads(both.stdout)["log"]["messages"] == 2, both.stderr
    joined = mail.command.run("simulate", "--log", folder / "joined.log", "--json")
    log = json.loads(joined.stdout)["log"]
    assert (log["messages"], log["late"]) == (1, 1)
    said = mail.command.run("simulate", "--log", folder / "joined.log").stdout
    assert "Messages left out, since a file goes back in time: 1." in said


@memory_only
def test_a_terminal_sees_how_far_it_is(relay, build, folder):
    """And nobody else does."""
    mail = relay(rules=HOLD_MANY)
    path = folder / "long.log"
    path.write_text("".join(message_at("Nov 22 12:00:00", i) for i in range(30000)))
    ours, its = os.openpty()
    command = [build.mailbrake, "simulate", "--log", path, "-c", mail.daemon.config]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=its) as process:
        os.close(its)
        shown = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while chunk := os.read(ours, 4096):
                shown += chunk
        os.close(ours)
    assert process.returncode == 0
    assert re.search(rb"\r131,072 lines, 8\d%", shown), shown
    assert shown.endswith(b"\r\x1b[K")
    quiet = mail.command.run("simulate", "--log", path)
    assert quiet.returncode == 0 and " lines" not in quiet.stderr, quiet.stderr
