"""What a quarantine survives: a Redis that forgets or is away, a relay of the same name, and a
daemon that dies again and again."""

import collections
import random
import re
import signal
import threading
import time

import pytest

from helper import Setting, helper  # noqa: F401, a fixture
from mailbraked import people
from postfix import wait_until
from stores import redis_only, redis_settings
from test_admin import ANN, BOB, CLASS, STRANGER, administered  # noqa: F401, a fixture
from test_floods import ADMIN, HURRIED, Script, held_files, wait_for_notices


@redis_only
def test_fifty_held_messages_survive_a_redis_that_forgets(administered, redis):  # noqa: F811
    mail = administered(
        rules='{ name = "many"; reach_over = 2; action = "quarantine"; },'
        '{ name = "from-outside"; from = ["*@elsewhere.example"]; action = "quarantine"; }',
        lists={"class": people(5), "grade": people(9)},
    )
    known = ("rule", "incident", "reach", "queue_id", "held_at")
    for number in range(50):
        frm, to = ((ANN, CLASS), (BOB, "grade@district.example"), (STRANGER, BOB))[number % 3]
        assert mail.send(frm, to).accepted
    before = {hold["id"]: [hold[name] for name in known] for hold in mail.holds()}
    counts = {i["id"]: (i["rule"], i["held"], i["reach"]) for i in mail.json("incidents")["incidents"]}
    assert len(before) == 50 and len(counts) == 3

    mail.daemon.allow_log("Redis has lost data")
    redis.flush()
    assert mail.holds() == []
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["restored"], told["failed"]) == (50, 50, 0)
    after = {hold["id"]: [hold[name] for name in known] for hold in mail.holds()}
    assert {i: a[:4] for i, a in after.items()} == {i: b[:4] for i, b in before.items()}
    again = {i["id"]: (i["rule"], i["held"], i["reach"]) for i in mail.json("incidents")["incidents"]}
    assert again == counts
    assert mail.delivered() == [] and len(mail.held()) == 50

    redis.flush()  # and by itself, when the daemon starts
    mail.daemon.kill()
    mail.daemon.start()
    mail.expect_log("50 held messages got their record back", timeout=20)
    assert {hold["id"] for hold in mail.holds()} == set(before)
    done = mail.json("quarantine", "release", *list(before)[:3])
    assert (done["done"], done["failed"]) == (3, 0)
    assert len(mail.delivered()) == 3


@redis_only
def test_what_is_held_while_redis_is_away_is_listed_later(administered, redis):  # noqa: F811
    mail = administered()
    mail.daemon.allow_log(r"(?i)redis|store|suppressed|notices|records")
    mail.hold(2)
    redis.kill()
    try:
        for _ in range(3):
            assert mail.send(BOB, CLASS).accepted
        assert len(mail.held()) == 5
    finally:
        redis.start()
    mail.expect_log("2 held messages got their record back", timeout=20)  # those it forgot
    assert {hold["id"] for hold in mail.holds()} == {held.brake["id"] for held in mail.held()}
    assert mail.delivered() == []


@redis_only
def test_an_incident_of_an_outage_is_one_like_any_other(administered, redis):  # noqa: F811
    mail = administered(quarantine={"max_per_incident": 3}, notify={"to": [ADMIN], "tell_sender": True})
    mail.daemon.allow_log(r"(?i)redis|store|suppressed|notices|records")
    redis.kill()
    try:
        for _ in range(3):
            assert mail.send(ANN, CLASS, login="ann").accepted
        refused = mail.send(ANN, CLASS, login="ann")
        (incident,) = {held.brake["incident"] for held in mail.held()}
        assert re.fullmatch("[0-9a-f]{16}", incident)
        assert refused.code == 550 and f"[mailbrake many {incident}]" in refused.text
    finally:
        redis.start()
    wait_until(lambda: mail.json("status")["holds"] == 3, 10, "no records", mail.daemon.text)
    wait_until(lambda: mail.json("incidents")["incidents"][0]["refused"] == 1, 10, "it is not counted")
    (shown,) = mail.json("incidents")["incidents"]
    assert (shown["id"], shown["held"]) == (incident, 3)
    assert (shown["key"], shown["open"], shown["waiting"]) == (f"login:{ANN}", True, 3)
    assert incident in wait_for_notices(mail, ADMIN)[0].message.get_payload()
    assert incident in wait_for_notices(mail, ANN)[0].message.get_payload()
    assert len(mail.holds("--incident", incident)) == 3
    done = mail.json("quarantine", "release", "--incident", incident)
    assert (done["done"], done["failed"]) == (3, 0)
    assert len([d for d in mail.delivered() if d.sender == ANN]) == 3
    assert mail.json("incidents", "show", incident)["released"] == 3


@redis_only
def test_what_was_pulled_back_is_known_again(administered, redis):  # noqa: F811
    mail = administered(rules="", quarantine={"max_per_incident": 1})
    with Setting(mail.postfix, "defer_transports", "lmtp", reload=True):
        for number in range(3):
            assert mail.send(ANN, f"x{number}@elsewhere.example").accepted
        wait_until(lambda: len(mail.postfix.mailq()) == 3, 5, "no mail")
        assert "3 messages" in mail.ok("brake", "set", f"sender:{ANN}", "--pull-back")
    known = ("id", "incident", "queue_id", "reach", "rule", "identity")
    before = sorted([hold[name] for name in known] for hold in mail.holds())
    assert len(before) == 3 and {record[3] for record in before} == {None}
    assert "?" in mail.ok("quarantine", "list") and "is not known" in mail.ok("quarantine", "list")
    mail.daemon.allow_log("Redis has lost data")
    redis.flush()
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["restored"], told["foreign"]) == (3, 3, 0)
    assert sorted([hold[name] for name in known] for hold in mail.holds()) == before
    assert mail.json("quarantine", "sync")["known"] == 3
    mail.ok("quarantine", "release", before[0][0])
    mail.ok("quarantine", "delete", before[1][0])
    assert mail.delivered().copies == 1 and len(mail.held()) == 1


@redis_only
def test_two_relays_of_one_name_spare_each_others_records(administered, mailbraked, redis):  # noqa: F811
    mail = administered()
    hold, lost = mail.hold(2)
    mail.postfix._run("postsuper", "-d", lost["queue_id"])
    mailbraked(redis_settings(redis), rules="")
    mail.daemon.expect_log("another relay that shares this store is also called", timeout=40)
    assert mail.json("status")["host_shared"] is True and "WARNING" in mail.ok("status")
    told = mail.json("quarantine", "sync")
    assert (told["known"], told["ended"], told["kept"]) == (1, 0, 1)
    done = mail.run("quarantine", "release", lost["id"])
    assert done.returncode == 1 and "another relay may also be called" in done.stderr
    assert {h["id"] for h in mail.holds()} == {hold["id"], lost["id"]}
    mail.ok("quarantine", "release", hold["id"])


@redis_only
def test_records_end_once_the_name_is_ours(administered, mailbraked, redis):  # noqa: F811
    """At its start a relay may find a claim of a namesake that may still live. It leaves records
    alone then, and ends them as soon as the namesake has been silent for long enough."""
    mail = administered()
    lost = mail.hold(1)[0]
    mail.daemon.kill()
    mail.postfix._run("postsuper", "-d", lost["queue_id"])
    namesake = mailbraked(redis_settings(redis), rules="")
    namesake.process.send_signal(signal.SIGSTOP)
    mail.daemon.start()
    assert mail.json("quarantine", "sync")["kept"] == 1
    mail.daemon.expect_log("1 record ended because its message is gone", timeout=75)
    assert mail.holds() == []


@pytest.mark.timing
@redis_only
def test_a_daemon_that_dies_loses_nothing(administered):  # noqa: F811
    """kill -9 twenty times under load. Each message that got 250 is there once, held or
    delivered, and none that did not."""
    mail = administered(quarantine={"max_per_incident": 15000, "max_messages": 15000})
    mail.postfix.allow_log(rf"milter|Milter|{HURRIED}")
    over = threading.Event()

    def mails(script):
        number = 0
        while not over.is_set():
            to = CLASS if number % 2 else BOB
            yield ANN, to, f"m{script}-{number}"
            number += 1

    scripts = [Script(mail.postfix.port, mails(number)) for number in range(8)]
    for script in scripts:
        script.start()
    for _ in range(20):
        time.sleep(random.uniform(0, 0.15))
        mail.daemon.kill()
        mail.daemon.start()
    over.set()
    for script in scripts:
        script.join(60)
    answers = {s: a for script in scripts for s, a in script.answers.items()}
    kept = collections.Counter(s for s, a in answers.items() if a.startswith("250"))
    assert {a[:3] for a in answers.values()} <= {"250", "451", "421"}
    assert len(kept) > 20 and len(kept) < len(answers)

    there = collections.Counter(d["Subject"].rstrip(".") for d in mail.delivered())
    files = held_files(mail.postfix)
    there.update(subject for subject, _ in files.values())
    assert there == kept
    told = mail.json("quarantine", "sync")
    assert (told["in_queue"], told["failed"]) == (len(files), 0)
    holds = mail.holds()
    assert {(h["id"], h["queue_id"]) for h in holds} == {
        (header["id"], queue_id) for queue_id, (_, header) in files.items()
    }
