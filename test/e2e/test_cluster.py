"""A Redis Cluster: what `check` and `status` say of it, a slot that moves to another node
while messages are charged, and a failover. Counted: each message is charged once."""

import json
import threading
import time

import pytest

import milter
from cluster import Cluster
from mailbraked import Command
from postfix import wait_until
from stores import started
from test_sentinel import as_user, check_store, role, wait_for_redis

pytestmark = [pytest.mark.timing, pytest.mark.xdist_group("sentinels")]

TIMEOUT_MS = 250
BURST = 300
# Two buckets a message: while the slot moves, one may be there and the other not yet.
RULES = (
    f'{{ name = "storm"; key = "sender"; limit = "1 messages per 366d"; burst = {BURST}; action = "reject"; }},'
    '{ name = "all"; key = "all"; limit = "1 messages per 366d"; burst = 100000; action = "reject"; }'
)
A_SECOND = 100  # messages


@pytest.fixture(scope="module")
def cluster(folder):
    with started(Cluster, folder) as servers:
        yield servers


def status(daemon, build):
    return json.loads(Command(build, daemon.config).run("status", "--json").stdout)["store"]


def test_the_user_needs_asking(cluster, build, folder):
    store = cluster.settings(**as_user(cluster.owner, cluster.owner.dir))
    store["server"] = [f"tcp:127.0.0.1:{cluster.owner.port}"]
    done = check_store(build, folder, store)
    assert "NOPERM" in done.stderr and "see store.username in mailbrake.conf(5)" in done.stderr
    as_user(cluster.owner, cluster.owner.dir, "+asking")
    done = check_store(build, folder, store)
    assert "store: " not in done.stderr and "the store is at" in done.stdout, done.stderr


def test_check_says_what_is_wrong(cluster, build, folder):
    """A node named as the only server; another node's answer, and nobody's."""
    other = f"tcp:127.0.0.1:{cluster.other.port}"
    settings = cluster.settings(timeout_ms=2000)
    done = check_store(build, folder, {**settings, "server": other})
    assert "MOVED" in done.stderr and "write store.server as an array of nodes" in done.stderr
    done = check_store(build, folder, {**settings, "server": [other]})
    assert f"the store is at tcp:127.0.0.1:{cluster.owner.port}," in done.stdout, done.stderr
    done = check_store(build, folder, {**settings, "server": ["tcp:127.0.0.1:1"]})
    assert "node tcp:127.0.0.1:1: Connection refused" in done.stderr


def test_a_slot_moves_while_messages_are_charged(cluster, mailbraked, build):
    """First one key and then the other (TRYAGAIN), then all (ASK), then the slot (MOVED)."""
    store = cluster.settings(timeout_ms=5000, on_failure="tempfail")
    daemon = mailbraked(store, rules=RULES)
    daemon.allow_log(r"the Cluster moves our keys|suppressed")
    node = f"tcp:127.0.0.1:{cluster.owner.port}, the Cluster's node with all keys of {{mailbrake}}"
    assert status(daemon, build)["server"] == node
    done = Command(build, daemon.config).check()
    assert f"the store is at {node}" in done.stdout, done.stdout + done.stderr

    load = milter.Load(build, [daemon.milter], messages=A_SECOND * 4, connections=16, rate=A_SECOND)
    time.sleep(1)
    target = cluster.other
    source = cluster.owner
    cluster.begin_move(target)
    buckets = [k for k in source.keys() if ":b:" in k]
    assert len(buckets) == 2
    source.command("MIGRATE", "127.0.0.1", target.port, buckets[0], 0, 1000)
    time.sleep(0.4)
    source.command("MIGRATE", "127.0.0.1", target.port, buckets[1], 0, 1000)
    moving = threading.Thread(target=lambda: cluster.move_keys(target))
    moving.start()
    moving.join()
    time.sleep(0.8)
    before = len(daemon.verdicts())
    time.sleep(0.3)
    assert len(daemon.verdicts()) > before, "nothing is charged while the slot moves"
    cluster.end_move(target)
    result = load.result()

    assert BURST - 5 <= result["accept"] <= BURST, result  # what is under way may count twice
    assert result["reject"] == result["messages"] - result["accept"], result
    assert {v.store for v in daemon.verdicts()} == {"redis"}
    daemon.expect_log(f"store at tcp:127.0.0.1:{target.port}, the Cluster's node")
    assert f"tcp:127.0.0.1:{target.port}," in status(daemon, build)["server"]
    assert len([k for k in target.keys() if ":b:" in k]) == 2
    cluster.other = source


def test_connections_are_replaced_while_the_slot_moves(cluster, mailbraked, build):
    """Nothing of ours is on the old node any more, so a new connection proves little."""
    daemon = mailbraked(cluster.settings(timeout_ms=5000, on_failure="tempfail"), rules=RULES)
    daemon.allow_log(r"the Cluster moves our keys|suppressed")
    assert milter.load(build, daemon.milter, messages=1, connections=1)["tempfail"] == 0
    source, target = cluster.owner, cluster.other
    cluster.begin_move(target)
    cluster.move_keys(target)
    source.command("CLIENT", "KILL", "TYPE", "normal")
    started = time.monotonic()
    result = milter.load(build, daemon.milter, messages=20, connections=4)
    assert result["tempfail"] == 0 and time.monotonic() - started < 3, result
    cluster.end_move(target)
    assert milter.load(build, daemon.milter, messages=20, connections=4)["tempfail"] == 0
    assert {v.store for v in daemon.verdicts()} == {"redis"}
    cluster.other = source


def test_what_is_owed_waits_for_a_slot_that_moves(cluster, mailbraked, build):
    """One of two keys is elsewhere (TRYAGAIN) for so long that messages fall to the local
    share. What that lets pass is charged once the slot has moved; nobody else is sent away."""
    store = cluster.settings(timeout_ms=TIMEOUT_MS, on_failure="local", nodes=1)
    daemon = mailbraked(store, rules=RULES)
    daemon.allow_log(r"the Cluster moves our keys|suppressed")

    def load(messages):
        return milter.load(
            build, daemon.milter, messages=messages, connections=4, from_="owed@x.example"
        )["accept"]

    before = cluster.owner.keys()
    accepted = load(1)
    mine = next(k for k in cluster.owner.keys() if ":b:" in k and k not in before)
    source, target = cluster.owner, cluster.other
    cluster.begin_move(target)
    source.command("MIGRATE", "127.0.0.1", target.port, mine, 0, 1000)
    accepted += load(8)
    time.sleep(0.6)
    accepted += load(8)
    assert accepted == 17
    cluster.end_move(target)
    cluster.other = source
    time.sleep(0.6)
    wait_for_redis(build, daemon, time.monotonic(), 5)
    time.sleep(0.6)
    accepted += load(BURST)
    assert BURST - 4 <= accepted <= BURST
    assert "store away" not in daemon.text()


def follow(cluster):
    """A replica, once it follows the owner."""
    owner = cluster.owner
    replica = next(n for n in cluster.nodes if n.command("ROLE")[0] == "slave")
    replica.command("CLUSTER", "REPLICATE", owner.command("CLUSTER", "MYID"))
    wait_until(
        lambda: "master_link_status:up" in replica.command("INFO", "replication")
        and f"master_port:{owner.port}" in replica.command("INFO", "replication"),
        20,
        "the replica does not follow",
    )
    return replica


def test_a_planned_failover_in_the_middle_of_a_storm(cluster, mailbraked, build):
    """CLUSTER FAILOVER: nothing is lost, and nobody is sent away."""
    replica = follow(cluster)
    daemon = mailbraked(cluster.settings(timeout_ms=5000, on_failure="tempfail"), rules=RULES)
    daemon.allow_log(r"(?i)redis|store|suppressed")
    load = milter.Load(
        build,
        [daemon.milter],
        messages=A_SECOND * 4,
        connections=16,
        rate=A_SECOND,
        from_="planned@x.example",
    )
    time.sleep(1)
    replica.command("CLUSTER", "FAILOVER")
    wait_until(lambda: role(replica) == "master", 10, "no failover")
    result = load.result()
    assert BURST - 5 <= result["accept"] <= BURST and result["tempfail"] == 0, result
    assert {v.store for v in daemon.verdicts()} == {"redis"}
    daemon.expect_log(f"store at tcp:127.0.0.1:{replica.port}, the Cluster's node")
    cluster.owner = replica


def test_a_failover_in_the_middle_of_a_storm(cluster, mailbraked, build):
    """The owner dies, and its replica takes its slots."""
    owner, replica = cluster.owner, follow(cluster)
    store = cluster.settings(timeout_ms=TIMEOUT_MS, on_failure="tempfail")
    daemon = mailbraked(store, rules=RULES)
    daemon.allow_log(r"(?i)redis|store|suppressed")
    load = milter.Load(
        build,
        [daemon.milter],
        trace=daemon.dir / "trace",
        messages=A_SECOND * 7,
        connections=16,
        rate=A_SECOND,
        from_="failover@x.example",
    )
    time.sleep(1.5)
    owner.kill()
    wait_until(lambda: status(daemon, build)["reason"], 5, "nobody notices")
    wait_until(lambda: role(replica) == "master", 10, "no failover")
    wait_for_redis(build, daemon, time.monotonic(), 5)
    result, trace = load.result(), load.trace()

    assert result["unanswered"] == result["broken"] == 0, result
    limit_us = (TIMEOUT_MS + build.slack_ms) * 1000
    assert max(int(v.us) for v in daemon.verdicts()) <= limit_us
    assert not [t for t in trace if t.us > limit_us]
    assert BURST - 5 <= result["accept"] <= BURST + 5, result
    assert result["reject"] > 0 and result["tempfail"] > 0, result
    assert f"store at tcp:127.0.0.1:{replica.port}, the Cluster's node" in daemon.text()
