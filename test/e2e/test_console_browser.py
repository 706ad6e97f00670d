"""The console's page in a real browser, and whoever looks at it: by keyboard, on a phone, in the
dark."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time

import pytest
from selenium.webdriver.common.keys import Keys

from browser import one_browser  # noqa: F401, a fixture
from conftest import ROOT
from console import APP, Console, free_port
from helper import helper  # noqa: F401, a fixture
from mailbraked import people
from postfix import wait_until
from stores import redis_only
from test_admin import administered  # noqa: F401, a fixture

pytestmark = pytest.mark.xdist_group("browser")  # one Chromium for all of them

STUDENTS = "allstudents@district.example"
REACH = 250
RULES = f"""
    {{ name = "students-cap"; from = ["list:{STUDENTS}"]; reach_over = 50; action = "reject"; }},
    {{ name = "automation-grown"; from = ["login:sis-export"]; key = "from"; surge = 2.0; window = "1d"; floor = 100;
       latch = "1d"; action = "quarantine"; }},
    {{ name = "shown"; visible_over = 1; action = "quarantine"; mode = "monitor"; }},
    {{ name = "reply-storm"; to = ["list:*"]; reach_over = 100; key = "thread"; limit = "2 messages per 1d";
       latch = "1d"; action = "quarantine"; }},
    {{ name = "rate"; key = "sender"; limit = "90000 recipients per 1h"; action = "defer"; }}
"""
LISTS = {"allstudents": people(REACH, "student"), "families": people(140, "parent"), "staff": people(60, "teacher")}
SETTINGS = {"rules": RULES, "lists": LISTS, "quarantine": {"content": "subject"}}
SCREENS = ["now", "incidents", "incidents/would", "brakes", "lists", "explain", "limits", "report", "audit"]
HOSTILE = "<img src=x onerror=document.title=1>"


@pytest.fixture
def open_console(build, folder, one_browser):  # noqa: F811
    """Opens the page: open_console(mail, user). At the end nothing may have gone wrong in
    the browser, nor have left this host."""
    consoles = []

    def open_it(mail, user="root"):
        one_browser.media()
        consoles.append(Console(build, folder, mail.socket, None if user == "root" else user))
        one_browser.address = consoles[-1].url
        one_browser.open(consoles[-1].url).wait(user)
        return one_browser

    one_browser.errors(), one_browser.requests()
    yield open_it
    origins = [f"http://{console.host}/" for console in consoles]
    errors = one_browser.errors()
    one_browser.open("about:blank")
    assert [console.stop() for console in consoles] == [0] * len(consoles)
    assert errors == []
    strangers = [url for url in one_browser.requests() if not url.startswith(tuple(origins))]
    assert strangers == []


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture
def relay(administered):  # noqa: F811
    def make(**more):
        return administered(**{**SETTINGS, **more})

    return make


def hold_some(mail, count=2, **more):
    for _ in range(count):
        assert mail.send("sis-export@district.example", STUDENTS, login="sis-export", **more).accepted
    mail.held()


@redis_only
def test_by_keyboard_alone(relay, open_console):
    mail = relay()
    hold_some(mail)
    page = open_console(mail)
    page.wait("sis-export")

    def reach_for(text, key=Keys.TAB):
        for _ in range(40):
            page.keys(key)
            if page.run("return document.activeElement.innerText ?? ''").startswith(text):
                return
        raise AssertionError(f"not reached: {text}")

    reach_for("sis-export")
    page.keys(Keys.ENTER)
    page.wait("Delivers 2 messages")
    reach_for("Refuse all 2")
    page.keys(Keys.ENTER)
    page.wait(lambda: page.find("dialog[open]"))
    assert page.run("return document.activeElement.name") == "purpose"
    page.keys("no", Keys.ESCAPE)
    page.wait(lambda: not page.find("dialog"))
    assert page.run("return document.activeElement.innerText").startswith("Refuse all 2")
    page.keys(Keys.ENTER, "no", Keys.ENTER)
    page.wait("2 refused.")
    assert page.run("return document.activeElement.innerText") == "Done"
    page.keys(Keys.ENTER)
    page.wait("2 messages to allstudents@district.example were held: 2 refused")
    page.wait(lambda: page.run("return document.activeElement.id") == "view", what="the focus stays on the page")
    assert mail.holds() == []


@redis_only
def test_on_a_phone_in_the_dark_and_with_names(relay, open_console):
    mail = relay()
    hold_some(mail)
    mail.send("ann@district.example", [f"{i}@elsewhere.example" for i in range(4)], headers={"To": "a@x.example, b@x.example"})
    mail.ok("brake", "set", "client:203.0.113.9", "--reason", "x" * 150)
    mail.ok("permit", "set", "login:office", "--copies", "9", "--for", "1h", "--to", STUDENTS)
    (incident,) = {hold["incident"] for hold in mail.holds()}
    page = open_console(mail)
    schemes = [
        {"prefers_color_scheme": "light"},
        {"prefers_color_scheme": "dark"},
        {"prefers_color_scheme": "light", "prefers_contrast": "more"},
        {"prefers_color_scheme": "dark", "prefers_contrast": "more"},
    ]
    for screen in [*SCREENS, f"incident/{incident}"]:
        page.go(screen)
        page.wait(lambda: page.find("h1") and "Loading" not in page.text(), what=screen)
        page.media(375, 812)
        assert not page.is_wider(), screen
        bad, controls = page.nameless()
        assert bad == [] and controls > 8, (screen, bad)
        for scheme in schemes:
            page.media(375 if scheme is schemes[0] else 1200, **scheme)
            ratio, text = page.contrast()
            assert ratio >= 4.5, (screen, scheme, ratio, text)
    page.media(375, 812)
    for button in ("Release all 2", "Refuse all 2", "Allow", "Brake its", "Close"):
        page.click(button)
        page.wait(lambda: page.find("dialog[open]"))
        assert not page.is_wider() and page.nameless()[0] == [], button
        for scheme in schemes:
            page.media(375, 812, **scheme)
            assert page.contrast()[0] >= 4.5, (button, scheme, page.contrast())
        page.click("Cancel")


@redis_only
def test_what_a_sender_wrote_is_only_text(relay, open_console):
    mail = relay(quarantine={"content": "text"})
    mail.helper.allow("text")
    sender = '"<img/src=x onerror=document.title=1>"@elsewhere.example'
    body = f"{HOSTILE}\u202etxt.exe"
    for login in ("sis-export", None):
        assert mail.send(sender, STUDENTS, login=login, headers={"Subject": HOSTILE, "References": f"<{HOSTILE}>"}, body=body)
    mail.send(sender, STUDENTS, headers={"References": f"<{HOSTILE}>"})
    mail.send(sender, STUDENTS, headers={"References": f"<{HOSTILE}>"})
    mail.ok("brake", "set", "client:203.0.113.9", "--reason", HOSTILE)
    page = open_console(mail)
    for screen in SCREENS:
        page.go(screen)
        page.wait(lambda: page.find("h1") and "Loading" not in page.text(), what=screen)
        assert page.run("return document.images.length + document.scripts.length") == 1, screen
        assert page.run("return document.title") != "1"
    page.go("now")
    page.wait(sender)
    assert sender in mail.ok("top")  # as the command shows it
    page.click("sis-export")
    page.wait(lambda: page.find("td button.link"))[0].click()
    purpose = "who\u200b is\u202e it? \u00fc"
    page.fill("purpose", purpose)
    page.find("dialog button.primary")[0].click()
    page.wait(lambda: page.find("dialog .quoted"), what="the content")
    assert HOSTILE in page.text() and "\u202e" not in page.text()
    assert page.run("return document.images.length") == 0 and page.run("return document.title") != "1"
    assert [e["purpose"] for e in mail.audit("content")] == [purpose]
    page.done()
    page.click("Audit", "nav a")
    page.click("With looks")
    page.wait(r"who\xe2\x80\x8b is\xe2\x80\xae it? ü")


@redis_only
def test_every_answer_is_said_in_words(relay, open_console):
    mail = relay(quarantine={"approve_over": 200}, control={"roles": {"decide": ["uucp"]}})
    hold_some(mail, 3)
    first, second, _ = mail.holds()
    page = open_console(mail)
    page.click("sis-export")
    page.wait("Two administrators must release it.")

    def release(count):
        page.click(f"Release all {count}")
        page.fill("typed", str(REACH))
        page.fill("purpose", "asked for")
        return page.confirm()

    mail.helper.kill()
    page.click("Refuse all 3")
    page.fill("purpose", "spam")
    assert "mailbrake-mta" in page.confirm() and "could not be refused" in page.text()
    page.done()
    mail.helper.start()
    page.driver.refresh()
    page.wait("Two administrators must release it.")
    assert "one more administrator must release it" in release(3)
    page.done()
    page.wait("You have released it; one more administrator must.")

    # Somebody else is faster while the question is read.
    page.click("Delete all 3")
    page.wait("Deletes all 3 messages, and tells nobody.")
    socket_of = ("--socket", mail.socket)
    who = ["setpriv", "--reuid=uucp", "--regid=uucp", "--init-groups", mail.command.build.mailbrake]
    words = ["quarantine", "release", "--incident", first["incident"], *socket_of]
    done = subprocess.run([*who, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "There was nothing left to decide: somebody else was faster." in page.confirm()
    page.done()
    page.wait("3 released")
    page.wait("uucp release: ok, 3 done")
    page.errors()  # a failure of the helper is an answer of 503


DEEDS = {
    "decide": ["Release", "Refuse", "Delete", "Allow", "Close"],
    "brake": ["Brake its", "Brake everything", "Brake or pull back", "Brake…", "Set a brake"],
    "permit": ["Set a permit"],
}


@redis_only
def test_slowly_and_pulled_back(relay, open_console):
    mail = relay()
    hold_some(mail, 3)
    page = open_console(mail)
    page.click("sis-export")
    page.click("Release all 3")
    page.fill("pace", "60 an hour")
    page.fill("typed", str(REACH))
    page.fill("purpose", "asked for")
    assert "It is now being released slowly, 60/h." in page.confirm()
    page.done()
    page.wait("Released slowly, 60/h, by root: 1 of 3 messages.")
    page.click("Stop it…")
    assert "The slow release has been stopped." in page.confirm()
    page.done()
    page.wait("2 messages to")

    page.find("td input[type=checkbox]")[0].click()
    page.click("Delete 1 chosen")
    page.fill("purpose", "junk")
    assert "1 deleted." in page.confirm()
    page.done()
    page.wait("1 message to allstudents@district.example is held")
    page.click("Brake its")
    assert "login:sis-export@district.example is braked until" in page.confirm()
    page.done()
    assert [brake["key"] for brake in mail.json("brake", "list")["brakes"]] == ["login:sis-export@district.example"]

    with mail.postfix.sink.away():
        assert mail.send("teacher1@district.example", ["x@elsewhere.example"], login="teacher1").accepted
        wait_until(mail.postfix.deferred, 10, "it is not tried")
        page.go("now")
        page.wait(lambda: page.find("button[aria-label='Brake login:teacher1@district.example']"))[0].click()
        page.wait(f"on {socket.gethostname()}: 1 message, 1 copy")
        page.find("[name=pull_back]")[0].click()
        assert "Pulled back: 1 message." in page.confirm()
        page.done()
    page.wait("1 held")


@redis_only
def test_each_role_finds_its_buttons_and_no_other(relay, open_console):
    users = {"look": "news", "decide": "uucp", "brake": "proxy", "permit": "backup"}
    mail = relay(control={"roles": {role: [user] for role, user in users.items()}})
    hold_some(mail)
    ids = [hold["id"] for hold in mail.holds()]
    page = open_console(mail, "games")
    page.wait("The account games has no role here.")
    for role, user in users.items():
        page = open_console(mail, user)
        page.wait("Largest senders")
        shown = [e.text for e in page.find("button")]
        page.click("sis-export")
        page.wait("Its messages")
        shown += [e.text for e in page.find("button")]
        assert ("the role “decide”" in page.text()) == (role in ("look", "permit"))
        page.click("Brakes", "nav a")
        page.wait("No permit is set.")
        shown += [e.text for e in page.find("button")]
        for other, deeds in DEEDS.items():
            for deed in deeds:
                assert any(text.startswith(deed) for text in shown) == (other == role), (role, deed, shown)
        if role == "decide":
            continue
        code = page.run("""
            const headers = { "X-Mailbrake": "1" };
            return fetch("api/v1/holds/release", { method: "POST", headers,
              body: JSON.stringify({ ids: arguments[0] }) }).then((answer) => answer.status)
            """, ids)
        assert code == 403 and len(mail.holds()) == 2
        assert all("403" in line for line in page.errors())


@redis_only
def test_explain_limits_and_report(relay, open_console):
    mail = relay()
    hold_some(mail)
    mail.send("teacher1@district.example", "parent1@district.example", login="teacher1")
    page = open_console(mail)
    page.click("sis-export")
    page.click("Explain such a message")
    page.wait(lambda: page.find("[name=login]"))
    page.click("Explain", "form button")
    page.wait("It is held by automation-grown.")
    told = mail.explain("sis-export@district.example", STUDENTS, login="sis-export")
    for rule in told["rules"]:
        assert any(rule["state"] in row.text for row in page.find("tr", rule["name"])), rule
    page.fill("login", "teacher1")
    page.fill("from", "teacher1@district.example")
    page.fill("to", "parent1@district.example")
    page.click("Explain", "form button")
    page.wait("It is accepted: no rule fires.")

    page.go("limits")
    page.fill("subject", "from:login:sis-export")
    page.click("Show", "form button")
    page.wait(lambda: page.find("tr .mark", "until"), what="its latch")
    page.click("Reset…")
    assert re.search("limits? reset", page.confirm())
    page.done()
    page.wait(lambda: not page.find("tr .mark"), what="the latch is gone")
    assert "100 of 100" in page.text()

    page.click("Report", "nav a")
    page.wait("Largest clients")
    (row,) = page.find("tr", "automation-grown\t2\t0\t0\t0")
    assert "Messages stopped per day" in page.text() and "10.1.2.3" in page.text() and ": 2" in row.text


@redis_only
def test_it_comes_back(relay, open_console, redis, store):
    store["timeout_ms"] = 1000
    mail = relay()
    hold_some(mail)
    page = open_console(mail)
    page.wait("sis-export")
    mail.daemon.kill()
    page.wait("What you see is from", 5)
    assert "sis-export" in page.text()
    mail.daemon.start()
    page.wait(lambda: "What you see is from" not in page.text(), 10, "it is back")
    hold_some(mail, 1)
    page.wait("3 held")
    mail.daemon.allow_log("store")
    mail.daemon.allow_log("Redis")
    redis.freeze()
    try:
        page.wait("The store does not answer", 15)
    finally:
        redis.thaw()
    page.wait(lambda: "The store does not answer" not in page.text(), 15, "the store is back")
    page.errors()  # that nobody answered


@redis_only
def test_nothing_moves_under_the_pointer(relay, open_console):
    mail = relay()
    hold_some(mail)
    page = open_console(mail)
    page.click("Incidents", "nav a")
    page.wait("1 incident, 250 people at most")
    row = page.wait(lambda: page.find("tbody tr", "sis-export"))[0]
    page.hover(row)
    place = row.location
    for i in range(3):  # of another rule, and it would come first
        mail.send("teacher9@district.example", [STUDENTS, "families@district.example"], login="teacher9",
                  headers={"References": "<a@b>"})
    shown = page.wait(lambda: page.find("#withheld"), what="that something waits")[0]
    assert "Show" in shown.text and row.location == place and not page.find("tr", "thread a@b")
    page.hover(page.find("h1")[0])
    page.wait(lambda: page.find("tr", "thread a@b"), 2)


@redis_only
def test_an_address_that_was_used_before(relay, open_console):
    page = open_console(relay())
    address, _, token = page.address.partition("#")
    page.open(f"{address}#{token}").wait("Nothing is stopped.")  # by whom it was used
    page.driver.delete_all_cookies()
    page.open(f"{address}#{token}").wait("was used before")
    page.open(address).wait("You are not signed in: open the address that mailbrake console printed.")
    page.open("about:blank")  # it asks on
    assert all("401" in line for line in page.errors())


@redis_only
def test_the_first_page_is_small_and_soon_there(relay, open_console):
    mail = relay()
    page = open_console(mail)
    page.wait("Nothing is stopped.")
    sizes = page.run("""return performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
        .filter((e) => !e.name.includes("/api/")).map((e) => e.transferSize)""")
    assert sum(sizes) < 100_000, sizes
    started = time.monotonic()
    page.driver.refresh()
    page.wait("Nothing is stopped.")
    assert time.monotonic() - started < 1 + page.slack_s


# Cockpit's own web server, with a session that needs no login, where /run/mailbrake is ours.
COCKPIT = """
    mount --bind "$1" /mnt && mount -t tmpfs tmpfs /run && mkdir /run/mailbrake &&
    ln -s /mnt/control.sock /run/mailbrake/control.sock || exit
    exec /usr/lib/cockpit/cockpit-ws --no-tls -a 127.0.0.1 -p "$2" --local-session /usr/bin/cockpit-bridge
"""


@redis_only
def test_within_cockpit(relay, one_browser, tmp_path):  # noqa: F811
    mail, page, port = relay(), one_browser, str(free_port())
    hold_some(mail)
    package = tmp_path / "cockpit" / "mailbrake"
    shutil.copytree(APP, package)
    shutil.copy(ROOT / "console" / "cockpit" / "manifest.json", package)
    server = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", COCKPIT, "sh", mail.daemon.dir, port],
        **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL},
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path)},
    )
    try:
        wait_until(lambda: answers(port), 20, "cockpit-ws does not come up")
        page.media()
        page.open(f"http://127.0.0.1:{port}/cockpit/@localhost/mailbrake/index.html").wait("sis-export", 20)
        page.click("sis-export")
        page.wait("Delivers 2 messages")
        page.wait(lambda: page.find("td button.link"))[0].click()
        page.fill("purpose", "für mich")
        page.find("dialog button.primary")[0].click()
        page.wait(lambda: page.find("dialog .quoted"), what="the content")
        page.done()
        assert [e["purpose"] for e in mail.audit("content")] == ["für mich"]
        page.click("Refuse all 2")
        page.fill("purpose", "für niemanden")
        assert "2 refused." in page.confirm()
        page.done()
        page.wait("were held: 2 refused")
        assert [e["purpose"] for e in mail.audit("refuse")] == ["für niemanden"]
        assert [line for line in page.errors() if "mailbrake/" in line] == []
    finally:
        page.open("about:blank")
        server.terminate()
        server.wait(20)
        page.errors(), page.requests()
