"""Redis killed, frozen and back again in the middle of traffic."""

import time

import pytest

import milter
from stores import redis_settings

pytestmark = pytest.mark.timing

TIMEOUT_MS = 250
BURST = 100
RATE = (
    f'{{ name = "storm"; key = "sender"; limit = "1 messages per 366d"; burst = {BURST};'
    ' action = "reject"; }'
)
A_SECOND = 150  # messages


def fail(redis, how):
    redis.kill() if how == "killed" else redis.freeze()


def restore(redis, how):
    redis.start() if how == "killed" else redis.thaw()


@pytest.fixture
def brake(mailbraked, own_redis):
    def start(on_failure, **options):
        store = redis_settings(
            own_redis, timeout_ms=TIMEOUT_MS, on_failure=on_failure, **options
        )
        daemon = mailbraked(store, rules=RATE)
        daemon.allow_log(r"(?i)redis|store|suppressed")
        return daemon

    return start


def siege(build, daemon, redis, how, seconds_down=1.5):
    """Traffic while the store fails and returns; gives result, trace, and when it came
    back (seconds from now)."""
    load = milter.Load(
        build,
        [daemon.milter],
        trace=daemon.dir / "trace",
        messages=int(A_SECOND * (1.0 + seconds_down + 2.5)),
        connections=16,
        rate=A_SECOND,
    )
    time.sleep(1.0)
    fail(redis, how)
    time.sleep(seconds_down)
    restore(redis, how)
    back = time.monotonic()
    return load.result(), load.trace(), back


def wait_for_redis(build, daemon, since):
    """Redis is used again within 5 s, nothing restarted."""
    while True:
        milter.load(build, daemon.milter, messages=1, connections=1, from_="probe@x.example")
        if daemon.verdicts(1)[-1].store == "redis":
            return
        assert time.monotonic() - since < 5, "Redis is not used again"
        time.sleep(0.05)


def check_latency(build, result, trace, daemon):
    assert result["unanswered"] == result["broken"] == 0, result
    limit_us = (TIMEOUT_MS + build.slack_ms) * 1000
    assert max(int(v.us) for v in daemon.verdicts()) <= limit_us
    slow = [t for t in trace if t.us > limit_us]
    assert not slow, slow[:5]


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_local_answers_in_time_and_the_limit_holds(brake, build, own_redis, how):
    daemon = brake("local")
    result, trace, back = siege(build, daemon, own_redis, how)
    check_latency(build, result, trace, daemon)
    wait_for_redis(build, daemon, back)

    verdicts = [v for v in daemon.verdicts() if "probe" not in v.identity]
    assert len(verdicts) == result["messages"]
    assert {v.store for v in verdicts} == {"redis", "local"}
    assert {v.verdict for v in verdicts} == {"accept", "reject"}
    # Nothing was left when Redis went, so nothing is here; and a Redis that forgot
    # everything is told what was seen.
    assert len([v for v in verdicts if v.verdict == "accept"]) == BURST


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_tempfail_answers_451_in_time(brake, build, own_redis, how):
    daemon = brake("tempfail")
    result, trace, back = siege(build, daemon, own_redis, how)
    check_latency(build, result, trace, daemon)
    wait_for_redis(build, daemon, back)
    assert result["tempfail"] > A_SECOND  # well over a second of them
    assert result["defer"] == result["quarantine"] == 0
    assert result["accept"] == BURST


def test_accept_lets_pass_while_the_store_is_away(brake, build, own_redis):
    daemon = brake("accept")
    result, trace, back = siege(build, daemon, own_redis, "killed", seconds_down=1.0)
    check_latency(build, result, trace, daemon)
    assert result["accept"] > 2 * BURST
    assert result["tempfail"] == 0
    wait_for_redis(build, daemon, back)


def test_local_gives_each_node_its_part(brake, build, own_redis):
    daemon = brake("local", nodes=4)
    own_redis.kill()
    result = milter.load(build, daemon.milter, messages=200, connections=8)
    assert result["accept"] == BURST // 4
    assert result["reject"] + result["tempfail"] == 200 - BURST // 4


def test_mail_that_needs_no_bucket_does_not_wait(brake, build, own_redis):
    daemon = brake("tempfail")
    daemon.configure(
        redis_settings(own_redis, timeout_ms=TIMEOUT_MS, on_failure="tempfail"),
        rules='{ name = "friends"; from = ["@friends.example"]; action = "accept"; },' + RATE,
    )
    daemon.reload()
    own_redis.freeze()
    result = milter.load(
        build, daemon.milter, messages=200, connections=8, from_="x@friends.example"
    )
    assert result["accept"] == 200
    assert result["latency_us"]["max"] < TIMEOUT_MS * 1000


def test_a_daemon_started_without_redis_finds_it_later(brake, build, own_redis):
    own_redis.kill()
    daemon = brake("tempfail")
    assert milter.load(build, daemon.milter, messages=5, connections=1)["tempfail"] == 5
    own_redis.start()
    wait_for_redis(build, daemon, time.monotonic())
    assert milter.load(build, daemon.milter, messages=5, connections=1)["accept"] == 5


def test_a_redis_that_refuses_is_unavailable_not_allowed(brake, build, own_redis):
    """Out of memory: an answer, but not one to live by."""
    daemon = brake("tempfail")
    assert milter.load(build, daemon.milter, messages=1, connections=1)["accept"] == 1
    own_redis.command("CONFIG", "SET", "maxmemory", "1")
    assert milter.load(build, daemon.milter, messages=20, connections=2)["accept"] == 0
    own_redis.command("CONFIG", "SET", "maxmemory", "0")
    wait_for_redis(build, daemon, time.monotonic())


def test_a_bucket_of_the_wrong_type_is_unavailable(brake, build, own_redis):
    daemon = brake("tempfail")
    assert milter.load(build, daemon.milter, messages=1, connections=1)["accept"] == 1
    buckets = [key for key in own_redis.keys() if own_redis.command("TTL", key) > 0]
    for key in buckets:
        own_redis.command("DEL", key)
        own_redis.command("LPUSH", key, "not a bucket")
    assert milter.load(build, daemon.milter, messages=5, connections=1)["accept"] == 0
    own_redis.flush()
    wait_for_redis(build, daemon, time.monotonic())
