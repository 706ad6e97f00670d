"""SIGKILL of each process at random, mail and releases under way: each message that was
accepted is there once, held or delivered, and none that was not."""

import collections
import json
import random
import threading
import time

from console import console  # noqa: F401, a fixture
from helper import helper  # noqa: F401, a fixture
from postfix import wait_until
from stores import redis_only, redis_settings
from test_admin import ANN, BOB, CLASS, administered  # noqa: F401
from test_floods import HURRIED, Script, held_files

KILLS = 16


class Releases(threading.Thread):
    """An administrator releases held messages, a few at a time, as far as anybody answers."""

    def __init__(self, mail, over, moment):
        super().__init__(daemon=True)
        self.mail, self.over, self.moment = mail, over, moment
        self.ordered = 0

    def run(self):
        while not self.over.is_set():
            listed = self.mail.run("quarantine", "list", "--json")
            holds = json.loads(listed.stdout)["holds"] if listed.returncode == 0 else []
            ids = [hold["id"] for hold in self.moment.sample(holds, min(5, len(holds)))]
            if ids:
                self.mail.run("quarantine", "release", *ids)
                self.ordered += len(ids)
            time.sleep(0.05)


@redis_only
def test_nothing_is_lost_and_nothing_doubled(administered, console, own_redis, build):  # noqa: F811
    moment = random.Random(41)
    store = redis_settings(own_redis, timeout_ms=500)
    mail = administered(
        store=store, quarantine={"max_per_incident": 15000, "max_messages": 15000}
    )
    mail.postfix.allow_log(rf"milter|Milter|{HURRIED}")
    mail.daemon.allow_log(r".")  # all that a store and a helper can be said to do
    page = console(mail)
    over = threading.Event()

    def mails(script):
        number = 0
        while not over.is_set():
            yield ANN, CLASS if number % 2 else BOB, f"m{script}-{number}"
            number += 1

    def restart(process):
        process.kill()
        process.start()

    def kill_page():
        nonlocal page
        build.kill(page.process)
        page = console(mail)

    scripts = [Script(mail.postfix.port, mails(number)) for number in range(6)]
    releases = Releases(mail, over, moment)
    for thread in (*scripts, releases):
        thread.start()
    victims = [
        lambda: restart(mail.daemon),
        lambda: restart(mail.helper),
        lambda: restart(own_redis),
        kill_page,
    ]
    for number in range(KILLS):
        time.sleep(moment.uniform(0, 0.3))
        victims[number % len(victims)]()
    over.set()
    for thread in (*scripts, releases):
        thread.join(60)
    answers = {s: a for script in scripts for s, a in script.answers.items()}
    assert {a[:3] for a in answers.values()} <= {"250", "451", "421"}
    accepted = {subject for subject, a in answers.items() if a.startswith("250")}
    assert len(accepted) > 50 and releases.ordered > 5, (len(accepted), releases.ordered)

    wait_until(lambda: mail.json("status")["store"]["state"] == "ok", 10, "the store is not back")
    told = mail.json("quarantine", "sync")
    assert told["failed"] == 0, told
    # A helper that is killed in the middle of a release leaves it to the MTA's next queue run.
    mail.postfix.flush()
    copies = collections.Counter(
        (delivery["Subject"].rstrip("."), person)
        for delivery in mail.delivered()
        for person in delivery.recipients
    )
    held = held_files(mail.postfix)
    waiting = {subject for subject, _ in held.values()}
    gone = {subject for subject, _ in copies}
    assert set(copies.values()) == {1} and len(waiting) == len(held)
    assert not waiting & gone and waiting | gone == accepted
    assert {(h["id"], h["queue_id"]) for h in mail.holds()} == {
        (header["id"], queue_id) for queue_id, (_, header) in held.items()
    }
    assert page.enter() == 204
