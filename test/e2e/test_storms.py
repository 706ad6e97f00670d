"""A burst admits exactly N, from any number of connections and daemons."""

import pytest

import milter
from mailbraked import people
from stores import MEMORY, redis_settings

pytestmark = pytest.mark.timing

RUNS = 10


def bucket(burst, unit="messages", key="sender"):
    return (
        f'{{ name = "storm"; key = "{key}"; limit = "1 {unit} per 366d"; burst = {burst};'
        ' action = "reject"; }'
    )


def verdicts(result):
    """Every message got its answer: how many were accepted and refused."""
    assert result["unanswered"] == result["broken"] == result["tempfail"] == 0, result
    assert result["accept"] + result["reject"] == result["messages"], result
    return result["accept"], result["reject"]


def test_a_hundred_of_a_thousand_over_two_daemons(mailbraked, redis, build):
    """1,000 messages from 50 connections against two daemons on one Redis, ten times."""
    store = redis_settings(redis)
    pair = [mailbraked(store, rules=bucket(100)) for _ in range(2)]
    sockets = [daemon.milter for daemon in pair]
    for run in range(RUNS):
        result = milter.load(build, *sockets, messages=1000, connections=50, from_=f"s{run}@x.example")
        assert verdicts(result) == (100, 900), run
    for daemon in pair:
        assert {v.store for v in daemon.verdicts()} == {"redis"}
        assert sum(v.verdict == "accept" for v in daemon.verdicts()) > 0


def test_a_hundred_of_a_thousand_in_memory(mailbraked, build):
    daemon = mailbraked(MEMORY, rules=bucket(100))
    for run in range(RUNS):
        result = milter.load(
            build, daemon.milter, messages=1000, connections=50, from_=f"s{run}@x.example"
        )
        assert verdicts(result) == (100, 900), run


def test_fifty_clients_at_the_last_token(mailbraked, redis, build):
    """Two buckets, of which the second holds one token: one message wins, and only it is
    charged to the first."""
    first = bucket(10, key="all").replace("storm", "first")
    store = redis_settings(redis)
    pair = [mailbraked(store, rules=f"{first}, {bucket(1)}") for _ in range(2)]
    sockets = [daemon.milter for daemon in pair]
    for run in range(RUNS):
        result = milter.load(build, *sockets, messages=50, connections=50, from_=f"s{run}@x.example")
        assert verdicts(result) == (1, 49), run
    assert verdicts(milter.load(build, *sockets, messages=50, connections=50)) == (0, 50)


def test_a_storm_of_copies(mailbraked, redis, build):
    """Each message costs 7 of 1,000: 142 pass, whoever is first."""
    store = redis_settings(redis)
    configuration = {"rules": bucket(1000, "recipients"), "lists": {"seven": people(7)}}
    pair = [mailbraked(store, **configuration) for _ in range(2)]
    result = milter.load(
        build,
        *[daemon.milter for daemon in pair],
        messages=500,
        connections=50,
        to="seven@district.example",
    )
    assert verdicts(result) == (142, 358)


def test_one_message_a_connection(mailbraked, build, store):
    daemon = mailbraked(store, rules=bucket(100))
    result = milter.load(build, daemon.milter, messages=1000, connections=50, per_connection=1)
    assert verdicts(result) == (100, 900)


def test_many_senders_have_many_buckets(mailbraked, build, store):
    daemon = mailbraked(store, rules=bucket(1))
    for expected in ((1000, 0), (0, 1000)):
        result = milter.load(
            build, daemon.milter, messages=1000, connections=20, from_="s%n@x.example"
        )
        assert verdicts(result) == expected


def test_a_storm_of_one_login_with_changing_senders(mailbraked, build, store):
    daemon = mailbraked(store, rules=bucket(100))
    result = milter.load(
        build, daemon.milter, messages=1000, connections=50, from_="s%n@x%n.example", login="bot"
    )
    assert verdicts(result) == (100, 900)
