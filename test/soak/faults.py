"""What goes wrong, one thing after the other, at random. Each is told to the history with
its begin and its end, so that the model knows when a verdict may be another one."""

import contextlib
import os
import signal
import threading
import time

from model import RETURN_S, Fault
from redis import RedisError

EVERYTHING = "+@all"


class Faults(threading.Thread):
    """Every kind once, in any order, then again."""

    def __init__(self, farm, history, chance, seconds):
        super().__init__(daemon=True)
        self.farm, self.history, self.chance = farm, history, chance
        self.until = time.monotonic() + seconds
        self.counts, self.slow_returns, self.returns = {}, [], []

    def run(self):
        kinds = []
        while True:
            # Now and then long enough for the model to be sure of every verdict again.
            pause = self.chance.choice([0.5, 2.0, RETURN_S + 4.0])
            if time.monotonic() + pause > self.until:
                return
            time.sleep(pause)
            kinds = kinds or self.chance.sample(KINDS, len(KINDS))
            self._happen(kinds.pop())

    def _happen(self, kind):
        name = kind.__name__.replace("_", " ")
        self.counts[name] = self.counts.get(name, 0) + 1
        ended = self.farm.ended()
        assert not ended, f"ended by itself: {ended}"
        with contextlib.suppress(OSError, RedisError):  # busy, or full
            kind(self)

    @contextlib.contextmanager
    def told(self, name, **more):
        fault = self.history.add(Fault(name, time.monotonic(), **more))
        try:
            yield fault
        finally:
            fault.end = time.monotonic()

    @contextlib.contextmanager
    def of_redis(self, name, **more):
        """The same; then both relays must use it again in time."""
        with self.told(name, **more) as fault:
            yield
        threading.Thread(target=self._see_return, args=(fault,), daemon=True).start()

    def _see_return(self, fault):
        for log in self.farm.logs.values():
            while (back := log.back_after(fault.end)) is None and time.monotonic() < fault.end + RETURN_S:
                time.sleep(0.1)
            until = fault.end + (RETURN_S if back is None else back)
            again = any(f is not fault and f.overlaps(fault.end, until) for f in self.history.all())
            if back is not None and not again:
                self.returns.append(back)
            elif not again:
                self.slow_returns.append(f"{log.relay} after {fault.name}")

    def span(self, least, most):
        time.sleep(self.chance.uniform(least, most))


def redis_frozen(faults):
    redis = faults.farm.redis
    with faults.of_redis("redis frozen"):
        redis.freeze()
        faults.span(0.2, 3)
        redis.thaw()


def redis_killed(faults):
    """It comes back without its data."""
    redis = faults.farm.redis
    with faults.of_redis("redis killed", loses=True):
        redis.kill()
        faults.span(0.2, 3)
        redis.start()


def redis_emptied(faults):
    with faults.of_redis("redis emptied", loses=True):
        faults.farm.redis.flush()


def scripts_forgotten(faults):
    """No verdict may differ, so the model isn't told."""
    faults.farm.redis.command("SCRIPT", "FLUSH")


def connections_cut(faults):
    with faults.of_redis("connections cut"):
        faults.farm.redis.command("CLIENT", "KILL", "TYPE", "normal")


def redis_full(faults):
    redis = faults.farm.redis
    with faults.of_redis("redis full"):
        redis.command("CONFIG", "SET", "maxmemory", "1")
        faults.span(0.5, 2)
        redis.command("CONFIG", "SET", "maxmemory", "0")


def redis_slow(faults):
    """Answers come late, some of them too late."""
    with faults.of_redis("redis slow"):
        for _ in range(faults.chance.randrange(2, 8)):
            faults.farm.redis.command("CLIENT", "PAUSE", faults.chance.randrange(50, 400), "ALL")
            faults.span(0.1, 0.5)


def script_without_end(faults):
    """Somebody's, until it is killed."""
    redis = faults.farm.redis
    with faults.of_redis("script without end"):
        thread = threading.Thread(target=_spin, args=(redis,), daemon=True)
        thread.start()
        faults.span(0.5, 2)
        while thread.is_alive():
            with contextlib.suppress(RedisError):
                redis.command("SCRIPT", "KILL")
            time.sleep(0.05)


def _spin(redis):
    with contextlib.suppress(OSError, RedisError):
        redis.command("EVAL", "while true do end", "0")


def scripts_forbidden(faults):
    """An access list that somebody got wrong."""
    redis = faults.farm.redis
    with faults.of_redis("scripts forbidden"):
        redis.command("ACL", "SETUSER", "default", "-evalsha", "-eval")
        faults.span(0.5, 2)
        redis.command("ACL", "SETUSER", "default", EVERYTHING)


def redis_a_replica(faults):
    """Of a master that isn't there: READONLY."""
    redis = faults.farm.redis
    with faults.of_redis("redis a replica"):
        redis.command("REPLICAOF", "127.0.0.1", "1")
        faults.span(0.5, 2)
        redis.command("REPLICAOF", "NO", "ONE")


def mailbraked_killed(faults):
    _restart(faults, "mailbraked killed", lambda daemon: daemon.kill())


def mailbraked_restarted(faults):
    _restart(faults, "mailbraked restarted", lambda daemon: daemon.stop())


def _restart(faults, name, end):
    """Only the second relay's: the first one's memory is watched over the whole run."""
    relay = list(faults.farm.relays)[-1]
    daemon = faults.farm.relays[relay].daemon
    with faults.told(name, relay=relay):
        end(daemon)
        faults.span(0.1, 1.5)
        with faults.farm.list_lock:  # a signal to reload ends what doesn't wait for it yet
            daemon.start()


def helper_killed(faults):
    helper = faults.chance.choice(list(faults.farm.relays.values())).helper
    helper.kill()
    faults.span(0.1, 1.5)
    helper.start()


def helper_frozen(faults):
    helper = faults.chance.choice(list(faults.farm.relays.values())).helper
    os.kill(helper.process.pid, signal.SIGSTOP)
    faults.span(0.5, 4)
    os.kill(helper.process.pid, signal.SIGCONT)


def list_cut(faults):
    """While a list is written, a reload reads half of it."""
    path = faults.farm.list_path
    with faults.farm.list_lock:
        whole = path.read_text()
        path.write_text(whole[: len(whole) // 2])
        faults.farm.reload(faults.chance.choice(list(faults.farm.relays)))
        path.write_text(whole)
        faults.farm.reload_all()


KINDS = [
    *(redis_frozen, redis_killed, redis_emptied, scripts_forgotten, connections_cut, redis_full),
    *(redis_slow, script_without_end, scripts_forbidden, redis_a_replica, mailbraked_killed),
    *(mailbraked_restarted, helper_killed, helper_frozen, list_cut),
]
