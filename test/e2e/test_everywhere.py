"""One place for all relays: what one relay holds is decided about from any other. Two
Postfix, two mailbraked with their helpers, one Redis."""

import collections
import itertools
import json
import pathlib
import random
import re
import signal
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from helper import Helper
from mailbraked import SANITIZERS, people
from postfix import Postfix, wait_until
from relay import lists_for_postfix
from sendmail import helper_beside, sendmail_program, sendmail_relay  # noqa: F401, fixtures
from stores import redis_settings
from test_admin import ANN, BOB, CLASS, HOLD_MANY, SILENT, STAFF, Administered
from test_sendmail_verbs import ALIASES, SendmailAdministered

WITHIN = 2  # seconds
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def running_second(folder):
    path = pathlib.Path(tempfile.mkdtemp(prefix="postfix-", dir=folder))
    path.chmod(0o755)
    second = Postfix(path)
    second.start()
    yield second
    second.stop()


class Together:
    """Makes the relays of a test: one Redis, and a helper for each."""

    def __init__(self, redis, mailbraked, build, folder):
        self.redis, self.mailbraked, self.build, self.folder = redis, mailbraked, build, folder
        self.helpers = []

    def parts(self):
        """A helper, the settings of the store, and where the audit will be."""
        state = pathlib.Path(tempfile.mkdtemp(prefix="state-", dir=self.folder))
        self.helpers.append(Helper(self.build, self.folder))
        store = {**redis_settings(self.redis, timeout_ms=1000), "state_file": f"{state}/state"}
        return self.helpers[-1], store, state / "audit.log"

    def add(self, host, mta, **configuration):
        settings = {"rules": HOLD_MANY, "lists": {"class": people(5)}, "notify": SILENT}
        settings = {**settings, "trusted": STAFF, **configuration}
        helper, store, audit_file = self.parts()
        helper.configure("postfix", mta.config).start()
        lists_for_postfix(mta, lists=settings["lists"])
        where = {"config_directory": str(mta.config), "helper": str(helper.socket)}
        path = mta.milter_socket
        daemon = self.mailbraked(store, milter_socket=path, host=host, mta=where, **settings)
        return self.complete(Administered(mta, daemon, self.build), helper, audit_file)

    def complete(self, mail, helper, audit_file):
        mail.helper, mail.redis, mail.audit_file = helper, self.redis, audit_file
        return mail


@pytest.fixture
def together(own_redis, mailbraked, build, folder):
    together = Together(own_redis, mailbraked, build, folder)
    yield together
    for helper in together.helpers:
        helper.kill()
        assert not re.search(SANITIZERS, helper.text()), helper.text()


@pytest.fixture
def relays(together, postfix, running_second):
    """Two relays, relay1 and relay2, each with all its parts."""

    def make(**configuration):
        running_second.clean()
        running_second.begin()
        return (
            together.add("relay1", postfix, **configuration),
            together.add("relay2", running_second, **configuration),
        )

    yield make
    running_second.clean()


def held_on(mail, count=1, **more):
    """Sends so many through a relay, all held there, each with a subject of its own."""
    before = {hold["id"] for hold in mail.holds()}
    for _ in range(count):
        headers = {"Subject": f"number {next(NUMBERS)}"}
        assert mail.send(more.get("frm", ANN), more.get("to", CLASS), headers=headers).accepted
    fresh = [hold for hold in mail.holds() if hold["id"] not in before]
    assert len(fresh) == count and {hold["host"] for hold in fresh} == {mail.daemon.host}
    mail.held()
    return fresh


def reviewed_on(mail, **more):
    """The same, once whom it reaches is noted."""
    (hold,) = held_on(mail, **more)

    def is_noted():
        record = mail.redis.command("HGET", "{mailbrake}:holds-by-id", hold["id"])
        return '"audience":"' in record

    wait_until(is_noted, 10, "nobody notes whom it would reach")
    return hold


def entries(mail, action, **more):
    """Of a relay's own audit file."""
    lines = [json.loads(line) for line in mail.audit_file.read_text().splitlines()]
    ended = [line for line in lines if line["action"] == action and "result" in line]
    return [e for e in ended if all(e.get(name) == value for name, value in more.items())]


def test_held_there_decided_here(relays):
    here, there = relays()
    one, two, three, *raced = held_on(there, 6)
    assert {hold["id"] for hold in here.holds()} == {hold["id"] for hold in there.holds()}
    done = here.run("quarantine", "show", one["id"], "--content")
    assert done.returncode == 1 and "is held on relay2: run it there" in done.stderr
    page = " ".join(here.ok("quarantine", "show", one["id"]).split())
    assert "Postfix on relay2 delivers it at once, to 5 mailboxes" in page
    assert f"postcat -c {there.postfix.config} -q" in page.replace("  ", " ")
    started = time.monotonic()
    done = here.json("quarantine", "release", one["id"], "--purpose", "it is wanted")
    assert time.monotonic() - started < WITHIN
    assert done["done"] == 1 and done["failed"] == 0
    assert there.delivered().by_recipient() == dict.fromkeys(people(5), 1)
    assert here.delivered() == []
    here.ok("quarantine", "refuse", two["id"])
    here.ok("quarantine", "delete", three["id"])
    assert here.holds() == there.holds() == raced
    for verb in ("release", "refuse", "delete"):
        (ours,), (theirs,) = entries(here, verb), entries(there, verb)
        assert ours["user"] == theirs["user"] == "root"
        assert ours["result"] == "ok" and theirs["result"] == "ok, 1 done"
        assert theirs["relay"] == "relay1" and "relay" not in ours
    assert entries(there, "release")[0]["purpose"] == "it is wanted"
    assert entries(there, "show")[0]["relay"] == "relay1"
    again = here.run("quarantine", "release", one["id"])
    assert again.returncode == 1 and "already released" in again.stderr
    for hold in raced:
        words = ("quarantine", "release", hold["id"])
        racers = [Asking(mail, *words) for mail in (here, there, here, there)]
        [racer.join() for racer in racers]
        assert sorted(racer.done.returncode for racer in racers) == [0, 1, 1, 1]
    told = {ANN: 1}  # of what was refused
    assert there.delivered().by_recipient() == {**dict.fromkeys(people(5), 4), **told}


def test_a_page_on_another_relay_sees_a_brake_in_time(relays):
    """It reads the brakes when /v1/events says that something has changed, and only then."""
    here, there = relays()
    for key in ("sender:eve@else.example", "sender:bob@else.example", "sender:ann@else.example"):
        seen, shown = there.api("GET", "/v1/events")[1]["changes"], []
        assert here.api("PUT", "/v1/brakes", {"key": key})[0] == 200
        until = time.monotonic() + 2
        while key not in shown and time.monotonic() < until:
            before, seen = seen, there.api("GET", "/v1/events")[1]["changes"]
            if seen != before:
                shown = [brake["key"] for brake in there.api("GET", "/v1/brakes")[1]["brakes"]]
            time.sleep(0.02)
        assert key in shown


def test_a_release_is_reviewed_before_anybody_decides(relays):
    here, there = relays(quarantine={"approve_over": 5})
    ids = [held_on(mail)[0]["id"] for mail in (here, there)]
    status, review = here.api("POST", "/v1/holds/review", {"ids": ids})
    assert status == 200 and review == {
        **{"messages": 2, "reach": 5, "changed": False, "more": None, "fewer": None},
        **{"away": None, "administrators": 1},
    }
    relays_known = here.api("GET", "/v1/status")[1]["relays"]
    assert sorted((r["host"], r["answers"]) for r in relays_known) == [("relay1", True), ("relay2", True)]
    assert "other relay    relay2, version" in here.ok("status")
    there.daemon.kill()
    review = here.api("POST", "/v1/holds/review", {"ids": ids})[1]
    assert review["away"] == "relay2" and review["reach"] == 5
    assert here.api("POST", "/v1/holds/review", {"ids": ["ALL"]})[0] == 400
    assert len(here.holds()) == 2 and entries(here, "release") == []


def as_user(mail, name, *words):
    """Another administrator: there are two in the group."""
    who = ["setpriv", f"--reuid={name}", "--clear-groups", "--regid=nogroup"]
    done = subprocess.run(
        [*who, mail.command.build.mailbrake, *words, "--socket", mail.socket, "--json"],
        capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_incident_of_both_is_one(relays):
    """Six people together, three on each relay: too many for one administrator."""
    here, there = relays(
        quarantine={"approve_over": 4}, control={"group": "nogroup", "socket": "control.sock"}
    )
    (mine,) = held_on(here, to=people(3))
    (theirs,) = held_on(there, to=people(3, "x"))
    incident = mine["incident"]
    assert theirs["incident"] == incident
    table = there.ok("quarantine", "list")
    assert "HELD ON" in table and "relay1" in table and "relay2" in table
    words = ("quarantine", "release", "--incident", incident)
    wrong = there.run(*words, "--reach", "7")
    assert wrong.returncode == 1 and "6 people now, not 7" in wrong.stderr
    assert len(here.holds()) == 2
    done = as_user(here, "daemon", *words, "--reach", "6")
    assert done["needs"] == 1 and done["approved_by"] == ["daemon"] and done["done"] == 0
    assert as_user(there, "daemon", *words)["needs"] == 1
    done = as_user(there, "games", *words, "--reach", "6")
    assert done["done"] == 2 and done["failed"] == 0
    assert here.delivered().copies == there.delivered().copies == 3
    ours = entries(here, "release", relay="relay2", user="games")
    assert [entry["ids"] for entry in ours] == [[mine["id"]]]
    theirs = entries(there, "release", user="games")
    assert len(theirs[-1]["ids"]) == 2 and "relay" not in theirs[-1]
    (waited,) = entries(there, "release", user="daemon", relay="relay1")
    assert "needs one more" in waited["result"]


def test_two_at_the_same_moment_see_each_other(relays):
    """Four people each: alone an administrator may reach six. Messages of one's own relay,
    and of the other one."""
    here, there = relays(
        quarantine={"approve_over": 6}, control={"group": "nogroup", "socket": "control.sock"}
    )
    for number, crossed in enumerate((False, True, False)):
        sender = f"s{number}@district.example"
        ids = [held_on(m, frm=sender, to=people(4, m.daemon.host))[0]["id"] for m in (here, there)]
        asking = zip((here, there), ("daemon", "games"), reversed(ids) if crossed else ids)
        with ThreadPoolExecutor() as pool:
            asked = [pool.submit(as_user, m, who, "quarantine", "release", id) for m, who, id in asking]
        assert sorted(one.result()["done"] for one in asked) == [0, 1]
        assert len([hold for hold in here.holds() if hold["sender"] == sender]) == 1


def test_who_came_and_went_is_counted_over_both(relays):
    """A list that only local(8) expands has changed since; a relay's release says so to
    whoever asks on the other."""
    team = "al-team@district.example"

    def become(*members):
        text = f"al-team: {', '.join(members)}\n"
        for mail in (here, there):
            (mail.daemon.dir / "aliases").write_text(text)
            mail.postfix.set_lists("", text)

    here, there = relays(lists={}, aliases=f"al-team: {', '.join(people(10))}\n")
    become(*people(10))
    mine = reviewed_on(here, to=team)
    theirs = reviewed_on(there, to=[team, "one@elsewhere.example"])
    become(*people(10)[3:], *people(12, "new"))
    words = ("quarantine", "release", theirs["id"])
    wrong = here.run(*words)
    assert wrong.returncode == 1 and "12 more, 3 fewer: 20 people" in wrong.stderr
    assert "12 more, 3 fewer" in " ".join(here.ok("quarantine", "show", theirs["id"]).split())
    words = ("quarantine", "release", "--incident", mine["incident"])
    wrong = there.run(*words)
    assert wrong.returncode == 1 and "12 more, 3 fewer: 20 people" in wrong.stderr
    assert [hold["state"] for hold in here.holds()] == ["held", "held"]
    assert there.json(*words, "--reach", "20")["done"] == 2
    assert here.delivered().copies == 19 and there.delivered().copies == 20


def test_slowly_on_both(relays):
    here, there = relays()
    incident = held_on(here, 3)[0]["incident"]
    held_on(there, 3)
    begun = here.json("quarantine", "release", "--incident", incident, "--pace", "4/s")
    assert begun["pace"]["messages"] == 6 and begun["pace"]["host"] == ""
    assert len(here.holds()) > 3
    wait_until(lambda: here.holds() == [], 20, "it does not end", here.holds)
    wait_until(lambda: here.json("status")["paces"] == [], 10, "it does not end")
    assert here.delivered().copies == there.delivered().copies == 15
    asked = entries(there, "release", relay="relay1")[0]
    assert asked["result"] == "ok, 3 to be released slowly" and asked["ids"] == []
    held_on(there, 2)
    words = ["quarantine", "release", "--incident", incident, "--pace", "1/h"]
    assert here.json(*words)["pace"]["host"] == "relay2"
    wait_until(lambda: len(here.holds()) == 1, 10, "the first does not go")
    said = here.ok("incidents", "show", incident, "--stop")
    assert "not released slowly any more" in said


def test_pulled_back_from_all(relays):
    here, there = relays(rules='{ name = "none"; reach_over = 1000; action = "reject"; }')
    with here.postfix.sink.away(), there.postfix.sink.away():
        for mail in (here, there):
            assert mail.send(ANN, people(2)).accepted
            wait_until(mail.postfix.deferred, 10, "it is not tried")
        done = here.json("brake", "set", f"sender:{ANN}", "--for", "1h", "--pull-back")
    pulled = done["pulled_back"]
    assert pulled["held"] == 2 and pulled["failed"] == 0
    assert [(r["host"], r["held"]) for r in pulled["relays"]] == [("relay2", 1)]
    assert {hold["host"] for hold in there.holds()} == {"relay1", "relay2"}
    assert entries(there, "pull back")[0]["relay"] == "relay1"
    here.ok("brake", "clear", f"sender:{ANN}")
    assert here.json("quarantine", "release", *[h["id"] for h in here.holds()])["done"] == 2


@pytest.fixture
def beside_sendmail(together, postfix, sendmail_relay):  # noqa: F811
    """relay1 with Postfix, relay2 with Sendmail."""
    helper, store, audit_file = together.parts()
    relay = sendmail_relay(
        aliases=ALIASES, store=store, helper=str(helper.socket), host="relay2",
        rules=HOLD_MANY, notify=SILENT, trusted=["client:127.1.0.0/16"],
    )
    helper_beside(relay.mta, helper)
    there = SendmailAdministered(relay.mta, relay.daemon, relay.daemon.build)
    return together.add("relay1", postfix), together.complete(there, helper, audit_file)


def test_postfix_and_sendmail(beside_sendmail):
    here, there = beside_sendmail
    one, two, three, four = held_on(there, 4)
    assert {hold["host"] for hold in here.holds()} == {"relay2"}
    page = " ".join(here.ok("quarantine", "show", one["id"]).split())
    assert "Sendmail on relay2 delivers it at once, to 5 mailboxes" in page
    started = time.monotonic()
    here.ok("quarantine", "release", one["id"], "--purpose", "it is wanted")
    assert time.monotonic() - started < WITHIN
    here.ok("quarantine", "refuse", two["id"])
    here.ok("quarantine", "delete", three["id"])
    told = {ANN: 1}  # of what was refused
    assert there.delivered().by_recipient() == {**dict.fromkeys(people(5), 1), **told}
    assert [held.id for held in there.held()] == [four["queue_id"]]
    assert [(e["relay"], e["purpose"]) for e in entries(there, "release")] == [
        ("relay1", "it is wanted")
    ]
    (mine,) = held_on(here)
    assert there.json("quarantine", "release", "--incident", mine["incident"])["done"] == 2
    assert here.delivered().copies == 5 and there.delivered().copies == 11
    with there.mta.sink.away():
        assert there.send(BOB, "p1@district.example").accepted
        wait_until(there.mta.waiting, 10, "it is not tried")
        done = here.json("brake", "set", f"sender:{BOB}", "--for", "1h", "--pull-back")
    assert [(r["host"], r["held"]) for r in done["pulled_back"]["relays"]] == [("relay2", 1)]
    (pulled,) = here.holds()
    here.ok("quarantine", "delete", pulled["id"])
    assert there.held() == [] and there.mta.waiting() == []


class Asking(threading.Thread):
    """Somebody who waits for an answer while the story goes on."""

    def __init__(self, mail, *words):
        super().__init__()
        self.mail, self.words = mail, words
        self.start()

    def run(self):
        started = time.monotonic()
        self.done = self.mail.run(*self.words)
        self.took = time.monotonic() - started


def test_a_relay_that_is_away_is_named(relays):
    """Away before it took an order, and while it carries one out."""
    here, there = relays()
    taken, untaken = held_on(there, 2)
    (mine,) = held_on(here)
    orders = Orders(here.redis)
    there.helper.process.send_signal(signal.SIGSTOP)
    first = Asking(here, "quarantine", "release", taken["id"])
    wait_until(lambda: any("\ntaken" in v for v in orders.all().values()), 10, "not taken")
    there.daemon.signal(signal.SIGSTOP)
    second = Asking(here, "quarantine", "release", untaken["id"], mine["id"])
    third = Asking(here, "brake", "set", "sender:x@y.example", "--pull-back")
    fourth = Asking(here, "quarantine", "show", untaken["id"])
    [one.join() for one in (first, second, third, fourth)]
    assert third.done.returncode == 1 and "relay2 does not answer" in third.done.stderr
    assert "Brake on sender:x@y.example" in third.done.stdout
    page = " ".join(fourth.done.stdout.split())
    assert "not known: relay2, which holds it, does not answer" in page
    assert first.done.returncode == second.done.returncode == 1
    assert "relay2 does not answer any more" in first.done.stderr
    assert "relay2 does not answer: nothing was done there" in second.done.stderr
    assert f"{mine['id']} released" in second.done.stdout and 9 < second.took < 15
    assert "1 done, 1 failed" in entries(here, "release")[-1]["result"]
    there.daemon.signal(signal.SIGCONT)
    there.helper.process.send_signal(signal.SIGCONT)
    wait_until(lambda: len(here.holds()) == 1, 10, "it does not end what it took", here.holds)
    time.sleep(1)
    (left,) = here.holds()
    assert left["id"] == untaken["id"] and left["state"] == "held"
    here.ok("quarantine", "release", untaken["id"])
    assert there.delivered().by_recipient() == dict.fromkeys(people(5), 2)


# Abuse.


class Orders:
    """What lies in the store for a moment: the orders, frozen by whoever reads along."""

    KEY = "{mailbrake}:orders"

    def __init__(self, redis):
        self.redis = redis

    def all(self):
        words = self.redis.command("HGETALL", self.KEY)
        return dict(zip(words[::2], words[1::2]))

    def put(self, documents):
        for name, value in documents.items():
            self.redis.command("HSET", self.KEY, name, value)
            term = value.split("\n")[0]
            if term:
                self.redis.command("ZADD", f"{self.KEY}:index", 0, f"{term} {name}")

    def catch(self, mail, other, *words):
        """An order, as it is written: the relay that it is for is asleep."""
        other.daemon.signal(signal.SIGSTOP)
        asking = subprocess.Popen(
            [mail.command.build.mailbrake, *words, "-c", mail.daemon.config],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        wait_until(lambda: len(self.all()) > 1, 10, "no order comes")
        return asking, self.all()


def head_of(documents):
    (name,) = [name for name in documents if "." not in name]
    return name


REFUSED = r"order [0-9a-f]* is refused"


def test_forged_altered_replayed(relays):
    here, there = relays()
    one, two, three = held_on(there, 3)
    orders = Orders(here.redis)
    there.daemon.allow_log(REFUSED)

    # Replayed: it is done once.
    asking, caught = orders.catch(here, there, "quarantine", "release", one["id"])
    there.daemon.signal(signal.SIGCONT)
    assert asking.wait(20) == 0, asking.stderr.read()
    orders.put(caught)
    wait_until(lambda: "carried out before" in there.daemon.text(), 5, "it is obeyed again")
    assert orders.all() == {}

    # Altered: another message, another time, another id.
    asking, caught = orders.catch(here, there, "quarantine", "release", two["id"])
    name = head_of(caught)
    there.daemon.signal(signal.SIGKILL)
    there.daemon.process.wait()
    there.daemon.start()
    assert asking.wait(20) == 1
    refusals = there.daemon.text().count("is refused")
    orders.put({**caught, f"{name}.0": caught[f"{name}.0"].replace(two["id"], three["id"])})
    later = re.sub(r"new (\d+)", lambda m: f"new {int(m[1]) + 60000}", caught[name])
    orders.put({"0" * 16: later, "0" * 16 + ".0": caught[f"{name}.0"]})
    text = '\n{"do":"release","body":{"ids":["%s"]}}' % three["id"]
    head = f"to:relay2\nnew {int(time.time() * 1000) + 9000} 1 0 {'ab' * 16}"
    orders.put({"f" * 16: head, "f" * 16 + ".0": text})
    orders.put({"e" * 16: "to:relay2\nnonsense", "d" * 16: "to:relay2\nnew 99999999999999 100 0 00"})
    wait_until(
        lambda: there.daemon.text().count("is refused") >= refusals + 5 or orders.all() == {},
        10, "not all are refused", there.daemon.text,
    )
    wait_until(lambda: orders.all() == {}, 5, "they stay")
    assert [h["state"] for h in here.holds()] == ["held", "held"]
    assert "signature is wrong" in there.audit_file.read_text()


def test_a_relay_with_another_key(relays, folder):
    """Keys are told apart at the start only where both have a file."""
    here, there = relays()
    (hold,) = held_on(there)
    key = folder / "other.key"
    key.write_text("another secret of at least sixteen bytes\n")
    key.chmod(0o600)
    text = here.daemon.config.read_text()
    here.daemon.write(text + f'\nprivacy = {{ key_file = "{key}"; }};\n')
    here.daemon.kill()
    here.daemon.allow_log("state")
    here.daemon.start()
    done = here.run("quarantine", "release", hold["id"])
    assert done.returncode == 1 and "relay2 has another key" in done.stderr
    assert [h["state"] for h in there.holds()] == ["held"]
    assert "another key" in entries(here, "release")[-1]["result"]


def test_killed_at_random_nothing_twice_and_nothing_lost(relays):
    """While an incident of both is released slowly, and one has the other release. Either
    is killed, who asks and who obeys, and the store does not answer for a moment."""
    here, there = relays()
    for mail in (here, there):
        mail.daemon.allow_log("store|Redis|brakes|audit|notices|quarantine|answer|refused|slow")
    incident = held_on(here, 12)[0]["incident"]
    held_on(there, 12)
    ids = [hold["id"] for hold in held_on(there, 16, frm=BOB)]
    subjects = [held.headers["Subject"] for mail in (here, there) for held in mail.held()]
    here.ok("quarantine", "release", "--incident", incident, "--pace", "10/s")
    moment = random.Random(41)
    asking = []
    for struck in (there, here, None, there, here):
        asking.append(Asking(here, "quarantine", "release", *ids))
        time.sleep(moment.uniform(0.1, 0.4))
        if struck is None:
            here.redis.freeze()
            time.sleep(1.5)
            here.redis.thaw()
        else:
            struck.daemon.kill()
            struck.daemon.start()
    [one.join() for one in asking]

    def is_clear():
        states = {(hold["id"] in ids, hold["state"]) for hold in here.holds()}
        return states <= {(True, "held")} and here.json("status")["paces"] == []

    wait_until(is_clear, 30, "it does not end", here.holds)
    left = [hold["id"] for hold in here.holds()]
    if left:
        assert here.json("quarantine", "release", *left)["done"] == len(left)
    copies = collections.Counter(
        (delivery["Subject"], person)
        for mail in (here, there)
        for delivery in mail.delivered()
        for person in delivery.recipients
    )
    assert copies == {(subject, person): 1 for subject in subjects for person in people(5)}


def test_redis_without_the_key_of_orders(relays):
    here, there = relays()
    (hold,) = held_on(there)
    for mail in (here, there):
        mail.daemon.allow_log("orders|Redis refuses|NOPERM|order")
    keys = [k for k in here.redis.keys() if "orders" not in k]
    allowed = ["holds-by-id", "incidents-by-id", "brakes", "allows", "permits", "meta", "paces", "stamp", "epoch"]
    patterns = [f"~{{mailbrake}}:{name}*" for name in allowed] + ["~{mailbrake}:*bucket*"]
    assert keys
    here.redis.command("ACL", "SETUSER", "default", "resetkeys", *patterns)
    try:
        done = here.run("quarantine", "release", hold["id"])
        assert done.returncode == 1 and "relay2 can't be asked" in done.stderr, done.stderr
        assert "NOPERM" in done.stderr and "see store.username" in done.stderr, done.stderr
    finally:
        here.redis.command("ACL", "SETUSER", "default", "~*")
    wait_until(
        lambda: here.run("quarantine", "release", hold["id"]).returncode == 0, 20, "not again"
    )


@pytest.mark.timing
def test_nine_hundred(relays):
    """So many that the order and its answer are written in parts."""
    here, there = relays(
        rules='{ name = "many"; reach_over = 2; key = "all"; action = "quarantine"; }',
        quarantine={"max_per_incident": 15000, "max_messages": 15000},
        lists={"class": people(3)},
    )
    for mail in (here, there):
        mail.daemon.allow_log("a request got no answer")  # on a busy machine

    def send(number):
        session = there.connect(f"10.1.2.{number}")
        for _ in range(150):
            assert session.message(f"s{number}@district.example", CLASS).accepted
        session.quit()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(6)))
    wait_until(lambda: len(here.holds()) == 900, 20, "not all are held")
    holds = here.holds()
    started = time.monotonic()
    done = here.json("quarantine", "delete", "--incident", holds[0]["incident"])
    assert done["done"] == 900 and done["failed"] == 0
    assert time.monotonic() - started < 15
    assert there.postfix.held() == [] and here.holds() == []
