"""Who sends, and what each of them does to the limits; and how every message is followed
from the client's answer over the log to the far end."""

import bisect
import collections
import os
import random
import smtplib
import threading
import time

from mailbraked import parse_verdict
from model import Answer, Limit, Step, judge
from relay import Session, _message

CLIENT = "10.1.2.3"
CLASS, CLASS_SIZE = "class@district.example", 25
BURST = {"rate": 12, "latched": 6, "grown": 30, "both-sender": 10, "both-topic": 4, "refill": 5,
         "race": 20}
REFILL_A_MINUTE = 30
SLOW = '"1 messages per 366d"'
RULES = f"""
    {{ name = "closed"; from = ["@closed.example"]; action = "reject"; }},
    {{ name = "class"; to = ["list:{CLASS}"]; reach_over = 20; action = "quarantine"; }},
    {{ name = "rate"; from = ["@rate.example"]; key = "sender"; limit = {SLOW};
      burst = {BURST["rate"]}; action = "reject"; }},
    {{ name = "latched"; from = ["@latched.example"]; key = "sender"; limit = {SLOW};
      burst = {BURST["latched"]}; latch = "1d"; action = "quarantine"; }},
    {{ name = "grown"; from = ["@grown.example"]; key = "campaign"; surge = 2.0; window = "1d";
      floor = {BURST["grown"]}; latch = "1d"; action = "quarantine"; }},
    {{ name = "both-sender"; from = ["@both.example"]; key = "sender"; limit = {SLOW};
      burst = {BURST["both-sender"]}; action = "reject"; }},
    {{ name = "both-topic"; from = ["@both.example"]; key = "topic"; limit = {SLOW};
      burst = {BURST["both-topic"]}; action = "reject"; }},
    {{ name = "refill"; from = ["@refill.example"]; key = "sender";
      limit = "{REFILL_A_MINUTE} messages per 1m"; burst = {BURST["refill"]}; action = "defer"; }},
    {{ name = "race"; from = ["@race.example"]; key = "sender"; limit = {SLOW};
      burst = {BURST["race"]}; action = "reject"; }},
    {{ name = "flood-sender"; from = ["@flood.example"]; key = "sender"; limit = "100 messages per 1d";
      action = "defer"; }},
    {{ name = "flood-thread"; from = ["@flood.example"]; key = "thread"; limit = "100 messages per 1d";
      action = "defer"; }},
    {{ name = "flood-campaign"; from = ["@flood.example"]; key = "campaign"; surge = 2.0; window = "1d";
      floor = 1000; latch = "1h"; action = "quarantine"; }},
    {{ name = "spent"; from = ["@spent.example"]; key = "sender"; limit = {SLOW}; burst = 4;
      action = "reject"; }}
"""


class Mail:
    """A message on its way, and what it came to."""

    __slots__ = ("mid", "relay", "to", "code", "line", "decided")

    def __init__(self, mid, relay, to):
        self.mid, self.relay, self.to = mid, relay, to
        self.code, self.line = 0, None
        self.decided = ()  # verbs an administrator gave, with what came of each

    def recipients(self):
        return [f"p{i}@district.example" for i in range(1, CLASS_SIZE + 1)] if self.to == CLASS else [self.to]


class Log(threading.Thread):
    """Follows mailbraked's log from now on: verdicts by Message-ID, how long each took, and all else
    it says."""

    def __init__(self, name, path):
        super().__init__(daemon=True)
        self.relay, self.path = name, path
        self._arrived = threading.Condition()
        self._lines = {}
        self.verdicts = []  # when it was read, us, store
        self.by_queue_id = {}
        self.others = collections.Counter()

    def run(self):
        with open(self.path, errors="replace") as file:
            file.seek(0, os.SEEK_END)
            rest = ""
            while True:
                chunk = file.read(1 << 20)
                if not chunk:
                    time.sleep(0.02)
                    continue
                *lines, rest = (rest + chunk).split("\n")
                with self._arrived:
                    for line in lines:
                        self._take(line)
                    self._arrived.notify_all()

    def _take(self, line):
        if " verdict=" not in line:
            self.others[line] += 1
            return
        verdict = parse_verdict(line)
        self.verdicts.append((time.monotonic(), int(verdict["us"]), verdict["store"]))
        mid = verdict["mid"].strip("<>")
        if mid.endswith("@soak.example"):
            self._lines[mid] = verdict
            self.by_queue_id[verdict["qid"]] = mid

    def find(self, mid, timeout):
        """The message's verdict, or None."""
        with self._arrived:
            self._arrived.wait_for(lambda: mid in self._lines, timeout)
            return self._lines.pop(mid, None)

    def find_queue_id(self, queue_id, timeout):
        """The Message-ID of what is in the queue by that name, or None."""
        with self._arrived:
            self._arrived.wait_for(lambda: queue_id in self.by_queue_id, timeout)
            return self.by_queue_id.get(queue_id)

    def back_after(self, moment):
        """How long it was from then to the first answer of Redis that came later; None."""
        first = bisect.bisect_left(self.verdicts, (moment,))
        return next((at - moment for at, _, store in self.verdicts[first:] if store == "redis"), None)


class Post:
    """Everything that is sent, and whatever is wrong with an answer."""

    def __init__(self, history, postfixes, logs):
        self.history, self.postfixes, self.logs = history, postfixes, logs
        self.relays = list(postfixes)
        self._lock = threading.Lock()
        self.mails = {}
        self.wrong = []
        self.counts = collections.Counter()
        self.done = threading.Event()

    def limit(self, rule, **more):
        return Limit(self.history, self.relays, BURST[rule], **more)

    def complain(self, text):
        with self._lock:
            self.wrong.append(text)

    def count(self, name):
        with self._lock:
            self.counts[name] += 1

    def next_mail(self, relay, to):
        with self._lock:
            mail = Mail(f"m{len(self.mails)}@soak.example", relay, to)
            self.mails[mail.mid] = mail
            return mail


class Client:
    """One that sends, by either relay, over connections that it keeps."""

    def __init__(self, post):
        self.post = post
        self.sessions, self.opened = {}, {}

    def send(self, relay, frm, to, subject):
        """The answer, with what the log says."""
        mail = self.post.next_mail(relay, to)
        # Postfix defers all of a session whose milter was lost.
        if any(kill.start > self.opened.get(relay, 0.0) for kill in self.post.history.kills(relay)):
            self.leave(relay)
        begin = time.monotonic()
        mail.code = self._deliver(relay, frm, to, subject, mail)
        # Without an answer there may have been a verdict yet.
        mail.line = self.post.logs[relay].find(mail.mid, 10 if mail.code in (250, 450, 550) else 1.0)
        answer = Answer(relay, begin, time.monotonic(), mail.code, mail.line)
        self.post.count(mail.line["verdict"] if mail.line else "none")
        return mail, answer

    def _deliver(self, relay, frm, to, subject, mail):
        headers = {"Message-ID": f"<{mail.mid}>", "Subject": subject}
        try:
            if relay not in self.sessions:
                self.opened[relay] = time.monotonic()
                self.sessions[relay] = Session(self.post.postfixes[relay].port, CLIENT, None)
            session = self.sessions[relay]
            for code, _ in (session.mail(frm), session.rcpt(to)):
                if code != 250:
                    self.leave(relay)
                    return code
            code, _ = session.data(_message(frm, [to], headers, "Hello."))
        except (OSError, smtplib.SMTPException, AssertionError):
            self.leave(relay)
            return 0
        if code in (421, 451):  # this session's milter may be lost
            self.leave(relay)
        return code

    def close(self):
        for relay in list(self.sessions):
            self.leave(relay)

    def leave(self, relay):
        session = self.sessions.pop(relay, None)
        if session:
            session.close()


class Family:
    """One kind of sender. mail() says who writes to whom and what the rules are to say; a
    generation is used up after some messages, and the next begins with fresh keys."""

    length = 20

    def __init__(self, post, number, chance):
        self.post, self.number, self.chance = post, number, chance
        self.generation = self.sent = 0
        self.begin()

    def key(self):
        return f"{self.number}-{self.generation}"

    def begin(self):
        pass

    def next(self):
        if self.sent == self.length:
            self.generation, self.sent = self.generation + 1, 0
            self.begin()
        self.sent += 1
        return self.mail()

    def person(self):
        return f"r{self.chance.randrange(10**6)}@else.example"


class Plain(Family):
    def mail(self):
        return f"s{self.key()}@plain.example", self.person(), "hello", []


class Closed(Family):
    def mail(self):
        return f"s{self.key()}@closed.example", self.person(), "hello", [Step("closed", "reject")]


class ToClass(Family):
    def mail(self):
        return f"s{self.key()}@plain.example", CLASS, "hello", [Step("class", "quarantine")]


class OneLimit(Family):
    """The names of a rule and of the domain that it is about are the same."""

    rule, verdict, latches, rate = "rate", "reject", False, None
    length = 17

    def begin(self):
        more = {"rate": self.rate} if self.rate else {}
        self.limit = self.post.limit(self.rule, latches=self.latches, **more)

    def mail(self):
        step = Step(self.rule, self.verdict, self.limit)
        return f"s{self.key()}@{self.rule}.example", self.person(), "hello", [step]


class Latched(OneLimit):
    rule, verdict, latches = "latched", "quarantine", True
    length = 8


class Refill(OneLimit):
    rule, verdict, rate = "refill", "defer", REFILL_A_MINUTE / 60
    length = 1000


class Grown(Family):
    """A script whose messages are one campaign by their subject."""

    length = BURST["grown"] + 3

    def begin(self):
        self.limit = self.post.limit("grown", latches=True, by_rate=False)

    def mail(self):
        sender = f"s{self.number}@grown.example"
        word = "".join(chr(ord("a") + int(digit)) for digit in str(self.generation))
        return sender, self.person(), f"Report {word}", [Step("grown", "quarantine", self.limit)]


class Both(Family):
    """Three senders, three topics: two limits a message, charged together or not at all."""

    length = 36

    def begin(self):
        self.senders = [self.post.limit("both-sender") for _ in range(3)]
        self.topics = [self.post.limit("both-topic") for _ in range(3)]

    def mail(self):
        who, what = self.chance.randrange(3), self.chance.randrange(3)
        steps = [Step("both-sender", "reject", self.senders[who]), Step("both-topic", "reject", self.topics[what])]
        word = "".join(chr(ord("a") + int(c)) if c.isdigit() else " " for c in self.key())
        return f"s{who}-{self.key()}@both.example", self.person(), f"{'abc'[what]} topic {word}", steps


FAMILIES = [Plain, Closed, ToClass, OneLimit, OneLimit, Latched, Grown, Both, Both, Refill]


class Worker(threading.Thread):
    """Sends one message after the other, of all families, by either relay in turn."""

    def __init__(self, post, number, seed, pause_s, reset):
        super().__init__(daemon=True)
        self.post, self.pause_s, self.reset = post, pause_s, reset
        self.chance = random.Random(f"{seed} {number}")
        self.client = Client(post)
        self.families = [f(post, f"{number}x{n}", self.chance) for n, f in enumerate(FAMILIES)]

    def run(self):
        while not self.post.done.is_set():
            started = time.monotonic()
            family = self.chance.choice(self.families)
            frm, to, subject, steps = family.next()
            relay = self.chance.choice(self.post.relays)
            _, answer = self.client.send(relay, frm, to, subject)
            check(self.post, frm, steps, answer)
            if type(family) is OneLimit and self.chance.random() < 0.01:
                self.reset(self.chance.choice(self.post.relays), f"sender:{frm}", steps[0].limit)
            time.sleep(max(0.0, self.pause_s * 2 * self.chance.random() - (time.monotonic() - started)))
        self.client.close()


def check(post, frm, steps, answer):
    why = judge(post.history, steps, answer)
    calm = post.history.is_calm(answer.begin, answer.end)
    if answer.line and calm and answer.line["verdict"] != "tempfail":
        post.count("exact")
    if why:
        recent = "; ".join(steps[-1].limit.recent) if steps and steps[-1].limit else ""
        post.complain(f"{frm} by {answer.relay}: {answer.code}: {why} {answer.line} "
                      f"after {recent}, with {post.history.near(answer.begin, answer.end)}")


class Race(threading.Thread):
    """Many at once for what is left of one limit, by both relays: exactly so many win."""

    AT_ONCE, EACH = 6, 5

    def __init__(self, post):
        super().__init__(daemon=True)
        self.post = post
        self.clients = [Client(post) for _ in range(self.AT_ONCE)]

    def run(self):
        number = 0
        while not self.post.done.wait(2.0):
            number += 1
            self._run(f"s{number}@race.example")
        for client in self.clients:
            client.close()

    def _run(self, sender):
        answers, begin = [], time.monotonic()

        def send(client, relay):
            for n in range(self.EACH):
                answers.append(client.send(relay, sender, f"r{n}@else.example", "race")[1])

        runners = [
            threading.Thread(target=send, args=(client, self.post.relays[n % len(self.post.relays)]))
            for n, client in enumerate(self.clients)
        ]
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.join()
        passed = sum(a.line is not None and a.line["verdict"] == "accept" for a in answers)
        told = sum(a.line is not None and a.line["store"] == "redis" for a in answers)
        if self.post.history.is_calm(begin, time.monotonic()):
            self.post.count("races")
            if passed != BURST["race"] or told != len(answers):
                self.post.complain(f"{sender}: {passed} of {BURST['race']} passed, Redis said {told}")
