"""What stands between mailbraked and Redis delays, cuts, loses and mixes up the replies: each
message has its answer in time, and a limit is never more than itself."""

import time

import pytest

import milter
import redis_proxy
from postfix import wait_until
from redis_proxy import RedisProxy, now_and_then
from stores import redis_settings

TIMEOUT_MS = 250
BURST = 40
RATE = (
    f'{{ name = "storm"; key = "all"; limit = "1 messages per 366d"; burst = {BURST};'
    ' action = "reject"; }'
)
CONNECTIONS = 8  # of mailbraked to Redis, by default


@pytest.fixture
def proxy(own_redis):
    proxy = RedisProxy(own_redis)
    yield proxy
    proxy.close()


@pytest.fixture
def daemon(mailbraked, own_redis, proxy):
    store = redis_settings(
        own_redis, server=proxy.server, timeout_ms=TIMEOUT_MS, on_failure="tempfail"
    )
    daemon = mailbraked(store, rules=RATE)
    daemon.allow_log(r"(?i)redis|store|suppressed|judged|records|read|counted")
    return daemon


def storm(build, daemon, messages):
    """Its result, each message answered in time."""
    before = len(daemon.verdicts())
    result = milter.load(build, daemon.milter, messages=messages, connections=8)
    assert result["unanswered"] == result["broken"] == 0, result
    verdicts = daemon.verdicts(before + messages)[before:]
    assert max(int(v.us) for v in verdicts) <= (TIMEOUT_MS + build.slack_ms) * 1000
    return result


def wait_for_redis(build, daemon):
    """Within 5 s of what ails it."""
    deadline = time.monotonic() + 5
    while daemon.verdicts() == [] or daemon.verdicts()[-1].store != "redis":
        assert time.monotonic() < deadline, "Redis is not used again"
        milter.load(build, daemon.milter, messages=1, connections=1)
        time.sleep(0.05)


FAULTS = {
    "late": redis_proxy.late(0.6),
    "trickled": redis_proxy.trickled,
    "truncated": redis_proxy.truncated,
    "stalled": redis_proxy.stalled,
    "lost": redis_proxy.lost,
    "reset": redis_proxy.reset,
    "garbled": redis_proxy.garbled,
    "twice": redis_proxy.twice,
    "twice_apart": redis_proxy.twice_apart,
}


TIMED = ("late", "trickled", "stalled")  # what is about time, on the release build, too


@pytest.mark.parametrize(
    "name", [pytest.param(f, marks=pytest.mark.timing) if f in TIMED else f for f in FAULTS]
)
def test_a_bad_reply_lets_nothing_through(build, daemon, proxy, name):
    """First each third reply, amid good ones, then all."""
    proxy.fault = now_and_then(3, FAULTS[name])
    mixed = storm(build, daemon, 2 * BURST)
    proxy.fault = FAULTS[name]
    bad = storm(build, daemon, BURST)
    proxy.fault = None
    wait_for_redis(build, daemon)
    well = storm(build, daemon, 2 * BURST)
    accepted = [v for v in daemon.verdicts() if v.verdict == "accept"]
    assert len(accepted) <= BURST, (mixed, bad, well)
    assert {v.store for v in accepted} <= {"redis"}
    assert well["tempfail"] == 0 and well["reject"] >= BURST, well


def test_replies_one_behind_are_noticed(build, daemon, proxy):
    """The reply to one message is taken for that to the next: once a connection, and it is
    dropped."""
    proxy.fault = redis_proxy.one_behind
    storm(build, daemon, 4 * BURST)
    proxy.fault = None
    wait_for_redis(build, daemon)
    storm(build, daemon, BURST)
    accepted = [v for v in daemon.verdicts() if v.verdict == "accept"]
    assert len(accepted) <= BURST + CONNECTIONS, len(accepted)


def test_what_is_to_be_held_is_held(build, mailbraked, own_redis, proxy):
    """Whether or not the record of it can be written; the queue has what records need."""
    store = redis_settings(own_redis, server=proxy.server, timeout_ms=TIMEOUT_MS)
    rule = '{ name = "all"; from = ["*@storm.example"]; action = "quarantine"; }'
    daemon = mailbraked(store, rules=rule)
    daemon.allow_log(r"(?i)redis|store|suppressed|records|read|count|quarantine")
    for name in ("truncated", "lost", "one_behind"):
        proxy.fault = now_and_then(2, getattr(redis_proxy, name))
        result = milter.load(
            build, daemon.milter, messages=30, connections=8, from_="s%n@storm.example"
        )
        assert result["quarantine"] == 30, (name, result)
    verdicts = daemon.verdicts()
    assert max(int(v.us) for v in verdicts) <= (TIMEOUT_MS + build.slack_ms) * 1000
