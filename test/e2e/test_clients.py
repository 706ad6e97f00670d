"""How many clients one login may be used from: a stolen password, and whose it is; over two
relays with one Redis, and what is kept of the clients."""

import time

import pytest

import milter
from helper import helped, helper  # noqa: F401, fixtures
from postfix import wait_until
from relay import Relay, lists_for_postfix
from stores import memory_only, redis_only, redis_settings
from test_admin import ANN, Administered, administered  # noqa: F401, a fixture
from test_notices import ADMIN, wait_for
from test_permits import second_postfix  # noqa: F401, a fixture

BEN = "ben@far.example"
KEY = "login:ann@district.example"
PLACES = """
{ name = "places"; key = "login"; limit = "3 clients per 366d"; action = "quarantine"; }
"""
LATCHED = PLACES.replace("action", 'latch = "1h"; action')
REFUSED = PLACES.replace("quarantine", "reject")


def use(mail, client, login="ann"):
    return mail.send(f"{login}@district.example", BEN, login=login, client=client)


def at(*numbers):
    return [f"198.51.100.{number}" for number in numbers]


def steal(mail):
    """Home, school and phone are known; then thieves come from everywhere."""
    for client in at(1, 2, 3, 4, 5, 6, 2):
        assert use(mail, client).accepted
    (incident,) = mail.json("incidents")["incidents"]
    return incident


def explain(mail, client):
    told = mail.json("explain", "--login", "ann", "--from", ANN, "--to", BEN, "--client", client)
    return told, told["rules"][0]


def test_a_stolen_password_is_one_incident_and_its_owner_goes_on(administered):  # noqa: F811
    mail = administered(rules=PLACES, notify={"to": [ADMIN], "tell_sender": False})
    incident = steal(mail)
    assert (incident["rule"], incident["key"], incident["held"]) == ("places", KEY, 3)
    assert (incident["limit"], incident["before"]) == ("3 clients per 366d", 3)
    notice = wait_for(mail, ADMIN)
    text = notice.message.get_payload()
    assert "3 clients that sent before this" in text and "release --incident" in text

    told, rule = explain(mail, "198.51.100.9")
    assert (told["verdict"], rule["state"]) == ("quarantine", "fires")
    (key,) = rule["keys"]
    assert (key["subject"], key["cost"], key["left"], key["burst"], key["most"]) == (KEY, 1, 0, 3, 3)
    assert "left 0 of 3 clients" in rule["why"] and "at most 3 in 366d" in rule["why"]
    told, rule = explain(mail, "198.51.100.1")
    assert (told["verdict"], rule["state"], rule["keys"][0]["left"]) == ("accept", "matched", 1)
    assert mail.holds() and all(use(mail, client).accepted for client in at(1, 2, 3))
    assert len(mail.holds()) == 3


def test_what_an_administrator_sees_and_does(administered):  # noqa: F811
    mail = administered(rules=LATCHED)
    incident = steal(mail)
    assert incident["held"] == 4, "the latch stops the known ones, too"
    (limit,) = mail.json("limits", "show", KEY)["limits"]
    assert (limit["unit"], limit["tokens"], limit["left"], limit["most"]) == ("clients", 3, 0, 3)
    assert limit["latched_until"]
    assert "3 clients per 366 d" in mail.ok("limits", "show", "login:ann")
    (top,) = mail.json("limits", "top", "--rule", "places")["limits"]
    assert (top["subject"], top["left"]) == (KEY, 0)

    mail.ok("incidents", "allow", incident["id"], "--for", "1h")
    assert use(mail, "198.51.100.7").accepted and len(mail.holds()) == 4
    mail.ok("incidents", "close", incident["id"])
    assert mail.json("limits", "show", KEY)["limits"][0]["latched_until"] is None
    mail.ok("limits", "reset", KEY)
    assert mail.json("limits", "show", KEY)["limits"][0]["left"] == 3
    mail.ok("quarantine", "refuse", "--incident", incident["id"])
    assert mail.holds() == []


def test_check_says_what_a_limit_comes_to(administered):  # noqa: F811
    mail = administered(rules=PLACES)
    done = mail.run("check")
    assert "places  at most 3 clients in 366d for one login\n" in done.stdout
    said = mail.run("check", "--json")
    assert '"most": 3' in said.stdout and '"clients"' in said.stdout


def test_many_behind_one_address_are_one_client(relay):
    mail = relay(rules=REFUSED)
    for pupil in range(12):
        assert use(mail, "203.0.113.7", login=f"pupil{pupil}").accepted
    for host in range(1, 9):  # one home
        assert use(mail, f"2001:db8:0:1::{host}").accepted
    for net in (2, 3):
        assert use(mail, f"2001:db8:0:{net}::1").accepted
    refused = use(mail, "2001:db8:0:4::1")
    assert refused.code == 550 and "(clients 4, limit 3)" in refused.text
    assert use(mail, "2001:db8:0:1::77").accepted


def test_a_permit_counts_no_client(administered):  # noqa: F811
    mail = administered(rules=REFUSED)
    for client in at(1, 2, 3):
        assert use(mail, client).accepted
    mail.ok("permit", "set", KEY, "--copies", "2", "--for", "1h")
    time.sleep(1)
    assert all(use(mail, client).accepted for client in at(4, 5))
    assert [use(mail, client).code for client in at(4, 5)] == [550, 550]
    assert use(mail, "198.51.100.1").accepted


@memory_only
def test_clients_are_known_after_a_restart(administered):  # noqa: F811
    mail = administered(rules=REFUSED)
    for client in at(1, 2, 3):
        assert use(mail, client).accepted
    mail.daemon.stop()
    state = (mail.audit_file.parent / "state").read_text()
    (line,) = [line for line in state.splitlines() if line.startswith("clients ")]
    assert line.count(":") == 3 and "198.51" not in line
    mail.daemon.start()
    assert [use(mail, client).code for client in at(4, 3, 1)] == [550, 250, 250]


@redis_only
def test_two_relays_count_together(relay, second_postfix, mailbraked, build, store, redis):  # noqa: F811
    here = relay(rules=REFUSED)
    lists_for_postfix(second_postfix)
    daemon = mailbraked(store, milter_socket=second_postfix.milter_socket, rules=REFUSED)
    daemon.allow_log("name")
    here.daemon.allow_log("name")
    there = Relay(second_postfix, daemon, build)
    assert use(here, "198.51.100.1").accepted and use(there, "198.51.100.2").accepted
    assert use(here, "2001:db8:7:7::1").accepted
    assert use(there, "198.51.100.4").code == use(here, "198.51.100.5").code == 550
    assert use(there, "2001:db8:7:7::2").accepted and use(here, "198.51.100.2").accepted
    limits = redis.command("KEYS", "*:b:*")
    kept = [redis.command("GET", key) for key in limits]
    assert any(value.startswith("c ") and value.count(":") == 3 for value in kept)
    assert not any(word in text for text in [*limits, *kept] for word in ("198.51", "2001", "ann"))


@pytest.mark.timing
def test_while_the_store_is_away_those_who_were_seen_go_on(mailbraked, own_redis, build):
    """Each of two relays has half of four for clients that it has not seen."""
    store = redis_settings(own_redis, timeout_ms=250, nodes=2)
    rules = REFUSED.replace("3 clients", "4 clients")
    pair = [mailbraked(store, rules=rules) for _ in range(2)]
    for daemon in pair:
        daemon.allow_log(r"(?i)redis|store|suppressed|name")
    here, there = (Administered(None, daemon, build) for daemon in pair)

    def answer(mail, client):
        hello = milter.HELLO.replace("10.1.2.3", client)
        script = hello + milter.message(ANN, BEN, login="ann")
        (end,) = milter.ends(milter.client(build, mail.daemon.milter, script))
        return "250" if end.reply in ("accept", "continue") else end.text[:3]

    def wait(state):
        for mail in (here, there):
            wait_until(lambda: mail.json("status")["store"]["state"] == state, 10, f"not {state}")

    assert [answer(here, client) for client in at(1, 2, 3)] == ["250"] * 3
    own_redis.kill()
    wait("local")
    assert [answer(here, client) for client in at(1, 2, 3, 4)] == ["250"] * 3 + ["451"]
    assert [answer(there, client) for client in at(5, 6, 7, 5)] == ["250", "250", "451", "250"]
    own_redis.start()
    wait("ok")
    # Redis came back empty, and was given as many as it takes of the five that got in.
    assert [answer(there, client) for client in at(8, 1)] == ["550", "250"]


@pytest.mark.timing
def test_exactly_so_many_of_fifty_get_in(mailbraked, redis, build):
    """Over two daemons at the same time; who is in goes on, and nobody else gets in."""
    rules = '{ name = "places"; key = "login"; limit = "20 clients per 1d"; action = "reject"; }'
    pair = [mailbraked(redis_settings(redis), rules=rules) for _ in range(2)]
    for daemon in pair:
        daemon.allow_log("name")
    for run in range(3):
        result = milter.load(
            build,
            *[daemon.milter for daemon in pair],
            messages=500,
            connections=50,
            login=f"thief{run}",
            client="198.51.100.%c",
            from_="x@far.example",
        )
        assert result["unanswered"] == result["broken"] == 0, result
        told = Administered(None, pair[0], build).json("limits", "show", f"login:thief{run}")
        assert told["limits"][0]["left"] == 0
        verdicts = [line for daemon in pair for line in daemon.verdicts() if f"thief{run}@" in line.identity]
        accepted = {line.client for line in verdicts if line.verdict == "accept"}
        refused = {line.client for line in verdicts if line.verdict == "reject"}
        assert (len(accepted), len(refused)) == (20, 30) and not accepted & refused
