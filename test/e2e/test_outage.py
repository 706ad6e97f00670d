"""Redis stops while 2,000 messages a second come in: verdicts go on, threads don't pile up,
and Redis is used again soon after it is back."""

import os
import threading
import time

import pytest

import milter
from stores import redis_settings

pytestmark = pytest.mark.timing

RULES = '{ name = "rate"; key = "sender"; limit = "1000000 messages per 1h"; action = "reject"; }'
RATE, CONNECTIONS = 2000, 100  # as many as Postfix has by default (default_process_limit)
HEALTHY_S, STOPPED_S, AFTER_S = 1.5, 2.5, 3.0  # back within 5 s, it is wanted
THREADS_MAX = 100


class Threads(threading.Thread):
    """The most that a process has had."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path, self.most, self.done = f"/proc/{pid}/task", 0, threading.Event()

    def run(self):
        while not self.done.wait(0.01):
            self.most = max(self.most, len(os.listdir(self.path)))


def answered(trace, begin_s, end_s):
    """Verdicts a second in this time."""
    return sum(begin_s <= (t.at_us + t.us) / 1e6 < end_s for t in trace) / (end_s - begin_s)


@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_verdicts_go_on_while_redis_is_stopped(mailbraked, build, own_redis, how):
    if not build.release:
        pytest.skip("a bound of time, which the release build has to keep")
    daemon = mailbraked(redis_settings(own_redis, timeout_ms=250), rules=RULES)
    daemon.allow_log(r"(?i)redis|store|suppressed")
    threads = Threads(daemon.process.pid)
    threads.start()
    began = time.monotonic()
    load = milter.Load(
        build, [daemon.milter], trace=daemon.dir / "trace", rate=RATE, connections=CONNECTIONS,
        messages=int(RATE * (HEALTHY_S + STOPPED_S + AFTER_S)), from_="s%c@x.example",
    )
    time.sleep(HEALTHY_S)
    in_peace = threads.most
    own_redis.freeze() if how == "frozen" else own_redis.kill()
    stopped = time.monotonic() - began
    time.sleep(STOPPED_S)
    back, before = time.monotonic() - began, daemon.text().count(" verdict=")
    own_redis.thaw() if how == "frozen" else own_redis.start()
    result = load.result()
    threads.done.set()
    assert result["accept"] == result["messages"], result

    trace = load.trace()
    healthy, during = answered(trace, 0.5, stopped), answered(trace, stopped, back)
    stores = [verdict.store for verdict in daemon.verdicts(result["messages"])]
    assert "redis" in stores[before:], "Redis is not used again"
    again_s = stores[before:].index("redis") / RATE  # verdicts come as fast as messages
    print(f"{how}: {healthy:.0f}/s, then {during:.0f}/s; {threads.most} threads, {in_peace} before; "
          f"{stores.count('local')} local, Redis again after {again_s:.2f} s")
    assert during > healthy / 2
    # On a machine that is busy elsewhere libmilter itself starts one for each connection.
    assert threads.most < THREADS_MAX or os.getloadavg()[0] > 3 * os.cpu_count()
