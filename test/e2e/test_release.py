"""A release goes to whom was reviewed, above a number of people only when two agree, as
slowly as one likes; and a refused incident is one letter."""

import contextlib
import json
import re
import signal
import subprocess
import time

import pytest

from helper import helper  # noqa: F401, a fixture
from mailbraked import people
from postfix import wait_until
from stores import memory_only, redis_only
from test_admin import ANN, BOB, CLASS, HOLD_MANY, STAFF, administered  # noqa: F401, a fixture
from test_everywhere import Asking

TEAM = "al-team@district.example"
EVERY_SECOND = 1.5  # until the audience of what is held is noted


def aliases(*members):
    return f"al-team: {', '.join(members)}\n"


class Team:
    """A list that only local(8) expands; what the administrator writes, Postfix reads."""

    def __init__(self, mail):
        self.mail = mail

    def become(self, *members):
        text = aliases(*members)
        (self.mail.daemon.dir / "aliases").write_text(text)
        self.mail.postfix.set_lists("", text)


@pytest.fixture
def team(administered):  # noqa: F811
    def make(members=10, **configuration):
        mail = administered(lists={}, aliases=aliases(*people(members)), **configuration)
        mail.team = Team(mail)
        mail.team.become(*people(members))
        return mail

    return make


@contextlib.contextmanager
def noting(mail, count=1):
    """Ends when whom so many messages would reach is noted: once a second the helper is asked."""

    def asked():
        answers = re.findall(r'order=recipients result="?ok ?(\d*)', mail.helper.text())
        return sum(int(number or 1) for number in answers)

    before = asked()
    yield
    wait_until(lambda: asked() >= before + count, 10, "nobody asks whom it would reach")
    time.sleep(0.2)  # and it is written down


def reviewed(mail, count=1, **more):
    with noting(mail, count):
        return mail.hold(count, **more)


def refused(mail, *words):
    done = mail.run(*words)
    assert done.returncode == 1, done.stdout
    return done.stderr


# Whom it reaches.


@redis_only
def test_a_release_goes_to_whom_was_reviewed(team):
    mail = team()
    (hold,) = reviewed(mail, to=TEAM)
    after = [*people(10)[3:], *people(12, "new")]
    mail.team.become(*after)
    told = refused(mail, "quarantine", "release", hold["id"])
    assert "12 more, 3 fewer: 19 people" in told and "--reach 19" in told
    assert mail.delivered() == [] and mail.holds()[0]["state"] == "held"
    status, answer = mail.api("POST", f"/v1/holds/{hold['id']}/release")
    assert status == 409 and "12 more, 3 fewer: 19 people" in answer["error"]
    page = " ".join(mail.ok("quarantine", "show", hold["id"]).split())
    assert "12 more, 3 fewer" in page and "--reach 19" in page
    told = refused(mail, "quarantine", "release", hold["id"], "--reach", "10")
    assert "19 people" in told and "not 10" in told
    mail.ok("quarantine", "release", hold["id"], "--reach", "19")
    assert mail.delivered().by_recipient() == dict.fromkeys(after, 1)
    results = [entry["result"] for entry in mail.audit("release")]
    assert "12 more" in results[0] and results[-1] == "ok"


@memory_only
def test_an_audience_as_it_was_needs_no_number(team):
    mail = team()
    (hold,) = reviewed(mail, to=TEAM)
    mail.team.become(*people(12))
    mail.team.become(*reversed(people(10)))
    mail.ok("quarantine", "release", hold["id"])
    assert mail.delivered().by_recipient() == dict.fromkeys(people(10), 1)


@memory_only
def test_what_postfix_expanded_does_not_change(administered):  # noqa: F811
    """virtual(5) is expanded before a message is held: what changes later reaches nobody."""
    mail = administered()
    (hold,) = reviewed(mail)
    mail.postfix.set_lists("class@district.example new@district.example\n")
    mail.ok("quarantine", "release", hold["id"], "--reach", "5")
    assert mail.delivered().by_recipient() == dict.fromkeys(people(5), 1)


@redis_only
def test_what_is_recorded_late_was_reviewed_as_well(team, store, redis):
    """The store was away when it was held."""
    store["timeout_ms"] = 1000
    mail = team()
    mail.daemon.allow_log("(?i)redis|store")
    with noting(mail):
        redis.freeze()
        assert mail.send(ANN, TEAM).accepted
        time.sleep(1.5)  # meanwhile others are noted, if there are any
        redis.thaw()
        wait_until(mail.holds, 20, "no record")
    (hold,) = mail.holds()
    mail.team.become(*people(12))
    assert "2 more, 0 fewer" in refused(mail, "quarantine", "release", hold["id"])


@redis_only
def test_an_incident_is_the_union_of_its_people(team):
    mail = team()
    first = reviewed(mail, 2, to=TEAM)
    reviewed(mail, to=[TEAM, "one@elsewhere.example", "p1@district.example"])
    incident = first[0]["incident"]
    mail.team.become(*people(11))
    told = refused(mail, "quarantine", "release", "--incident", incident)
    assert "1 more, 0 fewer: 12 people" in told
    assert len(mail.holds()) == 3
    done = mail.json("quarantine", "release", "--incident", incident, "--reach", "12")
    assert done["done"] == 3 and done["failed"] == 0
    assert mail.delivered().by_recipient()["p11@district.example"] == 3


@memory_only
def test_a_list_that_became_another_one(team):
    """More has changed than the digest can tell."""
    mail = team(300, rules='{ name = "many"; reach_over = 2; action = "quarantine"; }')
    (hold,) = reviewed(mail, to=TEAM)
    mail.team.become(*people(200, "other"))
    told = refused(mail, "quarantine", "release", hold["id"])
    assert "200 people" in told and "--reach 200" in told
    mail.ok("quarantine", "release", hold["id"], "--reach", "200")


@memory_only
def test_what_is_no_number_is_no_reach(team):
    mail = team()
    (hold,) = mail.hold(to=TEAM)
    for wrong in ("many", "", "-1", "1.5", "99999999999"):
        assert mail.run("quarantine", "release", hold["id"], "--reach", wrong).returncode == 2
    for wrong in ("10", -1, 1.5, [], 10**12):
        status, _ = mail.api("POST", f"/v1/holds/{hold['id']}/release", {"reach": wrong})
        assert status == 400, wrong
    assert [hold["state"] for hold in mail.holds()] == ["held"]


# Two pairs of eyes.


class Person:
    """An administrator with a name of his own."""

    def __init__(self, mail, name):
        self.mail, self.name = mail, name

    def run(self, *words):
        who = ["setpriv", f"--reuid={self.name}", "--clear-groups", "--regid=nogroup"]
        return subprocess.run(
            [*who, self.mail.command.build.mailbrake, *words, "--socket", self.mail.socket],
            capture_output=True, text=True, timeout=120,
        )

    def json(self, *words):
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


TWO = {"quarantine": {"approve_over": 4}}


@pytest.fixture
def watched(administered):  # noqa: F811
    """A relay with two administrators."""

    def make(**configuration):
        mail = administered(
            **{**TWO, "control": {"socket": "control.sock", "group": "nogroup"}, **configuration}
        )
        return mail, Person(mail, "daemon"), Person(mail, "games")

    return make


@redis_only
def test_above_a_number_two_must_agree(watched):
    mail, ann, bob = watched()
    (hold,) = mail.hold()
    done = ann.run("quarantine", "release", hold["id"])
    assert done.returncode == 0 and "needs one more" in done.stdout, done.stderr
    again = ann.json("quarantine", "release", hold["id"])
    assert again["approved_by"] == ["daemon"] and again["needs"] == 1 and again["done"] == 0
    assert mail.delivered() == [] and [h["state"] for h in mail.holds()] == ["held"]
    assert mail.holds()[0]["approved_by"] == ["daemon"]
    assert "APPROVED BY" in (table := mail.ok("quarantine", "list")) and "daemon" in table
    assert mail.json("incidents")["incidents"][0]["approved_by"] == ["daemon"]
    done = bob.run("quarantine", "release", hold["id"])
    assert done.returncode == 0 and "released" in done.stdout, done.stderr
    assert mail.delivered().by_recipient() == dict.fromkeys(people(5), 1)
    results = [(e["user"], e["result"]) for e in mail.audit("release")]
    assert results == [
        ("daemon", "approved: needs one more"),
        ("daemon", "approved: needs one more"),
        ("games", "ok"),
    ]


@memory_only
def test_either_may_refuse(watched):
    mail, ann, bob = watched()
    first, second = mail.hold(2)
    assert ann.json("quarantine", "release", first["id"])["needs"] == 1
    assert ann.run("quarantine", "refuse", first["id"]).returncode == 0
    assert bob.run("quarantine", "delete", second["id"]).returncode == 0
    assert mail.holds() == []
    assert [copy["Subject"] for copy in mail.delivered()] == ["Your message was refused"]


@redis_only
def test_an_incident_needs_two_and_so_does_what_joins_it(watched):
    mail, ann, bob = watched(quarantine={"approve_over": 9})
    first = mail.hold(2)
    mail.hold(to=[CLASS, *people(5, "x")])
    incident = first[0]["incident"]
    done = ann.json("quarantine", "release", "--incident", incident)
    assert done["needs"] == 1 and done["approved_by"] == ["daemon"] and done["done"] == 0
    said = ann.run("quarantine", "release", "--incident", incident).stdout
    assert "0 messages released, 0 failed, 3 need one more." in said
    assert "APPROVED BY" in (table := mail.ok("incidents")) and "daemon" in table
    assert re.search("approved by +daemon", mail.ok("incidents", "show", incident))
    (late,) = mail.hold()
    done = bob.json("quarantine", "release", "--incident", incident)
    assert done["done"] == 3 and done["approved_by"] == ["games"]
    assert [hold["id"] for hold in mail.holds()] == [late["id"]]
    assert len(mail.delivered()) > 0


@memory_only
def test_one_by_one_is_no_way_around(watched):
    """Single messages, each to few: together they reach too many for one person."""
    mail, ann, _ = watched(quarantine={"approve_over": 9})
    holds = [mail.hold(to=people(4, name))[0] for name in "abc"]
    assert ann.json("quarantine", "release", holds[0]["id"])["done"] == 1
    assert ann.json("quarantine", "release", holds[1]["id"])["done"] == 1
    assert ann.json("quarantine", "release", holds[2]["id"])["needs"] == 1
    assert len(mail.holds()) == 1


@memory_only
def test_who_approved_of_others_approved_of_nobody(team):
    """The second one reviews another audience: then the first must look again."""
    mail = team(**{**TWO, "control": {"socket": "control.sock", "group": "nogroup"}})
    ann, bob = Person(mail, "daemon"), Person(mail, "games")
    (hold,) = reviewed(mail, to=TEAM)
    assert ann.json("quarantine", "release", hold["id"])["needs"] == 1
    mail.team.become(*people(20))
    assert "10 more, 0 fewer" in bob.run("quarantine", "release", hold["id"]).stderr
    done = bob.json("quarantine", "release", hold["id"], "--reach", "20")
    assert done["needs"] == 1 and done["approved_by"] == ["games"]
    assert ann.json("quarantine", "release", hold["id"])["done"] == 1
    assert len(mail.delivered().by_recipient()) == 20


# One letter.


def letters(mail):
    return [copy for copy in mail.delivered() if copy["Subject"] == "Your message was refused"]


@memory_only
def test_a_refused_incident_is_one_letter(administered):  # noqa: F811
    mail = administered()
    holds = mail.hold(4)
    mail.hold(frm=BOB)
    incident = holds[0]["incident"]
    mail.ok("quarantine", "refuse", holds[0]["id"])
    mail.ok("quarantine", "refuse", holds[1]["id"])
    assert len(letters(mail)) == 1
    assert "not be told again" in " ".join(letters(mail)[0].message.get_payload().split())
    mail.ok("quarantine", "refuse", "--incident", incident)
    mail.ok("quarantine", "refuse", *[hold["id"] for hold in mail.holds()])
    assert sorted(copy["To"] for copy in letters(mail)) == [ANN, BOB]
    (again,) = mail.hold()
    assert again["incident"] == incident
    mail.ok("quarantine", "refuse", again["id"])
    assert len(letters(mail)) == 2


@memory_only
def test_a_refusal_that_failed_leaves_its_letter(administered):  # noqa: F811
    mail = administered()
    (hold,) = mail.hold()
    mail.helper.kill()
    assert mail.run("quarantine", "refuse", hold["id"]).returncode == 1
    assert letters(mail) == []
    mail.helper.start()
    mail.ok("quarantine", "refuse", hold["id"])
    assert len(letters(mail)) == 1


# Slowly.


def slow(mail, incident, pace, *words):
    return mail.json("quarantine", "release", "--incident", incident, "--pace", pace, *words)


def waiting(mail):
    return [hold for hold in mail.holds() if hold["state"] == "held"]


@redis_only
def test_an_incident_is_released_slowly_over_restarts(administered):  # noqa: F811
    mail = administered()
    holds = mail.hold(12)
    incident = holds[0]["incident"]
    started = time.monotonic()
    begun = slow(mail, incident, "2/s")
    assert mail.send(ANN, CLASS).accepted  # joins the incident, but nobody has reviewed it
    assert begun["pace"]["pace"] == "2/s" and begun["pace"]["messages"] == 12
    assert begun["done"] == 0 and begun["failed"] == 0
    wait_until(lambda: len(waiting(mail)) < 12, 10, "nothing is released")
    shown = mail.json("status")["paces"]
    assert [(p["incident"], p["pace"], p["stopped"]) for p in shown] == [(incident, "2/s", None)]
    assert incident in mail.ok("status") and "2/s" in mail.ok("incidents", "show", incident)
    mail.daemon.kill()
    mail.daemon.start()
    wait_until(lambda: len(waiting(mail)) == 1, 20, "it does not go on", mail.holds)
    assert time.monotonic() - started > 5
    wait_until(lambda: mail.json("status")["paces"] == [], 10, "it does not end")
    assert mail.delivered().by_recipient() == dict.fromkeys(people(5), 12)
    done = [e for e in mail.audit("release") if "slowly" in e["result"]]
    # The kill may come between a release and its line.
    assert 10 <= sum(len(e.get("ids", [])) for e in done[1:]) <= 12 and done[-1]["user"] == "root"


@memory_only
def test_a_slow_release_can_be_stopped(administered):  # noqa: F811
    mail = administered()
    incident = mail.hold(3)[0]["incident"]
    slow(mail, incident, "1/h")
    wait_until(lambda: len(waiting(mail)) == 2, 10, "the first does not go")
    page = mail.ok("incidents", "show", incident)
    assert "released slowly" in page and "1 of 3" in page
    assert mail.json("incidents", "show", incident)["pace"]["released"] == 1
    assert "not released slowly any more" in mail.ok("incidents", "show", incident, "--stop")
    assert mail.json("incidents", "show", incident)["pace"] is None
    assert "not released slowly" in refused(mail, "incidents", "show", incident, "--stop")
    slow(mail, incident, "1/d")
    wait_until(lambda: len(mail.holds()) == 1, 10, "it does not begin anew")
    mail.ok("quarantine", "release", "--incident", incident)
    wait_until(lambda: mail.json("status")["paces"] == [], 10, "it does not end")
    assert mail.delivered().by_recipient() == dict.fromkeys(people(5), 3)


@memory_only
def test_of_several_who_release_one_incident_none_fails(administered):  # noqa: F811
    """A slow release and two at once choose the same messages, and each is done by one of them."""
    mail = administered()
    incident = mail.hold(5)[0]["incident"]
    words = ("quarantine", "release", "--incident", incident)
    slow(mail, incident, "1/s")
    wait_until(lambda: len(waiting(mail)) < 5, 10, "the first does not go")
    begun = lambda: mail.audit_file.read_text().count('"begin"')  # noqa: E731
    before = begun()
    mail.helper.process.send_signal(signal.SIGSTOP)

    def under_way():
        gone = [hold for hold in mail.holds("--all") if hold["state"] == "released"]
        return mail.json("incidents", "show", incident)["pace"]["released"] > len(gone)

    wait_until(under_way, 10, "none is due")
    both = [Asking(mail, *words), Asking(mail, *words)]
    wait_until(lambda: begun() >= before + 2, 10, "they don't begin")
    mail.helper.process.send_signal(signal.SIGCONT)
    [asking.join() for asking in both]
    for asking in both:
        assert asking.done.returncode == 0 and asking.done.stderr == "", asking.done
        assert "failed" not in asking.done.stdout.replace("0 failed", "")
    wait_until(lambda: mail.json("status")["paces"] == [], 10, "it does not end")
    assert mail.delivered().by_recipient() == dict.fromkeys(people(5), 5)
    done = [name for entry in mail.audit("release") for name in entry.get("ids", [])]
    assert len(done) == 5 and len(set(done)) == 5
    assert all(entry["result"].startswith("ok") for entry in mail.audit("release"))


@memory_only
def test_a_slow_release_stops_when_it_would_reach_others(team):
    mail = team()
    incident = reviewed(mail, 8, to=TEAM)[0]["incident"]
    mail.daemon.allow_log(r"slow release of incident .* stopped")
    slow(mail, incident, "60/m")
    wait_until(lambda: len(waiting(mail)) < 8, 10, "the first does not go")
    mail.team.become(*people(30))
    mail.ok("reload")
    wait_until(lambda: mail.json("status")["paces"][0]["stopped"], 10, "it goes on")
    assert "more, 0 fewer" in mail.ok("incidents", "show", incident)
    assert 0 < len(waiting(mail)) < 8
    assert "stopped" in mail.audit("release")[-1]["result"]
    slow(mail, incident, "10/s", "--reach", "30")
    wait_until(lambda: mail.holds() == [], 10, "it does not go on")


@memory_only
def test_slowly_needs_two_as_well(watched):
    mail, ann, bob = watched()
    incident = mail.hold(2)[0]["incident"]
    words = ["quarantine", "release", "--incident", incident, "--pace", "10/s"]
    done = ann.json(*words)
    assert done["needs"] == 1 and "pace" not in done and mail.json("status")["paces"] == []
    assert bob.json(*words)["pace"]["by"] == "games"
    wait_until(lambda: mail.holds() == [], 10, "it is not released")


@memory_only
def test_what_is_no_pace(administered):  # noqa: F811
    mail = administered()
    (hold,) = mail.hold()
    path = f"/v1/incidents/{hold['incident']}/release"
    for wrong in ("60", "60/", "0/m", "-1/m", "60/w", "60/mm", "1.5/m", "9999999/s", "", 60, []):
        status, _ = mail.api("POST", path, {"pace": wrong})
        assert status == 400, wrong
    status, _ = mail.api("POST", f"/v1/holds/{hold['id']}/release", {"pace": "1/s"})
    assert status == 400
    assert mail.run("quarantine", "release", hold["id"], "--pace", "1/s").returncode == 2
    assert len(mail.holds()) == 1 and mail.json("status")["paces"] == []
