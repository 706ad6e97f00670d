"""With hashed addresses nothing that is written down holds one, but for what can't do
without: what administrators decide about, and the members of lists."""

import json
import re

from helper import helper  # noqa: F401, a fixture
from mailbraked import people
from postfix import wait_until
from stores import redis_only
from test_admin import CLASS, administered  # noqa: F401, a fixture

RULES = """
    { name = "closed"; from = ["@closed.example"]; action = "reject"; },
    { name = "many"; reach_over = 4; action = "quarantine"; },
    { name = "topic"; key = "topic"; limit = "5 messages per 1d"; action = "defer"; },
    { name = "client"; key = "login"; limit = "2 clients per 1d"; action = "reject"; },
    { name = "grown"; from = ["@district.example"]; key = "campaign"; surge = 2.0; window = "1d"; floor = 3;
      latch = "1h"; action = "quarantine"; },
    { name = "rate"; key = "sender"; limit = "2 messages per 366d"; latch = "1h"; action = "reject"; }
"""
ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+\.example", re.IGNORECASE)
RECORDS = {f"{{mailbrake}}:{name}" for name in ("holds-by-id", "incidents-by-id", "brakes", "permits")}
READ = {"string": ("GET",), "hash": ("HGETALL",), "set": ("SMEMBERS",), "zset": ("ZRANGE", 0, -1)}
BOB, EVE, CID = "bob@district.example", "eve@district.example", "cid@district.example"


def with_addresses(texts):
    """Which of these, by name, hold some."""
    return {name: set(ADDRESS.findall(name + text)) for name, text in texts.items() if ADDRESS.search(name + text)}


def values(redis):
    """All that Redis has, as text, by key."""
    out = {}
    for key in redis.keys():
        verb, *words = READ[redis.command("TYPE", key)]
        out[key] = json.dumps(redis.command(verb, key, *words))
    return out


def send_all_kinds(mail):
    """Accepted, refused, deferred, held, latched, by logins, clients, lists."""
    for _ in range(4):
        mail.send("ann@district.example", BOB, login="ann", client="203.0.113.7")
        mail.send("out@elsewhere.example", [BOB, EVE])
    mail.send("spam@closed.example", BOB)
    mail.send("", BOB)
    mail.send("fay@district.example", "few@district.example", headers={"Subject": "to a few"})
    assert mail.send("dora@district.example", CLASS).accepted
    assert mail.send(CID, CLASS).accepted


@redis_only
def test_no_address_is_written_down(administered, redis):  # noqa: F811
    mail = administered(
        rules=RULES, privacy={"addresses": "hashed"}, lists={"class": people(5)}, files={"few": people(2)}
    )
    mail.daemon.allow_log("suppressed|counts mail from outside")
    send_all_kinds(mail)
    (one, *_) = mail.holds()
    mail.ok("quarantine", "show", one["id"], "--purpose", f"does {CID} know?")
    mail.ok("quarantine", "release", one["id"])
    mail.ok("brake", "set", "sender:braked@district.example", "--for", "1h", "--reason", f"asked by {EVE}")
    mail.ok("permit", "set", "login:office", "--copies", "40", "--for", "1h", "--to", CLASS)
    mail.ok("limits", "reset", "sender:ann@district.example")
    assert mail.run("quarantine", "release", "nobody@district.example").returncode == 1
    wait_until(lambda: len(mail.json("incidents")["incidents"]) >= 4, 10, "too few incidents", mail.daemon.text)
    report = mail.json("report")
    assert re.fullmatch("sender:[0-9a-f]{32}", report["senders"][0]["key"]), report["senders"]
    metrics = mail.api("GET", "/metrics")[1]
    mail.daemon.stop()  # the state and the day's traffic are written

    found = with_addresses(values(redis))
    assert found.keys() == RECORDS, found
    state = mail.audit_file.parent
    files = {str(p.relative_to(state)): p.read_text(errors="replace") for p in state.rglob("*") if p.is_file()}
    assert {"state", "audit.log"} <= files.keys()
    kept = {"lists/sizes", "lists/sizes.copy", *(name for name in files if name.endswith(".members"))}
    found = with_addresses({name: text for name, text in files.items() if name not in kept})
    assert not found, found
    for text in (mail.daemon.text(), metrics):
        assert not ADDRESS.search(text), ADDRESS.findall(text)
