"""One place for all relays: what one relay holds is decided about from any other. Two
Postfix, two mailbraked with their helpers, one Redis."""

import json
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

import pytest

from helper import SANITIZERS, Helper
from mailbraked import people
from postfix import Postfix, wait_until
from redis import Redis
from relay import lists_for_postfix
from stores import redis_settings
from test_admin import ANN, BOB, CLASS, HOLD_MANY, SILENT, STAFF, Administered

WITHIN = 2  # seconds
NOTED = 1.5  # until the audience of what is held is noted


@pytest.fixture(scope="module")
def running_second(folder):
    path = pathlib.Path(tempfile.mkdtemp(prefix="postfix-", dir=folder))
    path.chmod(0o755)
    second = Postfix(path)
    second.start()
    yield second
    second.stop()


@pytest.fixture
def relays(own_redis, postfix, running_second, mailbraked, build, folder):
    """Two relays, relay1 and relay2, each with all its parts."""
    helpers = []

    def make_one(number, mta, **configuration):
        state = tempfile.mkdtemp(prefix="state-", dir=folder)
        settings = {"rules": HOLD_MANY, "lists": {"class": people(5)}, "notify": SILENT}
        settings = {**settings, "trusted": STAFF, **configuration}
        helper = Helper(build, folder)
        helpers.append(helper)
        helper.configure("postfix", mta.config).start()
        lists_for_postfix(mta, lists=settings["lists"])
        store = {**redis_settings(own_redis, timeout_ms=1000), "state_file": f"{state}/state"}
        where = {"config_directory": str(mta.config), "helper": str(helper.socket)}
        daemon = mailbraked(
            store, milter_socket=mta.milter_socket, host=f"relay{number}", mta=where, **settings
        )
        mail = Administered(mta, daemon, build)
        mail.helper, mail.redis = helper, own_redis
        mail.audit_file = pathlib.Path(state) / "audit.log"
        return mail

    def make(**configuration):
        running_second.clean()
        running_second.begin()
        return make_one(1, postfix, **configuration), make_one(2, running_second, **configuration)

    yield make
    running_second.clean()
    for helper in helpers:
        helper.kill()
        assert not re.search(SANITIZERS, helper.text()), helper.text()


def held_on(mail, count=1, **more):
    """Sends so many through a relay, all held there."""
    before = {hold["id"] for hold in mail.holds()}
    for _ in range(count):
        assert mail.send(ANN, more.get("to", CLASS)).accepted
    fresh = [hold for hold in mail.holds() if hold["id"] not in before]
    assert len(fresh) == count and {hold["host"] for hold in fresh} == {mail.daemon.host}
    mail.held()
    time.sleep(NOTED)
    return fresh


def entries(mail, action, **more):
    """Of a relay's own audit file."""
    lines = [json.loads(line) for line in mail.audit_file.read_text().splitlines()]
    ended = [line for line in lines if line["action"] == action and "result" in line]
    return [e for e in ended if all(e.get(name) == value for name, value in more.items())]


def test_held_there_decided_here(relays):
    here, there = relays()
    one, two, three = held_on(there, 3)
    assert {hold["id"] for hold in here.holds()} == {one["id"], two["id"], three["id"]}
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
    assert here.holds() == [] and there.holds() == []
    for verb in ("release", "refuse", "delete"):
        (ours,), (theirs,) = entries(here, verb), entries(there, verb)
        assert ours["user"] == theirs["user"] == "root"
        assert ours["result"] == "ok" and theirs["result"] == "ok, 1 done"
        assert theirs["relay"] == "relay1" and "relay" not in ours
    assert entries(there, "release")[0]["purpose"] == "it is wanted"
    assert entries(there, "show")[0]["relay"] == "relay1"
    again = here.run("quarantine", "release", one["id"])
    assert again.returncode == 1 and "already released" in again.stderr


def test_an_incident_of_both_is_one(relays):
    here, there = relays()
    first = held_on(here, 2)
    held_on(there, 2)
    incident = first[0]["incident"]
    assert {hold["incident"] for hold in here.holds()} == {incident}
    wrong = there.run("quarantine", "release", "--incident", incident, "--reach", "10")
    assert wrong.returncode == 1 and "5 people now, not 10" in wrong.stderr
    assert len(here.holds()) == 4
    done = there.json("quarantine", "release", "--incident", incident, "--reach", "5")
    assert done["done"] == 4 and done["failed"] == 0
    assert here.delivered().copies == there.delivered().copies == 10
    assert len(entries(here, "release", relay="relay2")[0]["ids"]) == 2
    assert len(entries(there, "release")[-1]["ids"]) == 4


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
    (hold, *_) = held_on(there, 2)
    begun = here.json("quarantine", "release", "--incident", hold["incident"], "--pace", "1/h")
    assert begun["pace"]["host"] == "relay2"
    wait_until(lambda: len(here.holds()) == 1, 10, "the first does not go")
    assert "not released slowly any more" in here.ok(
        "incidents", "show", hold["incident"], "--stop"
    )


def test_two_persons_on_two_relays(relays):
    here, there = relays(
        quarantine={"approve_over": 4}, control={"group": "nogroup", "socket": "control.sock"}
    )

    def as_user(mail, name, *words):
        who = ["setpriv", f"--reuid={name}", "--clear-groups", "--regid=nogroup"]
        done = subprocess.run(
            [*who, mail.command.build.mailbrake, *words, "--socket", mail.socket, "--json"],
            capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    (hold,) = held_on(there)
    words = ("quarantine", "release", hold["id"])
    assert as_user(here, "daemon", *words)["needs"] == 1
    assert as_user(there, "daemon", *words)["approved_by"] == ["daemon"]
    assert as_user(here, "games", *words)["done"] == 1
    incident = held_on(here, to=people(3))[0]["incident"]
    held_on(there, to=people(3, "x"))
    words = ("quarantine", "release", "--incident", incident)
    assert as_user(here, "daemon", *words)["needs"] == 1  # six persons together
    assert as_user(there, "games", *words)["done"] == 2
    assert entries(there, "release", user="daemon")[0]["result"] == "approved: needs one more" or (
        "needs one more" in entries(there, "release", user="daemon")[0]["result"]
    )


def test_content_stays_where_it_is(relays):
    here, there = relays()
    (hold,) = held_on(there)
    there.helper.allow("subject")
    done = here.run("quarantine", "show", hold["id"], "--content")
    assert done.returncode == 1 and "is held on relay2: run it there" in done.stderr


def test_pulled_back_from_all(relays):
    here, there = relays(rules='{ name = "none"; reach_over = 1000; action = "reject"; }')
    for mail in (here, there):
        mail.postfix._run("postconf", "-e", "defer_transports=lmtp")
        mail.postfix._run("postfix", "reload")
    time.sleep(1)
    try:
        for mail in (here, there):
            assert mail.send(ANN, people(2)).accepted
        done = here.json("brake", "set", f"sender:{ANN}", "--for", "1h", "--pull-back")
    finally:
        for mail in (here, there):
            mail.postfix._run("postconf", "-X", "defer_transports")
            mail.postfix._run("postfix", "reload")
    pulled = done["pulled_back"]
    assert pulled["held"] == 2 and pulled["failed"] == 0
    assert [(r["host"], r["held"]) for r in pulled["relays"]] == [("relay2", 1)]
    assert {hold["host"] for hold in there.holds()} == {"relay1", "relay2"}
    assert entries(there, "pull back")[0]["relay"] == "relay1"
    here.ok("brake", "clear", f"sender:{ANN}")
    assert here.json("quarantine", "release", *[h["id"] for h in here.holds()])["done"] == 2


def test_a_relay_that_is_away_is_named(relays):
    here, there = relays()
    (hold,) = held_on(there)
    (mine,) = held_on(here)
    there.daemon.kill()
    started = time.monotonic()
    done = here.run("quarantine", "release", hold["id"], mine["id"])
    assert 9 < time.monotonic() - started < 15
    assert done.returncode == 1 and "relay2 does not answer" in done.stderr
    assert f"{mine['id']} released" in done.stdout
    assert here.redis.command("HLEN", "{mailbrake}:orders") == 0
    there.daemon.start()
    time.sleep(1)
    assert [h["state"] for h in here.holds()] == ["held"]
    assert there.delivered() == []
    here.ok("quarantine", "release", hold["id"])


def test_frozen_for_long_it_does_not_obey_later(relays):
    """A relay that comes back after the order has lapsed."""
    here, there = relays()
    (hold,) = held_on(there)
    there.daemon.signal(signal.SIGSTOP)
    done = here.run("quarantine", "release", hold["id"])
    there.daemon.signal(signal.SIGCONT)
    assert done.returncode == 1 and "relay2 does not answer" in done.stderr
    time.sleep(2)
    assert [h["state"] for h in here.holds()] == ["held"]


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


def test_an_answer_that_is_forged_is_no_answer(relays):
    here, there = relays()
    (hold,) = held_on(there)
    orders = Orders(here.redis)
    asking, caught = orders.catch(here, there, "quarantine", "release", hold["id"])
    name = head_of(caught)
    answer = '\n{"code":200,"answer":{"results":[{"id":"%s","ok":true}]}}' % hold["id"]
    here.redis.command("HSET", orders.KEY, f"{name}.0", answer)
    here.redis.command("HSET", orders.KEY, name, f"\ndone {int(time.time() * 1000)} 1 0 {'ab' * 16}")
    assert asking.wait(20) == 1
    assert "relay2: its answer can't be trusted" in asking.stderr.read()
    there.daemon.signal(signal.SIGCONT)
    assert [h["state"] for h in here.holds()] == ["held"]


def test_a_relay_with_another_key(relays, folder):
    """Its orders are not obeyed: keys are told apart before that only where both have a file."""
    here, there = relays()
    (hold,) = held_on(there)
    there.daemon.allow_log(REFUSED)
    key = folder / "other.key"
    key.write_text("another secret of at least sixteen bytes\n")
    key.chmod(0o600)
    text = here.daemon.config.read_text()
    here.daemon.write(text + f'\nprivacy = {{ key_file = "{key}"; }};\n')
    here.daemon.kill()
    here.daemon.allow_log("state")
    here.daemon.start()
    done = here.run("quarantine", "release", hold["id"])
    assert done.returncode == 1 and "relay2 did not accept the order" in done.stderr
    assert [h["state"] for h in there.holds()] == ["held"]
    assert "another key" in there.audit_file.read_text()


def test_killed_while_it_obeys(relays):
    here, there = relays()
    holds = held_on(there, 3)
    there.helper.process.send_signal(signal.SIGSTOP)
    words = ["quarantine", "release", *[hold["id"] for hold in holds]]
    outcome = []
    asking = threading.Thread(target=lambda: outcome.append(here.run(*words)))
    asking.start()
    orders = Orders(here.redis)
    wait_until(lambda: any("\ntaken" in v for v in orders.all().values()), 10, "not taken")
    there.daemon.kill()
    there.helper.process.send_signal(signal.SIGCONT)
    asking.join(30)
    assert outcome[0].returncode == 1
    assert "relay2 does not answer any more" in outcome[0].stderr
    there.daemon.start()
    wait_until(
        lambda: not [h for h in here.holds() if h["state"] != "held"], 30, "unclear", here.holds
    )
    left = [hold["id"] for hold in here.holds()]
    if left:
        assert here.json("quarantine", "release", *left)["done"] == len(left)
    assert there.delivered().by_recipient() == dict.fromkeys(people(5), 3)


def test_the_store_away_midway(relays):
    here, there = relays()
    for mail in (here, there):
        mail.daemon.allow_log("store|Redis|brakes|audit|notices|quarantine|answer|expired")
    (hold,) = held_on(there)
    orders = Orders(here.redis)
    asking, _ = orders.catch(here, there, "quarantine", "release", hold["id"])
    here.redis.freeze()
    there.daemon.signal(signal.SIGCONT)
    assert asking.wait(40) == 1
    assert "relay2" in asking.stderr.read()
    here.redis.thaw()
    wait_until(lambda: here.json("status")["store"]["state"] == "ok", 20, "no store")
    time.sleep(2)
    assert here.holds() == [] or here.json("quarantine", "release", hold["id"])["done"] == 1
    assert there.delivered().by_recipient() == dict.fromkeys(people(5), 1)


def test_two_relays_race_for_one(relays):
    here, there = relays()
    for hold in held_on(there, 3):
        outcomes = []
        words = ("quarantine", "release", hold["id"])
        threads = [
            threading.Thread(target=lambda mail=mail: outcomes.append(mail.run(*words)))
            for mail in (here, there, here, there)
        ]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert sorted(done.returncode for done in outcomes) == [0, 1, 1, 1]
    assert there.delivered().by_recipient() == dict.fromkeys(people(5), 3)


def test_redis_without_the_key_of_orders(relays):
    here, there = relays()
    (hold,) = held_on(there)
    for mail in (here, there):
        mail.daemon.allow_log("orders|Redis refuses|NOPERM|order")
    keys = [k for k in here.redis.keys() if "orders" not in k]
    allowed = ["holds-by-id", "incidents-by-id", "brakes", "allows", "permits", "meta", "paces"]
    patterns = [f"~{{mailbrake}}:{name}*" for name in allowed] + ["~{mailbrake}:*bucket*"]
    assert keys
    here.redis.command("ACL", "SETUSER", "default", "resetkeys", *patterns)
    try:
        done = here.run("quarantine", "release", hold["id"])
        assert done.returncode == 1 and "relay2" in done.stderr, done.stderr
    finally:
        here.redis.command("ACL", "SETUSER", "default", "~*")
    wait_until(
        lambda: here.run("quarantine", "release", hold["id"]).returncode == 0, 20, "not again"
    )


@pytest.mark.timing
def test_five_thousand(relays):
    here, there = relays(
        rules='{ name = "many"; reach_over = 2; key = "all"; action = "quarantine"; }',
        quarantine={"max_per_incident": 15000, "max_messages": 15000},
        lists={"class": people(3)},
    )

    def send(number):
        session = there.connect(f"10.1.2.{number}")
        for _ in range(625):
            assert session.message(f"s{number}@district.example", CLASS).accepted
        session.quit()

    senders = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    [sender.start() for sender in senders]
    [sender.join() for sender in senders]
    holds = here.holds()
    assert len(holds) == 5000
    started = time.monotonic()
    done = here.json("quarantine", "delete", "--incident", holds[0]["incident"])
    assert done["done"] == 5000 and done["failed"] == 0
    assert time.monotonic() - started < 120
    assert there.postfix.held() == [] and here.holds() == []
