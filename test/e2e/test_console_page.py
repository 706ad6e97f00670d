"""The console's page with more than any relay of a test has, and its one algorithm."""

import http.server
import json
import threading
import time
import urllib.parse

import pytest

from browser import one_browser  # noqa: F401, a fixture
from console import APP

pytestmark = pytest.mark.xdist_group("browser")

STUDENTS = "allstudents@district.example"


class Stub(http.server.SimpleHTTPRequestHandler):
    """The page, in front of answers of a size that no relay of a test has."""

    answers = {}
    incidents = []

    def __init__(self, *arguments):
        super().__init__(*arguments, directory=str(APP))

    def do_GET(self):
        path = self.path.split("?")[0]
        if not path.startswith("/api/"):
            return super().do_GET()
        self.send_response(200)
        self.end_headers()
        paged = path == "/api/v1/incidents"
        self.wfile.write(self.page_of_incidents() if paged else self.answers.get(path[4:], b"{}"))

    def page_of_incidents(self):
        """As mailbraked pages them (control/incident_page.h), of one rule."""
        query = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
        words = query.get("find", "").lower().split()
        found = [i for i in self.incidents if all(word in f"{i['key']} {i['lists']}" for word in words)]
        found.sort(key=lambda i: -i["reach"])
        first, most = int(query.get("offset", 0)), max([i["reach"] for i in found], default=0)
        group = {"rule": "sender-rate", "incidents": len(found), "reach": most, "waiting": len(found)}
        shown = found[first : first + int(query["limit"])]
        return json.dumps({"incidents": shown, "count": len(found), "groups": [group]}).encode()

    do_POST = do_GET

    def log_message(self, *_):
        pass


# Random trees with and without keys: one made like the other is equal to it.
MORPH = """
const done = arguments[0];
Promise.all([import("./dom.js"), import("./morph.js")]).then(([{ h }, { morph, morphInPlace }]) => {
  let seed = 7;
  const below = (n) => ((seed = (seed * 48271) % 2147483647) >> 8) % n;
  const grow = (depth) => {
    const kinds = ["div", "span", "b"];
    const keys = Array.from({ length: below(6) }, () => below(7));
    const child = (key) => below(4) === 0 ? `text ${below(3)}`
      : h(kinds[below(3)], { key, title: below(3) || null }, grow(depth - 1));
    return h("div", { class: `c${below(3)}` }, depth === 0 ? `text ${below(4)}` : keys.map(child));
  };
  const unequal = [], moved = [];
  for (let i = 0; i < 1000; i++) {
    const node = grow(3);
    const middle = seed;
    const next = grow(3), again = seed;
    seed = middle;
    const copy = grow(3);
    const shape = (n) => n.nodeType === 3 ? "#" : `${n.nodeName}(${[...n.childNodes].map(shape).join()})`;
    const asBefore = shape(node);
    seed = middle;
    morphInPlace(node, grow(3));
    if (shape(node) !== asBefore) moved.push(asBefore);
    morph(node, next);
    node.normalize(), copy.normalize();
    if (!node.isEqualNode(copy)) unequal.push([node.outerHTML, copy.outerHTML]);
    seed = again;
  }
  done([unequal, moved]);
});
"""


# "19:02 CET": what a moment of December is called in a zone.
CLOCK = """
const done = arguments[0];
import("/words.js").then(({ at }) => done(at("2025-12-13T15:02:00Z")));
"""


ZONES = {
    "America/Los_Angeles": "Sat, Dec 13, 07:02 PST",
    "Europe/Berlin": "Sat 13 Dec, 16:02 CET",
    "Asia/Kolkata": "Sat 13 Dec, 20:32 GMT+5:30",
}


def test_times_are_local_with_their_zone(one_browser):  # noqa: F811
    found = {}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for zone in ZONES:
            one_browser.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": zone})
            one_browser.open(f"http://127.0.0.1:{server.server_port}/style.css")
            found[zone] = one_browser.driver.execute_async_script(CLOCK)
        one_browser.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})
        server.shutdown()
    one_browser.errors(), one_browser.requests()
    assert found == ZONES


def test_a_tree_becomes_like_another(one_browser):  # noqa: F811
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        one_browser.open(f"http://127.0.0.1:{server.server_port}/style.css")
        assert one_browser.driver.execute_async_script(MORPH.replace("./", "/")) == [[], []]
        server.shutdown()
    one_browser.errors(), one_browser.requests()


def many_incidents(count):
    at = "2026-07-25T19:02:33Z"
    some = {"rule": "sender-rate", "held": 1, "waiting": 1, "refused": 0, "deferred": 0, "would": 0, "copies": 300,
            "lists": [STUDENTS], "list_count": 1, "addressed": [STUDENTS], "addressed_count": 1, "open": True,
            "limit": "9 recipients per 1h", "before": 0, "opened_at": at, "last_at": at, "hosts": ["relay1"]}
    return [{**some, "id": f"{i:016x}", "key": f"login:user{i}@district.example", "reach": i, "holds": [],
             "identity": f"login:user{i}@district.example"} for i in range(count)]


def many_holds(count):
    at = "2026-07-25T19:02:33Z"
    return [{"id": f"{i:016x}", "identity": f"login:user{i}@district.example", "addressed": [STUDENTS], "reach": 300,
             "state": "held", "held_at": at, "host": "relay1"} for i in range(count)]


def test_ten_thousand_incidents_and_five_thousand_holds(one_browser):  # noqa: F811
    page, slack_s = one_browser, one_browser.slack_s
    holds = many_holds(5000)
    incidents = many_incidents(10_000)
    whole = {**incidents[7], "holds": holds, "waiting": 5000, "held": 5000, "reach": 300}
    Stub.incidents = incidents
    Stub.answers = {path: json.dumps(answer).encode() for path, answer in {
        "/v1/whoami": {"user": "root", "roles": ["look", "decide"]}, "/v1/events": {"changes": "1"},
        f"/v1/incidents/{whole['id']}": whole,
        "/v1/holds": {"holds": holds}, "/v1/audit": {"audit": []}}.items()}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started = time.monotonic()
        page.media()
        page.open(f"http://127.0.0.1:{server.server_port}/#/incidents").wait("10,000 incidents")
        assert len(page.find("tbody tr")) == 50 and page.find("tr", "user9999@")
        assert time.monotonic() - started < 3 + slack_s
        started = time.monotonic()
        page.find("input[type=search]")[0].send_keys("user4321 allstudents")
        page.wait(lambda: [len(page.find("tbody tr"))] == [1] and page.find("tr", "user4321@"))
        assert time.monotonic() - started < 2 + slack_s
        page.find("input[type=search]")[0].clear()
        page.find("input[type=search]")[0].send_keys("user")
        page.click("Next")
        page.wait("51–100 of 10,000")
        page.go("audit")
        page.wait("With looks")
        page.driver.back()  # what was looked for is still there
        page.wait("51–100 of 10,000")
        assert page.find("input[type=search]")[0].get_attribute("value") == "user"

        page.go(f"incident/{whole['id']}")
        page.wait("5,000 messages to")
        page.wait("1–50 of 5,000")
        page.find("input[type=search]")[0].send_keys("user4999")
        page.wait(lambda: page.find("tr", "user4999@"))
        assert len(page.find("tbody tr")) == 1

        page.click("Release all 5,000")  # too many to count whom it reaches
        page.wait("How many people does its largest message reach? Type 300")
        assert page.find("dialog button.primary")[0].text == "Release 5,000 messages"
        server.shutdown()
    page.errors(), page.requests()
