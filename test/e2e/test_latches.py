"""Latches and surges, seen and undone by administrators: a thread that everybody answers to,
a script that outgrows itself."""

import time

from helper import helped, helper  # noqa: F401
from mailbraked import people
from milter import HELLO, client, ends, message
from stores import memory_only, redis_settings
from test_admin import administered  # noqa: F401

ANN = "ann@district.example"
CLASS = "class@district.example"

# Full again after three seconds, so that only the latch still stops.
THREAD = """
{ name = "reply-storm"; to = ["list:*"]; reply = true; key = "thread";
  limit = "2 messages per 3s"; latch = "1h"; action = "quarantine"; }
"""

GROWN = """
{ name = "grown"; from = ["login:sis"]; key = "sender"; surge = 2.0; window = "2s"; floor = 3;
  action = "quarantine"; }
"""


def answer(mail, thread="a@x", to=CLASS, **more):
    return mail.send(ANN, to, headers={"In-Reply-To": f"<{thread}>"}, **more)


def storm(mail):
    """Two answers pass, the third is held and latches; then the bucket fills again."""
    assert answer(mail).accepted and answer(mail).accepted
    assert mail.holds() == []
    assert answer(mail).accepted
    (hold,) = mail.holds()
    time.sleep(3.5)
    return hold


def test_a_thread_stays_latched_and_others_flow(administered):  # noqa: F811
    mail = administered(rules=THREAD)
    hold = storm(mail)
    assert answer(mail).accepted and len(mail.holds()) == 2
    assert answer(mail, thread="b@x").accepted
    assert answer(mail, to="bob@district.example").accepted
    assert len(mail.holds()) == 2
    (incident,) = mail.json("incidents")["incidents"]
    assert incident["key"] == "thread:a@x" and incident["id"] == hold["incident"]

    explained = mail.json("explain", "--from", ANN, "--to", CLASS,
                          "--header", "In-Reply-To: <a@x>")
    (rule,) = explained["rules"]
    assert explained["live"] and rule["state"] == "fires" and "latched for another" in rule["why"]
    (key,) = rule["keys"]
    assert key["subject"] == "thread:a@x" and key["left"] == 2 and key["latched_until"]

    (limit,) = mail.json("limits", "show", "thread:<a@x>")["limits"]
    assert limit["rule"] == "reply-storm" and limit["latched_until"] == key["latched_until"]
    assert "LATCHED UNTIL" in mail.ok("limits", "show", "thread:a@x")


def test_close_clears_the_latch(administered):  # noqa: F811
    mail = administered(rules=THREAD)
    hold = storm(mail)
    mail.ok("incidents", "close", hold["incident"])
    assert answer(mail).accepted
    assert len(mail.holds()) == 1
    assert mail.json("limits", "show", "thread:<a@x>")["limits"][0]["latched_until"] is None


def test_reset_clears_the_latch(administered):  # noqa: F811
    mail = administered(rules=THREAD)
    storm(mail)
    mail.ok("limits", "reset", "thread:<a@x>")
    assert answer(mail).accepted
    assert len(mail.holds()) == 1


def test_allow_lets_a_latched_thread_pass(administered):  # noqa: F811
    mail = administered(rules=THREAD)
    hold = storm(mail)
    mail.ok("incidents", "allow", hold["incident"], "--for", "1h")
    for _ in range(4):
        assert answer(mail).accepted
    assert len(mail.holds()) == 1


def sis(mail, count):
    assert mail.send("sis@district.example", people(count), login="sis").accepted


def test_a_release_teaches_what_is_usual(administered):  # noqa: F811
    mail = administered(rules=GROWN)
    sis(mail, 5)
    (hold,) = mail.holds()
    mail.held()
    mail.ok("quarantine", "release", hold["id"])
    time.sleep(2.2)
    explained = mail.json("explain", "--login", "sis", "--from", "sis@district.example",
                          "--to", "a@x.example")
    (key,) = explained["rules"][0]["keys"]
    assert key["burst"] == 10 and [w["copies"] for w in key["windows"]] == [5]
    assert "its last windows had 5" in explained["rules"][0]["why"]
    (limit,) = mail.json("limits", "show", "login:sis")["limits"]
    assert limit["burst"] == 10 and limit["surge"] == 2 and limit["floor"] == 3
    assert "2 x usual in 2 s" in mail.ok("limits", "show", "login:sis")
    sis(mail, 10)
    sis(mail, 1)
    assert len(mail.holds()) == 1


def test_what_is_refused_or_held_teaches_nothing(administered):  # noqa: F811
    mail = administered(rules=GROWN)
    for _ in range(2):
        sis(mail, 5)
    hold = mail.holds()[0]
    mail.held()
    mail.ok("quarantine", "delete", hold["id"])
    time.sleep(2.2)
    (limit,) = mail.json("limits", "show", "login:sis")["limits"]
    assert limit["burst"] == 3 and limit["windows"] == []


def test_a_window_in_which_the_brake_closed_teaches_nothing(administered):  # noqa: F811
    """Not what went out before it closed, either; unless the rest is released."""
    mail = administered(rules=GROWN)
    for released in (False, True):
        sis(mail, 3)
        sis(mail, 2)
        hold = mail.holds()[0]
        mail.held()
        mail.ok("quarantine", "release" if released else "delete", hold["id"])
        time.sleep(2.2)
        (limit,) = mail.json("limits", "show", "login:sis")["limits"]
        assert [w["copies"] for w in limit["windows"]] == ([5] if released else [])


def test_monitor_mode_teaches(administered):  # noqa: F811
    mail = administered(rules=GROWN, mode="monitor")
    sis(mail, 5)
    assert mail.holds() == []
    time.sleep(2.2)
    (limit,) = mail.json("limits", "show", "login:sis")["limits"]
    assert [w["copies"] for w in limit["windows"]] == [5]


def test_a_latch_is_in_force_on_every_relay_and_outlives_redis(mailbraked, own_redis, build):
    """Seen once, it is kept by a relay that Redis leaves alone."""
    store = redis_settings(own_redis, timeout_ms=500)
    rules = THREAD.replace("quarantine", "reject")
    one, two = (mailbraked(store, rules=rules, lists={"class": people(5)}) for _ in range(2))
    for daemon in (one, two):
        daemon.allow_log("store|redis|Redis|away")

    def passes(daemon):
        script = HELLO + message(ANN, CLASS, headers=["In-Reply-To: <a@x>"])
        return ends(client(build, daemon.milter, script))[0].reply == "continue"

    assert [passes(one) for _ in range(3)] == [True, True, False]
    time.sleep(3.2)
    assert not passes(two)
    own_redis.stop()
    time.sleep(1)
    assert not passes(two) and not passes(one)


@memory_only
def test_a_latch_outlives_a_restart(administered):  # noqa: F811
    mail = administered(rules=THREAD)
    storm(mail)
    mail.daemon.stop()
    mail.daemon.start()
    assert answer(mail).accepted
    assert len(mail.holds()) == 2
