"""The console's page in a real browser, while two relays have their evening."""

import re
import threading
import time

import pytest

from browser import one_browser  # noqa: F401, a fixture
from helper import helper  # noqa: F401, a fixture
from postfix import wait_until
from test_admin import administered  # noqa: F401, a fixture
from test_console_browser import HOSTILE, REACH, SETTINGS, STUDENTS, open_console  # noqa: F401
from test_everywhere import WITHIN, relays, running_second, together  # noqa: F401, fixtures

pytestmark = pytest.mark.xdist_group("browser")  # one Chromium for all of them


def storm(here, there, count=6):
    """The automation and two who answer, through both relays."""
    headers = {"Subject": "Re: Snow day", "References": "<snow@district.example>"}
    for i in range(count):
        mail = (here, there)[i % 2]
        mail.send("sis-export@district.example", STUDENTS, login="sis-export", client="10.0.8.15", headers=headers)
        mail.send(f"teacher{i}@district.example", STUDENTS, login=f"teacher{i}", headers=headers)
    here.send("student1@district.example", STUDENTS, login="student1", headers=headers)


def act_of(mail, action):
    return [e for e in mail.audit(action) if e["user"] == "root"]


def test_the_evening(relays, open_console):  # noqa: F811
    here, there = relays(**SETTINGS)
    page = open_console(here)
    page.wait("Nothing is stopped.")
    sender = threading.Thread(target=storm, args=(here, there))
    sender.start()
    page.wait("sis-export", 15)  # it appears by itself, while it goes on
    sender.join()
    page.wait("10 messages wait for a decision")
    assert page.find("figcaption", "Messages per minute on relay1, relay2")
    wait_until(lambda: sum(m["messages"] for m in here.json("top")["by_minute"]) == 13, 10, "both relays in the chart")
    page.click("sis-export")

    # To be understood in ten seconds: who, how many, why, what is held, what a release does.
    page.wait(f"Delivers 6 messages at once, to {REACH} people together")
    shown = page.text()
    assert "6 messages to allstudents@district.example are held" in shown
    assert re.search(r"Rule automation-grown: 100 copies in 1d: 2 times what is usual, at least 100; 0 had gone out", shown)
    assert "1,500\ncopies stopped" in shown and "relay1, relay2" in shown
    assert "Held mail is refused automatically from" in shown and "Nobody has decided anything yet." in shown

    # Part of it is released: the number of people is typed, and what for.
    for box in page.find("td input[type=checkbox]")[:2]:
        box.click()
    page.click("Release 2 chosen")
    page.wait(f"to {REACH} people together. This can't be undone.")
    page.fill("typed", "25")
    page.fill("purpose", "Schnee für alle")
    page.find("dialog button.primary")[0].click()
    assert not page.find("dialog", "Working") and act_of(here, "release") == []  # not that number
    page.fill("typed", str(REACH))
    assert "2 released." in page.confirm()
    page.done()
    copies = here.delivered().copies + there.delivered().copies
    assert copies == 2 * REACH + 2 * REACH  # and what the storm's limit let pass
    page.wait("4 messages to")

    # The rest is refused; the purpose was asked once.
    page.click("Refuse all 4")
    assert page.find("[name=purpose]")[0].get_attribute("value") == "Schnee für alle"
    assert "4 refused." in page.confirm()
    page.done()
    page.wait("2 released, 4 refused")
    page.wait("root release: ok")
    assert {e["purpose"] for e in act_of(here, "release") + act_of(here, "refuse")} == {"Schnee für alle"}

    page.click("Allow for a while")
    assert "passes the rule until" in page.confirm()
    page.done()
    page.click("Close…")
    assert "is closed" in page.confirm()
    page.done()

    # However often the page has read it again, it was opened once.
    assert len(act_of(here, "show")) == len(act_of(here, "list")) == 1

    # Another administrator, at the other relay, was faster with the rest.
    page.click("Incidents", "nav a")
    page.wait("reply-storm")
    page.click("thread snow@district.example")
    page.wait("teacher3@district.example")
    hold = there.holds()[0]
    there.ok("quarantine", "delete", hold["id"])
    page.wait(lambda: page.find("tr", "deleted"), WITHIN, "shown as decided")
    page.wait("root delete: ok", WITHIN)


def test_brakes_permits_and_lists(relays, open_console):  # noqa: F811
    here, there = relays(**SETTINGS)
    page = open_console(here)
    here.send("sis-export@district.example", "x@elsewhere.example", login="sis-export")
    page.click("Brakes")
    page.click("Set a brake")
    page.fill("key", "sis-export")
    page.fill("reason", HOSTILE)
    page.wait("on relay1: 1 message, 1 copy, 0 stopped")  # what it would touch, before it is set
    assert "login:sis-export@district.example is braked until" in page.confirm()
    page.done()
    page.wait(HOSTILE)
    page.wait(lambda: there.json("brake", "list")["brakes"], WITHIN, "the brake on the other relay")
    page.click("Clear…")
    assert "is cleared" in page.confirm()
    page.done()
    page.wait("No brake is set.")
    there.ok("brake", "set", "client:203.0.113.9", "--for", "1h")
    page.wait("203.0.113.9", WITHIN)
    page.click("Brake everything")
    page.fill("sure", "all")
    assert "all is braked until" in page.confirm()
    page.done()
    page.wait(lambda: "all" in [b["key"] for b in there.json("brake", "list")["brakes"]], WITHIN)
    assert not there.send("teacher1@district.example", STUDENTS, login="teacher1").accepted
    here.ok("brake", "clear", "all")
    page.wait(lambda: not page.find("tr", "everybody"), WITHIN, "it is cleared")

    page.click("Set a permit")
    page.fill("key", "login:office-lincoln")
    page.fill("to", "families@district.example")
    page.fill("copies", "280")
    page.wait("140 people; enough for 2 messages")
    assert [e["target"] for e in act_of(here, "lists")] == ["list:families@district.example"]
    tuesday = time.strftime("%Y-%m-%dT08:00", time.localtime(time.time() + 86400))
    page.run("document.querySelector('[name=from]').value = arguments[0]", tuesday)
    assert "280 copies of login:office-lincoln@district.example pass from" in page.confirm()
    page.done()
    page.wait("to come")
    (permit,) = page.wait(lambda: there.json("permit", "list")["permits"], WITHIN, "the permit on the other relay")
    assert permit["copies"] == 280 and permit["by"] == "root" and permit["state"] == "scheduled"

    grown = "".join(f"teacher{i}@district.example\n" for i in range(400))
    for mail in (here, there):
        path = mail.daemon.dir / "virtual"
        path.write_text(re.sub(r"(?m)^staff@\S+ .*$", f"staff@district.example {', '.join(grown.split())}", path.read_text()))
        mail.daemon.allow_log("staff@district.example")
        mail.ok("reload")
    page.click("Now", "nav a")
    page.wait("staff@district.example grown: 60 → 400 people")
    page.click("Lists that jumped")
    page.wait("has grown")
    page.click("Accept…")
    assert "Accepted: staff@district.example, 400 people" in page.confirm()
    page.done()
    page.wait(lambda: "has grown" not in page.text(), what="it is accepted")

    page.click("Audit", "nav a")
    page.wait("lists accept")
    rows = [row.text for row in page.find("tbody tr")]
    for action in ("brake set", "brake clear", "permit set", "lists accept"):
        assert any(action in row and "root" in row for row in rows), (action, rows)
