"""Two relays, each a Postfix, a mailbraked and its helper, and the Redis that they share."""

import contextlib
import pathlib
import re
import signal
import threading

from accounts import CountingSink
from helper import Helper
from mailbraked import Mailbraked, people
from postfix import Postfix
from redis import Redis
from relay import lists_for_postfix
from stores import redis_settings
from traffic import CLASS, CLASS_SIZE, RULES, Log

TIMEOUT_MS = 250


class RelayParts:
    def __init__(self, postfix, daemon, helper):
        self.postfix, self.daemon, self.helper = postfix, daemon, helper


class Farm:
    """Two relays and their Redis."""

    def __init__(self, build, folder):
        self.build, self.dir = build, pathlib.Path(folder)
        self.redis = Redis(self.dir / "redis")
        self.relays, self.logs = {}, {}
        self._started = []  # what there is to stop
        self.list_path = self.dir / "class.txt"
        self.list_lock = threading.Lock()
        self.write_list(people(CLASS_SIZE))

    def start(self):
        self._started.append(self.redis.stop)
        self.redis.start()
        for name in ("relay1", "relay2"):
            self.relays[name] = self._relay(name)
            self.logs[name] = Log(name, self.relays[name].daemon.log_path)

    def _relay(self, name):
        folder = self.dir / name
        folder.mkdir()
        for part in ("postfix", "mailbraked"):
            (folder / part).mkdir()
        postfix = Postfix(folder / "postfix", far_end=CountingSink)
        self._started.append(postfix.stop)
        postfix.start()
        postfix.set_main(enable_long_queue_ids="yes")
        lists_for_postfix(postfix, lists={CLASS: people(CLASS_SIZE)})
        helper = Helper(self.build, folder).configure("postfix", postfix.config)
        self._started.append(helper.kill)
        helper.start()
        daemon = Mailbraked(self.build, folder / "mailbraked", postfix.milter_socket)
        self._started.append(daemon.kill)
        daemon.host = name
        daemon.configure(
            redis_settings(self.redis, timeout_ms=TIMEOUT_MS, nodes=2, state_file=f"{folder}/mailbraked/state"),
            rules=RULES,
            sources=[{"address": CLASS, "file": str(self.list_path)}],
            trusted=["client:10.0.0.0/8"],
            notify={"tell_sender": False},
            mta={"config_directory": str(postfix.config), "helper": str(helper.socket)},
            quarantine={"max_messages": 15000, "max_per_incident": 15000, "min_free": "1M"},
        )
        return RelayParts(postfix, daemon.start(), helper)

    def write_list(self, members):
        """At once, as a tool should."""
        fresh = self.list_path.with_suffix(".new")
        fresh.write_text("".join(f"{address}\n" for address in members))
        fresh.rename(self.list_path)

    def reload(self, relay):
        with contextlib.suppress(AttributeError, ProcessLookupError):  # killed just now
            self.relays[relay].daemon.signal(signal.SIGUSR1)

    def reload_all(self):
        for relay in self.relays:
            self.reload(relay)

    def ended(self):
        """Which of the processes have ended by themselves."""
        return [name for name, pid in self.processes().items() if pid() is None]

    def redis_bytes(self):
        return int(re.search(r"used_memory:(\d+)", self.redis.command("INFO", "memory"))[1])

    def processes(self):
        """Numbers by name, for Watch."""
        return {
            f"{name} {what}": (lambda parts=parts, what=what: self._pid(parts, what))
            for name, parts in self.relays.items()
            for what in ("mailbraked", "helper")
        }

    def _pid(self, parts, what):
        process = (parts.daemon if what == "mailbraked" else parts.helper).process
        return process.pid if process and process.poll() is None else None

    def stop(self):
        for stop in reversed(self._started):
            stop()
